package alert

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func TestWhatIsOverIsForgotten(t *testing.T) {
	s := NewState()
	day := []signalbox.AlertRule{rule("d", signalbox.AlertPerDay, usd, signalbox.ActionNotify, 0)}
	s.Decide(day, ofDay(2*usd, 0))
	s.Decide(ladder(), spent("a", "r", usd, usd, 0))
	s.Decide(ladder(), spent("b", "s", usd, usd, 23*time.Hour))
	if s.Len() != 3 {
		t.Fatalf("%d things are remembered, want 3", s.Len())
	}
	s.Decide(day, ofDay(2*usd, 25*time.Hour+time.Second)) // The day with its lateness and the first run are over.
	if s.Len() != 2 {
		t.Fatalf("%d things are remembered, want the second run and the new day", s.Len())
	}
}

func TestARunThatGoesOnIsNotForgotten(t *testing.T) {
	s := NewState()
	raised := 0
	for hour := range 100 {
		raised += len(s.Decide(ladder()[:1], spent("a", "r", usd, usd, time.Duration(hour)*time.Hour)).Raised)
		s.Decide(ladder()[:1], spent("b", fmt.Sprint(hour), usd, usd, time.Duration(hour)*time.Hour))
	}
	if raised != 1 {
		t.Fatalf("raised %d times", raised)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := NewState()
	for i := range MaxRemembered + 10 {
		s.Decide(ladder()[:1], spent("a", fmt.Sprintf("run-%d", i), usd, usd, time.Duration(i/2)))
		if s.Len() > MaxRemembered {
			t.Fatalf("%d things are remembered", s.Len())
		}
	}
	if got := s.Len(); got != MaxRemembered*3/4+10 {
		t.Errorf("%d things are remembered after the oldest quarter was forgotten", got)
	}
	if v := s.Decide(ladder()[:1], spent("a", "run-0", usd, usd, time.Second)); names(v) != "log#0" {
		t.Errorf("the oldest is still remembered")
	}
	if v := s.Decide(ladder()[:1], spent("a", fmt.Sprintf("run-%d", MaxRemembered), usd, usd, time.Second)); names(v) != "" {
		t.Errorf("a young one was forgotten")
	}
}

func TestRemember(t *testing.T) {
	notify := ladder()[1:2]
	request := []signalbox.AlertRule{rule("q", signalbox.AlertPerRequest, usd, signalbox.ActionNotify, time.Hour)}
	day := []signalbox.AlertRule{rule("d", signalbox.AlertPerDay, usd, signalbox.ActionHalt, 0)}
	raise := func(rules []signalbox.AlertRule, list ...*Observation) signalbox.Alert {
		s, last := NewState(), signalbox.Alert{}
		for _, o := range list {
			for _, r := range s.Decide(rules, o).Raised {
				last = r.Alert
			}
		}
		return last
	}
	third := raise(notify, spent("a", "r", 3*usd, 3*usd, 0), spent("a", "r", 0, 4*usd, time.Hour), spent("a", "r", 0, 5*usd, 2*time.Hour))
	tests := []struct {
		name  string
		alert signalbox.Alert
		now   time.Duration
		rules []signalbox.AlertRule
		o     *Observation
		want  string
	}{
		{"its cooldown goes on", third, 2 * time.Hour, notify, spent("b", "r", usd, 6*usd, 2*time.Hour+time.Minute), ""},
		{"its numbers go on", third, 2 * time.Hour, notify, spent("b", "r", usd, 6*usd, 3*time.Hour), "notify#3"},
		{"a halted day", raise(day, ofDay(2*usd, 0)), time.Hour, day, ofDay(3*usd, time.Hour), ""},
		{"a request's cooldown", raise(request, spent("a", "r", 2*usd, 0, 0)), time.Minute, request, spent("b", "r", 2*usd, 0, time.Minute), ""},
		{"a request's cooldown, over", raise(request, spent("a", "r", 2*usd, 0, 0)), time.Minute, request, spent("b", "r", 2*usd, 0, time.Hour), "q#0"},
		{"an old day", raise(day, ofDay(2*usd, 0)), 100 * time.Hour, day, ofDay(2*usd, 100*time.Hour), "d#0"},
		{"an overrun", signalbox.Alert{Rule: RuleOverrun}, 0, notify, spent("b", "r", 3*usd, 3*usd, 0), "notify#0"},
		{"an id that is not ours", signalbox.Alert{ID: "alert_x", Rule: "notify", Per: "run", Run: "r"}, 0, notify, spent("b", "r", 3*usd, 3*usd, 0), "notify#0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewState()
			s.Remember(tt.alert, midnight.Add(tt.now))
			s.Remember(tt.alert, midnight.Add(tt.now))
			if got := names(s.Decide(tt.rules, tt.o)); got != tt.want {
				t.Errorf("raises %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatIsKnownBetterIsKept(t *testing.T) {
	s, notify := NewState(), ladder()[1:2]
	first := s.Decide(notify, spent("a", "r", 3*usd, 3*usd, 0)).Raised[0].Alert
	s.Decide(notify, spent("a", "r", usd, 4*usd, time.Hour))
	s.Remember(first, midnight.Add(time.Hour))
	if got := names(s.Decide(notify, spent("b", "r", usd, 5*usd, time.Hour+time.Minute))); got != "" {
		t.Errorf("an old alert has taken the cooldown back: %q is raised", got)
	}
	if got := names(s.Decide(notify, spent("b", "r", usd, 5*usd, 2*time.Hour))); got != "notify#2" {
		t.Errorf("raises %q, want notify#2", got)
	}
}

func TestWhatOthersKnowBetterIsTaken(t *testing.T) {
	other, s, notify := NewState(), NewState(), ladder()[1:2]
	other.Decide(notify, spent("a", "r", 3*usd, 3*usd, 0))
	s.Decide(notify, spent("b", "r", usd, 3*usd, 0))
	second := other.Decide(notify, spent("c", "r", usd, 4*usd, time.Hour)).Raised[0].Alert
	s.Remember(second, midnight.Add(time.Hour))
	if got := names(s.Decide(notify, spent("d", "r", usd, 5*usd, time.Hour+time.Minute))); got != "" {
		t.Errorf("the other's cooldown is not kept: %q is raised", got)
	}
	if got := names(s.Decide(notify, spent("d", "r", usd, 5*usd, 2*time.Hour))); got != "notify#2" {
		t.Errorf("raises %q, want notify#2", got)
	}
}

func TestIDs(t *testing.T) {
	k := digest("a", "b")
	for _, n := range []int{0, 1, 17} {
		got, m, ok := parseID(k.id(n))
		if !ok || got != k || m != n {
			t.Errorf("%s is read as %v %d %v", k.id(n), got, m, ok)
		}
	}
	for _, bad := range []string{"", "alert_", "alert_0", k.id(0)[6:], k.id(0) + "_", k.id(0) + "_0", k.id(0) + "_x", "alert_!", "call_" + k.id(0)[6:]} {
		if _, _, ok := parseID(bad); ok {
			t.Errorf("%q is taken for an alert's id", bad)
		}
	}
}
