package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Call is a row of the list of calls.
type Call struct {
	ID               string              `json:"id"`
	Time             time.Time           `json:"time"`
	Tenant           string              `json:"tenant"`
	Team             *string             `json:"team"`
	KeyID            *string             `json:"key_id"`
	User             *string             `json:"user"`
	RequestID        *string             `json:"request_id"`
	RunID            *string             `json:"run_id"`
	AgentID          *string             `json:"agent_id"`
	AgentRole        *string             `json:"agent_role"`
	ParentAgentID    *string             `json:"parent_agent_id"`
	StepIndex        *int64              `json:"step_index"`
	Kind             signalbox.Kind      `json:"kind" enum:"model,tool"`
	Protocol         *signalbox.Protocol `json:"protocol"`
	ToolName         *string             `json:"tool_name"`
	ModelName        *string             `json:"model_name"`
	Provider         *string             `json:"provider"`
	UpstreamModel    *string             `json:"upstream_model"`
	Stream           bool                `json:"stream"`
	LatencyMS        *int64              `json:"latency_ms"`
	FirstByteMS      *int64              `json:"first_byte_ms"`
	InputTokens      *int64              `json:"input_tokens"`
	OutputTokens     *int64              `json:"output_tokens"`
	CacheReadTokens  *int64              `json:"cache_read_tokens"`
	CacheWriteTokens *int64              `json:"cache_write_tokens"`
	CostEstimate     *string             `json:"cost_estimate" doc:"US dollars, decimal."`
	CostBasis        *signalbox.Basis    `json:"cost_basis"`
	RiskLevel        *string             `json:"risk_level" doc:"Null until a policy assesses it."`
	Outcome          signalbox.Outcome   `json:"outcome" enum:"ok,denied,blocked,failed,cancelled,unknown,running"`
	ErrorCode        *signalbox.Code     `json:"error_code"`
	Attempts         int                 `json:"attempts"`
	TraceID          *string             `json:"trace_id"`
	SpanID           *string             `json:"span_id"`
	ParentSpanID     *string             `json:"parent_span_id"`
	Simulated        bool                `json:"simulated"`
}

// CallDetail is one call with what its records hold.
type CallDetail struct {
	Call
	InputSummary  *string            `json:"input_summary" doc:"Masked."`
	OutputSummary *string            `json:"output_summary" doc:"Masked."`
	Error         *CallFailure       `json:"error"`
	Stations      signalbox.Stations `json:"stations"`
	Detail        []Attempt          `json:"attempts_detail"`
	Rates         *Rates             `json:"rates" doc:"The rates of the attempt that served."`
	PolicyVersion *string            `json:"policy_version"`
	PolicyRule    *string            `json:"policy_rule" doc:"What permitted or denied the call."`
	ApprovalID    *string            `json:"approval_id" doc:"The approval that admitted the call, or that it waits for."`
	ApprovedBy    *string            `json:"approved_by" doc:"Who has approved it, separated by commas."`
	BreakGlass    *string            `json:"break_glass" doc:"The grant without which the call had been denied."`
	Guard         *signalbox.Guarded `json:"guard" doc:"What the guard has found, in counts; null where it did not look."`
	ReplayOf      *string            `json:"replay_of" doc:"The call with the same idempotency key whose end was given again; no other was made."`
	Route         *string            `json:"route"`
	Record        RecordIndices      `json:"record"`
	AsOf          time.Time          `json:"as_of"`
}

// CallFailure is the error a call ended with.
type CallFailure struct {
	Code    signalbox.Code `json:"code"`
	Message string         `json:"message"`
	Remedy  string         `json:"remedy"`
}

// RecordIndices are the positions of a call's records in the log.
type RecordIndices struct {
	Intent  *int64 `json:"intent_index"`
	Outcome *int64 `json:"outcome_index"`
}

// Attempt is one try of one candidate.
type Attempt struct {
	N             int             `json:"n"`
	ModelName     string          `json:"model_name"`
	Provider      string          `json:"provider"`
	UpstreamModel string          `json:"upstream_model"`
	Started       time.Time       `json:"started"`
	LatencyMS     int64           `json:"latency_ms"`
	Status        string          `json:"status" enum:"ok,error"`
	ErrorCode     *signalbox.Code `json:"error_code"`
	ErrorMessage  *string         `json:"error_message"`
	HTTPStatus    *int            `json:"http_status"`
	InputTokens   *int64          `json:"input_tokens"`
	OutputTokens  *int64          `json:"output_tokens"`
	CostEstimate  *string         `json:"cost_estimate"`
	CostBasis     signalbox.Basis `json:"cost_basis"`
	Held          *string         `json:"held" doc:"US dollars: the most it could cost, held before it left; null where the model has no price."`
	MaxOutput     *int64          `json:"max_output" doc:"The max_tokens that was sent."`
	Overrun       bool            `json:"overrun" doc:"The provider billed more than was held; it is booked in full."`
	Finish        *string         `json:"finish_reason"`
	Simulated     bool            `json:"simulated"`
}

