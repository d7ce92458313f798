package mcp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// Room, Accept, Finish and List keep the one task that the desk has.
func (d *desk) Room(context.Context, signalbox.Caller) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.full, d.down
}

func (d *desk) Accept(_ *signalbox.Call, _ signalbox.Caller, remote signalbox.ServerTask, ttl time.Duration) (signalbox.Task, []signalbox.Effect, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accepted = append(d.accepted, fmt.Sprint(remote.ID, " ", ttl))
	d.content = signalbox.TaskContent{Remote: &remote}
	d.task.Kind, d.task.State = signalbox.TaskOfServer, signalbox.TaskRunning
	return d.task, nil, d.unkept
}

func (d *desk) Made(_ context.Context, _ signalbox.Caller, _ string) (signalbox.Task, signalbox.TaskContent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.task, d.content, d.unkept
}

func (d *desk) Finish(
	_ context.Context, _ signalbox.Caller, _ signalbox.Task, _ signalbox.TaskContent, state signalbox.TaskState, why error,
) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.task.State = state
	if why != nil {
		d.content.Error = signalbox.Failed(why)
	}
	return d.unkept
}

func (d *desk) List(context.Context, signalbox.Caller, string) ([]signalbox.Task, []signalbox.TaskContent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return []signalbox.Task{d.task}, []signalbox.TaskContent{d.content}, d.failing
}

// teller is a server of one version that answers by method what the test says, and remembers what it was asked.
type teller struct {
	modern bool
	mu     sync.Mutex
	says   map[string]string
	heard  []string
}

func (s *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	m, wrong := rpc.Decode(body)
	if err != nil || wrong != nil || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, m.Method+" "+string(m.Params))
	w.Header().Set("Content-Type", "application/json")
	answer, known := s.says[m.Method]
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	case m.Method == rpc.MethodDiscover && s.modern:
		answer = `"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}`
	case m.Method == rpc.MethodInitialize && !s.modern:
		answer = `"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"t","version":"1"},"capabilities":{"tasks":{"requests":{"tools":{"call":{}}}}}}`
	case m.Method == rpc.MethodListTools:
		answer = `"result":{"tools":[{"name":"write","inputSchema":{"type":"object"}}]}`
	case !known:
		answer = `"error":{"code":-32601,"message":"unknown"}`
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, m.ID, answer)
}

// say lets the server answer a method.
func (s *teller) say(method, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says[method] = answer
}

// asked gives what the server was asked by a method, the parameters.
func (s *teller) asked(method string) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, heard := range s.heard {
		if params, ok := strings.CutPrefix(heard, method+" "); ok {
			list = append(list, params)
		}
	}
	return list
}

// telling is the handler before a teller called files, with a desk behind it.
func telling(t *testing.T, modern bool) (*teller, *desk, http.Handler, *memoryLog) {
	t.Helper()
	s, d, log := &teller{modern: modern, says: map[string]string{}}, newDesk(), &memoryLog{}
	d.task.Approval = ""
	servers := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.Serve(t, s)})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(servers, testDoor{}, chain(servers, log, nil), "test", slog.New(slog.DiscardHandler), KeepTasks(d)))
	return s, d, mux, log
}

const (
	remoteTask = `"taskId":"theirs","status":"working","createdAt":"2026-11-23T09:00:00Z","lastUpdatedAt":"2026-11-23T09:00:00Z","ttlMs":null,"pollIntervalMs":500,"More":{"a":1,"A":2}`
	madeTask   = `"result":{"resultType":"task",` + remoteTask + `}`
)

// calls calls the tool, and gives the answer.
func calls(t *testing.T, h http.Handler, meta string) string {
	t.Helper()
	_, body := ask(t, h, "/mcp/files", "tools/call", "write", fmt.Sprintf(callOfTool, newest+","+meta))
	return body
}

// looks asks about the task.
func looks(t *testing.T, h http.Handler, method string) string {
	t.Helper()
	_, body := ask(t, h, "/mcp/files", method, "task_1", fmt.Sprintf(ofTask, method, newest+","+capable))
	return body
}

