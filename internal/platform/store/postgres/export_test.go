package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// CommitPlaced is commit and placing in one transaction, for the suite that is made for stores of one process.
func (d *DB) CommitPlaced(ctx context.Context, b signalbox.Batch) error {
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	d.commits++
	if err := d.write(ctx, c, b.Entries); err != nil {
		d.rollback(c)
		return err
	}
	ids, err := collect(ctx, c, "pending", pgx.RowTo[int64], "SELECT id FROM audit_pending ORDER BY id")
	if err == nil {
		_, err = (&Leadership{db: d, conn: c.Conn()}).move(ctx, ids, b)
	}
	if err != nil {
		d.rollback(c)
	}
	return err
}

// StopBeating ends the heartbeat of a replica, which then looks dead.
func (d *DB) StopBeating() { d.member.stop() }

// SchemaVersions is how many migrations this program knows.
var SchemaVersions = len(migrations)

// The parts that decide are tested by themselves.
type (
	Stall  = stall
	Holder = holder
)

// Over is over.
func (s *stall) Over(now time.Time, h Holder) bool { return s.over(now, h) }

// NewHolder makes one.
func NewHolder(pid int32, named bool, age time.Duration, busy bool) Holder {
	return holder{pid: pid, named: named, age: age, busy: busy}
}
