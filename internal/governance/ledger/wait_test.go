package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

func TestWaitingCalls(t *testing.T) {
	cases := []struct {
		name  string
		frees time.Duration // When the first call ends.
		cost  int64         // What it comes to.
		want  signalbox.Code
		after time.Duration // When the second one is decided.
	}{
		{"what others held comes back", time.Second, 4 * dollar, "", time.Second},
		{"nothing comes back in time", time.Minute, 0, signalbox.CodeRateLimited, DefaultWait},
		{"it is settled meanwhile", time.Second, 6 * dollar, signalbox.CodeBudgetExhausted, time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVault()
				l := open(t, v, acme(usdPerDay(10*dollar)), func(o *Options) { o.Now = time.Now })
				defer func() { _ = l.Close(context.Background()) }()
				first, second := begin(t, v, l, track("a")), begin(t, v, l, track("b"))
				first.leave(10 * dollar)
				go func() {
					time.Sleep(c.frees)
					first.end(c.cost)
				}()
				start := time.Now()
				wantCode(t, second.hold(5*dollar), c.want)
				if got := time.Since(start).Truncate(100 * time.Millisecond); got != c.after {
					t.Errorf("decided after %s, want %s", got, c.after)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestNobodyIsPassed: a large call waits, and small ones that would fit do not take its room again and again.
func TestNobodyIsPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		l := open(t, v, acme(usdPerDay(100*dollar)), func(o *Options) { o.Now = time.Now })
		defer func() { _ = l.Close(context.Background()) }()
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 10 { // They hold 90 of 100 at any time.
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				for {
					select {
					case <-stop:
						return
					default:
					}
					c := begin(t, v, l, track(fmt.Sprintf("small %d", i)))
					if c.hold(9*dollar) == nil {
						c.book(false)
						time.Sleep(10 * time.Millisecond)
						c.spend(0)
					}
					c.book(true)
				}
			})
		}
		time.Sleep(time.Second)
		large := begin(t, v, l, track("large"))
		if err := large.hold(60 * dollar); err != nil {
			t.Errorf("the large call was not served: %v", err)
		}
		close(stop)
		wg.Wait()
		large.end(0)
	})
}

