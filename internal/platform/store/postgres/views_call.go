package postgres

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// callRow is a call on its way out of the table, with what is stored in another form than it is shown.
type callRow struct {
	view                                 signalbox.CallView
	first, time, flags                   int64
	input, output, cacheRead, cacheWrite *int64
	cost                                 *int64
}

// column is one of the table of calls: how its value comes from a call, and where a row's value goes. One of text,
// number and optional is set.
type column struct {
	name     string
	text     func(v *signalbox.CallView) string
	number   func(v *signalbox.CallView) int64
	optional func(v *signalbox.CallView) *int64
	target   func(r *callRow) any
}

// Bits of the column flags.
const (
	flagStream = 1 << iota
	flagSimulated
	flagIntent
)

// plain is a column of text that is stored as it is shown.
func plain[T ~string](name string, field func(v *signalbox.CallView) *T) column {
	return column{
		name: name, text: func(v *signalbox.CallView) string { return clean(string(*field(v))) },
		target: func(r *callRow) any { return field(&r.view) },
	}
}

// fixedColumns of a call are known from its first record; the others may change until it has ended.
var fixedColumns = []column{
	{
		name: "first", number: func(v *signalbox.CallView) int64 { return v.First() },
		target: func(r *callRow) any { return &r.first },
	},
	plain("id", func(v *signalbox.CallView) *string { return &v.ID }),
	{
		name: "time", number: func(v *signalbox.CallView) int64 { return v.Time.UnixMicro() },
		target: func(r *callRow) any { return &r.time },
	},
	plain("tenant", func(v *signalbox.CallView) *string { return &v.Tenant }),
	plain("team", func(v *signalbox.CallView) *string { return &v.Team }),
	plain("key_id", func(v *signalbox.CallView) *string { return &v.KeyID }),
	plain("request_id", func(v *signalbox.CallView) *string { return &v.RequestID }),
	plain("run_id", func(v *signalbox.CallView) *string { return &v.RunID }),
	plain("agent_id", func(v *signalbox.CallView) *string { return &v.AgentID }),
	plain("agent_role", func(v *signalbox.CallView) *string { return &v.AgentRole }),
	plain("parent_agent_id", func(v *signalbox.CallView) *string { return &v.ParentAgentID }),
	{
		name: "step_index", optional: func(v *signalbox.CallView) *int64 { return v.StepIndex },
		target: func(r *callRow) any { return &r.view.StepIndex },
	},
	plain("kind", func(v *signalbox.CallView) *signalbox.Kind { return &v.Kind }),
	plain("protocol", func(v *signalbox.CallView) *signalbox.Protocol { return &v.Protocol }),
	plain("tool_name", func(v *signalbox.CallView) *string { return &v.ToolName }),
	plain("trace_id", func(v *signalbox.CallView) *string { return &v.TraceID }),
	plain("span_id", func(v *signalbox.CallView) *string { return &v.SpanID }),
	plain("parent_span_id", func(v *signalbox.CallView) *string { return &v.ParentSpanID }),
}

var otherColumns = []column{
	plain("model_name", func(v *signalbox.CallView) *string { return &v.ModelName }),
	plain("provider", func(v *signalbox.CallView) *string { return &v.Provider }),
	plain("upstream_model", func(v *signalbox.CallView) *string { return &v.UpstreamModel }),
	{name: "flags", number: flagsOf, target: func(r *callRow) any { return &r.flags }},
	{
		name: "latency_ms", number: func(v *signalbox.CallView) int64 { return v.LatencyMS },
		target: func(r *callRow) any { return &r.view.LatencyMS },
	},
	{
		name: "first_byte_ms", number: func(v *signalbox.CallView) int64 { return v.FirstByteMS },
		target: func(r *callRow) any { return &r.view.FirstByteMS },
	},
	tokens("input_tokens", func(u *signalbox.Usage) *int64 { return &u.Input }, func(r *callRow) any { return &r.input }),
	tokens("output_tokens", func(u *signalbox.Usage) *int64 { return &u.Output }, func(r *callRow) any { return &r.output }),
	tokens("cache_read", func(u *signalbox.Usage) *int64 { return &u.CacheRead }, func(r *callRow) any { return &r.cacheRead }),
	tokens("cache_write", func(u *signalbox.Usage) *int64 { return &u.CacheWrite }, func(r *callRow) any { return &r.cacheWrite }),
	{name: "cost", optional: costOf, target: func(r *callRow) any { return &r.cost }},
	plain("cost_basis", func(v *signalbox.CallView) *signalbox.Basis { return &v.CostBasis }),
	plain("risk_level", func(v *signalbox.CallView) *string { return &v.RiskLevel }),
	plain("outcome", func(v *signalbox.CallView) *signalbox.Outcome { return &v.Outcome }),
	plain("error_code", func(v *signalbox.CallView) *signalbox.Code { return &v.ErrorCode }),
	{
		name: "attempts", number: func(v *signalbox.CallView) int64 { return int64(v.Attempts) },
		target: func(r *callRow) any { return &r.view.Attempts },
	},
	{
		name: "outcome_index", optional: func(v *signalbox.CallView) *int64 { return v.OutcomeIndex },
		target: func(r *callRow) any { return &r.view.OutcomeIndex },
	},
	plain("user_id", func(v *signalbox.CallView) *string { return &v.User }),
	plain("sealed_by", func(v *signalbox.CallView) *string { return &v.SealedBy }),
}

