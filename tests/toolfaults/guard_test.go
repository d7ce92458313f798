package toolfaults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// component gives what the health report says of a server.
func (w world) component(t *testing.T, server string) api.Component {
	t.Helper()
	var h api.Health
	w.Get(t, "/health", nil, &h)
	for _, c := range h.Components {
		if c.Name == "mcp "+server {
			return c
		}
	}
	t.Fatalf("the health report has no %s", server)
	return api.Component{}
}

// A server that fails in a row is given a pause, one that is busy turns calls away: at once, for nothing, with a record, and seen by
// operators; others, and /readyz, know nothing of it.
func TestPausesAndPlaces(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	failing := cell{modern, inJSON, "500"}
	text := harness.Simulated + base + fmt.Sprintf(`  steady: {url: "%[1]s/modern/json/none"}
  failing: {url: "%[1]s%[2]s", price: {per_call: %[3]s}, breaker: {failures: 2, pause: 1m}}
  busy: {url: "%[1]s/modern/json/no-head", price: {per_call: %[3]s}, max_concurrent_calls: 1, timeouts: {total: 1h, place: 50ms}, breaker: {failures: 0}}
`, s.URL, failing.path(), price)
	w := world{harness.Start(t, harness.Options{Config: text}), "steady"}
	if c := w.component(t, "failing"); c.Status != "ok" || !strings.Contains(c.Detail, "not connected yet") {
		t.Errorf("before its use it is %+v", c)
	}
	refused := func(server string) {
		t.Helper()
		r, err := w.use(server, toolBroken)
		if err != nil || r.code != signalbox.CodeUnavailable || !strings.Contains(r.Body, "retry_after_ms") {
			t.Fatalf("got %s %s, %v", r.code, r.words, err)
		}
		w.recorded(t, r, fault{code: signalbox.CodeUnavailable, cost: free})
	}
	for range 2 {
		w.breaks(t, "failing", httpFaults["500"])
	}
	for range 3 {
		refused("failing")
	}
	if n := s.callsOf(failing.path()); n != 2 {
		t.Errorf("the failing server was called %d times, want 2", n)
	}
	if c := w.component(t, "failing"); c.Status != "down" || !strings.Contains(c.Detail, "refused") {
		t.Errorf("the failing server is %+v", c)
	}

	busy := make(chan struct{})
	go func() {
		defer close(busy)
		w.TrySend(http.MethodPost, "/mcp/busy", harness.Agent, // It is broken off at the end.
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"broken","arguments":{}}}`,
			"Accept", "application/json, text/event-stream", "X-Signalbox-Agent", "clerk")
	}()
	harness.Eventually(t, func() error {
		if c := w.component(t, "busy"); c.Status != "degraded" || !strings.Contains(c.Detail, "1 of 1 calls") {
			return fmt.Errorf("the busy server is %+v", c)
		}
		return nil
	})
	refused("busy")
	w.good(t, "steady")
	if got := w.Metric(t, "signalbox_mcp_breaker"); got != 2 { // Open; the others are closed.
		t.Errorf("signalbox_mcp_breaker adds up to %v", got)
	}
	if got := w.Metric(t, "signalbox_mcp_declined"); got != 4 {
		t.Errorf("signalbox_mcp_declined adds up to %v", got)
	}
	for name, want := range map[string]float64{"in_flight": 1, "connected": 3, "sessions": 3, "places": 129} {
		if got := w.Metric(t, "signalbox_mcp_"+name); got != want {
			t.Errorf("signalbox_mcp_%s adds up to %v, want %v", name, got, want)
		}
	}
	if a := w.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusOK {
		t.Errorf("/readyz answers %d", a.Status)
	}
	s.CloseClientConnections()
	<-busy
	w.Complete(t)
}
