package mcppeers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// claudeCode is an agent that makes its requests in the shape in which Claude Code 2.1 makes them. That shape is taken from
// what people have recorded on the wire and published of versions 2.1.221 and 2.1.233: it speaks 2025-11-25 (also where the
// server knows a newer version), begins with the id 0, has the members of a message in this order, lists what the server has
// besides tools, opens the GET stream, and ends without a DELETE. Each call of a tool has the id of the model's tool_use.
const claudeCode = "claude-code"

const claudeHello = `{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"elicitation":{}},` +
	`"clientInfo":{"name":"claude-code","title":"Claude Code","version":"2.1.233","description":"Anthropic's agentic coding tool",` +
	`"websiteUrl":"https://claude.com/claude-code"}},"jsonrpc":"2.0","id":0}`

// claude is one connection of it.
type claude struct {
	url     string
	session string
	version string
	id      int
	heard   func(message []byte) // Of each message in a stream; may be nil.
}

// post sends a message and gives the messages of the answer.
func (c *claude) post(ctx context.Context, body string) (status int, messages [][]byte, err error) {
	r, err := c.request(ctx, http.MethodPost, body, "application/json, text/event-stream")
	if err != nil {
		return 0, nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	if id := response.Header.Get("Mcp-Session-Id"); id != "" {
		c.session = id
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok && len(data) > 0 { // Some servers begin with an empty event.
				messages = append(messages, bytes.Clone(data))
				c.answer(ctx, data)
				if c.heard != nil {
					c.heard(data)
				}
			}
		}
		return response.StatusCode, messages, lines.Err()
	}
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, [][]byte{b}, err
}

func (c *claude) request(ctx context.Context, method, body, accept string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("User-Agent", "claude-code/2.1.233 (sdk-cli)")
	r.Header.Set("Authorization", "Bearer "+harness.Agent)
	r.Header.Set("X-Signalbox-Agent", claudeCode)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	if c.version != "" {
		r.Header.Set("Mcp-Protocol-Version", c.version)
	}
	return r, nil
}

// answer answers what a server asks, as Claude Code does where nobody sits before it.
func (c *claude) answer(ctx context.Context, message []byte) {
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if json.Unmarshal(message, &m) == nil && m.ID != nil && m.Method == "elicitation/create" {
		_, _, _ = c.post(ctx, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"action":"cancel"}}`) // The tool's answer shows it.
	}
}

// ask makes a request and gives its result, or its error, as it stands in the last message.
func (c *claude) ask(t *testing.T, method, params string) (result, failure json.RawMessage) {
	t.Helper()
	c.id++
	body := fmt.Sprintf(`{"method":%q,"params":%s,"jsonrpc":"2.0","id":%d}`, method, params, c.id)
	if params == "" {
		body = fmt.Sprintf(`{"method":%q,"jsonrpc":"2.0","id":%d}`, method, c.id)
	}
	_, messages, err := c.post(t.Context(), body)
	if err != nil || len(messages) == 0 {
		t.Fatalf("%s: %v, %d messages", method, err, len(messages))
	}
	var m struct {
		ID            int
		Result, Error json.RawMessage
	}
	if err := json.Unmarshal(messages[len(messages)-1], &m); err != nil || m.ID != c.id {
		t.Fatalf("%s: %v: %s", method, err, messages[len(messages)-1])
	}
	return m.Result, m.Error
}

// call calls a tool as the model's tool_use asks for it.
func (c *claude) call(t *testing.T, name, arguments string) (result, failure json.RawMessage) {
	t.Helper()
	return c.ask(t, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s,"_meta":{"claudecode/toolUseId":"toolu_%s","progressToken":%d}}`, name, arguments, name, c.id+1))
}

// hello opens a connection: the handshake, and the stream on which it hears of changes.
func hello(t *testing.T, url string) *claude {
	t.Helper()
	c := &claude{url: url}
	status, messages, err := c.post(t.Context(), claudeHello)
	if err != nil || status != http.StatusOK || !strings.Contains(string(messages[0]), `"protocolVersion":"2025-11-25"`) || c.session == "" {
		t.Fatalf("%d, %v, session %q: %s", status, err, c.session, messages)
	}
	c.version = "2025-11-25"
	if status, _, err := c.post(t.Context(), `{"method":"notifications/initialized","jsonrpc":"2.0"}`); err != nil || status != http.StatusAccepted {
		t.Fatalf("%d, %v", status, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := c.request(ctx, http.MethodGet, "", "text/event-stream")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Body.Close() })
	if stream.StatusCode != http.StatusOK || !strings.HasPrefix(stream.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("the stream is answered with %s, %s", stream.Status, stream.Header.Get("Content-Type"))
	}
	return c
}

