package call

import (
	"errors"
	"net/http"

	"github.com/signalbox/signalbox"
)

// EstimateBytesPerToken turns bytes into tokens where the provider reported none. Three is on the high side for English
// and about right for Korean and code; the figure is marked as estimated wherever it is used.
const EstimateBytesPerToken = 3

// settlement fills in what one attempt has come to, once.
type settlement struct {
	station   *Attempter
	track     *Track
	candidate signalbox.Candidate
	index     int
	done      bool
}

func (s *settlement) attempt() *signalbox.Attempt { return &s.track.Attempts[s.index] }

func (s *settlement) firstByte() {
	a := s.attempt()
	a.FirstByteMS = s.station.Now().Sub(a.Started).Milliseconds()
}

// served settles an answer that is whole.
func (s *settlement) served(r Report) {
	if s.close(r) {
		return
	}
	if r.Usage != nil && r.Usage.Valid() {
		s.price(*r.Usage, signalbox.BasisReported)
		return
	}
	s.price(s.estimate(r), signalbox.BasisEstimated)
}

// broken settles an answer that ended early. What was reported so far is a lower bound, and so is what passed.
func (s *settlement) broken(r Report, err error) {
	if s.close(r) {
		return
	}
	s.fail(err)
	s.price(s.estimate(r), signalbox.BasisEstimated)
}

// refused settles an attempt that never began to answer. An upstream that answered with an error status bills nothing;
// one that fell silent after the call was sent, or broke off a good answer, may bill the input.
func (s *settlement) refused(err error) {
	if s.close(Report{}) {
		return
	}
	s.fail(err)
	var ae *AttemptError
	if !errors.As(err, &ae) {
		return
	}
	s.attempt().HTTPStatus = ae.HTTPStatus
	if ae.Sent && ae.HTTPStatus < http.StatusMultipleChoices {
		s.price(s.estimate(Report{}), signalbox.BasisEstimated)
	}
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

// estimate counts tokens from bytes, and never less than what the provider did report.
func (s *settlement) estimate(r Report) signalbox.Usage {
	u := signalbox.Usage{}
	if r.Usage != nil && r.Usage.Valid() {
		u = *r.Usage
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

// price computes the cost at the rates that hold for this much input.
func (s *settlement) price(u signalbox.Usage, basis signalbox.Basis) {
	a := s.attempt()
	a.Basis = basis
	if s.track.Call.Kind == signalbox.KindModel {
		a.Usage = &u
	}
	p := s.candidate.Price
	switch {
	case p != nil:
		rates := p.RatesFor(u.Input)
		cost := rates.Cost(u)
		a.Rates, a.RateSource, a.RateDate, a.Cost = &rates, p.Source, p.Effective, &cost
	case s.track.Call.Kind == signalbox.KindModel:
		a.Basis = signalbox.BasisUnpriced
	default: // A tool without a price is free.
		a.Basis = signalbox.BasisNone
	}
}
