package audit

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Times of anchoring.
const (
	// AnchorRetryBase is the upper bound of the first delay after a failed try; it doubles with each further one.
	AnchorRetryBase = time.Second
	// AnchorRetryCap is the most it grows to.
	AnchorRetryCap = 5 * time.Minute
	// AnchorStopWait is how long a stop waits for the last checkpoint to be anchored.
	AnchorStopWait = 2 * time.Second
)

// AnchorKind is how a place takes checkpoints.
type AnchorKind string

// The kinds.
const (
	AnchorFile    AnchorKind = "file"
	AnchorWebhook AnchorKind = "webhook"
	AnchorWitness AnchorKind = "witness"
)

// Anchor is a place outside of the log that keeps checkpoints, so that somebody who can rewrite the whole log can not also
// rewrite what it was. Put is called by one goroutine at a time; it takes a stored checkpoint there and returns once it is
// kept. Putting one twice must be harmless. Cosignatures are verified signature lines to be stored with the checkpoint, nil
// where there are none. Any error means that it is to be tried again, with the checkpoint that is the newest by then.
type Anchor interface {
	Put(ctx context.Context, signed []byte) (cosignatures []byte, err error)
}

// AnchorTarget is an anchor and how it is called in the status. Target shows no credential.
type AnchorTarget struct {
	Kind   AnchorKind
	Target string
	Anchor Anchor
}

// AnchorState is how far an anchor has got.
type AnchorState struct {
	Kind   AnchorKind
	Target string
	Size   int64     // Of the newest checkpoint that is kept there; -1 where this process has brought none.
	Time   time.Time // When it was.
	Err    error     // Of the last try; nil where that succeeded.
}

// AnchorOptions are what [StartAnchors] needs besides the targets.
type AnchorOptions struct {
	Now    func() time.Time
	Rand   func(n int64) int64 // In [0, n); nil: math/rand.
	Report func(AnchorState)   // Told of the first failure in a row, and of the success after it; may be nil.
}

// Anchors brings checkpoints to all targets, each in a goroutine of its own, so that a slow one holds up no other. None
// of them ever holds up the log: a target that is slow gets the newest checkpoint only, and misses those between.
type Anchors struct {
	workers []*anchorWorker
	cancel  context.CancelFunc
}

