package credential

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// place is an authorization server and the server that names it, over real HTTP, and the time there.
type place struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	now      time.Time
	forms    []url.Values
	auth     []string            // Of the requests for tokens.
	answer   func(int) string    // The n-th answer of the token endpoint, from 1; "" hangs until the client leaves.
	status   int                 // Of those answers.
	pages    map[string]string   // Documents by their paths; URL stands for the address.
	seen     []string            // Paths that were asked for.
	missing  int                 // The status of other paths.
	headers  map[string][]string // Of the answer that demands a token.
	released chan struct{}
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, now: noon, status: http.StatusOK, missing: http.StatusNotFound, pages: map[string]string{}, released: make(chan struct{})}
	p.answer = func(n int) string {
		return fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer","expires_in":100}`, n)
	}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	page, known := p.pages[r.URL.Path]
	p.seen = append(p.seen, r.URL.Path)
	headers := p.headers
	p.mu.Unlock()
	switch {
	case r.URL.Path == "/token":
		p.token(w, r)
	case r.URL.Path == "/mcp":
		for name, values := range headers {
			w.Header()[name] = values
		}
		w.WriteHeader(http.StatusUnauthorized)
	case known:
		_, _ = w.Write([]byte(strings.ReplaceAll(page, "URL", p.server.URL)))
	default:
		w.WriteHeader(p.missing)
	}
}

func (p *place) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.t.Error(err)
	}
	p.mu.Lock()
	p.forms = append(p.forms, r.PostForm)
	p.auth = append(p.auth, r.Header.Get("Authorization"))
	text, status := p.answer(len(p.forms)), p.status
	p.mu.Unlock()
	if text == "" {
		select {
		case <-p.released:
		case <-r.Context().Done():
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func (p *place) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *place) add(d time.Duration) { p.set(func() { p.now = p.now.Add(d) }) }

func (p *place) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// requests gives those for tokens.
func (p *place) requests() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]url.Values(nil), p.forms...)
}

const theSecret = "the+client/secret=="

// source is one as it is configured, unless a test says otherwise.
func (p *place) source(change func(*Config)) *Source {
	p.t.Helper()
	c := Config{
		Server: "files", URL: p.server.URL + "/mcp", Grant: ClientCredentials, TokenURL: p.server.URL + "/token",
		ClientID: "box", ClientSecret: theSecret, Scopes: []string{"read", "write"}, Now: p.clock,
	}
	if change != nil {
		change(&c)
	}
	s := New(c)
	p.t.Cleanup(s.Close)
	return s
}

// callOf is a call that came with a token; "" is one with an API key.
func callOf(token string) *signalbox.Call {
	c := &signalbox.Call{ID: "call_1"}
	if token != "" {
		c.Bearer = signalbox.NewBearer(token, signalbox.Guest{}, func() (signalbox.Key, error) { return signalbox.Key{}, nil })
	}
	return c
}

func wantCode(t *testing.T, err error, want signalbox.Code, texts ...string) {
	t.Helper()
	if got := signalbox.CodeOf(err); got != want {
		t.Fatalf("got code %q (%v), want %q", got, err, want)
	}
	if err == nil {
		return
	}
	e := signalbox.AsError(err)
	if e.Message == "" || e.Remedy == "" || !strings.Contains(e.Message, `"files"`) {
		t.Errorf("an error without message, remedy or server: %+v", e)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message, text) {
			t.Errorf("got %q, want %q in it", e.Message, text)
		}
	}
	for _, secret := range []string{theSecret, url.QueryEscape(theSecret), "their-token", "stand-in-token", "token-1"} {
		if strings.Contains(e.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, e)
		}
	}
}

func wantToken(t *testing.T, s *Source, c *signalbox.Call, want string) {
	t.Helper()
	got, err := s.Authorization(t.Context(), c)
	if err != nil || got != "Bearer "+want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}
