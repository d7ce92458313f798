package gate

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

// naive keeps every admitted call and counts anew each time.
type naive struct {
	bounds   []bound
	admitted []time.Time
	inFlight int64
}

func (m *naive) room(now time.Time) bool {
	for _, b := range m.bounds {
		n := m.inFlight
		if b.limit.Unit == signalbox.UnitRequests {
			n = 0
			for _, at := range m.admitted {
				if at.Truncate(b.limit.Per).Equal(now.Truncate(b.limit.Per)) {
					n++
				}
			}
		}
		if n >= b.limit.Max {
			return false
		}
	}
	return true
}

func drawBounds(t *rapid.T) []bound {
	pers := []time.Duration{time.Second, time.Minute, time.Hour, 0}
	var bounds []bound
	for i := range rapid.IntRange(0, 4).Draw(t, "bounds") {
		l := rate{Unit: signalbox.UnitRequests, Max: rapid.Int64Range(1, 4).Draw(t, "max")}
		if l.Per = rapid.SampledFrom(pers).Draw(t, "per"); l.Per == 0 {
			l.Unit = signalbox.UnitConcurrent
		}
		bounds = append(bounds, bound{owner: account{"key", string(rune('a' + i))}, limit: l})
	}
	return bounds
}

func TestTakeAgreesWithCountingEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := naive{bounds: drawBounds(t)}
		state, now := make([]counter, len(m.bounds)), noon
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "later")))
			if m.inFlight > 0 && rapid.Bool().Draw(t, "end a call") {
				m.inFlight--
				for i, b := range m.bounds {
					state[i] = give(b.limit, state[i])
				}
				continue
			}
			want := m.room(now)
			next, refused := take(now, m.bounds, state)
			if got := refused == nil; got != want {
				t.Fatalf("admitted %v, want %v; state %+v", got, want, state)
			}
			if state = next; want {
				m.admitted = append(m.admitted, now)
				m.inFlight++
			} else if refused.after <= 0 || refused.after > max(refused.bound.limit.Per, concurrentRetry) {
				t.Fatalf("retry after %v for %+v", refused.after, refused.bound)
			}
		}
	})
}

func TestTakeChangesNothingItWasGiven(t *testing.T) {
	bounds := []bound{
		{limit: rate{Unit: signalbox.UnitRequests, Per: time.Minute, Max: 5}},
		{limit: rate{Unit: signalbox.UnitConcurrent, Max: 1}},
	}
	state := []counter{{start: noon, used: 2}, {used: 1}}
	next, refused := take(noon, bounds, state)
	if refused == nil || refused.bound.limit.Unit != signalbox.UnitConcurrent || refused.after != concurrentRetry {
		t.Fatalf("got %+v", refused)
	}
	if state[0].used != 2 || next[0].used != 2 || next[1].used != 1 {
		t.Errorf("a refused call took a place: %+v, %+v", state, next)
	}
}

func TestClockSetBackFreesNoRoom(t *testing.T) {
	bounds := []bound{{limit: rate{Unit: signalbox.UnitRequests, Per: time.Minute, Max: 1}}}
	state, refused := take(noon, bounds, make([]counter, 1))
	if refused != nil {
		t.Fatal("the first call was refused")
	}
	_, refused = take(noon.Add(-10*time.Second), bounds, state)
	if refused == nil || refused.after != 70*time.Second {
		t.Errorf("got %+v, want a refusal for 70 s", refused)
	}
	if _, refused = take(noon.Add(time.Minute), bounds, state); refused != nil {
		t.Error("the next minute has no room")
	}
}

func TestGiveNeverGoesBelowZeroNorIntoAWindow(t *testing.T) {
	concurrent := rate{Unit: signalbox.UnitConcurrent, Max: 1}
	if got := give(concurrent, counter{}); got.used != 0 {
		t.Errorf("got %d", got.used)
	}
	if got := give(rate{Unit: signalbox.UnitRequests, Per: time.Minute, Max: 1}, counter{used: 1}); got.used != 1 {
		t.Errorf("got %d", got.used)
	}
}