// StartAnchors starts the goroutines; the caller must Stop them. Nothing is anchored until [Anchors.Follow].
func StartAnchors(ctx context.Context, targets []AnchorTarget, o AnchorOptions) *Anchors {
	if o.Rand == nil {
		o.Rand = rand.Int64N
	}
	if o.Report == nil {
		o.Report = func(AnchorState) {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &Anchors{cancel: cancel}
	for _, t := range targets {
		w := &anchorWorker{
			target: t, options: o, state: AnchorState{Kind: t.Kind, Target: t.Target, Size: -1},
			wake: make(chan struct{}, 1), flush: make(chan chan struct{}), done: make(chan struct{}),
		}
		a.workers = append(a.workers, w)
		go w.run(ctx)
	}
	return a
}

// Follow anchors the publisher's checkpoints from now on, the newest one that is there already included.
func (a *Anchors) Follow(p *Publisher) {
	p.Offer(func(signed []byte) {
		for _, w := range a.workers {
			w.offer(anchorJob{signed, p})
		}
	})
}

// Release gives every target one more try at what it has not got yet, until ctx ends, and forgets the rest. It is for a
// process that does not sign any more.
func (a *Anchors) Release(ctx context.Context) {
	var all sync.WaitGroup
	for _, w := range a.workers {
		all.Go(func() {
			w.hurry(ctx)
			w.offer(anchorJob{})
		})
	}
	all.Wait()
}

// Stop is Release, for [AnchorStopWait] at most, and then ends the goroutines. One whose target does not come back, such as
// a file on a server that is gone, is left behind when ctx ends.
func (a *Anchors) Stop(ctx context.Context) error {
	last, cancel := context.WithTimeout(ctx, AnchorStopWait)
	defer cancel()
	a.Release(last)
	a.cancel()
	for _, w := range a.workers {
		select {
		case <-w.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// States tells how far each target has got, in their order.
func (a *Anchors) States() []AnchorState {
	states := make([]AnchorState, len(a.workers))
	for i, w := range a.workers {
		w.mu.Lock()
		states[i] = w.state
		w.mu.Unlock()
	}
	return states
}

// anchorJob is a checkpoint and whose it is; the zero value is none.
type anchorJob struct {
	signed    []byte
	publisher *Publisher
}

type anchorWorker struct {
	target  AnchorTarget
	options AnchorOptions
	wake    chan struct{}
	flush   chan chan struct{} // A request for a try now; closed when it has been made.
	done    chan struct{}

	failed int // Tries in a row; of the goroutine alone.

	mu      sync.Mutex
	pending anchorJob
	state   AnchorState
}

func (w *anchorWorker) offer(job anchorJob) {
	w.mu.Lock()
	w.pending = job
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // It is awake.
	}
}

// hurry waits for one try at what is pending.
func (w *anchorWorker) hurry(ctx context.Context) {
	tried := make(chan struct{})
	select {
	case w.flush <- tried:
	case <-w.done:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-tried:
	case <-ctx.Done():
	}
}

func (w *anchorWorker) run(ctx context.Context) {
	defer close(w.done)
	var retry *time.Timer // Nil while the target is all right: checkpoints that come while it is not do not hasten the next try.
	var due <-chan time.Time
	for {
		var tried chan struct{}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			if due != nil {
				continue
			}
		case <-due:
		case tried = <-w.flush:
		}
		if retry != nil {
			retry.Stop()
		}
		retry, due = nil, nil
		if delay := w.try(ctx); delay > 0 {
			retry = time.NewTimer(delay) //nolint:forbidigo // It paces tries and decides nothing.
			due = retry.C
		}
		if tried != nil {
			close(tried)
		}
	}
}

// try brings what is pending and says when to try again; 0 is not before there is something new.
func (w *anchorWorker) try(ctx context.Context) time.Duration {
	w.mu.Lock()
	job := w.pending
	w.mu.Unlock()
	if job.signed == nil {
		return 0
	}
	err := w.put(ctx, job)
	if ctx.Err() != nil {
		return 0
	}
	w.settle(job, err)
	if err == nil {
		w.failed = 0
		return 0
	}
	bound := AnchorRetryCap
	if w.failed < 20 { // Beyond that the doubled base is above the cap, or has no room.
		bound = min(bound, AnchorRetryBase<<w.failed)
	}
	w.failed++
	return bound/2 + time.Duration(w.options.Rand(int64(bound/2)+1))
}

func (w *anchorWorker) put(ctx context.Context, job anchorJob) error {
	cosignatures, err := w.target.Anchor.Put(ctx, job.signed)
	if err != nil || cosignatures == nil {
		return err
	}
	return job.publisher.Cosign(ctx, job.signed, cosignatures)
}

// settle keeps what came of a try.
func (w *anchorWorker) settle(job anchorJob, err error) {
	w.mu.Lock()
	changed := (err == nil) != (w.state.Err == nil)
	w.state.Err = err
	if c, bad := readCheckpoint(job.signed); err == nil && bad == nil {
		w.state.Size, w.state.Time = c.Size, w.options.Now().UTC()
		if textOf(w.pending.signed) == textOf(job.signed) {
			w.pending = anchorJob{}
		}
	}
	state := w.state
	w.mu.Unlock()
	if changed {
		w.options.Report(state)
	}
}

// anchorError is an error of anchoring, which is tried again.
func anchorError(remedy, format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnavailable, format, args...).WithField("audit.anchor").WithRemedy(remedy)
}
