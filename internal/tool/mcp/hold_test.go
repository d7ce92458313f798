package mcp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// askers are legacy servers that ask, one over HTTP and one as a child.
type askers struct {
	*upstreamtest.Asker
	servers *upstream.Servers
	held    *Held
	url     string
	log     *memoryLog
}

func newAskers(t *testing.T, options ...HandlerOption) *askers {
	t.Helper()
	a := &askers{Asker: upstreamtest.NewAsker(), held: NewHeld()}
	one := child("child", "asker")
	one.Asks = true
	var err error
	a.servers, err = upstream.New(upstream.Options{
		Servers: []upstream.Config{{ID: "http", URL: upstreamtest.ServeSessions(t, a.Server), CallTimeout: 5 * time.Second}, one, child("mute", "asker")},
		Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, MayAsk: func(string, string) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.servers.Close)
	t.Cleanup(func() {
		if err := a.held.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	a.url, a.log = jointGateway(t, a.servers, append([]HandlerOption{HoldCalls(a.held)}, options...)...)
	return a
}

// answering are the options of a client who answers everything, with his name.
func answeringAs(name string) *sdk.ClientOptions {
	return &sdk.ClientOptions{
		Capabilities: &sdk.ClientCapabilities{RootsV2: &sdk.RootCapabilities{}, Elicitation: &sdk.ElicitationCapabilities{Form: &sdk.FormElicitationCapabilities{}, URL: &sdk.URLElicitationCapabilities{}}},
		ElicitationHandler: func(_ context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			if r.Params.Mode == "url" {
				return &sdk.ElicitResult{Action: "accept"}, nil
			}
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"name": name + strings.TrimRight(r.Params.Message[:1], "WFSQ")}}, nil
		},
		CreateMessageHandler: func(context.Context, *sdk.CreateMessageRequest) (*sdk.CreateMessageResult, error) {
			return &sdk.CreateMessageResult{Role: "assistant", Model: name, Content: &sdk.TextContent{Text: "4"}}, nil
		},
	}
}

func TestLegacyServersAskCallersOfBothEras(t *testing.T) {
	a := newAskers(t)
	cases := []struct{ path, tool, want, recorded string }{
		{"/http", "elicit", "hello Anna", "http.elicitation/create http.elicit"},
		{"", "http__elicit", "hello Anna", "http.elicitation/create http.elicit"},
		{"/http", "twice", "hello Anna, hello Anna", "http.elicitation/create http.elicitation/create http.twice"},
		{"/http", "visit", "hello <nil>", "http.elicitation/create http.visit"},
		{"/http", "sample", "4 by Anna", "http.sampling/createMessage http.sample"},
		{"/http", "roots", "file:///home", "http.roots/list http.roots"},
		{"/child", "elicit", "hello Anna", "child.elicitation/create child.elicit"},
		{"/child", "twice", "hello Anna, hello Anna", "child.elicitation/create child.elicitation/create child.twice"},
		{"/child", "sample", "4 by Anna", "child.sampling/createMessage child.sample"},
		{"/child", "roots", "nobody: ", "child.roots"},
		{"/mute", "elicit", "nobody: client does not support elicitation", "mute.elicit"},
	}
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		for _, c := range cases {
			t.Run(version+c.path+" "+c.tool, func(t *testing.T) {
				before, runs := len(a.log.all()), a.Runs.Load()
				transport := &http.Transport{}
				defer transport.CloseIdleConnections()
				client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, answeringAs("Anna"))
				client.AddRoots(&sdk.Root{URI: "file:///home"})
				session, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{
					Endpoint: a.url + c.path, HTTPClient: &http.Client{Transport: withKey{base: transport}}, MaxRetries: -1,
				}, &sdk.ClientSessionOptions{ProtocolVersion: version})
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: c.tool})
				if err != nil || !strings.HasPrefix(text(res), c.want) {
					t.Errorf("got %q, %v, want %q", text(res), err, c.want)
				}
				if n := a.Runs.Load() - runs; n > 1 {
					t.Errorf("the tool was run %d times", n)
				}
				if got := outcomes(a.log.all()[before:]); got != c.recorded {
					t.Errorf("recorded %q, want %q", got, c.recorded)
				}
			})
		}
	}
}

