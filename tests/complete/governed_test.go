package complete

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// governed are the fields that every record about a call to the shelf has, also those that people leave.
func governed(t *testing.T, w *world) row {
	return row{
		"what.kind": "tool", "what.tool_name": "shelf.work", "what.operation": "write", "context.risk_level": "medium",
		"context.policy_version": inForce(t, w), "context.policy_rule": "*", "context.run_id": "run-7", "when.trace_id": told[len(told)-1][3:35],
	}
}

// acted are the fields of the records of the call itself.
func acted(t *testing.T, w *world, mark string, more row) row {
	all := common(governed(t, w))
	all["what.action"], all["what.resource_id"], all["what.input_summary"] = signalbox.ActionToolCall, mark, "*"
	all["context.provider"], all["context.protocol"] = "shelf", "mcp"
	for name, value := range more {
		all[name] = value
	}
	return all
}

// answered is the answer to a call that has waited.
type answered struct {
	body string
	call string // Of the call that was answered: the second, where the first was let through.
}

// ask makes a call to the shelf and gives what comes of it later.
func (w *world) askFor(t *testing.T, mark string) <-chan answered {
	t.Helper()
	r := work(t, w, "shelf", mark, told...)
	done := make(chan answered, 1)
	go func() {
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			done <- answered{body: err.Error()}
			return
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		done <- answered{fmt.Sprint(string(body), err), a.Header.Get("X-Signalbox-Call")}
	}()
	return done
}

// about gives the records of an action about an approval, oldest first.
func (w *world) about(t *testing.T, approval, action string) (list []row) {
	t.Helper()
	for _, r := range w.all(t) {
		if r["context.approval_id"] == approval && r["what.action"] == action {
			list = append(list, r)
		}
	}
	return list
}

// one gives the only record of an action about an approval.
func (w *world) one(t *testing.T, approval, action string) row {
	t.Helper()
	list := w.about(t, approval, action)
	if len(list) != 1 {
		t.Fatalf("%d records of %s", len(list), action)
	}
	return list[0]
}

// decide has the approver decide.
func (w *world) decide(t *testing.T, approval, verdict, reason string) {
	t.Helper()
	a := w.Send(t, http.MethodPost, "/api/v1/approvals/"+approval+"/"+verdict, approver, fmt.Sprintf(`{"reason":%q}`, reason))
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
}

// A call that a person approves: the question, the call that was refused until then, the verdict, and the call that was
// let through, each with what the policy said of it.
func TestRecordOfAnApprovedCall(t *testing.T) {
	w := newWorld(t)
	mark := newMark()
	done := w.askFor(t, mark)
	asked := w.pending(t, mark)
	w.decide(t, asked.ID, "approve", "as ordered by rose@example.com")
	a := <-done
	if !strings.Contains(a.body, "done") || w.tools.Runs()[mark] != 1 {
		t.Fatalf("the answer is %s, and the tool has worked %d times", a.body, w.tools.Runs()[mark])
	}

	question := w.one(t, asked.ID, signalbox.ActionApprovalRequested)
	want := common(governed(t, w))
	for _, name := range []string{"context.step_index", "context.step_kind", "context.purpose", "when.parent_span_id", "context.replica"} {
		delete(want, name)
	}
	question.check(t, want, "context.approved_by", "outcome")
	question.check(t, row{
		"context.approval_status": "pending", "what.resource_id": asked.ID, "what.detail.approvers": "1", "what.detail.role": "approver",
		"what.detail.call_id": *asked.CallID, "what.detail.expires": "*", "what.detail.hash": "*", "what.detail.state": "pending",
	})

	first := w.rows(t, *asked.CallID)
	if len(first) != 1 {
		t.Fatalf("the call that was refused has %d records", len(first))
	}
	first[0].check(t, acted(t, w, mark, stations(row{
		"outcome": "denied", "error.code": "approval_required", "context.approval_status": "pending", "context.approval_id": asked.ID,
		"stations.policy": "passed", "stations.approval": "denied", "stations.attempt": "not_run",
	})), "context.approved_by", "context.break_glass")

	vote := w.one(t, asked.ID, signalbox.ActionApprovalVoted)
	vote.check(t, governed(t, w))
	vote.check(t, row{
		"who.tenant_id": "acme", "who.key_id": "ann", "who.user_id": "ann", "who.role": "approver", "context.approval_status": "approved",
		"context.approved_by": "ann", "what.detail.verdict": "approve", "what.detail.via": "api", "what.detail.reason": "as ordered by [email]",
		"what.detail.call_id": *asked.CallID, "who.subject_id": "customer-9",
	})

	second := w.rows(t, a.call)
	if a.call == *asked.CallID || len(second) != 2 {
		t.Fatalf("the call that was let through is %s and has %d records", a.call, len(second))
	}
	admitted := row{"context.approval_status": "approved", "context.approved_by": "ann", "context.approval_id": asked.ID}
	second[0].check(t, acted(t, w, mark, admitted), "outcome", "context.break_glass")
	second[1].check(t, acted(t, w, mark, admitted), "context.break_glass")
	second[1].check(t, stations(row{
		"outcome": "ok", "what.cost_usd": "0.5", "stations.policy": "passed", "stations.approval": "passed", "stations.attempt": "passed",
	}))
}

