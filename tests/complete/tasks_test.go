package complete

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// modern sends a message of the newest protocol from a client that knows tasks, and gives the task in the answer.
func (w *world) modern(t *testing.T, method, name, params string) (id, status string) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},`+
		`"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`, method, params)
	header := append([]string{
		"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method, "Mcp-Name", name,
	}, told...)
	a := w.Send(t, http.MethodPost, "/mcp/shelf", harness.Agent, body, header...)
	var answer struct {
		Result struct {
			ID     string `json:"taskId"`
			Status string `json:"status"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", a.Status, err, a.Body)
	}
	return answer.Result.ID, answer.Result.Status
}

// aTask opens a task, and gives it and its approval.
func (w *world) aTask(t *testing.T, mark string) (task, approval string) {
	t.Helper()
	task, _ = w.modern(t, "tools/call", "work", fmt.Sprintf(`"name":"work","arguments":{"mark":%q,"fail":false}`, mark))
	return task, w.pending(t, mark).ID
}

// becomes waits until a task has a status.
func (w *world) becomes(t *testing.T, task, want string) {
	t.Helper()
	harness.Eventually(t, func() error {
		if _, status := w.modern(t, "tasks/get", task, fmt.Sprintf(`"taskId":%q`, task)); status != want {
			return fmt.Errorf("%s is %s, not %s", task, status, want)
		}
		return nil
	})
}

// That a call is made later, in place of who asked for it, and what ends that, is in the log, and says whose act it was.
func TestRecordsOfTasks(t *testing.T) {
	w := newWorld(t)
	who := row{
		"who.agent_id": "planner", "who.user_id": "user-1", "who.tenant_id": "acme", "who.subject_id": "customer-9", "who.key_id": "agent",
		"what.kind": "tool", "what.tool_name": "shelf.work", "context.run_id": "run-7", "context.request_id": "*", "when.trace_id": "*",
	}
	mark := newMark()
	task, approval := w.aTask(t, mark)
	opened := w.one(t, approval, signalbox.ActionTaskOpened)
	opened.check(t, who)
	opened.check(t, row{"what.resource_id": task, "what.detail.state": "waiting", "what.detail.call_id": "*", "who.source": "127.0.0.1"})
	w.decide(t, approval, "approve", "fine")
	w.becomes(t, task, "completed")
	if calls := w.about(t, approval, signalbox.ActionToolCall); len(calls) != 3 {
		t.Errorf("%d records of calls, want that of the one that was refused, and two of the one that was made", len(calls))
	} else {
		calls[1].check(t, acted(t, w, mark, row{"context.approval_status": "approved", "context.approved_by": "ann", "type": "intent"}))
		calls[2].check(t, acted(t, w, mark, row{"outcome": "ok", "stations.approval": "passed", "context.request_id": "ticket-1"}))
	}

	task, approval = w.aTask(t, newMark())
	w.decide(t, approval, "deny", "not today")
	w.becomes(t, task, "failed")
	ended := w.one(t, approval, signalbox.ActionTaskEnded)
	ended.check(t, who)
	ended.check(t, row{"what.resource_id": task, "what.detail.state": "failed", "what.detail.code": "forbidden"})

	task, approval = w.aTask(t, newMark())
	w.modern(t, "tasks/cancel", task, fmt.Sprintf(`"taskId":%q`, task))
	cancelled := w.one(t, approval, signalbox.ActionTaskCancelled)
	cancelled.check(t, who)
	cancelled.check(t, row{"what.resource_id": task, "what.detail.state": "cancelled", "who.role": "agent"})
	w.one(t, approval, signalbox.ActionApprovalEnded).check(t, row{"what.detail.state": "withdrawn", "who.key_id": "agent"})
}
