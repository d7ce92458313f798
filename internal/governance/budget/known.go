package budget

import (
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Known gives the accounts of a tenant's budgets in the windows that now is in, used or not, in the order of their
// identities: of the tenant itself, with the totals that alerts look at; of its teams; of those of the keys that are the
// tenant's; and of every agent with budgets or limited permissions, since any agent can work for any tenant. Budgets per run are not among
// them, see [Policy.OfRun]. Nothing is wanted of any of them.
func (p *Policy) Known(now time.Time, tenant string, keys []signalbox.Key) []Line {
	t := p.tenant(tenant)
	c := collector{ // The calendar is another than that of calls, which remembers the latest window.
		payer: Payer{Caller: signalbox.Caller{Tenant: tenant}}, calendar: newCalendar(t.Zone), now: now, units: allUnits,
	}
	c.budgets(signalbox.OwnerTenant, "", t.owned.forgetful())
	c.budgets(signalbox.OwnerTenant, "", t.watched.forgetful())
	for id, team := range p.teams {
		if id.tenant == tenant {
			c.budgets(signalbox.OwnerTeam, id.id, team.forgetful())
		}
	}
	for i := range keys {
		if keys[i].Tenant == tenant {
			c.budgets(signalbox.OwnerKey, keys[i].ID, owned{list: keys[i].Budgets})
		}
	}
	for id, agent := range p.agents {
		c.budgets(signalbox.OwnerAgent, id, agent.forgetful())
	}
	for id, limits := range p.limits {
		for _, l := range limits {
			c.permission(id, l)
		}
	}
	return c.idle()
}

// OfRun gives the accounts of a run, used or not, in the order of their identities: those of its plan where it was opened,
// and those of the budgets per run of the payer's tenant, team and key, and of the agents that the payer and the plan
// name. Nothing is wanted of any of them.
func (p *Policy) OfRun(w Payer) []Line {
	t, who := p.tenant(w.Caller.Tenant), w.Caller
	c := collector{payer: w, calendar: newCalendar(t.Zone), units: allUnits}
	c.ofEachRun(signalbox.OwnerTenant, who.Tenant, t.list)
	c.ofEachRun(signalbox.OwnerTeam, who.Team, p.teams[teamID{who.Tenant, who.Team}].list)
	c.ofEachRun(signalbox.OwnerKey, who.Key, w.KeyBudgets)
	c.ofEachRun(signalbox.OwnerAgent, who.Agent, p.agents[who.Agent].list)
	c.ofEachRun(signalbox.OwnerTenant, who.Tenant, t.watched.list)
	if w.Run != nil {
		c.wholePlan(p, w.Run.Plan)
	}
	return c.idle()
}

// ofEachRun adds those of an owner's budgets that count in each run.
func (c *collector) ofEachRun(kind signalbox.OwnerKind, name string, list []signalbox.Budget) {
	for i := range list {
		if name != "" && list[i].Per == signalbox.WindowRun {
			c.perRun(kind, name, &list[i])
		}
	}
}

// wholePlan adds what the plan says of the run and of each of its agents.
func (c *collector) wholePlan(p *Policy, plan signalbox.RunPlan) {
	for _, a := range append([]signalbox.AgentBudget{{}}, plan.Agents...) {
		c.ofEachRun(signalbox.OwnerAgent, a.Agent, p.agents[a.Agent].list)
		c.payer.Caller.Agent = a.Agent
		c.run(plan)
		c.planned(plan)
	}
	c.reserve(plan)
}

// idle gives the lines as those of no call, in the order of their identities.
func (c *collector) idle() []Line {
	for i := range c.lines {
		c.lines[i].Amount = 0
	}
	slices.SortFunc(c.lines, func(a, b Line) int { return strings.Compare(a.Key, b.Key) })
	return c.lines
}

// BudgetOf gives the budget that counts for an account, with the end of its window; false where none names the account
// any more. The payer's tenant and run are those of the account; for an account of a key it has the key's budgets, for
// one of a run whatever is known of the run: its plan, team, key and the key's budgets.
func (p *Policy) BudgetOf(a signalbox.Account, w Payer) (signalbox.Budget, time.Time, bool) {
	w.Caller.Tenant = a.Tenant
	var lines []Line
	switch a.Kind {
	case signalbox.OwnerRun, signalbox.OwnerRunAgent, signalbox.OwnerPlanned, signalbox.OwnerPlannedNormal,
		signalbox.OwnerPlannedOptional, signalbox.OwnerReserve:
		w.RunID = a.Name
		if a.Kind == signalbox.OwnerRunAgent {
			w.Caller.Agent = a.Agent
		}
		lines = p.OfRun(w)
	case signalbox.OwnerTenant, signalbox.OwnerTeam, signalbox.OwnerAgent, signalbox.OwnerPermission:
		lines = p.Known(a.Start, a.Tenant, nil)
	case signalbox.OwnerKey:
		lines = p.Known(a.Start, a.Tenant, []signalbox.Key{{ID: a.Name, Tenant: a.Tenant, Budgets: w.KeyBudgets}})
	}
	for i := range lines {
		o := &lines[i].Account
		if o.Kind == a.Kind && o.Name == a.Name && o.Agent == a.Agent && o.Unit == a.Unit && o.Per == a.Per {
			return lines[i].Budget, lines[i].ResetAt, true
		}
	}
	_, end := WindowStart(a.Start, a.Per, p.tenant(a.Tenant).Zone)
	return signalbox.Budget{}, end, false
}