// Rates are prices in US dollars per million tokens, and per call.
type Rates struct {
	Source     string  `json:"source"`
	Effective  *string `json:"effective"`
	Input      string  `json:"input"`
	Output     string  `json:"output"`
	CacheRead  *string `json:"cache_read"`
	CacheWrite *string `json:"cache_write"`
	PerCall    string  `json:"per_call"`
}

// CallQuery are the filters of the list of calls.
type CallQuery struct {
	Paging
	Tenant  string    `query:"tenant" maxLength:"128"`
	Team    string    `query:"team" maxLength:"128"`
	Agent   string    `query:"agent" maxLength:"128"`
	Model   string    `query:"model" maxLength:"128"`
	Tool    string    `query:"tool" maxLength:"256"`
	Kind    string    `query:"kind" enum:"model,tool"`
	Outcome string    `query:"outcome" enum:"ok,denied,blocked,failed,cancelled,unknown,running"`
	Run     string    `query:"run" maxLength:"128"`
	Trace   string    `query:"trace" maxLength:"32"`
	From    time.Time `query:"from"`
	To      time.Time `query:"to"`
}

func (q *CallQuery) filter(c ctxWithCaller) signalbox.CallFilter {
	return signalbox.CallFilter{
		Tenants: c.narrow(q.Tenant), Team: q.Team, Agent: q.Agent, Model: q.Model, Tool: q.Tool, Kind: signalbox.Kind(q.Kind),
		Outcome: signalbox.Outcome(q.Outcome), Run: q.Run, Trace: q.Trace, From: q.From, To: q.To,
		Cursor: q.Cursor, Limit: q.Limit,
	}
}

func (s *server) registerCalls(api huma.API) {
	huma.Register(api, operation("list-calls", http.MethodGet, "/calls", "Calls, newest first"), s.listCalls)
	huma.Register(api, operation("get-call", http.MethodGet, "/calls/{id}", "One call with its attempts and records"), s.getCall)
	huma.Register(api, operation("get-facets", http.MethodGet, "/facets", "The values that occur in calls"), s.getFacets)
}

func (s *server) listCalls(ctx context.Context, q *CallQuery) (*Body[Page[Call]], error) {
	c := callerOf(ctx)
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	views, next, err := s.Views.ListCalls(ctx, q.filter(c))
	if err != nil {
		return nil, fail(c, err)
	}
	page := Page[Call]{Items: make([]Call, 0, len(views)), Next: cursor(next), AsOf: asOf}
	for _, v := range views {
		page.Items = append(page.Items, callRow(v))
	}
	return &Body[Page[Call]]{page}, nil
}

func callRow(v signalbox.CallView) Call {
	row := Call{
		ID: v.ID, Time: v.Time, Tenant: v.Tenant, Team: OrNull(v.Team), KeyID: OrNull(v.KeyID), User: OrNull(v.User),
		RequestID: OrNull(v.RequestID), RunID: OrNull(v.RunID), AgentID: OrNull(v.AgentID), AgentRole: OrNull(v.AgentRole),
		ParentAgentID: OrNull(v.ParentAgentID), StepIndex: v.StepIndex, Kind: v.Kind, Protocol: OrNull(v.Protocol),
		ToolName: OrNull(v.ToolName), ModelName: OrNull(v.ModelName), Provider: OrNull(v.Provider),
		UpstreamModel: OrNull(v.UpstreamModel), Stream: v.Stream, FirstByteMS: OrNull(v.FirstByteMS),
		CostEstimate: dollars(v.Cost), CostBasis: OrNull(v.CostBasis), RiskLevel: OrNull(v.RiskLevel), Outcome: v.Outcome,
		ErrorCode: OrNull(v.ErrorCode), Attempts: v.Attempts, TraceID: OrNull(v.TraceID), SpanID: OrNull(v.SpanID),
		ParentSpanID: OrNull(v.ParentSpanID), Simulated: v.Simulated,
	}
	if v.Outcome != signalbox.OutcomeRunning {
		row.LatencyMS = &v.LatencyMS
	}
	if u := v.Usage; u != nil {
		row.InputTokens, row.OutputTokens, row.CacheReadTokens, row.CacheWriteTokens = &u.Input, &u.Output, &u.CacheRead, &u.CacheWrite
	}
	return row
}

func dollars(m *signalbox.Money) *string {
	if m == nil {
		return nil
	}
	text := m.String()
	return &text
}

