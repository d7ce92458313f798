package mcp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// talker is a server whose tools talk to their callers while they work.
func talker() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "talker", Version: "1"}, &sdk.ServerOptions{
		SubscribeHandler:   func(context.Context, *sdk.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *sdk.UnsubscribeRequest) error { return nil },
	})
	add := func(name string, h sdk.ToolHandler) {
		s.AddTool(&sdk.Tool{Name: name, InputSchema: map[string]any{"type": "object"}}, h)
	}
	said := func(format string, args ...any) *sdk.CallToolResult {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: fmt.Sprintf(format, args...)}}}
	}
	add("progress", func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		for i := range 3 {
			err := r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
				ProgressToken: r.Params.GetProgressToken(), Progress: float64(i), Message: "step",
			})
			if err != nil {
				return nil, err
			}
		}
		return said("token %T", r.Params.GetProgressToken()), nil
	})
	add("ask", func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		if answer, ok := r.Params.InputResponses["name"].(*sdk.ElicitResult); ok {
			return said("hello %v, state %s", answer.Content["name"], r.Params.RequestState), nil
		}
		return &sdk.CallToolResult{
			InputRequests: sdk.InputRequestMap{"name": &sdk.ElicitParams{Message: "Who are you?", RequestedSchema: map[string]any{"type": "object"}}},
			RequestState:  "mine",
		}, nil
	})
	add("elicit", func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		answer, err := r.Session.Elicit(ctx, &sdk.ElicitParams{Message: "Who are you?", RequestedSchema: map[string]any{"type": "object"}})
		if err != nil {
			return said("nobody: %v", err), nil
		}
		return said("hello %v", answer.Content["name"]), nil
	})
	add("sleep", func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.AddResource(&sdk.Resource{URI: "book://one", Name: "one"}, func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: "book://one", Text: "x"}}}, nil
	})
	return s
}

func serveTalker(t *testing.T, s *sdk.Server, stateless bool) string {
	t.Helper()
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s },
		&sdk.StreamableHTTPOptions{Stateless: stateless, PropagateRequestCancellation: true}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// talkers are a modern and a legacy server whose tools talk, of which the latter may ask.
func talkers(t *testing.T, also ...HandlerOption) (string, *memoryLog) {
	t.Helper()
	s, err := upstream.New(upstream.Options{
		Servers: []upstream.Config{{ID: "modern", URL: serveTalker(t, talker(), true)}, {ID: "legacy", URL: serveTalker(t, talker(), false)}},
		Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, MayAsk: func(string, string) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return jointGateway(t, s, also...)
}

// person is a client behind which somebody answers.
func person(t *testing.T, url, version string, o *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	session, err := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, o).Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: withKey{base: transport}}, MaxRetries: -1,
	}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		transport.CloseIdleConnections()
	})
	return session
}

func saysAnna(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
	return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"name": "Anna"}}, nil
}

func TestProgressOfServersReachesTheirCallers(t *testing.T) {
	url, _ := talkers(t)
	for _, id := range []string{"modern", "legacy"} {
		for _, version := range []string{"2026-07-28", "2025-06-18"} {
			t.Run(id+" "+version, func(t *testing.T) {
				var mu sync.Mutex
				var heard []float64
				done := make(chan struct{})
				session := person(t, url+"/"+id, version, &sdk.ClientOptions{
					ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
						mu.Lock()
						defer mu.Unlock()
						if r.Params.ProgressToken != "mine" {
							t.Errorf("got token %v", r.Params.ProgressToken)
						}
						if heard = append(heard, r.Params.Progress); len(heard) == 3 {
							close(done)
						}
					},
				})
				res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "progress", Meta: sdk.Meta{"progressToken": "mine"}})
				if err != nil || text(res) != "token string" {
					t.Fatalf("got %q, %v", text(res), err)
				}
				<-done
			})
		}
	}
}

func TestServersAskTheirCallers(t *testing.T) {
	url, log := talkers(t)
	cases := []struct{ version, path, tool, want, recorded string }{
		{"2026-07-28", "/modern", "ask", "hello Anna, state mine", "modern.ask modern.elicitation/create modern.ask"},
		{"2025-11-25", "/modern", "ask", "hello Anna, state mine", "modern.ask modern.elicitation/create modern.ask"},
		{"2025-11-25", "/legacy", "elicit", "hello Anna", "legacy.elicitation/create legacy.elicit"},
		{"2025-11-25", "", "legacy__elicit", "hello Anna", "legacy.elicitation/create legacy.elicit"},
	}
	for _, c := range cases {
		t.Run(c.version+c.path+" "+c.tool, func(t *testing.T) {
			before := len(log.all())
			session := person(t, url+c.path, c.version, &sdk.ClientOptions{ElicitationHandler: saysAnna})
			res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: c.tool})
			if err != nil || text(res) != c.want {
				t.Errorf("got %q, %v, want %q", text(res), err, c.want)
			}
			var ids []string
			for _, r := range log.all()[before:] {
				if r.Outcome == signalbox.OutcomeOK {
					ids = append(ids, r.What.ToolName)
				}
			}
			if got := strings.Join(ids, " "); got != c.recorded {
				t.Errorf("recorded %q, want %q", got, c.recorded)
			}
		})
	}
}

