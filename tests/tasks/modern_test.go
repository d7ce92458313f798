package tasks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/taskserver"
)

// config lets the agent use everything of the server desk, which may ask its caller; slow_compute has a price. Of the server
// mute nothing may be asked, and what people have to agree to is in "careful".
const config = `  - {id: twin, secret: twin-key-of-acme-000001, tenant: acme, role: agent}
agents:
  - {id: tester, permissions: {tools: [
      {name: "desk.*", operations: [read, write], resources: ["*"]},
      {name: "mute.confirm_delete", operations: [read, write], resources: ["*"]},
      {name: "watched.*", operations: [read, write], resources: ["*"]},
      {name: "careful.*", operations: [read, write], resources: ["*"]}]}}
approvals:
  tiers: {medium: {approvers: 0}}
  rules: [{tool: "careful.*", approvers: 1}]
mcp_servers:
  desk: {url: "@URL@", tools: {slow_compute: {price: {per_call: 0.25}}}}
  mute: {url: "@URL@"}
  watched: {url: "@URL@", guard: {results: mask}}
  careful: {url: "@URL@"}
`

// desk starts a server that makes tasks, and Signalbox before it.
func desk(t *testing.T) (*taskserver.Server, *harness.Instance) {
	t.Helper()
	s := taskserver.Start(t)
	return s, harness.Start(t, harness.Options{Config: strings.ReplaceAll(config, "@URL@", s.URL) + harness.Simulated})
}

func TestTasksOfAModernServer(t *testing.T) {
	t.Parallel()
	s, i := desk(t)
	for name, test := range map[string]func(*testing.T, *taskserver.Server, *harness.Instance){
		"comes to its result": result, "asks and is answered": asking, "asks and may not": denied, "joint path": joint,
		"is nobody else's": foreign, "is cancelled": cancelled, "declared by its caller alone": undeclared,
		"fails as its server says": failing, "people agree first": agreed,
		"is given again to the same key": again,
	} {
		t.Run(name, func(t *testing.T) { test(t, s, i) })
	}
	forgotten(t, s, i)
}

