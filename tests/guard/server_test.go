package guard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// What is personal, and must not be where it is masked or blocked.
const (
	mail   = "kim.minsu@example.com"
	phone  = "010-9876-5432"
	card   = "4111 1111 1111 1111"
	secret = "hunter2-and-more"
)

// server is an MCP server of the older kind that keeps every byte it is sent.
type server struct {
	*httptest.Server
	mu  sync.Mutex
	got strings.Builder
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// received is all that has come so far.
func (s *server) received() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// Results of the server. The text of the first one repeats its structure, with an escape.
const (
	structure = `{"user":{"mail":"` + mail + `","password":"` + secret + `"},"note":"call ` + phone + `","n":1.50}`
	asText    = `{\"user\":{\"mail\":\"kim.minsu\\u0040example.com\",\"password\":\"` + secret + `\"},\"note\":\"call ` + phone + `\",\"n\":1.50}`
	person    = `{"content":[{"type":"text","text":"` + asText + `"},{"type":"image","data":"iVBORw0KGgo=","mimeType":"image/png"}],"structuredContent":` + structure + `,"later":{"x":1}}`
	named     = `{"content":[],"structuredContent":{"` + mail + `":1}}`
	resource  = `{"contents":[{"uri":"file:///a","text":"` + mail + `"},{"uri":"file:///b","blob":"aGVsbG8="}]}`
	prompt    = `{"messages":[{"role":"user","content":{"type":"text","text":"write to ` + mail + `"}}]}`
	complete  = `{"completion":{"values":["` + mail + `","plain"],"total":2}}`
	failure   = `"error":{"code":-32000,"message":"no such user ` + mail + `","data":{"hint":"call ` + phone + `"}}`
	beside    = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"looking for ` + mail + `"}}`
)

// tools are listed; all of them take anything.
var tools = []string{"person", "named", "fail", "huge", "move", "open", "flagged", "plain", "risky"}

// ServeHTTP answers one message.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	s.mu.Lock()
	fmt.Fprintf(&s.got, "%s %v\n%s\n", r.URL, r.Header, body)
	s.mu.Unlock()
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
		Params struct {
			Name string `json:"name"`
			Meta struct {
				Token json.Value `json:"progressToken"`
			} `json:"_meta"`
		} `json:"params"`
	}
	if err != nil || r.Method != http.MethodPost || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusOK) // The end of a session, say.
		return
	}
	if m.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	answer := func(text string) string { return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,` + text + `}` }
	text := answer(result(m.Method, m.Params.Name))
	if token := m.Params.Meta.Token; token != nil {
		w.Header().Set("Content-Type", "text/event-stream")
		progress := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + string(token) + `,"progress":1,"message":"found ` + mail + `"}}`
		for _, event := range []string{progress, beside, text} {
			fmt.Fprintf(w, "data: %s\n\n", event)
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, text) // Who does not hear it has gone.
}

// result is what the server answers: a result, or an error.
func result(method, name string) string {
	switch {
	case method == "initialize":
		return `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{},"completions":{},"logging":{}},"serverInfo":{"name":"desk","version":"1"}}`
	case method == "tools/list":
		var list []string
		for _, tool := range tools {
			list = append(list, fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, tool))
		}
		return `"result":{"tools":[` + strings.Join(list, ",") + `]}`
	case method == "resources/list":
		return `"result":{"resources":[{"uri":"file:///a","name":"a"}]}`
	case method == "prompts/list":
		return `"result":{"prompts":[{"name":"letter"}]}`
	case method == "resources/read":
		return `"result":` + resource
	case method == "prompts/get":
		return `"result":` + prompt
	case method == "completion/complete":
		return `"result":` + complete
	case method == "tools/call" && name == "fail":
		return failure
	case method == "tools/call" && name == "named":
		return `"result":` + named
	case method == "tools/call" && name == "huge":
		return `"result":{"content":[{"type":"text","text":"` + strings.Repeat("very long ", 450_000) + `"}]}`
	case method == "tools/call" && name == "plain":
		return `"result":{"content":[{"type":"text","text":"done"}]}`
	case method == "tools/call":
		return `"result":` + person
	}
	return `"error":{"code":-32601,"message":"Method not found"}`
}