// hidesQuestions permits everything but what servers ask.
func hidesQuestions(_ signalbox.Caller, _, tool string, _ *signalbox.Annotations) (bool, string) {
	return rpc.CapabilityFor(tool) == "", ""
}

func TestServersAskNobodyWhomTheyMayNot(t *testing.T) {
	url, log := talkers(t, FilterLists(narrowed, hidesQuestions, nil, nil))
	session := person(t, url+"/legacy", "2025-11-25", &sdk.ClientOptions{ElicitationHandler: saysAnna})
	res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "elicit"})
	if err != nil || !strings.Contains(text(res), "nobody") {
		t.Errorf("got %q, %v", text(res), err)
	}
	asked := 0
	for _, r := range log.all() {
		if r.What.ToolName == "legacy.elicitation/create" && r.Outcome != "" && r.Outcome != signalbox.OutcomeOK {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the question that nobody was asked has %d outcomes", asked)
	}
	without := person(t, url+"/modern", "2026-07-28", nil)
	if _, err := without.CallTool(t.Context(), &sdk.CallToolParams{Name: "ask"}); err == nil || !strings.Contains(err.Error(), "capability") {
		t.Errorf("got %v", err)
	}
}

const askMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`

func TestWhatIsGivenBackIsBound(t *testing.T) {
	url, log := talkers(t)
	ask := func(more, arguments string, headers ...string) (int, string) {
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","arguments":` + arguments + more + `,` + askMeta + `}}`
		status, answer := send(t, url+"/modern", body, append([]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "ask"}, headers...)...)
		return status, string(answer)
	}
	_, first := ask("", "{}")
	_, state, found := strings.Cut(first, `"requestState":"`)
	state, _, _ = strings.Cut(state, `"`)
	if !found || strings.Contains(first, `"mine"`) {
		t.Fatalf("got %s", first)
	}
	given := func(state string) string {
		return `,"requestState":"` + state + `","inputResponses":{"name":{"action":"accept","content":{"name":"Eve"}}}`
	}
	if _, answer := ask(given(state), "{}"); !strings.Contains(answer, "hello Eve, state mine") {
		t.Errorf("got %s", answer)
	}
	if r := log.all(); !strings.Contains(r[len(r)-1].What.InputSummary, `bytes of answers, 2 of arguments: {"name":{"action":"accept","content":{"name":"Eve"}}} {}`) {
		t.Errorf("what was answered is recorded as %q", r[len(r)-1].What.InputSummary)
	}
	at, _, _ := strings.Cut(state, ".")
	for name, c := range map[string]struct{ state, arguments string }{
		"another's arguments":  {state, `{"a":1}`},
		"the server's own":     {"mine", "{}"},
		"a state of nothing":   {"..", "{}"},
		"another time":         {"0" + state, "{}"},
		"a state without code": {at + ".bWluZQ.", "{}"},
	} {
		if status, answer := ask(given(c.state), c.arguments); status != http.StatusBadRequest || !strings.Contains(answer, "params.requestState") {
			t.Errorf("%s: got %d %s", name, status, answer)
		}
	}
	// Answers to nobody go nowhere: the server asks again.
	if _, answer := ask(`,"inputResponses":{"name":{"action":"accept","content":{"name":"Eve"}}}`, "{}"); !strings.Contains(answer, `"input_required"`) {
		t.Errorf("got %s", answer)
	}
}

func TestALostSessionIsNotFound(t *testing.T) {
	url, log := talkers(t)
	status, body := send(t, url, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, rpc.HeaderSession, "gone")
	if status != http.StatusNotFound || !strings.Contains(string(body), "initialize") {
		t.Errorf("got %d %s", status, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", testKey)
	r.Header.Set(rpc.HeaderSession, "gone")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound || len(log.all()) != 0 {
		t.Errorf("got status %d, %d records", res.StatusCode, len(log.all()))
	}
}

func TestSessionsAreTheirCallersAlone(t *testing.T) {
	var s callerSessions
	now := time.Now()
	own := s.begin(signalbox.Caller{Tenant: "acme", Key: "a"}, nil, now)
	for _, c := range []struct {
		who   signalbox.Caller
		after time.Duration
		found bool
	}{
		{signalbox.Caller{Tenant: "acme", Key: "a"}, time.Minute, true},
		{signalbox.Caller{Tenant: "acme", Key: "b"}, time.Minute, false},
		{signalbox.Caller{Tenant: "other", Key: "a"}, time.Minute, false},
		{signalbox.Caller{Tenant: "acme", Key: "a", User: "u"}, time.Minute, false},
		{signalbox.Caller{Tenant: "acme", Key: "a"}, 2 * SessionIdle, false},
	} {
		if _, err := s.find(own.id, c.who, now.Add(c.after)); (err == nil) != c.found {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func TestACancelledRequestEnds(t *testing.T) {
	url, log := talkers(t)
	ended := make(chan []byte)
	go func() {
		_, body := send(t, url+"/modern", `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"sleep"}}`)
		ended <- body
	}()
	for len(log.all()) == 0 { // Until the intent is written.
		time.Sleep(time.Millisecond)
	}
	send(t, url+"/modern", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"b"}}`)
	send(t, url+"/modern", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
	if body := <-ended; !strings.Contains(string(body), `"cancelled"`) {
		t.Errorf("got %s", body)
	}
}
