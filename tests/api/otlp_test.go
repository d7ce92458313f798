package api

import (
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/signalbox/signalbox/tests/harness"
)

// receiver keeps the spans and the names of metrics that are sent to it by OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	spans   map[string]*tracepb.Span // By id.
	service string
	metrics map[string]bool
	header  http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{spans: map[string]*tracepb.Span{}, metrics: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if err := r.keep(q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) keep(q *http.Request) error {
	var body io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(q.Body)
		if err != nil {
			return err
		}
		body = unzipped
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = q.Header.Clone()
	switch q.URL.Path {
	case "/v1/traces":
		return r.traces(b)
	case "/v1/metrics":
		var m collectormetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(b, &m); err != nil {
			return err
		}
		for _, rm := range m.GetResourceMetrics() {
			for _, sm := range rm.GetScopeMetrics() {
				for _, x := range sm.GetMetrics() {
					r.metrics[x.GetName()] = true
				}
			}
		}
		return nil
	}
	return errors.New("nothing is expected at " + q.URL.Path)
}

func (r *receiver) traces(b []byte) error {
	var m collectortrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &m); err != nil {
		return err
	}
	for _, rs := range m.GetResourceSpans() {
		r.service = attributes(rs.GetResource().GetAttributes())["service.name"]
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				r.spans[hex.EncodeToString(s.GetSpanId())] = s
			}
		}
	}
	return nil
}

// attributes writes values as text.
func attributes(list []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_DoubleValue:
			m[a.GetKey()] = fmt.Sprint(v.DoubleValue)
		case *commonpb.AnyValue_BoolValue:
			m[a.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			m[a.GetKey()] = fmt.Sprint(v)
		}
	}
	return m
}

// span gives a span once it has been sent.
func (r *receiver) span(t *testing.T, id string) *tracepb.Span {
	t.Helper()
	var found *tracepb.Span
	harness.Eventually(t, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if found = r.spans[id]; found == nil {
			return fmt.Errorf("no span %s among %d", id, len(r.spans))
		}
		return nil
	})
	return found
}

func (r *receiver) below(id string) []*tracepb.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*tracepb.Span
	for _, s := range r.spans {
		if hex.EncodeToString(s.GetParentSpanId()) == id {
			list = append(list, s)
		}
	}
	return list
}

func has(t *testing.T, what string, got map[string]string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, want %q", what, name, got[name], value)
		}
	}
}

// The spans have the ids of the records and of what went on in traceparent, the GenAI names and the seed's.
func TestOTLP(t *testing.T) {
	r := newReceiver(t)
	b := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-token=abc", "OTEL_SERVICE_NAME=gateway",
		"OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_METRIC_EXPORT_INTERVAL=100")
	t.Run("model", func(t *testing.T) { otlpModel(t, b, r) })
	t.Run("tool", func(t *testing.T) { otlpTool(t, b, r) })
	harness.Eventually(t, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, name := range []string{
			"signalbox.calls", "gen_ai.client.operation.duration", "gen_ai.client.token.usage", "signalbox.cost.nanodollars",
		} {
			if !r.metrics[name] {
				return fmt.Errorf("there is no metric %s among %v", name, r.metrics)
			}
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.service != "gateway" || r.header.Get("X-Token") != "abc" {
		t.Errorf("the service is %q, the headers %v", r.service, r.header)
	}
}

func otlpModel(t *testing.T, b bench, r *receiver) {
	a := b.Send(t, http.MethodPost, chatPath, harness.Agent, ask("broken", true), append([]string{"Traceparent", traceparent}, identity...)...)
	d := b.Call(t, a.Header.Get("X-Signalbox-Call"))
	call := r.span(t, pointer(d.SpanID))
	if hex.EncodeToString(call.GetTraceId()) != trace || hex.EncodeToString(call.GetParentSpanId()) != parent || call.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
		t.Errorf("the call's span is %v", call)
	}
	got := attributes(call.GetAttributes())
	has(t, "the call", got, map[string]string{
		"agent.id": "planner", "agent.role": "planning", "agent.step": "3", "orchestration.run_id": "run-7",
		"gen_ai.operation.name": "chat", "gen_ai.request.model": "broken", "signalbox.call": d.ID, "signalbox.outcome": "ok",
	})
	for name, value := range got {
		if strings.Contains(value, "signal box work") {
			t.Errorf("the attribute %s has content, which nobody asked for", name)
		}
	}
	harness.Eventually(t, func() error {
		if n := len(r.below(pointer(d.SpanID))); n != 2 {
			return fmt.Errorf("%d attempts", n)
		}
		return nil
	})
	asked := map[string]bool{}
	for _, q := range b.up.Requests("") {
		asked[strings.Split(q.Header.Get("Traceparent"), "-")[2]] = true
	}
	for _, s := range r.below(pointer(d.SpanID)) {
		if !asked[hex.EncodeToString(s.GetSpanId())] || s.GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
			t.Errorf("no provider was asked under the span %x", s.GetSpanId())
		}
		got := attributes(s.GetAttributes())
		if got["gen_ai.request.model"] != "up-claude" {
			if s.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || got["error.type"] == "" {
				t.Errorf("the attempt that failed is %v", s)
			}
			continue
		}
		has(t, "the attempt", got, map[string]string{
			"gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": pointer(d.InputTokens), "gen_ai.usage.output_tokens": pointer(d.OutputTokens),
			"agent.id": "planner", "orchestration.run_id": "run-7", "http.response.status_code": "200",
		})
		if got["gen_ai.cost.estimate_usd"] == "" {
			t.Error("the attempt has no gen_ai.cost.estimate_usd")
		}
	}
}