func TestAServerMakesATaskOfACall(t *testing.T) {
	s, d, h, log := telling(t, true)
	s.say(rpc.MethodCallTool, madeTask)
	wants(t, "the call", 0, calls(t, h, capable), 0, `"resultType":"task"`, `"taskId":"task_1"`, `"ttlMs":90000000`, `"pollIntervalMs":500`, `"More":{"a":1,"A":2}`)
	if len(d.accepted) != 1 || d.accepted[0] != "theirs 0s" {
		t.Errorf("accepted %q", d.accepted)
	}
	r := log.all()
	if last := r[len(r)-1]; last.Outcome != signalbox.OutcomeOK || last.Attempts[0].Finish != rpc.TypeTask {
		t.Errorf("recorded as %+v", last)
	}
	s.say(rpc.MethodGetTask, `"result":{"resultType":"complete",`+strings.Replace(remoteTask, "working", "completed", 1)+`,"result":{"A":1,"a":2}}`)
	wants(t, "the task", 0, looks(t, h, rpc.MethodGetTask), 0, `"taskId":"task_1"`, `"status":"completed"`, `"result":{"A":1,"a":2}`)
	if asked := s.asked(rpc.MethodGetTask); len(asked) != 1 || !strings.Contains(asked[0], `"taskId":"theirs"`) || !strings.Contains(asked[0], `"io.modelcontextprotocol/tasks":{}`) {
		t.Errorf("the server was asked %q", asked)
	}
	if d.task.State != signalbox.TaskCompleted {
		t.Errorf("it has ended, and is %s", d.task.State)
	}
}

func TestAServerMakesNoTaskUnasked(t *testing.T) {
	s, d, h, _ := telling(t, true)
	s.say(rpc.MethodCallTool, madeTask)
	wants(t, "undeclared", 0, calls(t, h, incapable), 0, `"code":-31501`, `result of type \"task\"`)
	d.full = true
	wants(t, "without room", 0, calls(t, h, capable), 0, `"code":-31501`)
	d.full, d.down = false, signalbox.Errorf(signalbox.CodeUnavailable, "down")
	wants(t, "while the store is down", 0, calls(t, h, capable), 0, `"code":-31503`)
	if asked := s.asked(rpc.MethodCallTool); len(asked) != 2 || strings.Contains(strings.Join(asked, ""), "modelcontextprotocol/tasks") || len(d.accepted) > 0 {
		t.Errorf("the server was asked %q; accepted %q", asked, d.accepted)
	}
}

func TestATaskThatIsNone(t *testing.T) {
	s, d, h, _ := telling(t, true)
	for _, task := range []string{
		`"status":"working"`, `"taskId":"","status":"working"`, `"taskId":7,"status":"working"`, `"taskId":"x"`, `"taskId":"x","status":"thinking"`,
	} {
		s.say(rpc.MethodCallTool, `"result":{"resultType":"task",`+task+`}`)
		wants(t, task, 0, calls(t, h, capable), 0, `"code":-31502`, "does not say which")
	}
	s.say(rpc.MethodCallTool, madeTask)
	d.unkept = signalbox.Errorf(signalbox.CodeUnavailable, "No key.").WithRemedy("Wait.")
	wants(t, "not kept", 0, calls(t, h, capable), 0, `"code":-31503`, "could not be kept", "No key. Wait.")
}

func TestWhatAServerSaysOfATask(t *testing.T) {
	s, d, h, _ := telling(t, true)
	s.say(rpc.MethodCallTool, madeTask)
	calls(t, h, capable)
	for _, none := range []string{`"result":{}`, `"result":{` + strings.Replace(remoteTask, "theirs", "another", 1) + `}`} {
		s.say(rpc.MethodGetTask, none)
		wants(t, none, 0, looks(t, h, rpc.MethodGetTask), 0, `"code":-31502`, "is none about it")
	}
	s.say(rpc.MethodGetTask, `"error":{"code":-32000,"message":"busy"}`)
	wants(t, "an error", 0, looks(t, h, rpc.MethodGetTask), 0, `"code":-31502`, "busy")
	if d.task.State != signalbox.TaskRunning {
		t.Fatalf("it is %s", d.task.State)
	}
	asking := `"result":{` + strings.Replace(remoteTask, "working", "input_required", 1) + `,"inputRequests":%s}`
	for questions, want := range map[string]string{
		`{"q":7}`: "asks for input in a way that is none", `{"q":{"method":"tools/call"}}`: "none that a caller can be asked",
		`{"q":{"method":"roots/list"}}`: `"requiredCapabilities":{"roots":{}}`,
	} {
		s.say(rpc.MethodGetTask, fmt.Sprintf(asking, questions))
		wants(t, questions, 0, looks(t, h, rpc.MethodGetTask), 0, `"error"`, want)
	}
	s.say(rpc.MethodGetTask, `"error":{"code":-32602,"message":"gone"}`)
	for range 2 {
		wants(t, "forgotten", 0, looks(t, h, rpc.MethodGetTask), 0, `"status":"failed"`, `"resultType":"complete"`, "does not know the task any more", `"code":-31502`)
	}
	if n := len(s.asked(rpc.MethodGetTask)); n != 7 {
		t.Errorf("the server was asked %d times", n)
	}
	for _, method := range []string{rpc.MethodUpdateTask, rpc.MethodCancelTask} {
		wants(t, method, 0, looks(t, h, method), 0, `"result":{"resultType":"complete"}`)
		if len(s.asked(method)) > 0 {
			t.Errorf("%s of one that has failed reached the server", method)
		}
	}
}

