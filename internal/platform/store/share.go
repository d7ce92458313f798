package store

import (
	"math"
	"slices"

	"github.com/signalbox/signalbox"
)

// Grant is what a store keeps of one replica's share of one account. Settled is negative where the replica has written a
// reconciliation that gave back more than it had settled itself: another replica had, or the account was forgotten
// meanwhile. Granted is negative once that credit has been given back, for all to draw from.
type Grant struct{ Granted, Settled, Held int64 }

// Used is what is settled and held, whether it was granted or not.
func (g Grant) Used() int64 { return plus(g.Settled, g.Held) }

// Taken is the room that the share takes up in the account: what is granted, or what is used where that is more, after
// an overrun.
func (g Grant) Taken() int64 { return max(g.Granted, g.Used()) }

// Free is the room that is not used: of what was granted, and a credit besides. It is never negative.
func (g Grant) Free() int64 { return max(0, minus(g.Granted, g.Used())) }

// Standing is how one account stands when a replica draws from it. Its store fills it from the rows of the account and
// keeps others from changing them until what [Standing.Draw] decides is written.
type Standing struct {
	Mine   Grant // The drawing replica's; zero where it has no share yet.
	Closed bool  // By an overrun.

	others Grant // Sums.
	taken  int64 // By the others.
	free   int64 // Of the others.
}

// Other adds the share of another replica.
func (s *Standing) Other(g Grant) {
	s.others = sum(s.others, g)
	s.taken = plus(s.taken, g.Taken())
	s.free = plus(s.free, g.Free())
}

// OnlyRead reports whether no draw can change anything.
func OnlyRead(draws []signalbox.Draw) bool {
	return !slices.ContainsFunc(draws, func(d signalbox.Draw) bool {
		return d.Most < 0 || d.Most > 0 && d.Cap >= 0
	})
}

// Verdict is what becomes of a draw.
type Verdict struct {
	Changed bool // Mine.Granted is another than before, and is to be written.
	Wanted  bool // There was less room than the draw needed at least, and others have free room that they could give back.
}

// Draw decides one draw and changes Mine.Granted accordingly. The sum of what the shares take stays within d.Cap, unless
// overruns have passed it already. A share that is overrun grows from what it uses, so that the whole growth is free.
// Closed accounts and those that only count never grow. Giving back is always possible.
func (s *Standing) Draw(d signalbox.Draw) Verdict {
	if d.Most < 0 {
		return s.set(minus(s.Mine.Granted, min(minus(0, d.Most), s.Mine.Free())))
	}
	if s.Closed || d.Cap < 0 {
		return Verdict{}
	}
	room := minus(minus(d.Cap, s.taken), s.Mine.Taken())
	if growth := min(d.Most, room); growth > 0 {
		if granted := plus(s.Mine.Taken(), growth); minus(granted, s.Mine.Granted) >= d.Least {
			return s.set(granted)
		}
	}
	return Verdict{Wanted: d.Least > max(room, 0) && s.free > 0}
}

func (s *Standing) set(granted int64) Verdict {
	changed := granted != s.Mine.Granted
	s.Mine.Granted = granted
	return Verdict{Changed: changed}
}

// Share gives the standing as the replica that draws is told of it.
func (s *Standing) Share(account string) signalbox.Share {
	all := sum(s.others, s.Mine)
	return signalbox.Share{
		Account: account, Granted: s.Mine.Granted, Settled: s.Mine.Settled, Held: s.Mine.Held,
		AllGranted: all.Granted, AllSettled: all.Settled, AllHeld: all.Held, Closed: s.Closed,
	}
}

func sum(a, b Grant) Grant {
	return Grant{plus(a.Granted, b.Granted), plus(a.Settled, b.Settled), plus(a.Held, b.Held)}
}

// plus adds and saturates, so that no overflow turns what is used into room.
func plus(a, b int64) int64 {
	c := a + b
	switch {
	case a > 0 && b > 0 && c < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && c >= 0:
		return math.MinInt64
	}
	return c
}

// minus subtracts and saturates.
func minus(a, b int64) int64 {
	c := a - b
	switch {
	case a >= 0 && b < 0 && c < 0:
		return math.MaxInt64
	case a < 0 && b > 0 && c >= 0:
		return math.MinInt64
	}
	return c
}
