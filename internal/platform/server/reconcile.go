package server

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

// Bounds of what is remembered of corrections.
const (
	maxCorrected  = 10_000
	correctedLife = time.Minute // By then the projections of every replica have it.
)

// reconciler corrects what calls have cost. One at a time: what a call was taken for must not change meanwhile.
type reconciler struct {
	server *Server
	mu     sync.Mutex
	recent map[string]correction // Calls whose projection may not have their cost yet.
}

type correction struct {
	cost signalbox.Money
	at   time.Time
}

// reconcile corrects one call.
func (x *reconciler) reconcile(ctx context.Context, by signalbox.Caller, id string, cost signalbox.Money) (*signalbox.Money, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	view, err := x.server.data.views.CallByID(ctx, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such call.").WithField("call_id").
			WithRemedy("Check the id; calls older than the retention of projections can not be reconciled.")
	}
	if err == nil {
		err = reconcilable(view)
	}
	if err != nil {
		return nil, false, err
	}
	was := view.Cost
	if c, ok := x.recent[id]; ok && x.server.data.now().Sub(c.at) <= correctedLife {
		was = &c.cost
	}
	if was != nil && *was == cost {
		return was, false, nil
	}
	past, err := x.server.past(ctx, view)
	if err != nil {
		return nil, false, err
	}
	if err := x.correct(ctx, by, &past, was, cost); err != nil {
		return nil, false, err
	}
	x.remember(id, cost)
	return was, true, nil
}

// reconcilable says why the cost of a call can not be corrected.
func reconcilable(v signalbox.CallView) error {
	switch {
	case v.Outcome == signalbox.OutcomeRunning || v.OutcomeIndex == nil:
		return signalbox.Errorf(signalbox.CodeConflict, "The call is still under way.").WithField("call_id").
			WithRemedy("Reconcile it once it has ended.")
	case v.IntentIndex == nil:
		return signalbox.Errorf(signalbox.CodeConflict, "The call was refused before anything left.").WithField("call_id").
			WithRemedy("Nobody can have billed it; check the id.")
	}
	return nil
}

// remember keeps the newest corrections.
func (x *reconciler) remember(id string, cost signalbox.Money) {
	now := x.server.data.now()
	if len(x.recent) >= maxCorrected {
		maps.DeleteFunc(x.recent, func(_ string, c correction) bool { return now.Sub(c.at) > correctedLife })
	}
	x.recent[id] = correction{cost, now}
}

// past is what the records of a call say of its money.
type past struct {
	outcome signalbox.Record
	known   signalbox.Money // Of the attempts whose price is known.
	settled []settled       // Of accounts of money, in the order in which they came up.
}

type settled struct {
	account string
	amount  signalbox.Money
	last    bool // The last attempt was paid from it.
}

// past reads the records of a call that has ended. Those of a call with one attempt are its intent and its outcome.
func (s *Server) past(ctx context.Context, v signalbox.CallView) (past, error) {
	var p past
	if v.Attempts <= 1 {
		for _, index := range []int64{*v.IntentIndex, *v.OutcomeIndex} {
			e, err := s.data.db.Entry(ctx, index)
			if err == nil {
				err = p.add(s.data.vault, e)
			}
			if err != nil {
				return p, err
			}
		}
		return p, nil
	}
	for e, err := range s.data.db.Entries(ctx, *v.IntentIndex) {
		if err == nil && e.Call == v.ID {
			err = p.add(s.data.vault, e)
		}
		if err != nil || e.Index >= *v.OutcomeIndex {
			return p, err
		}
	}
	return p, nil
}

func (p *past) add(vault *seal.Vault, e signalbox.Entry) error {
	r, err := vault.Decode(e)
	if err != nil {
		return err
	}
	for _, entry := range r.Ledger {
		a, err := signalbox.ParseAccount(entry.Account)
		if err != nil || a.Unit != signalbox.UnitUSD {
			continue
		}
		i := slices.IndexFunc(p.settled, func(s settled) bool { return s.account == entry.Account })
		if i < 0 {
			i = len(p.settled)
			p.settled = append(p.settled, settled{account: entry.Account})
		}
		p.settled[i].amount += signalbox.Money(entry.Settled)
		p.settled[i].last = e.Type == signalbox.RecordOutcome
	}
	if e.Type == signalbox.RecordOutcome {
		p.outcome = r
		for _, a := range r.Attempts {
			if a.Cost != nil {
				p.known = p.known.Plus(*a.Cost)
			}
		}
	}
	return nil
}

// entries gives what changes in the ledger where a call has cost another amount. Accounts that have paid for all of its
// attempts take the difference. Of those that have paid for some of them (the parts of a run's plan) the last attempt's
// take it, but what they would then have paid less than nothing is given back by the others.
func (p *past) entries(was, cost signalbox.Money) []signalbox.LedgerEntry {
	var whole signalbox.Money
	for _, s := range p.settled {
		whole = max(whole, s.amount)
	}
	share := func(s settled, cost signalbox.Money) signalbox.Money {
		switch {
		case s.amount == whole:
			return cost
		case s.last:
			return max(s.amount+cost-whole, 0)
		}
		return min(s.amount, cost)
	}
	var list []signalbox.LedgerEntry
	for _, s := range p.settled {
		if delta := share(s, cost) - share(s, was); delta != 0 {
			list = append(list, signalbox.LedgerEntry{Account: s.account, Settled: int64(delta)})
		}
	}
	return list
}

// correct writes the record, as one of the call's: its time is the call's, so that totals of its hour follow.
func (x *reconciler) correct(ctx context.Context, by signalbox.Caller, p *past, was *signalbox.Money, cost signalbox.Money) error {
	known := p.known
	detail := map[string]string{"call_id": p.outcome.Call, "cost_usd": cost.String(), "by_key": by.Key, "by_role": string(by.Role)}
	if was != nil {
		known, detail["was_usd"] = *was, was.String()
	}
	delta := cost - known
	r := signalbox.Record{
		Type: signalbox.RecordAdmin, Time: x.server.data.now().UTC(), Who: p.outcome.Who, Context: p.outcome.Context,
		When: signalbox.When{Timestamp: p.outcome.When.Timestamp, TraceID: p.outcome.When.TraceID},
		What: signalbox.What{
			Action: signalbox.ActionCostReconciled, Kind: p.outcome.What.Kind, ToolName: p.outcome.What.ToolName,
			ResourceID: p.outcome.Call, Cost: &delta, CostBasis: signalbox.BasisReported, Detail: detail,
		},
		Ledger: p.entries(known, cost),
	}
	r.Context.Replica = x.server.data.replica
	return x.server.ledger.Correct(r.Ledger, func() error {
		_, err := x.server.data.writer.Append(ctx, r, signalbox.Post{Replica: x.server.data.replica, Entries: r.Ledger})
		return err
	})
}