func otlpTool(t *testing.T, b bench, r *receiver) {
	answer := b.callTool(t, map[string]string{"Traceparent": traceparent, "X-Signalbox-Agent": "planner"})
	d := b.Call(t, answer.Get("X-Signalbox-Call"))
	call := r.span(t, pointer(d.SpanID))
	if hex.EncodeToString(call.GetTraceId()) != trace || hex.EncodeToString(call.GetParentSpanId()) != parent {
		t.Errorf("the call's span is %v", call)
	}
	has(t, "the call", attributes(call.GetAttributes()), map[string]string{
		"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "files.read", "mcp.method.name": "tools/call", "agent.id": "planner",
	})
	meta := b.tool.last(t).Meta
	id := strings.Split(strings.Trim(string(meta["traceparent"]), `"`), "-")[2]
	if attempt := r.span(t, id); hex.EncodeToString(attempt.GetParentSpanId()) != pointer(d.SpanID) {
		t.Errorf("the attempt's parent is %x", attempt.GetParentSpanId())
	}
}

// Content is on spans where the configuration asks for it, masked.
func TestCaptureContent(t *testing.T) {
	r := newReceiver(t)
	i := harness.Start(t, harness.Options{
		Config: harness.Simulated + "telemetry: {capture_content: true}\n",
		Env:    []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + r.URL + "/v1/traces", "OTEL_BSP_SCHEDULE_DELAY=50"},
	})
	a := i.Send(t, http.MethodPost, chatPath, harness.Agent, `{"model":"sim","messages":[{"role":"user","content":"Write to rose@example.com about the signal."}]}`)
	d := i.Call(t, a.Header.Get("X-Signalbox-Call"))
	got := attributes(r.span(t, pointer(d.SpanID)).GetAttributes())
	found := ""
	for _, value := range got {
		if strings.Contains(value, "about the signal") {
			found = value
		}
	}
	if found == "" || strings.Contains(found, "rose@") {
		t.Errorf("the content is %q among %v", found, got)
	}
}

// A receiver that hangs or does not exist keeps nobody waiting, and does not make a stop a failed one.
func TestDeadReceiver(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Accepts in the kernel and never answers.
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, address := range map[string]string{"nobody listens": "127.0.0.1:1", "nobody answers": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			i := harness.Start(t, harness.Options{Env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + address, "OTEL_BSP_SCHEDULE_DELAY=50"}})
			for range 20 {
				if a := i.Send(t, http.MethodPost, chatPath, harness.Agent, ask("sim", false)); a.Status != http.StatusOK {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
			i.Complete(t)
			if code := i.Stop(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
		})
	}
}
