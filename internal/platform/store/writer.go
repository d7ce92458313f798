package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
)

// Committer makes a batch durable, all or nothing: entries, full tiles and effects in one transaction. It is called by
// one goroutine at a time. An error means that nothing of the batch is stored, unless it wraps [ErrUncertain].
type Committer interface {
	Commit(ctx context.Context, b signalbox.Batch) error
}

// Sequencer turns records into entries of the log and gives them their places in it. Encode is safe for concurrent use.
// Sequence fills Index and Leaf and computes the tiles that become full; it changes no state, so that a batch whose
// commit failed leaves no trace. Committed advances the tree by a batch that Sequence gave last.
type Sequencer interface {
	Encode(r signalbox.Record) (signalbox.Entry, error)
	Sequence(entries []signalbox.Entry) (signalbox.Batch, error)
	Committed(b signalbox.Batch)
}

// ErrUncertain marks the error of a commit that may or may not have become durable.
var ErrUncertain = errors.New("it is not known whether the commit is durable")

// Defaults and bounds of [Options].
const (
	DefaultQueueEntries = 8192     // Records waiting or being written.
	DefaultQueueBytes   = 64 << 20 // Of their encoded content.
	DefaultMaxBatch     = 512      // Records in one transaction.
	RetryAfter          = time.Second
	SlowCommit          = time.Second // After which a commit under way closes the gate; see [Writer.Closed].
	entryOverhead       = 256         // What an entry costs besides its content, in bytes.
	largeBatch          = 8           // Records in a batch from which on the next one is given gatherTime.
	gatherTime          = 300 * time.Microsecond
)

// Options are the bounds of a writer. A zero field has its default.
type Options struct {
	QueueEntries int
	QueueBytes   int64
	MaxBatch     int

	// Changed is told why, when batches begin to fail or one takes longer than [SlowCommit], and nil, when they are
	// written again. It must not block; it may be nil.
	Changed func(reason error)
}

func (o Options) withDefaults() Options {
	if o.QueueEntries <= 0 {
		o.QueueEntries = DefaultQueueEntries
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = DefaultQueueBytes
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = DefaultMaxBatch
	}
	if o.Changed == nil {
		o.Changed = func(error) {}
	}
	return o
}

// Writer is the one writer of the log in a process; it implements the Log of package call. Make it with [NewWriter] and
// end it with [Writer.Close].
type Writer struct {
	committer Committer
	sequencer Sequencer
	queue     *queue
	notify    chan struct{}
	fatal     chan error
	done      chan struct{}
	failing   atomic.Pointer[signalbox.Error]
	slow      slow
	batch     []signalbox.Entry // Reused by the writing goroutine.
	items     sync.Pool         // Of *item.
}

// NewWriter starts the writer's goroutine.
func NewWriter(c Committer, s Sequencer, o Options) *Writer {
	w := &Writer{
		committer: c, sequencer: s, queue: newQueue(o.withDefaults()),
		notify: make(chan struct{}, 1), fatal: make(chan error, 1), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// Append returns when the record and its effects are durable, with the record's index. Where ctx ends while the record
// still waits, it is taken out of the queue and is not written; once its batch is being written, Append waits for the
// verdict, so that a caller who is told of a failure does not find the record in the log all the same.
func (w *Writer) Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, abandoned(err)
	}
	e, err := w.sequencer.Encode(r)
	if err != nil {
		return 0, signalbox.AsError(err)
	}
	if e.Effects == nil {
		e.Effects = effects
	} else { // What the record itself needs comes first.
		e.Effects = append(e.Effects, effects...)
	}
	it := w.newItem(e)
	if err := w.queue.push(it); err != nil {
		w.release(it)
		return 0, err
	}
	defer w.release(it)
	select {
	case <-it.done:
		return it.index, it.err
	case <-ctx.Done():
	}
	if w.queue.withdraw(it) {
		return 0, abandoned(ctx.Err())
	}
	<-it.done
	return it.index, it.err
}

// Notify gives a signal after commits: at least one after the last of them, for one reader.
func (w *Writer) Notify() <-chan struct{} { return w.notify }

// Fatal gives at most one error: the reason for which the writer has ended by itself, and the process is to stop.
func (w *Writer) Fatal() <-chan error { return w.fatal }

// Failing says why the last batch could not be written, or that the one under way takes too long; nil where all is well.
func (w *Writer) Failing() error {
	if e := w.failing.Load(); e != nil {
		return e
	}
	if w.slow.is.Load() {
		return slowCommit()
	}
	return nil
}

