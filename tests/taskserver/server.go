package taskserver

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// extension is its name among capabilities.
const extension = "io.modelcontextprotocol/tasks"

// Server is one server. It is safe for concurrent use.
type Server struct {
	URL string

	mu       sync.Mutex
	tasks    map[string]*task
	requests []Request
	refuses  bool
}

// Request is one that the server has got.
type Request struct {
	Method   string
	Name     string // Of the tool, or of the task.
	Declared bool   // That its sender knows tasks.
	Named    string // What the header Mcp-Name says.
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{tasks: map[string]*task{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Requests gives those of that method, in their order.
func (s *Server) Requests(method string) (list []Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.Method == method {
			list = append(list, r)
		}
	}
	return list
}

// Tasks gives the ids of all tasks that the server knows, in no order.
func (s *Server) Tasks() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.tasks {
		ids = append(ids, id)
	}
	return ids
}

// Forget lets the server forget all tasks.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tasks)
}

// Finish ends all tasks that take their time.
func (s *Server) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tasks {
		if len(t.asks) == 0 {
			t.ready = time.Now()
		}
	}
}

// Refuse lets the server answer nothing but that it can not serve, or serve again.
func (s *Server) Refuse(refuses bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = refuses
}

// message is one of a client's.
type message struct {
	ID     json.Value `json:"id"`
	Method string     `json:"method"`
	Params struct {
		Name      string                `json:"name"`
		Task      string                `json:"taskId"`
		Arguments map[string]json.Value `json:"arguments"`
		Responses map[string]json.Value `json:"inputResponses"`
		State     string                `json:"requestState"`
		Meta      struct {
			Version      string `json:"io.modelcontextprotocol/protocolVersion"`
			Capabilities struct {
				Extensions map[string]json.Value `json:"extensions"`
			} `json:"io.modelcontextprotocol/clientCapabilities"`
		} `json:"_meta"`
	} `json:"params"`
}

// declared reports whether the client knows tasks.
func (m *message) declared() bool { return m.Params.Meta.Capabilities.Extensions[extension] != nil }

// failure is an error of JSON-RPC.
type failure struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Data    json.Value `json:"data,omitzero"`
}

// ServeHTTP serves one message.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m message
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || json.Unmarshal(body, &m) != nil || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	seen := Request{Method: m.Method, Name: m.Params.Name + m.Params.Task, Declared: m.declared(), Named: r.Header.Get("Mcp-Name")}
	s.requests = append(s.requests, seen)
	result, failed := s.answer(&m, seen)
	w.Header().Set("Content-Type", "application/json")
	if failed != nil {
		text, _ := json.Marshal(failed) // It always can be written.
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":%s}`, m.ID, text)
		return
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// answer answers a message: with a result, or with an error.
func (s *Server) answer(m *message, seen Request) (string, *failure) {
	named := strings.HasPrefix(m.Method, "tasks/") || m.Method == "tools/call"
	switch {
	case m.Params.Meta.Version != "2026-07-28":
		return "", &failure{Code: -32022, Message: "another version"}
	case named && seen.Named != seen.Name:
		return "", &failure{Code: -32020, Message: "the header Mcp-Name says something else"}
	case strings.HasPrefix(m.Method, "tasks/") && !m.declared():
		return "", undeclared()
	}
	switch m.Method {
	case "server/discover":
		return `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"extensions":{"` + extension + `":{}}},"ttlMs":0,"cacheScope":"private"}`, nil
	case "tools/list":
		return `{"resultType":"complete","tools":[` + listing() + `],"ttlMs":0,"cacheScope":"private"}`, nil
	case "tools/call":
		return s.call(m)
	case "tasks/get", "tasks/update", "tasks/cancel":
		return s.about(m)
	}
	return "", &failure{Code: -32601, Message: "no such method"}
}

func undeclared() *failure {
	return &failure{Code: -32021, Message: "the client does not know tasks", Data: json.Value(`{"requiredCapabilities":{"extensions":{"` + extension + `":{}}}}`)}
}

// listing writes the tools.
func listing() string {
	names := []string{"greet", "slow_compute", "failing_job", "protocol_error_job", "confirm_delete", "multi_input", "test_tool_with_task"}
	list := make([]string, 0, len(names))
	for _, name := range names {
		list = append(list, fmt.Sprintf(`{"name":%q,"description":"A tool for tests.","inputSchema":{"type":"object"}}`, name))
	}
	return strings.Join(list, ",")
}

// call answers a call of a tool.
func (s *Server) call(m *message) (string, *failure) {
	now := time.Now()
	t := &task{id: rand.Text(), tool: m.Params.Name, created: now, updated: now, ready: now.Add(100 * time.Millisecond)}
	switch t.tool {
	case "greet":
		return said("Hello, "+text(m.Params.Arguments["name"])+"!", false), nil
	case "slow_compute":
		var seconds float64
		if err := json.Unmarshal(m.Params.Arguments["seconds"], &seconds); err != nil || seconds == 0 || !m.declared() {
			return said("computed", false), nil
		}
		t.ready = now.Add(time.Duration(seconds * float64(time.Second)))
	case "failing_job", "protocol_error_job":
		if !m.declared() {
			return "", undeclared()
		}
	case "confirm_delete":
		t.asks = []string{"confirm"}
	case "multi_input":
		t.asks = []string{"first", "second"}
	case "test_tool_with_task":
		answer := m.Params.Responses["user_name"]
		if answer == nil || m.Params.State != "asked" {
			return `{"resultType":"input_required","requestState":"asked","inputRequests":{"user_name":` + question("Who are you?") + `}}`, nil
		}
		t.said = string(answer)
	default:
		return "", &failure{Code: -32602, Message: "no such tool"}
	}
	if !m.declared() {
		return said("done at once", false), nil
	}
	s.tasks[t.id] = t
	return t.view("task", false), nil
}

// about answers a message about a task.
func (s *Server) about(m *message) (string, *failure) {
	t := s.tasks[m.Params.Task]
	if t == nil {
		return "", &failure{Code: -32602, Message: "no such task"}
	}
	switch m.Method {
	case "tasks/update":
		for key, answer := range m.Params.Responses {
			if i := slices.Index(t.asks, key); i >= 0 {
				t.asks = slices.Delete(t.asks, i, i+1)
				t.said += string(answer)
				t.updated, t.ready = time.Now(), time.Now()
			}
		}
	case "tasks/cancel":
		if t.status() == "working" || t.status() == "input_required" {
			t.cancelled, t.updated = true, time.Now()
		}
	default:
		return t.view("complete", true), nil
	}
	return `{"resultType":"complete"}`, nil
}
