package store_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

func TestDraw(t *testing.T) {
	const most, least = math.MaxInt64, math.MinInt64
	for name, c := range map[string]struct {
		mine    store.Grant
		others  []store.Grant
		closed  bool
		draw    signalbox.Draw
		granted int64
		wanted  bool
	}{
		"all of it":             {draw: signalbox.Draw{Cap: 100, Most: 100}, granted: 100},
		"as much as there is":   {others: []store.Grant{{30, 0, 0}}, draw: signalbox.Draw{Cap: 100, Least: 70, Most: 100}, granted: 70},
		"less than least":       {others: []store.Grant{{30, 30, 0}}, draw: signalbox.Draw{Cap: 100, Least: 71, Most: 100}},
		"others have free room": {others: []store.Grant{{30, 29, 0}}, draw: signalbox.Draw{Cap: 100, Least: 71, Most: 100}, wanted: true},
		"least beyond most":     {others: []store.Grant{{5, 0, 0}}, draw: signalbox.Draw{Cap: 100, Least: 11, Most: 10}},
		"reads only":            {mine: store.Grant{5, 1, 1}, draw: signalbox.Draw{Cap: 100}, granted: 5},
		"a cap of 0":            {draw: signalbox.Draw{Cap: 0, Most: 1}},
		"a negative cap":        {mine: store.Grant{5, 0, 0}, draw: signalbox.Draw{Cap: least, Least: 1, Most: 1}, granted: 5},
		"no cap":                {draw: signalbox.Draw{Cap: signalbox.NoCap, Most: 1}},
		"the largest cap":       {draw: signalbox.Draw{Cap: most, Least: most, Most: most}, granted: most},
		"nothing left of it": {
			mine: store.Grant{most, 0, 0}, others: []store.Grant{{most, most, most}, {most, 0, 0}},
			draw: signalbox.Draw{Cap: most, Least: 1, Most: most}, granted: most, wanted: true,
		},
		"a cap long passed": {
			mine: store.Grant{most, 0, 0}, others: []store.Grant{{most, most, 0}}, draw: signalbox.Draw{Most: 1}, granted: most,
		},
		"closed":             {closed: true, draw: signalbox.Draw{Cap: 100, Most: 100}},
		"closed, gives back": {mine: store.Grant{100, 10, 0}, closed: true, draw: signalbox.Draw{Cap: 100, Most: -50}, granted: 50},
		"no cap, gives back": {mine: store.Grant{100, 10, 0}, draw: signalbox.Draw{Cap: signalbox.NoCap, Most: -50}, granted: 50},
		"gives back what is free": {
			mine: store.Grant{100, 10, 15}, draw: signalbox.Draw{Cap: 100, Least: 9, Most: least}, granted: 25,
		},
		"has nothing to give back":        {mine: store.Grant{10, 10, 15}, draw: signalbox.Draw{Cap: 100, Most: -1}, granted: 10},
		"gives a credit back too":         {mine: store.Grant{10, -20, 5}, draw: signalbox.Draw{Cap: 100, Most: -100}, granted: -15},
		"a credit that was given back":    {others: []store.Grant{{-40, -40, 0}}, draw: signalbox.Draw{Cap: 100, Least: 140, Most: 200}, granted: 140},
		"draws again after a credit":      {mine: store.Grant{-40, -40, 0}, others: []store.Grant{{100, 100, 0}}, draw: signalbox.Draw{Cap: 100, Least: 40, Most: 90}, granted: 0},
		"an overrun grows from its use":   {mine: store.Grant{10, 40, 5}, draw: signalbox.Draw{Cap: 100, Least: 30, Most: 30}, granted: 75},
		"an overrun counts its need":      {mine: store.Grant{0, 60, 0}, draw: signalbox.Draw{Cap: 100, Least: 90, Most: 90}, granted: 100},
		"an overrun that needs too much":  {mine: store.Grant{0, 60, 0}, draw: signalbox.Draw{Cap: 100, Least: 101, Most: 200}},
		"an overrun of the cap":           {mine: store.Grant{10, 140, 5}, draw: signalbox.Draw{Cap: 100, Most: 30}, granted: 10},
		"another's overrun takes room":    {others: []store.Grant{{10, 80, 10}}, draw: signalbox.Draw{Cap: 100, Most: 30}, granted: 10},
		"another's credit frees no grant": {others: []store.Grant{{90, -50, 0}}, draw: signalbox.Draw{Cap: 100, Most: 30}, granted: 10},
		"amounts that overflow": {
			mine: store.Grant{0, least, least}, others: []store.Grant{{0, least, -5}},
			draw: signalbox.Draw{Cap: 7, Least: least, Most: most}, granted: 7,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := store.Standing{Mine: c.mine, Closed: c.closed}
			for _, o := range c.others {
				s.Other(o)
			}
			want := store.Verdict{Changed: c.granted != c.mine.Granted, Wanted: c.wanted}
			if got := s.Draw(c.draw); got != want || s.Mine.Granted != c.granted {
				t.Fatalf("got %+v and %d granted, want %+v and %d", got, s.Mine.Granted, want, c.granted)
			}
		})
	}
}