func TestWhoCanNotBeTold(t *testing.T) {
	s, d, h, _ := telling(t, true)
	s.say(rpc.MethodCallTool, madeTask)
	calls(t, h, capable)
	s.say(rpc.MethodGetTask, `"result":{`+strings.Replace(remoteTask, "working", "completed", 1)+`}`)
	d.unkept = signalbox.Errorf(signalbox.CodeUnavailable, "down")
	wants(t, "an end that can not be kept", 0, looks(t, h, rpc.MethodGetTask), 0, `"code":-31503`)
	s.say(rpc.MethodGetTask, `"error":{"code":-32602,"message":"gone"}`)
	d.task.State = signalbox.TaskRunning
	wants(t, "a failure that can not be kept", 0, looks(t, h, rpc.MethodGetTask), 0, `"code":-31503`)
	d.task.State, d.unkept, d.content.Error = signalbox.TaskCompleted, nil, nil
	wants(t, "forgotten at last", 0, looks(t, h, rpc.MethodGetTask), 0, `"code":-32602`, "had ended as completed")
}

// A server of an older version is told of a task where its caller asks for one, and is asked about it in its words.
func TestLegacyTasks(t *testing.T) {
	s, d, h, _ := telling(t, false)
	const made = `"result":{"task":{"taskId":"theirs","status":"working","createdAt":"a","lastUpdatedAt":"b","ttl":1000,"pollInterval":5},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"theirs","x":1},"y":2}}`
	send := func(method, params string) string {
		t.Helper()
		_, body := ask(t, h, "/mcp/files", "-", "-", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), "Mcp-Protocol-Version", "2025-11-25")
		return body
	}
	const call = `{"name":"write","arguments":{},"task":{"ttl":5,"Z":1}}`
	s.say(rpc.MethodCallTool, made)
	wants(t, "the call", 0, send("tools/call", call), 0, `"taskId":"task_1"`, `"ttl":1000`, `related-task":{"taskId":"task_1","x":1},"y":2`)
	if asked := s.asked(rpc.MethodCallTool); len(asked) != 1 || !strings.Contains(asked[0], `"task":{"ttl":5,"Z":1}`) {
		t.Errorf("the server was asked %q", asked)
	}
	if d.content.Remote.Session == "" {
		t.Error("nobody knows in which session it was made")
	}
	s.say(rpc.MethodGetTask, `"result":{"taskId":"theirs","status":"working","createdAt":"a","lastUpdatedAt":"b","ttl":null}`)
	wants(t, "get", 0, send("tasks/get", `{"taskId":"task_1"}`), 0, `"taskId":"task_1","status":"working"`, `"ttl":90000000`)
	wants(t, "list", 0, send("tasks/list", `{}`), 0, `"tasks":[{"taskId":"task_1","status":"working"`)
	wants(t, "another page", 0, send("tasks/list", `{"cursor":"x"}`), 0, `"code":-32602`)
	s.say(rpc.MethodTaskResult, `"result":{"content":[],"taskId":"the tool's own","isError":true}`)
	wants(t, "result", 0, send("tasks/result", `{"taskId":"task_1"}`), 0, `"content":[],"taskId":"the tool's own"`)
	if d.task.State != signalbox.TaskFailed {
		t.Errorf("it has ended, and is %s", d.task.State)
	}
	wants(t, "list of what has ended", 0, send("tasks/list", `{}`), 0, `"status":"failed"`)
	wants(t, "a task of the newest version", 0, looks(t, h, rpc.MethodGetTask), 0, `"code":-32602`, "There is no such task.")
	wants(t, "update", 0, send("tasks/update", `{"taskId":"task_1"}`), 0, `"code":-32601`)

	d.task.State, d.content.Remote.Session = signalbox.TaskRunning, "elsewhere.1"
	wants(t, "in another process", 0, send("tasks/get", `{"taskId":"task_1"}`), 0, `"code":-31409`, "another process")
	d.content.Remote.Session = ""
	wants(t, "of the newest version", 0, send("tasks/get", `{"taskId":"task_1"}`), 0, `"code":-32602`, "There is no such task.")
	d.full = true
	wants(t, "without room", 0, send("tools/call", call), 0, `"code":-31429`)
	s.say(rpc.MethodCallTool, `"result":{"content":[]}`)
	wants(t, "without a task", 0, send("tools/call", `{"name":"write","arguments":{}}`), 0, `"content":[]`)
}

