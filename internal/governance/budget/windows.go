package budget

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
)

// WindowStart gives the window that now is in by the calendar of the zone (nil is UTC): start ≤ now < end, both in UTC
// and whole seconds. Both are zero for a run's life and for no window.
//
// Seconds, minutes and hours follow the clock on the wall. Where clocks change within one it ends there, and what
// follows is a window of its own; where they change by whole hours, as nearly everywhere, every hour has sixty minutes.
//
// Days, weeks and months begin at the first instant at which the clock on the wall shows their first date or a later
// one: later than midnight where clocks skip it, and not a second time where they go back across it. A date that was
// skipped has no window.
func WindowStart(now time.Time, w signalbox.Window, zone *time.Location) (start, end time.Time) {
	if zone == nil {
		zone = time.UTC
	}
	switch w {
	case signalbox.WindowSecond, signalbox.WindowMinute, signalbox.WindowHour:
		return clockWindow(now, w.Duration(), zone)
	case signalbox.WindowDay, signalbox.WindowWeek, signalbox.WindowMonth:
		return dateWindow(now, w, zone)
	case signalbox.WindowNone, signalbox.WindowRun:
	}
	return time.Time{}, time.Time{}
}

// clockWindow cuts off full lengths of the local time, within the period in which the zone's offset stays the same.
func clockWindow(now time.Time, length time.Duration, zone *time.Location) (start, end time.Time) {
	shift := offset(now, zone)
	start = now.UTC().Add(shift).Truncate(length).Add(-shift)
	end = start.Add(length)
	if edge := change(start, end, zone); edge.After(now) {
		end = edge
	} else {
		start = edge
	}
	return start, end
}

// dateWindow looks at the date that the clock shows, and at later ones where it had already shown them before it went
// back.
func dateWindow(now time.Time, w signalbox.Window, zone *time.Location) (start, end time.Time) {
	date := firstDate(now.In(zone), w)
	start = firstInstant(date, zone)
	for {
		date = nextDate(date, w)
		end = firstInstant(date, zone)
		if now.Before(end) {
			return start, end
		}
		start = end
	}
}

// firstDate is the first date of the window in which the local time is. Dates are midnights in UTC, whatever the zone.
func firstDate(local time.Time, w signalbox.Window) time.Time {
	year, month, day := local.Date()
	switch w { //nolint:exhaustive // Only these have dates.
	case signalbox.WindowMonth:
		day = 1
	case signalbox.WindowWeek:
		day -= (int(local.Weekday()) + 6) % 7 // Days since Monday.
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func nextDate(date time.Time, w signalbox.Window) time.Time {
	switch w { //nolint:exhaustive // Only these have dates.
	case signalbox.WindowMonth:
		return date.AddDate(0, 1, 0)
	case signalbox.WindowWeek:
		return date.AddDate(0, 0, 7)
	}
	return date.AddDate(0, 0, 1)
}

// farOffset is more than any zone is away from UTC, so that no clock shows a date so long before it begins in UTC.
const farOffset = 26 * time.Hour

// firstInstant is the first instant at which the clock in the zone shows midnight of the date, or later.
func firstInstant(date time.Time, zone *time.Location) time.Time {
	for at := date.Add(-farOffset); ; {
		end := change(at, at.Add(time.Hour), zone)
		first := date.Add(-offset(at, zone))
		if first.Before(at) {
			first = at
		}
		if first.Before(end) {
			return first
		}
		at = end
	}
}

// change is when the zone's offset first differs from that at start; end where it does not before then. Both are whole
// seconds, no more than an hour apart: clocks do not change twice within one. [time.Time.ZoneBounds] would say more, but
// where a zone is given by a rule it ends a leap year a day early.
func change(start, end time.Time, zone *time.Location) time.Time {
	before, last := offset(start, zone), int(end.Sub(start)/time.Second)-1
	if offset(start.Add(time.Duration(last)*time.Second), zone) == before {
		return end
	}
	after := sort.Search(last, func(i int) bool {
		return offset(start.Add(time.Duration(i)*time.Second), zone) != before
	})
	return start.Add(time.Duration(after) * time.Second)
}

func offset(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// calendar remembers the latest window of each length in one zone: calls come in the order of time, nearly.
type calendar struct {
	zone  *time.Location
	spans [6]atomic.Pointer[span]
	whole span // Of a run's life and of calls in flight.
}

func newCalendar(zone *time.Location) *calendar {
	return &calendar{zone: zone, whole: span{text: "-"}}
}

// span is a window, with its start as identities of accounts have it.
type span struct {
	start, end time.Time
	text       string
}

// at gives the window that now is in. As long as it is the latest one, it is the same span.
func (c *calendar) at(now time.Time, w signalbox.Window) *span {
	i := spanIndex(w)
	if i < 0 {
		return &c.whole
	}
	if s := c.spans[i].Load(); s != nil && !now.Before(s.start) && now.Before(s.end) {
		return s
	}
	s := &span{}
	s.start, s.end = WindowStart(now, w, c.zone)
	s.text = s.start.Format(time.RFC3339)
	c.spans[i].Store(s)
	return s
}

// spanIndex is the place of the window in a calendar; -1 for what has no start.
func spanIndex(w signalbox.Window) int {
	switch w {
	case signalbox.WindowSecond:
		return 0
	case signalbox.WindowMinute:
		return 1
	case signalbox.WindowHour:
		return 2
	case signalbox.WindowDay:
		return 3
	case signalbox.WindowWeek:
		return 4
	case signalbox.WindowMonth:
		return 5
	case signalbox.WindowNone, signalbox.WindowRun:
	}
	return -1
}
