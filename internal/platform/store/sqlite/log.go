package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/signalbox/signalbox"
)

// entryPage is how many entries are read at once by those who read the whole log.
const entryPage = 1000

const selectEntries = "SELECT seq, time, type, tenant, call, content, leaf, digest FROM audit_records "

// Size is the number of durable entries: the highest index plus one, 0 for an empty log.
func (d *DB) Size(ctx context.Context) (int64, error) {
	var size int64
	err := d.readers.QueryRowContext(ctx, "SELECT coalesce(max(seq) + 1, 0) FROM audit_records").Scan(&size)
	return size, explain("read the size of the log", err)
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
	return collect(ctx, d.readers, "read the log", scanEntry,
		selectEntries+"WHERE seq >= ? ORDER BY seq LIMIT ?", from, limit)
}

// Newest gives up to limit entries with an index below before, newest first; before < 0 begins at the end of the log.
func (d *DB) Newest(ctx context.Context, before int64, limit int) ([]signalbox.Entry, error) {
	if before < 0 {
		return collect(ctx, d.readers, "read the log", scanEntry, selectEntries+"ORDER BY seq DESC LIMIT ?", limit)
	}
	return collect(ctx, d.readers, "read the log", scanEntry,
		selectEntries+"WHERE seq < ? ORDER BY seq DESC LIMIT ?", before, limit)
}

// Leaves gives the stored leaf hashes of the entries with from ≤ index < to, in order.
func (d *DB) Leaves(ctx context.Context, from, to int64) ([][32]byte, error) {
	return collect(ctx, d.readers, "read leaf hashes", func(r *sql.Rows) (leaf [32]byte, err error) {
		var b sql.RawBytes
		if err := r.Scan(&b); err != nil {
			return leaf, err
		}
		return hash(b)
	}, "SELECT leaf FROM audit_records WHERE seq >= ? AND seq < ? ORDER BY seq", from, to)
}

// Tiles gives the stored full tiles of a level with from ≤ N < to, in order; those that are not stored are left out.
func (d *DB) Tiles(ctx context.Context, level int, from, to int64) ([]signalbox.Tile, error) {
	return collect(ctx, d.readers, "read tiles", func(r *sql.Rows) (t signalbox.Tile, err error) {
		return t, r.Scan(&t.Level, &t.N, &t.Hashes)
	}, "SELECT level, n, hashes FROM audit_tiles WHERE level = ? AND n >= ? AND n < ? ORDER BY n", level, from, to)
}

// PutCheckpoint keeps a signed note; it is durable on return. It is safe beside Commit.
func (d *DB) PutCheckpoint(_ context.Context, note []byte) error {
	return explain("store a checkpoint", d.writer.write(int64(len(note)), func(t *transaction) error {
		return t.exec("INSERT INTO audit_checkpoints (note) VALUES (?)", note)
	}))
}

// LatestCheckpoint gives the newest note; nil where there is none.
func (d *DB) LatestCheckpoint(ctx context.Context) ([]byte, error) {
	notes, err := d.Checkpoints(ctx, 1)
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	return notes[0], nil
}

// Checkpoints gives up to limit notes, newest first.
func (d *DB) Checkpoints(ctx context.Context, limit int) ([][]byte, error) {
	return collect(ctx, d.readers, "read checkpoints", func(r *sql.Rows) (note []byte, err error) {
		return note, r.Scan(&note)
	}, "SELECT note FROM audit_checkpoints ORDER BY n DESC LIMIT ?", limit)
}

func scanEntry(r *sql.Rows) (e signalbox.Entry, err error) {
	var micros int64
	var leaf, digest sql.RawBytes
	if err := r.Scan(&e.Index, &micros, &e.Type, &e.Tenant, &e.Call, &e.Content, &leaf, &digest); err != nil {
		return e, err
	}
	e.Time = time.UnixMicro(micros).UTC()
	return e, hashes(&e, leaf, digest)
}

// hashes fills in the hashes of an entry. There is a digest only where the content was destroyed.
func hashes(e *signalbox.Entry, leaf, digest []byte) (err error) {
	if e.Leaf, err = hash(leaf); err != nil || digest == nil {
		return err
	}
	e.Digest, err = hash(digest)
	return err
}

func hash(b []byte) (h [32]byte, err error) {
	if len(b) != len(h) {
		return h, errHash
	}
	return [32]byte(b), nil
}

var errHash = errors.New("a stored hash does not have 32 bytes")

// collect runs a query and reads all rows.
func collect[T any](ctx context.Context, db querier, what string, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explain(what, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters.
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