// TestOwnBudgetStopsNobodyElse: a call that waits for its agent's budget lets the tenant's other agents pass.
func TestOwnBudgetStopsNobodyElse(t *testing.T) {
	v := newVault()
	policy := acme(usdPerDay(100 * dollar))
	policy.Agents = []budget.Agent{{ID: "narrow", Budgets: []signalbox.Budget{usdPerDay(dollar)}}}
	l := open(t, v, policy, func(o *Options) { o.Wait = time.Hour })
	first, second := begin(t, v, l, track("narrow")), begin(t, v, l, track("narrow"))
	first.leave(dollar)
	served := make(chan error)
	go func() { served <- second.hold(dollar) }()
	waitFor(t, l, 1)
	begin(t, v, l, track("wide")).leave(50 * dollar)
	first.end(0)
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, l *Ledger, n int) {
	t.Helper()
	for range 2000 {
		l.mu.Lock()
		parked := l.book.parked
		l.mu.Unlock()
		if parked == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d calls do not wait", n)
}

func TestWaitingIsBounded(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(dollar)), func(o *Options) { o.Wait, o.MaxWaiting = time.Hour, 2 })
	first := begin(t, v, l, track("a"))
	first.leave(dollar)
	served := make(chan error, 2)
	for range 2 {
		c := begin(t, v, l, track("b"))
		go func() {
			err := c.hold(dollar)
			if err == nil {
				c.book(false)
				c.end(0)
			}
			served <- err
		}()
	}
	waitFor(t, l, 2)
	wantCode(t, begin(t, v, l, track("c")).hold(dollar), signalbox.CodeRateLimited, "2 calls wait")
	first.end(0)
	for range 2 {
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

func TestFlowsTakeTurns(t *testing.T) {
	var f fair
	busy, quiet := flow{"acme", "busy"}, flow{"acme", "quiet"}
	var tickets []ticket
	for range 3 {
		tickets = append(tickets, f.enter(busy))
	}
	q := f.enter(quiet)
	if !tickets[0].before(q) || !q.before(tickets[1]) {
		t.Errorf("tickets %v, and %v of the quiet flow", tickets, q)
	}
	f.leave(busy, tickets[0], true)
	f.leave(quiet, q, true)
	f.leave(busy, tickets[2], false) // The last one gives its turn back.
	if again := f.enter(busy); again.start != tickets[2].start {
		t.Errorf("a turn is lost: %v, want the start of %v", again, tickets[2])
	}
}

// TestNewFlowsDoNotHoldOldOnesUp: flows that appear anew begin at the present time; it goes on, so that one that has
// waited is served, and what is known of flows stays bounded.
func TestNewFlowsDoNotHoldOldOnesUp(t *testing.T) {
	var f fair
	old := flow{"acme", "old"}
	f.enter(old)
	waiting := f.enter(old) // One behind another.
	for i := range 3 * maxTurns {
		w := flow{"acme", fmt.Sprint(i)}
		n := f.enter(w)
		if waiting.before(n) {
			if i > maxTurns {
				t.Errorf("it waits for %d others", i)
			}
			if len(f.lanes) > maxTurns+2 {
				t.Errorf("%d flows are kept", len(f.lanes))
			}
			return
		}
		f.leave(w, n, true)
	}
	t.Error("it is never served")
}

// TestNoStarvation: 64 agents whose calls are held for 1 % of the cap and cost less use at least 95 % of it.
func TestNoStarvation(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d replicas", replicas), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVault()
				ledgers := cluster(t, v, replicas, acme(usdPerDay(100*dollar)))
				var wg sync.WaitGroup
				served := make([]int, 64)
				for i := range served {
					l := ledgers[i%replicas]
					wg.Go(func() { served[i] = spendAll(t, v, l, fmt.Sprintf("agent %d", i), dollar) })
				}
				wg.Wait()
				got := v.total(tenantDay())
				if got.AllSettled < 95*dollar || got.AllSettled > 100*dollar || got.AllHeld != 0 {
					t.Errorf("%s of 100 USD is settled, %d held", signalbox.Money(got.AllSettled), got.AllHeld)
				}
				least, most := served[0], served[0]
				for _, n := range served {
					least, most = min(least, n), max(most, n)
				}
				if replicas == 1 && (least == 0 || most > 3*least) {
					t.Errorf("the agents were served %d to %d times", least, most)
				}
				for _, l := range ledgers {
					_ = l.Close(context.Background())
				}
			})
		})
	}
}

// spendAll makes calls until the budget is exhausted, waiting its turn; half of what is held is used.
func spendAll(t *testing.T, v *vault, l *Ledger, agent string, bound int64) (served int) {
	for {
		c := begin(t, v, l, track(agent))
		err := c.hold(bound)
		if err == nil {
			c.book(false)
			time.Sleep(20 * time.Millisecond)
			c.end(bound / 2)
			served++
			continue
		}
		c.book(true)
		if code(err) == signalbox.CodeBudgetExhausted {
			return served
		}
		time.Sleep(signalbox.AsError(err).RetryAfter)
	}
}

// cluster makes replicas that tell each other when they need room, as the servers do.
func cluster(t *testing.T, v *vault, n int, policy budget.Options) []*Ledger {
	ledgers := make([]*Ledger, n)
	for i := range ledgers {
		ledgers[i] = open(t, wishes{v, &ledgers, i, n}, policy, func(o *Options) {
			o.Whole, o.Replica, o.Now = n == 1, fmt.Sprintf("replica %d", i), func() time.Time { return at.Add(time.Since(at) % time.Hour) }
		})
	}
	return ledgers
}

// wishes is the vault as one replica sees it: a draw that gives too little is told to the others.
type wishes struct {
	*vault
	ledgers *[]*Ledger
	self, n int
}

func (w wishes) Draw(ctx context.Context, replica string, draws []signalbox.Draw) ([]signalbox.Share, error) {
	before := make([]int64, len(draws))
	for i, d := range draws {
		w.mu.Lock()
		before[i] = w.share(d.Account, replica).Granted
		w.mu.Unlock()
	}
	shares, err := w.vault.Draw(ctx, replica, draws)
	for i := range shares {
		if draws[i].Least <= shares[i].Granted-before[i] {
			continue
		}
		for j, l := range *w.ledgers {
			if j != w.self && l != nil {
				go l.Wanted([]string{draws[i].Account})
			}
		}
	}
	return shares, err
}
