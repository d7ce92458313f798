package budget

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
)

// DefaultMaxOutput is the max_tokens that is sent where neither the caller, nor the model, nor [Options] say one.
const DefaultMaxOutput = 4096

// Tenant is what the configuration says about a tenant's money.
type Tenant struct {
	ID            string
	Zone          *time.Location     // Nil is UTC.
	Budgets       []signalbox.Budget // Limits of requests and of concurrency are among them.
	AllowUnpriced bool               // Models that nobody knows the price of may be called; they cost nothing here.
	Watch         []signalbox.Window // Totals of money that alerts need: run, day, week, month.
}

// Team is a team of a tenant.
type Team struct {
	Tenant, ID string
	Budgets    []signalbox.Budget
}

// Agent is an agent; its budgets count for each tenant by itself.
type Agent struct {
	ID      string
	Budgets []signalbox.Budget
	Limits  []Limit // Of its permissions.
}

// Limit is how often an agent may call the tools of one of its permissions, in each tenant by itself.
type Limit struct {
	Tools string // The permission's glob.
	Max   int64  // Per minute.
}

func (l Limit) budget() signalbox.Budget {
	return signalbox.Budget{Unit: signalbox.UnitRequests, Per: signalbox.WindowMinute, Max: l.Max}
}

// Options are what a policy is made of.
type Options struct {
	Tenants          []Tenant
	Teams            []Team
	Agents           []Agent
	DefaultMaxOutput int64 // Tokens; 0 is [DefaultMaxOutput].
}

// Policy says which accounts a call pays from, and how much it may cost. It does not change and is safe for concurrent
// use.
type Policy struct {
	tenants   map[string]*tenant
	teams     map[teamID]owned
	agents    map[string]owned
	limits    map[string][]Limit // Of agents.
	stranger  *tenant            // Stands for every tenant that is not known.
	maxOutput int64
}

type tenant struct {
	Tenant
	owned
	watched  owned // Budgets without a cap.
	calendar *calendar
}

type teamID struct{ tenant, id string }

// owned are the budgets of one owner. The identities of their accounts are remembered while a window lasts.
type owned struct {
	list  []signalbox.Budget
	names []atomic.Pointer[named] // As list; nil where nothing is remembered.
}

// named is the identity of an account in a window. Spans are of one tenant, so that identities are too.
type named struct {
	span *span
	key  string
}

func own(list []signalbox.Budget) owned {
	return owned{slices.Clone(list), make([]atomic.Pointer[named], len(list))}
}

// forgetful gives the budgets without the memory.
func (o owned) forgetful() owned { return owned{list: o.list} }

// NewPolicy checks the options and makes the policy. An error is a [*signalbox.Error] with code invalid and the field,
// as in "tenants[0].budgets[1].max".
func NewPolicy(o Options) (*Policy, error) {
	p := &Policy{
		tenants: map[string]*tenant{}, teams: map[teamID]owned{}, agents: map[string]owned{}, limits: map[string][]Limit{},
		stranger: newTenant(Tenant{}), maxOutput: o.DefaultMaxOutput,
	}
	if p.maxOutput == 0 {
		p.maxOutput = DefaultMaxOutput
	}
	if p.maxOutput < 0 {
		return nil, invalid("default_max_output", "A default of %d tokens makes no sense.", o.DefaultMaxOutput).
			WithRemedy("Use 1 or more, or 0 for the default.")
	}
	for _, add := range []func(Options) *signalbox.Error{p.addTenants, p.addTeams, p.addAgents} {
		if err := add(o); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func newTenant(t Tenant) *tenant {
	if t.Zone == nil {
		t.Zone = time.UTC
	}
	var watched []signalbox.Budget
	for _, w := range t.Watch {
		watched = append(watched, signalbox.Budget{Unit: signalbox.UnitUSD, Per: w, Max: signalbox.NoCap})
	}
	return &tenant{Tenant: t, owned: own(t.Budgets), watched: own(watched), calendar: newCalendar(t.Zone)}
}

func (p *Policy) addTenants(o Options) *signalbox.Error {
	for i, t := range o.Tenants {
		field := fmt.Sprintf("tenants[%d]", i)
		if _, known := p.tenants[t.ID]; known {
			return twice(field+".id", "tenant", t.ID)
		}
		if err := CheckAll(field+".budgets", t.Budgets); err != nil {
			return err
		}
		for _, w := range t.Watch {
			if !slices.Contains(watchable, w) {
				return invalid(field+".watch", "No alert needs a total per %q.", clip(string(w))).
					WithRemedy("Use run, day, week or month.")
			}
		}
		p.tenants[t.ID] = newTenant(t)
	}
	return nil
}

var watchable = []signalbox.Window{
	signalbox.WindowRun, signalbox.WindowDay, signalbox.WindowWeek, signalbox.WindowMonth,
}

func (p *Policy) addTeams(o Options) *signalbox.Error {
	for i, t := range o.Teams {
		field, id := fmt.Sprintf("teams[%d]", i), teamID{t.Tenant, t.ID}
		if _, known := p.teams[id]; known {
			return twice(field+".id", "team", t.ID)
		}
		if err := CheckAll(field+".budgets", t.Budgets); err != nil {
			return err
		}
		p.teams[id] = own(t.Budgets)
	}
	return nil
}

func (p *Policy) addAgents(o Options) *signalbox.Error {
	for i, a := range o.Agents {
		field := fmt.Sprintf("agents[%d]", i)
		if _, known := p.agents[a.ID]; known {
			return twice(field+".id", "agent", a.ID)
		}
		if err := CheckAll(field+".budgets", a.Budgets); err != nil {
			return err
		}
		p.agents[a.ID] = own(a.Budgets)
		if len(a.Limits) > 0 {
			p.limits[a.ID] = slices.Clone(a.Limits)
		}
	}
	return nil
}

// tenant gives what is known of the tenant; one that is not known has UTC and no budgets.
func (p *Policy) tenant(id string) *tenant {
	if t, ok := p.tenants[id]; ok {
		return t
	}
	return p.stranger
}

// AllowUnpriced reports whether the tenant may call models that nobody knows the price of.
func (p *Policy) AllowUnpriced(tenant string) bool { return p.tenant(tenant).AllowUnpriced }

// AmountOf is how much of a unit an attempt with that usage and cost takes: 1 of steps, requests and concurrency.
func AmountOf(unit signalbox.Unit, u signalbox.Usage, cost signalbox.Money) int64 {
	switch unit {
	case signalbox.UnitUSD:
		return int64(cost)
	case signalbox.UnitTokens:
		return plus(u.Input, u.Output)
	case signalbox.UnitInputTokens:
		return u.Input
	case signalbox.UnitOutputTokens:
		return u.Output
	case signalbox.UnitRequests, signalbox.UnitSteps, signalbox.UnitConcurrent:
	}
	return 1
}