// result checks what comes of a task, what is recorded, and what it costs.
func result(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	a := call(t, i, "/mcp/desk", "slow_compute", `{"seconds":0.2}`)
	task := a.Result
	if task.Type != "task" || slices.Contains(s.Tasks(), task.ID) || task.TTL != 60_000 || task.Poll != 100 || string(task.Unknown) != `{"A":1,"a":2}` {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	done := comes(t, i, "/mcp/desk", task.ID, "completed").Result
	if done.Type != "complete" || done.ID != task.ID || len(done.Result.Content) != 1 || done.Result.Content[0].Text != "done " || string(done.Unknown) != `{"A":1,"a":2}` {
		t.Errorf("it came to %+v", done)
	}
	get(t, i, "/mcp/desk", task.ID)
	ended := records(t, i, signalbox.ActionTaskEnded, task.ID)
	if len(ended) != 1 || ended[0].What.Detail["state"] != "completed" || ended[0].What.Detail["kind"] != "server" {
		t.Fatalf("its end is recorded as %+v", ended)
	}
	of := i.Call(t, ended[0].What.Detail["made_call_id"])
	if of.Outcome != signalbox.OutcomeOK || len(of.Detail) != 1 || of.Detail[0].Finish == nil || *of.Detail[0].Finish != "task" || of.CostEstimate == nil || *of.CostEstimate != "0.25" {
		t.Errorf("its call is recorded as %+v", of)
	}
	for _, r := range s.Requests("tasks/get") {
		if !r.Declared || r.Named != r.Name {
			t.Errorf("the server was asked by %+v", r)
		}
	}
}

// again checks that one idempotency key makes one task, of whatever age, and that the server's name of it is told to nobody.
func again(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	before := len(s.Tasks())
	first := call(t, i, "/mcp/desk", "slow_compute", `{"seconds":0.1}`, "Idempotency-Key", "k-1").Result
	comes(t, i, "/mcp/desk", first.ID, "completed")
	second := call(t, i, "/mcp/desk", "slow_compute", `{"seconds":0.1}`, "Idempotency-Key", "k-1")
	if first.Type != "task" || second.Result.ID != first.ID || second.Result.Type != "task" || !strings.Contains(second.body, "signalbox/replay-of") {
		t.Errorf("got %s after %+v", second.body, first)
	}
	if n := len(s.Tasks()) - before; n != 1 {
		t.Errorf("the server has made %d tasks", n)
	}
}

// asking checks that what a server asks in a task reaches its caller, once as an act, and his answer the server.
func asking(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	acts := outcomes(t, i, "desk.elicitation/create")
	task := open(t, i, "/mcp/desk", "multi_input", `{}`)
	for range 3 {
		if a := comes(t, i, "/mcp/desk", task.ID, "input_required"); len(a.Result.Asks) != 2 {
			t.Fatalf("got %s", a.body)
		}
	}
	if n := outcomes(t, i, "desk.elicitation/create") - acts; n != 2 {
		t.Errorf("two questions are %d acts", n)
	}
	before := len(s.Requests("tasks/update"))
	for _, answers := range []string{`{"nobody":{"action":"accept"}}`, `{}`} {
		if a := about(t, i, "/mcp/desk", harness.Agent, "tasks/update", task.ID, `,"inputResponses":`+answers); a.Result.Type != "complete" {
			t.Errorf("got %s", a.body)
		}
	}
	if n := len(s.Requests("tasks/update")); n != before {
		t.Errorf("%d answers to nothing reached the server", n-before)
	}
	if a := about(t, i, "/mcp/desk", harness.Agent, "tasks/update", task.ID, ""); a.code() != -32602 {
		t.Errorf("an update without answers: %s", a.body)
	}
	for _, key := range []string{"first", "second"} {
		a := about(t, i, "/mcp/desk", harness.Agent, "tasks/update", task.ID, fmt.Sprintf(`,"inputResponses":{%q:{"action":"accept","content":{"name":%q}}}`, key, key))
		if a.Result.Type != "complete" || a.Error != nil {
			t.Fatalf("got %s", a.body)
		}
	}
	done := comes(t, i, "/mcp/desk", task.ID, "completed")
	if len(done.Result.Result.Content) != 1 || !strings.Contains(done.Result.Result.Content[0].Text, `"name":"second"`) {
		t.Errorf("it came to %s", done.body)
	}

	asked := call(t, i, "/mcp/desk", "test_tool_with_task", `{}`) // Something first, and then a task.
	if asked.Result.Type != "input_required" || asked.Result.State == "asked" {
		t.Fatalf("got %s", asked.body)
	}
	more := fmt.Sprintf(`{"name":"test_tool_with_task","arguments":{},"requestState":%q,"inputResponses":{"user_name":{"action":"accept","content":{"name":"kim"}}},"_meta":{%s}}`, asked.Result.State, declared)
	handle := ask(t, i, "/mcp/desk", harness.Agent, "tools/call", "test_tool_with_task", more)
	if done := comes(t, i, "/mcp/desk", handle.Result.ID, "completed"); !strings.Contains(done.body, "kim") {
		t.Errorf("it came to %s", done.body)
	}
}

// denied checks that a question which the policy does not permit reaches nobody, nor an answer to it the server.
func denied(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	task := open(t, i, "/mcp/mute", "confirm_delete", `{}`)
	before := len(s.Requests("tasks/update"))
	for _, a := range []answer{
		get(t, i, "/mcp/mute", task.ID),
		about(t, i, "/mcp/mute", harness.Agent, "tasks/update", task.ID, `,"inputResponses":{"confirm":{"action":"accept","content":{}}}`),
	} {
		if a.Error == nil || a.Error.Data.Code != "forbidden" || strings.Contains(a.body, "Shall I") {
			t.Errorf("got %s", a.body)
		}
	}
	if n := len(s.Requests("tasks/update")); n != before {
		t.Error("an answer reached the server")
	}
}

// joint checks tasks on the path of all servers.
func joint(t *testing.T, _ *taskserver.Server, i *harness.Instance) {
	task := open(t, i, "/mcp", "desk__slow_compute", `{"seconds":0.05}`)
	comes(t, i, "/mcp", task.ID, "completed")
	comes(t, i, "/mcp/desk", task.ID, "completed")
	if a := get(t, i, "/mcp/mute", task.ID); a.code() != -32602 {
		t.Errorf("at another server: %s", a.body)
	}
}

// foreign checks that a task is told of, answered and ended for nobody but who made it, and that no name of the server's is one.
func foreign(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	task := open(t, i, "/mcp/desk", "confirm_delete", `{}`)
	comes(t, i, "/mcp/desk", task.ID, "input_required")
	before := len(s.Requests("tasks/get")) + len(s.Requests("tasks/update")) + len(s.Requests("tasks/cancel"))
	const answers = `,"inputResponses":{"confirm":{"action":"accept","content":{}}}`
	for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
		unknown := about(t, i, "/mcp/desk", harness.Agent, method, "task_00000000000000000000000000", answers)
		for what, a := range map[string]answer{
			"another key":       about(t, i, "/mcp/desk", twin, method, task.ID, answers),
			"another user":      about(t, i, "/mcp/desk", harness.Agent, method, task.ID, answers, "X-Signalbox-User", "eve"),
			"another tenant":    about(t, i, "/mcp/desk", harness.Other, method, task.ID, answers, "X-Signalbox-Agent", ""),
			"the server's name": about(t, i, "/mcp/desk", harness.Agent, method, s.Tasks()[0], answers),
			"a longer id":       about(t, i, "/mcp/desk", harness.Agent, method, task.ID+"0", answers),
		} {
			if a.status != http.StatusBadRequest || a.code() != -32602 || a.Error.Message != unknown.Error.Message {
				t.Errorf("%s of %s: %d %s", method, what, a.status, a.body)
			}
		}
		if a := about(t, i, "/mcp/desk", harness.Agent, method, task.ID, answers, "Mcp-Name", "task_other"); a.status != http.StatusBadRequest || a.code() != -32020 {
			t.Errorf("%s with another Mcp-Name: %d %s", method, a.status, a.body)
		}
		a := ask(t, i, "/mcp/desk", harness.Agent, method, task.ID, fmt.Sprintf(`{"taskId":%q%s,"_meta":{%s{}}}`, task.ID, answers, plain))
		if a.status != http.StatusBadRequest || a.code() != -32021 {
			t.Errorf("%s of who does not know tasks: %d %s", method, a.status, a.body)
		}
	}
	if n := len(s.Requests("tasks/get")) + len(s.Requests("tasks/update")) + len(s.Requests("tasks/cancel")) - before; n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	if now := get(t, i, "/mcp/desk", task.ID); now.Result.Status != "input_required" {
		t.Errorf("afterwards: %s", now.body)
	}
}

