package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

const (
	trace       = "0af7651916cd43dd8448eb211c80319c"
	parent      = "b7ad6b7169203331"
	traceparent = "00-" + trace + "-" + parent + "-01"
)

// The caller's trace goes on to whoever serves the call, under a span of the attempt's own, with the caller's state. His
// baggage goes only to the provider that is configured to get it.
func TestTraceGoesOn(t *testing.T) {
	b := start(t)
	for model, baggage := range map[string]string{"gpt": "", "claude": "customer=4711"} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream=%v", model, stream), func(t *testing.T) {
				a := b.Send(t, http.MethodPost, chatPath, harness.Agent, ask(model, stream),
					"Traceparent", traceparent, "Tracestate", "vendor=1,other=2", "Baggage", "customer=4711")
				d := b.Call(t, a.Header.Get("X-Signalbox-Call"))
				if pointer(d.TraceID) != trace || pointer(d.ParentSpanID) != parent {
					t.Errorf("the record has the trace %s under %s", pointer(d.TraceID), pointer(d.ParentSpanID))
				}
				all := b.up.Requests("")
				got := all[len(all)-1].Header
				parts := strings.Split(got.Get("Traceparent"), "-")
				if len(parts) != 4 || parts[1] != trace || parts[2] == parent || parts[2] == pointer(d.SpanID) || parts[3] != "01" {
					t.Errorf("the provider got the traceparent %q; the call's span is %s", got.Get("Traceparent"), pointer(d.SpanID))
				}
				if got.Get("Tracestate") != "vendor=1,other=2" || got.Get("Baggage") != baggage {
					t.Errorf("the provider got the state %q and the baggage %q", got.Get("Tracestate"), got.Get("Baggage"))
				}
				for name := range got {
					if strings.HasPrefix(name, "X-Signalbox") || name == "Cookie" {
						t.Errorf("the provider got %s", name)
					}
				}
			})
		}
	}
}

// Every attempt has a span of its own below the call's.
func TestTraceOfAttempts(t *testing.T) {
	b := start(t)
	a := b.Send(t, http.MethodPost, chatPath, harness.Agent, ask("broken", false), "Traceparent", traceparent)
	d := b.Call(t, a.Header.Get("X-Signalbox-Call"))
	if a.Status != http.StatusOK || d.Attempts != 2 {
		t.Fatalf("%d after %d attempts: %s", a.Status, d.Attempts, a.Body)
	}
	spans := map[string]string{} // By id: the parent.
	var waterfall struct {
		Items []struct {
			ID     string  `json:"id"`
			Parent *string `json:"parent_id"`
			Kind   string  `json:"kind"`
		} `json:"items"`
	}
	b.Get(t, "/traces/"+trace, nil, &waterfall)
	for _, s := range waterfall.Items {
		spans[s.ID] = pointer(s.Parent)
	}
	for _, r := range b.up.Requests("") {
		id := strings.Split(r.Header.Get("Traceparent"), "-")[2]
		if spans[id] != pointer(d.SpanID) {
			t.Errorf("the provider was asked under the span %s, whose parent is %q, want the call's %s", id, spans[id], pointer(d.SpanID))
		}
	}
	if len(b.up.Requests("")) != 2 {
		t.Errorf("the providers were asked %d times", len(b.up.Requests("")))
	}
}

// A bad state is dropped with a bad parent; baggage over the limits is dropped whole.
func TestBadTraceContext(t *testing.T) {
	b := start(t)
	for _, c := range []struct{ name, parent, state, want string }{
		{"no parent", "", "vendor=1", ""},
		{"invalid parent", "00-xyz", "vendor=1", ""},
		{"state too long", traceparent, "vendor=" + strings.Repeat("x", 513), ""},
		{"state with too many members", traceparent, strings.Repeat("a=1,", 32) + "b=2", ""},
		{"good", traceparent, "vendor=1", "vendor=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.Send(t, http.MethodPost, chatPath, harness.Agent, ask("gpt", false), "Traceparent", c.parent, "Tracestate", c.state)
			if a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			all := b.up.Requests("")
			if got := all[len(all)-1].Header; got.Get("Tracestate") != c.want || len(got.Get("Traceparent")) != 55 {
				t.Errorf("the provider got %q and %q", got.Get("Traceparent"), got.Get("Tracestate"))
			}
		})
	}
}

// A tool gets the trace where MCP puts it: in _meta. Its server is not configured to get the baggage.
func TestTraceToTools(t *testing.T) {
	b := start(t)
	answer := b.callTool(t, map[string]string{"Traceparent": traceparent, "Tracestate": "vendor=1", "Baggage": "customer=4711"})
	d := b.Call(t, answer.Get("X-Signalbox-Call"))
	if pointer(d.TraceID) != trace || pointer(d.ParentSpanID) != parent {
		t.Errorf("the record has the trace %s under %s", pointer(d.TraceID), pointer(d.ParentSpanID))
	}
	meta := b.tool.last(t).Meta
	parts := strings.Split(strings.Trim(string(meta["traceparent"]), `"`), "-")
	if len(parts) != 4 || parts[1] != trace || parts[2] == parent || parts[2] == pointer(d.SpanID) {
		t.Errorf("the tool got the traceparent %s", meta["traceparent"])
	}
	if string(meta["tracestate"]) != `"vendor=1"` {
		t.Errorf("the tool got the state %s", meta["tracestate"])
	}
	if baggage, got := meta["baggage"]; got {
		t.Errorf("the tool got the baggage %s", baggage)
	}
}
