package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	tryLead = "SELECT pg_try_advisory_lock($1, $2)"

	// Who holds the lock; whether it is who has said so last, and how long ago; whether it waits for the server and not the
	// server for it.
	selectHolder = "SELECT k.pid, coalesce(leader.pid = k.pid, false), " +
		"coalesce(extract(epoch FROM clock_timestamp() - leader.renewed), 0)::float8, " +
		"coalesce(a.state = 'active' AND a.wait_event IS DISTINCT FROM 'ClientWrite', false) " +
		"FROM pg_locks k LEFT JOIN leader ON true LEFT JOIN pg_stat_activity a ON a.pid = k.pid " +
		"WHERE k.locktype = 'advisory' AND k.granted AND k.classid::bigint = $1 AND k.objid::bigint = $2 AND k.objsubid = 2 " +
		"AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1"
)

// follow returns when the connection holds the lock, or ctx has ended.
func follow(ctx context.Context, c *pgx.Conn) error {
	var s stall
	for ctx.Err() == nil {
		leads, err := look(c, &s)
		if leads || err != nil {
			return err
		}
		wait(ctx, followInterval)
	}
	return nil
}

// look tries to take the lock, and ends a leader that has stalled.
func look(c *pgx.Conn, s *stall) (leads bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
	defer cancel()
	if err := c.QueryRow(ctx, tryLead, lockSpace, lockLeader).Scan(&leads); leads || err != nil {
		return leads, err
	}
	var h holder
	var age float64
	err = c.QueryRow(ctx, selectHolder, lockSpace, lockLeader).Scan(&h.pid, &h.named, &age, &h.busy)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // It has just been given back.
	}
	if err != nil {
		return false, err
	}
	h.age = time.Duration(age * float64(time.Second))
	if !s.over(time.Now(), h) {
		return false, nil
	}
	if _, err := c.Exec(ctx, "SELECT pg_terminate_backend($1)", h.pid); err != nil {
		return false, err
	}
	// The lock is free once the backend has ended, which is a matter of milliseconds.
	wait(ctx, followInterval/10)
	err = c.QueryRow(ctx, tryLead, lockSpace, lockLeader).Scan(&leads)
	return leads, err
}

// holder is the backend that holds the lock.
type holder struct {
	pid   int32
	named bool          // It is the one that the table names.
	age   time.Duration // Since it was last renewed, by the database's clock, where it is named.
	busy  bool          // It works on a statement: a slow database is no dead leader.
}

// stall knows since when a backend holds the lock without having said so.
type stall struct {
	pid   int32
	since time.Time
}

// over reports whether the holder is to be ended. One that the table does not name yet has the same patience from when
// it was first seen.
func (s *stall) over(now time.Time, h holder) bool {
	if h.pid != s.pid {
		*s = stall{h.pid, now}
	}
	age := h.age
	if !h.named {
		age = now.Sub(s.since)
	}
	if h.busy {
		return age > slowPatience
	}
	return age > LeaderPatience
}
