package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	fenceInterval = time.Second
	fenceLock     = "5000" // Milliseconds that fencing waits for a commit under way; it is tried again.
)

// pulse is when the database last heard of a replica.
type pulse struct {
	replica string
	seen    time.Time // By the database's clock; it is only compared with itself.
}

// liveness decides who is dead. Time counts against a replica only while the leader itself could write to the database:
// after an outage, or where the leader was frozen, nobody is fenced before he had the lease's rest to be heard again.
type liveness struct {
	lease  time.Duration
	step   time.Duration // The most that passes between two observations.
	last   time.Time
	silent map[string]silence
}

type silence struct {
	seen  time.Time
	since time.Duration // How long nothing was heard.
}

// observe is told who was heard when; it gives those that were silent for the lease. Now is the leader's clock.
func (l *liveness) observe(now time.Time, pulses []pulse) (dead []pulse) {
	passed := min(max(now.Sub(l.last), 0), l.step)
	if l.last.IsZero() {
		passed = 0
	}
	l.last = now
	next := make(map[string]silence, len(pulses))
	for _, p := range pulses {
		s, known := l.silent[p.replica]
		if !known || !s.seen.Equal(p.seen) {
			s = silence{seen: p.seen}
		} else {
			s.since += passed
		}
		next[p.replica] = s
		if s.since >= l.lease {
			dead = append(dead, p)
		}
	}
	l.silent = next
	return dead
}

// guard fences replicas that are silent, until ctx ends.
func (d *DB) guard(ctx context.Context) {
	l := liveness{lease: d.options.Lease, step: 2 * fenceInterval}
	for ; ctx.Err() == nil; wait(ctx, fenceInterval) {
		if err := d.watchOver(ctx, &l); err != nil && ctx.Err() == nil {
			d.options.Logger.WarnContext(ctx, "silent replicas could not be looked for", "error", explain("fence", err))
		}
	}
}

// watchOver writes first: a database that takes no writes takes no heartbeats either.
func (d *DB) watchOver(ctx context.Context, l *liveness) error {
	if err := d.beat(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	pulses, err := collect(ctx, d.control, "look for silent replicas", func(r pgx.CollectableRow) (p pulse, err error) {
		return p, r.Scan(&p.replica, &p.seen)
	}, "SELECT h.replica, h.seen FROM heartbeats h JOIN replicas r ON r.id = h.replica WHERE r.fenced IS NULL")
	if err != nil {
		return err
	}
	for _, p := range l.observe(d.options.Now(), pulses) {
		if err := d.fence(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// fence declares a replica dead unless it was heard of since. It waits for the commits that are under way: they hold the
// replica's row.
func (d *DB) fence(ctx context.Context, p pulse) error {
	var fenced bool
	err := pgx.BeginFunc(ctx, d.control, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = "+fenceLock); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE replicas SET fenced = clock_timestamp() FROM heartbeats h "+
			"WHERE replicas.id = $1 AND fenced IS NULL AND h.replica = replicas.id AND h.seen = $2", p.replica, p.seen)
		fenced = tag.RowsAffected() == 1
		return err
	})
	if err == nil && fenced {
		d.options.Logger.WarnContext(ctx, "a replica was not heard of and is fenced", "replica", p.replica, "seen", p.seen.UTC())
	}
	return err
}
