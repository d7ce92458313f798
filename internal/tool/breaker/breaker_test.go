package breaker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	start = time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	rules = Rules{Failures: 3, Within: time.Minute, Pause: time.Second, MaxPause: 5 * time.Second}
)

// step is one thing that happens, and what must be so after it.
type step struct {
	after time.Duration // Since the step before.
	do    string        // "ok", "fail", "unknown": one passes and ends so; "told": a failure from elsewhere; "": nobody comes.
	state State
	wait  time.Duration // Of who is refused then; 0: nobody is.
}

func TestBreaker(t *testing.T) {
	opened := []step{{0, "fail", Closed, 0}, {0, "fail", Closed, 0}, {0, "fail", Open, time.Second}}
	cases := []struct {
		name  string
		steps []step
	}{
		{"failures in a row open it", opened},
		{"a success between them does not", []step{{0, "fail", Closed, 0}, {0, "fail", Closed, 0}, {0, "ok", Closed, 0}, {0, "fail", Closed, 0}}},
		{"neither does one without a verdict", []step{{0, "fail", Closed, 0}, {0, "unknown", Closed, 0}, {0, "fail", Closed, 0}, {0, "fail", Open, time.Second}}},
		{"old failures are forgotten", []step{
			{0, "fail", Closed, 0}, {0, "fail", Closed, 0}, {time.Minute + 1, "fail", Closed, 0}, {time.Minute, "fail", Closed, 0}, {0, "fail", Open, time.Second},
		}},
		{"after the pause a probe closes it", append(opened[:3:3], step{time.Second, "ok", Closed, 0}, step{0, "fail", Closed, 0})},
		{"a probe that fails opens it for longer, up to a bound", append(opened[:3:3],
			step{time.Second, "fail", Open, 2 * time.Second}, step{2 * time.Second, "fail", Open, 4 * time.Second},
			step{4 * time.Second, "fail", Open, 5 * time.Second}, step{5 * time.Second, "fail", Open, 5 * time.Second})},
		{"a probe without a verdict leaves room for another", append(opened[:3:3], step{time.Second, "unknown", HalfOpen, 0}, step{0, "ok", Closed, 0})},
		{"the pause passes by itself", append(opened[:3:3], step{time.Second - 1, "", Open, 1}, step{1, "", HalfOpen, 0})},
		{"what is told from elsewhere counts", []step{{0, "told", Closed, 0}, {0, "told", Closed, 0}, {0, "told", Open, time.Second}, {0, "told", Open, 2 * time.Second}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, now := Breaker{Rules: rules}, start
			for n, s := range c.steps {
				now = now.Add(s.after)
				happen(t, &b, s.do, now)
				if got := b.State(now); got != s.state {
					t.Fatalf("step %d: got %s, want %s", n, got, s.state)
				}
				if until := b.Until(now); (s.state == Open) == until.IsZero() || s.wait > 0 && !until.Equal(now.Add(s.wait)) {
					t.Fatalf("step %d: open until %s", n, until)
				}
				if s.wait > 0 {
					if _, wait, ok := b.Allow(now); ok || wait != s.wait {
						t.Fatalf("step %d: allowed %v, wait %s, want %s", n, ok, wait, s.wait)
					}
				}
			}
		})
	}
}

func happen(t *testing.T, b *Breaker, what string, now time.Time) {
	t.Helper()
	if what == "" {
		return
	}
	if what == "told" {
		b.Fail(now)
		return
	}
	pass, _, ok := b.Allow(now)
	if !ok {
		t.Fatal("nobody may pass")
	}
	verdict := map[string]Verdict{"ok": Succeeded, "fail": Failed, "unknown": Unknown}[what]
	if opened := b.Done(pass, verdict, now); opened != (b.State(now) == Open) {
		t.Fatalf("opened %v, the state is %s", opened, b.State(now))
	}
}

func TestOneProbeAtATime(t *testing.T) {
	b := Breaker{Rules: rules}
	early, _, _ := b.Allow(start)
	for range 3 {
		b.Fail(start)
	}
	if b.Row() != 3 {
		t.Errorf("%d failures in a row, want 3", b.Row())
	}
	now := start.Add(time.Second)
	probe, _, ok := b.Allow(now)
	if !ok {
		t.Fatal("no probe after the pause")
	}
	if _, wait, ok := b.Allow(now); ok || wait != time.Second {
		t.Errorf("a second probe: %v, wait %s", ok, wait)
	}
	for _, v := range []Verdict{Failed, Succeeded} { // One from before says nothing of how it is now.
		if b.Done(early, v, now) || b.State(now) != HalfOpen {
			t.Errorf("verdict %d of an early one changes the state to %s", v, b.State(now))
		}
	}
	b.Done(probe, Succeeded, now)
	if b.State(now) != Closed || b.Row() != 0 {
		t.Errorf("got %s with %d failures", b.State(now), b.Row())
	}
}

func TestWithoutRulesItNeverOpens(t *testing.T) {
	var b Breaker
	for range 100 {
		pass, _, ok := b.Allow(start)
		if !ok || b.Done(pass, Failed, start) {
			t.Fatal("it opened")
		}
	}
}

// Whatever happens in whatever order: while it is open nobody passes, never two probe, and once the pause is over somebody may.
func TestItNeitherLeaksNorSticks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Breaker{Rules: Rules{
			Failures: rapid.IntRange(1, 4).Draw(t, "failures"), Within: time.Duration(rapid.IntRange(0, 5).Draw(t, "within")) * time.Second,
			Pause: time.Second, MaxPause: 4 * time.Second,
		}}
		now := start
		var out []Pass
		probes := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			state := b.State(now)
			if pass, _, ok := b.Allow(now); ok {
				if state == Open {
					t.Fatal("one passed while it was open")
				}
				if pass.probe {
					probes++
				}
				out = append(out, pass)
			} else if state == Closed || state == HalfOpen && probes == 0 {
				t.Fatalf("nobody may pass and it is %s", state)
			}
			if probes > 1 {
				t.Fatal("two probes")
			}
			if len(out) > 0 && rapid.Bool().Draw(t, "ends") {
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				if out[i].probe {
					probes--
				}
				b.Done(out[i], Verdict(rapid.IntRange(0, 2).Draw(t, "verdict")), now)
				out = append(out[:i], out[i+1:]...)
			}
		}
	})
}
