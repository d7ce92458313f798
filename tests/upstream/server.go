package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// What every good answer says and uses.
const (
	Text      = "The box holds the train until its route is clear."
	Input     = 100 // Tokens, those of CacheRead included.
	CacheRead = 40
	Arguments = `{"city":"Seoul","days":3}` // Of a tool call.

	// Long is a model whose stream has [LongEvents] words, one every [LongPace].
	Long       = "long"
	LongEvents = 240
	LongPace   = 25 * time.Millisecond
)

// Output is the tokens of a good answer in text.
func Output() int64 { return int64(len(words(Text))) }

// maxBody bounds what is read of a request.
const maxBody = 64 << 20

// Request is one request as the provider saw it.
type Request struct {
	ID     string // X-Request-Id.
	Path   string
	Model  string
	Stream bool
	Header http.Header
	Body   []byte
	Events int   // Events of a stream that were sent.
	Billed int64 // Output tokens that a provider would bill for what it has sent.
	Left   bool  // The client went away before the answer was whole.
	Ended  bool  // The provider is done with it.
}

// Server is the provider. It is safe for concurrent use.
type Server struct {
	URL string // Without a path; the APIs are under /v1.

	http *httptest.Server

	mu   sync.Mutex
	seen []*Request
}

// New starts a provider on a free port.
func New() *Server {
	s := &Server{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, openAI{}) })
	mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, anthropic{}) })
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL
	return s
}

// Close ends every connection and the server.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Requests gives copies of all requests with the id, in the order in which they came; every request for "".
func (s *Server) Requests(id string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.seen {
		if id == "" || r.ID == id {
			found = append(found, *r)
		}
	}
	return found
}

// ask is what the provider reads of a request.
type ask struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Tools    []json.Value `json:"tools"`
	Messages []json.Value `json:"messages"`

	tool     string // The tool to call, "" to answer in text.
	noUsage  bool
	negative bool // Usage is below zero.
	words    []string
}

// exchange is one request and its answer under way.
type exchange struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	api    dialect
	ask    ask
	seen   *Request
}

// dialect is one provider's wire format.
type dialect interface {
	toolName(tool []byte) string
	hasResult(message []byte) bool
	unary(a ask) []byte
	events(a ask) []event // In order; the last one closes the answer.
	failure(kind, message string) []byte
	failureEvent(kind, message string) []byte
}

// event is one event of a stream, and how many output tokens it carries.
type event struct {
	raw    []byte
	tokens int64
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, api dialect) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	x := &exchange{server: s, w: w, r: r, api: api}
	x.seen = &Request{ID: r.Header.Get("X-Request-Id"), Path: r.URL.Path, Header: r.Header.Clone(), Body: body}
	if err := json.Unmarshal(body, &x.ask); err != nil {
		x.status(http.StatusBadRequest, "invalid_request_error", err.Error())
		return
	}
	x.seen.Model, x.seen.Stream = x.ask.Model, x.ask.Stream
	s.mu.Lock()
	s.seen = append(s.seen, x.seen)
	s.mu.Unlock()
	defer x.note(func(q *Request) { q.Ended = true })
	x.choose()
	x.answer()
}

// choose decides between text and a tool call, and how long the text is.
func (x *exchange) choose() {
	x.ask.words = words(Text)
	if x.ask.Model == Long {
		x.ask.words = words(strings.Repeat("word ", LongEvents))
	}
	for _, m := range x.ask.Messages {
		if x.api.hasResult(m) {
			return
		}
	}
	if len(x.ask.Tools) > 0 {
		x.ask.tool = x.api.toolName(x.ask.Tools[0])
	}
}

// answer answers well, or breaks as the model's name says.
func (x *exchange) answer() {
	name, faulty := strings.CutPrefix(x.ask.Model, "fault-")
	if !faulty {
		x.good()
		return
	}
	fault, known := faults[name]
	if !known {
		x.status(http.StatusNotFound, "not_found_error", "there is no fault "+name)
		return
	}
	fault(x)
}

func (x *exchange) good() {
	if !x.ask.Stream {
		x.whole(x.api.unary(x.ask))
		x.note(func(q *Request) { q.Billed = int64(len(x.ask.words)) })
		return
	}
	pace := time.Duration(0)
	if x.ask.Model == Long {
		pace = LongPace
	}
	x.begin()
	x.send(x.api.events(x.ask), pace)
}

// whole writes a body that is all there is.
func (x *exchange) whole(body []byte) {
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("X-Request-Id", "req_upstream")
	x.w.Write(body) // Whether the client is there is noted elsewhere.
}

// status answers with an error.
func (x *exchange) status(status int, kind, message string) {
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	x.w.Write(x.api.failure(kind, message)) // As above.
}

// begin writes the head of a stream.
func (x *exchange) begin() {
	x.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	x.w.WriteHeader(http.StatusOK)
	x.flush()
}

func (x *exchange) flush() {
	http.NewResponseController(x.w).Flush() // As above.
}

// send writes events one by one and reports whether the client stayed.
func (x *exchange) send(events []event, pace time.Duration) bool {
	for _, e := range events {
		if !x.wait(pace) {
			return false
		}
		if _, err := x.w.Write(e.raw); err != nil {
			x.left()
			return false
		}
		x.flush()
		x.note(func(q *Request) { q.Events++; q.Billed += e.tokens })
	}
	return true
}

// wait pauses and reports whether the client stayed.
func (x *exchange) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
		x.left()
		return false
	}
}

func (x *exchange) left() { x.note(func(q *Request) { q.Left = true }) }

func (x *exchange) note(change func(*Request)) {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	change(x.seen)
}

// words splits a text into pieces that give it when joined.
func words(text string) []string { return strings.SplitAfter(strings.TrimSpace(text), " ") }

// Disconnect closes every connection, those in use too.
func (s *Server) Disconnect() { s.http.CloseClientConnections() }
