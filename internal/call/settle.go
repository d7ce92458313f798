package call

import (
	"context"
	"errors"
	"net/http"

	"github.com/signalbox/signalbox"
)

// How tokens are counted from bytes where the provider reported none.
const (
	// EstimateBytesPerToken turns bytes into a likely number of tokens, for attempts without a hold and for the running cost
	// of streams. Three is on the high side for English and about right for Korean and code.
	EstimateBytesPerToken = 3
	// AnswerOverhead is what an answer may be billed beside its bytes, in tokens: its end and the marks around its parts. It
	// belongs to the upper bound of one token per byte.
	AnswerOverhead = 32
)

// settlement fills in what one attempt has come to, once.
//
// What the provider reported at the end counts exactly. Where it did not, the ledger must not book less than the provider
// may bill: a whole answer counts one token per byte, an answer that broke or never came counts everything that was held,
// but for the input where that was reported already. Neither exceeds the hold. An upstream that refused bills nothing.
// Attempts without a hold are estimated instead.
type settlement struct {
	station   *Attempter
	track     *Track
	candidate signalbox.Candidate
	index     int
	done      bool
}

func (s *settlement) attempt() *signalbox.Attempt { return &s.track.Attempts[s.index] }

// open sends the attempt. One whose backend panics may have left all the same.
func (s *settlement) open(ctx context.Context, b Backend, span signalbox.Span) (Upstream, error) {
	defer s.panicked()
	return b.Open(ctx, s.track, s.candidate, span)
}

// panicked settles an attempt whose backend panics, and lets the panic go on.
func (s *settlement) panicked() {
	if p := recover(); p != nil {
		s.broken(Report{}, panicError(p))
		panic(p)
	}
}

func (s *settlement) firstByte() {
	a := s.attempt()
	a.FirstByteMS = s.station.Now().Sub(a.Started).Milliseconds()
}

// served settles an answer that is whole.
func (s *settlement) served(r Report) {
	if s.close(r) {
		return
	}
	s.settle(r, s.atMost)
}

// broken settles an answer that ended early.
func (s *settlement) broken(r Report, err error) {
	if s.close(r) {
		return
	}
	s.fail(err)
	s.settle(r, s.allOf)
}

// settle books what was reported at the end, be it that the answer broke behind it: nothing of it is open any more. Else
// it books what the bound says of a usage that was held, or an estimate where nothing was.
func (s *settlement) settle(r Report, bound func(Report, signalbox.Usage) signalbox.Usage) {
	switch held := s.attempt().HeldUsage; {
	case r.final():
		s.book(*r.Usage, signalbox.BasisReported, s.exact)
	case held == nil:
		s.book(s.estimate(r), signalbox.BasisEstimated, s.exact)
	case s.inputKnown(r):
		s.book(bound(r, *held), signalbox.BasisEstimated, s.exact)
	default:
		s.book(bound(r, *held), signalbox.BasisEstimated, s.ofHeld)
	}
}

// refused settles an attempt that never began to answer. An upstream that answered with an error status bills nothing;
// one that fell silent after the call was sent, or broke off a good answer, may bill all of it.
func (s *settlement) refused(err error) {
	var ae *AttemptError
	if errors.As(err, &ae) && ae.Sent && !ae.Undone && ae.HTTPStatus < http.StatusMultipleChoices {
		s.broken(Report{HTTPStatus: ae.HTTPStatus}, err)
		return
	}
	if s.close(Report{}) {
		return
	}
	s.fail(err)
	if ae != nil {
		s.attempt().HTTPStatus = ae.HTTPStatus
	}
	s.spend()
}

func (s *settlement) fail(err error) {
	e := signalbox.AsError(err)
	s.attempt().Code, s.attempt().Message = e.Code, e.Message
}

// close notes the end and reports whether the attempt was settled before.
func (s *settlement) close(r Report) (before bool) {
	if s.done {
		return true
	}
	s.done = true
	a := s.attempt()
	a.DurationMS = s.station.Now().Sub(a.Started).Milliseconds()
	a.Finish, a.ResponseID, a.ResponseName, a.HTTPStatus = r.Finish, r.ResponseID, r.ResponseName, r.HTTPStatus
	s.track.Excerpt = r.Excerpt
	return false
}

func (r Report) final() bool { return r.Usage != nil && r.Usage.Valid() }

