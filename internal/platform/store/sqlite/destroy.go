package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/signalbox/signalbox"
)

const (
	insertDestroyed = "INSERT INTO audit_destroyed (tenant, first, until, record, time) VALUES (?, ?, ?, ?, ?)"
	selectContent   = "SELECT seq, content FROM audit_records WHERE seq >= ? AND seq < ? AND tenant = ? AND content IS NOT NULL"
	destroyOne      = "UPDATE audit_records SET content = NULL, digest = ? WHERE seq = ?"
	truncateWAL     = "PRAGMA wal_checkpoint(TRUNCATE)"
)

// sweepPause is between two tries to empty a WAL that readers still look at.
const sweepPause = 50 * time.Millisecond

// destroyContent destroys the content of a range, in the transaction of the record that says so: the schema's triggers
// let nothing else change a record. Records from this one on are not touched.
func destroyContent(t *transaction, entry *signalbox.Entry, d signalbox.DestroyContent) error {
	first, until := max(d.From, 0), min(d.To, entry.Index)
	if first >= until {
		return nil
	}
	if err := t.exec(insertDestroyed, d.Tenant, first, until, entry.Index, entry.Time.UnixMicro()); err != nil {
		return err
	}
	type row struct {
		seq    int64
		digest [32]byte
	}
	var rows []row
	err := t.query(selectContent, func(v []driver.Value) error {
		rows = append(rows, row{integer(v[0]), sha256.Sum256(blob(v[1]))})
		return nil
	}, first, until, d.Tenant)
	for i := 0; i < len(rows) && err == nil; i++ {
		err = t.exec(destroyOne, rows[i].digest[:], rows[i].seq)
	}
	return err
}

// destroys reports whether any of the entries destroys content.
func destroys(entries []signalbox.Entry) bool {
	for i := range entries {
		for _, effect := range entries[i].Effects {
			if _, ok := effect.(signalbox.DestroyContent); ok {
				return true
			}
		}
	}
	return false
}

// Sweep makes that the raw files hold nothing any more that was removed or destroyed before it was called. The database
// files themselves do not (secure_delete overwrites what is removed), but the WALs keep what was once written: they are
// emptied, which has to wait until no reader looks at an older state, or until ctx ends.
func (d *DB) Sweep(ctx context.Context) error {
	return errors.Join(d.writer.sweep(ctx), d.views.writer.sweep(ctx))
}

func (h *handle) sweep(ctx context.Context) error {
	for {
		empty, err := h.emptyWAL(ctx)
		if empty || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return explain("empty the WAL", ctx.Err())
		case <-time.After(sweepPause):
		}
	}
}

// emptyWAL copies the bulk beside the writer, and then empties the file while nobody writes. It does not wait for
// readers meanwhile, because commits would wait with it.
func (h *handle) emptyWAL(ctx context.Context) (empty bool, err error) {
	if err := h.broken.is(); err != nil {
		return false, err
	}
	for _, query := range []string{"PRAGMA busy_timeout = 0", passive} {
		if _, err := h.side.ExecContext(ctx, query); err != nil {
			return false, h.notCopied(err)
		}
	}
	err = h.alone(func(*transaction) error {
		var busy, frames, copied int
		if err := h.side.QueryRowContext(ctx, truncateWAL).Scan(&busy, &frames, &copied); err != nil || busy != 0 {
			return h.notCopied(err)
		}
		empty = true
		h.written.Store(0)
		return h.refilled()
	})
	return empty, err
}

// refilled gives the WAL its usual size again. A sync that fails breaks the store like one of SQLite's: nobody knows what the
// disk holds of that file.
func (h *handle) refilled() error {
	if h.refill == nil {
		return nil
	}
	err := h.refill()
	if errors.Is(err, errUnsynced) {
		return h.broken.by("give the WAL its size", err)
	}
	return err
}

// Headers gives index, time and tenant of up to limit entries with an index ≥ from, in order, and the digest of those
// whose content was destroyed. It reads no content.
func (d *DB) Headers(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error) {
	return collect(ctx, d.readers, "read the log's headers", func(r *sql.Rows) (e signalbox.Entry, err error) {
		var micros int64
		var digest sql.RawBytes
		if err := r.Scan(&e.Index, &micros, &e.Tenant, &digest); err != nil {
			return e, err
		}
		e.Time = time.UnixMicro(micros).UTC()
		if digest != nil {
			e.Digest, err = hash(digest)
		}
		return e, err
	}, "SELECT seq, time, tenant, digest FROM audit_records WHERE seq >= ? ORDER BY seq LIMIT ?", from, limit)
}

// DestroyedUntil gives the end of what was destroyed of a tenant; 0 where nothing was.
func (d *DB) DestroyedUntil(ctx context.Context, tenant string) (until int64, err error) {
	err = d.readers.QueryRowContext(ctx, "SELECT coalesce(max(until), 0) FROM audit_destroyed WHERE tenant = ?", tenant).Scan(&until)
	return until, explain("read what was destroyed", err)
}
