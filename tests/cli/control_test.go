package cli

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// What a trace context says is taken only where it is valid; a call is never refused for it.
func TestTraceContext(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	valid := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, c := range []struct {
		name, header string
		taken        bool
	}{
		{"valid", "00-" + trace + "-" + parent + "-01", true},
		{"of a later version", "01-" + trace + "-" + parent + "-01-more", true},
		{"garbage", "hello", false},
		{"upper case", "00-" + strings.ToUpper(trace) + "-" + parent + "-01", false},
		{"all zero", "00-" + strings.Repeat("0", 32) + "-" + parent + "-01", false},
		{"short", "00-" + trace[:30] + "-" + parent + "-01", false},
		{"version ff", "ff-" + trace + "-" + parent + "-01", false},
		{"too much for version 00", "00-" + trace + "-" + parent + "-01-more", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good, "Traceparent", c.header)
			got := a.Header.Get("X-Signalbox-Trace")
			if a.Status != http.StatusOK || !valid.MatchString(got) || (got == trace) != c.taken {
				t.Fatalf("status %d, trace %q", a.Status, got)
			}
			d := i.Call(t, a.Header.Get("X-Signalbox-Call"))
			if d.TraceID == nil || *d.TraceID != got || (d.ParentSpanID != nil) != c.taken {
				t.Errorf("the record has the trace %v under %v", d.TraceID, d.ParentSpanID)
			}
		})
	}
}

// A request id is kept where it can be, and replaced where it can not.
func TestRequestID(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for name, c := range map[string]struct {
		id   string
		kept bool
	}{
		"valid": {"ticket-4711", true}, "blanks": {"a b", false}, "long": {strings.Repeat("x", 129), false}, "markup": {"<b>", false},
	} {
		t.Run(name, func(t *testing.T) {
			a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good, "X-Request-Id", c.id)
			got := a.Header.Get("X-Request-Id")
			if a.Status != http.StatusOK || got == "" || (got == c.id) != c.kept {
				t.Errorf("status %d, X-Request-Id %q", a.Status, got)
			}
			if d := i.Call(t, a.Header.Get("X-Signalbox-Call")); d.RequestID == nil || *d.RequestID != got {
				t.Errorf("the record has the request id %v", d.RequestID)
			}
		})
	}
}

// What belongs to another tenant looks like what does not exist.
func TestTenantsAreApart(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good, "X-Signalbox-Run", "run-of-acme")
	id, trace := a.Header.Get("X-Signalbox-Call"), a.Header.Get("X-Signalbox-Trace")
	i.Call(t, id)
	for _, path := range []string{"/api/v1/calls/" + id, "/api/v1/traces/" + trace} {
		if a := i.Send(t, http.MethodGet, path, harness.Other, ""); a.Status != http.StatusNotFound {
			t.Errorf("%s answers the other tenant %d: %s", path, a.Status, a.Body)
		}
		if a := i.Send(t, http.MethodGet, path, harness.Agent, ""); a.Status != http.StatusOK {
			t.Errorf("%s answers its own tenant %d: %s", path, a.Status, a.Body)
		}
	}
	for _, path := range []string{
		"/api/v1/calls", "/api/v1/calls?tenant=acme", "/api/v1/calls?trace=" + trace, "/api/v1/runs", "/api/v1/costs?by=tenant",
		"/api/v1/costs?by=tenant&tenant=acme", "/api/v1/facets", "/api/v1/overview", "/api/v1/costs?by=run",
	} {
		a := i.Send(t, http.MethodGet, path, harness.Other, "")
		if a.Status != http.StatusOK || strings.Contains(a.Body, "acme") || strings.Contains(a.Body, id) {
			t.Errorf("%s answers the other tenant %d: %s", path, a.Status, a.Body)
		}
	}
}

// What a role may not do is refused before anything else is looked at.
func TestRoles(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for _, c := range []struct {
		method, path, key, body string
		status                  int
	}{
		{"GET", "/api/v1/audit", harness.Agent, "", 403},
		{"POST", "/api/v1/audit/verify", harness.Agent, "", 403},
		{"GET", "/api/v1/keys", harness.Other, "", 403},
		{"POST", "/api/v1/keys", harness.Operator, `{"tenant":"acme","role":"admin"}`, 403},
		{"POST", "/api/v1/keys", harness.Auditor, `{`, 403},
		{"DELETE", "/api/v1/keys/admin", harness.Auditor, "", 403},
		{"GET", "/metrics", harness.Agent, "", 403},
		{"GET", "/audit/checkpoint", harness.Agent, "", 403},
		{"GET", "/metrics", harness.Operator, "", 200},
		{"GET", "/api/v1/audit", harness.Auditor, "", 200},
		{"GET", "/healthz", "", "", 200},
		{"GET", "/readyz", "", "", 200},
	} {
		t.Run(c.method+c.path+" "+c.key, func(t *testing.T) {
			a := i.Send(t, c.method, c.path, c.key, c.body)
			if a.Status != c.status {
				t.Fatalf("got %d, want %d: %s", a.Status, c.status, a.Body)
			}
			if c.status == http.StatusForbidden {
				checkFailure(t, c.path, a, 403, "forbidden")
			}
		})
	}
}

