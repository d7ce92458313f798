package gate

import (
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// limiter keeps the counters of all limits and the number of calls in flight.
type limiter struct {
	mu       sync.Mutex
	counters map[counterKey]*counter
	sweepAt  int // Number of counters at which idle ones are dropped.
	inFlight int64
	max      int64
}

// counterKey tells counters apart. The limit's maximum is no part of it: when it changes, what was counted stays.
type counterKey struct {
	owner account
	unit  signalbox.Unit
	per   time.Duration
	zone  *time.Location
}

// minSweep is the number of counters below which idle ones are left alone.
const minSweep = 1024

func newLimiter(maxInFlight int64) *limiter {
	return &limiter{counters: map[counterKey]*counter{}, sweepAt: minSweep, max: maxInFlight}
}

// place is what a call holds under a limit of concurrent calls. Its counter is not idle while it is held, so that no
// sweep drops it.
type place struct {
	limit   rate
	counter *counter
}

// take takes one place under every bound and one of the process, or none and says why. The bounds are distinct (see
// [distinct]). What it returns must be given back with give, once.
func (l *limiter) take(now time.Time, bounds []bound) ([]place, *signalbox.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inFlight >= l.max {
		return nil, signalbox.Errorf(signalbox.CodeUnavailable, "Signalbox is serving %d calls at once, which is its limit.", l.max).
			WithRemedy("Retry shortly; the operator can raise max_concurrent.").WithRetryAfter(concurrentRetry)
	}
	l.sweep(now)
	state, held := make([]counter, len(bounds)), make([]place, len(bounds))
	for i, b := range bounds {
		held[i] = place{b.limit, l.counter(b.key())}
		state[i] = *held[i].counter
	}
	next, refused := take(now, bounds, state)
	for i := range held {
		*held[i].counter = next[i]
	}
	if refused != nil {
		return nil, refused.error()
	}
	l.inFlight++
	return held, nil
}

func (l *limiter) counter(key counterKey) *counter {
	c := l.counters[key]
	if c == nil {
		c = &counter{}
		l.counters[key] = c
	}
	return c
}

// give gives back what take took.
func (l *limiter) give(held []place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	for _, p := range held {
		*p.counter = give(p.limit, *p.counter)
	}
}

// sweep drops idle counters when their number has doubled since the last time.
func (l *limiter) sweep(now time.Time) {
	if len(l.counters) < l.sweepAt {
		return
	}
	for key, c := range l.counters {
		if idle(now, rate{Unit: key.unit, Per: key.per}, key.zone, *c) {
			delete(l.counters, key)
		}
	}
	l.sweepAt = max(minSweep, 2*len(l.counters))
}

func (b bound) key() counterKey {
	return counterKey{owner: b.owner, unit: b.limit.Unit, per: b.limit.Per, zone: b.zone}
}

func (r *refusal) error() *signalbox.Error {
	remedy := "Retry after the time given, or ask an admin for a higher limit."
	if r.bound.limit.Unit == signalbox.UnitConcurrent {
		remedy = "Wait for an earlier call to end, or ask an admin for a higher limit."
	}
	return signalbox.Errorf(signalbox.CodeRateLimited, "The limit of %s is reached.", r.bound.describe()).
		WithRemedy(remedy).WithRetryAfter(r.after)
}

// distinct gives the bounds of limits of some accounts. Where an account has two limits with one unit and window, the
// lower one counts.
func distinct(bounds []bound) []bound {
	out := bounds[:0]
next:
	for _, b := range bounds {
		for i := range out {
			if out[i].key() == b.key() {
				out[i].limit.Max = min(out[i].limit.Max, b.limit.Max)
				continue next
			}
		}
		out = append(out, b)
	}
	return out
}