func TestIdle(t *testing.T) {
	minute := rate{Unit: signalbox.UnitRequests, Per: time.Minute}
	concurrent := rate{Unit: signalbox.UnitConcurrent}
	cases := []struct {
		name  string
		limit rate
		c     counter
		want  bool
	}{
		{"window under way", minute, counter{start: noon, used: 1}, false},
		{"window over", minute, counter{start: noon.Add(-time.Minute), used: 1}, true},
		{"in flight", concurrent, counter{used: 1}, false},
		{"nobody in flight", concurrent, counter{}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := idle(noon, c.limit, nil, c.c); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestCheckLimits(t *testing.T) {
	cases := []struct {
		name, field string
		limit       rate
	}{
		{"unknown unit", "limits[0].unit", rate{Unit: "usd", Max: 1}},
		{"none allowed", "limits[0].max", rate{Unit: signalbox.UnitConcurrent}},
		{"negative", "limits[0].max", rate{Unit: signalbox.UnitConcurrent, Max: -1}},
		{"absurd", "limits[0].max", rate{Unit: signalbox.UnitConcurrent, Max: MaxLimit + 1}},
		{"requests without window", "limits[0].per", rate{Unit: signalbox.UnitRequests, Max: 1}},
		{"concurrent with window", "limits[0].per", rate{Unit: signalbox.UnitConcurrent, Max: 1, Per: time.Minute}},
		{"good", "", rate{Unit: signalbox.UnitRequests, Max: 1, Per: time.Minute}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := checkLimits([]rate{c.limit})
			if c.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantCode(t, err, signalbox.CodeInvalid); e.Field != c.field {
				t.Errorf("got field %q, want %q", e.Field, c.field)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	cases := map[string]rate{
		"7 concurrent calls of key k":    {Unit: signalbox.UnitConcurrent, Max: 7},
		"7 requests per second of key k": {Unit: signalbox.UnitRequests, Per: time.Second, Max: 7},
		"7 requests per minute of key k": {Unit: signalbox.UnitRequests, Per: time.Minute, Max: 7},
		"7 requests per hour of key k":   {Unit: signalbox.UnitRequests, Per: time.Hour, Max: 7},
		"7 requests per day of key k":    {Unit: signalbox.UnitRequests, Per: 24 * time.Hour, Max: 7},
		"7 requests per week of key k":   {Unit: signalbox.UnitRequests, Per: 168 * time.Hour, Max: 7},
		"7 requests per 1m30s of key k":  {Unit: signalbox.UnitRequests, Per: 90 * time.Second, Max: 7},
	}
	for want, limit := range cases {
		t.Run(want, func(t *testing.T) {
			if got := (bound{owner: account{"key", "k"}, limit: limit}).describe(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestLimiterForgetsIdleCounters(t *testing.T) {
	l := newLimiter(1 << 20)
	for i := range 10 * minSweep {
		b := bound{
			owner: account{"key", strings.Repeat("k", i%7) + string(rune(i))},
			limit: rate{Unit: signalbox.UnitRequests, Per: time.Second, Max: 1},
		}
		if _, err := l.take(noon.Add(time.Duration(i)*time.Second), []bound{b}); err != nil {
			t.Fatal(i, err)
		}
		if n := len(l.counters); n > minSweep {
			t.Fatalf("%d counters of which one is in use", n)
		}
	}
}

// A tenant's day begins at its own midnight, on days when clocks change too.
func TestWindowsBeginByTheClockOnTheWall(t *testing.T) {
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	tests := []struct {
		name  string
		zone  *time.Location
		per   time.Duration
		now   string
		start string
	}{
		{"UTC", nil, day, "2026-11-22T14:59:00Z", "2026-11-22T00:00:00Z"},
		{"Seoul, before its midnight", zone("Asia/Seoul"), day, "2026-11-22T14:59:00Z", "2026-11-21T15:00:00Z"},
		{"Seoul, after its midnight", zone("Asia/Seoul"), day, "2026-11-22T15:00:00Z", "2026-11-22T15:00:00Z"},
		{"New York, after the clocks went back", zone("America/New_York"), day, "2026-11-01T20:00:00Z", "2026-11-01T04:00:00Z"},
		{"an hour in Kathmandu", zone("Asia/Kathmandu"), time.Hour, "2026-11-22T14:20:00Z", "2026-11-22T14:15:00Z"},
		{"a minute is the same everywhere", zone("Asia/Kathmandu"), time.Minute, "2026-11-22T14:20:30Z", "2026-11-22T14:20:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := windowStart(now, tt.per, tt.zone).Format(time.RFC3339); got != tt.start {
				t.Errorf("the window of %s began at %s, want %s", tt.now, got, tt.start)
			}
		})
	}
}
