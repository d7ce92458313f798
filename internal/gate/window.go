package gate

import (
	"fmt"
	"math"
	"time"

	"github.com/signalbox/signalbox"
)

// counter is the state of one limit: how much of it is taken. The zero counter is unused. For a limit with a window,
// start is when the counted window began.
type counter struct {
	start time.Time
	used  int64
}

// bound is one limit that a call is under.
type bound struct {
	owner account
	limit rate
	zone  *time.Location // In which its windows begin at full hours and at midnight; nil is UTC.
}

// rate is a budget of requests or concurrency.
type rate struct {
	Unit signalbox.Unit
	Per  time.Duration
	Max  int64
}

func rates(budgets []signalbox.Budget) []rate {
	var out []rate
	for _, b := range budgets {
		if b.Unit == signalbox.UnitRequests || b.Unit == signalbox.UnitConcurrent {
			out = append(out, rate{b.Unit, b.Per.Duration(), b.Max})
		}
	}
	return out
}

// account is whom a limit belongs to.
type account struct {
	kind string // "tenant" or "key".
	id   string
}

// refusal says which limit has no room, and when it may have.
type refusal struct {
	bound bound
	after time.Duration
}

// concurrentRetry is when a retry makes sense where no window says it: calls in flight end any time.
const concurrentRetry = time.Second

// take decides about one call that wants one place under each of the bounds: state i belongs to bound i. It returns the
// states after the call was admitted, or the first bound without room and the states with windows turned, but nothing
// taken. It changes nothing it was given.
func take(now time.Time, bounds []bound, state []counter) ([]counter, *refusal) {
	next := make([]counter, len(state))
	var refused *refusal
	for i, b := range bounds {
		next[i] = turn(now, b.limit, b.zone, state[i])
		if next[i].used >= b.limit.Max && refused == nil {
			refused = &refusal{bound: b, after: wait(now, b.limit, next[i])}
		}
	}
	if refused != nil {
		return next, refused
	}
	for i := range next {
		next[i].used++
	}
	return next, nil
}

// give gives back one place of a limit without a window. A place in a window is never given back: the call was made.
func give(limit rate, c counter) counter {
	if limit.Unit == signalbox.UnitConcurrent && c.used > 0 {
		c.used--
	}
	return c
}

// turn starts a new window if the counted one is over. A clock that was set back stays in the counted window, so that it
// frees no room.
func turn(now time.Time, limit rate, zone *time.Location, c counter) counter {
	if limit.Unit != signalbox.UnitRequests {
		return c
	}
	if start := windowStart(now, limit.Per, zone); start.After(c.start) {
		return counter{start: start}
	}
	return c
}

// day is the window that follows the calendar.
const day = 24 * time.Hour

// windowStart is when the window began that now is in, by the clock on the wall in the zone.
func windowStart(now time.Time, per time.Duration, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	if per == day { // Not always 24 hours long.
		year, month, date := now.In(zone).Date()
		return time.Date(year, month, date, 0, 0, 0, 0, zone).UTC()
	}
	_, offset := now.In(zone).Zone()
	shift := time.Duration(offset) * time.Second
	return now.UTC().Add(shift).Truncate(per).Add(-shift)
}

// wait is how long it takes until the limit may have room.
func wait(now time.Time, limit rate, c counter) time.Duration {
	if limit.Unit != signalbox.UnitRequests {
		return concurrentRetry
	}
	return max(c.start.Add(limit.Per).Sub(now), concurrentRetry) // A day may be an hour longer than its limit says.
}

// idle reports whether the counter equals the zero counter in every later decision.
func idle(now time.Time, limit rate, zone *time.Location, c counter) bool {
	return turn(now, limit, zone, c).used == 0
}

// MaxLimit is the largest count that a limit may allow.
const MaxLimit = math.MaxInt32

// checkLimits refuses limits that the gate could not keep.
func checkLimits(limits []rate) error {
	for i, l := range limits {
		if err := checkLimit(l); err != nil {
			err.Field = fmt.Sprintf("limits[%d].%s", i, err.Field)
			return err
		}
	}
	return nil
}

func checkLimit(l rate) *signalbox.Error {
	switch {
	case l.Unit != signalbox.UnitRequests && l.Unit != signalbox.UnitConcurrent:
		return signalbox.Errorf(signalbox.CodeInvalid, "%q is not a unit of limits.", clip(string(l.Unit))).
			WithField("unit").WithRemedy("Use requests or concurrent.")
	case l.Max < 1 || l.Max > MaxLimit:
		return signalbox.Errorf(signalbox.CodeInvalid, "A limit of %d is out of range.", l.Max).
			WithField("max").WithRemedy(fmt.Sprintf("Use 1 to %d.", MaxLimit))
	case l.Unit == signalbox.UnitRequests && l.Per < time.Second:
		return signalbox.Errorf(signalbox.CodeInvalid, "A limit of requests needs a window of a second or more.").
			WithField("per").WithRemedy("Use second, minute, hour or day.")
	case l.Unit == signalbox.UnitConcurrent && l.Per != 0:
		return signalbox.Errorf(signalbox.CodeInvalid, "A limit of concurrent calls has no window.").
			WithField("per").WithRemedy("Remove it.")
	}
	return nil
}

// describe names a limit for a message: "600 requests per minute of tenant acme".
func (b bound) describe() string {
	what := fmt.Sprintf("%d concurrent calls", b.limit.Max)
	if b.limit.Unit == signalbox.UnitRequests {
		what = fmt.Sprintf("%d requests per %s", b.limit.Max, windowName(b.limit.Per))
	}
	return fmt.Sprintf("%s of %s %s", what, b.owner.kind, b.owner.id)
}

func windowName(per time.Duration) string {
	switch per {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	case 7 * 24 * time.Hour:
		return "week"
	}
	return per.String()
}