// A call that a person denies is not made, and says "rejected", in the words of the seed.
func TestRecordOfARejectedCall(t *testing.T) {
	w := newWorld(t)
	mark := newMark()
	done := w.askFor(t, mark)
	asked := w.pending(t, mark)
	w.decide(t, asked.ID, "deny", "not today")
	if a := <-done; !strings.Contains(a.body, "not today") || len(w.tools.Runs()) != 0 {
		t.Errorf("the answer is %s, and the tool has worked: %v", a.body, w.tools.Runs())
	}
	vote := w.one(t, asked.ID, signalbox.ActionApprovalVoted)
	vote.check(t, governed(t, w), "context.approved_by")
	vote.check(t, row{
		"who.key_id": "ann", "context.approval_status": "rejected", "what.detail.verdict": "deny", "what.detail.state": "denied",
		"what.detail.reason": "not today",
	})
	withdrawn := waiting(t, w)
	w.change(t, http.MethodPost, "/approvals/"+withdrawn+"/withdraw", `{"reason":"not needed"}`)
	w.one(t, withdrawn, signalbox.ActionApprovalEnded).check(t, row{
		"context.approval_status": "rejected", "what.detail.state": "withdrawn", "who.key_id": "admin", "what.detail.reason": "not needed",
	})
}

