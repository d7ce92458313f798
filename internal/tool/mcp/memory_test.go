package mcp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/held"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// newAsking gives a legacy server that asks, called http, with so many places.
func newAsking(t *testing.T, asker *upstreamtest.Asker, places int) *upstream.Servers {
	t.Helper()
	servers, err := upstream.New(upstream.Options{
		Servers: []upstream.Config{{ID: "http", URL: upstreamtest.ServeSessions(t, asker.Server), MaxCalls: places}},
		Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, MayAsk: func(string, string) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	return servers
}

// changing is a set of servers that others replace.
type changing struct {
	atomic.Pointer[upstream.Servers]
}

// Current gives the set in force.
func (c *changing) Current() *upstream.Servers { return c.Load() }

func (c *changing) serve(ctx context.Context, t *call.Track, log *memoryLog) (call.Answer, error) {
	return chain(c.Load(), log, nil).Serve(ctx, t)
}

// Whose servers are replaced while he is asked something can still answer, and cancel.
func TestACallerOutlivesServers(t *testing.T) {
	asker, log := upstreamtest.NewAsker(), &memoryLog{}
	var now changing
	now.Store(newAsking(t, asker, 0))
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(&now, testDoor{}, call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
		return now.serve(ctx, t, log)
	}), "test", slog.New(slog.DiscardHandler)))
	url := upstreamtest.Serve(t, mux) + "/mcp/http"
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	post := func(body string, headers ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		res, err := withKey{transport, headers}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	session := post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}`).
		Header.Get(rpc.HeaderSession)
	for answer, want := range map[string]string{
		`{"jsonrpc":"2.0","id":%q,"result":{"action":"accept","content":{"name":"Anna"}}}`:                "hello Anna",
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"the call","was":%q}}`: `"cancelled"`,
	} {
		lines := bufio.NewReader(post(`{"jsonrpc":"2.0","id":"the call","method":"tools/call","params":{"name":"elicit","arguments":{}}}`, rpc.HeaderSession, session).Body)
		question, id := "", ""
		for !strings.Contains(question, rpc.MethodElicit) {
			var err error
			if question, err = lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		_, id, _ = strings.Cut(question, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		now.Store(newAsking(t, asker, 0))
		if res := post(fmt.Sprintf(answer, id), rpc.HeaderSession, session); res.StatusCode != http.StatusAccepted {
			t.Fatalf("what was answered comes to status %d", res.StatusCode)
		}
		if rest, err := io.ReadAll(lines); err != nil || !strings.Contains(string(rest), want) {
			t.Errorf("got %s, %v, want %s", rest, err, want)
		}
	}
}

// Callers who are asked in their sessions can not fill a server by taking their time, any more than others can.
func TestQuestionsInSessionsTakePlaces(t *testing.T) {
	asker, calls := upstreamtest.NewAsker(), NewHeld()
	t.Cleanup(func() {
		if err := calls.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	url, _ := jointGateway(t, newAsking(t, asker, 3), HoldCalls(calls))
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := person(t, url+"/http", "2025-11-25", &sdk.ClientOptions{ElicitationHandler: func(ctx context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
		close(asked)
		<-answer
		return saysAnna(ctx, r)
	}})
	ended := make(chan string)
	elicit := func(s *sdk.ClientSession) string {
		res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "elicit"})
		if err != nil {
			return err.Error()
		}
		return text(res)
	}
	go func() { ended <- elicit(slow) }()
	<-asked
	quick := person(t, url+"/http", "2025-11-25", &sdk.ClientOptions{ElicitationHandler: saysAnna})
	if got := elicit(quick); !strings.Contains(got, "nobody: ") || !strings.Contains(got, "Too many calls wait") {
		t.Errorf("half of the places are taken, and a further caller was asked: %s", got)
	}
	close(answer)
	if got := <-ended; got != "hello Anna" {
		t.Errorf("got %s", got)
	}
	if got := elicit(quick); got != "hello Anna" {
		t.Errorf("got %s", got)
	}
}

// Waiting for what a task came to takes a place like waiting for an answer does.
func TestWaitingForATaskTakesAPlace(t *testing.T) {
	s, d, calls := &teller{says: map[string]string{}}, newDesk(), NewHeld()
	servers := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.Serve(t, s), MaxCalls: 2})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(servers, testDoor{}, chain(servers, &memoryLog{}, nil), "test", slog.New(slog.DiscardHandler), KeepTasks(d), HoldCalls(calls)))
	send := func(method, params string) (int, string) {
		t.Helper()
		return ask(t, mux, "/mcp/files", "-", "-", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), "Mcp-Protocol-Version", "2025-11-25")
	}
	s.say(rpc.MethodCallTool, `"result":{"task":{`+remoteTask+`}}`)
	s.say(rpc.MethodGetTask, `"result":{`+remoteTask+`}`)
	s.say(rpc.MethodTaskResult, `"result":{"content":[]}`)
	send("tools/call", `{"name":"write","arguments":{},"task":{}}`)
	leave, err := calls.Occupy(held.Owner{Key: "another", Server: "files", Places: 2}, "another")
	if err != nil {
		t.Fatal(err)
	}
	status, body := send(rpc.MethodTaskResult, `{"taskId":"task_1"}`)
	wants(t, "result", status, body, http.StatusServiceUnavailable, "Too many calls wait")
	status, body = send(rpc.MethodGetTask, `{"taskId":"task_1"}`)
	wants(t, "get", status, body, http.StatusOK, `"status":"working"`)
	leave()
	status, body = send(rpc.MethodTaskResult, `{"taskId":"task_1"}`)
	wants(t, "result", status, body, http.StatusOK, `"content":[]`)
	if len(calls.Held()) > 0 {
		t.Errorf("%v wait", calls.Held())
	}
}

// What a server calls its task is told to nobody, and what the caller says of ours comes to it as its own.
func TestAQuestionIsAboutOurTask(t *testing.T) {
	servers := newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"})
	h := NewHandler(servers, testDoor{}, chain(servers, &memoryLog{}, nil), "test", slog.New(slog.DiscardHandler))
	session, told := h.sessions.begin(signalbox.Caller{}, nil, time.Now()), httptest.NewRecorder()
	x := &exchange{
		call: &signalbox.Call{Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "files"}}, response: &response{w: told}, handler: h, session: session,
	}
	x.progress, x.permitted = json.Value(`"p"`), json.Value(`{"elicitation":{}}`)
	f := found{task: signalbox.Task{ID: "task_1"}, content: signalbox.TaskContent{Remote: &signalbox.ServerTask{ID: "theirs"}}}
	l := line{x: x, task: &f}
	const about = `{"a":1,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":%q}}}`
	theirs, ours := json.Value(fmt.Sprintf(about, "theirs")), fmt.Sprintf(about, "task_1")
	l.Progressed(theirs)
	l.Logged(theirs)
	l.Elicited(theirs)
	go func() {
		for len(session.asked()) == 0 {
			time.Sleep(time.Millisecond)
		}
		session.answered([]byte(`{"jsonrpc":"2.0","id":"ask-1","result":` + ours + `}`))
	}()
	if answer, err := l.Ask(t.Context(), rpc.MethodElicit, theirs); string(answer) != string(theirs) || err != nil {
		t.Errorf("the server got %s, %v", answer, err)
	}
	if said := told.Body.String(); strings.Contains(said, "theirs") || strings.Count(said, "task_1") != 4 {
		t.Errorf("the caller was told %s", said)
	}
}

// asked are the questions that wait for the caller of a session.
func (s *callerSession) asked() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.waiting))
}