func TestALegacyTaskOfALostSession(t *testing.T) {
	s, d, h, _ := telling(t, false)
	s.say(rpc.MethodCallTool, `"result":{"task":{"taskId":"theirs","status":"working"}}`)
	send := func(method, params string) string {
		t.Helper()
		_, body := ask(t, h, "/mcp/files", "-", "-", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), "Mcp-Protocol-Version", "2025-11-25")
		return body
	}
	wants(t, "the call", 0, send("tools/call", `{"name":"write","arguments":{},"task":{}}`), 0, `"task_1"`)
	before, _, _ := strings.Cut(d.content.Remote.Session, ".")
	d.content.Remote.Session = before + ".9"
	wants(t, "result", 0, send("tasks/result", `{"taskId":"task_1"}`), 0, `"code":-31502`, "does not know the task any more")
	wants(t, "get", 0, send("tasks/get", `{"taskId":"task_1"}`), 0, `"status":"failed"`, "does not know the task any more")
	wants(t, "result, once more", 0, send("tasks/result", `{"taskId":"task_1"}`), 0, `"code":-31502`)
	if asked := s.asked(rpc.MethodTaskResult); len(asked) > 0 {
		t.Errorf("another session was asked %q", asked)
	}
}

func TestQuestionsAreJudgedOnceInAWhile(t *testing.T) {
	var j judged
	now := time.Now()
	q := question{key: "a", method: "elicitation/create", params: json.Value("{}")}
	if j.recently("task_1", q, now) {
		t.Error("before it was judged")
	}
	j.note("task_1", q, now)
	other := q
	other.params = json.Value(`{"message":"?"}`)
	if !j.recently("task_1", q, now.Add(JudgedFor-1)) || j.recently("task_1", q, now.Add(JudgedFor)) || j.recently("task_2", q, now) || j.recently("task_1", other, now) {
		t.Error("another question is taken for it, or the time is not kept")
	}
	for n := range MaxJudged + 1 {
		j.note(fmt.Sprint(n), q, now)
	}
	if len(j.until) != MaxJudged || j.recently(fmt.Sprint(MaxJudged), q, now) {
		t.Errorf("%d are kept", len(j.until))
	}
	if j.note("later", q, now.Add(JudgedFor)); !j.recently("later", q, now.Add(JudgedFor)) || len(j.until) != 1 {
		t.Errorf("those that are over keep their place: %d", len(j.until))
	}
}

// A server that is taken from a tenant takes its tasks along, on the joint path too.
func TestTasksOfAServerThatIsTakenFromATenant(t *testing.T) {
	for _, modern := range []bool{true, false} {
		s, d := &teller{modern: modern, says: map[string]string{}}, newDesk()
		servers := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.Serve(t, s)})
		var taken atomic.Bool
		mux := http.NewServeMux()
		mux.Handle(JointPattern, NewHandler(servers, testDoor{}, chain(servers, &memoryLog{}, nil), "test", slog.New(slog.DiscardHandler), KeepTasks(d),
			KeepTenants(func(string, string) bool { return !taken.Load() })))
		version, meta := "2025-11-25", ""
		if modern {
			version, meta = "2026-07-28", `,"_meta":{`+newest+`,`+capable+`}`
		}
		send := func(method, params string) string {
			t.Helper()
			name := "task_1"
			if method == "tools/call" {
				name = "files__write"
			}
			_, body := ask(t, mux, "/mcp", method, name, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`, method, params, meta), "Mcp-Protocol-Version", version)
			return body
		}
		methods, made, got := []string{rpc.MethodGetTask, rpc.MethodCancelTask, rpc.MethodUpdateTask}, madeTask, `"result":{`+remoteTask+`}`
		if !modern {
			methods, made = []string{rpc.MethodGetTask, rpc.MethodCancelTask, rpc.MethodTaskResult}, `"result":{"task":{`+remoteTask+`}}`
		}
		s.say(rpc.MethodCallTool, made)
		for _, method := range append(methods, rpc.MethodTaskResult) {
			s.say(method, got)
		}
		wants(t, "the call", 0, send("tools/call", `"name":"files__write","arguments":{},"task":{}`), 0, `"taskId":"task_1"`)
		wants(t, "before", 0, send(rpc.MethodGetTask, `"taskId":"task_1"`), 0, `"status":"working"`)
		taken.Store(true)
		before := len(s.heard)
		for _, method := range methods {
			wants(t, method, 0, send(method, `"taskId":"task_1","inputResponses":{"q":1}`), 0, `"code":-32602`, "There is no such task.")
		}
		if !modern {
			wants(t, "list", 0, send(rpc.MethodListTasks, ``), 0, `"tasks":[]`)
		}
		if heard := s.heard[before:]; len(heard) > 0 || len(d.ended) > 0 {
			t.Errorf("the server heard %q, and %q were cancelled", heard, d.ended)
		}
	}
}