// Whoever edits a call denies it, and asks for another one in his own name.
func TestRecordOfAnEditedCall(t *testing.T) {
	w := newWorld(t)
	first, mark := waitingTool(t, w), newMark()
	body := fmt.Sprintf(`{"arguments":{"mark":%q,"fail":false},"reason":"another one"}`, mark)
	a := w.Send(t, http.MethodPost, "/api/v1/approvals/"+first+"/edit", approver, body)
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	second := id(t, a.Body, "approval_id")
	w.one(t, first, signalbox.ActionApprovalVoted).check(t, row{
		"who.key_id": "ann", "context.approval_status": "rejected", "what.detail.verdict": "deny", "what.detail.reason": "edited: another one",
	})
	w.one(t, second, signalbox.ActionApprovalRequested).check(t, row{
		"who.key_id": "ann", "who.user_id": "ann", "who.role": "approver", "who.agent_id": "planner", "context.approval_status": "pending",
		"what.operation": "write", "what.tool_name": "shelf.work", "context.risk_level": "medium", "context.policy_version": inForce(t, w),
		"what.detail.call_id": id(t, a.Body, "call_id"),
	})
	rows := w.rows(t, id(t, a.Body, "call_id"))
	if len(rows) != 1 {
		t.Fatalf("%d records", len(rows))
	}
	rows[0].check(t, row{
		"who.key_id": "ann", "who.role": "approver", "what.resource_id": mark, "outcome": "denied", "context.approval_status": "pending",
		"context.approval_id": second, "context.policy_version": inForce(t, w), "context.policy_rule": "*",
	})

	// The command line says that the same edit still waits, and how to make the call.
	args := fmt.Sprintf(`{"mark":%q,"fail":false}`, mark)
	r := harness.Run(t, w.Dir, w.Env(approver), "approval", "edit", first, "--args", args, "--reason", "Ann's word")
	again := "signalbox approval edit '" + first + "' --args '" + args + `' --reason 'Ann'\''s word'`
	if r.Code != 0 || !strings.Contains(r.Stdout, "waits for another person, as approval "+second) || !strings.Contains(r.Stdout, again) {
		t.Errorf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	w.change(t, http.MethodPost, "/approvals/"+second+"/approve", `{"reason":"fine"}`)
	r = harness.Run(t, w.Dir, w.Env(approver), "approval", "edit", first, "--args", args, "--reason", "again")
	if r.Code != 0 || !strings.Contains(r.Stdout, "made    yes") || !strings.Contains(r.Stdout, `"text":"done"`) {
		t.Errorf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// What no permission covers is denied with the operation, the resource, the risk and the rule, and leaves no question.
func TestRecordOfAForbiddenCall(t *testing.T) {
	w := newWorld(t)
	a := <-w.askFor(t, "forbidden")
	rows := w.rows(t, a.call)
	if len(rows) != 1 {
		t.Fatalf("%d records; the answer is %s", len(rows), a.body)
	}
	rows[0].check(t, acted(t, w, "forbidden", stations(row{
		"outcome": "denied", "error.code": "forbidden", "stations.policy": "denied", "stations.attempt": "not_run",
	})), "context.approval_status", "context.approval_id", "context.approved_by", "context.break_glass")
}

// What only a break-glass grant permits names it, and nobody needs to approve a medium risk under it.
func TestRecordOfABrokenGlass(t *testing.T) {
	w := newWorld(t)
	given := granted(t, w)
	mark := newMark()
	r := work(t, w, "shelf", mark, "X-Signalbox-Agent", "clerk")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	rows := w.rows(t, answer.Header.Get("X-Signalbox-Call"))
	if len(rows) != 2 || w.tools.Runs()[mark] != 1 {
		t.Fatalf("%d records, and the tool has worked %d times", len(rows), w.tools.Runs()[mark])
	}
	for _, r := range rows {
		r.check(t, row{
			"who.agent_id": "clerk", "what.operation": "write", "what.resource_id": mark, "context.risk_level": "medium",
			"context.break_glass": given, "context.policy_version": inForce(t, w), "context.policy_rule": "*",
		}, "context.approval_status", "context.approval_id")
	}
}

// What is refused about decisions leaves nothing.
func TestRefusedDecisions(t *testing.T) {
	w := newWorld(t)
	pending, over, active, own, open := waiting(t, w), decided(t, w), granted(t, w), ended(t, w), reported(t, w)
	const reason = `{"reason":"because"}`
	refused := []struct{ name, path, key, body string }{
		{"an approval by who has asked", "/approvals/" + pending + "/approve", harness.Agent, reason},
		{"an approval by an operator", "/approvals/" + pending + "/approve", harness.Operator, reason},
		{"an approval by an auditor", "/approvals/" + pending + "/approve", harness.Auditor, reason},
		{"a denial without a reason", "/approvals/" + pending + "/deny", approver, `{"reason":" "}`},
		{"a reason with a secret", "/approvals/" + pending + "/deny", approver, `{"reason":"password=Hunter2Hunter2"}`},
		{"an approval of what was denied", "/approvals/" + over + "/approve", approver, reason},
		{"a withdrawal by another", "/approvals/" + pending + "/withdraw", approver, reason},
		{"nobody's approval", "/approvals/appr_0/approve", approver, reason},
		{"a grant by an approver", "/break-glass", approver, grant},
		{"a grant for ever", "/break-glass", harness.Operator, strings.Replace(grant, `"minutes":5`, `"minutes":10000`, 1)},
		{"a grant without a reason", "/break-glass", harness.Operator, strings.Replace(grant, "the shelf burns", "", 1)},
		{"a review by who gave it", "/break-glass/" + own + "/review", harness.Operator, `{"review":"fine"}`},
		{"a review of what is in force", "/break-glass/" + active + "/review", approver, `{"review":"fine"}`},
		{"the end of what is over", "/break-glass/" + own + "/end", harness.Operator, ""},
		{"an incident by an auditor", "/incidents", harness.Auditor, `{"run_id":"run-7","severity":"low","text":"x"}`},
		{"an incident of no call", "/incidents", approver, `{"call_id":"call_0","severity":"low","text":"x"}`},
		{"the end of an incident by an agent", "/incidents/" + open + "/close", harness.Agent, `{"resolution":"x"}`},
		{"nobody's session", "/sessions/session_0/revoke", harness.Admin, ""},
	}
	w.added(t)
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			if a := w.Send(t, http.MethodPost, "/api/v1"+r.path, r.key, r.body); a.Status/100 != 4 {
				t.Errorf("status %d: %s", a.Status, a.Body)
			}
			w.left(t, "", "")
		})
	}
	t.Run("several denials of nothing", func(t *testing.T) {
		a := w.Send(t, http.MethodPost, "/api/v1/approvals/deny", approver, `{"ids":["appr_0","`+over+`"],"reason":"because"}`)
		if a.Status != http.StatusOK || strings.Contains(a.Body, `"ok":true`) {
			t.Errorf("status %d: %s", a.Status, a.Body)
		}
		w.left(t, "", "")
	})
}
