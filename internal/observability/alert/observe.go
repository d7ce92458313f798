package alert

import (
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// observe reads from a record what it means for the rules. others is what streams of the same run that are under way
// have cost so far.
func (e *Engine) observe(rec *signalbox.Record, others signalbox.Money) Observation {
	o := Observation{
		Tenant: rec.Who.TenantID, Run: rec.Context.RunID, Agent: rec.Who.AgentID, Call: rec.Call, Cost: rec.What.Cost,
		Now: e.Now(),
	}
	cost := o.Cost != nil && *o.Cost > 0
	for i := range rec.Ledger {
		l := &rec.Ledger[i]
		if l.Closed {
			o.Closed = append(o.Closed, l.Account)
		}
		if l.Settled > 0 || cost && l.Settled == 0 {
			e.observeAccount(&o, l.Account, others)
		}
	}
	for i := range rec.Attempts {
		if a := &rec.Attempts[i]; a.Overrun {
			o.Overruns = append(o.Overruns, Overrun{Attempt: a.N, Held: value(a.Held), Cost: value(a.Cost)})
		}
	}
	return o
}

func value(m *signalbox.Money) signalbox.Money {
	if m == nil {
		return 0
	}
	return *m
}

// observeAccount adds where an account stands now.
func (e *Engine) observeAccount(o *Observation, text string, others signalbox.Money) {
	a := e.accounts.get(text)
	if a == nil {
		return
	}
	b, ok := e.Balance(text)
	if !ok {
		return
	}
	if warned(b) || exceeded(b) {
		b.Account = a.Account
		o.Balances = append(o.Balances, b)
	}
	if a.total == "" {
		return
	}
	t := Total{Per: a.total, Account: text, Amount: signalbox.Money(b.Settled), Start: a.Start}
	switch {
	case a.total == signalbox.AlertPerRun:
		t.Amount = t.Amount.Plus(others)
	case b.ResetAt != 0:
		t.End = time.Unix(b.ResetAt, 0).UTC()
	default:
		t.End = windowEnd(a.Start, a.total, e.zone(a.Tenant))
	}
	if o.Totals == nil {
		o.Totals = make([]Total, 0, 4) //nolint:mnd // A run, a day, a week and a month.
	}
	o.Totals = append(o.Totals, t)
}

func (e *Engine) zone(tenant string) *time.Location {
	if e.Zone == nil {
		return time.UTC
	}
	return e.Zone(tenant)
}

// windowEnd gives the end of a window that began at start, by the calendar of a zone.
func windowEnd(start time.Time, per signalbox.AlertScope, zone *time.Location) time.Time {
	local := start.In(zone)
	switch per { //nolint:exhaustive // Requests and runs have no window.
	case signalbox.AlertPerWeek:
		return local.AddDate(0, 0, 7).UTC()
	case signalbox.AlertPerMonth:
		return local.AddDate(0, 1, 0).UTC()
	}
	return local.AddDate(0, 0, 1).UTC()
}

// maxAccounts bounds the accounts whose names are kept parsed.
const maxAccounts = 8192

// account is a parsed account, and which total it is: "" where no rule looks at it.
type account struct {
	signalbox.Account
	total signalbox.AlertScope
}

// accounts are parsed accounts by their text.
type accounts struct {
	mu    *sync.RWMutex
	known map[string]*account
}

func newAccounts() accounts { return accounts{mu: &sync.RWMutex{}, known: map[string]*account{}} }

// get gives a parsed account; nil for a text that is none.
func (c *accounts) get(text string) *account {
	c.mu.RLock()
	a, ok := c.known[text]
	c.mu.RUnlock()
	if ok {
		return a
	}
	if parsed, err := signalbox.ParseAccount(text); err == nil {
		a = &account{Account: parsed, total: totalOf(parsed)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxAccounts {
		clear(c.known)
	}
	c.known[text] = a
	return a
}

func totalOf(a signalbox.Account) signalbox.AlertScope {
	if a.Unit != signalbox.UnitUSD {
		return ""
	}
	switch {
	case a.Kind == signalbox.OwnerRun && a.Per == signalbox.WindowRun:
		return signalbox.AlertPerRun
	case a.Kind != signalbox.OwnerTenant:
		return ""
	}
	switch a.Per { //nolint:exhaustive // Rules know of these only.
	case signalbox.WindowDay, signalbox.WindowWeek, signalbox.WindowMonth:
		return signalbox.AlertScope(a.Per)
	}
	return ""
}

// runAccount is the text of a run's account of money.
func runAccount(tenant, run string) string {
	return signalbox.Account{
		Kind: signalbox.OwnerRun, Tenant: tenant, Name: run, Unit: signalbox.UnitUSD, Per: signalbox.WindowRun,
	}.String()
}
