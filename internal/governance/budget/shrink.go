package budget

import (
	"github.com/signalbox/signalbox"
)

// Shrunk finds the largest max_tokens with which the call fits all lines, where room says how much a line has left for
// it; soft lines and those without a cap have room for everything. If what is wanted anyway fits, that is it. Otherwise
// every line that is short must have its budget on shrink, and the result is at least the floor of each of them; where
// that can not be, ok is false. Amounts of the lines are not looked at: they follow from the max_tokens.
func (p *Policy) Shrunk(
	c *signalbox.Call, k signalbox.Candidate, inputTokens int64, lines []Line, room func(Line) int64,
) (maxOutput int64, ok bool) {
	e := p.estimate(c, k, inputTokens)
	wanted := e.at(e.wanted)
	least := int64(1)
	var short []limit
	for _, l := range lines {
		if !l.Capped() {
			continue
		}
		s := limit{l.Account.Unit, room(l)}
		if s.holds(wanted) {
			continue
		}
		if l.Budget.OnCap != signalbox.OnCapShrink {
			return 0, false
		}
		short = append(short, s)
		least = max(least, floor(l.Budget))
	}
	if len(short) == 0 {
		return wanted.MaxOutput, true
	}
	return e.largest(least, short)
}

// limit is how much of a unit there is.
type limit struct {
	unit signalbox.Unit
	room int64
}

func (l limit) holds(b Bound) bool { return AmountOf(l.unit, b.Usage, b.Cost) <= l.room }

func floor(b signalbox.Budget) int64 {
	if b.MinOutput > 0 {
		return b.MinOutput
	}
	return signalbox.DefaultMinOutput
}

// largest is the largest max_tokens from least up to what is wanted with which the bound is within all limits. More
// output never takes less of anything, so that it can be searched for by halves.
func (e estimate) largest(least int64, limits []limit) (int64, bool) {
	if least > e.wanted {
		return 0, false
	}
	fits := func(maxOutput int64) bool {
		b := e.at(maxOutput)
		for _, l := range limits {
			if !l.holds(b) {
				return false
			}
		}
		return true
	}
	if !fits(least) {
		return 0, false
	}
	for above := e.wanted; ; {
		half := least + (above-least)/2
		if half == least {
			return least, true
		}
		if fits(half) {
			least = half
		} else {
			above = half
		}
	}
}
