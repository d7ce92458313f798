package telemetry

import (
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/signalbox/signalbox"
)

// actCall is a call that was served, of a tool or of what else a server has.
func actCall(name, upstream, finish string) signalbox.Record {
	r := toolCall(name, "")
	r.What.ResourceID = "rail://rules"
	r.Attempts[0].Upstream, r.Attempts[0].Finish = upstream, finish
	return r
}

func TestSpansSayWhichMethodItWas(t *testing.T) {
	cases := []struct {
		tool, upstream, finish string
		server, client         string // The names of the spans.
		want                   map[string]string
		failed                 bool
	}{
		{"rail.echo", "echo", "complete", "tools/call rail.echo", "tools/call echo", map[string]string{
			"mcp.method.name": "tools/call", "gen_ai.tool.name": "rail.echo", "gen_ai.operation.name": "execute_tool", "error.type": "",
		}, false},
		{"rail.derail", "derail", "tool_error", "tools/call rail.derail", "tools/call derail", map[string]string{
			"mcp.method.name": "tools/call", "gen_ai.tool.name": "rail.derail", "error.type": "tool_error",
		}, true},
		{"rail.a.resources/read", "a.resources/read", "complete", "tools/call rail.a.resources/read", "tools/call a.resources/read", map[string]string{
			"mcp.method.name": "tools/call", "gen_ai.tool.name": "rail.a.resources/read",
		}, false},
		{"rail.resources/read", "resources/read", "complete", "resources/read", "resources/read", map[string]string{
			"mcp.method.name": "resources/read", "gen_ai.tool.name": "", "gen_ai.operation.name": "", "mcp.resource.uri": "rail://rules",
		}, false},
		{"rail.prompts/get", "prompts/get", "complete", "prompts/get", "prompts/get", map[string]string{
			"mcp.method.name": "prompts/get", "gen_ai.tool.name": "", "gen_ai.prompt.name": "rail://rules",
		}, false},
		{"rail.elicitation/create", "elicitation/create", "complete", "elicitation/create", "elicitation/create", map[string]string{
			"mcp.method.name": "elicitation/create", "gen_ai.tool.name": "", "gen_ai.operation.name": "",
		}, false},
	}
	for _, c := range cases {
		for _, content := range []bool{true, false} {
			t.Run(c.tool, func(t *testing.T) {
				r := newReceiver(t)
				tel := start(t, Options{Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL), CaptureContent: content})
				tel.Ended(actCall(c.tool, c.upstream, c.finish))
				stop(t, tel)
				server, client := r.spans[callSpan], r.spans[firstSpan]
				if server.GetName() != c.server || client.GetName() != c.client {
					t.Errorf("got %q and %q", server.GetName(), client.GetName())
				}
				for _, s := range []*tracepb.Span{server, client} {
					got := attributes(s.GetAttributes())
					for key, want := range c.want {
						if !content && (key == "mcp.resource.uri" || key == "gen_ai.prompt.name") {
							want = "" // It can be about a person.
						}
						if got[key] != want {
							t.Errorf("%s: %s = %q, want %q", s.GetName(), key, got[key], want)
						}
					}
					if failed := s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR; failed != c.failed {
						t.Errorf("%s: failed is %v", s.GetName(), failed)
					}
				}
			})
		}
	}
}

func TestMetricsSayWhichMethodItWas(t *testing.T) {
	tel := start(t, Options{Env: env()})
	defer stop(t, tel)
	tel.Ended(actCall("rail.resources/read", "resources/read", "complete"))
	tel.Ended(actCall("rail.derail", "derail", "tool_error"))
	text := scrape(t, tel)
	for _, want := range []string{
		`mcp_server_operation_duration_seconds_count{mcp_method_name="resources/read"} 1`,
		`mcp_client_operation_duration_seconds_count{mcp_method_name="resources/read"} 1`,
		`mcp_server_operation_duration_seconds_count{error_type="tool_error",gen_ai_operation_name="execute_tool",gen_ai_tool_name="rail.derail",mcp_method_name="tools/call"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
}
