package approvals

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// glass lets grants be given, whose reviews are due at once, of an agent that may do nothing.
const glass = `break_glass: {review_within: 1s, channels: [ops]}
`

// idle is the agent that may do nothing, in place of the other.
func idle(w *world, t *testing.T) {
	t.Helper()
	w.Rewrite(t, `{id: other, permissions: {tools: [{name: "desk.work", operations: [write], resources: ["*"]}]}}`, `{id: other}`,
		"agent: writer}\n  - {id: twin", "agent: other}\n  - {id: twin")
	for n := range w.Size() {
		w.At(n).Kill()
		w.Start(t, n)
	}
}

// grant gives a grant for a minute by an operator's command.
func (w *world) grant(t *testing.T) (g api.Grant) {
	t.Helper()
	r := harness.Run(t, t.TempDir(), w.At(0).Env(harness.Operator), "break-glass", "grant", "--agent", "other", "--tool", "desk.*",
		"--reason", "the desk is on fire", "--minutes", "1", "-o", "json")
	if err := json.Unmarshal([]byte(r.Stdout), &g); r.Code != 0 || err != nil || g.ID == "" {
		t.Fatalf("giving the grant ends with %d, %v: %s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	return g
}

// forbidden waits until the agent may do nothing again, on every process.
func (w *world) forbidden(t *testing.T, what string) {
	t.Helper()
	for n := range w.Size() {
		c := connect(t, w.At(n))
		mark := fmt.Sprintf("%s at %d", what, n)
		harness.Eventually(t, func() error {
			_, err := c.run(t, mark)
			if err == nil {
				return fmt.Errorf("%s ran", mark)
			}
			wantError(t, err, "forbidden")
			return nil
		})
	}
}

// A grant lets calls through that nothing permits, on every process; people are told at once; every record names it; it
// ends by hand; and who gave it can not say that all was well. Nobody looks: that is told too.
func TestBreakGlass(t *testing.T) {
	everywhere(t, glass, func(t *testing.T, w *world) {
		idle(w, t)
		w.forbidden(t, "before")
		if a := w.Send(t, http.MethodPost, "/api/v1/break-glass", harness.Agent, `{"agent":"other","tool":"*","reason":"because"}`); a.Status != http.StatusForbidden {
			t.Errorf("an agent gives itself a grant: %d %s", a.Status, a.Body)
		}
		g := w.grant(t)
		w.toldGrant(t, g.ID, "the desk is on fire")
		for n := range w.Size() {
			c, mark := connect(t, w.At(n)), fmt.Sprintf("under the grant at %d", n)
			harness.Eventually(t, func() error {
				if got, err := c.run(t, mark); err != nil || got != "done" {
					return fmt.Errorf("%s: %q %w", mark, got, err)
				}
				return nil
			})
			if ran := w.tools.Runs()[mark]; ran != 1 {
				t.Errorf("%s ran %d times", mark, ran)
			}
		}
		w.highStillWaits(t)
		if a := w.Send(t, http.MethodPost, "/api/v1/break-glass/"+g.ID+"/end", harness.Operator, ""); a.Status != http.StatusOK {
			t.Fatalf("ending it answers %d: %s", a.Status, a.Body)
		}
		since := time.Now()
		w.forbidden(t, "after")
		t.Logf("a grant that was ended is over on all processes after %s", time.Since(since).Round(time.Millisecond))
		w.overdue(t, g.ID)
		w.reviews(t, g.ID)
		w.underGlass(t, g.ID)
	})
}

// highStillWaits: the grant spares nobody the approval of what has a high risk.
func (w *world) highStillWaits(t *testing.T) {
	t.Helper()
	call := connect(t, w.At(0)).call(t, "high under the grant")
	w.mustVote(t, ann, call.id, signalbox.VerdictDeny)
	if _, err := call.wait(t); err == nil {
		t.Error("it was made")
	}
	w.never(t, "high under the grant")
}

// toldGrant waits for a message about a grant that says something.
func (w *world) toldGrant(t *testing.T, id, text string) {
	t.Helper()
	harness.Eventually(t, func() error {
		w.receiver.mu.Lock()
		defer w.receiver.mu.Unlock()
		for _, p := range w.receiver.grants {
			if p.ID == id && p.AgentID == "other" && strings.Contains(p.Text, text) {
				return nil
			}
		}
		return fmt.Errorf("nobody was told %q of %s, of %d messages", text, id, len(w.receiver.grants))
	})
}

// overdue waits until people are told that nobody has looked. A process looks when it starts to lead, and each minute.
func (w *world) overdue(t *testing.T, id string) {
	t.Helper()
	time.Sleep(1100 * time.Millisecond)
	for n := range w.Size() {
		w.At(n).Stop()
	}
	for n := range w.Size() {
		w.Start(t, n)
	}
	w.toldGrant(t, id, "Nobody has reviewed")
	page := read[api.Page[api.Grant]](t, w.Send(t, http.MethodGet, "/api/v1/break-glass", harness.Operator, ""), http.StatusOK)
	if len(page.Items) != 1 || !page.Items[0].Overdue || page.Items[0].Active {
		t.Errorf("it is listed as %+v", page.Items)
	}
}

// reviews: not who gave it, then somebody, then nobody again.
func (w *world) reviews(t *testing.T, id string) {
	t.Helper()
	path := "/api/v1/break-glass/" + id + "/review"
	for _, c := range []struct {
		key    string
		status int
	}{{harness.Operator, http.StatusForbidden}, {harness.Agent, http.StatusForbidden}, {ann, http.StatusOK}, {harness.Admin, http.StatusConflict}} {
		if a := w.Send(t, http.MethodPost, path, c.key, `{"review":"all was needed"}`); a.Status != c.status {
			t.Errorf("a review with %s answers %d, want %d: %s", c.key, a.Status, c.status, a.Body)
		}
	}
}

// underGlass checks that exactly the records of calls that ran say by which grant.
func (w *world) underGlass(t *testing.T, id string) {
	t.Helper()
	ran := 0
	for _, r := range w.Records(t) {
		if r.Type != signalbox.RecordIntent && r.Type != signalbox.RecordOutcome {
			continue
		}
		named := r.Context.BreakGlass == id
		if r.Type == signalbox.RecordIntent && !named || r.Outcome == signalbox.OutcomeOK && !named {
			t.Errorf("the %s of a call that ran names the grant %q", r.Type, r.Context.BreakGlass)
		}
		if r.Outcome == signalbox.OutcomeOK {
			ran++
		}
	}
	if ran < w.Size() { // More where a process had not heard of the end yet.
		t.Errorf("%d calls ran, want %d", ran, w.Size())
	}
}

// A grant ends by itself; that takes a minute, so that it is waited for in the long form. The short one sees that it says
// when.
func TestBreakGlassEndsByItself(t *testing.T) {
	t.Parallel()
	w := launch(t, sqlite(t), 1, glass)
	idle(w, t)
	g := w.grant(t)
	if length := g.Until.Sub(g.From); length != time.Minute {
		t.Errorf("a grant for a minute lasts %s", length)
	}
	if os.Getenv(Long) == "" {
		return
	}
	time.Sleep(time.Until(g.Until) + time.Second)
	w.forbidden(t, "too late")
}

// Incidents are reported and closed by command and API, counted, and on record.
func TestIncidents(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		c := connect(t, w.At(0))
		call := c.call(t, "regretted")
		w.mustVote(t, ann, call.id, signalbox.VerdictApprove)
		if _, err := call.wait(t); err != nil {
			t.Fatal(err)
		}
		used := *w.approval(t, call.id).UsedBy
		w.Next().Call(t, used)
		opened := w.incident(t, "open", "--call", used, "--severity", "high", "--text", "it was the wrong desk")
		if !opened.Write || opened.ToolName == nil || *opened.ToolName != "desk.work" || opened.Closed != nil {
			t.Errorf("the incident is %+v", opened)
		}
		body := `{"call_id":"` + used + `","severity":"low","text":"and it was late"}`
		second := read[api.Incident](t, w.Send(t, http.MethodPost, "/api/v1/incidents", bob, body), http.StatusCreated)
		pending := asks(t, w.Next(), "/v1/chat/completions", harness.Agent, prompt("one", "is counted"))
		w.metrics(t)
		if closed := w.incident(t, "close", opened.ID, "--resolution", "it was moved back"); closed.Closed == nil {
			t.Errorf("closed it is %+v", closed)
		}
		if a := w.Send(t, http.MethodPost, "/api/v1/incidents/"+opened.ID+"/close", ann, `{"resolution":"again"}`); a.Status != http.StatusConflict {
			t.Errorf("closed twice: %d %s", a.Status, a.Body)
		}
		list := read[api.Page[api.Incident]](t, w.Send(t, http.MethodGet, "/api/v1/incidents?state=open", harness.Auditor, ""), http.StatusOK)
		if len(list.Items) != 1 || list.Items[0].ID != second.ID {
			t.Errorf("open are %+v", list.Items)
		}
		r := harness.Run(t, t.TempDir(), w.Next().Env(harness.Auditor), "incident", "list")
		if r.Code != 0 || !strings.Contains(r.Stdout, opened.ID) || !strings.Contains(r.Stdout, second.ID) {
			t.Errorf("the list ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
		w.mustVote(t, bob, pending, signalbox.VerdictDeny)
	})
}

// incident runs a command about incidents with an operator's key.
func (w *world) incident(t *testing.T, args ...string) (i api.Incident) {
	t.Helper()
	r := harness.Run(t, t.TempDir(), w.At(0).Env(harness.Operator), append(append([]string{"incident"}, args...), "-o", "json")...)
	if err := json.Unmarshal([]byte(r.Stdout), &i); r.Code != 0 || err != nil {
		t.Fatalf("incident %v ends with %d, %v: %s%s", args, r.Code, err, r.Stdout, r.Stderr)
	}
	return i
}

// metrics: each process shows the queues of all; what was counted, the processes have counted together.
func (w *world) metrics(t *testing.T) {
	t.Helper()
	for n := range w.Size() {
		harness.Eventually(t, func() error {
			pending, open := w.At(n).Metric(t, "signalbox_approvals_pending"), w.At(n).Metric(t, "signalbox_incidents_open")
			if pending != 1 || open != 2 {
				return fmt.Errorf("process %d shows %v pending approvals and %v open incidents", n, pending, open)
			}
			return nil
		})
		if w.At(n).Metric(t, "signalbox_approvals_oldest_seconds") > harness.Patience.Seconds() || w.At(n).Metric(t, "signalbox_break_glass_active") != 0 {
			t.Errorf("process %d shows an approval that is too old, or a grant", n)
		}
	}
	if all := w.sum(t, "signalbox_incidents_total"); all != 2 {
		t.Errorf("%v incidents were counted", all)
	}
	if all := w.sum(t, "signalbox_approvals_decided_total"); all != 1 {
		t.Errorf("%v decided approvals were counted", all)
	}
}

// sum adds up a counter over the processes; one that has counted nothing does not show it.
func (w *world) sum(t *testing.T, name string) (sum float64) {
	t.Helper()
	for n := range w.Size() {
		if a := w.At(n).Send(t, http.MethodGet, "/metrics", harness.Auditor, ""); strings.Contains(a.Body, "\n"+name+"{") {
			sum += w.At(n).Metric(t, name)
		}
	}
	return sum
}
