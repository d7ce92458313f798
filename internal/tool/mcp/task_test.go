package mcp

import (
	"context"
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
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// desk keeps one task, which is what the test says.
type desk struct {
	mu      sync.Mutex
	task    signalbox.Task
	content signalbox.TaskContent
	failing error
	opened  []string // Approvals.
	ended   []string // Tasks.

	full     bool
	down     error    // Why nobody knows whether there is room.
	unkept   error    // Why nothing of a server's can be kept.
	accepted []string // Tasks of servers, with how long they live.
}

func newDesk() *desk {
	created := time.Date(2026, 11, 23, 9, 0, 0, 1000, time.UTC)
	return &desk{task: signalbox.Task{
		ID: "task_1", Server: "files", State: signalbox.TaskWaiting, Approval: "appr_1", Request: "req_1", Created: created, Updated: created,
		Expires: created.Add(25 * time.Hour),
	}}
}

func (d *desk) Open(_ context.Context, c *signalbox.Call, who signalbox.Caller, approval string) (signalbox.Task, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = append(d.opened, approval+" "+c.Tool.ID()+" "+who.Tenant)
	return d.task, d.failing
}

func (d *desk) Of(_ context.Context, who signalbox.Caller, approval string) (signalbox.Task, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.task, approval == d.task.Approval && who.Tenant != "", d.failing
}

func (d *desk) Get(_ context.Context, who signalbox.Caller, server, id string) (signalbox.Task, signalbox.TaskContent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id != d.task.ID || server != "" && server != d.task.Server || who.Tenant == "" {
		return signalbox.Task{}, signalbox.TaskContent{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no such task.").WithRemedy("Look.")
	}
	return d.task, d.content, d.failing
}

func (d *desk) Cancel(ctx context.Context, who signalbox.Caller, server, id string) error {
	_, _, err := d.Get(ctx, who, server, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = append(d.ended, id)
	return err
}

// taskGateway serves the handler with people and a desk behind it.
func taskGateway(t *testing.T, p *people, d *desk) http.Handler {
	t.Helper()
	recorder := call.NewRecorder(call.RecorderOptions{Log: &memoryLog{}, Masker: plain{}, Now: time.Now})
	chain := call.Stations{Record: recorder.Station, Approval: p.station, Attempt: call.HandlerFunc(answering)}.Chain()
	servers := newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}, upstream.Config{ID: "other", URL: "http://127.0.0.1:1"})
	options := []HandlerOption{WaitForApprovals(p, time.Millisecond)}
	if d != nil {
		options = append(options, KeepTasks(d))
	}
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(servers, testDoor{}, chain, "test", slog.New(slog.DiscardHandler), options...))
	return mux
}

// What a client declares.
const (
	capable    = `"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`
	incapable  = `"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":null}}`
	newest     = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}`
	callOfTool = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write","arguments":{},"_meta":{%s}}}`
	ofTask     = `{"jsonrpc":"2.0","id":"a","method":%q,"params":{"taskId":"task_1","_meta":{%s}}}`
)