// inputKnown reports whether the input was reported before the end and can not grow any more.
func (s *settlement) inputKnown(r Report) bool {
	m := s.track.Call.Model
	return m != nil && !m.External && r.Early != nil && r.Early.Valid()
}

// allOf is everything that was held, but for the input where it is known.
func (s *settlement) allOf(r Report, held signalbox.Usage) signalbox.Usage {
	u := held
	if s.inputKnown(r) {
		u = *r.Early
		u.Output = max(u.Output, held.Output)
	}
	return u
}

// atMost is what a whole answer without usage can have come to.
func (s *settlement) atMost(r Report, held signalbox.Usage) signalbox.Usage {
	u := s.allOf(r, held)
	if r.Hidden {
		return u
	}
	u.Output = min(u.Output, r.OutputBytes+AnswerOverhead*int64(s.choices()))
	if s.inputKnown(r) {
		u.Output = max(u.Output, r.Early.Output)
	}
	u.Reasoning = min(u.Reasoning, u.Output)
	return u
}

func (s *settlement) choices() int {
	if m := s.track.Call.Model; m != nil {
		return max(m.Choices, 1)
	}
	return 1
}

// estimate counts tokens from bytes, and never less than what the provider did report.
func (s *settlement) estimate(r Report) signalbox.Usage {
	u := signalbox.Usage{}
	if r.Early != nil && r.Early.Valid() {
		u = *r.Early
	}
	if s.track.Call.Kind == signalbox.KindModel {
		if u.Input == 0 {
			u.Input = tokens(int64(len(s.track.Call.Body)))
		}
		u.Output = max(u.Output, tokens(r.OutputBytes))
	}
	return u
}

func tokens(bytes int64) int64 {
	return (bytes + EstimateBytesPerToken - 1) / EstimateBytesPerToken
}

// running estimates what the call has cost so far.
func (s *settlement) running(r Report) signalbox.Money {
	u := s.estimate(r)
	if r.final() {
		u = *r.Usage
	}
	cost := s.candidate.Price.RatesFor(u.Input).Cost(u)
	for _, earlier := range s.track.Attempts[:s.index] {
		if earlier.Cost != nil {
			cost = cost.Plus(*earlier.Cost)
		}
	}
	return cost
}

// pricing gives the rates that apply to a usage, and its cost.
type pricing func(signalbox.Price, signalbox.Usage) (signalbox.Rates, signalbox.Money)

// book computes the cost and hands it to the ledger.
func (s *settlement) book(u signalbox.Usage, basis signalbox.Basis, of pricing) {
	a := s.attempt()
	a.Basis = basis
	if s.track.Call.Kind == signalbox.KindModel {
		a.Usage = &u
	}
	p := s.candidate.Price
	switch {
	case p != nil:
		rates, cost := of(*p, u)
		a.Rates, a.RateSource, a.RateDate, a.Cost = &rates, p.Source, p.Effective, &cost
	case s.track.Call.Kind == signalbox.KindModel:
		a.Basis = signalbox.BasisUnpriced
	default: // A tool without a price is free.
		a.Basis = signalbox.BasisNone
	}
	s.spend()
}

// exact prices a usage whose input is known.
func (s *settlement) exact(p signalbox.Price, u signalbox.Usage) (signalbox.Rates, signalbox.Money) {
	rates := p.RatesFor(u.Input)
	return rates, rates.Cost(u)
}

// ofHeld prices a usage whose input is the held one. What it really was, and how much of it went to a cache, nobody said:
// the hold was made at the dearest rates, and only output that can not have been is taken off it, at the cheapest.
func (s *settlement) ofHeld(p signalbox.Price, u signalbox.Usage) (signalbox.Rates, signalbox.Money) {
	rates, cost := s.exact(p, u)
	a := s.attempt()
	if a.Held == nil {
		return rates, cost
	}
	cheapest := p.Output
	for _, t := range p.Tiers {
		cheapest = min(cheapest, t.Rates.Output)
	}
	off := signalbox.Rates{Output: cheapest}.Cost(signalbox.Usage{Output: a.HeldUsage.Output - u.Output})
	if off > 0 {
		off-- // It was rounded up.
	}
	return rates, *a.Held - min(off, *a.Held)
}

// spend tells the ledger what the attempt came to.
func (s *settlement) spend() {
	if s.track.Tab != nil {
		s.track.Tab.Spend(s.attempt())
	}
}
