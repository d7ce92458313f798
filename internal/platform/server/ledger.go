package server

import (
	"context"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
	"github.com/signalbox/signalbox/internal/governance/ledger"
	"github.com/signalbox/signalbox/internal/governance/runs"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// ledgerPolicy makes the ledger's policy out of a configuration.
func ledgerPolicy(c *config.Config, a *alerting) (*budget.Policy, error) {
	o := budget.Options{DefaultMaxOutput: c.Limits.DefaultMaxOutput}
	for _, t := range c.Tenants {
		o.Tenants = append(o.Tenants, budget.Tenant{
			ID: t.ID, Zone: a.zones[t.ID], Budgets: slices.Concat(t.Limits, t.Budgets),
			AllowUnpriced: t.AllowUnpriced, Watch: a.watched(t.ID),
		})
	}
	for _, t := range c.Teams {
		o.Teams = append(o.Teams, budget.Team{Tenant: t.Tenant, ID: t.ID, Budgets: t.Budgets})
	}
	for _, a := range c.Agents {
		o.Agents = append(o.Agents, payingAgent(a))
	}
	return budget.NewPolicy(o)
}

// payingAgent is an agent with what its permissions limit.
func payingAgent(a config.Agent) budget.Agent {
	out := budget.Agent{ID: a.ID, Budgets: slices.Clone(a.Budgets)}
	p := a.Permissions
	if p == nil {
		return out
	}
	if p.MaxTokens > 0 {
		out.Budgets = append(out.Budgets, signalbox.Budget{Unit: signalbox.UnitTokens, Per: signalbox.WindowRun, Max: p.MaxTokens})
	}
	for _, t := range p.Tools {
		if t.MaxPerMinute > 0 {
			out.Limits = append(out.Limits, budget.Limit{Tools: t.Name, Max: t.MaxPerMinute})
		}
	}
	return out
}

// startLedger starts the ledger and the runs that are opened with a budget.
func (s *Server) startLedger(context.Context) error {
	c := s.runtimes.current().config
	s.runs = runs.New(runs.Options{
		Log: s.data.writer, Store: s.data.db, Check: budget.CheckPlan, Last: s.lastUse, Now: s.data.now,
		Idle: func() time.Duration { return s.runtimes.current().config.Runs.IdleTimeout },
	})
	s.ledger = ledger.New(ledger.Options{
		Vault: s.data.db, Policy: func() *budget.Policy { return s.runtimes.current().policy }, Runs: s.runs, Counter: counter{&s.runtimes},
		KeyBudgets: s.keyBudgets, Replica: s.data.replica, Now: s.data.now,
		Wait: max(c.Limits.BudgetWait, 1), MaxWaiting: int(c.Limits.BudgetWaiting), Whole: s.cluster == nil, Logger: s.options.Logger,
	})
	s.onStop("ledger", s.ledger.Close)
	return nil
}

// lastUse is when a call of a run was last heard of; zero where there was none.
func (s *Server) lastUse(ctx context.Context, r signalbox.Run) (time.Time, error) {
	v, err := s.data.views.RunByID(ctx, r.Tenant, r.ID)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return time.Time{}, nil
	}
	if v.Running > 0 {
		return s.data.now(), err
	}
	return v.Last, err
}

// counter counts input tokens exactly, by the runtime in force.
type counter struct{ *runtimes }

// CountInput counts the input of a call at a candidate; false where that can not be done exactly.
func (c counter) CountInput(ctx context.Context, k *signalbox.Call, candidate signalbox.Candidate) (int64, bool) {
	return c.current().models.counter.CountInput(ctx, k, candidate)
}
