package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// fixedColumns of a call are known from its first record; the others may change until it has ended.
var (
	fixedColumns = []string{
		"first", "id", "time", "tenant", "team", "key_id", "request_id", "run_id", "agent_id", "agent_role",
		"parent_agent_id", "step_index", "kind", "protocol", "tool_name", "trace_id", "span_id", "parent_span_id",
	}
	otherColumns = []string{
		"model_name", "provider", "upstream_model", "flags", "latency_ms", "first_byte_ms", "input_tokens",
		"output_tokens", "cache_read", "cache_write", "cost", "cost_basis", "risk_level", "outcome", "error_code",
		"attempts", "outcome_index", "user", "sealed_by",
	}
	callColumns = strings.Join(append(append([]string{}, fixedColumns...), otherColumns...), ", ")
	selectCalls = "SELECT " + callColumns + " FROM calls "
	insertCall  = "INSERT " + intoCalls
	replaceCall = "REPLACE " + intoCalls
	intoCalls   = "INTO calls (" + callColumns + ") VALUES (" + marks(len(fixedColumns)+len(otherColumns)) + ")"
	updateCall  = "UPDATE calls SET " + strings.Join(otherColumns, " = ?, ") + " = ? WHERE first = ?"
)

// Bits of the column flags.
const (
	flagStream = 1 << iota
	flagSimulated
	flagIntent
)

func callValues(v *signalbox.CallView) []driver.Value {
	fixed := []driver.Value{
		v.First(), v.ID, v.Time.UnixMicro(), v.Tenant, v.Team, v.KeyID, v.RequestID, v.RunID, v.AgentID, v.AgentRole,
		v.ParentAgentID, optional(v.StepIndex), string(v.Kind), string(v.Protocol), v.ToolName, v.TraceID, v.SpanID,
		v.ParentSpanID,
	}
	return append(fixed, otherValues(v)...)
}

func updateValues(v *signalbox.CallView) []driver.Value { return append(otherValues(v), v.First()) }

func otherValues(v *signalbox.CallView) []driver.Value {
	var input, output, read, write, cost driver.Value
	if u := v.Usage; u != nil {
		input, output, read, write = u.Input, u.Output, u.CacheRead, u.CacheWrite
	}
	if v.Cost != nil {
		cost = int64(*v.Cost)
	}
	return []driver.Value{
		v.ModelName, v.Provider, v.UpstreamModel, flags(v), v.LatencyMS, v.FirstByteMS, input, output, read, write, cost,
		string(v.CostBasis), v.RiskLevel, string(v.Outcome), string(v.ErrorCode), int64(v.Attempts), optional(v.OutcomeIndex),
		v.User, v.SealedBy,
	}
}

func flags(v *signalbox.CallView) int64 {
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

func optional(n *int64) driver.Value {
	if n == nil {
		return nil
	}
	return *n
}

// scanCall reads a row of selectCalls.
func scanCall(r *sql.Rows) (signalbox.CallView, error) {
	const columns = 37
	var values [columns]any
	var row [columns]driver.Value
	targets := make([]any, columns)
	for i := range values {
		targets[i] = &values[i]
	}
	if err := r.Scan(targets...); err != nil {
		return signalbox.CallView{}, err
	}
	for i, v := range values {
		row[i] = v
	}
	return callOf(row[:]), nil
}

// callOf makes a call of a row's values, in the order of callColumns.
func callOf(row []driver.Value) signalbox.CallView {
	v := signalbox.CallView{
		ID: text(row[1]), Time: time.UnixMicro(integer(row[2])).UTC(), Tenant: text(row[3]), Team: text(row[4]),
		KeyID: text(row[5]), RequestID: text(row[6]), RunID: text(row[7]), AgentID: text(row[8]),
		AgentRole: text(row[9]), ParentAgentID: text(row[10]), StepIndex: pointer(row[11]),
		Kind: signalbox.Kind(text(row[12])), Protocol: signalbox.Protocol(text(row[13])), ToolName: text(row[14]),
		TraceID: text(row[15]), SpanID: text(row[16]), ParentSpanID: text(row[17]),
	}
	addOthers(&v, row[len(fixedColumns):])
	if integer(row[len(fixedColumns)+3])&flagIntent != 0 {
		first := integer(row[0])
		v.IntentIndex = &first
	}
	return v
}

func addOthers(v *signalbox.CallView, row []driver.Value) {
	v.ModelName, v.Provider, v.UpstreamModel = text(row[0]), text(row[1]), text(row[2])
	v.Stream, v.Simulated = integer(row[3])&flagStream != 0, integer(row[3])&flagSimulated != 0
	v.LatencyMS, v.FirstByteMS = integer(row[4]), integer(row[5])
	if row[6] != nil {
		v.Usage = &signalbox.Usage{
			Input: integer(row[6]), Output: integer(row[7]), CacheRead: integer(row[8]), CacheWrite: integer(row[9]),
		}
	}
	if row[10] != nil {
		cost := signalbox.Money(integer(row[10]))
		v.Cost = &cost
	}
	v.CostBasis, v.RiskLevel = signalbox.Basis(text(row[11])), text(row[12])
	v.Outcome, v.ErrorCode = signalbox.Outcome(text(row[13])), signalbox.Code(text(row[14]))
	v.Attempts, v.OutcomeIndex = int(integer(row[15])), pointer(row[16])
	v.User, v.SealedBy = text(row[17]), text(row[18])
}

// text and integer read values of STRICT columns, whose types the schema has fixed.
func text(v driver.Value) string {
	switch s := v.(type) {
	case string:
		return s
	case []byte:
		return string(s)
	}
	return ""
}

func integer(v driver.Value) int64 {
	n, _ := v.(int64) // NULL is 0.
	return n
}

func pointer(v driver.Value) *int64 {
	n, ok := v.(int64)
	if !ok {
		return nil
	}
	return &n
}
