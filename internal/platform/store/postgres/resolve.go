package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	resolvePause = 200 * time.Millisecond // Between two times that the database is asked.
	resolveLock  = "1000"                 // Milliseconds that one of them waits for the transaction to end.
)

// resolve finds out whether a commit whose connection broke is durable. The transaction has held the lock on this
// replica's row of commits since before its COMMIT was sent. Who gets that lock therefore sees how it ended, and it can
// not end in another way later. A backend that still works on it is ended.
//
// A row is asked and not pg_xact_status, because after a crash of the server the number of a transaction that was lost
// is given to another one.
func (d *DB) resolve(number int64, pid uint32) (written bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.options.Resolve)
	defer cancel()
	for {
		stored, err := d.lastCommit(ctx)
		switch {
		case err == nil:
			return stored == number, nil
		case errors.Is(err, pgx.ErrNoRows):
			return false, d.nowFenced() // It was forgotten, and what it had open is settled.
		case sqlState(err) == "55P03":
			err = errors.Join(err, d.endBackend(ctx, pid))
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("%w: %w", store.ErrUncertain, err)
		case <-time.After(resolvePause):
		}
	}
}

// lastCommit gives the number of the last commit once no transaction is under way that could change it.
func (d *DB) lastCommit(ctx context.Context) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err = pgx.BeginFunc(ctx, d.control, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = "+resolveLock); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT n FROM commits WHERE replica = $1 FOR UPDATE", d.options.Replica).Scan(&n)
	})
	return n, err
}

// endBackend ends a backend that holds our row of commits. After a restart of the server its number may be another's,
// but then nobody holds the row.
func (d *DB) endBackend(ctx context.Context, pid uint32) error {
	_, err := d.control.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "+
		"WHERE pid = $1 AND datname = current_database() AND usename = current_user AND xact_start IS NOT NULL", int32(pid))
	return err
}
