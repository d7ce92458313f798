// Package breaker decides whether to try something that has failed again and again.
//
// # Concepts
//
// A [Breaker] is closed, open or half open. Closed, everything may pass, and failures in a row are counted. When there are
// as many as its [Rules] say, it opens: nothing may pass for a pause. After that it is half open: one may pass as a probe. A probe
// that succeeds closes it; one that fails opens it again, for twice the pause, up to a longest one.
//
// # Invariants
//
//   - It is a pure decider: it has no clock, no goroutine and no lock. Whoever uses it from several goroutines guards it.
//   - One probe at a time. What passed before it opened, and ends while it is open, neither closes it nor lengthens its pause.
//   - A Breaker without rules (the zero value) lets everything pass.
package breaker

import "time"

// Rules of a breaker.
type Rules struct {
	Failures int           // In a row, that open it; 0: it never opens.
	Within   time.Duration // A failure so long after the one before it begins a new row; 0: however long.
	Pause    time.Duration // The first one.
	MaxPause time.Duration // The longest one.
}

// State of a breaker.
type State string

// The states.
const (
	Closed   State = "closed"
	Open     State = "open"
	HalfOpen State = "half_open"
)

// Verdict is what became of something that passed.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota // It says nothing, such as when the caller left.
	Succeeded
	Failed
)

// Pass is what somebody got who may pass. He hands it back with [Breaker.Done], once.
type Pass struct{ probe bool }

// Probe reports whether all others wait for what becomes of it.
func (p Pass) Probe() bool { return p.probe }

// Breaker is the state machine. The zero value never opens.
type Breaker struct {
	Rules
	failures int
	last     time.Time // The last failure.
	openings int       // In a row.
	until    time.Time // The end of the pause.
	probing  bool
}

// Allow says whether one more may pass now, and if not, after how long it is worth asking again.
func (b *Breaker) Allow(now time.Time) (pass Pass, wait time.Duration, ok bool) {
	switch b.State(now) {
	case Open:
		return Pass{}, b.until.Sub(now), false
	case HalfOpen:
		if b.probing {
			return Pass{}, b.Pause, false
		}
		b.probing = true
		return Pass{probe: true}, 0, true
	case Closed:
	}
	return Pass{}, 0, true
}

// Done says what became of one that passed. It reports whether that has opened the breaker.
func (b *Breaker) Done(p Pass, v Verdict, now time.Time) (opened bool) {
	if !p.probe && b.openings > 0 {
		return false // It passed before the breaker opened.
	}
	if p.probe {
		b.probing = false
	}
	switch v {
	case Succeeded:
		b.Reset()
	case Failed:
		return b.Fail(now)
	case Unknown:
	}
	return false
}

// Fail counts a failure of which somebody knows otherwise, in any state, and reports whether the breaker is open by it.
func (b *Breaker) Fail(now time.Time) (opened bool) {
	if b.Failures == 0 {
		return false
	}
	if b.openings == 0 && b.Within > 0 && now.Sub(b.last) > b.Within {
		b.failures = 0
	}
	b.failures++
	b.last = now
	if b.failures < b.Failures {
		return false
	}
	b.until = now.Add(min(b.MaxPause, b.Pause<<min(b.openings, 20)))
	b.openings++
	return true
}

// Reset closes the breaker and forgets all failures.
func (b *Breaker) Reset() { *b = Breaker{Rules: b.Rules} }

// State gives the state.
func (b *Breaker) State(now time.Time) State {
	switch {
	case b.openings == 0:
		return Closed
	case now.Before(b.until):
		return Open
	}
	return HalfOpen
}

// Until is the end of the pause of an open breaker; zero where it is not open.
func (b *Breaker) Until(now time.Time) time.Time {
	if b.State(now) != Open {
		return time.Time{}
	}
	return b.until
}

// Row is how many failures there were in a row.
func (b *Breaker) Row() int { return b.failures }