// Closed says why nothing new should begin now: a commit has been under way for longer than [SlowCommit], so whoever
// appends waits for nobody knows how long. It is nil again once that commit is done. Append refuses the same records
// meanwhile, also those that have been waiting, but takes outcomes, since calls under way must be able to end. Each time
// it is not nil counts as a refused record.
func (w *Writer) Closed() error {
	if !w.slow.is.Load() {
		return nil
	}
	w.queue.refused()
	return slowCommit()
}

// Stats gives a snapshot of the writer's counters.
func (w *Writer) Stats() Stats { return w.queue.stats() }

// Depth is the number of records that wait or are being written.
func (w *Writer) Depth() int { return w.queue.stats().Depth }

// Capacity is the most records that can wait or be written at once.
func (w *Writer) Capacity() int { return w.queue.options.QueueEntries }

// Close refuses further records, writes those that were accepted, and waits for that or for the end of ctx.
func (w *Writer) Close(ctx context.Context) error {
	w.queue.close(closing())
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the log while %d records are still to be written: %w", w.Depth(), ctx.Err())
	}
}

func (w *Writer) run() {
	defer close(w.done)
	written := 0
	for {
		gather(written)
		items := w.queue.take()
		if items == nil {
			return
		}
		written = len(items)
		err := w.write(items)
		w.finish(items, err)
		if errors.Is(err, ErrUncertain) {
			w.stop(err)
			return
		}
	}
}

// gather gives records the time to come together, because a transaction costs as much as a dozen records in it. Where the
// processors are busy, whoever can run gets to append first, which takes no time where they are not; and after a large
// batch, the calls that it has let go on are about to append again.
func gather(written int) {
	runtime.Gosched()
	if written >= largeBatch {
		time.Sleep(gatherTime)
	}
}

// write commits one batch. It has no deadline: a commit that is cut off half-way would be an uncertain one.
func (w *Writer) write(items []*item) error {
	w.batch = w.batch[:0]
	for _, it := range items {
		w.batch = append(w.batch, it.entry)
	}
	b, err := w.sequencer.Sequence(w.batch)
	if err != nil {
		return err
	}
	if err := w.commit(b); err != nil {
		return err
	}
	w.sequencer.Committed(b)
	for i, it := range items {
		it.index = b.Entries[i].Index
	}
	return nil
}

// commit closes the gate while the transaction takes longer than it should.
func (w *Writer) commit(b signalbox.Batch) error {
	w.slow.begin(func() {
		w.queue.stall(slowCommit())
		w.queue.options.Changed(slowCommit())
	})
	err := w.committer.Commit(context.Background(), b)
	if !w.slow.end() {
		return err
	}
	w.queue.resume()
	if err == nil && w.failing.Load() == nil {
		w.queue.options.Changed(nil)
	}
	return err
}

// finish tells the waiting goroutines how their batch ended.
func (w *Writer) finish(items []*item, err error) {
	failure := notWritten(err)
	if before := w.failing.Swap(failure); (before == nil) != (failure == nil) {
		w.queue.options.Changed(err)
	}
	w.queue.settle(items, err == nil)
	for _, it := range items {
		if failure != nil {
			own := *failure // Callers may add to their error.
			it.err = &own
		}
		it.done <- struct{}{}
	}
	if err == nil {
		select {
		case w.notify <- struct{}{}:
		default: // The reader has not yet seen the signal before.
		}
	}
}

// stop ends the writer for good: whatever waits is refused.
func (w *Writer) stop(err error) {
	w.queue.close(notWritten(err))
	for items := w.queue.take(); items != nil; items = w.queue.take() {
		w.finish(items, err)
	}
	w.fatal <- err
}

// item is an entry on its way. It is used again, with its channel, once its waiter has seen the end.
type item struct {
	entry signalbox.Entry
	size  int64
	index int64
	err   error
	done  chan struct{}
}

// begins reports whether nothing has happened yet of what the record tells.
func (it *item) begins() bool { return it.entry.Type != signalbox.RecordOutcome }

func (w *Writer) newItem(e signalbox.Entry) *item {
	it, ok := w.items.Get().(*item)
	if !ok {
		it = &item{done: make(chan struct{}, 1)}
	}
	it.entry, it.size = e, int64(len(e.Content)+entryOverhead)
	return it
}

func (w *Writer) release(it *item) {
	it.entry, it.err, it.index = signalbox.Entry{}, nil, 0
	w.items.Put(it)
}
