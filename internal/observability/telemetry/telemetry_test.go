package telemetry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
)

// What OpenTelemetry still packs up when a shutdown was cut short may take a while on a busy machine.
func TestMain(m *testing.M) {
	code := m.Run()
	var leak error
	for range 20 {
		if leak = goleak.Find(); leak == nil {
			os.Exit(code)
		}
	}
	fmt.Fprintln(os.Stderr, leak)
	os.Exit(1)
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if i := slices.Index(pairs, name); i >= 0 && i%2 == 0 {
			return pairs[i+1], true
		}
		return "", false
	}
}

func start(t *testing.T, o Options) *Telemetry {
	t.Helper()
	tel, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func stop(t *testing.T, tel *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

var began = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

const (
	traceID   = "0af7651916cd43dd8448eb211c80319c"
	callerID  = "00f067aa0ba902b7"
	callSpan  = "b7ad6b7169203331"
	firstSpan = "aaaaaaaaaaaaaaa1"
	nextSpan  = "aaaaaaaaaaaaaaa2"
)

// modelCall failed over from one model to another.
func modelCall() signalbox.Record {
	step, cost := int64(3), signalbox.Money(1_250_000)
	return signalbox.Record{
		Type: signalbox.RecordOutcome, Call: "call_1", Outcome: signalbox.OutcomeOK, Time: began,
		Who: signalbox.Who{TenantID: "acme", Team: "cs", AgentID: "researcher", AgentRole: "research", ParentAgentID: "planner", UserID: "u-1"},
		What: signalbox.What{
			Action: signalbox.ActionModelCall, Kind: signalbox.KindModel, InputSummary: "who is [email]", OutputSummary: "nobody",
			Cost: &cost, CostBasis: signalbox.BasisReported,
		},
		When: signalbox.When{Timestamp: began, DurationMS: 900, FirstByteMS: 400, TraceID: traceID, SpanID: callSpan, ParentSpanID: callerID},
		Context: signalbox.Context{
			RequestID: "req_1", RunID: "run_1", StepIndex: &step, StepKind: "classify", ModelName: "claude-haiku",
			RequestedModel: "auto", Route: "triage", Stream: true,
		},
		Attempts: []signalbox.Attempt{
			{
				N: 1, Name: "small", Provider: "local", ProviderName: "local", Upstream: "gemma-3-270m", SpanID: firstSpan,
				Started: began, DurationMS: 300, Code: signalbox.CodeTimeout, Message: "no answer", Basis: signalbox.BasisNone,
			},
			{
				N: 2, Name: "claude-haiku", Provider: "anthropic", ProviderName: "anthropic", Upstream: "claude-haiku-4-5", SpanID: nextSpan,
				Started: began.Add(300 * time.Millisecond), DurationMS: 600, FirstByteMS: 100, HTTPStatus: 200,
				Usage: &signalbox.Usage{Input: 1000, Output: 200, CacheRead: 600, CacheWrite: 100, Reasoning: 50},
				Basis: signalbox.BasisReported, Cost: &cost, Finish: "end_turn", ResponseID: "msg_1", ResponseName: "claude-haiku-4-5-20251001",
			},
		},
	}
}

func toolCall(name string, failure signalbox.Code) signalbox.Record {
	r := signalbox.Record{
		Type: signalbox.RecordOutcome, Call: "call_2", Outcome: signalbox.OutcomeOK, Time: began,
		Who:  signalbox.Who{TenantID: "acme", AgentID: "researcher"},
		What: signalbox.What{Action: signalbox.ActionToolCall, Kind: signalbox.KindTool, ToolName: name},
		When: signalbox.When{Timestamp: began, DurationMS: 20, TraceID: traceID, SpanID: callSpan},
		Attempts: []signalbox.Attempt{{
			N: 1, Name: name, Provider: "files", Upstream: "read_text_file", SpanID: firstSpan, Started: began, DurationMS: 15, Code: failure,
		}},
	}
	if failure != "" {
		r.Outcome, r.Error = signalbox.OutcomeFailed, &signalbox.Failure{Code: failure, Message: "no such tool"}
	}
	return r
}

func TestSpansOfAModelCall(t *testing.T) {
	r := newReceiver(t)
	names := func(id string) string { return map[string]string{"researcher": "Reader of reports"}[id] }
	tel := start(t, Options{Version: "1.2.3", Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL), AgentName: names})
	tel.Ended(modelCall())
	stop(t, tel)
	if len(r.spans) != 3 {
		t.Fatalf("%d spans, want 3", len(r.spans))
	}
	tests := []struct {
		id, name, parent string
		kind             tracepb.Span_SpanKind
		status           tracepb.Status_StatusCode
		from, took       time.Duration
		want             map[string]string
	}{
		{
			callSpan, "chat auto", callerID, tracepb.Span_SPAN_KIND_SERVER, tracepb.Status_STATUS_CODE_UNSET, 0, 900 * time.Millisecond,
			map[string]string{
				"agent.id": "researcher", "agent.name": "Reader of reports", "agent.role": "research", "agent.step": "3",
				"orchestration.run_id": "run_1", "gen_ai.operation.name": "chat", "gen_ai.request.model": "auto",
				"gen_ai.response.model": "claude-haiku", "gen_ai.agent.id": "researcher", "signalbox.call": "call_1",
				"signalbox.request_id": "req_1", "signalbox.outcome": "ok", "signalbox.route": "triage", "signalbox.tenant": "acme",
				"signalbox.cost.usd": "0.00125", "signalbox.attempts": "2", "gen_ai.usage.input_tokens": "", "error.type": "",
				"signalbox.input.excerpt": "",
			},
		},
		{
			firstSpan, "chat gemma-3-270m", callSpan, tracepb.Span_SPAN_KIND_CLIENT, tracepb.Status_STATUS_CODE_ERROR, 0, 300 * time.Millisecond,
			map[string]string{"error.type": "timeout", "gen_ai.provider.name": "local", "gen_ai.usage.cost.amount": "", "signalbox.attempt": "1"},
		},
		{
			nextSpan, "chat claude-haiku-4-5", callSpan, tracepb.Span_SPAN_KIND_CLIENT, tracepb.Status_STATUS_CODE_UNSET,
			300 * time.Millisecond, 600 * time.Millisecond,
			map[string]string{
				"gen_ai.provider.name": "anthropic", "gen_ai.system": "anthropic", "gen_ai.request.model": "claude-haiku-4-5",
				"gen_ai.response.model": "claude-haiku-4-5-20251001", "gen_ai.response.id": "msg_1",
				"gen_ai.response.finish_reasons": "[end_turn]", "gen_ai.response.finish_reason": "end_turn",
				"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": "200", "gen_ai.usage.cache_read.input_tokens": "600",
				"gen_ai.usage.cache_write.input_tokens": "100", "gen_ai.usage.cache_creation.input_tokens": "100",
				"gen_ai.usage.reasoning.output_tokens": "50", "gen_ai.usage.cost.amount": "0.00125", "gen_ai.usage.cost.currency": "USD",
				"gen_ai.usage.cost.source": "local", "gen_ai.cost.estimate_usd": "0.00125", "gen_ai.request.stream": "true",
				"gen_ai.response.time_to_first_chunk": "0.1", "http.response.status_code": "200", "agent.id": "researcher",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := r.spans[test.id]
			if s == nil {
				t.Fatal("the span is missing")
			}
			start := time.Unix(0, int64(s.GetStartTimeUnixNano()))
			took := time.Duration(s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano())
			if hex.EncodeToString(s.GetTraceId()) != traceID || hex.EncodeToString(s.GetParentSpanId()) != test.parent ||
				s.GetName() != test.name || s.GetKind() != test.kind || s.GetStatus().GetCode() != test.status ||
				start.Sub(began) != test.from || took != test.took {
				t.Errorf("got %v", s)
			}
			got := attributes(s.GetAttributes())
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s = %q, want %q", key, got[key], want)
				}
			}
		})
	}
}

