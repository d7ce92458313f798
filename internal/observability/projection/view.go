package projection

import (
	"time"

	"github.com/signalbox/signalbox"
)

// view makes the row of a call out of one of its records, without what only the outcome knows.
func view(r *signalbox.Record) signalbox.CallView {
	return signalbox.CallView{
		ID: r.Call, Time: r.When.Timestamp.UTC().Truncate(time.Microsecond),
		Tenant: r.Who.TenantID, Team: r.Who.Team, KeyID: r.Who.KeyID, User: r.Who.UserID,
		AgentID: r.Who.AgentID, AgentRole: r.Who.AgentRole, ParentAgentID: r.Who.ParentAgentID,
		RequestID: r.Context.RequestID, RunID: r.Context.RunID, StepIndex: r.Context.StepIndex,
		Kind: r.What.Kind, Protocol: r.Context.Protocol, ToolName: r.What.ToolName,
		ModelName: r.Context.ModelName, Provider: r.Context.Provider, UpstreamModel: upstream(r),
		Stream: r.Context.Stream, Simulated: r.Context.Simulated, RiskLevel: r.Context.RiskLevel,
		TraceID: r.When.TraceID, SpanID: r.When.SpanID, ParentSpanID: r.When.ParentSpanID,
		SealedBy: sealedBy(r),
	}
}

// ended writes into a call's row what its outcome knows better than its intent. Which agent called and where the call stands in
// its trace is the same in both.
func ended(v *signalbox.CallView, index int64, r *signalbox.Record) {
	v.Outcome, v.OutcomeIndex = r.Outcome, &index
	sealed(v, r)
	v.Attempts = max(v.Attempts, len(r.Attempts))
	v.ModelName, v.Provider, v.UpstreamModel = r.Context.ModelName, r.Context.Provider, upstream(r)
	v.Simulated, v.RiskLevel = r.Context.Simulated, r.Context.RiskLevel
	v.LatencyMS, v.FirstByteMS = r.When.DurationMS, r.When.FirstByteMS
	if u := r.What.Tokens; u != nil {
		v.Usage = &signalbox.Usage{Input: u.Input, Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite}
	}
	v.Cost, v.CostBasis = r.What.Cost, r.What.CostBasis
	if r.Error != nil {
		v.ErrorCode = r.Error.Code
	}
}

// sealed takes from an outcome whom the call is about, because an outcome can stand for its intent and may be sealed by
// another key. One without attempts stands for none, and may know less.
func sealed(v *signalbox.CallView, r *signalbox.Record) {
	if len(r.Attempts) > 0 {
		v.User, v.SealedBy = r.Who.UserID, sealedBy(r)
	}
}

func sealedBy(r *signalbox.Record) string {
	if r.Sealed == nil {
		return ""
	}
	return r.Sealed.Key
}

func upstream(r *signalbox.Record) string {
	if n := len(r.Attempts); n > 0 {
		return r.Attempts[n-1].Upstream
	}
	return ""
}

// count is the call itself, without what its attempts consumed.
func count(r *signalbox.Record) signalbox.Totals {
	t := signalbox.Totals{Calls: 1}
	switch r.Outcome {
	case signalbox.OutcomeFailed, signalbox.OutcomeUnknown:
		t.Failures = 1
	case signalbox.OutcomeDenied, signalbox.OutcomeBlocked:
		t.Refusals = 1
	case signalbox.OutcomeOK, signalbox.OutcomeCancelled, signalbox.OutcomeRunning: // Neither.
	}
	for i := range r.Attempts {
		if r.Attempts[i].Basis == signalbox.BasisUnpriced {
			t.Unpriced = 1
		}
	}
	return t
}

// consumed is what one attempt used and cost.
func consumed(a *signalbox.Attempt) signalbox.Totals {
	var t signalbox.Totals
	if u := a.Usage; u != nil {
		t.InputTokens, t.OutputTokens = u.Input, u.Output
		t.CacheReadTokens, t.CacheWriteTokens = u.CacheRead, u.CacheWrite
	}
	if a.Cost != nil {
		t.Cost = *a.Cost
	}
	return t
}

// wholeCall is the call with all its attempts.
func wholeCall(r *signalbox.Record) signalbox.Totals {
	t := count(r)
	for i := range r.Attempts {
		t = t.Plus(consumed(&r.Attempts[i]))
	}
	return t
}