// cancelled checks that the server is told, and that its word counts.
func cancelled(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	task := open(t, i, "/mcp/desk", "slow_compute", `{"seconds":60}`)
	for range 2 {
		if a := about(t, i, "/mcp/desk", harness.Agent, "tasks/cancel", task.ID, ""); a.Result.Type != "complete" {
			t.Fatalf("got %s", a.body)
		}
	}
	comes(t, i, "/mcp/desk", task.ID, "cancelled")
	if a := about(t, i, "/mcp/desk", harness.Agent, "tasks/cancel", task.ID, ""); a.Result.Type != "complete" {
		t.Errorf("one that has ended: %s", a.body)
	}
	if n := len(s.Requests("tasks/cancel")); n != 2 {
		t.Errorf("the server was told %d times", n)
	}
	if n := len(records(t, i, signalbox.ActionTaskCancelled, task.ID)); n != 1 {
		t.Errorf("it is recorded %d times", n)
	}
}

// Who listens hears of his own tasks, and of nobody else's.
func TestWhoListensIsTold(t *testing.T) {
	t.Parallel()
	s, i := desk(t)
	task := open(t, i, "/mcp/desk", "slow_compute", `{"seconds":60}`)
	listen := func(key, capabilities string) *http.Request {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":"l1","method":"subscriptions/listen","params":{"notifications":{"taskIds":[%q,"task_none"]},"_meta":{%s}}}`, task.ID, capabilities)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+"/mcp/desk", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen",
		} {
			r.Header.Set(name, value)
		}
		return r
	}
	events, others := stream(t, listen(harness.Agent, declared), i, harness.Agent), stream(t, listen(twin, declared), i, twin)
	if event := hears(t, others, "notifications/subscriptions/acknowledged"); strings.Contains(event, "task_") {
		t.Errorf("another key hears %s", event)
	}
	hears(t, events, "notifications/subscriptions/acknowledged", `"taskIds":["`+task.ID+`"]`)
	hears(t, events, `"method":"notifications/tasks"`, task.ID, `"status":"working"`, `"io.modelcontextprotocol/subscriptionId":"l1"`)
	s.Finish()
	hears(t, events, `"method":"notifications/tasks"`, task.ID, `"status":"completed"`, "done")
	r := i.Send(t, http.MethodPost, "/mcp/desk", harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":["x"]},"_meta":{`+plain+`{}}}}`,
		"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen")
	if a := read(t, r); a.code() != -32021 {
		t.Errorf("who does not know tasks: %s", a.body)
	}
}

