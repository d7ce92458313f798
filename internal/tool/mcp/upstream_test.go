package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
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

func TestConfigurationIsChecked(t *testing.T) {
	cases := []struct {
		name, field string
		list        []Server
	}{
		{"no id", "mcp_servers.", []Server{{URL: "http://127.0.0.1"}}},
		{"bad id", "mcp_servers.My_Files", []Server{{ID: "My_Files", URL: "http://127.0.0.1"}}},
		{"neither", "mcp_servers.a", []Server{{ID: "a"}}},
		{"both", "mcp_servers.a", []Server{{ID: "a", URL: "http://127.0.0.1", Command: []string{"x"}}}},
		{"empty command", "mcp_servers.a.command", []Server{{ID: "a", Command: []string{""}}}},
		{"bad url", "mcp_servers.a.url", []Server{{ID: "a", URL: "127.0.0.1:80"}}},
		{"other scheme", "mcp_servers.a.url", []Server{{ID: "a", URL: "file:///etc/passwd"}}},
		{"twice", "mcp_servers.a", []Server{{ID: "a", URL: "http://127.0.0.1"}, {ID: "a", URL: "http://127.0.0.1"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(Options{Servers: c.list, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
			if e := wantCode(t, err, signalbox.CodeInvalid); e.Field != c.field {
				t.Errorf("got field %q, want %q", e.Field, c.field)
			}
		})
	}
}

func TestAServerOverHTTPMayAskBackInItsStream(t *testing.T) {
	var mu sync.Mutex
	var replies []string
	stream := "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n" +
		"data: {\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sampling/createMessage\"}\n\n" +
		"data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n"
	url := scripted(t, "text/event-stream", 200, stream, func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		replies = append(replies, string(b))
	})
	s := newServers(t, Server{ID: "a", URL: url})
	if _, err := use(t.Context(), s, "a", "x", `{}`); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(replies) != 3 || replies[1] != `{"jsonrpc":"2.0","id":"p","result":{}}` || !strings.Contains(replies[2], "-32601") {
		t.Errorf("got %q", replies)
	}
}

func TestASlowServerDelaysNobodyElse(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Accepts connections, and that is all.
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := newServers(t, Server{ID: "silent", URL: "http://" + silent.Addr().String()}, Server{ID: "good", URL: overHTTP(t, true)})
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
	for name, server := range map[string]Server{
		"modern": {ID: "a", URL: overHTTP(t, true)}, "legacy": {ID: "a", URL: overHTTP(t, false)}, "child": child("a", "server"),
	} {
		t.Run(name, func(t *testing.T) {
			server.CallTimeout = 2 * time.Second
			s := newServers(t, server)
			if _, err := s.byID["a"].tools(t.Context()); err != nil {
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
			wantCode(t, <-slow, signalbox.CodeTimeout)
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
	s := newServers(t, Server{ID: "a", URL: "http://" + addr})
	for range 3 {
		_, err = use(t.Context(), s, "a", "echo", `{}`)
	}
	if e := wantCode(t, err, signalbox.CodeUpstream); e.RetryAfter <= 0 {
		t.Errorf("got %+v, want a pause before the next attempt", e)
	}
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(forward(overHTTP(t, true)))
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

// forward hands requests on to another server.
func forward(url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, url, r.Body)
		req.Header = r.Header
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		for k, v := range res.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body)
	})
}

// scripted answers every method but the handshake with a body of the test's.
func scripted(t *testing.T, contentType string, status int, body string, seen func([]byte)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		if r.Header.Get("Mcp-Method") == methodDiscover {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`)
			return
		}
		if seen != nil {
			seen(data)
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestBytesPassThroughAsTheyAre(t *testing.T) {
	const arguments = `{"n":12345678901234567890,"x":1.10,"deep":{"unknown":[null,true]},"text":"<한국어>"}`
	const result = `{"content":[{"type":"hologram","volume":12345678901234567890}],"newMember":{"a":1.50},"structuredContent":[1]}`
	answers := map[string]string{
		"application/json":  `{"jsonrpc":"2.0","id":2,"result":` + result + `}`,
		"text/event-stream": ": hello\n\nid: 1\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\ndata: \"result\":" + result + "}\n\n",
	}
	for contentType, answer := range answers {
		t.Run(contentType, func(t *testing.T) {
			var sent []byte
			s := newServers(t, Server{ID: "a", URL: scripted(t, contentType, 200, answer, func(b []byte) { sent = b })})
			got, err := use(t.Context(), s, "a", "x", arguments)
			if err != nil || got != result {
				t.Errorf("got %s, %v", got, err)
			}
			if !strings.Contains(string(sent), `"arguments":`+arguments) {
				t.Errorf("sent %s", sent)
			}
		})
	}
}

func TestFaultyAnswers(t *testing.T) {
	const js, sse = "application/json", "text/event-stream"
	rpc := func(rest string) string { return `{"jsonrpc":"2.0","id":2,` + rest + `}` }
	cases := []struct {
		name, contentType string
		status            int
		body              string
		code              signalbox.Code
	}{
		{"HTML of a proxy", "text/html", 502, "<h1>Bad gateway</h1>", "upstream"},
		{"HTML with status 200", "text/html", 200, "<h1>Hello</h1>", "upstream"},
		{"accepted and nothing more", js, 202, "", "upstream"},
		{"empty", js, 200, "", "upstream"},
		{"cut off", js, 200, rpc(`"result":{}`)[:30], "upstream"},
		{"two results", js, 200, rpc(`"result":{"isError":true,"isError":false}`), "upstream"},
		{"another id", js, 200, `{"jsonrpc":"2.0","id":9,"result":{}}`, "upstream"},
		{"result of a string", js, 200, rpc(`"result":"x"`), "upstream"},
		{"content of a string", js, 200, rpc(`"result":{"content":"x"}`), "upstream"},
		{"neither result nor error", js, 200, rpc(`"x":1`), "upstream"},
		{"stream without the answer", sse, 200, "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", "upstream"},
		{"stream cut off in the answer", sse, 200, "data: " + rpc(`"result":{}`), "upstream"},
		{"stream of garbage", sse, 200, "data: hello\n\n", "upstream"},
		{"redirect", "", 307, "", "upstream"},
		{"invalid arguments", js, 200, rpc(`"error":{"code":-32602,"message":"path is missing"}`), "invalid"},
		{"invalid arguments, status 400", js, 400, rpc(`"error":{"code":-32602,"message":"path is missing"}`), "invalid"},
		{"internal error", js, 200, rpc(`"error":{"code":-32603,"message":"oops"}`), "upstream"},
		{"error without a code", js, 200, rpc(`"error":{"message":"oops"}`), "upstream"},
		{"wants input", js, 200, rpc(`"result":{"resultType":"input_required"}`), "not_implemented"},
		{"started a task", js, 200, rpc(`"result":{"resultType":"task","taskId":"1"}`), "not_implemented"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			s := newServers(t, Server{ID: "a", URL: scripted(t, c.contentType, c.status, c.body, func([]byte) { calls++ })})
			_, err := use(t.Context(), s, "a", "x", `{}`)
			wantCode(t, err, c.code)
			var ae *call.AttemptError
			if !errors.As(err, &ae) || !ae.Sent || ae.Next {
				t.Errorf("got %+v", err)
			}
			if calls != 1 {
				t.Errorf("sent %d times", calls)
			}
		})
	}
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
			s := newServers(t, Server{ID: "a", URL: scripted(t, "application/json", 200, `{"jsonrpc":"2.0","id":2,"result":`+c.result+`}`, nil)})
			_, _, err := s.Resolve(t.Context(), call.NewTrack(&signalbox.Call{Tool: &signalbox.ToolRequest{Server: "a", Name: "x"}}))
			wantCode(t, err, signalbox.CodeUpstream)
		})
	}
}

func TestToolsAreListedOnceInAWhile(t *testing.T) {
	var lists atomic.Int64
	upstream := overHTTP(t, true)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") == methodListTools {
			lists.Add(1)
		}
		forward(upstream).ServeHTTP(w, r)
	}))
	defer front.Close()
	var elapsed atomic.Int64
	begin := time.Now()
	s, err := New(Options{
		Servers: []Server{{ID: "a", URL: front.URL}}, Version: "test", Logger: slog.New(slog.DiscardHandler),
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
				if _, err := s.byID["a"].tools(t.Context()); err != nil {
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
	if _, err := s.byID["a"].tools(t.Context()); err != nil || lists.Load() != 2 {
		t.Errorf("listed %d times after it, %v", lists.Load(), err)
	}
	s.byID["a"].notice(message{method: methodListChanged})
	if _, err := s.byID["a"].tools(t.Context()); err != nil || lists.Load() != 3 {
		t.Errorf("listed %d times after a change, %v", lists.Load(), err)
	}
}

func TestHeaderValue(t *testing.T) {
	for name, want := range map[string]string{
		"read_file": "read_file", "읽기": "=?base64?7J296riw?=", " x": "=?base64?IHg=?=", "=?base64?x": "=?base64?PT9iYXNlNjQ/eA==?=",
	} {
		t.Run(name, func(t *testing.T) {
			if got := headerValue(name); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
