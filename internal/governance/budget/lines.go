package budget

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
)

// Line is one account that a call pays from.
type Line struct {
	Key     string // Account.String().
	Account signalbox.Account
	Budget  signalbox.Budget // Max == signalbox.NoCap, or Soft: the account only counts.
	Amount  int64            // Wanted, in the unit's measure.
	ResetAt time.Time        // End of the window; zero for a run's life and for concurrency.
}

// Capped reports whether the account can refuse a call.
func (l Line) Capped() bool { return !l.Budget.Soft && l.Budget.Max != signalbox.NoCap }

// Payer is who pays for a call.
type Payer struct {
	Caller     signalbox.Caller
	RunID      string
	Run        *signalbox.Run // Nil: it was not opened, only named.
	KeyBudgets []signalbox.Budget
	Limit      *Limit // Of the permission that permits the call; nil where it sets none.
}

// collector collects the lines of one call.
type collector struct {
	payer    Payer
	calendar *calendar
	now      time.Time
	units    units
	usage    signalbox.Usage
	cost     signalbox.Money
	lines    []Line
}

// units says which units are asked for.
type units int

const (
	gateUnits units = iota // Requests and concurrency.
	firstUnits
	laterUnits // As firstUnits, without steps.
	allUnits
)

func (u units) has(unit signalbox.Unit) bool {
	if u == allUnits {
		return true
	}
	switch unit {
	case signalbox.UnitRequests, signalbox.UnitConcurrent:
		return u == gateUnits
	case signalbox.UnitSteps:
		return u == firstUnits
	case signalbox.UnitUSD, signalbox.UnitTokens, signalbox.UnitInputTokens, signalbox.UnitOutputTokens:
	}
	return u != gateUnits
}

// Gate gives the accounts of requests and of calls in flight.
func (p *Policy) Gate(now time.Time, w Payer) []Line {
	t := p.tenant(w.Caller.Tenant)
	c := collector{payer: w, calendar: t.calendar, now: now, units: gateUnits}
	p.owners(&c, t)
	return c.lines
}

// Attempt gives the accounts of money, tokens and steps that attempt n (from 1) with that bound pays from: one list, or
// two in the order of preference for a further attempt in an opened run. Only attempt 1 takes a step.
func (p *Policy) Attempt(now time.Time, w Payer, n int, u signalbox.Usage, cost signalbox.Money) [][]Line {
	t := p.tenant(w.Caller.Tenant)
	c := collector{payer: w, calendar: t.calendar, now: now, units: firstUnits, usage: u, cost: cost}
	if n > 1 {
		c.units = laterUnits
	}
	p.owners(&c, t)
	if n <= 1 && w.Limit != nil {
		c.permission(w.Caller.Agent, *w.Limit)
	}
	if w.RunID == "" || w.Run == nil {
		c.watch(t)
		return [][]Line{c.lines}
	}
	c.run(w.Run.Plan)
	c.watch(t)
	if n <= 1 {
		c.planned(w.Run.Plan)
		return [][]Line{c.lines}
	}
	later := c
	later.lines = append(make([]Line, 0, len(c.lines)+1), c.lines...)
	later.reserve(w.Run.Plan)
	c.planned(w.Run.Plan)
	return [][]Line{later.lines, c.lines}
}

// owners adds the budgets of tenant, team, key and agent.
func (p *Policy) owners(c *collector, t *tenant) {
	who := c.payer.Caller
	var team, key, agent owned
	if who.Team != "" {
		team = p.teams[teamID{who.Tenant, who.Team}]
	}
	if who.Key != "" {
		key.list = c.payer.KeyBudgets
	}
	if who.Agent != "" {
		agent = p.agents[who.Agent]
	}
	if t == p.stranger { // It stands for many tenants.
		team, agent = team.forgetful(), agent.forgetful()
	}
	c.lines = make([]Line, 0, c.most(t.watched.list, t.list, team.list, key.list, agent.list))
	c.budgets(signalbox.OwnerTenant, "", t.owned)
	c.budgets(signalbox.OwnerTeam, who.Team, team)
	c.budgets(signalbox.OwnerKey, who.Key, key)
	c.budgets(signalbox.OwnerAgent, who.Agent, agent)
}