// outcomes gives the tools of calls that ended well.
func outcomes(records []signalbox.Record) string {
	var ids []string
	for _, r := range records {
		if r.Outcome == signalbox.OutcomeOK {
			ids = append(ids, r.What.ToolName)
		}
	}
	return strings.Join(ids, " ")
}

// modernCall sends a tools/call of the newest version and gives the status and the answer.
func modernCall(t *testing.T, url, tool, arguments, more string, headers ...string) (int, string) {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + more + `,` + askMeta + `}}`
	status, answer := send(t, url, body, append([]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", tool}, headers...)...)
	return status, string(answer)
}

// stateIn gives the requestState of an answer.
func stateIn(t *testing.T, answer string) string {
	t.Helper()
	_, state, found := strings.Cut(answer, `"requestState":"`)
	state, _, _ = strings.Cut(state, `"`)
	if !found || !strings.Contains(answer, `"resultType":"input_required"`) {
		t.Fatalf("got %s", answer)
	}
	return state
}

func answers(state, responses string) string {
	return `,"requestState":"` + state + `","inputResponses":{` + responses + `}`
}

const (
	eve    = `{"action":"accept","content":{"name":"Eve"}}`
	sayEve = `"q1":` + eve
)

func TestAHeldCallIsTakenUpOnceAndByItsCaller(t *testing.T) {
	a := newAskers(t, FilterLists(narrowed, nil, nil, nil))
	url := a.url + "/http"
	_, first := modernCall(t, url, "elicit", "{}", "")
	state := stateIn(t, first)
	if !strings.Contains(first, `"q1":{"method":"elicitation/create","params":{`) || !strings.Contains(first, `"requestedSchema":{"`) {
		t.Errorf("got %s", first)
	}
	kind, rest, _ := strings.Cut(state, ".")
	for name, c := range map[string]struct{ state, tool, arguments, caller string }{
		"another caller":        {state, "elicit", "{}", "eve"},
		"other arguments":       {state, "elicit", `{"a":1}`, ""},
		"another tool":          {state, "twice", "{}", ""},
		"the kind of a server":  {"s." + rest, "elicit", "{}", ""},
		"the kind of a URL":     {"u." + rest, "elicit", "{}", ""},
		"a state without code":  {state[:strings.LastIndex(state, ".")+1], "elicit", "{}", ""},
		"another ticket":        {kind + "." + strings.Replace(rest, ".", ".AAAA", 1), "elicit", "{}", ""},
		"a ticket of our own":   {"holder.call.1", "elicit", "{}", ""},
		"nothing":               {"", "elicit", "{}", ""},
		"a state and one more":  {state + "." + state, "elicit", "{}", ""},
		"a time of the future":  {kind + ".z" + rest, "elicit", "{}", ""},
		"another kind in front": {"h" + state, "elicit", "{}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := modernCall(t, url, c.tool, c.arguments, answers(c.state, sayEve), "X-Signalbox-Run", c.caller)
			if status != http.StatusBadRequest || !strings.Contains(answer, `"field":"params.requestState"`) {
				t.Errorf("got %d %s", status, answer)
			}
		})
	}
	for name, wrong := range map[string]string{
		"no object": `"q1":7`, "no action": `"q1":{}`, "another action": `"q1":{"action":"yes"}`, "content that is none": `"q1":{"action":"accept","content":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := modernCall(t, url, "elicit", "{}", answers(state, wrong))
			if status != http.StatusBadRequest || !strings.Contains(answer, `"code":-32602`) || !strings.Contains(answer, "params.inputResponses.q1") {
				t.Errorf("got %d %s", status, answer)
			}
		})
	}
	if a.Runs.Load() != 1 || a.held.Held()["http"] != 1 {
		t.Fatalf("%d runs, held are %v", a.Runs.Load(), a.held.Held())
	}
	_, again := modernCall(t, url, "elicit", "{}", answers(state, `"q9":`+eve))
	if next := stateIn(t, again); next == state {
		t.Error("a state was given twice")
	} else if _, answer := modernCall(t, url, "elicit", "{}", answers(next, sayEve)); !strings.Contains(answer, "hello Eve") {
		t.Errorf("got %s", answer)
	} else if _, answer = modernCall(t, url, "elicit", "{}", answers(next, sayEve)); !strings.Contains(answer, `"code":"conflict"`) {
		t.Errorf("got %s", answer)
	}
	if a.Runs.Load() != 1 || outcomes(a.log.all()) != "http.elicitation/create http.elicit" {
		t.Errorf("%d runs, recorded %q", a.Runs.Load(), outcomes(a.log.all()))
	}
}

func TestWhatACallerAnswers(t *testing.T) {
	a := newAskers(t)
	for response, want := range map[string]string{`{"action":"decline"}`: `"decline"`, `{"action":"cancel"}`: `"cancel"`, eve: `"hello Eve"`} {
		_, first := modernCall(t, a.url+"/child", "elicit", "{}", "")
		if _, answer := modernCall(t, a.url+"/child", "elicit", "{}", answers(stateIn(t, first), `"q1":`+response)); !strings.Contains(answer, want) {
			t.Errorf("%s: got %s", response, answer)
		}
	}
	t.Run("is recorded with the question", func(t *testing.T) {
		found := false
		for _, r := range a.log.all() {
			found = found || r.What.ToolName == "child.elicitation/create" && strings.Contains(r.What.OutputSummary, "Eve")
		}
		if !found {
			t.Error("no record has it")
		}
	})
	t.Run("to a URL", func(t *testing.T) {
		_, first := modernCall(t, a.url+"/http", "visit", "{}", "")
		if !strings.Contains(first, "has not declared this mode") {
			t.Errorf("who knows no URLs was asked: %s", first)
		}
	})
}

func TestAServerThatWithdrawsItsQuestionGoesOn(t *testing.T) {
	a := newAskers(t)
	for _, path := range []string{"/http", "/child"} {
		_, first := modernCall(t, a.url+path, "brief", "{}", "")
		state := stateIn(t, first)
		for deadline := time.Now().Add(5 * time.Second); !strings.Contains(outcomes(a.log.all()), path[1:]+".brief"); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the call does not end")
			}
		}
		if _, answer := modernCall(t, a.url+path, "brief", "{}", answers(state, sayEve)); !strings.Contains(answer, "went on: true") {
			t.Errorf("%s: got %s", path, answer)
		}
	}
}

func TestAURLThatHasToBeVisitedFirst(t *testing.T) {
	a := newAskers(t)
	session := person(t, a.url+"/http", "2026-07-28", answeringAs("Anna"))
	if res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "first"}); err != nil || text(res) != "signed in" || a.Runs.Load() != 2 {
		t.Errorf("got %q, %v after %d runs", text(res), err, a.Runs.Load())
	}
	if r := a.log.all(); outcomes(r) != "http.elicitation/create http.first" {
		t.Errorf("recorded %q", outcomes(r))
	}
	b := newAskers(t)
	const form = `"io.modelcontextprotocol/clientCapabilities":{"elicitation":{`
	withURL := func(more string) (int, string) {
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"first","arguments":{}` + more + `,` + strings.Replace(askMeta, form, form+`"url":{}`, 1) + `}}`
		status, answer := send(t, b.url+"/http", body, "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "first")
		return status, string(answer)
	}
	_, first := withURL("")
	if _, answer := withURL(answers(stateIn(t, first), `"url1":{"action":"decline"}`)); !strings.Contains(answer, `"code":"conflict"`) || b.Runs.Load() != 1 {
		t.Errorf("got %s after %d runs", answer, b.Runs.Load())
	}
	c := newAskers(t)
	if _, answer := modernCall(t, c.url+"/http", "first", "{}", ""); !strings.Contains(answer, `"code":-32021`) || strings.Contains(answer, "example.com") {
		t.Errorf("who knows no URLs was sent to one: %s", answer)
	}
	legacy := person(t, c.url+"/http", "2025-11-25", answeringAs("Anna"))
	if res, err := legacy.CallTool(t.Context(), &sdk.CallToolParams{Name: "first"}); err != nil || text(res) != "signed in" {
		t.Errorf("got %q, %v", text(res), err)
	}
}

func TestAnotherReplicaHoldsTheCall(t *testing.T) {
	a := newAskers(t, SealStates([]byte("of all replicas")))
	other := NewHeld()
	defer other.Close(t.Context())
	url, log := jointGateway(t, a.servers, HoldCalls(other), SealStates([]byte("of all replicas")))
	_, first := modernCall(t, a.url+"/http", "elicit", "{}", "")
	state := stateIn(t, first)
	status, answer := modernCall(t, url+"/http", "elicit", "{}", answers(state, sayEve))
	if status != http.StatusOK || !strings.Contains(answer, `"code":"conflict"`) || !strings.Contains(answer, "not held by this process") || !strings.Contains(answer, "may have acted already") {
		t.Errorf("got %d %s", status, answer)
	}
	if r := log.all(); len(r) != 1 || r[0].Error == nil || r[0].Error.Code != signalbox.CodeConflict {
		t.Errorf("recorded %+v", r)
	}
	if _, answer = modernCall(t, a.url+"/http", "elicit", "{}", answers(state, sayEve)); !strings.Contains(answer, "hello Eve") || a.Runs.Load() != 1 {
		t.Errorf("got %s after %d runs", answer, a.Runs.Load())
	}
}

func TestAHeldCallEndsWithItsProcess(t *testing.T) {
	a := newAskers(t)
	_, first := modernCall(t, a.url+"/http", "elicit", "{}", "")
	state := stateIn(t, first)
	if err := a.held.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ended []signalbox.Record
	for _, r := range a.log.all() {
		if r.Type == signalbox.RecordOutcome && r.What.ToolName == "http.elicit" {
			ended = append(ended, r)
		}
	}
	if len(ended) != 1 || ended[0].Outcome != signalbox.OutcomeCancelled || ended[0].Error == nil {
		t.Errorf("recorded %+v", ended)
	}
	if _, answer := modernCall(t, a.url+"/http", "elicit", "{}", answers(state, sayEve)); !strings.Contains(answer, `"code":"conflict"`) {
		t.Errorf("got %s", answer)
	}
	for deadline := time.Now().Add(5 * time.Second); a.Cancelled.Load() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server was not told")
		}
	}
}

// Two callers use one child at once, and each is asked what his own call asks.
func TestAChildAsksWhoseCallItWorksOn(t *testing.T) {
	a := newAskers(t)
	var wg sync.WaitGroup
	for i := range 4 {
		version := []string{"2026-07-28", "2025-11-25"}[i%2]
		name := fmt.Sprint("Anna", i)
		session := person(t, a.url+"/child", version, answeringAs(name))
		wg.Go(func() {
			for range 3 {
				res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "twice"})
				if err != nil || text(res) != "hello "+name+", hello "+name {
					t.Errorf("%s: got %q, %v", name, text(res), err)
				}
			}
		})
	}
	wg.Wait()
}

