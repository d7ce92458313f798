// Package api holds the control API, the headers, the traces, the metrics and the log of the real binary to what they
// promise, as programs see them that know nothing of its insides: an OTLP receiver, an MCP client and server, providers,
// and the readers of a transparency log.
package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"
)

// ask is the body of a call of a model; both APIs take it.
func ask(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":64,"messages":[{"role":"user","content":"How does a signal box work?"}]}`, model, stream)
}

// bench is an instance with providers and a tool server behind it.
type bench struct {
	*harness.Instance
	up   *upstream.Server
	tool *toolServer
}

// behind are the providers, models and servers of a bench.
func behind(up, tool string) string {
	return fmt.Sprintf(`providers:
  openai: {kind: openai_compatible, base_url: %[1]s/v1, api_key: sk-operators-own-key-0001}
  anthropic: {kind: anthropic, base_url: %[1]s/v1, api_key: sk-ant-operators-own-key-01, baggage: true}
  sim: {kind: simulated, simulated: {latency: {p50: 0ms, p95: 0ms}, tokens_per_second: 100000}}
models:
  gpt: {provider: openai, model: up-gpt, price: {input: 1, output: 2, cache_read: 0.5}}
  claude: {provider: anthropic, model: up-claude, price: {input: 1, output: 2, cache_read: 0.5}}
  broken: {provider: openai, model: fault-overloaded, price: {input: 1, output: 2}, fallbacks: [claude]}
  long: {provider: openai, model: long, price: {input: 1, output: 2}}
  sim: {provider: sim, price: {input: 1, output: 2}}
mcp_servers:
  files: {url: %[2]s, price: {per_call: 0.002}, tools: {read: {operation: read, resources: [{arg: path, kind: path}]}}}
agents:
  - {id: planner, role: planning, permissions: {tools: [{name: files.read, operations: [read], resources: ["*.txt"]}]}}
`, up, tool)
}

func start(t *testing.T, env ...string) bench {
	t.Helper()
	up := upstream.New()
	t.Cleanup(up.Close)
	tool := newToolServer(t)
	return bench{harness.Start(t, harness.Options{Config: behind(up.URL, tool.URL), Env: env}), up, tool}
}

// toolServer is an MCP server made with the official SDK; it keeps the calls of tools as they came.
type toolServer struct {
	*httptest.Server
	mu    sync.Mutex
	calls []json.Value
}

type reading struct {
	Path string `json:"path"`
}

func newToolServer(t *testing.T) *toolServer {
	t.Helper()
	s := &toolServer{}
	server := mcp.NewServer(&mcp.Implementation{Name: "files", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "read", Description: "Reads a file."},
		func(_ context.Context, _ *mcp.CallToolRequest, in reading) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "content of " + in.Path}}}, nil, nil
		})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.Contains(string(body), `"tools/call"`) {
			s.mu.Lock()
			s.calls = append(s.calls, body)
			s.mu.Unlock()
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// last gives the params of the last call of a tool.
func (s *toolServer) last(t *testing.T) (params struct {
	Meta map[string]json.Value `json:"_meta"`
},
) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		t.Fatal("no tool was called")
	}
	message := struct {
		Params *struct {
			Meta map[string]json.Value `json:"_meta"`
		} `json:"params"`
	}{}
	if err := json.Unmarshal(s.calls[len(s.calls)-1], &message); err != nil || message.Params == nil {
		t.Fatalf("%v: %s", err, s.calls[len(s.calls)-1])
	}
	params.Meta = message.Params.Meta
	return params
}

// withHeaders adds headers to what an SDK sends, and keeps those of the last answer to a POST.
type withHeaders struct {
	header map[string]string
	mu     sync.Mutex
	last   http.Header
}

func (h *withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range h.header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && response.Header.Get("X-Signalbox-Call") != "" {
		h.mu.Lock()
		h.last = response.Header.Clone()
		h.mu.Unlock()
	}
	return response, err
}

// callTool calls files.read through the bench and gives the headers of the answer.
func (b bench) callTool(t *testing.T, header map[string]string) http.Header {
	t.Helper()
	sent := map[string]string{"Authorization": "Bearer " + harness.Agent, "X-Signalbox-Agent": "planner"}
	for name, value := range header {
		sent[name] = value
	}
	carrier := &withHeaders{header: sent}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: b.URL + "/mcp/files", HTTPClient: &http.Client{Transport: carrier}, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "read", Arguments: map[string]any{"path": "note.txt"}})
	if err != nil || result.IsError {
		t.Fatalf("%v %+v", err, result)
	}
	carrier.mu.Lock()
	defer carrier.mu.Unlock()
	return carrier.last
}
