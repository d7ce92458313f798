package budget_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func usd(per signalbox.Window, most signalbox.Money) signalbox.Budget {
	return signalbox.Budget{Unit: signalbox.UnitUSD, Per: per, Max: int64(most)}
}

func count(unit signalbox.Unit, per signalbox.Window, most int64) signalbox.Budget {
	return signalbox.Budget{Unit: unit, Per: per, Max: most}
}

func newPolicy(t testing.TB, o budget.Options) *budget.Policy {
	t.Helper()
	p, err := budget.NewPolicy(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ptr[T any](v T) *T { return &v }

// brief writes lines as a table: the account, the cap and the amount wanted.
func brief(lines []budget.Line) []string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = fmt.Sprintf("%s: %d of %d", l.Key, l.Amount, l.Budget.Max)
	}
	return texts
}

func wantLines(t *testing.T, got []budget.Line, want ...string) {
	t.Helper()
	if texts := brief(got); !slices.Equal(texts, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(texts, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// one gives the only alternative.
func one(t *testing.T, alternatives [][]budget.Line) []budget.Line {
	t.Helper()
	if len(alternatives) != 1 {
		t.Fatalf("got %d alternatives, want one", len(alternatives))
	}
	return alternatives[0]
}

var (
	usage  = signalbox.Usage{Input: 100, Output: 20}
	caller = signalbox.Caller{Tenant: "acme", Team: "cs", Key: "support", Agent: "researcher"}
)

// tree is a policy with a budget at every place.
func tree(t testing.TB) *budget.Policy {
	return newPolicy(t, budget.Options{
		Tenants: []budget.Tenant{{ID: "acme", Zone: zone(t, "Asia/Seoul"), Budgets: []signalbox.Budget{
			usd(signalbox.WindowDay, 100), usd(signalbox.WindowRun, 9), count(signalbox.UnitRequests, signalbox.WindowMinute, 600),
		}}},
		Teams: []budget.Team{{Tenant: "acme", ID: "cs", Budgets: []signalbox.Budget{
			usd(signalbox.WindowMonth, 90), count(signalbox.UnitConcurrent, signalbox.WindowNone, 4),
		}}},
		Agents: []budget.Agent{{ID: "researcher", Budgets: []signalbox.Budget{
			count(signalbox.UnitTokens, signalbox.WindowHour, 5000), count(signalbox.UnitSteps, signalbox.WindowRun, 7),
			count(signalbox.UnitRequests, signalbox.WindowRun, 3),
		}}},
	})
}

var keyBudgets = []signalbox.Budget{
	count(signalbox.UnitInputTokens, signalbox.WindowWeek, 800), count(signalbox.UnitOutputTokens, signalbox.WindowSecond, 30),
	count(signalbox.UnitRequests, signalbox.WindowDay, 50),
}

func TestGateTakesRequestsAndConcurrencyOnly(t *testing.T) {
	lines := tree(t).Gate(noon, budget.Payer{Caller: caller, RunID: "r1", KeyBudgets: keyBudgets})
	wantLines(t, lines,
		"tenant acme - - requests minute 2026-11-22T12:00:00Z: 1 of 600",
		"team acme cs - concurrent - -: 1 of 4",
		"key acme support - requests day 2026-11-21T15:00:00Z: 1 of 50",
		"run_agent acme r1 researcher requests run -: 1 of 3")
	for i, want := range []time.Time{noon.Add(time.Minute), {}, noon.Add(3 * time.Hour), {}} {
		if !lines[i].ResetAt.Equal(want) {
			t.Errorf("%s: it resets at %s, want %s", lines[i].Key, lines[i].ResetAt, want)
		}
	}
}

func TestAttemptTakesMoneyTokensAndSteps(t *testing.T) {
	p, w := tree(t), budget.Payer{Caller: caller, RunID: "r1", KeyBudgets: keyBudgets}
	want := []string{
		"tenant acme - - usd day 2026-11-21T15:00:00Z: 55 of 100",
		"run acme r1 - usd run -: 55 of 9",
		"team acme cs - usd month 2026-10-31T15:00:00Z: 55 of 90",
		"key acme support - input_tokens week 2026-11-15T15:00:00Z: 100 of 800",
		"key acme support - output_tokens second 2026-11-22T12:00:00Z: 20 of 30",
		"agent acme researcher - tokens hour 2026-11-22T12:00:00Z: 120 of 5000",
		"run_agent acme r1 researcher steps run -: 1 of 7",
	}
	t.Run("the first", func(t *testing.T) { wantLines(t, one(t, p.Attempt(noon, w, 1, usage, 55)), want...) })
	t.Run("a further one takes no step", func(t *testing.T) {
		wantLines(t, one(t, p.Attempt(noon, w, 2, usage, 55)), want[:6]...)
	})
}

func TestACallWithoutARunHasNoAccountsOfRuns(t *testing.T) {
	p, w := tree(t), budget.Payer{Caller: caller, Run: &signalbox.Run{ID: "run_1", Plan: plan()}}
	for _, l := range append(p.Gate(noon, w), one(t, p.Attempt(noon, w, 1, usage, 55))...) {
		if l.Account.Per == signalbox.WindowRun {
			t.Errorf("it pays from %s", l.Key)
		}
	}
}

func TestACallerWithoutTeamKeyAndAgentHasNoAccountsOfThem(t *testing.T) {
	p := newPolicy(t, budget.Options{
		Tenants: []budget.Tenant{{ID: "acme", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 1)}}},
		Teams:   []budget.Team{{Tenant: "acme", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 2)}}},
		Agents:  []budget.Agent{{Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 3)}}},
	})
	w := budget.Payer{Caller: signalbox.Caller{Tenant: "acme"}, KeyBudgets: []signalbox.Budget{usd(signalbox.WindowDay, 4)}}
	wantLines(t, one(t, p.Attempt(noon, w, 1, usage, 55)), "tenant acme - - usd day 2026-11-22T00:00:00Z: 55 of 1")
}

