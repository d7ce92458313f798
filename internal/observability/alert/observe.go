package alert

import (
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
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

// observeAccount adds where an account stands now, as far as this replica knows.
func (e *Engine) observeAccount(o *Observation, text string, others signalbox.Money) {
	b, ok := e.Balance(text)
	if !ok {
		return
	}
	if b.Account.Kind == "" && !e.accounts.fill(&b.Account, text) {
		return
	}
	if e.Totals != nil && (totalOf(&b.Account) != "" || b.WarnAt > 0 || b.Soft) {
		e.looks.put(text, adder{o.Tenant, o.Run, o.Agent, o.Call})
	}
	e.addBalance(o, text, b, others)
}

// addBalance adds where an account stands to an observation.
func (e *Engine) addBalance(o *Observation, text string, b call.Balance, others signalbox.Money) {
	if warned(b) || exceeded(b) {
		o.Balances = append(o.Balances, b)
	}
	per := totalOf(&b.Account)
	if per == "" {
		return
	}
	t := Total{Per: per, Account: text, Amount: signalbox.Money(b.Settled), Start: b.Account.Start}
	switch {
	case per == signalbox.AlertPerRun:
		t.Amount = t.Amount.Plus(others)
	case b.ResetAt != 0:
		t.End = time.Unix(b.ResetAt, 0).UTC()
	default:
		t.End = windowEnd(t.Start, per, e.zone(o.Tenant))
	}
	if o.Totals == nil {
		o.Totals = make([]Total, 0, 4) // A run, a day, a week and a month.
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

// accounts are parsed accounts by their text, for balances that do not name theirs. What is nil is no account.
type accounts struct {
	mu    *sync.RWMutex
	known map[string]*signalbox.Account
}

func newAccounts() accounts {
	return accounts{mu: &sync.RWMutex{}, known: map[string]*signalbox.Account{}}
}

// fill reads an account's text; false where it is none.
func (c *accounts) fill(into *signalbox.Account, text string) bool {
	c.mu.RLock()
	a, ok := c.known[text]
	c.mu.RUnlock()
	if !ok {
		a = c.parse(text)
	}
	if a != nil {
		*into = *a
	}
	return a != nil
}

// parse reads an account's text and remembers it.
func (c *accounts) parse(text string) (a *signalbox.Account) {
	if parsed, err := signalbox.ParseAccount(text); err == nil {
		a = &parsed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxAccounts {
		clear(c.known)
	}
	c.known[text] = a
	return a
}

// totalOf gives the scope of the rules that look at an account, "" where none does.
func totalOf(a *signalbox.Account) signalbox.AlertScope {
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
