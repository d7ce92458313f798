package ledger

import (
	"context"
	"math/bits"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// tab is a call's side of the ledger (see [call.Tab]).
type tab struct {
	ledger *Ledger
	payer  budget.Payer
	tally  tally

	refused *signalbox.BudgetStand // The account that had no room for the call; nil where none was in the way.
}

func (t *tab) flow() flow { return flow{t.payer.Caller.Tenant, t.payer.Caller.Agent} }

// Hold makes sure that an attempt can be paid.
func (t *tab) Hold(ctx context.Context, tr *call.Track, c signalbox.Candidate, a *signalbox.Attempt) error {
	h := holding{tab: t, track: tr, candidate: c, attempt: a, policy: t.ledger.Policy(), tokens: -1}
	h.bound = h.policy.Bound(tr.Call, c, 0, h.tokens)
	if !h.policy.AllowUnpriced(t.payer.Caller.Tenant) {
		switch m := tr.Call.Model; {
		case m != nil && m.Unbounded != nil:
			return m.Unbounded
		case h.bound.Unpriced:
			return errUnpriced(c)
		}
	}
	v := h.hold(ctx)
	if !v.held {
		t.note(v)
		if limit := tr.Policy.RateLimit; limit != nil {
			v.permission = limit.Source
		}
		return t.ledger.refusal(ctx, v)
	}
	h.fill()
	return nil
}

// Spend says what the attempt that was held last came to.
func (t *tab) Spend(a *signalbox.Attempt) {
	var usage signalbox.Usage
	var cost signalbox.Money
	if a.Usage != nil {
		usage = *a.Usage
	}
	if a.Cost != nil {
		cost = *a.Cost
	}
	t.ledger.do(func(b *book) {
		if b.spend(&t.tally, usage, cost) {
			a.Overrun = true
		}
	})
	if a.Cost != nil && a.Held != nil && *a.Cost > *a.Held {
		a.Overrun = true
	}
}

// Drop takes back a hold whose attempt never left.
func (t *tab) Drop() { t.ledger.do(func(b *book) { b.drop(&t.tally) }) }

// Entries gives what the next record of the call books.
func (t *tab) Entries(ended bool) (list []signalbox.LedgerEntry) {
	t.ledger.do(func(b *book) { list = b.entries(&t.tally, ended) })
	return list
}

// Booked says that the record with the last entries is durable.
func (t *tab) Booked() { t.ledger.do(func(b *book) { b.booked(&t.tally) }) }

// Lost says that it was not written and never will be.
func (t *tab) Lost() { t.ledger.do(func(b *book) { b.lost(&t.tally) }) }

// Leave gives the call's places under limits of concurrency back.
func (t *tab) Leave() {
	t.ledger.do(func(b *book) {
		b.leave(&t.tally)
		b.run()
	})
}

// Tightest gives the account with the least left, relative to its cap. Limits of requests and of concurrency are not
// among them: they say nothing of what a call may cost.
func (t *tab) Tightest() (tightest call.Balance, ok bool) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	for i := range t.tally.claims {
		a := t.tally.claims[i].account
		if gated(a.name.Unit) || a.budget.Max <= 0 {
			continue
		}
		if b := a.balance(); !ok || tighter(b, tightest) {
			tightest, ok = b, true
		}
	}
	return tightest, ok
}

// tighter compares what is left of two accounts, each as a part of its cap.
func tighter(a, b call.Balance) bool {
	hi, lo := bits.Mul64(uint64(max(a.Left(), 0)), uint64(b.Cap))
	hi2, lo2 := bits.Mul64(uint64(max(b.Left(), 0)), uint64(a.Cap))
	return hi < hi2 || hi == hi2 && lo < lo2
}

// note keeps where the account stood that refused the call.
func (t *tab) note(v verdict) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	if a := v.by; a != nil && a.budget.Max > 0 && !gated(a.name.Unit) {
		left := a.left(a.budget.Max)
		t.refused = &signalbox.BudgetStand{Account: a.key, Max: a.budget.Max, Before: left, After: left}
	}
}

// Stand gives the tightest account before the call held anything, and with nothing of the call held any more.
func (t *tab) Stand() *signalbox.BudgetStand {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	var tightest call.Balance
	var stand *signalbox.BudgetStand
	for i := range t.tally.claims {
		c := &t.tally.claims[i]
		a := c.account
		if gated(a.name.Unit) || a.budget.Max <= 0 {
			continue
		}
		b := a.balance()
		b.Held -= c.counted() - c.settle - c.hold // Until the record is durable the larger of both states counts.
		if stand == nil || tighter(b, tightest) {
			tightest = b
			stand = &signalbox.BudgetStand{Account: a.key, Max: b.Cap, Before: b.Cap - c.stood, After: b.Left()}
		}
	}
	if stand == nil {
		return t.refused
	}
	return stand
}
