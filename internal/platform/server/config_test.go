package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// served makes a call that must be served and gives its record.
func (i *instance) served(model string, header ...string) api.CallDetail {
	i.t.Helper()
	response, text := i.send(http.MethodPost, chatPath, agentKey, chat(model, false), header...)
	if response.StatusCode != http.StatusOK {
		i.t.Fatalf("%d %s", response.StatusCode, text)
	}
	return i.detail(response.Header.Get("X-Signalbox-Call"))
}

// Nothing of what was said is in a record where the configuration says so; by default it is there, masked.
func TestRecordsContent(t *testing.T) {
	for content, kept := range map[string]bool{"summary": true, "none": false} {
		t.Run(content, func(t *testing.T) {
			i := started(t, t.TempDir(), "records: {content: "+content+"}\n"+someKeys+simulatedModel)
			d := i.served("small")
			if d.InputSummary == nil || strings.Contains(*d.InputSummary, "weather in Seoul") != kept || strings.Contains(*d.InputSummary, "rose@") {
				t.Errorf("the input is kept as %v", d.InputSummary)
			}
			if (d.OutputSummary != nil) != kept {
				t.Errorf("the output is kept as %v", d.OutputSummary)
			}
		})
	}
}

// Projections past their retention go, at the start already; the log keeps everything.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	text := "retention: {projections: 1h}\n" + someKeys + simulatedModel
	i := started(t, dir, text)
	id := i.served("small").ID
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	s, err := New(context.Background(), configured(t, dir, text), Options{
		Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Env: func(string) (string, bool) { return "", false },
		Now: func() time.Time { return time.Now().Add(2 * time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	i = ran(t, s, log)
	eventually(t, func() error {
		if response, text := i.send(http.MethodGet, "/api/v1/calls/"+id, adminKey, ""); response.StatusCode != http.StatusNotFound {
			return fmt.Errorf("the call is still shown: %s", text)
		}
		return nil
	})
	if _, text := i.send(http.MethodGet, "/api/v1/audit", adminKey, ""); strings.Count(text, id) != 2 {
		t.Errorf("the log holds %s", text)
	}
}

// A tenant uses what its globs allow, and sees nothing else.
func TestTenantModels(t *testing.T) {
	text := strings.Replace(someKeys, "{id: acme}", `{id: acme, models: ["small", "team/**"]}`, 1) + simulatedModel + `
  large: {provider: sim, price: {input: 1, output: 2}}
  team/a/b: {provider: sim, price: {input: 1, output: 2}}
`
	i := started(t, t.TempDir(), text)
	i.served("small")
	i.served("team/a/b")
	response, body := i.send(http.MethodPost, chatPath, agentKey, chat("large", false))
	if response.StatusCode != http.StatusForbidden && response.StatusCode != http.StatusNotFound {
		t.Errorf("a model that is not allowed answers %d: %s", response.StatusCode, body)
	}
	if _, list := i.send(http.MethodGet, "/v1/models", agentKey, ""); strings.Contains(list, "large") || !strings.Contains(list, "small") {
		t.Errorf("the models are %s", list)
	}
}

// The bounds of the process are those of the configuration.
func TestLimits(t *testing.T) {
	provider := newSlowProvider(t)
	i := started(t, t.TempDir(), "limits: {max_body_bytes: 1KiB, max_header_bytes: 4KiB, max_concurrent_calls: 1, max_queued_records: 77}\n"+
		someKeys+provider.config())
	if response, text := i.send(http.MethodPost, chatPath, agentKey, `{"model":"slow","x":"`+strings.Repeat("a", 1100)+`"}`); response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body answers %d: %s", response.StatusCode, text)
	}
	if response, text := i.send(http.MethodPost, chatPath, agentKey, chat("slow", false), "X-Padding", strings.Repeat("a", 9000)); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers answer %d: %s", response.StatusCode, text)
	}
	first := provider.begin(t, i)
	defer first.Body.Close()
	response, text := i.send(http.MethodPost, chatPath, agentKey, chat("slow", true))
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %d %s", response.StatusCode, text)
	}
	first.Body.Close() // Gone: its place is free again.
	eventually(t, func() error {
		var h api.Health
		if _, text := i.send(http.MethodGet, "/api/v1/health", adminKey, ""); json.Unmarshal([]byte(text), &h) != nil || h.InFlight > 0 {
			return fmt.Errorf("in flight: %d", h.InFlight)
		}
		if h.Queue.Capacity != 77 {
			t.Errorf("the queue holds %d", h.Queue.Capacity)
		}
		return nil
	})
	second := provider.begin(t, i)
	second.Body.Close()
}

