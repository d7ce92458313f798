package ledger

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// holding is one attempt's way to a hold: by the cheap bound first, by exact tokens where that does not fit, with a
// smaller max_tokens where the budgets that are short say so, and at last by waiting for what others hold.
type holding struct {
	tab       *tab
	track     *call.Track
	candidate signalbox.Candidate
	attempt   *signalbox.Attempt
	policy    *budget.Policy
	bound     budget.Bound
	tokens    int64 // Of the input, exactly; negative where they were not counted.
}

func (h *holding) hold(ctx context.Context) verdict {
	v := h.ask(ctx, probing, h.bound)
	if h.settles(v) {
		return v
	}
	if h.count(ctx, v) {
		if v = h.ask(ctx, probing, h.bound); h.settles(v) {
			return v
		}
	}
	if smaller, ok := h.shrink(false); ok {
		if w := h.ask(ctx, probing, smaller); h.settles(w) {
			h.bound = smaller
			return w
		}
	}
	if v.reason.lasting() {
		return h.last(ctx, v)
	}
	return h.ask(ctx, patient, h.bound)
}

// settles reports whether a smaller bound or patience would change nothing.
func (*holding) settles(v verdict) bool {
	return v.held || v.reason == closed || v.reason == unreachable || v.reason == withdrawn
}

// last is for a call that is too large for what settled amounts leave: with the smallest max_tokens that the budgets
// allow it may fit, now or when others have settled.
func (h *holding) last(ctx context.Context, v verdict) verdict {
	if _, ok := h.shrink(true); !ok {
		return v
	}
	h.bound = h.policy.Bound(h.track.Call, h.candidate, h.floor(), h.tokens)
	return h.ask(ctx, patient, h.bound)
}

func (h *holding) ask(ctx context.Context, p patience, b budget.Bound) verdict {
	return h.tab.ledger.ask(ctx, &h.tab.tally, h.tab.flow(), p, h.lines(b))
}

func (h *holding) lines(b budget.Bound) [][]budget.Line {
	payer := h.tab.payer
	if limit := h.track.Policy.RateLimit; limit != nil {
		payer.Limit = &budget.Limit{Tools: limit.Name, Max: limit.Max}
	}
	return h.policy.Attempt(h.tab.ledger.Now(), payer, h.attempt.N, b.Usage, b.Cost)
}

// count makes the bound exact, where its input matters to what refused it and can be counted. It reports whether the
// bound is smaller now.
func (h *holding) count(ctx context.Context, v verdict) bool {
	counter := h.tab.ledger.Counter
	if counter == nil || h.track.Call.Model == nil || v.by == nil || !dependsOnInput(v.by.name.Unit) {
		return false
	}
	if b, ok := h.tab.ledger.Balance(v.by.key); ok && b.Settled >= b.Cap {
		return false // Nothing is left for any input; who is asked to count may be the provider.
	}
	tokens, ok := counter.CountInput(ctx, h.track.Call, h.candidate)
	if !ok || tokens < 0 {
		return false
	}
	exact := h.policy.Bound(h.track.Call, h.candidate, 0, tokens)
	if exact.Usage.Input >= h.bound.Usage.Input {
		return false
	}
	h.tokens, h.bound = tokens, exact
	return true
}

func dependsOnInput(u signalbox.Unit) bool {
	return u == signalbox.UnitUSD || u == signalbox.UnitTokens || u == signalbox.UnitInputTokens
}

// shrink finds a smaller bound that fits some choice of accounts: now, or ever, when what others hold has been settled
// as nothing.
func (h *holding) shrink(ever bool) (budget.Bound, bool) {
	if h.track.Call.Model == nil {
		return budget.Bound{}, false
	}
	for _, lines := range h.lines(h.bound) {
		room := func(line budget.Line) int64 { return h.tab.room(&line, ever) }
		most, ok := h.policy.Shrunk(h.track.Call, h.candidate, h.tokens, lines, room)
		if ok && most < h.bound.MaxOutput {
			return h.policy.Bound(h.track.Call, h.candidate, most, h.tokens), true
		}
	}
	return budget.Bound{}, false
}

// floor is the smallest max_tokens that the call's budgets allow.
func (h *holding) floor() int64 {
	least := int64(1)
	for _, lines := range h.lines(h.bound) {
		for i := range lines {
			if b := lines[i].Budget; lines[i].Capped() && b.OnCap == signalbox.OnCapShrink {
				least = max(least, orDefault(b.MinOutput))
			}
		}
	}
	return min(least, h.bound.MaxOutput)
}

func orDefault(floor int64) int64 {
	if floor <= 0 {
		return signalbox.DefaultMinOutput
	}
	return floor
}

// fill writes what was held into the attempt.
func (h *holding) fill() {
	a, b := h.attempt, h.bound
	a.MaxOutput = b.MaxOutput
	if !b.Unpriced {
		a.Held = &b.Cost
	}
	if h.track.Call.Kind == signalbox.KindModel {
		a.HeldUsage = &b.Usage
	}
}

// room is what an attempt could hold in a line's account.
func (t *tab) room(line *budget.Line, ever bool) int64 {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	return t.ledger.book.roomFor(&t.tally, line, ever)
}

// roomFor is what a call could hold in a line's account: now, with what could be drawn for it, or ever, when all that
// others hold has come to nothing. Where others wait there is none now.
func (b *book) roomFor(t *tally, line *budget.Line, ever bool) int64 {
	a := b.accounts[line.Key]
	limit := limitOf(line)
	if a == nil || !a.known {
		return limit
	}
	c := t.find(a)
	var settle, credit int64
	if c != nil {
		settle, credit = c.settle, c.counted()-c.settle-c.hold
	}
	switch {
	case ever:
		return limit - a.allSettled() - settle
	case len(a.queue) > 0:
		return credit
	}
	undrawn := limit - max(a.others.granted, a.others.settled+a.others.held) - max(a.granted, a.used())
	free := a.granted - a.used() + max(undrawn, 0)
	return min(free, a.left(limit)) + credit
}
