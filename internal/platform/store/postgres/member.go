package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// Times of membership.
const (
	HeartbeatInterval = time.Second
	heartbeatTimeout  = 5 * time.Second
	goodRoundTrip     = 250 * time.Millisecond // Of a heartbeat from which the database's clock is read.
)

// member is this replica among the others.
type member struct {
	fenced chan struct{} // Closed once this replica knows that it is fenced.
	once   sync.Once     // Of closing it.
	joined atomic.Bool
	cancel context.CancelFunc
	done   chan struct{}
	offset atomic.Int64 // The database's clock minus ours, in nanoseconds.
	last   atomic.Int64 // When the last heartbeat was answered, in Unix nanoseconds; 0 is never.
}

func (m *member) stop() {
	if m.cancel != nil {
		m.cancel()
		<-m.done
	}
}

// Join makes this process one of the replicas and starts its heartbeat. The id must be new.
func (d *DB) Join(ctx context.Context) error {
	id := d.options.Replica
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		for _, q := range []string{
			"INSERT INTO replicas (id, started) VALUES ($1, clock_timestamp())",
			"INSERT INTO heartbeats (replica, seen) VALUES ($1, clock_timestamp())",
			"INSERT INTO commits (replica, n) VALUES ($1, 0)",
		} {
			if _, err := tx.Exec(ctx, q, id); err != nil {
				return err
			}
		}
		return nil
	})
	if sqlState(err) == "23505" {
		return signalbox.Errorf(signalbox.CodeConflict, "The replica %s has joined before.", id).
			WithRemedy("Give each process an id of its own.").WithCause(err)
	}
	if err != nil {
		return explain("join the replicas", err)
	}
	d.member.joined.Store(true)
	if err := d.beat(ctx); err != nil {
		return explain("join the replicas", err)
	}
	d.startBeating(ctx)
	return nil
}

func (d *DB) startBeating(ctx context.Context) {
	ctx, d.member.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d.member.done = make(chan struct{})
	go func() {
		defer close(d.member.done)
		for wait(ctx, HeartbeatInterval); ctx.Err() == nil; wait(ctx, HeartbeatInterval) {
			if err := d.beat(ctx); errors.Is(err, ErrFenced) {
				return
			} else if err != nil && ctx.Err() == nil {
				d.options.Logger.WarnContext(ctx, "a heartbeat was not answered", "error", explain("heartbeat", err))
			}
		}
	}()
}

const beat = "UPDATE heartbeats SET seen = clock_timestamp() FROM replicas r " +
	"WHERE heartbeats.replica = r.id AND r.id = $1 AND r.fenced IS NULL RETURNING seen"

// beat says that this replica lives, and reads the database's clock.
func (d *DB) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	var there time.Time
	before := d.options.Now()
	err := d.control.QueryRow(ctx, beat, d.options.Replica).Scan(&there)
	after := d.options.Now()
	if errors.Is(err, pgx.ErrNoRows) {
		return d.nowFenced()
	}
	if err != nil {
		return err
	}
	if trip := after.Sub(before); d.member.last.Load() == 0 || trip >= 0 && trip < goodRoundTrip {
		d.member.offset.Store(int64(there.Sub(before.Add(trip / 2))))
	}
	d.member.last.Store(after.UnixNano())
	return nil
}

// Now is the database's clock, as far as heartbeats tell: within half of their round trip.
func (d *DB) Now() time.Time { return d.options.Now().Add(d.Offset()) }

// Offset is the database's clock minus this process's, as of the last heartbeat.
func (d *DB) Offset() time.Duration { return time.Duration(d.member.offset.Load()) }

// LastHeartbeat is when a heartbeat was last answered, by this process's clock; zero before [DB.Join].
func (d *DB) LastHeartbeat() time.Time {
	if n := d.member.last.Load(); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

// Fenced is closed when this replica finds out that it was declared dead. The process is to stop: no commit of it will
// succeed, and its open calls are being settled by the leader.
func (d *DB) Fenced() <-chan struct{} { return d.member.fenced }

// nowFenced takes note that this replica can not commit any more, and gives the error; another one where it never could.
func (d *DB) nowFenced() error {
	if !d.member.joined.Load() {
		return signalbox.Errorf(signalbox.CodeInternal, "This process writes without having joined the replicas.").
			WithRemedy("Report this as a bug.")
	}
	d.member.once.Do(func() { close(d.member.fenced) })
	return signalbox.Errorf(signalbox.CodeUnavailable, "The other replicas have declared this one (%s) dead.", d.options.Replica).
		WithRemedy("Start it again. It was silent for longer than the lease: look for a frozen machine, a clock that " +
			"jumped, or a network that was cut.").
		WithCause(fmt.Errorf("%w: %w", ErrFenced, store.ErrUncertain))
}

// Leave ends the membership of a process that stops. Nothing of it is committed afterwards. It does nothing where the
// process has not joined.
func (d *DB) Leave(ctx context.Context) error {
	d.member.stop()
	if !d.member.joined.Load() {
		return nil
	}
	_, err := d.pool.Exec(ctx, "UPDATE replicas SET fenced = coalesce(fenced, clock_timestamp()), "+
		"left_at = clock_timestamp() WHERE id = $1 AND left_at IS NULL", d.options.Replica)
	return explain("leave the replicas", err)
}

// Replica is a process that shares the database, or did.
type Replica struct {
	ID      string
	Started time.Time
	Seen    time.Time // Its last heartbeat, by the database's clock.
	Fenced  time.Time // Zero while it can commit.
	Left    time.Time // Zero where it did not leave by itself.
	Leads   bool      // As it has said last.
}

// Replicas lists the replicas in the order of their ids: those that live, and those that are gone and not forgotten yet.
func (d *DB) Replicas(ctx context.Context) ([]Replica, error) {
	return collect(ctx, d.control, "list replicas", func(row pgx.CollectableRow) (r Replica, err error) {
		var fenced, left *time.Time
		err = row.Scan(&r.ID, &r.Started, &r.Seen, &fenced, &left, &r.Leads)
		r.Started, r.Seen, r.Fenced, r.Left = r.Started.UTC(), r.Seen.UTC(), utc(fenced), utc(left)
		return r, err
	}, "SELECT r.id, r.started, h.seen, r.fenced, r.left_at, coalesce(l.replica = r.id, false) "+
		"FROM replicas r JOIN heartbeats h ON h.replica = r.id LEFT JOIN leader l ON true ORDER BY r.id")
}

// Forget removes a replica that is gone. What it had open must be settled before: without its row, nobody knows that
// there was such a replica.
func (d *DB) Forget(ctx context.Context, id string) error {
	_, err := d.control.Exec(ctx, "DELETE FROM replicas WHERE id = $1 AND fenced IS NOT NULL", id)
	return explain("forget a replica", err)
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
