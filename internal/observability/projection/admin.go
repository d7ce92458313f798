package projection

import (
	"github.com/signalbox/signalbox"
)

// callOf gives the id of the call that a record is about; "" where it is about none.
func callOf(r *signalbox.Record) string {
	if r.Type == signalbox.RecordAdmin && r.What.Action == signalbox.ActionCostReconciled {
		return r.What.ResourceID
	}
	return r.Call
}

// admin folds what is not a record of a call: of all those, two change what people look at.
func (f *folder) admin(c *callState, it *Item) {
	switch it.Record.What.Action {
	case signalbox.ActionRunOpened:
		f.open(it)
	case signalbox.ActionCostReconciled:
		f.correct(c, it)
	}
}

// open lists a run before it has any call.
func (f *folder) open(it *Item) {
	v := view(&it.Record)
	v.OutcomeIndex = &it.Index // Its place in the list is that of this record.
	f.run(&v, &it.Record)
}

// correct adds what a call has cost beyond what was known when it ended. The record says all that totals need, because
// the row of an old call may be gone while its totals are not.
func (f *folder) correct(c *callState, it *Item) {
	r := it.Record
	if r.What.Cost == nil {
		return
	}
	v := view(&r)
	v.OutcomeIndex = &it.Index
	t := signalbox.Totals{Cost: *r.What.Cost}
	if _, priced := r.What.Detail[detailWas]; !priced {
		t.Unpriced = -1
	}
	r.Time = v.Time // A bill that comes later is no use of the run.
	run := f.run(&v, &r)
	run.Totals = run.Totals.Plus(t)
	f.runHour(&v, t)
	f.add(signalbox.RollupKey{
		Hour: hour(v.Time), Tenant: v.Tenant, Team: v.Team, Agent: v.AgentID,
		Model: v.ModelName, Tool: v.ToolName, Provider: v.Provider,
	}, t)
	cost, err := signalbox.ParseMoney(r.What.Detail[detailCost])
	if err != nil || c == nil || c.view.OutcomeIndex == nil {
		return
	}
	c.view.Cost, c.view.CostBasis, c.changed = &cost, signalbox.BasisReported, true
}

// The members of the detail of a record of cost that is reconciled: what the call has cost, and what it was taken for;
// the latter is left out where one of its attempts had no price.
const (
	detailCost = "cost_usd"
	detailWas  = "was_usd"
)
