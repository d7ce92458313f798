package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// findBatch is how many accounts are looked up by name at once.
const findBatch = 1000

// accounts gives the control API the accounts of the ledger: what the store keeps of them, under the budgets that the
// configuration in force, keys and opened runs give them.
type accounts struct{ *Server }

// List gives a page of accounts.
func (x accounts) List(ctx context.Context, f api.AccountFilter) ([]api.Standing, string, error) {
	if f.Cursor != "" {
		if _, err := signalbox.ParseAccount(f.Cursor); err != nil {
			return nil, "", signalbox.Errorf(signalbox.CodeInvalid, "The cursor is not one of ours.").WithField("cursor").
				WithRemedy("Take `next` of the page before, or leave it out.")
		}
	}
	switch {
	case f.Run != "":
		return x.ofRun(ctx, f)
	case f.Current:
		return x.current(ctx, f)
	}
	return x.used(ctx, f)
}

// used gives what the store has: everything that was ever used, for as long as it is kept.
func (x accounts) used(ctx context.Context, f api.AccountFilter) ([]api.Standing, string, error) {
	views, next, err := x.data.db.Accounts(ctx, signalbox.AccountFilter{
		Tenants: f.Tenants, Kind: f.Kind, Run: f.Run, Cursor: f.Cursor, Limit: f.Limit,
	})
	if err != nil {
		return nil, "", err
	}
	list := make([]api.Standing, len(views))
	payers := map[string]budget.Payer{} // By tenant and run.
	for i, v := range views {
		if list[i], err = x.standing(ctx, v, payers); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// standing adds the budget that counts for an account.
func (x accounts) standing(ctx context.Context, v signalbox.AccountView, payers map[string]budget.Payer) (api.Standing, error) {
	a := v.Account
	payer := budget.Payer{Caller: signalbox.Caller{Tenant: a.Tenant}}
	switch a.Kind {
	case signalbox.OwnerKey:
		payer.KeyBudgets = x.keyBudgets(a.Name)
	case signalbox.OwnerRun, signalbox.OwnerRunAgent, signalbox.OwnerPlanned, signalbox.OwnerPlannedNormal,
		signalbox.OwnerPlannedOptional, signalbox.OwnerReserve:
		id := a.Tenant + " " + a.Name
		known, ok := payers[id]
		if !ok {
			var err error
			if known, err = x.payer(ctx, a.Tenant, a.Name); err != nil {
				return api.Standing{}, err
			}
			payers[id] = known
		}
		payer = known
	case signalbox.OwnerTenant, signalbox.OwnerTeam, signalbox.OwnerAgent, signalbox.OwnerPermission:
	}
	b, end, ok := x.runtimes.current().policy.BudgetOf(a, payer)
	if !ok {
		b.Max = signalbox.NoCap
	}
	return api.Standing{AccountView: x.live(v), Budget: b, ResetAt: end}, nil
}

// live adds what only this process knows: calls in flight are in no record.
func (x accounts) live(v signalbox.AccountView) signalbox.AccountView {
	if v.Account.Unit != signalbox.UnitConcurrent {
		return v
	}
	if b, ok := x.ledger.Balance(v.Account.String()); ok {
		v.Settled, v.Held = b.Settled, b.Held
	}
	return v
}

// payer gives what is known of a run: all of one that was opened, the team of one that calls merely name.
func (x accounts) payer(ctx context.Context, tenant, id string) (budget.Payer, error) {
	payer := budget.Payer{Caller: signalbox.Caller{Tenant: tenant}, RunID: id}
	run, err := x.runs.Run(ctx, tenant, id)
	if err == nil {
		return x.opener(&run), nil
	}
	if signalbox.CodeOf(err) != signalbox.CodeNotFound {
		return payer, err
	}
	view, err := x.data.views.RunByID(ctx, tenant, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		err = nil
	}
	payer.Caller.Team = view.Team
	return payer, err
}

// opener is who pays in an opened run: the key that it belongs to.
func (x accounts) opener(run *signalbox.Run) budget.Payer {
	return budget.Payer{
		Caller: signalbox.Caller{Tenant: run.Tenant, Team: run.Team, Key: run.Key}, RunID: run.ID, Run: run,
		KeyBudgets: x.keyBudgets(run.Key),
	}
}

// ofRun gives all accounts of a run: those that were used, and for a run that was opened those that can be.
func (x accounts) ofRun(ctx context.Context, f api.AccountFilter) ([]api.Standing, string, error) {
	tenants := f.Tenants
	if tenants == nil {
		tenants = x.tenants()
	}
	var list []api.Standing
	for _, tenant := range tenants {
		of, err := x.allOfRun(ctx, tenant, f)
		if err != nil {
			return nil, "", err
		}
		list = append(list, of...)
	}
	list, next := cut(list, f)
	return list, next, nil
}

func (x accounts) allOfRun(ctx context.Context, tenant string, f api.AccountFilter) ([]api.Standing, error) {
	var list []api.Standing
	known := map[string]bool{}
	page := api.AccountFilter{Tenants: []string{tenant}, Run: f.Run, Limit: signalbox.MaxPage}
	for more := true; more; more = page.Cursor != "" {
		used, next, err := x.used(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, s := range used {
			known[s.Account.String()] = true
			list = append(list, s)
		}
		page.Cursor = next
	}
	payer, err := x.payer(ctx, tenant, f.Run)
	if err != nil || payer.Run == nil {
		return list, err
	}
	for _, l := range x.runtimes.current().policy.OfRun(payer) {
		if !known[l.Key] {
			list = append(list, unused(&l))
		}
	}
	return list, nil
}

// unused is an account of which nothing was used.
func unused(l *budget.Line) api.Standing {
	return api.Standing{AccountView: signalbox.AccountView{Account: l.Account}, Budget: l.Budget, ResetAt: l.ResetAt}
}

// cut sorts a whole list, and gives the page that its filter asks for.
func cut(list []api.Standing, f api.AccountFilter) ([]api.Standing, string) {
	list = slices.DeleteFunc(list, func(s api.Standing) bool {
		return f.Kind != "" && s.Account.Kind != f.Kind || f.Cursor != "" && s.Account.String() <= f.Cursor
	})
	slices.SortFunc(list, func(a, b api.Standing) int { return strings.Compare(a.Account.String(), b.Account.String()) })
	if len(list) <= f.Limit {
		return list, ""
	}
	list = list[:f.Limit]
	return list, list[len(list)-1].Account.String()
}

// current gives the accounts that calls can pay from now: of budgets in force, and of open runs.
func (x accounts) current(ctx context.Context, f api.AccountFilter) ([]api.Standing, string, error) {
	list, err := x.inForce(ctx, f)
	if err != nil {
		return nil, "", err
	}
	list, next := cut(list, f)
	found, err := x.find(ctx, list)
	if err != nil {
		return nil, "", err
	}
	for i := range list {
		v, ok := found[list[i].Account.String()]
		if !ok {
			v = list[i].AccountView
		}
		list[i].AccountView = x.live(v)
	}
	return list, next, nil
}

// inForce gives the accounts without what was used of them.
func (x accounts) inForce(ctx context.Context, f api.AccountFilter) ([]api.Standing, error) {
	policy, keys, now := x.runtimes.current().policy, x.goodKeys(), x.data.now()
	var list, perhaps []api.Standing
	for _, tenant := range x.tenants() {
		if f.Tenants != nil && !slices.Contains(f.Tenants, tenant) {
			continue
		}
		for _, l := range policy.Known(now, tenant, keys) {
			if l.Account.Kind == signalbox.OwnerAgent && !x.worksFor(tenant, l.Account.Name, keys) {
				perhaps = append(perhaps, unused(&l))
				continue
			}
			list = append(list, unused(&l))
		}
	}
	found, err := x.find(ctx, perhaps)
	if err != nil {
		return nil, err
	}
	for _, s := range perhaps {
		if _, ok := found[s.Account.String()]; ok {
			list = append(list, s)
		}
	}
	open, err := x.data.db.OpenRuns(ctx)
	for i := range open {
		if f.Tenants != nil && !slices.Contains(f.Tenants, open[i].Tenant) {
			continue
		}
		for _, l := range policy.OfRun(x.opener(&open[i])) {
			list = append(list, unused(&l))
		}
	}
	return list, err
}

// worksFor reports whether an agent is known to be one of the tenant's: a key of it is bound to the agent, or there is no
// other tenant. Others are listed once they have been used.
func (x accounts) worksFor(tenant, agent string, keys []signalbox.Key) bool {
	return len(x.tenants()) == 1 || slices.ContainsFunc(keys, func(k signalbox.Key) bool {
		return k.Tenant == tenant && k.Agent == agent
	})
}

// goodKeys gives the keys that are not revoked.
func (x accounts) goodKeys() []signalbox.Key {
	return slices.DeleteFunc(x.keys.ring.List(), func(k signalbox.Key) bool { return !k.Revoked.IsZero() })
}

// find reads what was used of accounts, by their identities.
func (x accounts) find(ctx context.Context, list []api.Standing) (map[string]signalbox.AccountView, error) {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Account.String()
	}
	found := map[string]signalbox.AccountView{}
	for batch := range slices.Chunk(names, findBatch) {
		views, err := x.data.db.FindAccounts(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			found[v.Account.String()] = v
		}
	}
	return found, nil
}

// Reopen lets an account take holds again. The ledger is told even where the store has it open already: a try before may
// have got no further.
func (x accounts) Reopen(ctx context.Context, by signalbox.Caller, account string) (api.Standing, error) {
	views, err := x.data.db.FindAccounts(ctx, []string{account})
	if err != nil {
		return api.Standing{}, err
	}
	if len(views) == 0 {
		return api.Standing{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no such account, or nothing of it was ever used.").
			WithField("account").WithRemedy("Take `account` as the list of accounts has it.")
	}
	if views[0].Closed {
		if err := x.reopen(ctx, by, account, views[0].Account.Tenant); err != nil {
			return api.Standing{}, err
		}
		views[0].Closed = false
	}
	if err := x.ledger.Refresh(ctx); err != nil {
		return api.Standing{}, fmt.Errorf("tell the ledger that %s is open: %w", account, err)
	}
	return x.standing(ctx, views[0], map[string]budget.Payer{})
}

func (x accounts) reopen(ctx context.Context, by signalbox.Caller, account, tenant string) error {
	return x.admin(ctx, by, tenant, signalbox.What{Action: signalbox.ActionAccountReopened, ResourceID: account},
		signalbox.OpenAccount{Account: account})
}

// admin writes what somebody has done to Signalbox itself, as a record of the tenant whom it concerns.
func (s *Server) admin(ctx context.Context, by signalbox.Caller, tenant string, what signalbox.What, effects ...signalbox.Effect) error {
	now := s.data.now().UTC()
	_, err := s.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now}, What: what,
		Who:     by.Who(tenant),
		Context: signalbox.Context{Replica: s.data.replica},
	}, effects...)
	return err
}

