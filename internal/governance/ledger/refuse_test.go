package ledger

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

func TestRefusals(t *testing.T) {
	day := usdPerDay(100 * dollar)
	cases := []struct {
		name   string
		budget signalbox.Budget
		before func(c *caller)
		cost   int64
		want   signalbox.Code
		words  []string
	}{
		{"more than the whole cap", day, nil, 101 * dollar, signalbox.CodeBudgetExhausted, []string{"100 USD per day of tenant acme", "0 USD settled", "up to 101 USD", "2026-11-19T00:00:00Z"}},
		{"settled leaves no room", day, func(c *caller) { c.leave(90 * dollar); c.end(90 * dollar) }, 11 * dollar, signalbox.CodeBudgetExhausted, []string{"90 USD settled", "0 USD held"}},
		{"held by others", day, func(c *caller) { c.leave(90 * dollar) }, 11 * dollar, signalbox.CodeRateLimited, []string{"held by other calls", "90 USD held"}},
		{"a cap of nothing", usdPerDay(0), nil, 0, signalbox.CodeBudgetExhausted, nil},
		{"closed by an overrun", day, func(c *caller) { c.leave(dollar); c.end(2 * dollar) }, dollar, signalbox.CodeBudgetExhausted, []string{"closed", "billed more"}},
		{"an amount that nobody can count", day, nil, 1<<63 - 1, signalbox.CodeBudgetExhausted, nil},
		{"a soft cap refuses nothing", signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: 1, Soft: true}, nil, dollar, "", nil},
		{"an overrun may keep it open", signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: 10 * dollar, KeepOpen: true}, func(c *caller) { c.leave(dollar); c.end(2 * dollar) }, dollar, "", nil},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			v := newVault()
			l := open(t, v, acme(k.budget), func(o *Options) { o.Wait = shortWait })
			if k.before != nil {
				k.before(begin(t, v, l, track("a")))
			}
			err := begin(t, v, l, track("b")).hold(k.cost)
			wantCode(t, err, k.want, k.words...)
			var e *signalbox.Error
			if errors.As(err, &e) && (e.Remedy == "" || (e.Code == signalbox.CodeRateLimited) != (e.RetryAfter >= time.Second)) {
				t.Errorf("remedy %q, retry after %s", e.Remedy, e.RetryAfter)
			}
		})
	}
}

func TestOverrunIsBookedInFull(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(10*dollar)), nil)
	c := begin(t, v, l, track("a"))
	c.leave(dollar)
	c.spend(30 * dollar)
	if !c.attempt.Overrun {
		t.Error("the attempt does not say that it overran")
	}
	entries := c.book(true)
	if len(entries) != 1 || !entries[0].Closed || entries[0].Settled != 30*dollar || entries[0].Held != -dollar {
		t.Errorf("entries are %+v", entries)
	}
	if b, _ := l.Balance(tenantDay()); !b.Closed || b.Settled != 30*dollar || b.Left() != -20*dollar {
		t.Errorf("balance is %+v", b)
	}
	v.mu.Lock()
	v.shares[tenantDay()][l.Replica].Closed = false
	v.shares[tenantDay()][l.Replica].Settled = 3 * dollar
	v.mu.Unlock()
	if err := l.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(t, v, l, track("a")).leave(7 * dollar) // Opened and reconciled.
}

