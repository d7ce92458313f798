package budget_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// The seed's sample: 0.41 of 0.425 dollars are planned.
func TestTheSamplePlanAddsUp(t *testing.T) {
	if err := budget.CheckPlan(plan()); err != nil {
		t.Fatal(err)
	}
}

func TestAPlanThatIsUsedUpToTheReserveAddsUp(t *testing.T) {
	p := plan()
	*p.Agents[0].MaxCost += 15_000_000
	if err := budget.CheckPlan(p); err != nil {
		t.Fatal(err)
	}
	*p.Agents[0].MaxCost++
	wantInvalid(t, budget.CheckPlan(p), "agents")
}

func TestPlansThatMakeNoSense(t *testing.T) {
	tests := []struct {
		name, field string
		change      func(p *signalbox.RunPlan)
		says        string
		remedy      string
	}{
		{
			"caps that are more than what the reserve leaves", "agents",
			func(p *signalbox.RunPlan) { p.Agents[0].MaxCost = ptr(signalbox.Dollar / 20) },
			"The agents' caps add up to 0.45 USD, but 0.425 USD of 0.5 USD remain after the reserve of 15 %.",
			"Lower the caps by 0.025 USD in all, or raise total_max_cost_usd to 0.529411765 USD.",
		},
		{
			"caps that overflow", "agents",
			func(p *signalbox.RunPlan) {
				p.Agents[0].MaxCost, p.Agents[1].MaxCost = ptr(signalbox.MaxMoney), ptr(signalbox.MaxMoney)
			},
			"add up to 9223372036.854775807 USD", "raise total_max_cost_usd to 9223372036.854775807 USD",
		},
		{"a total of 0", "total_max_cost_usd", func(p *signalbox.RunPlan) { p.Total = 0 }, "no call of the run could pass", "above 0"},
		{"a negative total", "total_max_cost_usd", func(p *signalbox.RunPlan) { p.Total = -signalbox.Dollar }, "-1 USD", "above 0"},
		{"too small a reserve", "reserve_percent", func(p *signalbox.RunPlan) { p.Reserve = 14 }, "14 %", "15 to 20"},
		{"too large a reserve", "reserve_percent", func(p *signalbox.RunPlan) { p.Reserve = 21 }, "21 %", "15 to 20"},
		{"no reserve", "reserve_percent", func(p *signalbox.RunPlan) { p.Reserve = 0 }, "0 %", "15 to 20"},
		{"negative steps", "max_steps", func(p *signalbox.RunPlan) { p.Steps = -3 }, "-3 steps", "no cap"},
		{
			"too many agents", "agents",
			func(p *signalbox.RunPlan) { p.Agents = make([]signalbox.AgentBudget, budget.MaxPlanAgents+1) }, "257 agents; 256", "share",
		},
		{"an agent without an id", "agents[2].agent_id", func(p *signalbox.RunPlan) { p.Agents[2].Agent = "" }, `""`, "letters"},
		{"an agent with spaces", "agents[2].agent_id", func(p *signalbox.RunPlan) { p.Agents[2].Agent = "a b" }, `"a b"`, "letters"},
		{"an agent twice", "agents[2].agent_id", func(p *signalbox.RunPlan) { p.Agents[2].Agent = "classifier" }, "agents[0] and agents[2]", "one entry"},
		{"an odd model", "agents[1].model", func(p *signalbox.RunPlan) { p.Agents[1].Model = "a\nb" }, `"a\nb"`, "letters"},
		{"no priority", "agents[3].priority", func(p *signalbox.RunPlan) { p.Agents[3].Priority = "" }, `""`, "critical, normal or optional"},
		{"a priority nobody knows", "agents[3].priority", func(p *signalbox.RunPlan) { p.Agents[3].Priority = "urgent" }, `"urgent"`, "critical, normal or optional"},
		{"a negative cap", "agents[1].max_cost_usd", func(p *signalbox.RunPlan) { p.Agents[1].MaxCost = ptr(signalbox.Money(-1)) }, "-0.000000001 USD", "0 or more"},
		{"negative input", "agents[1].max_input_tokens", func(p *signalbox.RunPlan) { p.Agents[1].MaxInput = ptr(int64(-1)) }, "-1 input tokens", "0 or more"},
		{"negative output", "agents[1].max_output_tokens", func(p *signalbox.RunPlan) { p.Agents[1].MaxOutput = ptr(int64(-1)) }, "-1 output tokens", "0 or more"},
		{"an agent's negative steps", "agents[1].max_steps", func(p *signalbox.RunPlan) { p.Agents[1].MaxSteps = ptr(int64(-1)) }, "-1 steps", "0 or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan()
			tt.change(&p)
			e := wantInvalid(t, budget.CheckPlan(p), tt.field)
			if !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Remedy, tt.remedy) {
				t.Errorf("got %q, %q, want %q, %q", e.Message, e.Remedy, tt.says, tt.remedy)
			}
		})
	}
}

func TestAPlanWithoutAgentsAddsUp(t *testing.T) {
	if err := budget.CheckPlan(signalbox.RunPlan{Total: 1, Reserve: budget.DefaultReserve}); err != nil {
		t.Fatal(err)
	}
}

// What the agents may spend, and the reserve, never exceed the total; and whoever follows the remedy gets his plan.
func TestPlansThatAddUpLeaveTheReserve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := signalbox.RunPlan{
			Total:   signalbox.Money(rapid.Int64Range(1, 10_000).Draw(t, "total")),
			Reserve: rapid.Int64Range(budget.MinReserve, budget.MaxReserve).Draw(t, "reserve"),
		}
		var sum signalbox.Money
		for i := range rapid.IntRange(0, 4).Draw(t, "agents") {
			most := signalbox.Money(rapid.Int64Range(0, 4000).Draw(t, "cap"))
			p.Agents = append(p.Agents, signalbox.AgentBudget{
				Agent: string(rune('a' + i)), MaxCost: &most, Priority: signalbox.PriorityNormal,
			})
			sum += most
		}
		err := budget.CheckPlan(p)
		if fits := sum+p.ReserveAmount() <= p.Total; fits != (err == nil) {
			t.Fatalf("caps of %d and a reserve of %d of %d: %v", sum, p.ReserveAmount(), p.Total, err)
		}
		if err == nil {
			return
		}
		_, total, _ := strings.Cut(signalbox.AsError(err).Remedy, "raise total_max_cost_usd to ")
		if p.Total, err = signalbox.ParseMoney(strings.TrimSuffix(total, " USD.")); err != nil {
			t.Fatal(err)
		}
		if err := budget.CheckPlan(p); err != nil {
			t.Fatalf("with the total of the remedy: %v", err)
		}
	})
}