func TestShare(t *testing.T) {
	s := store.Standing{Mine: store.Grant{1, 2, 3}, Closed: true}
	s.Other(store.Grant{10, 20, 30})
	s.Other(store.Grant{math.MaxInt64, math.MaxInt64, -30})
	want := signalbox.Share{
		Account: "a", Granted: 1, Settled: 2, Held: 3, AllGranted: math.MaxInt64, AllSettled: math.MaxInt64, AllHeld: 3, Closed: true,
	}
	if got := s.Share("a"); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// Whatever is drawn, the sum of what the shares take does not grow beyond the cap, and nobody loses what he uses.
func TestDrawKeepsTheCap(t *testing.T) {
	amount := rapid.OneOf(rapid.Int64Range(-5, 300), rapid.Int64())
	rapid.Check(t, func(t *rapid.T) {
		shares := make([]store.Grant, rapid.IntRange(1, 4).Draw(t, "replicas"))
		limit := rapid.Int64Range(0, 200).Draw(t, "cap")
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			i := rapid.IntRange(0, len(shares)-1).Draw(t, "replica")
			if rapid.Bool().Draw(t, "post") {
				held := rapid.Int64Range(0, max(0, min(shares[i].Free(), 50))).Draw(t, "held")
				shares[i].Held += held
				continue
			}
			before, d := shares[i], signalbox.Draw{Cap: limit, Least: amount.Draw(t, "least"), Most: amount.Draw(t, "most")}
			s := store.Standing{Mine: before}
			for j, g := range shares {
				if j != i {
					s.Other(g)
				}
			}
			s.Draw(d)
			shares[i] = s.Mine
			checkStep(t, before, s.Mine, d)
		}
		var taken int64
		for _, g := range shares {
			taken += g.Taken()
		}
		if taken > limit {
			t.Fatalf("%v take %d of %d", shares, taken, limit)
		}
	})
}

func checkStep(t *rapid.T, before, after store.Grant, d signalbox.Draw) {
	t.Helper()
	growth := after.Granted - before.Granted
	switch {
	case after.Granted < after.Used(), d.Most >= 0 && growth < 0, d.Most <= 0 && growth > 0, d.Most > 0 && growth > d.Most:
		t.Fatalf("%+v made %+v of %+v", d, after, before)
	case growth > 0 && growth < d.Least:
		t.Fatalf("%+v grew by %d", d, growth)
	}
}

func TestGather(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	post := func(replica string, entries ...signalbox.LedgerEntry) signalbox.Effect {
		return signalbox.Post{Replica: replica, Entries: entries}
	}
	p := store.Gather([]signalbox.Entry{
		{Time: at.Add(time.Second), Effects: []signalbox.Effect{
			post("r", signalbox.LedgerEntry{Account: "b", Held: 3}, signalbox.LedgerEntry{Account: "a", Held: math.MaxInt64}),
			post("q", signalbox.LedgerEntry{Account: "b", Settled: 1, Closed: true}, signalbox.LedgerEntry{Account: "c", Held: 1}),
		}},
		{Time: at},
		{Time: at, Effects: []signalbox.Effect{
			signalbox.RevokeKey{},
			signalbox.OpenAccount{Account: "b"},
			signalbox.OpenAccount{Account: "a"},
			post("r", signalbox.LedgerEntry{Account: "b", Held: -3, Settled: 2}, signalbox.LedgerEntry{Account: "a", Held: 1, Closed: true}),
			post("q", signalbox.LedgerEntry{Account: "c", Held: -1}),
		}},
	})
	rows := []store.Posting{
		{"a", "r", math.MaxInt64, 0, at.Add(time.Second)}, {"b", "q", 0, 1, at.Add(time.Second)}, {"b", "r", 0, 2, at.Add(time.Second)},
	}
	if got := p.Rows(); !reflect.DeepEqual(got, rows) {
		t.Errorf("got %+v, want %+v", got, rows)
	}
	if got, want := p.Doors(), []store.Door{{"a", true}, {"b", false}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
