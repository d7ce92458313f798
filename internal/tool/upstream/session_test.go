package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// forgetful stands before a legacy server and answers requests of sessions that it has forgotten in its own way.
type forgetful struct {
	http.Handler
	forgotten sync.Map // Ids of sessions.
	current   atomic.Value
	refused   atomic.Int64
	calls     atomic.Int64 // Of tools, that were handed on.
	always    bool
	answer    func(w http.ResponseWriter, body string)
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Mcp-Session-Id")
	body, _ := io.ReadAll(r.Body) // What is missing will be missed.
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	call := strings.Contains(string(body), rpc.MethodCallTool)
	if _, gone := f.forgotten.Load(id); id != "" && r.Method == http.MethodPost && (gone || f.always && call) {
		f.refused.Add(1)
		f.answer(w, string(body))
		return
	}
	if call {
		f.calls.Add(1)
	}
	f.current.Store(id)
	f.Handler.ServeHTTP(w, r)
}

// restart forgets the session.
func (f *forgetful) restart() { f.forgotten.Store(f.current.Load(), true) }

func notFound(w http.ResponseWriter, _ string) { http.Error(w, "no such session", http.StatusNotFound) }

func withJSON(status int, body string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const noSession = `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`

// legacyHTTP is a server whose sessions are nothing but ids, so that one may be forgotten without leaving something behind.
func legacyHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // As above.
	m, _ := rpc.Decode(body)
	results := map[string]string{
		rpc.MethodInitialize: `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}`,
		rpc.MethodListTools:  `{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`,
		rpc.MethodCallTool:   `{"content":[]}`,
	}
	result, known := results[m.Method]
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case !known:
		withJSON(http.StatusOK, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":{"code":-32601,"message":"unknown"}}`)(w, "")
	default:
		if m.Method == rpc.MethodInitialize {
			w.Header().Set("Mcp-Session-Id", signalbox.NewID("s_", time.Now()))
		}
		withJSON(http.StatusOK, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":`+result+`}`)(w, "")
	}
}

// newForgetful gives a server that is connected, and has answered a call.
func newForgetful(t *testing.T, answer func(http.ResponseWriter, string)) (*Servers, *forgetful) {
	t.Helper()
	f := &forgetful{Handler: http.HandlerFunc(legacyHTTP), answer: answer}
	front := httptest.NewServer(f)
	t.Cleanup(front.Close)
	s := newServers(t, Config{ID: "a", URL: front.URL})
	if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
		t.Fatal(err)
	}
	return s, f
}

// A server that says by 404 that it has forgotten the session has not looked at the request: only then it is sent again.
func TestAnExpiredSessionIsOpenedAgainForTheSameCall(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, string){
		"as text": notFound, "as a message": withJSON(404, noSession),
	} {
		t.Run(name, func(t *testing.T) {
			s, f := newForgetful(t, answer)
			for range 3 { // It may happen again and again without a pause: it is no failure.
				f.restart()
				if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
					t.Fatal(err)
				}
			}
			if f.calls.Load() != 4 || f.refused.Load() != 3 {
				t.Errorf("4 calls were carried out %d times and refused %d times, want 3", f.calls.Load(), f.refused.Load())
			}
			f.restart()
			if _, err := s.byID["a"].Tools(t.Context()); err != nil {
				t.Errorf("the list: %v", err)
			}
		})
	}
	t.Run("for many calls at once", func(t *testing.T) {
		s, f := newForgetful(t, notFound)
		f.restart()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := s.byID["a"].started.Load(); n != 2 {
			t.Errorf("%d sessions, want 2", n)
		}
	})
}

func TestAServerThatForgetsEverySessionFailsTheCall(t *testing.T) {
	s, f := newForgetful(t, notFound)
	f.always = true
	_, err := use(t.Context(), s, "a", "echo", `{}`)
	if e := upstreamtest.WantCode(t, err, signalbox.CodeUpstream); !strings.Contains(e.Message, "404") {
		t.Errorf("got %q", e.Message)
	}
	if n := f.refused.Load(); n != 2 {
		t.Errorf("sent %d times, want 2", n)
	}
}

func TestWhatIsNot404ForTheSessionIsNotSentAgain(t *testing.T) {
	t.Run("a 400 for the session: the next call opens one", func(t *testing.T) {
		s, f := newForgetful(t, withJSON(400, noSession))
		f.restart()
		_, err := use(t.Context(), s, "a", "echo", `{}`)
		upstreamtest.WantCode(t, err, signalbox.CodeUpstream)
		if n := f.refused.Load(); n != 1 {
			t.Errorf("sent %d times", n)
		}
		if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
			t.Error(err)
		}
	})
	t.Run("a 404 that answers this very request", func(t *testing.T) {
		s, f := newForgetful(t, func(w http.ResponseWriter, body string) {
			id := strings.TrimPrefix(body, `{"jsonrpc":"2.0","id":`)
			id, _, _ = strings.Cut(id, ",")
			withJSON(404, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32000,"message":"no such file"}}`)(w, "")
		})
		f.always = true
		_, err := use(t.Context(), s, "a", "echo", `{}`)
		if e := upstreamtest.WantCode(t, err, signalbox.CodeUpstream); !strings.Contains(e.Message, "no such file") || f.refused.Load() != 1 {
			t.Errorf("got %q, sent %d times", e.Message, f.refused.Load())
		}
	})
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 23 Nov 2026 06:00:00 GMT"
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "99999999": maxRetryAfter, "99999999999999": 0,
		"Mon, 23 Nov 2026 06:00:09 GMT": 9 * time.Second, "Mon, 23 Nov 2026 05:00:00 GMT": 0, "Tue, 24 Nov 2026 06:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}, "Date": {date}}); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {date}}); got != 0 {
		t.Errorf("a date without the server's own: got %s", got)
	}
}
