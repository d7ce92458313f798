package audit

import (
	"github.com/signalbox/signalbox"
)

// record writes a record, its members in the order of their fields.
func (w *text) record(r *signalbox.Record) {
	w.open()
	w.who(&r.Who)
	w.what(&r.What)
	w.when(&r.When)
	w.context(&r.Context)
	if r.Stations != nil {
		w.stations(r.Stations)
	}
	if r.Attempts != nil {
		w.attempts(r.Attempts)
	}
	w.optional("outcome", string(r.Outcome))
	if e := r.Error; e != nil {
		w.name("error")
		w.open()
		w.str("code", string(e.Code))
		w.str("message", e.Message)
		w.optional("remedy", e.Remedy)
		w.close()
	}
	if r.Budget != nil {
		w.budget(r.Budget)
	}
	if r.Ledger != nil {
		w.ledger(r.Ledger)
	}
	if r.Sealed != nil {
		w.sealed(r.Sealed)
	}
	w.close()
}

func (w *text) who(v *signalbox.Who) {
	w.name("who")
	w.open()
	w.optional("subject_id", v.SubjectID)
	w.optional("agent_id", v.AgentID)
	w.optional("agent_role", v.AgentRole)
	w.optional("parent_agent_id", v.ParentAgentID)
	w.optional("user_id", v.UserID)
	w.str("tenant_id", v.TenantID)
	w.optional("team", v.Team)
	w.optional("key_id", v.KeyID)
	w.optional("role", string(v.Role))
	w.optional("source", v.Source)
	w.close()
}

func (w *text) what(v *signalbox.What) {
	w.odd = w.odd || v.Detail != nil
	w.name("what")
	w.open()
	w.str("action", v.Action)
	w.optional("kind", string(v.Kind))
	w.optional("tool_name", v.ToolName)
	w.optional("operation", v.Operation)
	w.optional("resource_id", v.ResourceID)
	w.optional("input_summary", v.InputSummary)
	w.optional("output_summary", v.OutputSummary)
	w.usage("tokens_used", v.Tokens)
	w.price("cost_usd", v.Cost)
	w.optional("cost_basis", string(v.CostBasis))
	w.close()
}

func (w *text) when(v *signalbox.When) {
	w.name("when")
	w.open()
	w.time("timestamp", v.Timestamp)
	w.count("duration_ms", v.DurationMS)
	w.count("first_byte_ms", v.FirstByteMS)
	w.optional("trace_id", v.TraceID)
	w.optional("span_id", v.SpanID)
	w.optional("parent_span_id", v.ParentSpanID)
	w.close()
}

func (w *text) context(v *signalbox.Context) {
	w.name("context")
	w.open()
	w.optional("request_id", v.RequestID)
	w.optional("run_id", v.RunID)
	w.pointed("step_index", v.StepIndex)
	w.optional("step_kind", v.StepKind)
	w.optional("purpose", v.Purpose)
	w.optional("risk_level", v.RiskLevel)
	w.optional("policy_version", v.PolicyVersion)
	w.optional("model_name", v.ModelName)
	w.optional("requested_model", v.RequestedModel)
	w.optional("provider", v.Provider)
	w.optional("route", v.Route)
	w.optional("protocol", string(v.Protocol))
	w.flag("stream", v.Stream)
	w.flag("simulated", v.Simulated)
	w.flag("downgraded", v.Downgraded)
	w.optional("approval_status", v.ApprovalStatus)
	w.optional("approved_by", v.ApprovedBy)
	w.optional("approval_id", v.ApprovalID)
	w.optional("policy_rule", v.PolicyRule)
	w.optional("break_glass", v.BreakGlass)
	w.optional("replay_of", v.ReplayOf)
	w.optional("replica", v.Replica)
	if g := v.Guard; g != nil {
		w.name("guard")
		w.open()
		w.guardSide("input", g.Input)
		w.guardSide("output", g.Output)
		w.close()
	}
	w.close()
}

func (w *text) guardSide(name string, v *signalbox.GuardSide) {
	if v == nil {
		return
	}
	w.name(name)
	w.open()
	w.str("action", string(v.Action))
	if v.Found != nil {
		w.name("found")
		w.b = append(w.b, '[')
		for _, f := range v.Found {
			w.next()
			w.open()
			w.str("where", string(f.Where))
			w.str("detector", string(f.Detector))
			w.integer("count", f.Count)
			w.close()
		}
		w.b = append(w.b, ']')
	}
	w.count("unseen", v.Unseen)
	w.close()
}

func (w *text) stations(v *signalbox.Stations) {
	w.name("stations")
	w.open()
	w.str("gate", string(v.Gate))
	w.str("resolve", string(v.Resolve))
	w.str("policy", string(v.Policy))
	w.str("guard_input", string(v.GuardInput))
	w.str("guard_output", string(v.GuardOutput))
	w.str("approval", string(v.Approval))
	w.str("attempt", string(v.Attempt))
	w.close()
}

func (w *text) attempts(list []signalbox.Attempt) {
	w.name("attempts")
	w.b = append(w.b, '[')
	for i := range list {
		w.next()
		w.open()
		w.attempt(&list[i])
		w.close()
	}
	w.b = append(w.b, ']')
}

func (w *text) attempt(a *signalbox.Attempt) {
	w.integer("n", int64(a.N))
	w.str("name", a.Name)
	w.str("provider", a.Provider)
	w.optional("provider_name", a.ProviderName)
	w.str("upstream", a.Upstream)
	w.str("format", string(a.Format))
	w.flag("simulated", a.Simulated)
	w.str("span", a.SpanID)
	w.time("started", a.Started)
	w.integer("duration_ms", a.DurationMS)
	w.count("first_byte_ms", a.FirstByteMS)
	w.optional("code", string(a.Code))
	w.optional("message", a.Message)
	w.count("http_status", int64(a.HTTPStatus))
	w.usage("usage", a.Usage)
	w.str("basis", string(a.Basis))
	w.rates("rates", a.Rates)
	w.optional("rate_source", a.RateSource)
	w.optional("rate_date", a.RateDate)
	w.price("cost", a.Cost)
	w.price("held", a.Held)
	w.usage("held_usage", a.HeldUsage)
	w.count("max_output", a.MaxOutput)
	w.flag("overrun", a.Overrun)
	w.optional("finish", a.Finish)
	w.optional("response_id", a.ResponseID)
	w.optional("response_model", a.ResponseName)
}

func (w *text) ledger(list []signalbox.LedgerEntry) {
	w.name("ledger")
	w.b = append(w.b, '[')
	for i := range list {
		e := &list[i]
		w.next()
		w.open()
		w.str("account", e.Account)
		w.count("held", e.Held)
		w.count("settled", e.Settled)
		w.flag("closed", e.Closed)
		w.close()
	}
	w.b = append(w.b, ']')
}

func (w *text) budget(v *signalbox.BudgetStand) {
	w.name("budget")
	w.open()
	w.str("account", v.Account)
	w.integer("max", v.Max)
	w.integer("before", v.Before)
	w.integer("after", v.After)
	w.close()
}

func (w *text) sealed(v *signalbox.Sealed) {
	w.name("sealed")
	w.open()
	w.str("key", v.Key)
	w.bytes("data", v.Data)
	w.close()
}