// undeclared checks that a server hears of tasks where the caller knows them, and nowhere else.
func undeclared(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	before := len(s.Requests("tools/call"))
	without := ask(t, i, "/mcp/desk", harness.Agent, "tools/call", "slow_compute", `{"name":"slow_compute","arguments":{"seconds":60},"_meta":{`+plain+`{}}}`)
	if without.Result.Type != "complete" || len(without.Result.Content) != 1 {
		t.Errorf("got %s", without.body)
	}
	required := ask(t, i, "/mcp/desk", harness.Agent, "tools/call", "failing_job", `{"name":"failing_job","arguments":{},"_meta":{`+plain+`{}}}`)
	if required.code() != -32021 {
		t.Errorf("got %s", required.body)
	}
	old := legacy(t, i, "/mcp/desk", harness.Agent, "", "tools/call", `{"name":"slow_compute","arguments":{"seconds":60},"task":{"ttl":1000}}`)
	if old.Error != nil || len(old.Result.Content) != 1 || old.Result.Task != nil {
		t.Errorf("an older client: %s", old.body)
	}
	guarded := call(t, i, "/mcp/watched", "slow_compute", `{"seconds":60}`) // What it comes to would not pass the guard.
	if guarded.Error != nil || guarded.Result.Type != "complete" || len(guarded.Result.Content) != 1 {
		t.Errorf("a call that the guard looks at: %s", guarded.body)
	}
	for _, r := range s.Requests("tools/call")[before:] {
		if r.Declared {
			t.Errorf("the server was told that tasks are known, by %+v", r)
		}
	}
}

// failing checks the two ways in which a task does not come well.
func failing(t *testing.T, _ *taskserver.Server, i *harness.Instance) {
	tool, protocol := open(t, i, "/mcp/desk", "failing_job", `{}`), open(t, i, "/mcp/desk", "protocol_error_job", `{}`)
	if a := comes(t, i, "/mcp/desk", tool.ID, "completed"); !a.Result.Result.IsError {
		t.Errorf("got %s", a.body)
	}
	if a := comes(t, i, "/mcp/desk", protocol.ID, "failed"); a.Result.Error == nil || a.Result.Error.Code != -32603 {
		t.Errorf("got %s", a.body)
	}
}

