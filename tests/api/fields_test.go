package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// identity is what a caller says of itself.
var identity = []string{
	"X-Request-Id", "ticket-1", "X-Signalbox-Run", "run-7", "X-Signalbox-Agent", "planner", "X-Signalbox-Parent-Agent", "boss",
	"X-Signalbox-Step", "3", "X-Signalbox-Step-Kind", "plan", "X-Signalbox-User", "u1",
}

func pointer[T any](v *T) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}

// checkFields compares the seed's ten fields and what goes with them.
func checkFields(t *testing.T, d api.CallDetail, want map[string]string) {
	t.Helper()
	got := map[string]string{
		"request_id": pointer(d.RequestID), "run_id": pointer(d.RunID), "agent_id": pointer(d.AgentID), "tool_name": pointer(d.ToolName),
		"model_name": pointer(d.ModelName), "input_tokens": pointer(d.InputTokens), "output_tokens": pointer(d.OutputTokens),
		"cost_estimate": pointer(d.CostEstimate), "risk_level": pointer(d.RiskLevel), "agent_role": pointer(d.AgentRole),
		"parent_agent_id": pointer(d.ParentAgentID), "step_index": pointer(d.StepIndex), "user": pointer(d.User),
		"outcome": string(d.Outcome), "kind": string(d.Kind), "protocol": pointer(d.Protocol), "stream": fmt.Sprint(d.Stream),
		"simulated": fmt.Sprint(d.Simulated), "cost_basis": pointer(d.CostBasis),
	}
	for field, value := range want {
		if got[field] != value {
			t.Errorf("%s is %s, want %s", field, got[field], value)
		}
	}
	if d.LatencyMS == nil || *d.LatencyMS < 0 {
		t.Errorf("latency_ms is %s", pointer(d.LatencyMS))
	}
}

// The ten fields of the seed, the headers of the answer and the cost agree, for each API, unary and as a stream.
func TestFieldsOfModelCalls(t *testing.T) {
	b := start(t)
	for _, client := range []struct{ path, protocol string }{{chatPath, "openai.chat"}, {messagesPath, "anthropic.messages"}} {
		for _, model := range []string{"gpt", "claude"} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s stream=%v", client.protocol, model, stream), func(t *testing.T) {
					a := b.Send(t, http.MethodPost, client.path, harness.Agent, ask(model, stream), identity...)
					d := checkServed(t, b.Instance, a, stream)
					cost := signalbox.Money(upstream.Input-upstream.CacheRead)*1000 + upstream.CacheRead*500 + signalbox.Money(upstream.Output())*2000
					checkFields(t, d, map[string]string{
						"request_id": "ticket-1", "run_id": "run-7", "agent_id": "planner", "tool_name": "null", "model_name": model,
						"input_tokens": fmt.Sprint(upstream.Input), "output_tokens": fmt.Sprint(upstream.Output()), "cost_estimate": cost.String(),
						"risk_level": "low", "agent_role": "planning", "parent_agent_id": "boss", "step_index": "3", "user": "u1",
						"outcome": "ok", "kind": "model", "protocol": client.protocol, "stream": fmt.Sprint(stream), "simulated": "false",
						"cost_basis": "reported",
					})
					if got := a.Header.Get("X-Signalbox-Model"); got != model || a.Header.Get("X-Signalbox-Run") != "run-7" || a.Header.Get("X-Signalbox-Simulated") != "" {
						t.Errorf("headers %v", a.Header)
					}
				})
			}
		}
	}
}

// checkServed checks what every good answer carries, and gives the record.
func checkServed(t *testing.T, i *harness.Instance, a harness.Answer, stream bool) api.CallDetail {
	t.Helper()
	if a.Status != http.StatusOK || a.Broken != nil {
		t.Fatalf("%d %v: %s", a.Status, a.Broken, a.Body)
	}
	d := i.Call(t, a.Header.Get("X-Signalbox-Call"))
	cost := a.Header.Get("X-Signalbox-Cost-Usd")
	if stream {
		if cost != "" {
			t.Errorf("a stream says %s before it has begun", cost)
		}
		cost = a.Trailer.Get("X-Signalbox-Cost-Usd")
	}
	if cost == "" || cost != pointer(d.CostEstimate) {
		t.Errorf("the answer says it costs %q, the record %s", cost, pointer(d.CostEstimate))
	}
	if got := a.Header.Get("X-Signalbox-Trace"); got != pointer(d.TraceID) || a.Header.Get("X-Request-Id") != pointer(d.RequestID) {
		t.Errorf("the answer has the trace %q and the request %q, the record %s and %s", got, a.Header.Get("X-Request-Id"), pointer(d.TraceID), pointer(d.RequestID))
	}
	return d
}

// What is made up says so everywhere.
func TestSimulatedIsLabelled(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for _, path := range []string{chatPath, messagesPath} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream=%v", path, stream), func(t *testing.T) {
				a := i.Send(t, http.MethodPost, path, harness.Agent, ask("sim", stream))
				d := checkServed(t, i, a, stream)
				if a.Header.Get("X-Signalbox-Simulated") != "true" || !d.Simulated || len(d.Detail) != 1 || !d.Detail[0].Simulated {
					t.Errorf("the header says %q, the record %v", a.Header.Get("X-Signalbox-Simulated"), d.Simulated)
				}
			})
		}
	}
	list := i.Send(t, http.MethodGet, "/api/v1/calls", harness.Agent, "")
	if strings.Count(list.Body, `"simulated":true`) != 4 {
		t.Errorf("the list: %s", list.Body)
	}
}

// The ten fields of a call of a tool.
func TestFieldsOfToolCalls(t *testing.T) {
	b := start(t)
	header := map[string]string{}
	for n := 0; n < len(identity); n += 2 {
		header[identity[n]] = identity[n+1]
	}
	answer := b.callTool(t, header)
	d := b.Call(t, answer.Get("X-Signalbox-Call"))
	checkFields(t, d, map[string]string{
		"request_id": "ticket-1", "run_id": "run-7", "agent_id": "planner", "tool_name": "files.read", "model_name": "null",
		"input_tokens": "null", "output_tokens": "null", "cost_estimate": "0.002", "risk_level": "low", "agent_role": "planning",
		"step_index": "3", "outcome": "ok", "kind": "tool", "protocol": "mcp", "simulated": "false",
	})
	if answer.Get("X-Signalbox-Trace") != pointer(d.TraceID) {
		t.Errorf("the answer has the trace %q, the record %s", answer.Get("X-Signalbox-Trace"), pointer(d.TraceID))
	}
}
