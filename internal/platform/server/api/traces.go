package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/trace"
)

// Trace is a page of the waterfall of one trace, depth first.
type Trace struct {
	TraceID   string    `json:"trace_id"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	SpanCount int       `json:"span_count"`
	TotalCost string    `json:"total_cost" doc:"US dollars, of the calls whose cost is known."`
	AsOf      time.Time `json:"as_of"`
	Items     []Span    `json:"items"`
	Next      *string   `json:"next"`
}

// Span is one line of the waterfall. Times are milliseconds from the trace's start.
type Span struct {
	ID           string       `json:"id"`
	ParentID     *string      `json:"parent_id"`
	Depth        int          `json:"depth"`
	ChildCount   int          `json:"child_count"`
	Name         string       `json:"name"`
	Kind         trace.Kind   `json:"kind" enum:"agent,model,tool,attempt"`
	Status       trace.Status `json:"status" enum:"ok,error,running"`
	StartMS      float64      `json:"start_ms"`
	DurationMS   float64      `json:"duration_ms"`
	SelfMS       float64      `json:"self_ms"`
	AgentID      *string      `json:"agent_id"`
	ModelName    *string      `json:"model_name"`
	ToolName     *string      `json:"tool_name"`
	CostEstimate *string      `json:"cost_estimate"`
	InputTokens  *int64       `json:"input_tokens"`
	OutputTokens *int64       `json:"output_tokens"`
	CallID       *string      `json:"call_id"`
	Inferred     bool         `json:"inferred" doc:"The span was not seen; it is known from its calls."`
	Simulated    bool         `json:"simulated"`
}

// TraceQuery asks for a page of a trace. Its pages are larger than a list's, so that a trace of 30,000 spans takes three.
type TraceQuery struct {
	ID     string `path:"id" minLength:"32" maxLength:"32" pattern:"^[0-9a-f]+$"`
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
	Cursor string `query:"cursor" maxLength:"64"`
}

func (s *server) registerTraces(api huma.API) {
	huma.Register(api, operation("get-trace", http.MethodGet, "/traces/{id}", "The waterfall of a trace, depth first"), s.getTrace)
}

func (s *server) getTrace(ctx context.Context, q *TraceQuery) (*Body[Trace], error) {
	c := callerOf(ctx)
	at, err := parseTracePosition(q.Cursor)
	if err != nil {
		return nil, fail(c, err)
	}
	id := q.ID + " " + strings.Join(c.tenants(), " ")
	a, ok := s.arranged.find(id, at.asOf, s.Now())
	if !ok {
		a = arrangement{id: id, made: s.Now()}
		if a.nodes, a.asOf, err = s.arrange(ctx, c, q.ID); err != nil {
			return nil, fail(c, err)
		}
		s.arranged.keep(a)
	}
	return &Body[Trace]{tracePage(q.ID, a, at.line, q.Limit)}, nil
}

func (s *server) arrange(ctx context.Context, c ctxWithCaller, id string) ([]trace.Node, time.Time, error) {
	asOf, err := s.asOf(ctx)
	if err != nil {
		return nil, asOf, err
	}
	calls, err := s.Traces.TraceCalls(ctx, id, c.tenants())
	if err != nil {
		return nil, asOf, err
	}
	if len(calls) == 0 {
		return nil, asOf, signalbox.Errorf(signalbox.CodeNotFound, "no call of the trace %s is known", id).
			WithRemedy("Check the id; calls older than the retention of projections are no longer shown.").WithField("id")
	}
	sources := make([]trace.Source, len(calls))
	for i, v := range calls {
		sources[i].Call = v
		if v.Attempts > 1 {
			r, err := s.lastRecord(ctx, v)
			if err != nil {
				return nil, asOf, err
			}
			sources[i].Attempts = r.Attempts
		}
	}
	return trace.Arrange(sources, s.Now()), asOf, nil
}

func tracePage(id string, a arrangement, line, limit int) Trace {
	nodes := a.nodes
	t := Trace{TraceID: id, SpanCount: len(nodes), Start: nodes[0].Start, AsOf: a.asOf, Items: []Span{}}
	total := signalbox.Money(0)
	for _, n := range nodes {
		if n.Start.Before(t.Start) {
			t.Start = n.Start
		}
		if n.End.After(t.End) {
			t.End = n.End
		}
		if n.Cost != nil && n.Kind != trace.KindAttempt {
			total = total.Plus(*n.Cost)
		}
	}
	t.TotalCost = total.String()
	line = min(line, len(nodes)) // Before the sum, which a cursor of nobody's could make overflow.
	end := min(line+limit, len(nodes))
	for _, n := range nodes[line:end] {
		t.Items = append(t.Items, spanRow(n, t.Start))
	}
	if end < len(nodes) {
		t.Next = cursor(tracePosition{end, a.asOf.UnixMicro()}.String())
	}
	return t
}

func spanRow(n trace.Node, start time.Time) Span {
	s := Span{
		ID: n.ID, ParentID: OrNull(n.Parent), Depth: n.Depth, ChildCount: n.Children, Name: n.Name, Kind: n.Kind, Status: n.Status,
		StartMS: ms(n.Start.Sub(start)), DurationMS: ms(n.End.Sub(n.Start)), SelfMS: ms(n.Self), AgentID: OrNull(n.Agent),
		ModelName: OrNull(n.Model), ToolName: OrNull(n.Tool), CostEstimate: dollars(n.Cost), CallID: OrNull(n.Call),
		Inferred: n.Inferred, Simulated: n.Simulated,
	}
	if n.Usage != nil {
		s.InputTokens, s.OutputTokens = &n.Usage.Input, &n.Usage.Output
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
