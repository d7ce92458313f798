package complete

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// row is a record as the control API gives it, its members by their paths: "who.agent_id".
type row map[string]string

func flatten(out row, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(out, strings.TrimPrefix(path+"."+name, "."), member)
		}
	case nil:
	default:
		out[path] = fmt.Sprint(v)
	}
}

// rows gives the records of a call, oldest first.
func (w *world) rows(t *testing.T, call string) (list []row) {
	t.Helper()
	w.Call(t, call)
	for _, r := range w.all(t) {
		if r["call_id"] == call {
			list = append(list, r)
		}
	}
	return list
}

// all gives the newest records, oldest first.
func (w *world) all(t *testing.T) (list []row) {
	t.Helper()
	a := w.Send(t, http.MethodGet, "/api/v1/audit?limit=500", harness.Auditor, "")
	var page struct {
		Items []map[string]any `json:"items"`
	}
	if err := json.Unmarshal([]byte(a.Body), &page); err != nil || a.Status != http.StatusOK {
		t.Fatalf("status %d, %v", a.Status, err)
	}
	for _, item := range page.Items {
		r := row{}
		flatten(r, "", item)
		list = append([]row{r}, list...)
	}
	return list
}

// told is what a caller says of itself and its call.
var told = []string{
	"X-Request-Id", "ticket-1", "X-Signalbox-Run", "run-7", "X-Signalbox-Agent", "planner", "X-Signalbox-Parent-Agent", "boss",
	"X-Signalbox-User", "user-1", "X-Signalbox-Subject", "customer-9", "X-Signalbox-Step", "3", "X-Signalbox-Step-Kind", "plan",
	"X-Signalbox-Purpose", "answer a ticket", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}

// common is what every record of a call has, of what was told and of what the gate found out. "*" is any value.
func common(want row) row {
	all := row{
		"who.agent_id": "planner", "who.agent_role": "planning", "who.parent_agent_id": "boss", "who.user_id": "user-1",
		"who.tenant_id": "acme", "who.subject_id": "customer-9", "who.key_id": "agent", "who.role": "agent", "who.source": "127.0.0.1",
		"when.timestamp": "*", "when.trace_id": "0af7651916cd43dd8448eb211c80319c", "when.span_id": "*",
		"when.parent_span_id": "b7ad6b7169203331",
		"context.request_id":  "ticket-1", "context.run_id": "run-7", "context.step_index": "3", "context.step_kind": "plan",
		"context.purpose": "answer a ticket", "context.replica": "local",
	}
	for name, value := range want {
		all[name] = value
	}
	return all
}

// actOnly are the seed's fields that a call of a model has not: it has no operation and no resource, and nobody had to
// approve it. Whatever stood there would be invented.
var actOnly = []string{
	"what.operation", "what.resource_id", "context.approval_status", "context.approved_by", "context.approval_id", "context.break_glass",
}

// unjudged are those that nobody knows who was refused before the policy was asked.
var unjudged = append([]string{"context.risk_level", "context.policy_version", "context.policy_rule"}, actOnly...)

func (r row) check(t *testing.T, want row, absent ...string) {
	t.Helper()
	for name, value := range want {
		if got := r[name]; got == "" || value != "*" && got != value {
			t.Errorf("%s: %s is %q, want %q", r["type"], name, got, value)
		}
	}
	for _, name := range absent {
		if r[name] != "" {
			t.Errorf("%s: %s is %q, and nobody can know it", r["type"], name, r[name])
		}
	}
}

// notBuiltStations did nothing, and say so; nor was there anything to approve.
var notBuiltStations = row{
	"stations.guard_input": "not_run", "stations.guard_output": "not_run", "stations.approval": "not_run",
}

func stations(want row) row {
	for name, value := range notBuiltStations {
		if want[name] == "" {
			want[name] = value
		}
	}
	return want
}