func (s *server) getCall(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
},
) (*Body[CallDetail], error) {
	c := callerOf(ctx)
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	view, err := s.Views.CallByID(ctx, in.ID)
	// A foreign call does not exist, not even as something forbidden: both answers are the same.
	if signalbox.CodeOf(err) == signalbox.CodeNotFound || err == nil && !c.maySee(view.Tenant) {
		err = signalbox.Errorf(signalbox.CodeNotFound, "there is no such call").WithField("id").
			WithRemedy("Check the id; calls older than the retention of projections are no longer shown.")
	}
	if err != nil {
		return nil, fail(c, err)
	}
	detail := CallDetail{
		Call: callRow(view), Record: RecordIndices{view.IntentIndex, view.OutcomeIndex}, Detail: []Attempt{}, AsOf: asOf,
	}
	record, err := s.lastRecord(ctx, view)
	if err != nil {
		return nil, fail(c, err)
	}
	detail.fill(record)
	return &Body[CallDetail]{detail}, nil
}

// lastRecord reads the outcome of a call, or its intent while it runs.
func (s *server) lastRecord(ctx context.Context, v signalbox.CallView) (signalbox.Record, error) {
	index := v.First()
	if v.OutcomeIndex != nil {
		index = *v.OutcomeIndex
	}
	entry, err := s.Records.Entry(ctx, index)
	if err != nil {
		return signalbox.Record{}, err
	}
	return s.Decode(entry)
}

func (d *CallDetail) fill(r signalbox.Record) {
	d.InputSummary, d.OutputSummary = OrNull(r.What.InputSummary), OrNull(r.What.OutputSummary)
	d.PolicyVersion, d.Route = OrNull(r.Context.PolicyVersion), OrNull(r.Context.Route)
	d.PolicyRule, d.BreakGlass = OrNull(r.Context.PolicyRule), OrNull(r.Context.BreakGlass)
	d.Guard = r.Context.Guard
	d.ApprovalID, d.ApprovedBy = OrNull(r.Context.ApprovalID), OrNull(r.Context.ApprovedBy)
	d.ReplayOf = OrNull(r.Context.ReplayOf)
	if r.Error != nil {
		d.Error = &CallFailure{r.Error.Code, r.Error.Message, r.Error.Remedy}
	}
	if r.Stations != nil {
		d.Stations = *r.Stations
	}
	for _, a := range r.Attempts {
		d.Detail = append(d.Detail, attemptRow(a))
		if a.Rates != nil {
			d.Rates = ratesRow(a)
		}
	}
}

func attemptRow(a signalbox.Attempt) Attempt {
	row := Attempt{
		N: a.N, ModelName: a.Name, Provider: a.Provider, UpstreamModel: a.Upstream, Started: a.Started, LatencyMS: a.DurationMS,
		Status: "ok", ErrorCode: OrNull(a.Code), ErrorMessage: OrNull(a.Message), HTTPStatus: OrNull(a.HTTPStatus),
		CostEstimate: dollars(a.Cost), CostBasis: a.Basis, Held: dollars(a.Held), MaxOutput: OrNull(a.MaxOutput), Overrun: a.Overrun,
		Finish: OrNull(a.Finish), Simulated: a.Simulated,
	}
	if a.Code != "" {
		row.Status = "error"
	}
	if a.Usage != nil {
		row.InputTokens, row.OutputTokens = &a.Usage.Input, &a.Usage.Output
	}
	return row
}

func ratesRow(a signalbox.Attempt) *Rates {
	r := NewRates(*a.Rates, a.RateSource, a.RateDate)
	return &r
}

// NewRates writes rates and where they are known from.
func NewRates(r signalbox.Rates, source, effective string) Rates {
	return Rates{
		Source: source, Effective: OrNull(effective), Input: r.Input.String(), Output: r.Output.String(),
		CacheRead: dollars(r.CacheRead), CacheWrite: dollars(r.CacheWrite), PerCall: r.PerCall.String(),
	}
}

// FacetLists are the values that occur in calls.
type FacetLists struct {
	AsOf  time.Time `json:"as_of"`
	Items struct {
		Tenant   []string `json:"tenant"`
		Team     []string `json:"team"`
		Agent    []string `json:"agent"`
		Model    []string `json:"model"`
		Tool     []string `json:"tool"`
		Provider []string `json:"provider"`
	} `json:"items"`
}

func (s *server) getFacets(ctx context.Context, _ *struct{}) (*Body[FacetLists], error) {
	c := callerOf(ctx)
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	f, err := s.Views.Facets(ctx, c.tenants())
	if err != nil {
		return nil, fail(c, err)
	}
	lists := FacetLists{AsOf: asOf}
	lists.Items.Tenant, lists.Items.Team, lists.Items.Agent = f.Tenants, f.Teams, f.Agents
	lists.Items.Model, lists.Items.Tool, lists.Items.Provider = f.Models, f.Tools, f.Providers
	return &Body[FacetLists]{lists}, nil
}
