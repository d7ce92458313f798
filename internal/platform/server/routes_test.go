package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// outside stands for everything that can be billed: a model provider, and an MCP server, of which only calls of tools
// count.
func outside(t *testing.T) (url string, reached *atomic.Int64) {
	t.Helper()
	reached = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/mcp") && introduce(w, r) {
			return
		}
		reached.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(s.Close)
	return s.URL, reached
}

// introduce answers what MCP asks before a tool is called; false for a call.
func introduce(w http.ResponseWriter, r *http.Request) bool {
	var request struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
		Params struct {
			Version string `json:"protocolVersion"`
		} `json:"params"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return true
	}
	result := "{}"
	switch request.Method {
	case "tools/call":
		return false
	case "initialize":
		result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}`, request.Params.Version)
	case "tools/list":
		result = `{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
	}
	if len(request.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result)
	return true
}

const brokeTenants = `
tenants:
  - {id: acme}
  - {id: penniless, budgets: [{unit: usd, per: day, max: 0}]}
  - {id: silenced}
keys:
  - {id: admin, secret: the-admin-key-of-acme, tenant: acme, role: admin, agent: worker}
  - {id: penniless, secret: the-key-of-penniless, tenant: penniless, role: agent, agent: worker}
  - {id: silenced, secret: the-key-of-silenced, tenant: silenced, role: agent, agent: worker}
providers:
  openai: {kind: openai_compatible, base_url: "%[1]s/v1"}
  claude: {kind: anthropic, base_url: "%[1]s", api_key: none}
models:
  small: {provider: openai, price: {input: 1, output: 2}}
  haiku: {provider: claude, price: {input: 1, output: 2}}
mcp_servers:
  tools: {url: "%[1]s/mcp", price: {per_call: 0.01}, tools: {echo: {operation: read}}}
agents:
  - {id: worker, permissions: {tools: [{name: tools.echo, operations: [read], resources: ["*"]}]}}
`

// paid is a request for each route that is paid for. A route that is not here fails the test.
var paid = map[string]struct{ method, path, body string }{
	"POST /v1/chat/completions": {"POST", "/v1/chat/completions", chat("small", false)},
	"POST /v1/messages":         {"POST", "/v1/messages", `{"model":"haiku","max_tokens":16,"messages":[{"role":"user","content":"hi"}]}`},
	"/mcp": {
		"POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tools__echo","arguments":{}}}`,
	},
	"/mcp/{server}": {
		"POST", "/mcp/tools", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}`,
	},
}

// TestRoutesArePaidForOrFree walks the one list of paths: what is paid for is refused to a tenant without money, and to
// one without requests, before anything leaves; what is free reaches nobody.
func TestRoutesArePaidForOrFree(t *testing.T) {
	url, reached := outside(t)
	dir := t.TempDir()
	c := configured(t, dir, fmt.Sprintf(brokeTenants, url))
	// A limit of 0 can not be written, but keys and later versions may have one.
	c.Tenants[2].Limits = []signalbox.Budget{{Unit: signalbox.UnitRequests, Per: signalbox.WindowDay}}
	s, log, err := made(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	i := ran(t, s, log)
	calls := 0
	for _, r := range i.Routes() {
		switch r.Class {
		case ClassCall:
			calls++
			request, known := paid[r.Pattern]
			if !known {
				t.Errorf("the route %s is paid for, and no test sends a request to it", r.Pattern)
				continue
			}
			for _, tenant := range []string{"penniless", "silenced"} {
				t.Run(r.Pattern+" "+tenant, func(t *testing.T) { refusesTheBroke(t, i, request.path, request.body, tenant) })
			}
		case ClassFree:
			method, path, found := strings.Cut(r.Pattern, " ")
			if !found {
				method, path = http.MethodPost, r.Pattern
			}
			path = strings.NewReplacer("{$}", "", "{id...}", "small", "{rest...}", "0/000", "{id}", "small", "{trace_id}", strings.Repeat("1", 32)).Replace(path)
			body := ""
			if method == http.MethodPost {
				body = `{"budget":{"total_max_cost_usd":1},"model":"small","items":[]}`
			}
			if strings.HasSuffix(path, "/events") { // It never ends.
				i.begin(path, adminKey)
				continue
			}
			i.send(method, path, adminKey, body)
		default:
			t.Errorf("the route %s has the class %q", r.Pattern, r.Class)
		}
		if n := reached.Load(); n != 0 {
			t.Fatalf("%s (%s) reached an upstream %d times", r.Pattern, r.Class, n)
		}
	}
	if calls != len(paid) {
		t.Errorf("%d routes are paid for, want %d", calls, len(paid))
	}
	// The same requests do leave where there is money: the test could notice.
	for pattern, request := range paid {
		before := reached.Load()
		i.send(request.method, request.path, adminKey, request.body, "Accept", "application/json, text/event-stream")
		if reached.Load() == before {
			t.Errorf("%s reaches no upstream even with money", pattern)
		}
	}
}

func refusesTheBroke(t *testing.T, i *instance, path, body, tenant string) {
	response, text := i.send(http.MethodPost, path, "the-key-of-"+tenant, body, "Accept", "application/json, text/event-stream")
	want := map[string]string{"penniless": "budget_exhausted", "silenced": "rate_limited"}[tenant]
	if !strings.Contains(text, want) {
		t.Errorf("%d %s; want %s", response.StatusCode, text, want)
	}
}