// claude does at each path what Claude Code does. What servers answer must reach it byte for byte.
func (w *world) claude(t *testing.T) {
	direct := w.spoken(t, files, `{"name":"list_allowed_directories","arguments":{}}`, `{"name":"read_text_file","arguments":{"path":"`+w.shelf+`/rules.txt"}}`)
	for _, c := range []struct{ path, prefix string }{{"/mcp/files", ""}, {"/mcp", "files__"}} {
		t.Run(c.path, func(t *testing.T) {
			cc := hello(t, w.URL+c.path)
			for _, method := range []string{"tools/list", "prompts/list", "resources/list"} {
				if result, failure := cc.ask(t, method, ""); failure != nil || !bytes.Contains(result, []byte(`"`+strings.TrimSuffix(method, "/list")+`":[`)) {
					t.Errorf("%s: %s %s", method, result, failure)
				}
			}
			got, failure := cc.call(t, c.prefix+"read_text_file", `{"path":"`+w.shelf+`/rules.txt"}`)
			if want := direct[1]; !bytes.Equal(unadorned(got), want) {
				t.Errorf("got %s %s, want %s", got, failure, want)
			}
			_, failure = cc.call(t, c.prefix+"list_allowed_directories", `{}`)
			if !bytes.Contains(failure, []byte(`"code":"forbidden"`)) || len(direct[0]) == 0 {
				t.Errorf("got %s, the server itself gives %s", failure, direct[0])
			}
		})
	}
	t.Run("the same bytes", func(t *testing.T) {
		direct, through := hello(t, w.servers[everything].url), hello(t, w.URL+"/mcp/"+everything)
		for tool, arguments := range exact {
			want, _ := direct.call(t, tool, arguments)
			if got, failure := through.call(t, tool, arguments); want == nil || !bytes.Equal(unadorned(got), want) {
				t.Errorf("%s: got %s %s, want %s", tool, got, failure, want)
			}
		}
	})
	t.Run("a question that nobody answers", func(t *testing.T) {
		cc := hello(t, w.URL+"/mcp/"+everything)
		result, failure := cc.call(t, "trigger-elicitation-request", `{}`)
		if !bytes.Contains(result, []byte("cancelled the elicitation")) {
			t.Errorf("got %s %s", result, failure)
		}
	})
	t.Run("giving up", func(t *testing.T) { w.claudeGivesUp(t) })
	t.Run("lost session", func(t *testing.T) {
		cc := hello(t, w.URL+"/mcp/files")
		cc.session = "forgotten"
		if status, messages, err := cc.post(t.Context(), `{"method":"tools/list","jsonrpc":"2.0","id":9}`); err != nil || status != http.StatusNotFound {
			t.Errorf("got %d, %v: %s; it begins anew only at 404", status, err, messages)
		}
	})
}

// exact are tools of server-everything whose results are always the same, and arguments of them.
var exact = map[string]string{
	"echo":                   `{"message":"신호 \u2028 <b>&amp;</b> \ud83d\ude82 \"quoted\" \\"}`,
	"get-sum":                `{"a":0.1,"b":0.2}`,
	"get-tiny-image":         `{}`,
	"get-annotated-message":  `{"messageType":"debug","includeImage":true}`,
	"get-structured-content": `{"location":"New York"}`,
	"get-resource-links":     `{"count":3}`,
}

// claudeGivesUp: it tells of a call that takes too long, and the server is told.
func (w *world) claudeGivesUp(t *testing.T) {
	cc := hello(t, w.URL+"/mcp/"+railway)
	works, done := make(chan struct{}), make(chan error, 1)
	cc.heard = func(message []byte) {
		if bytes.Contains(message, []byte("notifications/progress")) {
			close(works)
		}
	}
	go func() {
		_, _, err := cc.post(t.Context(), `{"method":"tools/call","params":{"name":"wait","arguments":{"key":"claude"},"_meta":{"claudecode/toolUseId":"toolu_w","progressToken":77}},"jsonrpc":"2.0","id":77}`)
		done <- err
	}()
	select {
	case <-works:
	case err := <-done:
		t.Fatalf("the call is over: %v", err)
	}
	if status, _, err := cc.post(t.Context(), `{"method":"notifications/cancelled","params":{"requestId":77,"reason":"McpError: MCP error -32001: Request timed out"},"jsonrpc":"2.0"}`); err != nil || status != http.StatusAccepted {
		t.Errorf("got %d, %v", status, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if result, failure := cc.call(t, "given", `{"key":"claude"}`); !bytes.Contains(result, []byte(`"1"`)) {
		t.Errorf("the server was not told: %s %s", result, failure)
	}
}

// unadorned gives a result without the member that only the newest version has, and that Signalbox adds at its beginning.
func unadorned(result []byte) []byte {
	return bytes.Replace(result, []byte(`"resultType":"complete",`), nil, 1)
}

// spoken calls tools of a server over its own standard input and output, and gives the results as it wrote them.
func (w *world) spoken(t *testing.T, id string, calls ...string) (results [][]byte) {
	t.Helper()
	command := w.servers[id].command
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // Its answers are what counts.
	})
	fmt.Fprintln(in, claudeHello)
	fmt.Fprintln(in, `{"method":"notifications/initialized","jsonrpc":"2.0"}`)
	lines := bufio.NewReader(out)
	for n := range len(calls) + 1 {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(line, []byte(`"method":"roots/list"`)) {
			line, err = lines.ReadBytes('\n')
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			var m struct{ Result json.RawMessage }
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			results = append(results, m.Result)
		}
		if n < len(calls) {
			fmt.Fprintf(in, `{"method":"tools/call","params":%s,"jsonrpc":"2.0","id":%d}`+"\n", calls[n], n+1)
		}
	}
	return results
}

// claudeTally is what the log must have of it.
func claudeTally() tally {
	n := tally{}
	n.add("files.read_text_file", signalbox.OutcomeOK, price, 2)
	n.add("files.list_allowed_directories", signalbox.OutcomeDenied, "-", 2)
	for tool := range exact {
		n.add("everything."+tool, signalbox.OutcomeOK, price, 1)
	}
	n.add("everything.trigger-elicitation-request", signalbox.OutcomeOK, price, 1)
	n.add("everything.elicitation/create", signalbox.OutcomeOK, "0", 1)
	n.add("railway.wait", signalbox.OutcomeCancelled, price, 1)
	n.add("railway.given", signalbox.OutcomeOK, price, 1)
	return n
}
