package upstream

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/pin"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// shownPins note what they are shown, and let be used what was not changed since it was accepted.
type shownPins struct {
	mu       sync.Mutex
	lists    []string // The names of each list.
	accepted [32]byte // Of instructions; zero for all.
}

func (p *shownPins) Seen(_ context.Context, _ string, entries []json.Value) ([][32]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	var forms [][32]byte
	for _, e := range entries {
		names = append(names, rpc.TextIn(e, "name"))
		forms = append(forms, sha256.Sum256(e))
	}
	p.lists = append(p.lists, strings.Join(names, " "))
	return forms, nil
}

func (p *shownPins) Refused(_, tool string, form [32]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tool == pin.Instructions && p.accepted != [32]byte{} && p.accepted != form {
		return fmt.Errorf("held")
	}
	return nil
}

// teller is a server of 2025-11-25 that says in its handshake what it is told to, and forgets its sessions when it is told to.
func teller(t *testing.T, says, session *atomic.Value) string {
	t.Helper()
	return upstreamtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, _ := rpc.Decode(body)
		if id := r.Header.Get(rpc.HeaderSession); id != "" && id != session.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		answer := `"error":{"code":-32601,"message":"Method not found"}`
		switch {
		case m.ID == nil:
			w.WriteHeader(http.StatusAccepted)
			return
		case m.Method == rpc.MethodInitialize:
			w.Header().Set(rpc.HeaderSession, session.Load().(string))
			answer = `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"},"instructions":"` + says.Load().(string) + `"}`
		case m.Method == rpc.MethodListTools:
			answer = `"result":{"tools":[{"name":"a"}]}`
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, m.ID, answer)
	}))
}

// told is a server behind a clock that the test moves.
type told struct {
	*Server
	pins          *shownPins
	elapsed       atomic.Int64
	says, session atomic.Value
}

func newTold(t *testing.T) *told {
	t.Helper()
	x := &told{pins: &shownPins{}}
	x.says.Store("One.")
	x.session.Store("1")
	begin := time.Now()
	s, err := New(Options{
		Servers: []Config{{ID: "a", URL: teller(t, &x.says, &x.session)}}, Version: "test", Logger: slog.New(slog.DiscardHandler), Pins: x.pins,
		Now: func() time.Time { return begin.Add(time.Duration(x.elapsed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	x.Server = s.byID["a"]
	return x
}

// hear gives the instructions a minute later.
func (x *told) hear(t *testing.T) string {
	t.Helper()
	x.elapsed.Add(int64(time.Minute))
	d, err := x.Declared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := x.Instructions(t.Context(), d, func(list *ToolList) bool { return len(list.Tools) == 1 })
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What an old session has heard is no change of what was accepted since: the pins are shown it once, with the list.
func TestInstructionsAreShownToThePinsOnce(t *testing.T) {
	x := newTold(t)
	if got := x.hear(t); got != "One." {
		t.Errorf("got %q", got)
	}
	x.pins.accepted = sha256.Sum256((&instructions{text: "Two."}).entry()) // As another process has heard it.
	if got := x.hear(t); got != "" {
		t.Errorf("what is pinned no more is passed on: %q", got)
	}
	if got, want := strings.Join(x.pins.lists, ", "), "a "+pin.Instructions+", a"; got != want {
		t.Errorf("the pins were shown %s, want %s", got, want)
	}
	x.says.Store("Two.")
	x.session.Store("2")
	x.hear(t) // By which we notice that the session is over.
	if got := x.hear(t); got != "Two." {
		t.Errorf("in the next session: got %q", got)
	}
	if got, want := strings.Join(x.pins.lists, ", "), "a "+pin.Instructions+", a, a "+pin.Instructions+", a"; got != want {
		t.Errorf("the pins were shown %s, want %s", got, want)
	}
}

func TestInstructionsForNobodyAreNotAskedFor(t *testing.T) {
	x := newTold(t)
	d, err := x.Declared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := x.Instructions(t.Context(), d, func(*ToolList) bool { return false }); err != nil || text != "" {
		t.Errorf("got %q, %v", text, err)
	}
}

// That a session has begun once is no sign that calls work.
func TestAHandshakeTellsTheBreakerNothing(t *testing.T) {
	x := newTold(t)
	if _, err := x.Declared(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.mu.Lock()
	for range 100 {
		x.calls.Fail(x.now())
	}
	x.mu.Unlock()
	for _, want := range []breaker.State{breaker.Open, breaker.HalfOpen} {
		if d, err := x.Declared(t.Context()); err != nil || !d.Has("tools") || d.Has("prompts") {
			t.Errorf("got %+v, %v", d, err)
		}
		if got := x.state().Breaker; got != want {
			t.Errorf("the breaker is %v, want %v", got, want)
		}
		x.elapsed.Add(int64(time.Hour))
	}
}
