package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"iter"
	"runtime"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Bounds of reading the log on all cores: each range is of so many records, so many of them for each core are being read
// or wait to be taken, and one is cut short after so many bytes of content. For two cores that is at most 24 MiB, and one
// record more of each range. Smaller ranges are slower: the kernel reads ahead in what follows.
const (
	rangeEntries = 1024
	rangeBytes   = 4 << 20
	rangesAhead  = 3
)

// Entries gives every entry with an index ≥ from that is stored when it begins, in order. It ends after the first error.
// It reads in pages, so that a slow reader does not keep the WAL from being checkpointed; what it has read does
// not change but where content is destroyed meanwhile.
//
// Behind the first page the log is read in ranges of its index, by as many connections as there are cores. Where a range
// is not whole (a damaged log has gaps) it goes on with a page, which begins with the next record that there is.
func (d *DB) Entries(ctx context.Context, from int64) iter.Seq2[signalbox.Entry, error] {
	return func(yield func(signalbox.Entry, error) bool) {
		size, err := d.Size(ctx)
		for err == nil && from < size {
			var page []signalbox.Entry
			if page, err = d.Page(ctx, from, entryPage); len(page) == 0 {
				break
			}
			if !give(page, size, yield) {
				return
			}
			last := page[len(page)-1].Index
			whole := last-page[0].Index == int64(len(page)-1)
			if from = last + 1; !whole || size-from < entryPage {
				continue
			}
			var more bool
			if from, more, err = d.ranges(ctx, from, size, yield); !more && err == nil {
				return
			}
		}
		if err != nil {
			yield(signalbox.Entry{}, err)
		}
	}
}

// give yields entries below size; false means that no more are wanted.
func give(entries []signalbox.Entry, size int64, yield func(signalbox.Entry, error) bool) bool {
	for i := range entries {
		if entries[i].Index >= size || !yield(entries[i], nil) {
			return false
		}
	}
	return true
}

// stretch is a range of the log.
type stretch struct {
	from, to int64
	entries  []signalbox.Entry
	err      error
	done     chan struct{}
}

func (s *stretch) whole() bool { return s.err == nil && int64(len(s.entries)) == s.to-s.from }

// ranges yields the log from there on until it ends or a range is not whole. It gives where to go on, and whether the
// caller wants more. All that it has started has ended when it returns.
func (d *DB) ranges(ctx context.Context, from, size int64, yield func(signalbox.Entry, error) bool) (int64, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	cores := runtime.GOMAXPROCS(0)
	work, order := make(chan *stretch), make(chan *stretch, (rangesAhead-1)*cores)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { stretches(ctx, from, size, work, order) })
	for range cores {
		all.Go(func() { d.readStretches(ctx, work) })
	}
	for s := range order {
		select {
		case <-s.done:
		case <-ctx.Done():
			return from, true, explain("read the log", ctx.Err())
		}
		if !give(s.entries, size, yield) {
			return from, false, nil
		}
		if n := len(s.entries); n > 0 {
			from = s.entries[n-1].Index + 1
		}
		if !s.whole() {
			return from, true, s.err
		}
	}
	return from, true, explain("read the log", ctx.Err())
}

// stretches gives each range to who yields it and to who reads it.
func stretches(ctx context.Context, from, size int64, work, order chan<- *stretch) {
	defer close(order)
	defer close(work)
	for ; from < size; from += rangeEntries {
		s := &stretch{from: from, to: min(from+rangeEntries, size), done: make(chan struct{})}
		for _, to := range []chan<- *stretch{order, work} {
			select {
			case to <- s:
			case <-ctx.Done():
				return
			}
		}
	}
}

// readStretches reads ranges by a connection of its own.
func (d *DB) readStretches(ctx context.Context, work <-chan *stretch) {
	h, err := openSource(ctx, d.sourceDSN())
	for s := range work {
		if s.err = err; err == nil {
			s.err = s.read(ctx, h)
		}
		close(s.done)
	}
	if err == nil {
		_ = h.close() // It has only read.
	}
}

// errCut ends the reading of a range before its end.
var errCut = errors.New("the range is cut short")

func (s *stretch) read(ctx context.Context, h *handle) error {
	if ctx.Err() != nil {
		return explain("read the log", ctx.Err())
	}
	s.entries = make([]signalbox.Entry, 0, s.to-s.from)
	bytes := 0
	err := h.alone(func(t *transaction) error {
		return t.query(selectEntries+"WHERE seq >= ? AND seq < ? ORDER BY seq", func(row []driver.Value) error {
			if bytes > rangeBytes {
				return errCut
			}
			e, err := entryOf(row)
			if err != nil {
				return err
			}
			bytes += len(e.Content)
			s.entries = append(s.entries, e)
			return nil
		}, s.from, s.to)
	})
	if errors.Is(err, errCut) {
		return nil
	}
	return explain("read the log", err)
}

// entryOf makes an entry of a row of [selectEntries].
func entryOf(row []driver.Value) (signalbox.Entry, error) {
	e := signalbox.Entry{
		Index: integer(row[0]), Time: time.UnixMicro(integer(row[1])).UTC(), Type: signalbox.RecordType(text(row[2])),
		Tenant: text(row[3]), Call: text(row[4]), Content: blob(row[5]),
	}
	return e, hashes(&e, blob(row[6]), blob(row[7]))
}