// tokens is a column of a call's usage, NULL where nothing was consumed.
func tokens(name string, count func(u *signalbox.Usage) *int64, target func(r *callRow) any) column {
	return column{name: name, target: target, optional: func(v *signalbox.CallView) *int64 {
		if v.Usage == nil {
			return nil
		}
		return count(v.Usage)
	}}
}

func costOf(v *signalbox.CallView) *int64 { return (*int64)(v.Cost) }

func flagsOf(v *signalbox.CallView) int64 {
	var f int64
	if v.Stream {
		f |= flagStream
	}
	if v.Simulated {
		f |= flagSimulated
	}
	if v.IntentIndex != nil {
		f |= flagIntent
	}
	return f
}

var (
	callColumns = append(append([]column{}, fixedColumns...), otherColumns...)
	selectCalls = "SELECT " + strings.Join(names(callColumns, "c."), ", ") + " FROM calls c"
	insertCalls = "INSERT INTO calls (" + strings.Join(names(callColumns, ""), ", ") + ") SELECT * FROM " + unnest(callColumns)
	updateCalls = "UPDATE calls c SET " + strings.Join(assignments(otherColumns), ", ") + " FROM " +
		unnest(updateColumns) + " AS u (" + strings.Join(names(updateColumns, ""), ", ") + ") WHERE c.first = u.first"
	// updateColumns are the place of a row and what may change of it.
	updateColumns = append([]column{fixedColumns[0]}, otherColumns...)
)

func names(columns []column, prefix string) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = prefix + c.name
	}
	return all
}

func assignments(columns []column) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.name + " = u." + c.name
	}
	return all
}

// unnest is the table of as many parameters as there are columns, each an array.
func unnest(columns []column) string {
	types := make([]string, len(columns))
	for i, c := range columns {
		types[i] = "bigint"
		if c.text != nil {
			types[i] = "text"
		}
	}
	return unnestOf(types...)
}

// arrays gives the columns' values of all calls.
func arrays(columns []column, calls []signalbox.CallView) []any {
	all := make([]any, len(columns))
	for i, c := range columns {
		switch {
		case c.text != nil:
			all[i] = list(calls, c.text)
		case c.number != nil:
			all[i] = list(calls, c.number)
		default:
			all[i] = list(calls, c.optional)
		}
	}
	return all
}

// scanCall reads a row of selectCalls.
func scanCall(rows pgx.Rows) (signalbox.CallView, error) {
	r := new(callRow)
	targets := make([]any, len(callColumns))
	for i, c := range callColumns {
		targets[i] = c.target(r)
	}
	if err := rows.Scan(targets...); err != nil {
		return signalbox.CallView{}, err
	}
	return r.call(), nil
}

func (r *callRow) call() signalbox.CallView {
	v := r.view
	v.Time = time.UnixMicro(r.time).UTC()
	v.Stream, v.Simulated = r.flags&flagStream != 0, r.flags&flagSimulated != 0
	if r.flags&flagIntent != 0 {
		v.IntentIndex = &r.first
	}
	if r.input != nil {
		v.Usage = &signalbox.Usage{Input: *r.input, Output: *r.output, CacheRead: *r.cacheRead, CacheWrite: *r.cacheWrite}
	}
	v.Cost = (*signalbox.Money)(r.cost)
	return v
}
