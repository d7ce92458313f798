package budget_test

import (
	"fmt"
	"math"
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

// plan is the seed's sample, with an agent of each priority and one without a cap of its own.
func plan() signalbox.RunPlan {
	cent := signalbox.Dollar / 100
	return signalbox.RunPlan{Total: 50 * cent, Reserve: 15, Steps: 40, Agents: []signalbox.AgentBudget{
		{Agent: "classifier", MaxInput: ptr(int64(2000)), MaxOutput: ptr(int64(500)), MaxCost: ptr(cent), Priority: signalbox.PriorityCritical},
		{Agent: "researcher", MaxInput: ptr(int64(50_000)), MaxOutput: ptr(int64(4000)), MaxCost: ptr(20 * cent), MaxSteps: ptr(int64(9)), Priority: signalbox.PriorityCritical},
		{Agent: "synthesizer", MaxInput: ptr(int64(30_000)), MaxOutput: ptr(int64(8000)), MaxCost: ptr(15 * cent), Priority: signalbox.PriorityCritical},
		{Agent: "quality-checker", MaxInput: ptr(int64(10_000)), MaxOutput: ptr(int64(2000)), MaxCost: ptr(5 * cent), Priority: signalbox.PriorityNormal},
		{Agent: "illustrator", Priority: signalbox.PriorityOptional},
		{Agent: "archivist", MaxCost: ptr(signalbox.Money(0)), Priority: signalbox.PriorityCritical},
		{Agent: "clerk", Priority: signalbox.PriorityCritical},
	}}
}

func inRun(agent string) budget.Payer {
	w := budget.Payer{Caller: caller, RunID: "run_1", Run: &signalbox.Run{ID: "run_1", Tenant: "acme", Plan: plan()}}
	w.Caller.Agent = agent
	return w
}

func TestFirstAttemptsInAnOpenedRunPayFromThePlan(t *testing.T) {
	p := newPolicy(t, budget.Options{})
	tests := []struct {
		name, agent string
		want        []string
	}{
		{"with all caps", "researcher", []string{
			"run acme run_1 - usd run -: 55 of 500000000",
			"run acme run_1 - steps run -: 1 of 40",
			"run_agent acme run_1 researcher input_tokens run -: 100 of 50000",
			"run_agent acme run_1 researcher output_tokens run -: 20 of 4000",
			"run_agent acme run_1 researcher steps run -: 1 of 9",
			"run_agent acme run_1 researcher usd run -: 55 of 200000000",
			"planned acme run_1 - usd run -: 55 of 425000000",
		}},
		{"without caps of its own", "illustrator", []string{
			"run acme run_1 - usd run -: 55 of 500000000",
			"run acme run_1 - steps run -: 1 of 40",
			"planned acme run_1 - usd run -: 55 of 425000000",
		}},
		{"that the plan does not name", "stranger", []string{
			"run acme run_1 - usd run -: 55 of 500000000",
			"run acme run_1 - steps run -: 1 of 40",
			"planned acme run_1 - usd run -: 55 of 425000000",
		}},
		{"with a cap of 0", "archivist", []string{
			"run acme run_1 - usd run -: 55 of 500000000",
			"run acme run_1 - steps run -: 1 of 40",
			"run_agent acme run_1 archivist usd run -: 55 of 0",
			"planned acme run_1 - usd run -: 55 of 425000000",
		}},
	}
	for _, tt := range tests {
		t.Run("an agent "+tt.name, func(t *testing.T) {
			wantLines(t, one(t, p.Attempt(noon, inRun(tt.agent), 1, usage, 55)), tt.want...)
		})
	}
}

func TestFurtherAttemptsInAnOpenedRunPreferTheReserve(t *testing.T) {
	alternatives := newPolicy(t, budget.Options{}).Attempt(noon, inRun("classifier"), 2, usage, 55)
	if len(alternatives) != 2 {
		t.Fatalf("got %d alternatives", len(alternatives))
	}
	common := []string{
		"run acme run_1 - usd run -: 55 of 500000000",
		"run_agent acme run_1 classifier input_tokens run -: 100 of 2000",
		"run_agent acme run_1 classifier output_tokens run -: 20 of 500",
	}
	wantLines(t, alternatives[0], slices.Concat(common, []string{"reserve acme run_1 - usd run -: 55 of 75000000"})...)
	wantLines(t, alternatives[1], slices.Concat(common, []string{
		"run_agent acme run_1 classifier usd run -: 55 of 10000000",
		"planned acme run_1 - usd run -: 55 of 425000000",
	})...)
}

func TestThePlanAndTheConfigurationMeetInOneAccount(t *testing.T) {
	p := newPolicy(t, budget.Options{
		Tenants: []budget.Tenant{{ID: "acme", Budgets: []signalbox.Budget{usd(signalbox.WindowRun, 300_000_000)}}},
		Agents: []budget.Agent{{ID: "classifier", Budgets: []signalbox.Budget{
			usd(signalbox.WindowRun, 90_000_000), count(signalbox.UnitInputTokens, signalbox.WindowRun, 1000),
		}}},
	})
	alternatives := p.Attempt(noon, inRun("classifier"), 2, usage, 55)
	wantLines(t, alternatives[0],
		"run acme run_1 - usd run -: 55 of 300000000",
		"run_agent acme run_1 classifier usd run -: 55 of 90000000", // The configuration's: the reserve is no way around it.
		"run_agent acme run_1 classifier input_tokens run -: 100 of 1000",
		"run_agent acme run_1 classifier output_tokens run -: 20 of 500",
		"reserve acme run_1 - usd run -: 55 of 75000000")
	wantLines(t, alternatives[1],
		"run acme run_1 - usd run -: 55 of 300000000",
		"run_agent acme run_1 classifier usd run -: 55 of 10000000", // The plan's is lower.
		"run_agent acme run_1 classifier input_tokens run -: 100 of 1000",
		"run_agent acme run_1 classifier output_tokens run -: 20 of 500",
		"planned acme run_1 - usd run -: 55 of 425000000")
}

func TestPlannedMoneyIsKeptForAgentsThatComeFirst(t *testing.T) {
	p := newPolicy(t, budget.Options{})
	key := func(agent string) string { return "run_agent acme run_1 " + agent + " usd run -" }
	critical := []budget.Kept{{key("classifier"), 10_000_000}, {key("researcher"), 200_000_000}, {key("synthesizer"), 150_000_000}}
	all := append(slices.Clone(critical), budget.Kept{Key: key("quality-checker"), Max: 50_000_000})
	for agent, want := range map[string][]budget.Kept{
		"classifier": nil, "clerk": nil, "quality-checker": critical, "illustrator": all, "stranger": all, "": all,
	} {
		t.Run("from "+agent, func(t *testing.T) {
			alternatives := p.Attempt(noon, inRun(agent), 2, usage, 55)
			for _, l := range alternatives[0] {
				if l.Keep != nil {
					t.Errorf("%s keeps %v", l.Key, l.Keep)
				}
			}
			last := alternatives[1][len(alternatives[1])-1]
			if last.Account.Kind != signalbox.OwnerPlanned || !slices.Equal(last.Keep, want) {
				t.Errorf("%s keeps %v, want %v", last.Key, last.Keep, want)
			}
		})
	}
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
