package postgres

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var origin = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// look is what the leader sees at one time: the second, by its clock, and when each replica was heard last.
type observation struct {
	at   int
	seen map[string]int
	dead []string
}

func TestLiveness(t *testing.T) {
	for name, list := range map[string][]observation{
		"silent for the lease": {
			{0, map[string]int{"a": 0}, nil},
			{1, map[string]int{"a": 0}, nil},
			{2, map[string]int{"a": 0}, nil},
			{3, map[string]int{"a": 0}, []string{"a"}},
		},
		"heard of": {
			{0, map[string]int{"a": 0}, nil},
			{2, map[string]int{"a": 0}, nil},
			{3, map[string]int{"a": 3}, nil},
			{5, map[string]int{"a": 3}, nil},
			{6, map[string]int{"a": 3}, []string{"a"}},
		},
		"an outage counts as one step": {
			{0, map[string]int{"a": 0}, nil}, {600, map[string]int{"a": 0}, nil}, {601, map[string]int{"a": 0}, []string{"a"}},
		},
		"a clock that goes back counts nothing": {
			{100, map[string]int{"a": 0}, nil},
			{0, map[string]int{"a": 0}, nil},
			{2, map[string]int{"a": 0}, nil},
			{3, map[string]int{"a": 0}, []string{"a"}},
		},
		"old when first seen": {
			{1000, map[string]int{"a": 0}, nil}, {1002, map[string]int{"a": 0}, nil}, {1004, map[string]int{"a": 0}, []string{"a"}},
		},
		"each by itself": {
			{0, map[string]int{"a": 0, "b": 0}, nil},
			{2, map[string]int{"a": 0, "b": 2}, nil},
			{4, map[string]int{"a": 0, "b": 2}, []string{"a"}},
			{6, map[string]int{"b": 2}, []string{"b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := liveness{lease: 3 * time.Second, step: 2 * time.Second}
			for _, o := range list {
				if got := observe(&l, o.at, o.seen); !slices.Equal(got, o.dead) {
					t.Fatalf("after %d seconds %v are dead, want %v", o.at, got, o.dead)
				}
			}
		})
	}
}

func observe(l *liveness, at int, seen map[string]int) (dead []string) {
	var pulses []pulse
	for id, s := range seen {
		pulses = append(pulses, pulse{id, origin.Add(time.Duration(s) * time.Hour)})
	}
	for _, p := range l.observe(origin.Add(time.Duration(at)*time.Second), pulses) {
		dead = append(dead, p.replica)
	}
	slices.Sort(dead)
	return dead
}

// Against a naive model: a replica is dead when the steps since it was last heard, each cut to the longest, add up to
// the lease.
func TestLivenessModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const lease, step = 5, 2
		l := liveness{lease: lease * time.Second, step: step * time.Second}
		var looks []int // Of the leader.
		heard := map[string]int{"a": 0, "b": 0, "c": 0}
		last := map[string]int{} // Index of the look at which it was first seen with its newest heartbeat.
		at := 0
		for n := range rapid.IntRange(1, 40).Draw(t, "looks") {
			at += rapid.IntRange(-1, 4).Draw(t, "pause")
			looks = append(looks, at)
			var want []string
			for _, id := range []string{"a", "b", "c"} {
				if rapid.IntRange(0, 3).Draw(t, id) == 0 || n == 0 {
					heard[id]++
					last[id] = n
				}
				silent := 0
				for i := last[id] + 1; i <= n; i++ {
					silent += min(max(looks[i]-looks[i-1], 0), step)
				}
				if silent >= lease {
					want = append(want, id)
				}
			}
			if got := observe(&l, at, heard); !slices.Equal(got, want) {
				t.Fatalf("look %d: %v are dead, want %v", n, got, want)
			}
		}
	})
}

// A floor never rises above what a transaction that is still open may have drawn.
func TestFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f floor
		type transaction struct{ number, id int64 }
		var open []transaction
		var number, id int64
		for range rapid.IntRange(1, 100).Draw(t, "events") {
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0: // A transaction gets its number and then its id.
				number, id = number+1, id+1
				open = append(open, transaction{number, id})
			case 1: // One of them ends.
				if len(open) > 0 {
					i := rapid.IntRange(0, len(open)-1).Draw(t, "ends")
					open = slices.Delete(open, i, i+1)
				}
			case 2: // What is visible is placed, by a transaction with a number of its own.
				number++
				f.placed(rapid.Int64Range(0, id).Draw(t, "last"), number)
			case 3: // A snapshot.
				xmin := number + 1
				for _, o := range open {
					xmin = min(xmin, o.number)
				}
				f.seen(xmin)
			}
			for _, o := range open {
				if o.id <= f.id {
					t.Fatalf("the floor is %d, and %d is still open", f.id, o.id)
				}
			}
		}
	})
}
