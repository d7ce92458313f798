package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Views is the file of the projections. It is safe for concurrent use; Apply is called by one goroutine at a time.
type Views struct {
	log     *DB
	source  *handle // Reads the log for the projector.
	writer  *handle
	readers *sql.DB
	// erased are the keys whose destruction was projected since the file was opened. Records that come after it in the
	// log may have been decoded before it.
	erased map[string]bool
}

func openViews(ctx context.Context, d *DB) (*Views, error) {
	o := d.options
	o.MaxPages = 0
	file := d.file + ViewsSuffix
	v := &Views{log: d, erased: map[string]bool{}}
	var err error
	// Without a sync per transaction a power loss may undo the last of them: the cursor goes back with the rows.
	if v.writer, err = openWriter(ctx, file, viewsSchema, o, "synchronous(NORMAL)", cache(viewsCache)); err != nil {
		return nil, err
	}
	if v.readers, err = openReaders(file, o.Readers); err != nil {
		return nil, errors.Join(err, v.close())
	}
	if v.source, err = openSource(ctx, dsn(d.file, nil, "query_only(1)", cache(sourceCache))); err != nil {
		return nil, errors.Join(err, v.close())
	}
	if err := v.disown(ctx); err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

// disown resets projections of another log: one that was restored from a backup, or put in this one's place. A migration
// that adds what can only be folded from the beginning empties the leaf, which has the same effect.
func (v *Views) disown(ctx context.Context) error {
	var cursor int64
	var leaf []byte
	err := v.readers.QueryRowContext(ctx, "SELECT cursor, leaf FROM progress").Scan(&cursor, &leaf)
	if err != nil || cursor == 0 {
		return explain("read the progress of the projections", err)
	}
	last, err := v.log.Page(ctx, cursor-1, 1)
	if err != nil {
		return err
	}
	if len(last) == 1 && last[0].Index == cursor-1 && bytes.Equal(last[0].Leaf[:], leaf) {
		return nil
	}
	return v.Reset(ctx)
}

func (v *Views) close() error {
	var err error
	if v.readers != nil {
		err = v.readers.Close()
	}
	if v.source != nil {
		err = errors.Join(err, v.source.close())
	}
	return errors.Join(err, v.writer.close())
}

// fewEntries is what a page has room for at first: the limit is large, and mostly there are few.
const fewEntries = 64

// Page gives up to limit entries of the log with an index ≥ from, in order. It is [DB.Page] for the one who reads all of
// it all the time.
func (v *Views) Page(_ context.Context, from int64, limit int) ([]signalbox.Entry, error) {
	if page, ok := v.log.tail.page(from, limit); ok {
		return page, nil
	}
	entries := make([]signalbox.Entry, 0, min(limit, fewEntries))
	err := v.source.alone(func(t *transaction) error {
		return t.query(selectEntries+"WHERE seq >= ? ORDER BY seq LIMIT ?", func(row []driver.Value) error {
			e, err := entryOf(row)
			entries = append(entries, e)
			return err
		}, from, int64(limit))
	})
	return entries, explain("read the log", err)
}

// blob gives a value of a BLOB column; the driver has copied it out of SQLite's memory.
func blob(v driver.Value) []byte {
	b, _ := v.([]byte) // STRICT columns hold nothing else.
	return b
}

// limited bounds one query of a person.
func (v *Views) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, v.log.options.ReadTimeout)
}

// Progress gives the cursor and the size of the log.
func (v *Views) Progress(ctx context.Context) (signalbox.Progress, error) {
	var p signalbox.Progress
	var micros int64
	err := v.readers.QueryRowContext(ctx, "SELECT cursor, as_of FROM progress").Scan(&p.Cursor, &micros)
	if err != nil {
		return p, explain("read the progress of the projections", err)
	}
	if micros != 0 {
		p.AsOf = time.UnixMicro(micros).UTC()
	}
	p.Size, err = v.log.Size(ctx)
	return p, err
}