// agreed checks that a call which people have agreed to, and which its server then makes a task of, stays one task.
func agreed(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	before := len(s.Tasks())
	send := func() answer {
		return call(t, i, "/mcp/careful", "slow_compute", `{"seconds":60}`, "Idempotency-Key", "k-agreed")
	}
	task := send().Result
	if !strings.Contains(task.Message, "appr_") || len(s.Tasks()) != before {
		t.Fatalf("it does not wait for people: %+v", task)
	}
	_, rest, _ := strings.Cut(task.Message, "appr_")
	approval := "appr_" + rest[:26]
	if a := i.Send(t, http.MethodPost, "/api/v1/approvals/"+approval+"/approve", harness.Admin, `{"reason":"fine"}`); a.Status != http.StatusOK {
		t.Fatalf("got %d %s", a.Status, a.Body)
	}
	harness.Eventually(t, func() error {
		if len(s.Tasks()) != before+1 {
			return fmt.Errorf("the server has %d tasks", len(s.Tasks()))
		}
		return nil
	})
	harness.Eventually(t, func() error { // The outcome, which hands it over, is written after the server has answered.
		if a := get(t, i, "/mcp/careful", task.ID); a.Result.Status != "working" || a.Result.Message != "" {
			return fmt.Errorf("got %s", a.body)
		}
		return nil
	})
	for _, status := range []string{"working", "completed"} { // The same call is answered with the same task, as long as that is kept.
		comes(t, i, "/mcp/careful", task.ID, status)
		if again := send(); again.Result.Type != "task" || again.Result.ID != task.ID {
			t.Errorf("the call is sent again while its task is %s: %s", status, again.body)
		}
		s.Finish()
	}
}

// forgotten checks that a task which its server does not know any more has failed, and that one that had ended is not found.
func forgotten(t *testing.T, s *taskserver.Server, i *harness.Instance) {
	t.Helper()
	task, over := open(t, i, "/mcp/desk", "slow_compute", `{"seconds":60}`), open(t, i, "/mcp/desk", "slow_compute", `{"seconds":0.01}`)
	comes(t, i, "/mcp/desk", over.ID, "completed")
	s.Forget()
	for range 2 {
		if a := get(t, i, "/mcp/desk", task.ID); a.Result.Status != "failed" || a.Result.Error == nil || a.Result.Error.Data.Code != "upstream" || !strings.Contains(a.body, "not known") {
			t.Errorf("got %s", a.body)
		}
	}
	if a := get(t, i, "/mcp/desk", over.ID); a.code() != -32602 || !strings.Contains(a.body, "had ended as completed") {
		t.Errorf("got %s", a.body)
	}
}

// A task outlives the process, and that its server is away does not end it.
func TestATaskOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	s, dir := taskserver.Start(t), t.TempDir()
	o := harness.Options{Config: strings.ReplaceAll(config, "@URL@", s.URL) + harness.Simulated, Dir: dir}
	first, err := harness.Launch(o)
	if err != nil {
		t.Fatal(err)
	}
	task := open(t, first, "/mcp/desk", "slow_compute", `{"seconds":60}`)
	first.Kill()
	i := harness.Start(t, o)
	if a := get(t, i, "/mcp/desk", task.ID); a.Result.Status != "working" {
		t.Fatalf("after the restart: %s", a.body)
	}
	s.Refuse(true)
	if a := get(t, i, "/mcp/desk", task.ID); a.Error == nil || a.Error.Data.Code != "unavailable" {
		t.Errorf("while the server is away: %s", a.body)
	}
	s.Refuse(false)
	s.Finish()
	comes(t, i, "/mcp/desk", task.ID, "completed")
	i.Complete(t)
}

// outcomes counts the acts of that name that were done.
func outcomes(t testing.TB, i *harness.Instance, tool string) (n int) {
	t.Helper()
	for _, r := range i.Log(t) {
		if r.Type == signalbox.RecordOutcome && r.What.ToolName == tool && r.Outcome != nil && *r.Outcome == signalbox.OutcomeOK {
			n++
		}
	}
	return n
}