// most is how many lines the call has at the most. Lines are large: room for all budgets would cost more than the rest.
func (c *collector) most(lists ...[]signalbox.Budget) int {
	n := 0
	if c.payer.Run != nil && c.units != gateUnits {
		n = ofOpenedRun
	}
	for _, list := range lists {
		for i := range list {
			if c.units.has(list[i].Unit) {
				n++
			}
		}
	}
	return n
}

// budgets adds an owner's budgets.
func (c *collector) budgets(kind signalbox.OwnerKind, name string, o owned) {
	for i := range o.list {
		b := &o.list[i]
		if !c.units.has(b.Unit) {
			continue
		}
		if b.Per == signalbox.WindowRun {
			c.perRun(kind, name, b)
			continue
		}
		var memory *atomic.Pointer[named]
		if o.names != nil {
			memory = &o.names[i]
		}
		c.add(signalbox.Account{Kind: kind, Name: name}, b, memory)
	}
}

// permission adds the limit of a permission. Only the policy knows which one permits a call, so that its place is taken
// with the first attempt and not in the gate.
func (c *collector) permission(agent string, l Limit) {
	b := l.budget()
	c.add(signalbox.Account{Kind: signalbox.OwnerPermission, Name: agent, Agent: l.Tools}, &b, nil)
}

// watch adds the totals of money that only alerts look at.
func (c *collector) watch(t *tenant) { c.budgets(signalbox.OwnerTenant, "", t.watched) }

// add adds a line, or lets the stricter budget count where the account is there already. memory is where the account's
// identity is remembered; nil for nowhere.
func (c *collector) add(a signalbox.Account, b *signalbox.Budget, memory *atomic.Pointer[named]) {
	for i := range c.lines {
		l := &c.lines[i]
		if o := &l.Account; o.Kind == a.Kind && o.Unit == b.Unit && o.Per == b.Per && o.Name == a.Name && o.Agent == a.Agent {
			if stricter(b, &l.Budget) {
				l.Budget = *b
			}
			return
		}
	}
	s := c.calendar.at(c.now, b.Per)
	a.Tenant, a.Unit, a.Per, a.Start = c.payer.Caller.Tenant, b.Unit, b.Per, s.start
	c.lines = append(c.lines, Line{
		Key: remembered(&a, s, memory), Account: a, Budget: *b, Amount: AmountOf(b.Unit, c.usage, c.cost), ResetAt: s.end,
	})
}

// stricter reports whether b counts rather than a, both of one account.
func stricter(b, a *signalbox.Budget) bool {
	switch {
	case b.Max == signalbox.NoCap:
		return false
	case a.Max == signalbox.NoCap:
		return true
	case b.Soft != a.Soft:
		return a.Soft
	case b.Max != a.Max:
		return b.Max < a.Max
	}
	return a.OnCap == signalbox.OnCapShrink && b.OnCap != signalbox.OnCapShrink
}

// remembered gives the account's identity, which must be of the tenant whose window s is.
func remembered(a *signalbox.Account, s *span, memory *atomic.Pointer[named]) string {
	if memory == nil {
		return identity(a, s)
	}
	if n := memory.Load(); n != nil && n.span == s {
		return n.key
	}
	n := &named{s, identity(a, s)}
	memory.Store(n)
	return n.key
}

// identity is [signalbox.Account.String] in one allocation; the text of the start is known.
func identity(a *signalbox.Account, s *span) string {
	if odd(a.Tenant) || odd(a.Name) || odd(a.Agent) {
		return a.String()
	}
	return string(a.Kind) + " " + dash(a.Tenant) + " " + dash(a.Name) + " " + dash(a.Agent) + " " + string(a.Unit) + " " +
		dash(string(a.Per)) + " " + s.text
}

// odd reports whether identities write the name otherwise than as it is, as they do with spaces in names of teams.
func odd(name string) bool { return strings.ContainsAny(name, " %") || name == "-" }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
