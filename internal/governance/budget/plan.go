package budget

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/signalbox/signalbox"
)

// Bounds of a run's plan.
const (
	MaxPlanAgents  = 256
	MinReserve     = 15 // Per cent of the total.
	MaxReserve     = 20
	DefaultReserve = 15
)

// CheckPlan says what is wrong with the plan of a run that is to be opened: a [*signalbox.Error] with code invalid, the
// field as the API names it ("agents[2].max_cost_usd") and the numbers; nil where it adds up. The agents' caps of money
// must not exceed what the reserve leaves of the total. An agent's cap of 0 is good: nothing of it passes.
func CheckPlan(plan signalbox.RunPlan) error {
	if err := checkTotal(plan); err != nil {
		return err
	}
	for i, a := range plan.Agents {
		field := fmt.Sprintf("agents[%d]", i)
		if err := checkAgent(a); err != nil {
			return err.WithField(field + "." + err.Field)
		}
		first := slices.IndexFunc(plan.Agents, func(o signalbox.AgentBudget) bool { return o.Agent == a.Agent })
		if first < i {
			return invalid(field+".agent_id", "The plan names the agent %q twice: agents[%d] and agents[%d].", a.Agent, first, i).
				WithRemedy("Give each agent one entry.")
		}
	}
	if err := checkSum(plan); err != nil {
		return err
	}
	return nil
}

// checkTotal looks at what concerns the run as a whole.
func checkTotal(plan signalbox.RunPlan) *signalbox.Error {
	switch {
	case plan.Total < 0:
		return invalid("total_max_cost_usd", "A total of %s is negative.", usd(plan.Total)).
			WithRemedy("Use an amount above 0.")
	case plan.Total == 0:
		return invalid("total_max_cost_usd", "With a total of 0 USD no call of the run could pass.").
			WithRemedy("Use an amount above 0.")
	case plan.Reserve < MinReserve || plan.Reserve > MaxReserve:
		return invalid("reserve_percent", "A reserve of %d %% is not within %d to %d %%.", plan.Reserve, MinReserve, MaxReserve).
			WithRemedy(fmt.Sprintf("Use %d to %d; it pays for further attempts.", MinReserve, MaxReserve))
	case plan.Steps < 0:
		return negative("max_steps", "steps", plan.Steps, "Use 1 or more, or leave it out for no cap.")
	case len(plan.Agents) > MaxPlanAgents:
		return invalid("agents", "The plan names %d agents; %d are allowed.", len(plan.Agents), MaxPlanAgents).
			WithRemedy("Name those that need a cap of their own; others share what the plan leaves.")
	}
	return nil
}

// checkAgent looks at one entry by itself.
func checkAgent(a signalbox.AgentBudget) *signalbox.Error {
	const idRule = "Use 1 to 128 letters, digits and -_.:@/+=."
	switch {
	case !signalbox.ValidID(a.Agent):
		return invalid("agent_id", "%q can not be the id of an agent.", clip(a.Agent)).WithRemedy(idRule)
	case a.Model != "" && !signalbox.ValidID(a.Model):
		return invalid("model", "%q can not be the name of a model.", clip(a.Model)).WithRemedy(idRule)
	case !slices.Contains(signalbox.Priorities(), a.Priority):
		return invalid("priority", "%q is not a priority.", clip(string(a.Priority))).
			WithRemedy("Use " + oneOf(signalbox.Priorities()) + ".")
	case a.MaxCost != nil && *a.MaxCost < 0:
		return invalid("max_cost_usd", "A cap of %s is negative.", usd(*a.MaxCost)).WithRemedy(capRule)
	}
	for _, one := range []struct {
		field, unit string
		most        *int64
	}{
		{"max_input_tokens", "input tokens", a.MaxInput},
		{"max_output_tokens", "output tokens", a.MaxOutput},
		{"max_steps", "steps", a.MaxSteps},
	} {
		if one.most != nil && *one.most < 0 {
			return negative(one.field, one.unit, *one.most, capRule)
		}
	}
	return nil
}

const capRule = "Use 0 or more (0 lets nothing pass), or leave it out for no cap."

func negative(field, unit string, n int64, remedy string) *signalbox.Error {
	return invalid(field, "A cap of %d %s is negative.", n, unit).WithRemedy(remedy)
}

// checkSum compares the agents' caps with what the reserve leaves.
func checkSum(plan signalbox.RunPlan) *signalbox.Error {
	var sum signalbox.Money
	for _, a := range plan.Agents {
		if a.MaxCost != nil {
			sum = sum.Plus(*a.MaxCost)
		}
	}
	left := plan.Total - plan.ReserveAmount()
	if sum <= left {
		return nil
	}
	return invalid("agents", "The agents' caps add up to %s, but %s of %s remain after the reserve of %d %%.",
		usd(sum), usd(left), usd(plan.Total), plan.Reserve).
		WithRemedy(fmt.Sprintf("Lower the caps by %s in all, or raise total_max_cost_usd to %s.",
			usd(sum-left), usd(totalFor(sum, plan.Reserve))))
}

// totalFor is the smallest total of which the reserve leaves the sum, or nearly: rounded up to a nano-dollar.
func totalFor(sum signalbox.Money, reserve int64) signalbox.Money {
	n := new(big.Int).Mul(big.NewInt(int64(sum)), big.NewInt(100))
	n.Add(n, big.NewInt(99-reserve)).Div(n, big.NewInt(100-reserve))
	if !n.IsInt64() {
		return signalbox.MaxMoney
	}
	return signalbox.Money(n.Int64())
}
