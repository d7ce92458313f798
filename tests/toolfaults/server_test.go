package toolfaults

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Tools of every server: one that works, and one that breaks in the way of its server.
const (
	toolGood   = "good"
	toolBroken = "broken"
	goodText   = "The route is set."
)

const (
	goodResult = `{"content":[{"type":"text","text":"` + goodText + `"}]}`
	toolList   = `{"tools":[{"name":"` + toolGood + `","inputSchema":{"type":"object"}},{"name":"` + toolBroken + `","inputSchema":{"type":"object"}}],"ttlMs":60000,"cacheScope":"private"}`
)

// tooLarge is more than any message may have.
const tooLarge = 17 << 20

// exchange is one request of a fault's, and its answer under way.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	id     string // Of the message, as written.
	stream bool   // The server answers in events.
}

// server is an MCP server with one fault in one manner: its path is /era/manner/fault.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int // Of the broken tool, by path.
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{calls: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// ServeHTTP speaks the protocol of the era that the path names, and breaks for the broken tool.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if err != nil || len(part) != 3 || r.Method != http.MethodPost || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusOK) // The end of a session, say.
		return
	}
	x := &exchange{w: w, r: r, id: string(m.ID), stream: part[1] == inEvents}
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "server/discover" && part[0] == modern:
		x.result(`{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`)
	case m.Method == "initialize" && part[0] == legacy:
		w.Header().Set("Mcp-Session-Id", "session")
		x.result(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}`)
	case m.Method == "tools/list":
		x.result(toolList)
	case m.Method == "tools/call" && m.Params.Name == toolBroken:
		s.mu.Lock()
		s.calls[r.URL.Path]++
		s.mu.Unlock()
		httpFaults[part[2]].answer(x)
	case m.Method == "tools/call":
		x.result(goodResult)
	default:
		x.write(`{"jsonrpc":"2.0","id":` + x.id + `,"error":{"code":-32601,"message":"Method not found"}}`)
	}
}

// callsOf is how often the broken tool was called.
func (s *server) callsOf(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

func (x *exchange) message(result string) string {
	return `{"jsonrpc":"2.0","id":` + x.id + `,"result":` + result + `}`
}

func (x *exchange) result(result string) { x.write(x.message(result)) }

// framed is a message as the server's manner has it.
func (x *exchange) framed(message string) string {
	if x.stream {
		return "event: message\ndata: " + message + "\n\n"
	}
	return message
}

func (x *exchange) head() {
	x.w.Header().Set("Content-Type", "application/json")
	if x.stream {
		x.w.Header().Set("Content-Type", "text/event-stream")
	}
}

// write answers with one whole message.
func (x *exchange) write(message string) { x.raw(x.framed(message)) }

// raw answers with a body as it is.
func (x *exchange) raw(body string) {
	x.head()
	io.WriteString(x.w, body) // Whether the client is there is not our matter.
}

// part sends something and keeps the answer open.
func (x *exchange) part(body string) {
	x.head()
	x.w.WriteHeader(http.StatusOK)
	io.WriteString(x.w, body) // As above.
	http.NewResponseController(x.w).Flush()
}

// wait waits until the client has left.
func (x *exchange) wait() { <-x.r.Context().Done() }

// drop cuts the connection, by a reset or an orderly end.
func (x *exchange) drop(reset bool, sent string) {
	conn, b, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return
	}
	b.WriteString(sent)
	b.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		time.Sleep(20 * time.Millisecond) // Else what was sent may be lost with the connection.
		tcp.SetLinger(0)
	}
	conn.Close()
}

func (x *exchange) rawHead(length int) string {
	kind := "application/json"
	if x.stream {
		kind = "text/event-stream"
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", kind, length)
}

// drip sends bytes one by one, far too slowly.
func (x *exchange) drip(text string, first int) {
	conn, b, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	b.WriteString(text[:first])
	b.Flush()
	for i := first; i < len(text); i++ {
		time.Sleep(100 * time.Millisecond)
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

// status answers with nothing but a status.
func (x *exchange) status(status int, header ...string) {
	for i := 0; i+1 < len(header); i += 2 {
		x.w.Header().Set(header[i], header[i+1])
	}
	x.w.Header().Set("Content-Type", "text/html")
	x.w.WriteHeader(status)
	fmt.Fprintf(x.w, "<h1>%s</h1>", secret)
}

// secret is in everything that a server says and nobody may see.
const secret = "sk-proj-ToolServerSecret0123456789abcdef"

// bomb is little that becomes far too much.
var bomb = sync.OnceValue(func() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(bytes.Repeat([]byte{' '}, tooLarge)) // Into memory.
	z.Close()
	return b.String()
})

func (x *exchange) bomb() {
	x.w.Header().Set("Content-Encoding", "gzip")
	x.raw(bomb())
}

// flood sends notifications for as long as the client takes them.
func (x *exchange) flood() {
	x.head()
	notice := x.framed(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`)
	for x.r.Context().Err() == nil {
		if _, err := io.WriteString(x.w, notice); err != nil {
			return
		}
	}
}
