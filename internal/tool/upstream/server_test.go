package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// use calls a tool directly.
func use(ctx context.Context, s *Servers, server, tool, arguments string) (string, error) {
	c := &signalbox.Call{
		Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: server, Name: tool, Arguments: []byte(arguments)},
	}
	answer, err := s.Open(ctx, call.NewTrack(c), signalbox.Candidate{Provider: server, Upstream: tool}, signalbox.StartSpan("", "", ""))
	if err != nil {
		return "", err
	}
	defer answer.Close()
	part, err := answer.Next(ctx)
	return string(part.Data), err
}

func TestASlowServerDelaysNobodyElse(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Accepts connections, and that is all.
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := newServers(t, Config{ID: "silent", URL: "http://" + silent.Addr().String()}, Config{ID: "good", URL: upstreamtest.OverHTTP(t, true)})
	waiting, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := use(waiting, s, "silent", "echo", `{}`)
			ended.Add(1)
			if code := signalbox.CodeOf(err); code != signalbox.CodeCancelled {
				t.Errorf("got %v", err)
			}
		})
	}
	for range 20 {
		if _, err := use(t.Context(), s, "good", "echo", `{}`); err != nil {
			t.Fatal(err)
		}
	}
	if n := ended.Load(); n != 0 {
		t.Errorf("%d calls of the silent server ended before those of the good one", n)
	}
	cancel()
	wg.Wait()
}

func TestOneSlowCallDelaysNoOtherOfItsServer(t *testing.T) {
	for name, server := range map[string]Config{
		"modern": {ID: "a", URL: upstreamtest.OverHTTP(t, true)}, "legacy": {ID: "a", URL: upstreamtest.OverHTTP(t, false)}, "child": child("a", "server"),
	} {
		t.Run(name, func(t *testing.T) {
			server.CallTimeout = 2 * time.Second
			s := newServers(t, server)
			if _, err := s.byID["a"].Tools(t.Context()); err != nil {
				t.Fatal(err)
			}
			slow := make(chan error)
			go func() {
				_, err := use(context.Background(), s, "a", "sleep", `{}`)
				slow <- err
			}()
			if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil {
				t.Error(err)
			}
			upstreamtest.WantCode(t, <-slow, signalbox.CodeTimeout)
			if _, err := use(t.Context(), s, "a", "echo", `{}`); err != nil { // The connection has survived.
				t.Error(err)
			}
		})
	}
}

func TestAServerThatComesBackIsFound(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := newServers(t, Config{ID: "a", URL: "http://" + addr})
	for range 3 {
		_, err = use(t.Context(), s, "a", "echo", `{}`)
	}
	if e := upstreamtest.WantCode(t, err, signalbox.CodeUpstream); e.RetryAfter <= 0 {
		t.Errorf("got %+v, want a pause before the next attempt", e)
	}
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(upstreamtest.Forward(upstreamtest.OverHTTP(t, true)))
	h.Listener.Close()
	h.Listener = l
	h.Start()
	defer h.Close()
	for range 200 {
		if _, err = use(t.Context(), s, "a", "echo", `{}`); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error(err)
}

func TestListsAreBoundedAndChecked(t *testing.T) {
	many := strings.Repeat(`{"name":"x"},`, 1)
	var long strings.Builder
	for i := range MaxTools + 1 {
		fmt.Fprintf(&long, `{"name":"t%d"},`, i)
	}
	cases := []struct{ name, result string }{
		{"no list", `{"tools":"x"}`},
		{"entry without a name", `{"tools":[{}]}`},
		{"entry of a string", `{"tools":["x"]}`},
		{"twice", `{"tools":[` + many + `{"name":"x"}]}`},
		{"too many", `{"tools":[` + long.String() + `{"name":"last"}]}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newServers(t, Config{ID: "a", URL: scripted(t, "application/json", 200, `{"jsonrpc":"2.0","id":2,"result":`+c.result+`}`, nil)})
			_, _, err := s.Resolve(t.Context(), call.NewTrack(&signalbox.Call{Tool: &signalbox.ToolRequest{Server: "a", Name: "x"}}))
			upstreamtest.WantCode(t, err, signalbox.CodeUpstream)
		})
	}
}

func TestToolsAreListedOnceInAWhile(t *testing.T) {
	var lists atomic.Int64
	upstream := upstreamtest.OverHTTP(t, true)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") == rpc.MethodListTools {
			lists.Add(1)
		}
		upstreamtest.Forward(upstream).ServeHTTP(w, r)
	}))
	defer front.Close()
	var elapsed atomic.Int64
	begin := time.Now()
	s, err := New(Options{
		Servers: []Config{{ID: "a", URL: front.URL}}, Version: "test", Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := s.byID["a"].Tools(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := lists.Load(); n != 1 {
		t.Errorf("listed %d times within the TTL, want once", n)
	}
	elapsed.Store(int64(DefaultListTTL))
	if _, err := s.byID["a"].Tools(t.Context()); err != nil || lists.Load() != 2 {
		t.Errorf("listed %d times after it, %v", lists.Load(), err)
	}
	s.byID["a"].notice(rpc.Message{Method: rpc.MethodListChanged})
	if _, err := s.byID["a"].Tools(t.Context()); err != nil || lists.Load() != 3 {
		t.Errorf("listed %d times after a change, %v", lists.Load(), err)
	}
}