// What a key, an agent, a provider, a model and a route are configured with shows in the call and at the provider.
func TestIdentitiesAndProviders(t *testing.T) {
	var mu sync.Mutex
	var seen http.Header
	var asked string
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // What is missing shows below.
		mu.Lock()
		seen, asked = r.Header.Clone(), string(body)
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"c1","object":"chat.completion","created":1,"model":"up-1","choices":[{"index":0,"message":{"role":"assistant","content":"Fine."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000000,"completion_tokens":1000,"total_tokens":1001000}}`)
	}))
	defer up.Close()
	i := started(t, t.TempDir(), `
tenants: [{id: acme}]
keys:
  - {id: admin, secret: the-admin-key-of-acme, tenant: acme, role: admin}
  - {id: agent, secret: the-agent-key-of-acme, tenant: acme, team: cs, agent: researcher, user: u1, role: agent, limits: [{unit: requests, per: day, max: 2}]}
agents: [{id: researcher, role: research, name: The researcher}]
providers:
  up: {kind: openai_compatible, base_url: `+up.URL+`/v1, api_key: sk-of-the-operator, headers: {X-Extra: more}}
models:
  named: {provider: up, model: up-1, max_output: 321, price: {input: 2, output: 3, per_call: 0.5, effective: 2026-01-31}}
routes:
  - {name: triage, when: 'step.kind == "classify"', use: [named]}
audit: {origin: log.example/acme}
`)
	response, text := i.send(http.MethodPost, chatPath, agentKey, chat("auto", false), "X-Signalbox-Step-Kind", "classify")
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", response.StatusCode, text)
	}
	d := i.detail(response.Header.Get("X-Signalbox-Call"))
	got := fmt.Sprint(*d.Team, *d.AgentID, *d.AgentRole, *d.User, *d.ModelName, *d.Provider, *d.UpstreamModel, *d.Route, *d.CostEstimate, *d.Rates.Effective)
	if want := fmt.Sprint("cs", "researcher", "research", "u1", "named", "up", "up-1", "triage", "2.503", "2026-01-31"); got != want {
		t.Errorf("the call has %s, want %s", got, want)
	}
	mu.Lock()
	if seen.Get("Authorization") != "Bearer sk-of-the-operator" || seen.Get("X-Extra") != "more" || !strings.Contains(asked, `"up-1"`) {
		t.Errorf("the provider got %v and %s", seen, asked)
	}
	mu.Unlock()
	i.served("named")
	if response, text := i.send(http.MethodPost, chatPath, agentKey, chat("named", false)); response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("the third call of the day answers %d: %s", response.StatusCode, text)
	}
	eventually(t, func() error {
		if _, point := i.send(http.MethodGet, "/audit/checkpoint", adminKey, ""); !strings.HasPrefix(point, "log.example/acme\n") {
			return fmt.Errorf("the checkpoint is %q", point)
		}
		return nil
	})
}

// Neither the start nor /readyz nor the health report waits for, or even speaks to, what is behind: all of it may be dead.
func TestReadyWithDeadUpstreams(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Accepts in the kernel and never answers.
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	i := started(t, t.TempDir(), someKeys+fmt.Sprintf(`
providers:
  dead: {kind: openai_compatible, base_url: "http://%[1]s/v1"}
models:
  dead: {provider: dead, price: {input: 1, output: 2}}
mcp_servers:
  silent: {url: "http://%[1]s/mcp"}
  missing: {command: [%[2]s]}
`, silent.Addr(), filepath.Join(t.TempDir(), "no-such-program")))
	i.client.Timeout = readyWait // Whoever waited for an upstream would wait longer.
	for _, path := range []string{"/readyz", "/healthz", "/api/v1/health", "/metrics", "/"} {
		if response, text := i.send(http.MethodGet, path, adminKey, ""); response.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d: %s", path, response.StatusCode, text)
		}
	}
	if err := silent.(*net.TCPListener).SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if c, err := silent.Accept(); err == nil {
		c.Close()
		t.Error("somebody was connected to without a call")
	}
}

// The price table is in the same order whenever it is asked for: the configuration's models first, by name.
func TestPricesAreInOrder(t *testing.T) {
	text := someKeys + simulatedModel
	for _, name := range []string{"zeta", "alpha", "mid", "beta"} {
		text += "  " + name + ": {provider: sim, price: {input: 1, output: 2}}\n"
	}
	i := started(t, t.TempDir(), text)
	var list api.PriceList
	if _, body := i.send(http.MethodGet, "/api/v1/prices", agentKey, ""); json.Unmarshal([]byte(body), &list) != nil || len(list.Items) < 5 {
		t.Fatalf("the table is %s", body)
	}
	got := ""
	for _, p := range list.Items[:5] {
		got += p.Model + " "
	}
	if got != "alpha beta mid small zeta " {
		t.Errorf("the configured models are in the order %s", got)
	}
}
