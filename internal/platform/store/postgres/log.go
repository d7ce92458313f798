package postgres

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// entryPage is how many entries are read at once by those who read the whole log.
const entryPage = 1000

const selectEntries = "SELECT seq, time, type, tenant, call, content, leaf, digest FROM audit_records "

// Size is the number of entries that have a place: the highest index plus one, 0 for an empty log. Records that are
// durable and wait for their place are counted by [DB.Pending].
func (d *DB) Size(ctx context.Context) (int64, error) { return size(ctx, d.pool) }

func size(ctx context.Context, q querier) (n int64, err error) {
	err = q.QueryRow(ctx, "SELECT coalesce(max(seq) + 1, 0) FROM audit_records").Scan(&n)
	return n, explain("read the size of the log", err)
}

// Pending is the number of records that are durable and have no place yet.
func (d *DB) Pending(ctx context.Context) (n int64, err error) {
	err = d.readers.QueryRow(ctx, "SELECT count(*) FROM audit_pending").Scan(&n)
	return n, explain("count pending records", err)
}

// Entry gives one entry. An index that the log does not have is an error of code not_found.
func (d *DB) Entry(ctx context.Context, index int64) (signalbox.Entry, error) {
	entries, err := d.Page(ctx, index, 1)
	if err != nil {
		return signalbox.Entry{}, err
	}
	if len(entries) == 0 || entries[0].Index != index {
		return signalbox.Entry{}, signalbox.Errorf(signalbox.CodeNotFound, "The log has no record %d.", index).
			WithField("index").WithRemedy("Ask for an index below the size of the log.")
	}
	return entries[0], nil
}

// Page gives up to limit entries with an index ≥ from, in order.
func (d *DB) Page(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error) {
	return page(ctx, d.readers, from, limit)
}

func page(ctx context.Context, q querier, from int64, limit int) ([]signalbox.Entry, error) {
	return collect(ctx, q, "read the log", scanEntry, selectEntries+"WHERE seq >= $1 ORDER BY seq LIMIT $2", from, limit)
}

// Newest gives up to limit entries with an index below before, newest first; before < 0 begins at the end of the log.
func (d *DB) Newest(ctx context.Context, before int64, limit int) ([]signalbox.Entry, error) {
	if before < 0 {
		return collect(ctx, d.readers, "read the log", scanEntry, selectEntries+"ORDER BY seq DESC LIMIT $1", limit)
	}
	return collect(ctx, d.readers, "read the log", scanEntry,
		selectEntries+"WHERE seq < $1 ORDER BY seq DESC LIMIT $2", before, limit)
}

// Entries gives every entry with an index ≥ from that has a place when it begins, in order. It ends after the first
// error. It reads in pages, without the console's time-out; what it has read does not change but where content is destroyed
// meanwhile.
func (d *DB) Entries(ctx context.Context, from int64) iter.Seq2[signalbox.Entry, error] {
	return func(yield func(signalbox.Entry, error) bool) {
		size, err := d.Size(ctx)
		for err == nil && from < size {
			var entries []signalbox.Entry
			if entries, err = page(ctx, d.pool, from, entryPage); len(entries) == 0 {
				break
			}
			for _, e := range entries {
				if e.Index >= size || !yield(e, nil) {
					return
				}
				from = e.Index + 1
			}
		}
		if err != nil {
			yield(signalbox.Entry{}, err)
		}
	}
}

// Leaves gives the stored leaf hashes of the entries with from ≤ index < to, in order.
func (d *DB) Leaves(ctx context.Context, from, to int64) ([][32]byte, error) {
	return collect(ctx, d.pool, "read leaf hashes", func(r pgx.CollectableRow) ([32]byte, error) {
		var b []byte
		if err := r.Scan(&b); err != nil {
			return [32]byte{}, err
		}
		return hash(b)
	}, "SELECT leaf FROM audit_records WHERE seq >= $1 AND seq < $2 ORDER BY seq", from, to)
}

// Tiles gives the stored full tiles of a level with from ≤ N < to, in order; those that are not stored are left out.
func (d *DB) Tiles(ctx context.Context, level int, from, to int64) ([]signalbox.Tile, error) {
	return collect(ctx, d.pool, "read tiles", func(r pgx.CollectableRow) (t signalbox.Tile, err error) {
		return t, r.Scan(&t.Level, &t.N, &t.Hashes)
	}, "SELECT level, n, hashes FROM audit_tiles WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n", level, from, to)
}

const insertCheckpoint = "INSERT INTO audit_checkpoints (note) VALUES ($1)"

// PutCheckpoint keeps a signed note; it is durable on return. Replicas that share the database sign only while they
// lead: they use that of [Leadership].
func (d *DB) PutCheckpoint(ctx context.Context, note []byte) error {
	_, err := d.pool.Exec(ctx, insertCheckpoint, note)
	return explain("store a checkpoint", err)
}

// LatestCheckpoint gives the newest note; nil where there is none.
func (d *DB) LatestCheckpoint(ctx context.Context) ([]byte, error) {
	notes, err := checkpoints(ctx, d.pool, 1)
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	return notes[0], nil
}

// Checkpoints gives up to limit notes, newest first.
func (d *DB) Checkpoints(ctx context.Context, limit int) ([][]byte, error) {
	return checkpoints(ctx, d.readers, limit)
}

func checkpoints(ctx context.Context, q querier, limit int) ([][]byte, error) {
	return collect(ctx, q, "read checkpoints", func(r pgx.CollectableRow) (note []byte, err error) {
		return note, r.Scan(&note)
	}, "SELECT note FROM audit_checkpoints ORDER BY n DESC LIMIT $1", limit)
}

func scanEntry(r pgx.CollectableRow) (e signalbox.Entry, err error) {
	var micros int64
	var leaf, digest []byte
	if err := r.Scan(&e.Index, &micros, &e.Type, &e.Tenant, &e.Call, &e.Content, &leaf, &digest); err != nil {
		return e, err
	}
	e.Time = time.UnixMicro(micros).UTC()
	if e.Leaf, err = hash(leaf); err != nil || digest == nil { // There is one only where the content was destroyed.
		return e, err
	}
	e.Digest, err = hash(digest)
	return e, err
}

func hash(b []byte) (h [32]byte, err error) {
	if len(b) != len(h) {
		return h, errHash
	}
	return [32]byte(b), nil
}

var errHash = errors.New("a stored hash does not have 32 bytes")

// querier is what reads: a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// collect runs a query and reads all rows.
func collect[T any](ctx context.Context, q querier, what string, scan pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, explain(what, err)
	}
	all, err := pgx.AppendRows([]T(nil), rows, scan)
	if err != nil {
		return nil, explain(what, err)
	}
	return all, nil
}
