package budget

import "github.com/signalbox/signalbox"

// ofOpenedRun is how many lines an opened run adds.
const ofOpenedRun = 7

// perRun adds a budget that counts in each run: there the agent has an account of its own, all others share one.
func (c *collector) perRun(kind signalbox.OwnerKind, name string, b *signalbox.Budget) {
	a := signalbox.Account{Kind: signalbox.OwnerRun, Name: c.payer.RunID}
	if kind == signalbox.OwnerAgent {
		a.Kind, a.Agent = signalbox.OwnerRunAgent, name
	}
	if c.payer.RunID != "" {
		c.add(a, b, nil)
	}
}

// run adds what every attempt in an opened run pays from: its total, its steps, and the plan's tokens and steps for the
// agent.
func (c *collector) run(plan signalbox.RunPlan) {
	c.ofRun(signalbox.OwnerRun, "", signalbox.UnitUSD, int64(plan.Total))
	if plan.Steps > 0 {
		c.ofRun(signalbox.OwnerRun, "", signalbox.UnitSteps, plan.Steps)
	}
	agent, _ := plan.Agent(c.payer.Caller.Agent)
	for _, one := range []struct {
		unit signalbox.Unit
		most *int64
	}{
		{signalbox.UnitInputTokens, agent.MaxInput},
		{signalbox.UnitOutputTokens, agent.MaxOutput},
		{signalbox.UnitSteps, agent.MaxSteps},
	} {
		if one.most != nil {
			c.ofRun(signalbox.OwnerRunAgent, agent.Agent, one.unit, *one.most)
		}
	}
}

// planned adds what first attempts in an opened run pay from besides.
func (c *collector) planned(plan signalbox.RunPlan) {
	agent, _ := plan.Agent(c.payer.Caller.Agent) // One that the plan does not name has no priority, and comes last.
	if agent.MaxCost != nil {
		c.ofRun(signalbox.OwnerRunAgent, agent.Agent, signalbox.UnitUSD, int64(*agent.MaxCost))
	}
	c.ofRun(signalbox.OwnerPlanned, "", signalbox.UnitUSD, int64(plan.Total-plan.ReserveAmount()))
	c.lines[len(c.lines)-1].Keep = c.keep(plan, rank(agent.Priority))
}

// reserve adds what further attempts in an opened run pay from besides.
func (c *collector) reserve(plan signalbox.RunPlan) {
	c.ofRun(signalbox.OwnerReserve, "", signalbox.UnitUSD, int64(plan.ReserveAmount()))
}

// keep lists the accounts of the agents that come before the rank.
func (c *collector) keep(plan signalbox.RunPlan, before int) []Kept {
	var kept []Kept
	for _, a := range plan.Agents {
		if a.MaxCost == nil || *a.MaxCost <= 0 || rank(a.Priority) >= before {
			continue
		}
		key := identity(&signalbox.Account{
			Kind: signalbox.OwnerRunAgent, Tenant: c.payer.Caller.Tenant, Name: c.payer.RunID, Agent: a.Agent,
			Unit: signalbox.UnitUSD, Per: signalbox.WindowRun,
		}, &c.calendar.whole)
		kept = append(kept, Kept{Key: key, Max: int64(*a.MaxCost)})
	}
	return kept
}

// rank is the place of the priority among all, 0 for the highest; what is not known comes last.
func rank(p signalbox.Priority) int {
	switch p {
	case signalbox.PriorityCritical:
		return 0
	case signalbox.PriorityNormal:
		return 1
	case signalbox.PriorityOptional:
	}
	return 2
}

// ofRun adds an account of the opened run, with a cap of its plan.
func (c *collector) ofRun(kind signalbox.OwnerKind, agent string, unit signalbox.Unit, most int64) {
	if c.units.has(unit) {
		c.add(signalbox.Account{Kind: kind, Name: c.payer.RunID, Agent: agent},
			&signalbox.Budget{Unit: unit, Per: signalbox.WindowRun, Max: most}, nil)
	}
}