func TestTeamsOfOtherTenantsAreOthers(t *testing.T) {
	p := newPolicy(t, budget.Options{Teams: []budget.Team{
		{Tenant: "acme", ID: "cs", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 1)}},
		{Tenant: "globex", ID: "cs", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 2)}},
	}})
	w := budget.Payer{Caller: signalbox.Caller{Tenant: "globex", Team: "cs"}}
	wantLines(t, one(t, p.Attempt(noon, w, 1, usage, 55)), "team globex cs - usd day 2026-11-22T00:00:00Z: 55 of 2")
}

func TestATenantThatIsNotKnownHasUTCAndNoBudgets(t *testing.T) {
	p := newPolicy(t, budget.Options{})
	w := budget.Payer{Caller: caller, KeyBudgets: []signalbox.Budget{usd(signalbox.WindowDay, 4)}}
	if p.AllowUnpriced("acme") {
		t.Error("it may call what nobody knows the price of")
	}
	if lines := p.Gate(noon, w); len(lines) > 0 {
		t.Errorf("got %v", brief(lines))
	}
	wantLines(t, one(t, p.Attempt(noon, w, 1, usage, 55)), "key acme support - usd day 2026-11-22T00:00:00Z: 55 of 4")
}

// What is remembered of one call is not mistaken for another one's: other windows, other tenants.
func TestIdentitiesFollowWindowsAndTenants(t *testing.T) {
	p := newPolicy(t, budget.Options{
		Tenants: []budget.Tenant{{ID: "acme"}, {ID: "globex"}},
		Agents: []budget.Agent{{ID: "researcher", Budgets: []signalbox.Budget{
			count(signalbox.UnitRequests, signalbox.WindowMinute, 5), count(signalbox.UnitConcurrent, signalbox.WindowNone, 5),
		}}},
	})
	minute := time.Minute
	for _, tenant := range []string{"acme", "globex", "acme", "stranger", "other-stranger", "stranger"} {
		for _, now := range []time.Time{noon, noon.Add(minute - 1), noon.Add(minute), noon.Add(2 * minute), noon.Add(-1), noon} {
			lines := p.Gate(now, budget.Payer{Caller: signalbox.Caller{Tenant: tenant, Agent: "researcher"}})
			wantLines(t, lines,
				"agent "+tenant+" researcher - requests minute "+now.Truncate(minute).Format(time.RFC3339)+": 1 of 5",
				"agent "+tenant+" researcher - concurrent - -: 1 of 5")
			if want := now.Truncate(minute).Add(minute); !lines[0].ResetAt.Equal(want) {
				t.Errorf("%s: it resets at %s, want %s", now, lines[0].ResetAt, want)
			}
		}
	}
}

func TestAllowUnpriced(t *testing.T) {
	p := newPolicy(t, budget.Options{Tenants: []budget.Tenant{{ID: "a", AllowUnpriced: true}, {ID: "b"}}})
	if !p.AllowUnpriced("a") || p.AllowUnpriced("b") {
		t.Error("the tenants' own word does not count")
	}
}

// The budgets per run of tenant, team and key are about one account.
func TestTheStricterBudgetOfAnAccountCounts(t *testing.T) {
	hard, soft := usd(signalbox.WindowRun, 50), usd(signalbox.WindowRun, 10)
	soft.Soft = true
	shrink := hard
	shrink.OnCap = signalbox.OnCapShrink
	lower := usd(signalbox.WindowRun, 40)
	lower.OnCap = signalbox.OnCapShrink
	none := usd(signalbox.WindowRun, 0)
	none.Max = signalbox.NoCap
	higher := soft
	higher.Max = 20
	tests := []struct {
		name       string
		a, b, want signalbox.Budget
	}{
		{"the lower of two caps", hard, lower, lower},
		{"a hard one before a soft one with a lower cap", hard, soft, hard},
		{"the lower of two soft caps", higher, soft, soft},
		{"refuse before shrink at the same cap", shrink, hard, hard},
		{"any before one without a cap", soft, none, soft},
		{"a cap of 0", usd(signalbox.WindowRun, 0), hard, usd(signalbox.WindowRun, 0)},
		{"two that are the same", hard, hard, hard},
	}
	for _, tt := range tests {
		for _, order := range [][2]signalbox.Budget{{tt.a, tt.b}, {tt.b, tt.a}} {
			t.Run(tt.name, func(t *testing.T) {
				w := budget.Payer{Caller: caller, RunID: "r1", KeyBudgets: order[:]}
				lines := one(t, newPolicy(t, budget.Options{}).Attempt(noon, w, 1, usage, 55))
				if len(lines) != 1 || lines[0].Budget != tt.want {
					t.Errorf("got %+v, want one line with %+v", lines, tt.want)
				}
			})
		}
	}
}