// A child whose caller has gone could ask whoever comes next. It is ended instead.
func TestAChildThatMightStillAskIsEnded(t *testing.T) {
	a := newAskers(t)
	asked := make(chan string, 1)
	gone := person(t, a.url+"/child", "2026-07-28", &sdk.ClientOptions{ElicitationHandler: saysAnna})
	if _, err := gone.CallTool(t.Context(), &sdk.CallToolParams{Name: "elicit"}); err != nil { // The child is there.
		t.Fatal(err)
	}
	ctx, leave := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer leave()
	if res, err := gone.CallTool(ctx, &sdk.CallToolParams{Name: "stubborn"}); err == nil {
		t.Errorf("got %q", text(res))
	}
	next := person(t, a.url+"/child", "2026-07-28", &sdk.ClientOptions{ElicitationHandler: func(_ context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
		if r.Params.Message != "Who are you?" {
			asked <- r.Params.Message
		}
		time.Sleep(200 * time.Millisecond)
		return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"name": "Eve"}}, nil
	}})
	if res, err := next.CallTool(t.Context(), &sdk.CallToolParams{Name: "elicit"}); err != nil || text(res) != "hello Eve" {
		t.Errorf("got %q, %v", text(res), err)
	}
	if len(asked) != 0 {
		t.Errorf("was asked %q for somebody else", <-asked)
	}
	for _, state := range a.servers.States() {
		if state.Server == "child" && state.Sessions != 2 {
			t.Errorf("the child was started %d times", state.Sessions)
		}
	}
}

