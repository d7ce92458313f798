package budget_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// household is a policy in which everybody has budgets.
func household(t testing.TB) (*budget.Policy, []signalbox.Key) {
	t.Helper()
	p := newPolicy(t, budget.Options{
		Tenants: []budget.Tenant{{
			ID: "acme", Watch: []signalbox.Window{signalbox.WindowRun, signalbox.WindowMonth},
			Budgets: []signalbox.Budget{
				usd(signalbox.WindowDay, 100), usd(signalbox.WindowRun, 20), count(signalbox.UnitRequests, signalbox.WindowMinute, 600),
				count(signalbox.UnitConcurrent, signalbox.WindowNone, 8),
			},
		}, {ID: "globex"}},
		Teams: []budget.Team{
			{Tenant: "acme", ID: "customer service", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 50), usd(signalbox.WindowRun, 15)}},
			{Tenant: "globex", ID: "cs", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 1)}},
		},
		Agents: []budget.Agent{{ID: "writer", Budgets: []signalbox.Budget{usd(signalbox.WindowHour, 5), usd(signalbox.WindowRun, 3)}, Limits: []budget.Limit{{Tools: "files.*", Max: 30}}}},
	})
	return p, []signalbox.Key{
		{ID: "support", Tenant: "acme", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 7), usd(signalbox.WindowRun, 9)}},
		{ID: "foreign", Tenant: "globex", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 1)}},
	}
}

func TestKnown(t *testing.T) {
	p, keys := household(t)
	wantLines(t, p.Known(noon, "acme", keys),
		"agent acme writer - usd hour 2026-11-22T12:00:00Z: 0 of 5",
		"key acme support - usd day 2026-11-22T00:00:00Z: 0 of 7",
		"permission acme writer files.* requests minute 2026-11-22T12:00:00Z: 0 of 30",
		"team acme customer%20service - usd day 2026-11-22T00:00:00Z: 0 of 50",
		"tenant acme - - concurrent - -: 0 of 8",
		"tenant acme - - requests minute 2026-11-22T12:00:00Z: 0 of 600",
		"tenant acme - - usd day 2026-11-22T00:00:00Z: 0 of 100",
		"tenant acme - - usd month 2026-11-01T00:00:00Z: 0 of -1",
	)
	wantLines(t, p.Known(noon, "nobody", keys), "agent nobody writer - usd hour 2026-11-22T12:00:00Z: 0 of 5",
		"permission nobody writer files.* requests minute 2026-11-22T12:00:00Z: 0 of 30")
}

func TestOfRun(t *testing.T) {
	p, keys := household(t)
	who := signalbox.Caller{Tenant: "acme", Team: "customer service", Key: "support"}
	t.Run("only named", func(t *testing.T) {
		wantLines(t, p.OfRun(budget.Payer{Caller: who, RunID: "r", KeyBudgets: keys[0].Budgets}),
			"run acme r - usd run -: 0 of 9")
	})
	t.Run("opened", func(t *testing.T) {
		run := signalbox.Run{ID: "run_1", Plan: signalbox.RunPlan{
			Total: 1000, Reserve: 20, Steps: 40, Agents: []signalbox.AgentBudget{
				{Agent: "writer", MaxCost: ptr(signalbox.Money(2)), MaxSteps: ptr(int64(4)), Priority: signalbox.PriorityCritical},
				{Agent: "editor", MaxInput: ptr(int64(100)), Priority: signalbox.PriorityOptional},
			},
		}}
		wantLines(t, p.OfRun(budget.Payer{Caller: who, RunID: "run_1", Run: &run}),
			"planned acme run_1 - usd run -: 0 of 800",
			"planned_normal acme run_1 - usd run -: 0 of 798",
			"planned_optional acme run_1 - usd run -: 0 of 798",
			"reserve acme run_1 - usd run -: 0 of 200",
			"run acme run_1 - steps run -: 0 of 40",
			"run acme run_1 - usd run -: 0 of 15",
			"run_agent acme run_1 editor input_tokens run -: 0 of 100",
			"run_agent acme run_1 writer steps run -: 0 of 4",
			"run_agent acme run_1 writer usd run -: 0 of 2",
		)
	})
}

