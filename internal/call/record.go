package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// CommitWait bounds how long a record waits for a place in the log's queue once its call has ended. The caller may be
// gone by then, so its own context does not count.
const CommitWait = 10 * time.Second

// MaxLost bounds the outcomes that wait to be written late because the log could not take them; beyond it calls are
// refused, since what they do could not be told.
const MaxLost = 10_000

// Recorder is the record station: it writes the intent and the outcome of every call. It is safe for concurrent use.
type Recorder struct {
	RecorderOptions

	settling sync.Mutex // One at a time settles: two would write the same outcome twice and forget another.

	mu       sync.Mutex
	inFlight map[string]*Track
	lost     []lostOutcome
}

// RecorderOptions configure a recorder. Log, Masker and Now are required.
type RecorderOptions struct {
	Log       Log
	Masker    Masker
	Now       func() time.Time
	Ended     func(signalbox.Record) // Told of every durable outcome; it must not block. Nil: nobody is told.
	Closed    func() error           // Why no call may begin now; such a call is refused without a record. Nil: always may.
	Replica   string                 // This process, in records and in the ledger; "" is [signalbox.LocalReplica].
	NoContent bool                   // Summaries hold sizes only, and no text of requests and answers.
}

// NewRecorder makes a recorder.
func NewRecorder(o RecorderOptions) *Recorder {
	if o.Ended == nil {
		o.Ended = func(signalbox.Record) {}
	}
	if o.Closed == nil {
		o.Closed = func() error { return nil }
	}
	if o.Replica == "" {
		o.Replica = signalbox.LocalReplica
	}
	return &Recorder{RecorderOptions: o, inFlight: map[string]*Track{}}
}

// Station is the outermost station.
func (r *Recorder) Station(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, t *Track) (Answer, error) {
		if err := r.enter(t); err != nil {
			return nil, err
		}
		answer, err := serveSafely(ctx, next, t)
		if err != nil {
			return nil, r.end(ctx, t, nil, err)
		}
		return &recordedAnswer{Answer: answer, recorder: r, track: t}, nil
	})
}

// Begin writes what must be durable before the attempt leaves: the call's intent, or that it is tried once more.
func (r *Recorder) Begin(ctx context.Context, t *Track, a *signalbox.Attempt) error {
	rec := r.record(t, signalbox.RecordIntent)
	if a.N > 1 {
		rec.Type = signalbox.RecordAttempt
	}
	rec.Attempts = append(r.maskedAttempts(t), *a)
	effects := first(t, a)
	if t.Tab == nil {
		_, err := r.Log.Append(ctx, rec, effects...)
		return err
	}
	rec.Ledger = t.Tab.Entries(false)
	if _, err := r.Log.Append(ctx, rec, append(r.effects(rec), effects...)...); err != nil {
		t.Tab.Lost()
		return err
	}
	t.Tab.Booked()
	return nil
}

// first gives what else belongs to the first intent: the approval is used up, and who makes the call notes that it is made.
func first(t *Track, a *signalbox.Attempt) []signalbox.Effect {
	switch {
	case a.N > 1:
		return nil
	case t.Begun != nil:
		return append(t.Begun(), t.Approval.Effects...)
	}
	return t.Approval.Effects
}

// effects gives what the record's entries change in the ledger.
func (r *Recorder) effects(rec signalbox.Record) []signalbox.Effect {
	if len(rec.Ledger) == 0 {
		return nil
	}
	return []signalbox.Effect{signalbox.Post{Replica: r.Replica, Entries: rec.Ledger}}
}

// InFlight gives the number of calls under way.
func (r *Recorder) InFlight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.inFlight)
}

// enter lets a call in, unless nothing about it could be written: then it has no record, and nothing of it happens.
func (r *Recorder) enter(t *Track) error {
	if err := r.Closed(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lost) >= MaxLost {
		return signalbox.Errorf(signalbox.CodeUnavailable, "the log can not be written").
			WithRemedy("Retry later; the operator finds the reason in the health report.").WithRetryAfter(time.Second)
	}
	r.inFlight[t.Call.ID] = t
	return nil
}

// end writes the outcome of a call that ended with err (nil: well, by the terminal part) and gives the error its caller
// sees: err, or that the outcome could not be made durable.
func (r *Recorder) end(ctx context.Context, t *Track, terminal []byte, err error) error {
	rec := r.record(t, signalbox.RecordOutcome)
	rec.Outcome = outcomeOf(ctx, t, err)
	rec.Stations = t.stations(attemptStatus(t, rec.Outcome))
	if err != nil {
		e := r.masked(signalbox.AsError(err))
		rec.Error = &signalbox.Failure{Code: e.Code, Message: e.Message, Remedy: e.Remedy}
		err = e
	}
	if t.Tab != nil {
		rec.Ledger = t.Tab.Entries(true)
		rec.Budget = t.Tab.Stand()
	}
	var more []signalbox.Effect
	if t.Ended != nil {
		more = t.Ended(terminal, err)
	}
	appendErr := r.append(ctx, rec, more)
	r.leave(t, rec, appendErr)
	if t.Over != nil {
		t.Over()
	}
	if appendErr != nil {
		return appendErr
	}
	r.Ended(rec)
	return err
}

// masked is an error as the record has it and the caller sees it. What the caller wrote by mistake, be it in place of a
// name, is not repeated: error answers are kept by others, in logs that are not ours.
func (r *Recorder) masked(e *signalbox.Error) *signalbox.Error {
	message, field := r.Masker.Mask(e.Message), r.Masker.Mask(e.Field)
	if message == e.Message && field == e.Field {
		return e
	}
	shown := *e
	shown.Message, shown.Field = message, field
	return &shown
}

