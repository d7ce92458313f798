package audit

import "github.com/signalbox/signalbox"

// record reads a record, its members in the order of their fields.
func (s *scan) record(r *signalbox.Record) {
	s.open()
	s.who(&r.Who)
	s.what(&r.What)
	s.when(&r.When)
	s.context(&r.Context)
	s.stations(&r.Stations)
	list(s, "attempts", 1, &r.Attempts, s.attempt)
	maybe(s, "outcome", &r.Outcome)
	if s.object("error") {
		e := &signalbox.Failure{}
		word(s, "code", &e.Code)
		word(s, "message", &e.Message)
		maybe(s, "remedy", &e.Remedy)
		s.close()
		r.Error = e
	}
	s.budget(&r.Budget)
	list(s, "ledger", 8, &r.Ledger, s.entry)
	s.sealed(&r.Sealed)
	s.close()
}

func (s *scan) who(v *signalbox.Who) {
	s.must("who")
	s.open()
	maybe(s, "subject_id", &v.SubjectID)
	maybe(s, "agent_id", &v.AgentID)
	maybe(s, "agent_role", &v.AgentRole)
	maybe(s, "parent_agent_id", &v.ParentAgentID)
	maybe(s, "user_id", &v.UserID)
	word(s, "tenant_id", &v.TenantID)
	maybe(s, "team", &v.Team)
	maybe(s, "key_id", &v.KeyID)
	maybe(s, "role", &v.Role)
	maybe(s, "source", &v.Source)
	s.close()
}

func (s *scan) what(v *signalbox.What) {
	s.must("what")
	s.open()
	word(s, "action", &v.Action)
	maybe(s, "kind", &v.Kind)
	maybe(s, "tool_name", &v.ToolName)
	maybe(s, "operation", &v.Operation)
	maybe(s, "resource_id", &v.ResourceID)
	maybe(s, "input_summary", &v.InputSummary)
	maybe(s, "output_summary", &v.OutputSummary)
	s.usage("tokens_used", &v.Tokens)
	s.price("cost_usd", &v.Cost)
	maybe(s, "cost_basis", &v.CostBasis)
	s.close()
}

func (s *scan) when(v *signalbox.When) {
	s.must("when")
	s.open()
	s.time("timestamp", &v.Timestamp)
	s.count("duration_ms", &v.DurationMS)
	s.count("first_byte_ms", &v.FirstByteMS)
	maybe(s, "trace_id", &v.TraceID)
	maybe(s, "span_id", &v.SpanID)
	maybe(s, "parent_span_id", &v.ParentSpanID)
	s.close()
}

func (s *scan) context(v *signalbox.Context) {
	s.must("context")
	s.open()
	maybe(s, "request_id", &v.RequestID)
	maybe(s, "run_id", &v.RunID)
	if s.member("step_index") {
		n := s.spare.number()
		*n = s.number()
		v.StepIndex = n
	}
	maybe(s, "step_kind", &v.StepKind)
	maybe(s, "purpose", &v.Purpose)
	maybe(s, "risk_level", &v.RiskLevel)
	maybe(s, "policy_version", &v.PolicyVersion)
	maybe(s, "model_name", &v.ModelName)
	maybe(s, "requested_model", &v.RequestedModel)
	maybe(s, "provider", &v.Provider)
	maybe(s, "route", &v.Route)
	maybe(s, "protocol", &v.Protocol)
	s.flag("stream", &v.Stream)
	s.flag("simulated", &v.Simulated)
	s.flag("downgraded", &v.Downgraded)
	maybe(s, "approval_status", &v.ApprovalStatus)
	maybe(s, "approved_by", &v.ApprovedBy)
	maybe(s, "approval_id", &v.ApprovalID)
	maybe(s, "policy_rule", &v.PolicyRule)
	maybe(s, "break_glass", &v.BreakGlass)
	maybe(s, "replay_of", &v.ReplayOf)
	maybe(s, "replica", &v.Replica)
	if s.object("guard") {
		v.Guard = &signalbox.Guarded{}
		s.guardSide("input", &v.Guard.Input)
		s.guardSide("output", &v.Guard.Output)
		s.close()
	}
	s.close()
}