func TestLimitsRefuseAtOnce(t *testing.T) {
	requests := signalbox.Budget{Unit: signalbox.UnitRequests, Per: signalbox.WindowMinute, Max: 2}
	places := signalbox.Budget{Unit: signalbox.UnitConcurrent, Max: 1}
	t.Run("requests", func(t *testing.T) {
		v := newVault()
		l := open(t, v, acme(requests), nil)
		first, second := begin(t, v, l, track("a")), begin(t, v, l, track("a"))
		_, err := l.Open(t.Context(), track("b"))
		wantCode(t, err, signalbox.CodeRateLimited, "The limit of 2 requests per minute of tenant acme is reached.")
		if got := signalbox.AsError(err).RetryAfter; got != time.Minute {
			t.Errorf("retry after %s, want the end of the window", got)
		}
		key := accountKey(signalbox.OwnerTenant, "", signalbox.UnitRequests, signalbox.WindowMinute)
		first.book(true) // Refused after the gate: it counts.
		second.tab.Entries(true)
		second.tab.Lost() // Nothing is known of it.
		wantTotal(t, v, key, 1, 0)
		begin(t, v, l, track("b")).book(true)
		wantTotal(t, v, key, 2, 0)
	})
	t.Run("concurrency", func(t *testing.T) {
		v := newVault()
		l := open(t, v, acme(places), nil)
		c := begin(t, v, l, track("a"))
		_, err := l.Open(t.Context(), track("b"))
		wantCode(t, err, signalbox.CodeRateLimited, "The limit of 1 concurrent calls of tenant acme is reached.")
		c.tab.Leave()
		c.tab.Leave()
		d := begin(t, v, l, track("b"))
		if e := d.book(true); len(e) != 0 {
			t.Errorf("concurrency is in a record: %v", e)
		}
		begin(t, v, l, track("c"))
	})
	t.Run("a limit of nothing", func(t *testing.T) {
		l := open(t, newVault(), acme(signalbox.Budget{Unit: signalbox.UnitConcurrent, Max: 0}), nil)
		_, err := l.Open(t.Context(), track("b"))
		wantCode(t, err, signalbox.CodeRateLimited)
	})
}

// The limit of a permission is taken with the first attempt: a call that is refused for another reason does not count.
func TestLimitsOfPermissions(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(100*dollar)), nil)
	limited := func(agent string) *caller {
		tr := track(agent)
		tr.Policy.RateLimit = &call.RateLimit{Name: "files.*", Max: 2, Source: "agents[0].permissions.tools[1] (c.yml:7)"}
		return begin(t, v, l, tr)
	}
	wantCode(t, limited("a").hold(101*dollar), signalbox.CodeBudgetExhausted)
	for range 2 {
		c := limited("a")
		c.leave(dollar)
		wantCode(t, c.hold(dollar), "") // A second attempt is the same call.
		c.end(dollar)
	}
	err := limited("a").hold(dollar)
	wantCode(t, err, signalbox.CodeRateLimited, "2 requests per minute of agent a for files.*", "which agents[0].permissions.tools[1] (c.yml:7) sets")
	if got := signalbox.AsError(err).Field; got != "agents[0].permissions.tools[1].rate_limit" {
		t.Errorf("got the field %q", got)
	}
	if got := signalbox.AsError(err).RetryAfter; got != time.Minute {
		t.Errorf("retry after %s, want the end of the window", got)
	}
	limited("b").leave(dollar)
	begin(t, v, l, track("a")).leave(dollar)
	wantTotal(t, v, signalbox.Account{
		Kind: signalbox.OwnerPermission, Tenant: "acme", Name: "a", Agent: "files.*", Unit: signalbox.UnitRequests,
		Per: signalbox.WindowMinute, Start: l.Now().Truncate(time.Minute),
	}.String(), 2, 0)
}

type runsFake map[string]signalbox.Run

func (r runsFake) Run(_ context.Context, _, id string) (signalbox.Run, error) {
	run, ok := r[id]
	switch {
	case id == "run_broken":
		return run, errDown
	case !ok:
		return run, signalbox.Errorf(signalbox.CodeNotFound, "no such run")
	}
	return run, nil
}

func TestRunsAdmitTheirOwn(t *testing.T) {
	mine := func(s signalbox.RunState) signalbox.Run {
		return signalbox.Run{Key: "support", State: s, Plan: signalbox.RunPlan{Total: 10 * signalbox.Dollar, Reserve: 20}}
	}
	runs := runsFake{
		"run_mine": mine(signalbox.RunRunning), "run_halted": mine(signalbox.RunHalted), "run_ended": mine(signalbox.RunEnded),
		"run_expired": mine(signalbox.RunExpired), "run_other": {Key: "sales", State: signalbox.RunRunning},
	}
	for id, want := range map[string]signalbox.Code{
		"run_mine": "", "run_named": "", "else": "", "run_halted": signalbox.CodeFrozen, "run_ended": signalbox.CodeConflict,
		"run_expired": signalbox.CodeConflict, "run_other": signalbox.CodeForbidden, "run_broken": signalbox.CodeInternal,
	} {
		t.Run(id, func(t *testing.T) {
			l := open(t, newVault(), acme(), func(o *Options) { o.Runs = runs })
			tr := track("a")
			tr.Gate.Run = id
			_, err := l.Open(t.Context(), tr)
			wantCode(t, err, want)
		})
	}
}