// ask sends a message with the headers of the newest protocol, where others are not given ("-" is none).
func ask(t *testing.T, h http.Handler, path, method, name, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	header = append([]string{
		"Authorization", testKey, "Content-Type", "application/json", "Accept", "application/json, text/event-stream", "MCP-Protocol-Version", "2026-07-28",
		"Mcp-Method", method, "Mcp-Name", name,
	}, header...)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "-" {
			r.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(answer)
}

func wants(t *testing.T, what string, status int, body string, want int, texts ...string) {
	t.Helper()
	if status != want {
		t.Errorf("%s: status %d, want %d: %s", what, status, want, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("%s: the answer does not say %s: %s", what, text, body)
		}
	}
}

func TestACallBecomesATask(t *testing.T) {
	d := newDesk()
	h := taskGateway(t, newPeople(), d)
	status, body := ask(t, h, "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, newest+","+capable+`,"progressToken":"p"`))
	wants(t, "declared", status, body, http.StatusOK, `"id":1`, `"resultType":"task"`, `"taskId":"task_1"`, `"status":"working"`,
		`Waiting for the approval appr_1`, `"createdAt":"2026-11-23T09:00:00.000001Z"`, `"lastUpdatedAt":"2026-11-23T09:00:00.000001Z"`,
		`"ttlMs":90000000`, `"pollIntervalMs":2000`)
	if len(d.opened) != 1 || d.opened[0] != "appr_1 files.write acme" {
		t.Errorf("opened %q", d.opened)
	}
	d.failing = signalbox.Errorf(signalbox.CodeRateLimited, "full").WithRemedy("Wait.")
	status, body = ask(t, h, "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, newest+","+capable))
	wants(t, "no room", status, body, http.StatusOK, `"code":-31429`, "full")
}

// Who has not declared tasks, or speaks an older protocol, waits as before; nobody gets a task for a call that needs no people.
func TestACallBecomesNoTask(t *testing.T) {
	older := `"io.modelcontextprotocol/protocolVersion":"2025-11-25"`
	for name, meta := range map[string]string{
		"undeclared": newest + `,"io.modelcontextprotocol/clientCapabilities":{}`, "declared as nothing": newest + "," + incapable,
		"capabilities that are none": newest + `,"io.modelcontextprotocol/clientCapabilities":{"extensions":[]}`,
	} {
		d := newDesk()
		status, body := ask(t, taskGateway(t, newPeople(), d), "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, meta))
		if len(d.opened) > 0 || !strings.Contains(body, "pending") && !strings.Contains(body, "-32602") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	d := newDesk()
	_, body := ask(t, taskGateway(t, newPeople(), d), "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, capable), "MCP-Protocol-Version", "2025-11-25")
	wants(t, "an older protocol", 0, body, 0, "pending")
	ask(t, taskGateway(t, newPeople(), d), "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, older+","+capable))
	p := newPeople()
	p.decide(signalbox.ApprovalApproved)
	_, body = ask(t, taskGateway(t, p, d), "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, newest+","+capable))
	wants(t, "no approval is needed", 0, body, 0, `"resultType":"complete"`, "done")
	if len(d.opened) > 0 {
		t.Errorf("opened %q", d.opened)
	}
}

func TestTheExtensionIsDeclared(t *testing.T) {
	discover := `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{` + newest + `,"io.modelcontextprotocol/clientCapabilities":{}}}}`
	_, body := ask(t, taskGateway(t, newPeople(), newDesk()), "/mcp/files", "server/discover", "-", discover)
	wants(t, "with tasks", 0, body, 0, `"extensions":{"io.modelcontextprotocol/tasks":{}}`)
	if _, body := ask(t, taskGateway(t, newPeople(), nil), "/mcp/files", "server/discover", "-", discover); strings.Contains(body, "tasks") {
		t.Errorf("without tasks: %s", body)
	}
}

func TestWhatATaskCameTo(t *testing.T) {
	failed := signalbox.Failed(signalbox.Errorf(signalbox.CodeForbidden, "It was denied.").WithRemedy("Ask for something else."))
	for _, c := range []struct {
		state   signalbox.TaskState
		content signalbox.TaskContent
		want    []string
	}{
		{signalbox.TaskWaiting, signalbox.TaskContent{}, []string{`"status":"working"`, "appr_1"}},
		{signalbox.TaskRunning, signalbox.TaskContent{}, []string{`"status":"working"`, "is being made"}},
		{signalbox.TaskCompleted, signalbox.TaskContent{Result: pretty}, []string{`"status":"completed"`, `"result":` + pretty}},
		{signalbox.TaskFailed, signalbox.TaskContent{Error: failed}, []string{
			`"status":"failed"`, `"statusMessage":"It was denied. Ask for something else."`, `"error":{"code":-31403`, `"request_id":"req_1"`, `"call":"call_2"`,
		}},
		{signalbox.TaskCancelled, signalbox.TaskContent{}, []string{`"status":"cancelled"`, "The call was not made"}},
		{signalbox.TaskCancelled, signalbox.TaskContent{Error: failed}, []string{`"status":"cancelled"`, "It was denied."}},
	} {
		d := newDesk()
		d.task.State, d.task.Call, d.content = c.state, "call_2", c.content
		status, body := ask(t, taskGateway(t, newPeople(), d), "/mcp/files", "tasks/get", "task_1", fmt.Sprintf(ofTask, "tasks/get", newest+","+capable))
		wants(t, string(c.state), status, body, http.StatusOK, append(c.want, `"id":"a"`, `"resultType":"complete"`, `"ttlMs":90000000`)...)
		if _, err := json.Parse([]byte(body), json.Limits{}); err != nil {
			t.Errorf("%s: %v: %s", c.state, err, body)
		}
	}
}

func TestAcknowledged(t *testing.T) {
	d := newDesk()
	h := taskGateway(t, newPeople(), d)
	for _, method := range []string{"tasks/update", "tasks/cancel"} {
		status, body := ask(t, h, "/mcp/files", method, "task_1", fmt.Sprintf(ofTask, method, newest+","+capable))
		wants(t, method, status, body, http.StatusOK, `{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete"}}`)
	}
	if len(d.ended) != 1 {
		t.Errorf("cancelled %q", d.ended)
	}
}

func TestBadMessagesAboutTasks(t *testing.T) {
	for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
		d := newDesk()
		h := taskGateway(t, newPeople(), d)
		good := fmt.Sprintf(ofTask, method, newest+","+capable)
		send := func(what string, want int, code, path, name, body string, header ...string) {
			t.Helper()
			status, answer := ask(t, h, path, method, name, body, header...)
			wants(t, method+" "+what, status, answer, want, `"code":`+code)
		}
		send("of nobody", 400, "-32602", "/mcp/files", "task_9", strings.ReplaceAll(good, "task_1", "task_9"))
		send("without an id of a task", 400, "-32020", "/mcp/files", "task_1", strings.ReplaceAll(good, `"taskId":"task_1",`, ""))
		send("with an id that is a number", 400, "-32602", "/mcp/files", "-", strings.ReplaceAll(good, `"task_1"`, "7"))
		send("at another server", 400, "-32602", "/mcp/other", "task_1", good)
		send("without the extension", 400, "-32021", "/mcp/files", "task_1", fmt.Sprintf(ofTask, method, newest+","+incapable))
		send("without Mcp-Name", 400, "-32020", "/mcp/files", "-", good)
		send("with another Mcp-Name", 400, "-32020", "/mcp/files", "task_2", good)
		send("with another Mcp-Method", 400, "-32020", "/mcp/files", "task_1", good, "Mcp-Method", "tools/list")
		send("without Mcp-Method", 400, "-32020", "/mcp/files", "task_1", good, "Mcp-Method", "-")
		send("of another version than its header", 400, "-32020", "/mcp/files", "task_1", good, "MCP-Protocol-Version", "2025-11-25")
		send("without a version", 400, "-32602", "/mcp/files", "task_1", fmt.Sprintf(ofTask, method, capable))
		status, older := ask(t, h, "/mcp/files", method, "task_1", fmt.Sprintf(ofTask, method, capable), "MCP-Protocol-Version", "2025-11-25")
		code := "-32602" // They know it by another meaning.
		if method == "tasks/update" {
			code = "-32601"
		}
		wants(t, method+" of an older protocol", status, older, 200, code)
		if d.failing = signalbox.Errorf(signalbox.CodeUnavailable, "down"); len(d.ended) > 3 {
			t.Errorf("%q were cancelled", d.ended)
		}
		send("while the store is down", 503, "-31503", "/mcp/files", "task_1", good)
	}
	_, body := ask(t, taskGateway(t, newPeople(), newDesk()), "/mcp/files", "tasks/get", "task_1", fmt.Sprintf(ofTask, "tasks/get", newest+","+incapable))
	wants(t, "undeclared", 0, body, 0, `"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`)
}

func TestParseCall(t *testing.T) {
	got, err := ParseCall("files", []byte(fmt.Sprintf(callOfTool, newest)))
	if err != nil || got.ID() != "files.write" || string(got.Arguments) != "{}" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, body := range []string{"{", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`} {
		if got, err := ParseCall("files", []byte(body)); signalbox.CodeOf(err) != signalbox.CodeInvalid {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
	}
}
