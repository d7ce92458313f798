package budget_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

func TestAmountOf(t *testing.T) {
	u := signalbox.Usage{Input: 7, Output: 5, CacheRead: 3, Reasoning: 2}
	for unit, want := range map[signalbox.Unit]int64{
		signalbox.UnitUSD: 11, signalbox.UnitTokens: 12, signalbox.UnitInputTokens: 7, signalbox.UnitOutputTokens: 5,
		signalbox.UnitRequests: 1, signalbox.UnitSteps: 1, signalbox.UnitConcurrent: 1,
	} {
		if got := budget.AmountOf(unit, u, 11); got != want {
			t.Errorf("%s: got %d, want %d", unit, got, want)
		}
	}
	if got := budget.AmountOf(signalbox.UnitTokens, signalbox.Usage{Input: math.MaxInt64, Output: 1}, 0); got != math.MaxInt64 {
		t.Errorf("the sum wrapped: %d", got)
	}
}

func TestPoliciesThatMakeNoSenseAreRefused(t *testing.T) {
	bad := []signalbox.Budget{usd(signalbox.WindowDay, 1), usd(signalbox.WindowHour, -1)}
	tests := []struct {
		name, field string
		o           budget.Options
	}{
		{"a negative default", "default_max_output", budget.Options{DefaultMaxOutput: -1}},
		{"a tenant twice", "tenants[1].id", budget.Options{Tenants: []budget.Tenant{{ID: "a"}, {ID: "a"}}}},
		{"a tenant's budget", "tenants[0].budgets[1].max", budget.Options{Tenants: []budget.Tenant{{ID: "a", Budgets: bad}}}},
		{"a watched minute", "tenants[0].watch", budget.Options{Tenants: []budget.Tenant{{ID: "a", Watch: []signalbox.Window{signalbox.WindowMinute}}}}},
		{"a team twice", "teams[1].id", budget.Options{Teams: []budget.Team{{Tenant: "a", ID: "t"}, {Tenant: "a", ID: "t"}}}},
		{"a team's budget", "teams[0].budgets[1].max", budget.Options{Teams: []budget.Team{{ID: "t", Budgets: bad}}}},
		{"an agent twice", "agents[1].id", budget.Options{Agents: []budget.Agent{{ID: "x"}, {ID: "x"}}}},
		{"an agent's budget", "agents[0].budgets[1].max", budget.Options{Agents: []budget.Agent{{ID: "x", Budgets: bad}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := budget.NewPolicy(tt.o)
			wantInvalid(t, err, tt.field)
			if p != nil {
				t.Error("there is a policy besides the error")
			}
		})
	}
}

// wantInvalid checks that the error is for people: code, field, a sentence, a remedy.
func wantInvalid(t *testing.T, err error, field string) *signalbox.Error {
	t.Helper()
	if signalbox.CodeOf(err) != signalbox.CodeInvalid {
		t.Fatalf("got %v, want code invalid", err)
	}
	e := signalbox.AsError(err)
	if e.Field != field {
		t.Errorf("got field %q, want %q", e.Field, field)
	}
	if !strings.HasSuffix(e.Message, ".") || !strings.HasSuffix(e.Remedy, ".") {
		t.Errorf("message %q and remedy %q are not sentences", e.Message, e.Remedy)
	}
	return e
}

func TestAPolicyKeepsNothingOfItsOptions(t *testing.T) {
	o := budget.Options{Tenants: []budget.Tenant{{ID: "acme", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 100)}}}}
	p := newPolicy(t, o)
	o.Tenants[0].Budgets[0].Max = 7
	wantLines(t, one(t, p.Attempt(noon, budget.Payer{Caller: caller}, 1, usage, 55)), "tenant acme - - usd day 2026-11-22T00:00:00Z: 55 of 100")
}

// Calls of many goroutines turn the windows at once, and with clocks that differ; the race detector watches.
func TestLinesAreTheSameForEverybodyAtOnce(t *testing.T) {
	p, w := tree(t), budget.Payer{Caller: caller, KeyBudgets: keyBudgets}
	errs := make(chan error, 4)
	for g := range 4 {
		go func() {
			var err error
			for i := range 500 {
				now := noon.Add(time.Duration((i*7919+g)%172_800) * time.Second)
				for _, l := range p.Gate(now, w) {
					if start, end := budget.WindowStart(now, l.Account.Per, zone(t, "Asia/Seoul")); !start.Equal(l.Account.Start) || !end.Equal(l.ResetAt) {
						err = fmt.Errorf("%s at %s", l.Key, now)
					}
				}
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkGateAndAttempt(b *testing.B) {
	p, w := tree(b), budget.Payer{Caller: caller, KeyBudgets: []signalbox.Budget{count(signalbox.UnitTokens, signalbox.WindowDay, 1)}}
	if n := len(p.Gate(noon, w)) + len(p.Attempt(noon, w, 1, usage, 55)[0]); n != 6 {
		b.Fatalf("%d accounts", n)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Gate(noon, w)
		p.Attempt(noon, w, 1, usage, 55)
	}
}
