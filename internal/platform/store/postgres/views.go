package postgres

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signalbox/signalbox"
)

// readPatience bounds a query of a person together with its wait for a connection. The server itself ends a statement of
// the readers sooner.
const readPatience = 10 * time.Second

// Views are the projections of the log. All replicas read them; one of them writes, the one that projects. Should two
// believe that they do, the second is refused with code conflict. It is safe for concurrent use.
type Views struct {
	pool    *pgxpool.Pool // Of the one who projects.
	readers *pgxpool.Pool // Of people; the server ends what takes too long.
}

func newViews(pool, readers *pgxpool.Pool) *Views { return &Views{pool: pool, readers: readers} }

// database is what a query goes to: a pool or a transaction.
type database interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// gather reads all rows of a query. Each time it is planned for its own values: how much a filter narrows differs.
func gather[T any](
	ctx context.Context, db database, what string, scan func(pgx.Rows) (T, error), query string, args ...any,
) ([]T, error) {
	rows, err := db.Query(ctx, query, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err != nil {
		return nil, explain(what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, explain(what, err)
		}
		all = append(all, v)
	}
	return all, explain(what, rows.Err())
}

// asked is gather for people.
func asked[T any](
	ctx context.Context, v *Views, what string, scan func(pgx.Rows) (T, error), query string, args ...any,
) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	return gather(ctx, v.readers, what, scan, query, args...)
}

// alone locks the progress in a transaction, so that nobody else changes projections meanwhile. A power loss may undo
// the last of these transactions: the cursor goes back with the rows, so that none of them waits for the disk.
func (v *Views) alone(ctx context.Context, fn func(tx pgx.Tx, cursor int64, leaf []byte) error) error {
	return pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		var cursor int64
		var leaf []byte
		var off string
		err := tx.QueryRow(ctx, "SELECT cursor, leaf, set_config('synchronous_commit', 'off', true) FROM progress FOR UPDATE").
			Scan(&cursor, &leaf, &off)
		if err != nil {
			return err
		}
		return fn(tx, cursor, leaf)
	})
}

// disown resets projections of another log: one that was restored from a backup, or put in this one's place.
func (v *Views) disown(ctx context.Context) error {
	return explain("check the projections", v.alone(ctx, func(tx pgx.Tx, cursor int64, leaf []byte) error {
		if cursor == 0 {
			return nil
		}
		have, err := gather(ctx, tx, "read the log", one[[]byte], "SELECT leaf FROM audit_records WHERE seq = $1", cursor-1)
		if err != nil || len(have) == 1 && bytes.Equal(have[0], leaf) {
			return err
		}
		return removeAll(ctx, tx)
	}))
}

// Reset removes every projection and sets the cursor to 0.
func (v *Views) Reset(ctx context.Context) error {
	return explain("reset the projections", v.alone(ctx, func(tx pgx.Tx, _ int64, _ []byte) error {
		return removeAll(ctx, tx)
	}))
}

func removeAll(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "TRUNCATE "+viewTables); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE progress SET cursor = 0, as_of = 0, leaf = ''")
	return err
}

// Page gives up to limit entries of the log with an index ≥ from, in order.
func (v *Views) Page(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error) {
	return page(ctx, v.pool, from, limit)
}

// Progress gives the cursor and the size of the log.
func (v *Views) Progress(ctx context.Context) (signalbox.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	var p signalbox.Progress
	var micros int64
	err := v.readers.QueryRow(ctx, "SELECT cursor, as_of, coalesce((SELECT max(seq) FROM audit_records) + 1, 0) FROM progress").
		Scan(&p.Cursor, &micros, &p.Size)
	if micros != 0 {
		p.AsOf = time.UnixMicro(micros).UTC()
	}
	return p, explain("read the progress of the projections", err)
}

// State gives the calls with these ids and the latencies of these keys, as far as there are any.
func (v *Views) State(ctx context.Context, calls []string, latency []signalbox.LatencyKey) (signalbox.ViewState, error) {
	var s signalbox.ViewState
	var err error
	if len(calls) > 0 {
		s.Calls, err = gather(ctx, v.pool, "read the state of calls", scanCall, selectCalls+
			" JOIN unnest($1::text[]) WITH ORDINALITY AS k (id, n) ON c.id = k.id ORDER BY k.n", cleanAll(calls))
	}
	if err != nil || len(latency) == 0 {
		return s, err
	}
	s.Latency, err = gather(ctx, v.pool, "read the state of latencies", scanLatency,
		"SELECT l.hour, l.tenant, l.tool, l.sketch FROM latencies l "+
			"JOIN unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS k (hour, tenant, tool, n) USING (hour, tenant, tool) ORDER BY k.n",
		list(latency, func(k *signalbox.LatencyKey) int64 { return hours(k.Hour) }),
		list(latency, func(k *signalbox.LatencyKey) string { return clean(k.Tenant) }),
		list(latency, func(k *signalbox.LatencyKey) string { return clean(k.Tool) }))
	return s, err
}

// DeleteCalls deletes up to limit of the oldest calls that came in before that time and have ended. It looks only at the
// oldest rows, so that it costs little where there is nothing to do.
func (v *Views) DeleteCalls(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := v.pool.Exec(ctx, "DELETE FROM calls WHERE first = ANY (ARRAY(SELECT first FROM (SELECT first, time, outcome FROM calls "+
		"ORDER BY first LIMIT $1) o WHERE time < $2 AND outcome <> 'running'))", limit, before.UnixMicro())
	return int(tag.RowsAffected()), explain("delete old calls", err)
}

// isRunning is the condition of calls without an outcome; its second half lets the index of rare outcomes serve it.
const isRunning = "c.outcome = 'running' AND c.outcome <> 'ok'"

// Running gives the calls that have an intent and no outcome, oldest first.
func (v *Views) Running(ctx context.Context) ([]signalbox.CallView, error) {
	return gather(ctx, v.pool, "read running calls", scanCall, selectCalls+" WHERE "+isRunning+" ORDER BY c.first")
}

// RunningCount counts them, of these tenants (nil: of all).
func (v *Views) RunningCount(ctx context.Context, tenants []string) (int64, error) {
	var w conditions
	w.and(isRunning)
	w.in("c.tenant", tenants)
	n, err := asked(ctx, v, "count running calls", one[int64], "SELECT count(*) FROM calls c"+w.String(), w.args...)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

const hoursPerDay = 24

func hours(t time.Time) int64 { return t.Unix() / 3600 }

func hourOf(n int64) time.Time { return time.Unix(n*3600, 0).UTC() }

// one reads a row of one value.
func one[T any](rows pgx.Rows) (v T, err error) {
	err = rows.Scan(&v)
	return v, err
}