func TestBudgetOf(t *testing.T) {
	p, keys := household(t)
	for _, c := range []struct {
		name, account string
		payer         budget.Payer
		most          int64
		found         bool
		end           string
	}{
		{"a past day", "tenant acme - - usd day 2025-02-03T00:00:00Z", budget.Payer{}, 100, true, "2025-02-04T00:00:00Z"},
		{"a team with a space", "team acme customer%20service - usd day 2026-11-22T00:00:00Z", budget.Payer{}, 50, true, "2026-11-23T00:00:00Z"},
		{"a key", "key acme support - usd day 2026-11-22T00:00:00Z", budget.Payer{KeyBudgets: keys[0].Budgets}, 7, true, "2026-11-23T00:00:00Z"},
		{"an agent in a run", "run_agent acme r writer usd run -", budget.Payer{}, 3, true, ""},
		{"a run", "run acme r - usd run -", budget.Payer{}, 20, true, ""},
		{"a budget that is gone", "tenant acme - - usd week 2026-11-16T00:00:00Z", budget.Payer{}, 0, false, "2026-11-23T00:00:00Z"},
		{"a tenant that is gone", "tenant nobody - - usd day 2026-11-22T00:00:00Z", budget.Payer{}, 0, false, "2026-11-23T00:00:00Z"},
		{"a plan that is not known", "planned acme r - usd run -", budget.Payer{}, 0, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			account, err := signalbox.ParseAccount(c.account)
			if err != nil {
				t.Fatal(err)
			}
			b, end, found := p.BudgetOf(account, c.payer)
			got := ""
			if !end.IsZero() {
				got = end.Format(time.RFC3339)
			}
			if b.Max != c.most || found != c.found || got != c.end {
				t.Errorf("got %d, %v, %q; want %d, %v, %q", b.Max, found, got, c.most, c.found, c.end)
			}
		})
	}
}

// What a list of accounts shows is what calls pay from: every account of every call is known, with the same budget.
func TestKnownHasWhatCallsPayFrom(t *testing.T) {
	p, keys := household(t)
	rapid.Check(t, func(t *rapid.T) {
		now := noon.Add(time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "now")))
		who := signalbox.Caller{
			Tenant: "acme", Key: "support", Team: rapid.SampledFrom([]string{"", "customer service"}).Draw(t, "team"),
			Agent: rapid.SampledFrom([]string{"", "writer", "editor"}).Draw(t, "agent"),
		}
		w := budget.Payer{Caller: who, RunID: "run_1", KeyBudgets: keys[0].Budgets}
		if rapid.Bool().Draw(t, "opened") {
			w.Run = &signalbox.Run{Plan: signalbox.RunPlan{Total: 1000, Reserve: 15, Steps: 3, Agents: []signalbox.AgentBudget{
				{Agent: "writer", MaxCost: ptr(signalbox.Money(2)), Priority: signalbox.PriorityNormal},
			}}}
		}
		known := map[string]signalbox.Budget{}
		for _, l := range append(p.Known(now, "acme", keys), p.OfRun(w)...) {
			known[l.Key] = l.Budget
		}
		lists := append(p.Attempt(now, w, rapid.IntRange(1, 2).Draw(t, "attempt"), signalbox.Usage{}, 1), p.Gate(now, w))
		for _, list := range lists {
			for _, l := range list {
				if l.Account.Kind == signalbox.OwnerRunAgent {
					l.Budget.Max = min(l.Budget.Max, known[l.Key].Max) // The reserve is not under the plan's part for the agent.
				}
				if b, ok := known[l.Key]; !ok || b != l.Budget {
					t.Fatalf("a call pays from %s under %+v; known is %+v, %v", l.Key, l.Budget, b, ok)
				}
				if b, end, ok := p.BudgetOf(l.Account, w); !ok || b != l.Budget || !end.Equal(l.ResetAt) {
					t.Fatalf("%s: got %+v, %s, %v; want %+v, %s", l.Key, b, end, ok, l.Budget, l.ResetAt)
				}
				if l.Key != l.Account.String() {
					t.Fatalf("the key %q is not the account %q", l.Key, l.Account)
				}
			}
		}
	})
}