func TestSpansOfAToolCall(t *testing.T) {
	r := newReceiver(t)
	tel := start(t, Options{Env: env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", r.URL+"/custom")})
	tel.Ended(toolCall("files.read_text_file", signalbox.CodeNotFound))
	stop(t, tel)
	server, client := r.spans[callSpan], r.spans[firstSpan]
	if server.GetName() != "tools/call files.read_text_file" || client.GetName() != "tools/call read_text_file" ||
		len(server.GetParentSpanId()) != 0 || server.GetStatus().GetMessage() != "not_found" {
		t.Fatalf("got %v\n%v", server, client)
	}
	for key, want := range map[string]string{
		"mcp.method.name": "tools/call", "gen_ai.tool.name": "files.read_text_file", "gen_ai.operation.name": "execute_tool",
		"error.type": "not_found",
	} {
		for _, s := range []*tracepb.Span{server, client} {
			if got := attributes(s.GetAttributes())[key]; got != want {
				t.Errorf("%s: %s = %q, want %q", s.GetName(), key, got, want)
			}
		}
	}
	if !slices.Equal(r.paths, []string{"/custom"}) {
		t.Errorf("sent to %v, want /custom once and no metrics", r.paths)
	}
}

func TestSpansSayWhatTheGuardFound(t *testing.T) {
	r := newReceiver(t)
	tel := start(t, Options{Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)})
	guarded := toolCall("files.read_text_file", "")
	found := []signalbox.GuardFound{
		{Where: signalbox.GuardArguments, Detector: signalbox.DetectEmail, Count: 2},
		{Where: signalbox.GuardBeside, Detector: signalbox.DetectEmail, Count: 1},
		{Where: signalbox.GuardBeside, Detector: signalbox.DetectCard, Count: 1},
	}
	guarded.Context.Guard = &signalbox.Guarded{Input: &signalbox.GuardSide{Action: signalbox.GuardMask, Found: found}}
	tel.Ended(guarded)
	stop(t, tel)
	got := attributes(r.spans[callSpan].GetAttributes())
	for key, want := range map[string]string{
		"signalbox.guard.input.action": "mask", "signalbox.guard.input.found.email": "3", "signalbox.guard.input.found.card": "1",
		"signalbox.guard.input.found.phone": "", "signalbox.guard.output.action": "",
	} {
		if got[key] != want {
			t.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
}

func TestContentOnlyIfAskedFor(t *testing.T) {
	r := newReceiver(t)
	tel := start(t, Options{CaptureContent: true, Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL+"/")})
	tel.Ended(modelCall())
	failed := toolCall("files.read_text_file", signalbox.CodeNotFound)
	failed.When.SpanID = "cccccccccccccccc"
	tel.Ended(failed)
	stop(t, tel)
	if got := r.spans["cccccccccccccccc"].GetStatus().GetMessage(); got != "no such tool" {
		t.Errorf("the status says %q", got)
	}
	got := attributes(r.spans[callSpan].GetAttributes())
	if got["signalbox.input.excerpt"] != "who is [email]" || got["signalbox.output.excerpt"] != "nobody" {
		t.Errorf("got %v", got)
	}
}

func TestRecordsWithoutSpans(t *testing.T) {
	r := newReceiver(t)
	tel := start(t, Options{Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL, "OTEL_METRICS_EXPORTER", "none")})
	intent := modelCall()
	intent.Type = signalbox.RecordIntent
	noTrace, noSpan, noAttempt := modelCall(), modelCall(), modelCall()
	noTrace.When.TraceID, noSpan.When.SpanID = "", "xyz"
	noAttempt.Attempts[0].SpanID = ""
	for _, rec := range []signalbox.Record{intent, noTrace, noSpan, noAttempt} {
		tel.Ended(rec)
	}
	stop(t, tel)
	if len(r.spans) != 2 || r.spans[nextSpan] == nil {
		t.Errorf("%d spans, want those of one call and one attempt", len(r.spans))
	}
}

func TestResource(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "gateway-eu")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	r := newReceiver(t)
	tel := start(t, Options{Version: "1.2.3", Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)})
	tel.Ended(modelCall())
	stop(t, tel)
	for key, want := range map[string]string{
		"service.name": "gateway-eu", "service.version": "1.2.3", "deployment.environment.name": "test", "telemetry.sdk.language": "go",
	} {
		if r.resource[key] != want {
			t.Errorf("%s = %q, want %q", key, r.resource[key], want)
		}
	}
}

