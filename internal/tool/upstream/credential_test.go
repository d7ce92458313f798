package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// keys gives the credential "Bearer n" to the n-th caller that it does not know, and to each a new one when its is refused.
type keys struct {
	mu      sync.Mutex
	given   map[*signalbox.Call]string
	next    int
	stale   bool  // Refused credentials are not replaced.
	err     error // In place of a credential.
	refused []string
	closed  bool
}

func (k *keys) Authorization(_ context.Context, c *signalbox.Call) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return "", k.err
	}
	if k.given[c] == "" {
		k.next++
		k.given[c] = fmt.Sprint("Bearer ", k.next)
	}
	return k.given[c], nil
}

func (k *keys) Refused(authorization string, c *signalbox.Call) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused = append(k.refused, authorization)
	if k.given[c] == authorization && !k.stale {
		delete(k.given, c)
	}
	return !k.stale
}

func (k *keys) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
}

// guarded is a modern server that takes some credentials, and writes down what it has received with which.
type guarded struct {
	mu    sync.Mutex
	deny  map[string]int // Status by credential.
	calls []string
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	with := r.Header.Get("Authorization")
	g.mu.Lock()
	g.calls = append(g.calls, m.Method+" "+with)
	status := g.deny[with]
	g.mu.Unlock()
	if status != 0 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(status)
		return
	}
	result := map[string]string{
		rpc.MethodDiscover:  `{"supportedVersions":["2026-07-28"],"capabilities":{},"resultType":"complete"}`,
		rpc.MethodListTools: `{"tools":[{"name":"whoami","inputSchema":{"type":"object"}}]}`,
		rpc.MethodCallTool:  `{"content":[{"type":"text","text":"called with ` + with + `"}]}`,
	}[m.Method]
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

func (g *guarded) seen() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.calls, ", ")
}

func guardedServers(t *testing.T, k *keys) (*Servers, *guarded) {
	t.Helper()
	g := &guarded{deny: map[string]int{}}
	k.given = map[*signalbox.Call]string{}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	s, err := New(Options{
		Servers: []Config{{ID: "safe", URL: server.URL, Authorizer: k, Headers: map[string]string{"X-Other": "x"}}},
		Logger:  slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, g
}

// callSafe calls the tool for a call of its own, and gives it.
func callSafe(t *testing.T, s *Servers) (*signalbox.Call, string, error) {
	t.Helper()
	c := &signalbox.Call{Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "safe", Name: "whoami", Arguments: []byte("{}")}}
	answer, err := s.Open(t.Context(), call.NewTrack(c), signalbox.Candidate{Provider: "safe", Upstream: "whoami"}, signalbox.StartSpan("", "", ""))
	if err != nil {
		return c, "", err
	}
	defer answer.Close()
	part, err := answer.Next(t.Context())
	return c, string(part.Data), err
}

// Each call has the credential of its caller; the handshake and the list have one that belongs to nobody.
func TestCredentialOfEachCall(t *testing.T) {
	k := &keys{}
	s, g := guardedServers(t, k)
	if _, err := s.byID["safe"].Tools(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Bearer 2", "Bearer 3"} {
		if _, text, err := callSafe(t, s); err != nil || !strings.Contains(text, "called with "+want) {
			t.Errorf("got %s, %v, want %s", text, err, want)
		}
	}
	want := "server/discover Bearer 1, tools/list Bearer 1, tools/call Bearer 2, tools/call Bearer 3"
	if got := g.seen(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s.Close(); !k.closed {
		t.Error("the credentials are not closed with the servers")
	}
}

// A request that is answered 401 is sent once more with a new credential, and never a third time.
func TestRefusedCredential(t *testing.T) {
	for _, c := range []struct {
		name  string
		deny  map[string]int
		stale bool
		code  signalbox.Code
		text  string
		want  string
	}{
		{"once", map[string]int{"Bearer 2": 401}, false, "", "", "tools/call Bearer 2, tools/call Bearer 3"},
		{"twice", map[string]int{"Bearer 2": 401, "Bearer 3": 401}, false, "upstream", "status 401", "tools/call Bearer 2, tools/call Bearer 3"},
		{"with nothing new to send", map[string]int{"Bearer 2": 401}, true, "upstream", "does not take the credential", "tools/call Bearer 2"},
		{"as not permitted", map[string]int{"Bearer 2": 403}, false, "upstream", "status 403", "tools/call Bearer 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &keys{}
			s, g := guardedServers(t, k)
			if _, err := s.byID["safe"].session(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.mu.Lock()
			g.deny, g.calls = c.deny, nil
			g.mu.Unlock()
			k.stale = c.stale
			_, _, err := callSafe(t, s)
			if e := upstreamtest.WantCode(t, err, c.code); e != nil && !strings.Contains(e.Message, c.text) {
				t.Errorf("got %q", e.Message)
			}
			if got := g.seen(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("of the handshake", func(t *testing.T) {
		k := &keys{stale: true}
		s, g := guardedServers(t, k)
		g.deny["Bearer 1"] = http.StatusUnauthorized
		_, err := s.byID["safe"].Tools(t.Context())
		if e := upstreamtest.WantCode(t, err, signalbox.CodeUpstream); !strings.Contains(e.Message, "does not take the credential") {
			t.Errorf("got %q", e.Message)
		}
	})
}

// Without a credential nothing is sent, and the reason is what the caller is told.
func TestNoCredential(t *testing.T) {
	k := &keys{}
	s, g := guardedServers(t, k)
	if _, err := s.byID["safe"].session(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := g.seen()
	k.err = signalbox.Errorf(signalbox.CodeForbidden, "There is no token.").WithRemedy("Get one.")
	_, _, err := callSafe(t, s)
	if e := upstreamtest.WantCode(t, err, signalbox.CodeForbidden); e.Message != "There is no token." || g.seen() != before {
		t.Errorf("got %v after %s", e, g.seen())
	}
	var attempt *call.AttemptError
	if !errors.As(err, &attempt) || attempt.Sent {
		t.Errorf("the call counts as sent: %+v", attempt)
	}
}
