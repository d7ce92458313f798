package ledger

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// TestRoomMovesBetweenReplicas: what one replica has drawn and does not use reaches the other one.
func TestRoomMovesBetweenReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		place := signalbox.Budget{Unit: signalbox.UnitConcurrent, Max: 8}
		ls := cluster(t, v, 2, acme(usdPerDay(10*dollar), place))
		for round := range 4 {
			one, other := ls[round%2], ls[(round+1)%2]
			var list []*caller
			for range 7 { // Most of the places, and most of the money.
				c := begin(t, v, one, track("a"))
				c.leave(dollar)
				list = append(list, c)
			}
			begin(t, v, other, track("b")).book(true)
			for _, c := range list {
				c.end(dollar / 10)
			}
		}
		begin(t, v, ls[0], track("a")).leave(7*dollar + dollar/10)
		_, key := ls[1], tenantDay()
		if got := v.total(key); max(got.AllGranted, got.AllSettled+got.AllHeld) > 10*dollar {
			t.Errorf("shares are %+v", got)
		}
		for _, l := range ls {
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got := v.total(key); got.AllGranted != got.AllSettled+got.AllHeld {
			t.Errorf("free room is kept after the end: %+v", got)
		}
	})
}

func TestIdleSharesGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		l := open(t, v, acme(usdPerDay(100*dollar)), func(o *Options) { o.Whole, o.Now = false, time.Now })
		defer func() { _ = l.Close(context.Background()) }()
		c := begin(t, v, l, track("a"))
		c.leave(dollar)
		c.end(dollar / 2)
		key := c.tab.(*tab).tally.claims[0].account.key
		if v.total(key).AllGranted < dollar {
			t.Fatal("no share was drawn")
		}
		time.Sleep(IdleAfter + 2*sweepEvery)
		if got := v.total(key); got.AllGranted != dollar/2 {
			t.Errorf("%s is granted after a while without calls", signalbox.Money(got.AllGranted))
		}
		if _, known := l.Balance(key); known {
			t.Error("an idle account is kept")
		}
		begin(t, v, l, track("a")).leave(99 * dollar)
	})
}

func TestLowerCapsGiveRoomBack(t *testing.T) {
	for _, whole := range []bool{true, false} {
		v := newVault()
		limit := 100 * dollar
		l := open(t, v, acme(), func(o *Options) {
			o.Whole, o.Wait = whole, shortWait
			o.Policy = func() *budget.Policy { return policyOf(t, acme(usdPerDay(limit))) }
		})
		c := begin(t, v, l, track("a"))
		c.leave(8 * dollar)
		limit = 10 * dollar
		l.Replan()
		wantCode(t, begin(t, v, l, track("a")).hold(3*dollar), signalbox.CodeRateLimited)
		if got := v.total(tenantDay()); got.AllGranted > 10*dollar {
			t.Errorf("%s is granted under a cap of 10 USD", signalbox.Money(got.AllGranted))
		}
		limit = 20 * dollar
		l.Replan()
		begin(t, v, l, track("a")).leave(12 * dollar)
	}
}

// TestSlicesGrow: a hot account is drawn more and more seldom, and near the cap exactly as much as is needed.
func TestSlicesGrow(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(1000*dollar)), func(o *Options) { o.Whole = false })
	for range 1000 {
		c := begin(t, v, l, track("a"))
		c.leave(dollar)
		c.end(dollar)
	}
	if got := v.total(tenantDay()); got.AllSettled != 1000*dollar || got.AllGranted != 1000*dollar {
		t.Errorf("shares are %+v", got)
	}
	if v.draws > 60 {
		t.Errorf("%d draws for 1,000 calls", v.draws)
	}
}

// TestWindows: a call settles in the window it was held in, and every window begins with its whole cap, whatever the
// clock and the calendar do.
func TestWindows(t *testing.T) {
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name     string
		zone     *time.Location
		per      signalbox.Window
		from, to time.Time
		fresh    bool // Whether to is in another window than from.
	}{
		{"midnight in Seoul", seoul, signalbox.WindowDay, at.Add(4*time.Hour + 29*time.Minute), at.Add(4*time.Hour + 31*time.Minute), true},
		{"the end of February", time.UTC, signalbox.WindowMonth, time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC), true},
		{"a day of 25 hours", berlin, signalbox.WindowDay, time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 22, 59, 0, 0, time.UTC), false},
		{"a day of 23 hours", berlin, signalbox.WindowDay, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC), true},
		{"a clock that jumps a day ahead", time.UTC, signalbox.WindowDay, at, at.Add(24 * time.Hour), true},
		{"a clock that is set a day back", time.UTC, signalbox.WindowDay, at, at.Add(-24 * time.Hour), true},
		{"a clock that is set an hour back", time.UTC, signalbox.WindowDay, at, at.Add(-time.Hour), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v, now := newVault(), c.from
			policy := budget.Options{Tenants: []budget.Tenant{{ID: "acme", Zone: c.zone, Budgets: []signalbox.Budget{
				{Unit: signalbox.UnitUSD, Per: c.per, Max: 10 * dollar},
			}}}}
			l := open(t, v, policy, func(o *Options) {
				o.Now, o.Wait = func() time.Time { return now }, shortWait
			})
			first := begin(t, v, l, track("a"))
			first.leave(10 * dollar)
			now = c.to
			second := begin(t, v, l, track("a"))
			if err := second.hold(dollar); (err == nil) != c.fresh {
				t.Errorf("a call in the later window: %v", err)
			}
			first.end(9 * dollar)
			if !c.fresh {
				return
			}
			second.book(false)
			second.end(dollar)
			now = c.from // Back again: what was settled there counts.
			third := begin(t, v, l, track("a"))
			wantCode(t, third.hold(2*dollar), signalbox.CodeBudgetExhausted)
		})
	}
}

// TestMemoryIsBounded: runs that are over leave nothing behind.
func TestMemoryIsBounded(t *testing.T) {
	v := newVault()
	run := signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowRun, Max: dollar}
	l := open(t, v, acme(run), nil)
	for i := range 100_000 {
		if i%1000 == 0 { // The vault is no part of the test.
			v.mu.Lock()
			clear(v.shares)
			v.mu.Unlock()
		}
		tr := track("a")
		tr.Gate.Run = fmt.Sprintf("r%d", i)
		c := begin(t, v, l, tr)
		c.leave(dollar)
		c.end(dollar)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.book.accounts); n > MaxIdle+1 {
		t.Errorf("%d accounts are kept", n)
	}
}