// State gives the calls with these ids and the latencies of these keys, as far as there are any.
func (v *Views) State(_ context.Context, calls []string, latency []signalbox.LatencyKey) (signalbox.ViewState, error) {
	var s signalbox.ViewState
	err := v.writer.alone(func(t *transaction) error {
		for _, id := range calls {
			if err := t.query(selectCalls+"WHERE id = ?", func(row []driver.Value) error {
				s.Calls = append(s.Calls, callOf(row))
				return nil
			}, id); err != nil {
				return err
			}
		}
		for _, key := range latency {
			if err := t.query("SELECT sketch FROM latencies WHERE hour = ? AND tenant = ? AND tool = ?", func(row []driver.Value) error {
				s.Latency = append(s.Latency, signalbox.LatencyRollup{LatencyKey: key, Sketch: blob(row[0])})
				return nil
			}, hours(key.Hour), key.Tenant, key.Tool); err != nil {
				return err
			}
		}
		return nil
	})
	return s, explain("read the state of the projections", err)
}

// Reset removes every projection and sets the cursor to 0. It does not overwrite what it removes, which would write the
// whole file once more: the fold that follows uses those pages again.
func (v *Views) Reset(context.Context) error {
	err := v.writer.pragma("secure_delete = OFF")
	if err == nil {
		err = v.writer.write(0, removeAll)
		err = errors.Join(err, v.writer.pragma("secure_delete = ON"))
	}
	return explain("reset the projections", err)
}

func removeAll(t *transaction) error {
	for _, table := range []string{"calls", "rollups", "rollup_days", "latencies", "runs", "run_hours", "facets", "subject_blocks"} {
		if err := t.exec("DELETE FROM " + table); err != nil {
			return err
		}
	}
	return t.exec("UPDATE progress SET cursor = 0, as_of = 0, leaf = x''")
}

// DeleteCalls deletes up to limit of the oldest calls that came in before that time and have ended. It looks only at the
// oldest rows, so that it costs little where there is nothing to do.
func (v *Views) DeleteCalls(_ context.Context, before time.Time, limit int) (int, error) {
	deleted := 0
	err := v.writer.write(int64(limit)*rowBytes, func(t *transaction) error {
		if err := t.exec("DELETE FROM calls WHERE first IN (SELECT first FROM (SELECT first, time, outcome FROM calls "+
			"ORDER BY first LIMIT ?) WHERE time < ? AND outcome <> 'running')", int64(limit), before.UnixMicro()); err != nil {
			return err
		}
		return t.query("SELECT changes()", func(row []driver.Value) error {
			deleted = int(integer(row[0]))
			return nil
		})
	})
	return deleted, explain("delete old calls", err)
}

// Running gives the calls that have an intent and no outcome, oldest first.
func (v *Views) Running(ctx context.Context) ([]signalbox.CallView, error) {
	return collect(ctx, v.readers, "read running calls", scanCall,
		selectCalls+"WHERE outcome = 'running' AND outcome <> 'ok' ORDER BY first")
}

// RunningCount counts them, of these tenants (nil: of all).
func (v *Views) RunningCount(ctx context.Context, tenants []string) (int64, error) {
	ctx, cancel := v.limited(ctx)
	defer cancel()
	var w where
	w.and("outcome = 'running' AND outcome <> 'ok'")
	w.in("+tenant", tenants)
	var n int64
	err := v.readers.QueryRowContext(ctx, "SELECT count(*) FROM calls"+w.String(), w.args...).Scan(&n)
	return n, explain("count running calls", err)
}

// where gathers the conditions of a query.
type where struct {
	terms []string
	args  []any
}

func (w *where) and(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

// in restricts to values; nil does not restrict, and none matches nothing.
func (w *where) in(column string, values []string) {
	if values == nil {
		return
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")
	w.terms = append(w.terms, column+" IN ("+marks+")")
	for _, v := range values {
		w.args = append(w.args, v)
	}
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

const hoursPerDay = 24

func hours(t time.Time) int64 { return t.Unix() / 3600 }

func hourOf(n int64) time.Time { return time.Unix(n*3600, 0).UTC() }
