package budget_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

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
			"planned_normal acme run_1 - usd run -: 55 of 65000000",
			"planned_optional acme run_1 - usd run -: 55 of 15000000",
		}},
		{"that the plan does not name", "stranger", []string{
			"run acme run_1 - usd run -: 55 of 500000000",
			"run acme run_1 - steps run -: 1 of 40",
			"planned acme run_1 - usd run -: 55 of 425000000",
			"planned_normal acme run_1 - usd run -: 55 of 65000000",
			"planned_optional acme run_1 - usd run -: 55 of 15000000",
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
	const (
		planned  = "planned acme run_1 - usd run -: 55 of 425000000"
		normal   = "planned_normal acme run_1 - usd run -: 55 of 65000000"   // Without 0.36 of critical agents.
		optional = "planned_optional acme run_1 - usd run -: 55 of 15000000" // Nor 0.05 of a normal one.
	)
	for agent, want := range map[string][]string{
		"classifier": {planned}, "clerk": {planned, normal + ", counted", optional + ", counted"}, "quality-checker": {planned, normal},
		"illustrator": {planned, normal, optional}, "stranger": {planned, normal, optional}, "": {planned, normal, optional},
	} {
		t.Run("from "+agent, func(t *testing.T) {
			var got []string
			for _, l := range p.Attempt(noon, inRun(agent), 1, usage, 55)[0] {
				if !strings.HasPrefix(l.Key, "planned") {
					continue
				}
				text := fmt.Sprintf("%s: %d of %d", l.Key, l.Amount, l.Budget.Max)
				if !l.Capped() {
					text += ", counted"
				}
				got = append(got, text)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
