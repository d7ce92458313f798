package alert

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

// history is what was raised, by rule and subject.
type history map[string][]time.Time

func (h history) add(v Verdict, subject string) {
	for _, r := range v.Raised {
		k := r.Alert.Rule + " " + subject
		h[k] = append(h[k], r.Alert.Raised)
	}
}

func TestEachThresholdOncePerWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, got, passed := NewState(), history{}, map[string]bool{}
		rules := ladder()
		for i := range rules {
			rules[i].Cooldown = 0
		}
		totals := map[string]signalbox.Money{}
		now := time.Duration(0)
		for i := range rapid.IntRange(1, 60).Draw(t, "calls") {
			run := rapid.SampledFrom([]string{"", "r", "s"}).Draw(t, "run")
			cost := signalbox.Money(rapid.Int64Range(0, int64(6*usd)).Draw(t, "cost"))
			now += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "pause"))
			subject := run
			if run == "" {
				subject = fmt.Sprintf("call-%d", i)
			}
			totals[subject] += cost
			got.add(s.Decide(rules, spent(subject, run, cost, totals[subject], now)), subject)
			for _, r := range rules {
				if totals[subject] > r.Threshold {
					passed[r.ID+" "+subject] = true
				}
			}
		}
		if want, have := slices.Sorted(maps.Keys(passed)), slices.Sorted(maps.Keys(got)); !slices.Equal(want, have) {
			t.Fatalf("raised about %q, want %q", have, want)
		}
		for about, times := range got {
			if len(times) != 1 {
				t.Fatalf("%s is raised %d times", about, len(times))
			}
		}
	})
}

func TestCooldownsAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cooldown := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "cooldown"))
		rules := []signalbox.AlertRule{rule("r", signalbox.AlertPerRun, usd, signalbox.ActionNotify, cooldown)}
		s, now, total, last := NewState(), time.Duration(0), signalbox.Money(0), time.Time{}
		for range rapid.IntRange(1, 80).Draw(t, "calls") {
			now += time.Duration(rapid.Int64Range(0, int64(2*cooldown)).Draw(t, "pause"))
			total += signalbox.Money(rapid.Int64Range(1, int64(usd)).Draw(t, "cost"))
			o := spent("a", "r", cent, total, now)
			raised := len(s.Decide(rules, o).Raised) == 1
			due := total > usd && (last.IsZero() || o.Now.Sub(last) >= cooldown)
			if raised != due {
				t.Fatalf("at %s raised: %v, want %v (the last one at %s)", now, raised, due, last)
			}
			if raised {
				last = o.Now
			}
		}
	})
}

// TestReplicasAgree lets several replicas see the calls of one run, each its own, with the totals as of then, and keeps
// the first alert of each id as a store does.
func TestReplicasAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cooldown := time.Duration(rapid.SampledFrom([]int64{0, 1, 5, 20}).Draw(t, "minutes")) * time.Minute
		rules := []signalbox.AlertRule{rule("r", signalbox.AlertPerRun, usd, signalbox.ActionHalt, cooldown)}
		replicas := []*State{NewState(), NewState(), NewState()}
		kept, most := map[string]time.Time{}, 0
		raised := make([]int, len(replicas))
		now, total := time.Duration(0), signalbox.Money(0)
		for range rapid.IntRange(1, 100).Draw(t, "calls") {
			n := rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")
			now += time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "pause"))
			total += usd / 4
			for _, r := range replicas[n].Decide(rules, spent("a", "r", usd/4, total, now)).Raised {
				raised[n]++
				most = max(most, raised[n])
				if _, there := kept[r.Alert.ID]; !there {
					kept[r.Alert.ID] = r.Alert.Raised
				}
			}
		}
		if len(kept) != most {
			t.Fatalf("%d alerts are kept, and no replica raised more than %d", len(kept), most)
		}
		times := slices.SortedFunc(maps.Values(kept), time.Time.Compare)
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < cooldown {
				t.Fatalf("two alerts are %s apart under a cooldown of %s", gap, cooldown)
			}
		}
	})
}

func TestTheSameObservationsGiveTheSameVerdicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := NewState(), NewState()
		for i := range rapid.IntRange(1, 30).Draw(t, "calls") {
			total := signalbox.Money(rapid.Int64Range(0, int64(12*usd)).Draw(t, "total"))
			o := spent(fmt.Sprint(i), rapid.SampledFrom([]string{"", "r"}).Draw(t, "run"), total, total, time.Duration(i)*time.Minute)
			x, y := a.Decide(ladder(), o), b.Decide(ladder(), o)
			if len(x.Raised) != len(y.Raised) {
				t.Fatalf("%d and %d alerts", len(x.Raised), len(y.Raised))
			}
			for i := range x.Raised {
				if x.Raised[i].Alert != y.Raised[i].Alert {
					t.Fatalf("%+v and %+v", x.Raised[i].Alert, y.Raised[i].Alert)
				}
			}
		}
	})
}