// tenants lists those of the configuration in force.
func (s *Server) tenants() []string {
	c := s.config // Until there is a runtime.
	if now := s.runtimes.current(); now != nil {
		c = now.config
	}
	list := make([]string, len(c.Tenants))
	for i, t := range c.Tenants {
		list[i] = t.ID
	}
	return list
}

// brakes gives the control API alerts and what they have set.
type brakes struct {
	database
	server *Server
}

// LiftBrake ends a brake here at once, and elsewhere with the record.
func (x brakes) LiftBrake(ctx context.Context, by signalbox.Caller, b signalbox.Brake) (signalbox.Brake, error) {
	if !b.Lifted.IsZero() {
		x.server.alerts.Lift(b.ID) // A try before may have got no further.
		return b, nil
	}
	b.Lifted, b.By = x.server.data.now().UTC().Truncate(time.Microsecond), by.Key
	err := x.server.admin(ctx, by, b.Tenant, signalbox.What{
		Action: signalbox.ActionBrakeLifted, ResourceID: b.ID, Detail: map[string]string{"kind": string(b.Kind), "run_id": b.Run},
	}, signalbox.LiftBrake{ID: b.ID, At: b.Lifted, By: b.By})
	if err == nil {
		x.server.alerts.Lift(b.ID)
	}
	return b, err
}