// A call that a person must approve first, and whose server then asks, ends in the request that brings the answer.
func TestACallIsApprovedAndThenAsks(t *testing.T) {
	a := newAskers(t)
	p := newPeople()
	log := &memoryLog{}
	next := chain(a.servers, log, nil)
	approving := call.HandlerFunc(func(ctx context.Context, track *call.Track) (call.Answer, error) {
		if track.Call.Tool.Name == "elicit" {
			return p.station(next).Serve(ctx, track)
		}
		return next.Serve(ctx, track)
	})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(a.servers, testDoor{}, approving, "test", slog.New(slog.DiscardHandler), HoldCalls(a.held), WaitForApprovals(p, time.Minute)))
	url := upstreamtest.Serve(t, mux) + "/mcp/http"
	go func() {
		<-p.asked
		p.decide(signalbox.ApprovalApproved)
	}()
	_, first := modernCall(t, url, "elicit", "{}", "")
	if _, answer := modernCall(t, url, "elicit", "{}", answers(stateIn(t, first), sayEve)); !strings.Contains(answer, "hello Eve") || a.Runs.Load() != 1 {
		t.Errorf("after %d runs: got %s", a.Runs.Load(), answer)
	}
	if got := outcomes(log.all()); got != "http.elicitation/create http.elicit" {
		t.Errorf("recorded %q", got)
	}
}

