package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// ErrFenced marks the error of a replica that was declared dead: nothing it does is committed any more. The errors of
// [DB.Commit] that have it are [store.ErrUncertain] too, so that the writer ends and the process stops.
var ErrFenced = errors.New("this replica is fenced")

// Bounds of a commit.
const (
	commitTries    = 6 // Of a batch whose transaction was rolled back without a fault of its own.
	commitPause    = 5 * time.Millisecond
	commitPatience = 3 * time.Second  // After which no further try is begun.
	commitTimeout  = 10 * time.Second // Of one try, up to the COMMIT and for it.
)

const (
	// The share lock makes fencing wait for us, and us for fencing. The row of commits is locked by this transaction from
	// here on, which is how it is found again: see resolve.
	guardCommit = "WITH me AS (SELECT id FROM replicas WHERE id = $1 AND fenced IS NULL FOR SHARE) " +
		"UPDATE commits SET n = $2 FROM me WHERE commits.replica = me.id"

	insertPending = "INSERT INTO audit_pending (replica, time, type, tenant, call, content) " +
		"SELECT $1, u.time, u.type, u.tenant, u.call, u.content FROM " +
		"unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[]) " +
		"WITH ORDINALITY AS u(time, type, tenant, call, content, n) ORDER BY u.n"
)

// Commit makes records and their effects durable, all of them or nothing. They have no place in the log yet: Index and
// Leaf are not looked at. It is called by one goroutine at a time, the log's writer, and does not watch ctx. A
// transaction that was rolled back for the sake of another, or whose connection broke, is tried again.
func (d *DB) Commit(_ context.Context, b signalbox.Batch) error {
	if !d.member.joined.Load() {
		return d.nowFenced()
	}
	begun := time.Now()
	for try := 1; ; try++ {
		written, err := d.tryCommit(b.Entries)
		switch {
		case written:
			d.signal()
			return nil
		case errors.Is(err, store.ErrUncertain), try == commitTries, time.Since(begun) > commitPatience, !passing(err):
			return explain("commit", err)
		}
		pause := time.Duration(try) * commitPause
		time.Sleep(pause + rand.N(pause)) //nolint:gosec // It only keeps replicas from meeting again.
	}
}

// passing reports whether a transaction that was not committed may succeed when it is tried again at once.
func passing(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01":
		return true
	}
	return lost(err)
}

// tryCommit is one transaction. Where it says false, nothing was written, unless the error is uncertain.
func (d *DB) tryCommit(entries []signalbox.Entry) (written bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer c.Release() // One that is broken or inside of a transaction is closed.
	d.commits++
	if err := d.write(ctx, c, entries); err != nil {
		d.rollback(c)
		return false, err
	}
	return d.finish(ctx, c)
}

// write does everything up to the COMMIT. Once it returns nil, the transaction holds its lock on its row of commits.
func (d *DB) write(ctx context.Context, c *pgxpool.Conn, entries []signalbox.Entry) error {
	b := &pgx.Batch{}
	b.Queue("begin")
	unfenced := true
	b.Queue(guardCommit, d.options.Replica, d.commits).Exec(func(tag commandTag) error {
		unfenced = tag.RowsAffected() == 1
		return nil
	})
	queuePending(b, d.options.Replica, entries)
	topics, err := effects(b, entries)
	if err != nil {
		return err
	}
	bump(b, topics)
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	if !unfenced {
		return d.nowFenced()
	}
	if !hasPost(entries) {
		return nil
	}
	return post(ctx, begun{connection: c.Conn()}, entries)
}

func queuePending(b *pgx.Batch, replica string, entries []signalbox.Entry) {
	n := len(entries)
	times, types, tenants := make([]int64, n), make([]string, n), make([]string, n)
	calls, contents := make([]string, n), make([][]byte, n)
	for i := range entries {
		e := &entries[i]
		times[i], types[i], tenants[i], calls[i] = e.Time.UnixMicro(), string(e.Type), e.Tenant, e.Call
		if contents[i] = e.Content; contents[i] == nil {
			contents[i] = []byte{}
		}
	}
	b.Queue(insertPending, replica, times, types, tenants, calls, contents)
}

// finish commits. An error of the server that leaves the connection alive has rolled back; after any other, the database
// is asked.
func (d *DB) finish(ctx context.Context, c *pgxpool.Conn) (written bool, err error) {
	pid := c.Conn().PgConn().PID()
	tag, err := c.Exec(ctx, "commit")
	switch {
	case err == nil && tag.String() == "COMMIT":
		return true, nil
	case err == nil:
		return false, fmt.Errorf("the database answered %s to a COMMIT", tag)
	case sqlState(err) != "" && !c.Conn().IsClosed():
		return false, err
	}
	written, unknown := d.resolve(d.commits, pid)
	if unknown != nil {
		return false, errors.Join(err, unknown)
	}
	return written, err
}

// rollback ends a transaction that was not committed. Where the connection is gone the server would do so by itself, but
// late if it has not noticed, and the next try waits for this one's lock.
func (d *DB) rollback(c *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if !c.Conn().IsClosed() {
		if _, err := c.Exec(ctx, "rollback"); err == nil {
			return
		}
		hangUp(c.Conn())
	}
	d.pool.Reset()                                 // The others have most likely broken with it.
	_ = d.endBackend(ctx, c.Conn().PgConn().PID()) // The next try meets whatever prevents this too, and says so.
}

// signal tells the leader, where it is in this process, that something is pending. Another one finds it by itself.
func (d *DB) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Unplaced is the [store.Sequencer] of a replica's writer: it encodes records and leaves it to the leader to give them
// their places. The index that appending returns is [NoIndex].
type Unplaced struct {
	encode func(signalbox.Record) (signalbox.Entry, error)
}

// NoIndex is the index of a record that has no place yet.
const NoIndex int64 = -1

// NewUnplaced makes one. Encode must be safe for concurrent use.
func NewUnplaced(encode func(signalbox.Record) (signalbox.Entry, error)) *Unplaced {
	return &Unplaced{encode}
}

// Encode encodes a record.
func (u *Unplaced) Encode(r signalbox.Record) (signalbox.Entry, error) { return u.encode(r) }

// Sequence gives the entries no place.
func (u *Unplaced) Sequence(entries []signalbox.Entry) (signalbox.Batch, error) {
	for i := range entries {
		entries[i].Index = NoIndex
	}
	return signalbox.Batch{Entries: entries}, nil
}

// Committed does nothing.
func (u *Unplaced) Committed(signalbox.Batch) {}