func (s *scan) guardSide(name string, into **signalbox.GuardSide) {
	if !s.object(name) {
		return
	}
	v := &signalbox.GuardSide{}
	word(s, "action", &v.Action)
	list(s, "found", 2, &v.Found, func(f *signalbox.GuardFound) {
		word(s, "where", &f.Where)
		word(s, "detector", &f.Detector)
		s.integer("count", &f.Count)
	})
	s.count("unseen", &v.Unseen)
	s.close()
	*into = v
}

func (s *scan) stations(into **signalbox.Stations) {
	if !s.object("stations") {
		return
	}
	v := s.spare.stations()
	word(s, "gate", &v.Gate)
	word(s, "resolve", &v.Resolve)
	word(s, "policy", &v.Policy)
	word(s, "guard_input", &v.GuardInput)
	word(s, "guard_output", &v.GuardOutput)
	word(s, "approval", &v.Approval)
	word(s, "attempt", &v.Attempt)
	s.close()
	*into = v
}

func (s *scan) attempt(a *signalbox.Attempt) {
	var n, status int64
	s.integer("n", &n)
	word(s, "name", &a.Name)
	word(s, "provider", &a.Provider)
	maybe(s, "provider_name", &a.ProviderName)
	word(s, "upstream", &a.Upstream)
	word(s, "format", &a.Format)
	s.flag("simulated", &a.Simulated)
	word(s, "span", &a.SpanID)
	s.time("started", &a.Started)
	s.integer("duration_ms", &a.DurationMS)
	s.count("first_byte_ms", &a.FirstByteMS)
	maybe(s, "code", &a.Code)
	maybe(s, "message", &a.Message)
	s.count("http_status", &status)
	a.N, a.HTTPStatus = s.small(n), s.small(status)
	s.usage("usage", &a.Usage)
	word(s, "basis", &a.Basis)
	s.rates("rates", &a.Rates)
	maybe(s, "rate_source", &a.RateSource)
	maybe(s, "rate_date", &a.RateDate)
	s.price("cost", &a.Cost)
	s.price("held", &a.Held)
	s.usage("held_usage", &a.HeldUsage)
	s.count("max_output", &a.MaxOutput)
	s.flag("overrun", &a.Overrun)
	maybe(s, "finish", &a.Finish)
	maybe(s, "response_id", &a.ResponseID)
	maybe(s, "response_model", &a.ResponseName)
}

func (s *scan) budget(into **signalbox.BudgetStand) {
	if !s.object("budget") {
		return
	}
	v := &signalbox.BudgetStand{}
	word(s, "account", &v.Account)
	s.integer("max", &v.Max)
	s.integer("before", &v.Before)
	s.integer("after", &v.After)
	s.close()
	*into = v
}

func (s *scan) sealed(into **signalbox.Sealed) {
	if !s.object("sealed") {
		return
	}
	v := &signalbox.Sealed{}
	word(s, "key", &v.Key)
	s.bytes("data", &v.Data)
	s.close()
	*into = v
}

func (s *scan) entry(e *signalbox.LedgerEntry) {
	word(s, "account", &e.Account)
	s.count("held", &e.Held)
	s.count("settled", &e.Settled)
	s.flag("closed", &e.Closed)
}

func (s *scan) usage(name string, into **signalbox.Usage) {
	if !s.object(name) {
		return
	}
	u := s.spare.usage()
	s.integer("input", &u.Input)
	s.integer("output", &u.Output)
	s.count("cache_read", &u.CacheRead)
	s.count("cache_write", &u.CacheWrite)
	s.count("cache_write_1h", &u.CacheWrite1h)
	s.count("reasoning", &u.Reasoning)
	s.close()
	*into = u
}

func (s *scan) rates(name string, into **signalbox.Rates) {
	if !s.object(name) {
		return
	}
	r := s.spare.rates()
	s.money("input", &r.Input)
	s.money("output", &r.Output)
	s.price("cache_read", &r.CacheRead)
	s.price("cache_write", &r.CacheWrite)
	s.price("cache_write_1h", &r.CacheWrite1h)
	if s.member("per_call") {
		r.PerCall = s.amount()
	}
	s.close()
	*into = r
}
