package call

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/signalbox/signalbox"
)

// Journal makes durable that an attempt is about to leave.
type Journal interface {
	Begin(ctx context.Context, t *Track, a *signalbox.Attempt) error
}

// Attempter is the innermost station: it tries the candidates in their order until one serves, and settles each try.
type Attempter struct {
	Backends map[signalbox.Kind]map[string]Backend // By the call's kind and the candidate's provider.
	Journal  Journal
	Now      func() time.Time

	// Progress is told what a call has cost so far while a stream of it runs, earlier attempts included: at most once in
	// [ProgressBytes] of output. The figure is an estimate and may be above or below what is settled in the end. It runs on
	// the call's own way and must not block. It is not told of calls without a price. Nil: nobody is told.
	Progress func(t *Track, a *signalbox.Attempt, cost signalbox.Money)
}

// ProgressBytes is how much output of a stream lies between two estimates of its cost.
const ProgressBytes = 2048

// Serve tries the candidates.
func (s *Attempter) Serve(ctx context.Context, t *Track) (Answer, error) {
	var last error = signalbox.Errorf(signalbox.CodeNotFound, "nothing can serve this call").
		WithRemedy("Configure a model or tool for it.")
	for _, c := range t.Resolve.Candidates {
		answer, err := s.try(ctx, t, c)
		if err == nil {
			return answer, nil
		}
		last = err
		if !mayTryNext(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func mayTryNext(err error) bool {
	var ae *AttemptError
	return errors.As(err, &ae) && ae.Next
}

func (s *Attempter) try(ctx context.Context, t *Track, c signalbox.Candidate) (Answer, error) {
	backend, ok := s.Backends[t.Call.Kind][c.Provider]
	if !ok {
		return nil, signalbox.Errorf(signalbox.CodeInternal, "provider %q has no backend", c.Provider)
	}
	span := t.Call.Span.Child()
	a := signalbox.Attempt{
		N: len(t.Attempts) + 1, Name: c.Name, Provider: c.Provider, ProviderName: c.ProviderName, Upstream: c.Upstream,
		Format: c.Format, Simulated: c.Simulated, SpanID: span.SpanID, Started: s.Now().UTC(), Basis: signalbox.BasisNone,
	}
	if err := s.begin(ctx, t, c, &a); err != nil {
		return nil, err
	}
	t.Attempts = append(t.Attempts, a)
	attempt := &settlement{station: s, track: t, candidate: c, index: len(t.Attempts) - 1}
	upstream, err := attempt.open(ctx, backend, span)
	if err != nil {
		attempt.refused(err)
		return nil, err
	}
	attempt.firstByte()
	return &attemptAnswer{Upstream: upstream, settlement: attempt}, nil
}

// begin holds what the attempt may cost and makes it durable that it is about to leave.
func (s *Attempter) begin(ctx context.Context, t *Track, c signalbox.Candidate, a *signalbox.Attempt) error {
	if t.Tab != nil {
		if err := t.Tab.Hold(ctx, t, c, a); err != nil {
			return err
		}
	}
	return s.Journal.Begin(ctx, t, a)
}

// attemptAnswer settles the attempt when its answer ends, breaks or is closed.
type attemptAnswer struct {
	Upstream
	settlement *settlement
	progress   progress
}

// Next gives the next part and settles at the last one.
func (a *attemptAnswer) Next(ctx context.Context) (Part, error) {
	defer a.settlement.panicked()
	part, err := a.Upstream.Next(ctx)
	switch {
	case errors.Is(err, io.EOF):
		a.settlement.broken(a.Report(), errTruncated)
	case err != nil:
		a.settlement.broken(a.Report(), err)
	case part.Terminal:
		a.settlement.served(a.Report())
	default:
		a.progress.passed(a, len(part.Data))
	}
	return part, err
}

// Close releases the upstream; an answer that has not ended is settled as one the caller left.
func (a *attemptAnswer) Close() error {
	err := a.Upstream.Close()
	a.settlement.broken(a.Report(), errGone)
	return err
}

// progress decides when the cost of a running stream is estimated.
type progress struct {
	bytes int   // That have passed since the last look. They are never less than the output in them.
	told  int64 // The output at the last estimate.
}

// passed counts a part. The report is asked for only when enough may have passed, since it is not free.
func (p *progress) passed(a *attemptAnswer, bytes int) {
	s := a.settlement
	p.bytes += bytes
	if s.station.Progress == nil || s.candidate.Price == nil || p.bytes < ProgressBytes {
		return
	}
	p.bytes = 0
	r := a.Report()
	if r.OutputBytes-p.told < ProgressBytes {
		return
	}
	p.told = r.OutputBytes
	s.station.Progress(s.track, s.attempt(), s.running(r))
}