func TestUnitsAndWindowsOfOneOwnerAreAccountsOfTheirOwn(t *testing.T) {
	w := budget.Payer{Caller: signalbox.Caller{Tenant: "acme", Key: "k"}, KeyBudgets: []signalbox.Budget{
		usd(signalbox.WindowDay, 1), usd(signalbox.WindowHour, 1), count(signalbox.UnitTokens, signalbox.WindowDay, 1),
	}}
	if lines := one(t, newPolicy(t, budget.Options{}).Attempt(noon, w, 1, usage, 55)); len(lines) != 3 {
		t.Errorf("got %v", brief(lines))
	}
}

func TestWatchedTotalsOnlyCount(t *testing.T) {
	p := newPolicy(t, budget.Options{Tenants: []budget.Tenant{{
		ID: "acme", Budgets: []signalbox.Budget{usd(signalbox.WindowDay, 100)},
		Watch: []signalbox.Window{signalbox.WindowRun, signalbox.WindowDay, signalbox.WindowWeek, signalbox.WindowMonth},
	}}})
	day, week := "tenant acme - - usd day 2026-11-22T00:00:00Z: 55 of 100", "tenant acme - - usd week 2026-11-16T00:00:00Z: 55 of -1"
	month := "tenant acme - - usd month 2026-11-01T00:00:00Z: 55 of -1"
	w := budget.Payer{Caller: caller}
	t.Run("without a run", func(t *testing.T) { wantLines(t, one(t, p.Attempt(noon, w, 1, usage, 55)), day, week, month) })
	t.Run("in a run that was only named", func(t *testing.T) {
		w.RunID = "r1"
		lines := one(t, p.Attempt(noon, w, 1, usage, 55))
		wantLines(t, lines, day, "run acme r1 - usd run -: 55 of -1", week, month)
		if lines[0].Capped() == false || lines[1].Capped() {
			t.Error("the totals that are watched have a cap, or the budget has none")
		}
	})
	t.Run("in an opened run", func(t *testing.T) {
		w.Run = &signalbox.Run{ID: "r1", Plan: signalbox.RunPlan{Total: 1000, Reserve: 20}}
		wantLines(t, one(t, p.Attempt(noon, w, 1, usage, 55)), day, "run acme r1 - usd run -: 55 of 1000", week, month,
			"planned acme r1 - usd run -: 55 of 800")
	})
	t.Run("not at the gate", func(t *testing.T) { wantLines(t, p.Gate(noon, w)) })
}

func TestKeysOfLinesAreTheIdentitiesOfTheirAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := signalbox.Units()
		var budgets []signalbox.Budget
		for range rapid.IntRange(0, 6).Draw(t, "budgets") {
			b := count(rapid.SampledFrom(all).Draw(t, "unit"), rapid.SampledFrom(signalbox.Windows()).Draw(t, "per"), 5)
			if b.Unit == signalbox.UnitConcurrent {
				b.Per = signalbox.WindowNone
			}
			budgets = append(budgets, b)
		}
		p, err := budget.NewPolicy(budget.Options{Tenants: []budget.Tenant{{ID: "acme", Watch: []signalbox.Window{signalbox.WindowRun}}}})
		if err != nil {
			t.Fatal(err)
		}
		w := inRun(rapid.SampledFrom([]string{"", "classifier", "illustrator"}).Draw(t, "agent"))
		w.KeyBudgets = budgets
		if rapid.Bool().Draw(t, "only named") {
			w.Run = nil
		}
		now := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "now"), 0)
		alternatives := append(p.Attempt(now, w, rapid.IntRange(1, 3).Draw(t, "n"), usage, 55), p.Gate(now, w))
		for _, lines := range alternatives {
			seen := map[string]bool{}
			for _, l := range lines {
				if l.Key != l.Account.String() {
					t.Fatalf("got %q for %q", l.Key, l.Account)
				}
				if seen[l.Key] {
					t.Fatalf("two lines of %s", l.Key)
				}
				seen[l.Key] = true
				if back, err := signalbox.ParseAccount(l.Key); err != nil || !back.Start.Equal(l.Account.Start) {
					t.Fatalf("%q is read as %+v, %v", l.Key, back, err)
				}
			}
		}
	})
}
