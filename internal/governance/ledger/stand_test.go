package ledger

import (
	"testing"

	"github.com/signalbox/signalbox"
)

func wantStand(t *testing.T, c *caller, want *signalbox.BudgetStand) {
	t.Helper()
	got := c.tab.Stand()
	if (got == nil) != (want == nil) || got != nil && *got != *want {
		t.Errorf("it stands at %+v, want %+v", got, want)
	}
}

// The record of a call says what its tightest account had left before, and what after.
func TestStand(t *testing.T) {
	stand := func(before, after int64) *signalbox.BudgetStand {
		return &signalbox.BudgetStand{Account: tenantDay(), Max: 10 * dollar, Before: before, After: after}
	}
	t.Run("one attempt, another call between", func(t *testing.T) {
		v := newVault()
		l := open(t, v, acme(usdPerDay(10*dollar)), nil)
		c, other := begin(t, v, l, track("a")), begin(t, v, l, track("b"))
		wantStand(t, c, nil)
		c.leave(4 * dollar)
		other.leave(3 * dollar)
		c.spend(dollar)
		c.tab.Entries(true) // Asked between the entries and their commit, as the record station does.
		wantStand(t, c, stand(10*dollar, 6*dollar))
		c.book(true)
		wantStand(t, c, stand(10*dollar, 6*dollar))
		other.end(2 * dollar)
		wantStand(t, other, stand(6*dollar, 7*dollar)) // It gave back more of the first call's hold than it used.
	})
	t.Run("two attempts", func(t *testing.T) {
		v := newVault()
		c := begin(t, v, open(t, v, acme(usdPerDay(10*dollar)), nil), track("a"))
		c.leave(4 * dollar)
		c.spend(4 * dollar)
		c.leave(2 * dollar)
		c.end(dollar)
		wantStand(t, c, stand(10*dollar, 5*dollar))
	})
	t.Run("refused", func(t *testing.T) {
		v := newVault()
		l := open(t, v, acme(usdPerDay(10*dollar)), func(o *Options) { o.Wait = shortWait })
		first := begin(t, v, l, track("a"))
		first.leave(9 * dollar)
		first.end(9 * dollar)
		second := begin(t, v, l, track("b"))
		wantCode(t, second.hold(2*dollar), signalbox.CodeBudgetExhausted)
		second.tab.Entries(true)
		wantStand(t, second, stand(dollar, dollar))
	})
	t.Run("no cap", func(t *testing.T) {
		v := newVault()
		c := begin(t, v, open(t, v, acme(), nil), track("a"))
		c.leave(dollar)
		c.end(dollar)
		wantStand(t, c, nil)
	})
	t.Run("only limits of requests", func(t *testing.T) {
		v := newVault()
		requests := signalbox.Budget{Unit: signalbox.UnitRequests, Per: signalbox.WindowDay, Max: 5}
		c := begin(t, v, open(t, v, acme(requests), nil), track("a"))
		c.leave(dollar)
		c.end(dollar)
		wantStand(t, c, nil)
	})
	t.Run("the tighter of two", func(t *testing.T) {
		v := newVault()
		tokens := signalbox.Budget{Unit: signalbox.UnitTokens, Per: signalbox.WindowDay, Max: 1_000_000}
		c := begin(t, v, open(t, v, acme(tokens, usdPerDay(10*dollar)), nil), track("a"))
		c.leave(dollar)
		c.end(dollar)
		wantStand(t, c, stand(10*dollar, 9*dollar))
	})
}