func TestMetricsByOTLP(t *testing.T) {
	r := newReceiver(t)
	tel := start(t, Options{Env: env("OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", r.URL+"/v1/metrics")})
	tel.Ended(modelCall())
	stop(t, tel)
	calls := r.metrics["signalbox.calls"].GetSum().GetDataPoints()
	if len(calls) != 1 || calls[0].GetAsInt() != 1 {
		t.Errorf("signalbox.calls: %v", calls)
	}
	usage := r.metrics["gen_ai.client.token.usage"].GetHistogram().GetDataPoints()
	if len(usage) != 2 || !slices.Equal(usage[0].GetExplicitBounds(), tokenBuckets) {
		t.Errorf("gen_ai.client.token.usage: %v", usage)
	}
	for _, name := range []string{
		"gen_ai.client.operation.duration", "gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.inference.usage.input_tokens",
		"gen_ai.client.inference.operation.output_tokens",
	} {
		if r.metrics[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestPrometheus(t *testing.T) {
	tel := start(t, Options{Version: "1.2.3", Env: env()})
	defer stop(t, tel)
	tel.Ended(modelCall())
	tel.Ended(toolCall("files.read_text_file", ""))
	tel.Ended(toolCall("files.made_up", signalbox.CodeNotFound))
	tel.Committed(300 * time.Microsecond)
	if err := tel.Gauge("signalbox.calls.in_flight", "Calls under way.", func() int64 { return 7 }); err != nil {
		t.Fatal(err)
	}
	if err := tel.Counter("signalbox.log.records", "Records written.", func() int64 { return 42 }); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, tel)
	for _, want := range []string{
		`signalbox_calls_total{code="",kind="model",outcome="ok"} 1`,
		`signalbox_calls_total{code="",kind="tool",outcome="ok"} 1`,
		`signalbox_calls_total{code="not_found",kind="tool",outcome="failed"} 1`,
		`signalbox_cost_nanodollars_total{kind="model",model="claude-haiku",provider="anthropic"} 1.25e+06`,
		`gen_ai_client_operation_duration_seconds_count{error_type="timeout",gen_ai_operation_name="chat",gen_ai_provider_name="local",gen_ai_request_model="small"} 1`,
		`gen_ai_client_operation_time_to_first_chunk_seconds_sum{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-haiku"} 0.1`,
		`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-haiku",gen_ai_token_type="input"} 1000`,
		`gen_ai_client_inference_usage_cache_read_input_tokens_total{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-haiku",gen_ai_token_modality="unknown"} 600`,
		`gen_ai_client_inference_usage_input_tokens_total{gen_ai_operation_name="chat",gen_ai_provider_name="local",gen_ai_request_model="small",gen_ai_token_modality="unknown"} 0`,
		`mcp_client_operation_duration_seconds_count{gen_ai_operation_name="execute_tool",gen_ai_tool_name="files.read_text_file",mcp_method_name="tools/call"} 1`,
		`mcp_server_operation_duration_seconds_count{error_type="not_found",gen_ai_operation_name="execute_tool",mcp_method_name="tools/call"} 1`,
		`signalbox_log_commit_duration_seconds_bucket{le="0.0004"} 1`,
		`signalbox_calls_in_flight 7`,
		`signalbox_log_records_total 42`,
		`service_version="1.2.3"`,
		"go_goroutines ",
		"process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, secret := range []string{"made_up", "run_1", "u-1", "req_1", "call_1", "researcher", "auto"} {
		if strings.Contains(text, `"`+secret) {
			t.Errorf("%q became a label", secret)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// What callers make up must not make series.
func TestMetricsStayBounded(t *testing.T) {
	tel := start(t, Options{Env: env()})
	defer stop(t, tel)
	count := func() int { return strings.Count(scrape(t, tel), "\n") }
	tel.Ended(modelCall())
	tel.Ended(toolCall("files.x", signalbox.CodeNotFound))
	before := count()
	for i := range 500 {
		r, tool := modelCall(), toolCall("files.tool"+strconv.Itoa(i), signalbox.CodeNotFound)
		r.Call, r.Who.UserID, r.Who.AgentID, r.Context.RunID = "call_"+strconv.Itoa(i), strconv.Itoa(i), strconv.Itoa(i), strconv.Itoa(i)
		r.Context.RequestedModel, r.Attempts[1].ResponseName = "model-"+strconv.Itoa(i), "answer-"+strconv.Itoa(i)
		tel.Ended(r)
		tel.Ended(tool)
	}
	if after := count(); math.Abs(float64(after-before)) > 5 {
		t.Errorf("%d lines before, %d after 1000 calls", before, after)
	}
}

func TestWhatTheEnvironmentAsksFor(t *testing.T) {
	tests := map[string]struct {
		env  []string
		want plan
		err  string
	}{
		"nothing":         {nil, plan{}, ""},
		"common endpoint": {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"}, plan{signal{true, "http://h:4318/v1/traces"}, signal{true, "http://h:4318/v1/metrics"}}, ""},
		"with a path":     {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://h/otlp/"}, plan{signal{true, "https://h/otlp/v1/traces"}, signal{true, "https://h/otlp/v1/metrics"}}, ""},
		"traces only":     {[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h/t"}, plan{traces: signal{true, "http://h/t"}}, ""},
		"by name":         {[]string{"OTEL_TRACES_EXPORTER", "otlp"}, plan{traces: signal{wanted: true}}, ""},
		"none":            {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", "OTEL_TRACES_EXPORTER", "none", "OTEL_METRICS_EXPORTER", "prometheus"}, plan{}, ""},
		"disabled":        {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", "OTEL_SDK_DISABLED", "TRUE"}, plan{}, ""},
		"unknown":         {[]string{"OTEL_TRACES_EXPORTER", "zipkin"}, plan{}, "OTEL_TRACES_EXPORTER"},
		"grpc":            {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4317", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, plan{}, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		"grpc metrics":    {[]string{"OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"}, plan{}, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"},
		"no URL":          {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"}, plan{}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := planOf(env(test.env...))
			if test.err == "" {
				if err != nil || got != test.want {
					t.Fatalf("got %+v (%v), want %+v", got, err, test.want)
				}
				return
			}
			if signalbox.CodeOf(err) != signalbox.CodeInvalid || !strings.Contains(err.Error(), test.err) {
				t.Fatalf("got %v, want %s named", err, test.err)
			}
			if _, err := New(t.Context(), Options{Env: env(test.env...)}); err == nil {
				t.Fatal("New took it")
			}
		})
	}
}

func TestEndedDoesNotWaitForTheReceiver(t *testing.T) {
	hold := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer s.Close()
	defer close(hold)
	tel := start(t, Options{Env: env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", s.URL)})
	for range 3_000 { // More than the exporter's queue takes.
		tel.Ended(modelCall())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all was sent")
	}
}

func TestFailedExportsAreReported(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer s.Close()
	reported := make(chan error, 16)
	tel := start(t, Options{
		Env:    env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", s.URL),
		Report: func(err error) { reported <- err },
	})
	tel.Ended(modelCall())
	shutdown := tel.Shutdown(context.Background())
	select {
	case err := <-reported:
		// A stop that overtakes the answer is told instead of it.
		if !strings.Contains(err.Error(), "403") && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	default:
		if shutdown == nil {
			t.Error("nobody was told that the receiver refused")
		}
	}
}

func TestIDsWithoutARecord(t *testing.T) {
	a, s := givenIDs{}.NewIDs(t.Context())
	if !a.IsValid() || !s.IsValid() {
		t.Error("invalid ids")
	}
	want := trace.SpanID{1}
	if got := (givenIDs{}).NewSpanID(withIDs(t.Context(), a, want), a); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func BenchmarkEnded(b *testing.B) {
	r := modelCall()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	for name, e := range map[string]func(string) (string, bool){
		"metrics": env(), "metrics and spans": env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", s.URL),
	} {
		b.Run(name, func(b *testing.B) {
			tel, err := New(b.Context(), Options{Env: e})
			if err != nil {
				b.Fatal(err)
			}
			defer tel.Shutdown(context.Background())
			b.ReportAllocs()
			for b.Loop() {
				tel.Ended(r)
			}
		})
	}
}