// The control API says what is wrong with a request, in its own shape.
func TestBadControlRequests(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     signalbox.Code
	}{
		{"limit of zero", "GET", "/api/v1/calls?limit=0", "", 400, "invalid"},
		{"limit too high", "GET", "/api/v1/calls?limit=501", "", 400, "invalid"},
		{"limit is a word", "GET", "/api/v1/calls?limit=many", "", 400, "invalid"},
		{"unknown parameter", "GET", "/api/v1/calls?modell=x", "", 400, "invalid"},
		{"cursor of nobody", "GET", "/api/v1/calls?cursor=%22x%22", "", 400, "invalid"},
		{"audit cursor of nobody", "GET", "/api/v1/audit?cursor=x", "", 400, "invalid"},
		{"bad time", "GET", "/api/v1/calls?from=yesterday", "", 400, "invalid"},
		{"bad outcome", "GET", "/api/v1/calls?outcome=fine", "", 400, "invalid"},
		{"unknown call", "GET", "/api/v1/calls/call_0", "", 404, "not_found"},
		{"unknown trace", "GET", "/api/v1/traces/" + strings.Repeat("1", 32), "", 404, "not_found"},
		{"unknown key", "DELETE", "/api/v1/keys/key_0", "", 404, "not_found"},
		{"static key", "DELETE", "/api/v1/keys/agent", "", 409, "conflict"},
		{"malformed", "POST", "/api/v1/keys", `{"tenant":`, 400, "invalid"},
		{"twice", "POST", "/api/v1/keys", `{"tenant":"acme","tenant":"other","role":"agent"}`, 400, "invalid"},
		{"unknown field", "POST", "/api/v1/keys", `{"tenant":"acme","role":"agent","budget":1}`, 400, "invalid"},
		{"bad role", "POST", "/api/v1/keys", `{"tenant":"acme","role":"king"}`, 400, "invalid"},
		{"no tenant", "POST", "/api/v1/keys", `{"role":"agent"}`, 400, "invalid"},
		{"huge", "POST", "/api/v1/keys", `{"tenant":"` + strings.Repeat("a", 70<<10) + `","role":"agent"}`, 413, "too_large"},
		{"unknown path", "GET", "/api/v1/nothing", "", 404, "not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkFailure(t, c.path, i.Send(t, c.method, c.path, harness.Admin, c.body), c.status, c.code)
		})
	}
}

// Paths that the design names and this version does not serve say so in the shape of their API; what is no path at all is
// not found, and never the console's page.
func TestPathsThatAreNotServed(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for _, c := range []struct {
		method, path string
		status       int
		code         signalbox.Code
	}{
		{"POST", "/v1/responses", 501, "not_implemented"},
		{"POST", "/v1/embeddings", 501, "not_implemented"},
		{"POST", "/v1/messages/count_tokens", 501, "not_implemented"},
		{"POST", "/v1/nothing", 404, "not_found"},
	} {
		t.Run(c.path, func(t *testing.T) {
			a := i.Send(t, c.method, c.path, harness.Agent, good)
			var f failure
			if err := json.Unmarshal([]byte(a.Body), &f); err != nil || a.Status != c.status || f.Error.Code != c.code {
				t.Errorf("got %d (%s): %.200s", a.Status, a.Header.Get("Content-Type"), a.Body)
			}
		})
	}
	if a := i.Send(t, http.MethodGet, chatPath, harness.Agent, ""); a.Status != http.StatusMethodNotAllowed && a.Status != http.StatusNotFound {
		t.Errorf("GET %s answers %d (%s)", chatPath, a.Status, a.Header.Get("Content-Type"))
	}
}

// The list of calls is paged without gaps and repetitions, and has every field of the seed in every row.
func TestCallList(t *testing.T) {
	t.Parallel()
	i := harness.Start(t, harness.Options{})
	sent := map[string]bool{}
	for range 23 {
		a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good)
		sent[a.Header.Get("X-Signalbox-Call")] = true
		i.Call(t, a.Header.Get("X-Signalbox-Call"))
	}
	cursor := ""
	for pages := 0; ; pages++ {
		path := "/api/v1/calls?limit=5" + cursor
		a := i.Send(t, http.MethodGet, path, harness.Agent, "")
		for _, field := range []string{
			"request_id", "run_id", "agent_id", "tool_name", "model_name", "latency_ms", "input_tokens", "output_tokens",
			"cost_estimate", "risk_level",
		} {
			if !strings.Contains(a.Body, `"`+field+`":`) {
				t.Errorf("a row has no %s", field)
			}
		}
		var page api.Page[api.Call]
		if err := json.Unmarshal([]byte(a.Body), &page); err != nil {
			t.Fatalf("%v: %s", err, a.Body)
		}
		for _, row := range page.Items {
			if !sent[row.ID] {
				t.Errorf("%s is shown twice or was never sent", row.ID)
			}
			delete(sent, row.ID)
		}
		if page.Next == nil {
			break
		}
		cursor = "&cursor=" + *page.Next
	}
	if len(sent) > 0 {
		t.Errorf("%d calls are on no page", len(sent))
	}
}
