package budget_test

import (
	"testing"
	"time"
	_ "time/tzdata" // The tests do not depend on the zones of the machine.

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// calendarWindows are the windows that have a start.
var calendarWindows = []signalbox.Window{
	signalbox.WindowSecond, signalbox.WindowMinute, signalbox.WindowHour, signalbox.WindowDay, signalbox.WindowWeek,
	signalbox.WindowMonth,
}

// oddZones have had whatever can happen to a calendar: clocks that change at midnight, by half an hour, to the day
// before, dates that were skipped, offsets with minutes and seconds.
var oddZones = []string{
	"UTC", "Asia/Seoul", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
	"America/Sao_Paulo", "Asia/Beirut", "America/St_Johns", "Pacific/Apia", "Pacific/Kiritimati", "Africa/Cairo",
	"America/Havana", "Asia/Pyongyang", "America/Caracas", "Antarctica/Troll", "Africa/Monrovia", "Asia/Tehran",
}

func TestWindowsFollowTheCalendarOfTheZone(t *testing.T) {
	tests := []struct {
		name       string
		zone       string
		w          signalbox.Window
		now        string
		start, end string
	}{
		{"a second", "UTC", signalbox.WindowSecond, "2026-11-22T14:59:07Z", "2026-11-22T14:59:07Z", "2026-11-22T14:59:08Z"},
		{"a minute", "Asia/Kathmandu", signalbox.WindowMinute, "2026-11-22T14:20:30Z", "2026-11-22T14:20:00Z", "2026-11-22T14:21:00Z"},
		{"an hour with an offset of three quarters", "Asia/Kathmandu", signalbox.WindowHour, "2026-11-22T14:20:00Z", "2026-11-22T14:15:00Z", "2026-11-22T15:15:00Z"},
		{"an hour with an offset of a half", "Asia/Kolkata", signalbox.WindowHour, "2026-11-22T14:29:59Z", "2026-11-22T13:30:00Z", "2026-11-22T14:30:00Z"},
		{"a day in UTC", "UTC", signalbox.WindowDay, "2026-11-22T14:59:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"the last second before a midnight", "Asia/Seoul", signalbox.WindowDay, "2026-11-22T14:59:59Z", "2026-11-21T15:00:00Z", "2026-11-22T15:00:00Z"},
		{"a midnight itself", "Asia/Seoul", signalbox.WindowDay, "2026-11-22T15:00:00Z", "2026-11-22T15:00:00Z", "2026-11-23T15:00:00Z"},
		{"a day of India", "Asia/Kolkata", signalbox.WindowDay, "2026-11-22T18:30:00Z", "2026-11-22T18:30:00Z", "2026-11-23T18:30:00Z"},
		{"a week begins on Monday", "UTC", signalbox.WindowWeek, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
		{"a week ends on Sunday", "UTC", signalbox.WindowWeek, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"a week over the end of a year", "Asia/Seoul", signalbox.WindowWeek, "2026-01-01T00:00:00Z", "2025-12-28T15:00:00Z", "2026-01-04T15:00:00Z"},
		{"the last day of January", "UTC", signalbox.WindowMonth, "2026-01-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"February of a leap year", "UTC", signalbox.WindowMonth, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"February of a year that is none", "UTC", signalbox.WindowMonth, "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"},
		{"the end of a year", "Asia/Seoul", signalbox.WindowMonth, "2026-12-31T15:00:00Z", "2026-12-31T15:00:00Z", "2027-01-31T15:00:00Z"},

		{"a day of 23 hours", "America/New_York", signalbox.WindowDay, "2026-03-08T20:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"a day of 25 hours", "America/New_York", signalbox.WindowDay, "2026-11-01T20:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"a day of 24 and a half hours", "Australia/Lord_Howe", signalbox.WindowDay, "2026-04-05T05:00:00Z", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"a week with a change", "Europe/Berlin", signalbox.WindowWeek, "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"a month with a change", "Europe/Berlin", signalbox.WindowMonth, "2026-10-31T12:00:00Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"},
		{"the hour before clocks go forward", "America/New_York", signalbox.WindowHour, "2026-03-08T06:59:59Z", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"},
		{"the hour after clocks went forward", "America/New_York", signalbox.WindowHour, "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"},
		{"an hour for the first time", "America/New_York", signalbox.WindowHour, "2026-11-01T05:30:00Z", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"},
		{"the same hour for the second time", "America/New_York", signalbox.WindowHour, "2026-11-01T06:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"},
		{"half an hour again", "Australia/Lord_Howe", signalbox.WindowHour, "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"},
		{"what is left of an hour that began later", "Australia/Lord_Howe", signalbox.WindowHour, "2026-10-03T15:40:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},

		{"the last hour of a leap year that only a rule describes", "America/New_York", signalbox.WindowHour, "2056-12-31T00:30:00Z", "2056-12-31T00:00:00Z", "2056-12-31T01:00:00Z"},
		{"the last day of such a year", "America/New_York", signalbox.WindowDay, "2056-12-31T12:00:00Z", "2056-12-31T05:00:00Z", "2057-01-01T05:00:00Z"},
		{"an hour over the end of such a year in UTC", "Australia/Lord_Howe", signalbox.WindowHour, "2055-12-31T23:40:00Z", "2055-12-31T23:00:00Z", "2056-01-01T00:00:00Z"},
		{"a day without a midnight", "America/Sao_Paulo", signalbox.WindowDay, "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"the day before a midnight that is skipped", "America/Sao_Paulo", signalbox.WindowDay, "2018-11-04T02:59:59Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"another day without a midnight", "Asia/Beirut", signalbox.WindowDay, "2026-03-29T09:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
		{"the last hour of a day again", "America/Sao_Paulo", signalbox.WindowDay, "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"a midnight that comes twice begins the day once", "America/Havana", signalbox.WindowDay, "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"a day that goes back to the day before", "America/St_Johns", signalbox.WindowDay, "2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
		{"the day before that", "America/St_Johns", signalbox.WindowDay, "2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z", "2010-11-07T02:30:00Z"},
		{"the day before a date that was skipped", "Pacific/Apia", signalbox.WindowDay, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"the day after a date that was skipped", "Pacific/Apia", signalbox.WindowDay, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, end := budget.WindowStart(instant(t, tt.now), tt.w, zone(t, tt.zone))
			if got := start.Format(time.RFC3339) + " to " + end.Format(time.RFC3339); got != tt.start+" to "+tt.end {
				t.Errorf("got %s, want %s to %s", got, tt.start, tt.end)
			}
		})
	}
}

func TestNoZoneIsUTC(t *testing.T) {
	start, end := budget.WindowStart(instant(t, "2026-11-22T14:59:00+09:00"), signalbox.WindowDay, nil)
	if got, want := start, instant(t, "2026-11-22T00:00:00Z"); !got.Equal(want) || end.Sub(start) != 24*time.Hour {
		t.Errorf("got %s to %s", start, end)
	}
}

func TestARunsLifeAndNoWindowHaveNoStart(t *testing.T) {
	for _, w := range []signalbox.Window{signalbox.WindowRun, signalbox.WindowNone, "fortnight"} {
		if start, end := budget.WindowStart(time.Unix(1, 0), w, time.UTC); !start.IsZero() || !end.IsZero() {
			t.Errorf("%q: got %s to %s", w, start, end)
		}
	}
}

// drawInstant prefers the days around changes of clocks, which are rare among all instants.
func drawInstant(t *rapid.T, zone *time.Location) time.Time {
	const year1960, year2100 = -315_619_200, 4_102_444_800
	at := time.Unix(rapid.Int64Range(year1960, year2100).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
	if rapid.Bool().Draw(t, "anywhere") {
		return at
	}
	if _, change := at.In(zone).ZoneBounds(); !change.IsZero() {
		at = change.Add(time.Duration(rapid.Int64Range(int64(-50*time.Hour), int64(50*time.Hour)).Draw(t, "from the change")))
	}
	return at
}

func TestWindowsTileTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(oddZones).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		w := rapid.SampledFrom(calendarWindows).Draw(t, "window")
		now := drawInstant(t, zone)
		start, end := budget.WindowStart(now, w, zone)
		if start.After(now) || !end.After(now) || start.Location() != time.UTC || end.Location() != time.UTC ||
			start.Nanosecond() != 0 || end.Nanosecond() != 0 {
			t.Fatalf("%s is not in %s to %s", now, start, end)
		}
		if longest := w.Duration() + 50*time.Hour; end.Sub(start) > longest {
			t.Fatalf("%s to %s is longer than %s", start, end, longest)
		}
		inside := start.Add(time.Duration(rapid.Int64Range(0, int64(end.Sub(start))-1).Draw(t, "inside")))
		for _, same := range []time.Time{start, end.Add(-1), inside} {
			if s, e := budget.WindowStart(same, w, zone); !s.Equal(start) || !e.Equal(end) {
				t.Fatalf("%s is in %s to %s, %s in %s to %s", now, start, end, same, s, e)
			}
		}
		if s, _ := budget.WindowStart(end, w, zone); !s.Equal(end) {
			t.Fatalf("%s to %s is followed by what began at %s", start, end, s)
		}
		if _, e := budget.WindowStart(start.Add(-1), w, zone); !e.Equal(start) {
			t.Fatalf("%s to %s follows what ended at %s", start, end, e)
		}
	})
}

func TestDaysBeginWhereTheClockFirstShowsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(oddZones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		day := func(at time.Time) string { return at.In(zone).Format(time.DateOnly) }
		start, end := budget.WindowStart(drawInstant(t, zone), signalbox.WindowDay, zone)
		if before := start.Add(-time.Second); day(before) >= day(start) {
			t.Fatalf("the clock shows %s before %s begins", day(before), day(start))
		}
		for at := start; at.Before(end); at = at.Add(time.Minute) {
			if day(at) > day(start) {
				t.Fatalf("the clock shows %s at %s, in the window of %s", day(at), at, day(start))
			}
		}
	})
}