func (r *Recorder) append(ctx context.Context, rec signalbox.Record, more []signalbox.Effect) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CommitWait)
	defer cancel()
	_, err := r.Log.Append(ctx, rec, append(r.effects(rec), more...)...)
	return err
}

// leave takes the call out of those under way; an outcome that could not be written is kept for [Recorder.Settle].
func (r *Recorder) leave(t *Track, rec signalbox.Record, appendErr error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inFlight, t.Call.ID)
	// Without an attempt nothing left the process and no intent waits for its outcome.
	if appendErr != nil && len(t.Attempts) > 0 {
		rec.Outcome = signalbox.OutcomeUnknown
		r.lost = append(r.lost, lostOutcome{rec, t.Tab})
		return
	}
	book(t.Tab, appendErr)
}

// lostOutcome is an outcome that could not be committed. Until it is, the call holds what it held.
type lostOutcome struct {
	record signalbox.Record
	tab    Tab
}

// book tells a tab how the record with its last entries ended.
func book(tab Tab, err error) {
	switch {
	case tab == nil:
	case err == nil:
		tab.Booked()
	default:
		tab.Lost()
	}
}

// Settle writes late the outcomes that could not be committed when their calls ended. Their callers were told of a
// failure, so they are unknown; what they consumed is kept. It stops at the first error, and what is left stays.
func (r *Recorder) Settle(ctx context.Context) error {
	r.settling.Lock()
	defer r.settling.Unlock()
	for {
		r.mu.Lock()
		if len(r.lost) == 0 {
			r.mu.Unlock()
			return nil
		}
		late := r.lost[0]
		r.mu.Unlock()
		if _, err := r.Log.Append(ctx, late.record, r.effects(late.record)...); err != nil {
			return fmt.Errorf("write the outcome of %s late: %w", late.record.Call, err)
		}
		book(late.tab, nil)
		r.Ended(late.record)
		r.mu.Lock()
		r.lost = r.lost[1:]
		r.mu.Unlock()
	}
}

// serveSafely turns a panic of a station into an error: it means no.
func serveSafely(ctx context.Context, next Handler, t *Track) (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, panicError(p)
		}
	}()
	return next.Serve(ctx, t)
}

func panicError(p any) error {
	return signalbox.AsError(fmt.Errorf("panic in a station: %v", p))
}

// recordedAnswer holds the terminal part back until the outcome is durable.
type recordedAnswer struct {
	Answer
	recorder *Recorder
	track    *Track
	final    error // Set once the outcome has been written: what Next gives from then on.
}

// errTruncated is the error of an answer that ended without its terminal part.
var errTruncated = signalbox.Errorf(signalbox.CodeUpstream, "the answer ended before it was complete").
	WithRemedy("Retry the request; what was received is not the whole answer.")

// Next gives the next part. The terminal one comes only after the commit of the outcome.
func (a *recordedAnswer) Next(ctx context.Context) (Part, error) {
	if a.final != nil {
		return Part{}, a.final
	}
	part, err := nextSafely(ctx, a.Answer)
	if errors.Is(err, io.EOF) {
		err = errTruncated
	}
	if err != nil {
		a.final = a.recorder.end(ctx, a.track, nil, err)
		return Part{}, a.final
	}
	if part.Terminal {
		if err := a.recorder.end(ctx, a.track, part.Data, nil); err != nil {
			a.final = err
			return Part{}, err
		}
		a.final = io.EOF
	}
	return part, nil
}

// Close ends the answer; one that has not ended is recorded as cancelled. The inner answer is closed first, so that its
// stations have settled when the outcome is written.
func (a *recordedAnswer) Close() error {
	err := a.Answer.Close()
	if a.final == nil {
		a.final = a.recorder.end(context.Background(), a.track, nil, errGone)
	}
	return err
}

var errGone = signalbox.Errorf(signalbox.CodeCancelled, "the caller went away before the answer was complete")

func nextSafely(ctx context.Context, a Answer) (part Part, err error) {
	defer func() {
		if p := recover(); p != nil {
			part, err = Part{}, panicError(p)
		}
	}()
	return a.Next(ctx)
}

func outcomeOf(ctx context.Context, t *Track, err error) signalbox.Outcome {
	code := signalbox.CodeOf(err)
	switch {
	case err == nil:
		return signalbox.OutcomeOK
	case code == signalbox.CodeCancelled, errors.Is(ctx.Err(), context.Canceled):
		return signalbox.OutcomeCancelled
	case code == signalbox.CodeBlocked:
		return signalbox.OutcomeBlocked
	case len(t.Attempts) > 0, code == signalbox.CodeInternal, code == signalbox.CodeUnavailable:
		return signalbox.OutcomeFailed
	case code == signalbox.CodeUpstream, code == signalbox.CodeTimeout:
		return signalbox.OutcomeFailed // Nobody refused: what could serve it could not even be asked.
	}
	return signalbox.OutcomeDenied
}

func attemptStatus(t *Track, o signalbox.Outcome) signalbox.Status {
	switch {
	case len(t.Attempts) == 0:
		return signalbox.StatusNotRun
	case o == signalbox.OutcomeOK, o == signalbox.OutcomeBlocked && t.Served() != nil: // It was its answer that was blocked.
		return signalbox.StatusPassed
	}
	return signalbox.StatusFailed
}
