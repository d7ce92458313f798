package projection

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Log is what is projected. It is safe for concurrent use.
type Log interface {
	// Page gives up to limit entries with an index ≥ from, in order; none at the end of the log.
	Page(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error)
}

// Store holds the projections. Only the projector writes them, one call at a time; an error means that nothing was
// changed.
type Store interface {
	// Progress gives the cursor and the size of the log.
	Progress(ctx context.Context) (signalbox.Progress, error)
	// State gives the calls with these ids and the latencies of these keys, as far as there are any.
	State(ctx context.Context, calls []string, latency []signalbox.LatencyKey) (signalbox.ViewState, error)
	// Apply stores the changes and sets the cursor from c.From to c.To, in one transaction. It refuses them with code
	// conflict where the cursor is not at c.From.
	Apply(ctx context.Context, c signalbox.Changes) error
	// Reset removes every projection and sets the cursor to 0.
	Reset(ctx context.Context) error
	// Running gives the calls that have an intent and no outcome, oldest first.
	Running(ctx context.Context) ([]signalbox.CallView, error)
}

// Bounds of the projector.
const (
	// DefaultBatch is how many records are folded at once.
	DefaultBatch = 2048
	// DefaultDelay is how long the projector lets records gather after the first of them. It is the usual age of what
	// people see, and what lets intent and outcome of a short call become one write.
	DefaultDelay = 100 * time.Millisecond
	// busyRecords is how many records in one round mean that there are many; the next round then waits busyFactor times as
	// long, because a call costs a third less in a batch of thousands than in one of hundreds.
	busyRecords = 100
	busyFactor  = 5
	// DefaultPoll is how often the log is looked at without a signal, and how long an error is left alone.
	DefaultPoll = 2 * time.Second
)

// Options of a projector. A zero field has its default; Decode is required.
type Options struct {
	Decode func(signalbox.Entry) (signalbox.Record, error)
	Wake   <-chan struct{} // A signal after commits; nil: the log is only polled.
	Batch  int
	Delay  time.Duration
	Poll   time.Duration
}

// Projector keeps projections up with the log. Its methods are safe for concurrent use.
type Projector struct {
	log     Log
	store   Store
	options Options

	work   sync.Mutex // Held by whoever moves the cursor.
	mu     sync.Mutex
	status Status
}

// Status is what a projector has to say about itself.
type Status struct {
	Err         error // Of the last try; nil where it worked. The projector keeps trying.
	Projected   int64 // Records since the start.
	Undecodable int64 // Of these, records that changed nothing because they could not be decoded.
}

// New makes a projector. It does nothing until [Projector.Run] or [Projector.CatchUp].
func New(log Log, store Store, o Options) *Projector {
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	if o.Delay <= 0 {
		o.Delay = DefaultDelay
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	return &Projector{log: log, store: store, options: o}
}

// Run projects until ctx ends. Errors do not end it: they show in [Projector.Status] and are tried again.
func (p *Projector) Run(ctx context.Context) {
	for {
		before := p.Status().Projected
		// The status keeps the error; what remains is to wait before the next try.
		_ = p.CatchUp(ctx)
		delay := p.options.Delay
		if p.Status().Projected-before >= busyRecords {
			delay *= busyFactor
		}
		if !p.pause(ctx, delay) {
			return
		}
	}
}

// pause waits for a signal or for the time to poll; after a signal it lets records gather, whatever signals follow. It
// gives false where ctx has ended.
func (p *Projector) pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(p.options.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-p.options.Wake:
	}
	timer.Reset(delay)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// CatchUp projects everything that the log holds.
func (p *Projector) CatchUp(ctx context.Context) error {
	p.work.Lock()
	defer p.work.Unlock()
	err := p.catchUp(ctx)
	if ctx.Err() == nil {
		p.note(func(s *Status) { s.Err = err })
	}
	return err
}

// Rebuild removes every projection and folds the whole log anew. Until it returns, lists and totals show a part, and
// their progress says so.
func (p *Projector) Rebuild(ctx context.Context) error {
	p.work.Lock()
	defer p.work.Unlock()
	if err := p.store.Reset(ctx); err != nil {
		return err
	}
	return p.catchUp(ctx)
}

// Running gives the calls that have an intent and no outcome in the log as it is now, oldest first.
func (p *Projector) Running(ctx context.Context) ([]signalbox.CallView, error) {
	if err := p.CatchUp(ctx); err != nil {
		return nil, err
	}
	return p.store.Running(ctx)
}

// Status gives how the projector is doing.
func (p *Projector) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *Projector) note(change func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.status)
}

func (p *Projector) catchUp(ctx context.Context) error {
	progress, err := p.store.Progress(ctx)
	if err != nil {
		return err
	}
	for cursor := progress.Cursor; ; {
		next, err := p.step(ctx, cursor)
		if err != nil || next == cursor {
			return err
		}
		if cursor = next; ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// step projects one batch and gives the new cursor, the old one at the end of the log.
func (p *Projector) step(ctx context.Context, cursor int64) (int64, error) {
	entries, err := p.log.Page(ctx, cursor, p.options.Batch)
	if err != nil || len(entries) == 0 {
		return cursor, err
	}
	items, bad, err := decode(entries, p.options.Decode)
	if err != nil {
		return cursor, err
	}
	needs := NeedsOf(items)
	state, err := p.store.State(ctx, needs.Calls, needs.Latency)
	if err != nil {
		return cursor, err
	}
	changes, err := Fold(state, items)
	if err != nil {
		return cursor, err
	}
	last := &entries[len(entries)-1]
	changes.Sealed = sealedBlocks(entries, changes.Sealed)
	changes.From, changes.To, changes.AsOf, changes.Leaf = cursor, last.Index+1, last.Time, last.Leaf
	if err := p.store.Apply(ctx, changes); err != nil {
		return cursor, err
	}
	p.note(func(s *Status) {
		s.Projected += int64(len(entries))
		s.Undecodable += int64(bad)
	})
	return changes.To, nil
}

// Expirer deletes old rows of calls.
type Expirer interface {
	// DeleteCalls deletes up to limit of the oldest calls that came in before that time and have ended, and gives their
	// number. Totals stay.
	DeleteCalls(ctx context.Context, before time.Time, limit int) (int, error)
}

// expireBatch is how many calls are deleted in one transaction, so that no reader or writer waits long.
const expireBatch = 500

// Expire deletes the calls that came in before that time from the lists, in small transactions, until none is left or
// ctx ends. Totals, runs and the log keep what they have; a rebuild brings the calls back until they expire again.
func (p *Projector) Expire(ctx context.Context, e Expirer, before time.Time) (int, error) {
	total := 0
	for {
		p.work.Lock()
		n, err := e.DeleteCalls(ctx, before, expireBatch)
		p.work.Unlock()
		total += n
		if err != nil || n < expireBatch {
			return total, err
		}
		if err := ctx.Err(); err != nil {
			return total, errors.Join(errors.New("old calls are left"), err)
		}
	}
}