// The seed's record, field by field, in the log of the real binary.
func TestRecordOfAModelCall(t *testing.T) {
	w := newWorld(t)
	call := w.ask(t, harness.Agent, "Write to rose@example.com about it. in=7 out=20", 50, told...)
	rows := w.rows(t, call)
	if len(rows) != 2 {
		t.Fatalf("%d records", len(rows))
	}
	model := row{
		"what.action": "llm_call", "what.kind": "model", "context.model_name": "one", "context.requested_model": "one",
		"context.provider": "bill", "context.protocol": "openai.chat", "what.input_summary": "*",
		"context.risk_level": "low", "context.policy_version": inForce(t, w),
	}
	rows[0].check(t, common(model), append(actOnly, "budget.account", "outcome", "what.cost_usd")...)
	rows[1].check(t, common(model), actOnly...)
	rows[1].check(t, stations(row{
		"outcome": "ok", "what.tokens_used.input": "7", "what.tokens_used.output": "20", "what.cost_usd": "0.02",
		"what.cost_basis": "reported", "what.output_summary": "*", "stations.gate": "passed", "stations.resolve": "passed",
		"stations.policy": "passed", "stations.attempt": "passed", "budget.account": "*", "budget.max": "100000", "budget.before": "100000", "budget.after": "99999.98",
	}))
	for _, r := range rows {
		if s := r["what.input_summary"]; strings.Contains(s, "rose@") || !strings.Contains(s, "[email]") {
			t.Errorf("the summary is not masked: %q", s)
		}
	}
}

func TestRecordOfAToolCall(t *testing.T) {
	w := newWorld(t)
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{"mark":"m1 rose@example.com","fail":false}}}`
	header := append([]string{"Accept", "application/json, text/event-stream"}, told...)
	a := w.Send(t, http.MethodPost, "/mcp/books", harness.Agent, body, header...)
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	rows := w.rows(t, a.Header.Get("X-Signalbox-Call"))
	if len(rows) != 2 {
		t.Fatalf("%d records", len(rows))
	}
	tool := row{
		"what.action": "tool_call", "what.kind": "tool", "what.tool_name": "books.work", "context.provider": "books",
		"context.protocol": "mcp", "what.input_summary": "*", "what.operation": "read", "what.resource_id": "m1 [email]",
		"context.risk_level": "low", "context.policy_version": inForce(t, w), "context.policy_rule": "*",
	}
	unasked := []string{"context.approval_status", "context.approved_by", "context.approval_id", "context.break_glass"}
	rows[0].check(t, common(tool), unasked...)
	rows[1].check(t, common(tool), append(unasked, "what.tokens_used.input", "context.model_name")...)
	rows[1].check(t, stations(row{
		"outcome": "ok", "what.cost_usd": "0.5", "what.output_summary": "*", "stations.policy": "passed", "stations.attempt": "passed", "budget.before": "100000",
		"budget.after": "99999.5",
	}))
	if s := rows[1]["what.input_summary"]; strings.Contains(s, "rose@") {
		t.Errorf("the summary is not masked: %q", s)
	}
}

// A call that is refused says at which station, what nobody ran, and what the budget was.
func TestRecordOfARefusedCall(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		body   string
		status int
		want   row
		absent []string
	}{
		"by the gate": {`{"model":"one","messages":[`, http.StatusBadRequest, row{
			"stations.gate": "denied", "stations.resolve": "not_run", "stations.attempt": "not_run", "outcome": "denied", "error.code": "invalid",
			"stations.policy": "not_run",
		}, unjudged},
		"by the resolver": {`{"model":"none","messages":[{"role":"user","content":"x"}]}`, http.StatusNotFound, row{
			"stations.gate": "passed", "stations.resolve": "denied", "stations.attempt": "not_run", "outcome": "denied", "error.code": "not_found",
			"stations.policy": "not_run",
		}, unjudged},
		"by the ledger": {`{"model":"one","max_tokens":40000,"messages":[{"role":"user","content":"x"}]}`, http.StatusPaymentRequired, row{
			"stations.gate": "passed", "stations.resolve": "passed", "stations.attempt": "not_run", "outcome": "denied",
			"error.code": "budget_exhausted", "budget.max": "1", "budget.before": "1", "budget.after": "1",
			"stations.policy": "passed", "context.risk_level": "low", "context.policy_version": inForce(t, w),
		}, actOnly},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := w.Send(t, http.MethodPost, "/v1/chat/completions", poor, test.body, "X-Signalbox-Subject", "customer-9")
			if a.Status != test.status {
				t.Fatalf("status %d: %s", a.Status, a.Body)
			}
			rows := w.rows(t, a.Header.Get("X-Signalbox-Call"))
			if len(rows) != 1 || rows[0]["type"] != "outcome" {
				t.Fatalf("the records are %v", rows)
			}
			rows[0].check(t, stations(test.want), test.absent...)
			rows[0].check(t, row{"who.subject_id": "customer-9", "who.key_id": "poor", "error.message": "*"})
		})
	}
}
