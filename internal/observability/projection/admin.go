package projection

import (
	"encoding/hex"

	"github.com/signalbox/signalbox"
)

// callOf gives the id of the call that a record is about; "" where it is about none.
func callOf(r *signalbox.Record) string {
	if r.Type == signalbox.RecordAdmin && r.What.Action == signalbox.ActionCostReconciled {
		return r.What.ResourceID
	}
	return r.Call
}

// admin folds what is not a record of a call: of all those, few change what people look at.
func (f *folder) admin(c *callState, it *Item) {
	switch it.Record.What.Action {
	case signalbox.ActionRunOpened:
		f.open(it)
	case signalbox.ActionCostReconciled:
		f.correct(c, it)
	case signalbox.ActionErasure, signalbox.ActionSubjectExported:
		f.subject(it)
	case signalbox.ActionContentDestroyed, signalbox.ActionLogArchived:
		f.evidence = append(f.evidence, signalbox.SealedBlock{Key: ActionKey(it.Record.What.Action), Block: it.Index / signalbox.SealedBlockSize})
	}
}

// subject notes that there is evidence of an erasure or of an access request. After an erasure no row is to say anything
// of that person: those of this batch neither, because they may have been decoded before the keys were destroyed.
func (f *folder) subject(it *Item) {
	subject, ok := SubjectOf(&it.Record)
	if !ok {
		return
	}
	f.evidence = append(f.evidence, signalbox.SealedBlock{Key: EvidenceKey(subject), Block: it.Index / signalbox.SealedBlockSize})
	if it.Record.What.Action == signalbox.ActionErasure {
		f.erased = append(f.erased, signalbox.Erased{Tenant: it.Record.What.Detail[DetailTenant], Subject: subject})
	}
}

// The members of the detail of an erasure and of an access request: the tenant of the data subject, and
// [signalbox.SubjectKey].Subject in hex. They name nobody.
const (
	DetailTenant  = "tenant"
	DetailSubject = "subject_hash"
)

// SubjectOf gives whom a record of an erasure or of an access request is about.
func SubjectOf(r *signalbox.Record) (subject [32]byte, ok bool) {
	hash, err := hex.DecodeString(r.What.Detail[DetailSubject])
	return subject, err == nil && len(hash) == len(subject) && copy(subject[:], hash) > 0
}

// EvidenceKey is what stands in [signalbox.SealedBlock].Key for the records of erasures and access requests about a subject.
func EvidenceKey(subject [32]byte) string { return "subject:" + hex.EncodeToString(subject[:]) }

// ActionKey is what stands in [signalbox.SealedBlock].Key for the records that say how the log is kept: of content that was
// destroyed, and of archives.
func ActionKey(action string) string { return "action:" + action }

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
