package budget

import "github.com/signalbox/signalbox"

// ofOpenedRun is how many lines an opened run adds.
const ofOpenedRun = 9

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
	whole := int64(plan.Total - plan.ReserveAmount())
	c.ofRun(signalbox.OwnerPlanned, "", signalbox.UnitUSD, whole)
	for _, t := range tiers {
		if kept := keptBefore(plan, t.rank); kept > 0 {
			c.tier(t, agent, max(whole-kept, 0))
		}
	}
}

// tier is the part of the plan's money beyond the caps of agents of a higher priority than its own.
type tier struct {
	kind signalbox.OwnerKind
	rank int
}

var tiers = []tier{
	{signalbox.OwnerPlannedNormal, rank(signalbox.PriorityNormal)},
	{signalbox.OwnerPlannedOptional, rank(signalbox.PriorityOptional)},
}

// tier adds the account of a tier. An agent of a higher priority is not refused for it. What it spends under a cap of its
// own was taken off the tier already; what it spends without one is not there any more.
func (c *collector) tier(t tier, agent signalbox.AgentBudget, most int64) {
	if rank(agent.Priority) < t.rank {
		if agent.MaxCost == nil {
			c.counted(t.kind, most)
		}
		return
	}
	c.ofRun(t.kind, "", signalbox.UnitUSD, most)
}

// reserve adds what further attempts in an opened run pay from besides.
func (c *collector) reserve(plan signalbox.RunPlan) {
	c.ofRun(signalbox.OwnerReserve, "", signalbox.UnitUSD, int64(plan.ReserveAmount()))
}

// keptBefore is the sum of the caps of the agents that come before the rank. An agent without a cap keeps nothing.
func keptBefore(plan signalbox.RunPlan, rankOf int) int64 {
	var sum signalbox.Money
	for i := range plan.Agents {
		if a := &plan.Agents[i]; a.MaxCost != nil && rank(a.Priority) < rankOf {
			sum = sum.Plus(*a.MaxCost)
		}
	}
	return int64(sum)
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

// counted adds an account of the opened run that can not refuse the call, but may refuse others.
func (c *collector) counted(kind signalbox.OwnerKind, most int64) {
	c.add(signalbox.Account{Kind: kind, Name: c.payer.RunID},
		&signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowRun, Max: most, Soft: true}, nil)
}
