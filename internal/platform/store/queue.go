package store

import (
	"slices"
	"sync"

	"github.com/signalbox/signalbox"
)

// Stats are a writer's counters since its start, and what it holds now.
type Stats struct {
	Depth     int   // Records waiting or being written.
	Bytes     int64 // Their size.
	Capacity  int   // The most records at once.
	Accepted  int64 // Records taken in.
	Refused   int64 // Records that found no room, a commit that took too long, or a writer that has ended.
	Committed int64 // Records made durable.
	Failed    int64 // Records whose commit failed.
	Withdrawn int64 // Records whose caller left before they were written.
	Batches   int64 // Transactions, failed ones too.
}

// queue is the bounded queue between callers and the writing goroutine.
type queue struct {
	options Options
	mu      sync.Mutex
	ready   sync.Cond // There is something to take, or the queue is closed.
	waiting []*item
	taken   []*item // The batch that is being written; its memory is the next one's.
	closed  *signalbox.Error
	stalled *signalbox.Error // Why records that begin something are refused for now; nil where they are not.
	counts  Stats
}

func newQueue(o Options) *queue {
	q := &queue{options: o, counts: Stats{Capacity: o.QueueEntries}}
	q.ready.L = &q.mu
	return q
}

// push accepts an item or says why not. It wakes the writing goroutine only where that may be asleep.
func (q *queue) push(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if reason := q.shutFor(it); reason != nil {
		q.counts.Refused++
		own := *reason // Callers may add to their error.
		return &own
	}
	if !q.fits(it) {
		q.counts.Refused++
		return full(q.counts)
	}
	q.waiting = append(q.waiting, it)
	q.counts.Depth++
	q.counts.Bytes += it.size
	q.counts.Accepted++
	if len(q.waiting) == 1 {
		q.ready.Signal()
	}
	return nil
}

// shutFor says why an item is refused whatever room there is; nil where it is not.
func (q *queue) shutFor(it *item) *signalbox.Error {
	if q.closed == nil && it.begins() {
		return q.stalled
	}
	return q.closed
}

// stall refuses records that begin something, those that wait too, until the next resume: nobody knows for how long they
// would. What ends something stays, since it can not be undone.
func (q *queue) stall(reason *signalbox.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stalled = reason
	q.waiting = slices.DeleteFunc(q.waiting, func(it *item) bool {
		if !it.begins() {
			return false
		}
		q.counts.Depth--
		q.counts.Bytes -= it.size
		q.counts.Refused++
		own := *reason // Callers may add to their error.
		it.err = &own
		it.done <- struct{}{}
		return true
	})
}

// resume takes records again that begin something.
func (q *queue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stalled = nil
}

// refused counts what was refused before it made a record.
func (q *queue) refused() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Refused++
}

// fits reports whether there is room. A record that begins something must leave a quarter of the queue free. An empty
// queue takes anything, so that no record is too large for ever.
func (q *queue) fits(it *item) bool {
	entries, bytes := q.options.QueueEntries, q.options.QueueBytes
	if it.begins() {
		entries, bytes = entries-entries/4, bytes-bytes/4
	}
	return q.counts.Depth == 0 || q.counts.Depth < entries && q.counts.Bytes+it.size <= bytes
}

// take waits for items and gives up to MaxBatch of them, valid until the next take; nil once the queue is closed and
// empty.
func (q *queue) take() []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closed != nil {
			return nil
		}
		q.ready.Wait()
	}
	n := min(len(q.waiting), q.options.MaxBatch)
	q.taken = append(q.taken[:0], q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return q.taken
}

// withdraw takes an item back that has not been taken yet; false where it is too late.
func (q *queue) withdraw(it *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, it)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	q.counts.Depth--
	q.counts.Bytes -= it.size
	q.counts.Withdrawn++
	return true
}

// settle counts a batch that has ended and frees its room.
func (q *queue) settle(batch []*item, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Batches++
	q.counts.Depth -= len(batch)
	for _, it := range batch {
		q.counts.Bytes -= it.size
	}
	if ok {
		q.counts.Committed += int64(len(batch))
	} else {
		q.counts.Failed += int64(len(batch))
	}
}

// close refuses further items with that error; the first reason stands.
func (q *queue) close(reason *signalbox.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed == nil {
		q.closed = reason
	}
	q.ready.Broadcast()
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}