// A panic behind a held call is an answer, as it is everywhere.
func TestAHeldCallPanics(t *testing.T) {
	h := NewHeld()
	defer h.Close(t.Context())
	s := newServers(t, upstream.Config{ID: "http", URL: "http://127.0.0.1:1"})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { panic("oh") }),
		"test", slog.New(slog.DiscardHandler), HoldCalls(h)))
	if _, answer := modernCall(t, upstreamtest.Serve(t, mux)+"/mcp/http", "elicit", "{}", ""); !strings.Contains(answer, `"code":"internal"`) {
		t.Errorf("got %s", answer)
	}
}

// While a person thinks, the server's time stands still; a caller who is served and leaves ends the call.
func TestPeopleTakeTheirTime(t *testing.T) {
	a := newAskers(t)
	u, err := a.servers.Find("http")
	if err != nil {
		t.Fatal(err)
	}
	u.CallTimeout = 300 * time.Millisecond
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		slow := person(t, a.url+"/http", version, &sdk.ClientOptions{ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			time.Sleep(600 * time.Millisecond)
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"name": "Anna"}}, nil
		}})
		if res, err := slow.CallTool(t.Context(), &sdk.CallToolParams{Name: "elicit"}); err != nil || text(res) != "hello Anna" {
			t.Errorf("got %q, %v", text(res), err)
		}
	}
	if !strings.Contains(outcomes(a.log.all()), rpc.MethodElicit) {
		t.Error("nothing was asked")
	}
}

// A child does not say for whom it asks. What it asks for a task would reach the caller of another call.
func TestAChildThatMayAskMakesNoTasks(t *testing.T) {
	tasker := child("child", "tasker")
	tasker.Asks = true
	servers, err := upstream.New(upstream.Options{
		Servers: []upstream.Config{tasker}, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, MayAsk: func(string, string) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	d := newDesk()
	url, _ := jointGateway(t, servers, KeepTasks(d))
	_, body := send(t, url+"/child", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{},"task":{}}}`)
	if !strings.Contains(string(body), "without a task") || len(d.accepted) > 0 {
		t.Errorf("accepted %q: %s", d.accepted, body)
	}
	another := person(t, url+"/child", "2025-11-25", &sdk.ClientOptions{ElicitationHandler: saysAnna})
	res, err := another.CallTool(t.Context(), &sdk.CallToolParams{Name: "work"})
	if err != nil || text(res) != "without a task" {
		t.Errorf("another caller got %q, %v", text(res), err)
	}
}
