package approvals

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// declared is the _meta of a client that knows tasks, undeclared that of one that does not.
const (
	undeclared = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{}`
	declared = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`
)

// taskView is a task as the protocol shows it.
type taskView struct {
	ResultType string   `json:"resultType"`
	ID         string   `json:"taskId"`
	Status     string   `json:"status"`
	Message    string   `json:"statusMessage"`
	Created    string   `json:"createdAt"`
	Updated    string   `json:"lastUpdatedAt"`
	TTL        *int64   `json:"ttlMs"`
	Poll       int64    `json:"pollIntervalMs"`
	Result     toolSaid `json:"result"`
	Error      rpcError `json:"error"`
}

type toolSaid struct {
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	IsError bool `json:"isError"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Code     string `json:"code"`
		Call     string `json:"call"`
		Required struct {
			Extensions map[string]struct{} `json:"extensions"`
		} `json:"requiredCapabilities"`
	} `json:"data"`
}

// rpc is an answer of JSON-RPC.
type rpc struct {
	Result taskView  `json:"result"`
	Error  *rpcError `json:"error"`
	body   string
	status int
}

// modern sends a message of the newest protocol, with the headers that it wants and more, which win.
func modern(t testing.TB, i *harness.Instance, key, method, name, params string, header ...string) (out rpc) {
	t.Helper()
	headers := append([]string{
		"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method, "Mcp-Name", name,
	}, header...)
	a := i.Send(t, http.MethodPost, "/mcp/desk", key, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), headers...)
	if err := json.Unmarshal([]byte(a.Body), &out); err != nil {
		t.Fatalf("status %d, %v: %s", a.Status, err, a.Body)
	}
	out.body, out.status = a.Body, a.Status
	return out
}

// open makes a call that must become a task, and gives it and its approval.
func open(t testing.TB, i *harness.Instance, arguments string, header ...string) (task taskView, approval string) {
	t.Helper()
	a := modern(t, i, harness.Agent, "tools/call", "work", `{"name":"work","arguments":`+arguments+`,"_meta":{`+declared+`}}`, header...)
	task, approval = a.Result, approvalID.FindString(a.Result.Message)
	if task.ResultType != "task" || !strings.HasPrefix(task.ID, "task_") || task.Status != "working" || approval == "" ||
		task.Created == "" || task.Updated == "" || task.TTL == nil || *task.TTL < 3600_000 || task.Poll <= 0 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return task, approval
}

func work(mark string) string { return fmt.Sprintf(`{"mark":%q,"fail":false}`, mark) }

// about asks about a task.
func about(t testing.TB, i *harness.Instance, key, method, id string, header ...string) rpc {
	t.Helper()
	return modern(t, i, key, method, id, fmt.Sprintf(`{"taskId":%q,"_meta":{%s}}`, id, declared), header...)
}

// ends waits until a task has a status that is final, and asks twice what it came to.
func (w *world) ends(t testing.TB, id, status string) (task taskView) {
	t.Helper()
	body := ""
	harness.Eventually(t, func() error {
		a := about(t, w.Next(), harness.Agent, "tasks/get", id)
		if task, body = a.Result, a.body; task.Status != status {
			return fmt.Errorf("%s is no task that is %s: %s", id, status, a.body)
		}
		return nil
	})
	if again := about(t, w.Next(), harness.Agent, "tasks/get", id); again.body != body || task.ResultType != "complete" {
		t.Errorf("asked once more, the task is another: %s\n%s", body, again.body)
	}
	return task
}

// ran checks how often a call was executed.
func (w *world) ran(t testing.TB, mark string, want int) {
	t.Helper()
	if n := w.tools.Runs()[mark]; n != want {
		t.Errorf("%s ran %d times, want %d", mark, n, want)
	}
}

// A caller who has declared tasks gets one at once, which is made once, whoever asks about it, and however often.
func TestTask(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		task, approval := open(t, w.At(0), work("tasked"))
		if again, same := open(t, w.other(0), work("tasked")); again.ID != task.ID || same != approval {
			t.Errorf("made again, the call is the task %s of %s, not %s of %s", again.ID, same, task.ID, approval)
		}
		if now := about(t, w.other(0), harness.Agent, "tasks/get", task.ID).Result; now.Status != "working" || now.ResultType != "complete" {
			t.Errorf("before it is decided the task is %+v", now)
		}
		w.ran(t, "tasked", 0)
		w.mustVote(t, ann, approval, signalbox.VerdictApprove)
		done := w.ends(t, task.ID, "completed")
		if len(done.Result.Content) != 1 || done.Result.Content[0].Text != "done" || done.Created != task.Created || *done.TTL < *task.TTL {
			t.Errorf("the task came to %+v", done)
		}
		w.once(t, approval, "tasked", "api", "ann")
		if a := about(t, w.At(0), harness.Agent, "tasks/update", task.ID); a.Result.ResultType != "complete" || a.Error != nil {
			t.Errorf("an update is answered with %s", a.body)
		}

		failing, approval := open(t, w.At(0), `{"mark":"failing","fail":true}`)
		w.mustVote(t, ann, approval, signalbox.VerdictApprove)
		if done := w.ends(t, failing.ID, "completed"); !done.Result.IsError {
			t.Errorf("the failure of a tool is %+v", done)
		}
		w.notOthers(t, task.ID)
		w.Settled(t)
		w.Verify(t)
	})
}

// notOthers checks that a task is told of to nobody but who made it, and to nobody who does not say that he knows tasks.
func (w *world) notOthers(t testing.TB, id string) {
	t.Helper()
	unknown := about(t, w.At(0), harness.Agent, "tasks/get", "task_00000000000000000000000000")
	for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
		for what, a := range map[string]rpc{
			"another key":    about(t, w.At(0), twin, method, id),
			"another tenant": about(t, w.At(0), foreign, method, id),
			"another user":   about(t, w.At(0), harness.Agent, method, id, "X-Signalbox-User", "eve"),
		} {
			if a.status != http.StatusBadRequest || a.Error == nil || a.Error.Code != -32602 || a.Error.Message != unknown.Error.Message {
				t.Errorf("%s of %s: %d %s", method, what, a.status, a.body)
			}
		}
		a := modern(t, w.At(0), harness.Agent, method, id, fmt.Sprintf(`{"taskId":%q,"_meta":{%s}}`, id, undeclared))
		if _, required := errorOf(a).Data.Required.Extensions["io.modelcontextprotocol/tasks"]; a.status != http.StatusBadRequest || errorOf(a).Code != -32021 || !required {
			t.Errorf("%s of who has not declared tasks: %d %s", method, a.status, a.body)
		}
		if a := about(t, w.At(0), harness.Agent, method, id, "Mcp-Name", "task_other"); a.status != http.StatusBadRequest || errorOf(a).Code != -32020 {
			t.Errorf("%s with another Mcp-Name: %d %s", method, a.status, a.body)
		}
		if a := about(t, w.At(0), harness.Agent, method, id, "Mcp-Method", "tools/list"); a.status != http.StatusBadRequest || errorOf(a).Code != -32020 {
			t.Errorf("%s with another Mcp-Method: %d %s", method, a.status, a.body)
		}
	}
	if a := modern(t, w.At(0), harness.Agent, "server/discover", "", `{"_meta":{`+undeclared+`}}`); !strings.Contains(a.body, `"io.modelcontextprotocol/tasks":{}`) {
		t.Errorf("the extension is not declared: %s", a.body)
	}
}

func errorOf(a rpc) rpcError {
	if a.Error == nil {
		return rpcError{}
	}
	return *a.Error
}

// What was denied or is not wanted any more is never made.
func TestTaskNotMade(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		denied, approval := open(t, w.At(0), work("task denied"))
		read[struct{}](t, w.other(0).Send(t, http.MethodPost, votePath(approval, signalbox.VerdictDeny), ann, `{"reason":"too soon"}`), http.StatusOK)
		if task := w.ends(t, denied.ID, "failed"); task.Error.Data.Code != "forbidden" || !strings.Contains(task.Error.Message, "too soon") || !strings.Contains(task.Message, "too soon") {
			t.Errorf("denied: %+v", task)
		}

		unwanted, approval := open(t, w.At(0), work("task unwanted"))
		for range 2 {
			if a := about(t, w.other(0), harness.Agent, "tasks/cancel", unwanted.ID); a.Result.ResultType != "complete" || a.Error != nil {
				t.Fatalf("cancelled: %d %s", a.status, a.body)
			}
		}
		w.ends(t, unwanted.ID, "cancelled")
		w.final(t, approval, signalbox.ApprovalWithdrawn)

		withdrawn, approval := open(t, w.At(0), work("task withdrawn"))
		read[struct{}](t, w.other(0).Send(t, http.MethodPost, "/api/v1/approvals/"+approval+"/withdraw", harness.Agent, `{}`), http.StatusOK)
		if task := w.ends(t, withdrawn.ID, "failed"); task.Error.Data.Code != "conflict" || !strings.Contains(task.Error.Message, "withdrawn") {
			t.Errorf("withdrawn: %+v", task)
		}
		w.never(t, "task denied", "task unwanted", "task withdrawn")
	})
}

// A task outlives the process that has opened it, and its call is made once, however often processes are killed.
func TestTaskOverKills(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		pending, approval := open(t, w.At(0), work("killed before"))
		w.At(0).Kill()
		w.Start(t, 0)
		w.mustVote(t, ann, approval, signalbox.VerdictApprove)
		for n := range w.Size() { // Before, while, or after the call is made.
			w.At(n).Kill()
			w.Start(t, n)
		}
		made := 1
		harness.Eventually(t, func() error {
			task := about(t, w.Next(), harness.Agent, "tasks/get", pending.ID).Result
			if task.Status == "working" {
				return fmt.Errorf("the task is %+v", task)
			}
			if task.Status == "failed" && !strings.Contains(task.Error.Message, "not known") {
				t.Fatalf("the task is %+v", task)
			}
			if made = w.tools.Runs()["killed before"]; task.Status == "completed" && made != 1 || made > 1 {
				t.Fatalf("the task is %s, and was made %d times", task.Status, made)
			}
			return nil
		})

		begun, approval := open(t, w.At(0), `{"mark":"killed while","fail":false,"wait":4000}`)
		w.mustVote(t, ann, approval, signalbox.VerdictApprove)
		harness.Eventually(t, func() error {
			if n := w.tools.Runs()["killed while"]; n != 1 {
				return fmt.Errorf("the tool ran %d times", n)
			}
			return nil
		})
		for n := range w.Size() {
			w.At(n).Kill()
		}
		for n := range w.Size() {
			w.Start(t, n)
		}
		if task := w.ends(t, begun.ID, "failed"); !strings.Contains(task.Error.Message, "whether the tool has acted is not known") {
			t.Errorf("the task is %+v", task)
		}
		w.ran(t, "killed while", 1)
	})
}

// A call that is under way is given up for who does not want it any more, whichever process makes it.
func TestTaskGivenUp(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		task, approval := open(t, w.At(0), `{"mark":"given up","fail":false,"wait":4000}`)
		w.mustVote(t, ann, approval, signalbox.VerdictApprove)
		harness.Eventually(t, func() error {
			if n := w.tools.Runs()["given up"]; n != 1 {
				return fmt.Errorf("the tool ran %d times", n)
			}
			return nil
		})
		if a := about(t, w.Next(), harness.Agent, "tasks/cancel", task.ID); a.Result.ResultType != "complete" || a.Error != nil {
			t.Fatalf("cancelled: %d %s", a.status, a.body)
		}
		if got := w.ends(t, task.ID, "cancelled"); !strings.Contains(got.Message, "not known") {
			t.Errorf("the task is %+v", got)
		}
		w.ran(t, "given up", 1)
	})
}

// What was erased is neither made nor told.
func TestTaskErased(t *testing.T) {
	t.Parallel()
	w := launch(t, sqlite(t), 1, "")
	task, _ := open(t, w.At(0), work("erased"), "X-Signalbox-Subject", "customer-9")
	kept, approval := open(t, w.At(0), work("erased later"), "X-Signalbox-Subject", "customer-9")
	w.mustVote(t, ann, approval, signalbox.VerdictApprove)
	w.ends(t, kept.ID, "completed")
	a := w.Send(t, http.MethodPost, "/api/v1/subjects/customer-9/erasure?tenant=acme", harness.Admin, `{"reason":"asked for it"}`)
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	for _, id := range []string{task.ID, kept.ID} {
		if got := w.ends(t, id, "failed"); !strings.Contains(got.Error.Message, "erased") {
			t.Errorf("the task is %+v", got)
		}
	}
	w.ran(t, "erased", 0)
	w.ran(t, "erased later", 1)
}