func TestLaterAttemptsPayFromTheReserve(t *testing.T) {
	v := newVault()
	runs := runsFake{"run_1": {
		ID: "run_1", Tenant: "acme", Key: "support", State: signalbox.RunRunning,
		Plan: signalbox.RunPlan{Total: 10 * signalbox.Dollar, Reserve: 20},
	}}
	l := open(t, v, acme(), func(o *Options) { o.Runs, o.Wait = runs, shortWait })
	start := func() *caller {
		tr := track("a")
		tr.Gate.Run = "run_1"
		return begin(t, v, l, tr)
	}
	planned := accountKey(signalbox.OwnerPlanned, "run_1", signalbox.UnitUSD, signalbox.WindowRun)
	reserve := accountKey(signalbox.OwnerReserve, "run_1", signalbox.UnitUSD, signalbox.WindowRun)
	c := start()
	c.leave(8 * dollar)
	wantTotal(t, v, planned, 0, 8*dollar)
	c.spend(6 * dollar)
	c.leave(2 * dollar) // Attempt 2.
	wantTotal(t, v, planned, 6*dollar, 0)
	wantTotal(t, v, reserve, 0, 2*dollar)
	c.spend(2 * dollar)
	c.leave(2 * dollar) // The reserve is used up: attempt 3 pays as first ones do.
	wantTotal(t, v, planned, 6*dollar, 2*dollar)
	c.end(2 * dollar)
	err := start().hold(1)
	wantCode(t, err, signalbox.CodeBudgetExhausted)
	b, ok := c.tab.Tightest()
	if !ok || b.Left() != 0 {
		t.Errorf("tightest is %+v", b)
	}
}

func TestPlansKeepMoneyForHigherPriorities(t *testing.T) {
	v := newVault()
	most := 6 * signalbox.Dollar
	runs := runsFake{"run_1": {
		ID: "run_1", Tenant: "acme", Key: "support", State: signalbox.RunRunning,
		Plan: signalbox.RunPlan{Total: 10 * signalbox.Dollar, Reserve: 20, Agents: []signalbox.AgentBudget{
			{Agent: "critical", MaxCost: &most, Priority: signalbox.PriorityCritical},
		}},
	}}
	l := open(t, v, acme(), func(o *Options) { o.Runs, o.Wait = runs, shortWait })
	start := func(agent string) *caller {
		tr := track(agent)
		tr.Gate.Run = "run_1"
		return begin(t, v, l, tr)
	}
	err := start("optional").hold(3 * dollar)
	wantCode(t, err, signalbox.CodeBudgetExhausted, "higher priority")
	o := start("optional")
	o.leave(2 * dollar)
	o.end(2 * dollar)
	c := start("critical")
	c.leave(6 * dollar)
	c.end(5 * dollar)
	wantCode(t, start("optional").hold(1), signalbox.CodeBudgetExhausted)
	start("critical").leave(dollar)
}

func TestNoShareNoCall(t *testing.T) {
	v := newVault()
	v.err = errDown
	l := open(t, v, acme(usdPerDay(dollar)), nil)
	err := begin(t, v, l, track("a")).hold(1)
	wantCode(t, err, signalbox.CodeUnavailable)
	if !errors.Is(err, errDown) {
		t.Errorf("the cause is lost: %v", err)
	}
	if err := l.Refresh(t.Context()); err != nil {
		t.Errorf("nothing is used, and Refresh says %v", err)
	}
	v.mu.Lock()
	v.err = nil
	v.mu.Unlock()
	begin(t, v, l, track("a")).leave(1)
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = l.Open(t.Context(), track("a"))
	wantCode(t, err, signalbox.CodeUnavailable)
	wantCode(t, l.Refresh(t.Context()), signalbox.CodeUnavailable)
}

func TestSilentVaultIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		v.delay = time.Hour
		l := open(t, v, acme(usdPerDay(dollar)), func(o *Options) { o.Wait = time.Second })
		defer func() { _ = l.Close(t.Context()) }()
		err := begin(t, v, l, track("a")).hold(1)
		wantCode(t, err, signalbox.CodeUnavailable)
	})
}

func TestCallersWhoLeaveHoldNothing(t *testing.T) {
	v := newVault()
	l := open(t, v, acme(usdPerDay(10*dollar)), nil)
	first, second := begin(t, v, l, track("a")), begin(t, v, l, track("b"))
	first.leave(10 * dollar)
	halted := signalbox.Errorf(signalbox.CodeFrozen, "halted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(halted)
	var a signalbox.Attempt
	err := second.tab.Hold(ctx, second.track, perCall(dollar), &a)
	wantCode(t, err, signalbox.CodeFrozen)
	first.end(0)
	if b, _ := l.Balance(tenantDay()); b.Held != 0 {
		t.Errorf("%d is held by nobody", b.Held)
	}
}

func TestUnpricedModels(t *testing.T) {
	model := signalbox.Candidate{Name: "new", Format: signalbox.ProtocolOpenAIChat}
	tr := func() *call.Track {
		tr := track("a")
		tr.Call.Kind, tr.Call.Tool, tr.Call.Model = signalbox.KindModel, nil, &signalbox.ModelRequest{Choices: 1, MaxOutput: 100}
		return tr
	}
	tokens := signalbox.Budget{Unit: signalbox.UnitTokens, Per: signalbox.WindowDay, Max: 1_000_000}
	hold := func(allow bool) (*caller, error) {
		v := newVault()
		l := open(t, v, budget.Options{Tenants: []budget.Tenant{{ID: "acme", Budgets: []signalbox.Budget{usdPerDay(1), tokens}, AllowUnpriced: allow}}}, nil)
		c := begin(t, v, l, tr())
		c.attempt.N = 1
		return c, c.tab.Hold(t.Context(), c.track, model, &c.attempt)
	}
	_, err := hold(false)
	wantCode(t, err, signalbox.CodeUnpriced, "models.new.price")
	c, err := hold(true)
	if err != nil || c.attempt.Held != nil || c.attempt.HeldUsage.Output != 100 || c.attempt.MaxOutput != 100 {
		t.Fatalf("%v, %+v", err, c.attempt)
	}
	if b, ok := c.tab.Tightest(); !ok || b.Account.Unit != signalbox.UnitTokens {
		t.Errorf("tightest is %+v", b)
	}
}

// What must stay free for others is judged by what other replicas have spent by then, not by what was known of it.
func TestPlansKeepMoneyOverReplicas(t *testing.T) {
	v := newVault()
	most := 6 * signalbox.Dollar
	runs := runsFake{"run_1": {
		ID: "run_1", Tenant: "acme", Key: "support", State: signalbox.RunRunning,
		Plan: signalbox.RunPlan{Total: 10 * signalbox.Dollar, Reserve: 20, Agents: []signalbox.AgentBudget{
			{Agent: "critical", MaxCost: &most, Priority: signalbox.PriorityCritical},
		}},
	}}
	replica := func(name string) *Ledger {
		return open(t, v, acme(), func(o *Options) { o.Runs, o.Wait, o.Replica, o.Whole = runs, time.Millisecond, name, false })
	}
	start := func(l *Ledger, agent string) *caller {
		tr := track(agent)
		tr.Gate.Run = "run_1"
		return begin(t, v, l, tr)
	}
	one, two := replica("one"), replica("two")
	spend := func(l *Ledger, agent string, cost int64) {
		c := start(l, agent)
		c.leave(cost)
		c.end(cost)
	}
	spend(one, "optional", dollar/2) // It has drawn more than that.
	spend(two, "another", 3*dollar/2)
	for range 2 {
		wantCode(t, start(one, "optional").hold(dollar/4), signalbox.CodeBudgetExhausted, "higher priority")
		spend(two, "critical", 2*dollar)
	}
}
