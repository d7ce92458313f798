package approvals

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// notify has the receiver told of what waits.
const notify = "approvals: {channels: [ops]}\n"

// ways are the ways to approve; each ends when the verdict is durable.
var ways = []struct {
	via string
	by  string
	do  func(t testing.TB, w *world, i *harness.Instance, id string)
}{
	{"cli", "ann", func(t testing.TB, _ *world, i *harness.Instance, id string) {
		t.Helper()
		r := harness.Run(t, t.TempDir(), i.Env(ann), "approval", "approve", id, "--reason", "looked at it")
		if r.Code != 0 || !strings.Contains(r.Stdout, "approved") {
			t.Fatalf("the command ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
	}},
	{"api", "bob", func(t testing.TB, w *world, i *harness.Instance, id string) {
		t.Helper()
		read[api.Approval](t, w.vote(t, i, bob, id, signalbox.VerdictApprove), http.StatusOK)
	}},
	{"page", "ann", func(t testing.TB, _ *world, i *harness.Instance, id string) {
		t.Helper()
		b := newBrowser(t)
		b.logIn(i.URL, ann)
		b.approve(i.URL+"/decide/"+id, id)
	}},
	{"link", "channel:ops", func(t testing.TB, w *world, _ *harness.Instance, id string) {
		t.Helper()
		p := w.receiver.told(t, id, false)
		newBrowser(t).approve(p.Link, id)
	}},
}

// browser is what the page needs of one: cookies and forms, no scripts.
type browser struct {
	t    testing.TB
	http *http.Client
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Timeout: harness.Patience}}
}

func (b *browser) do(method, address, kind, body string, header ...string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	var all bytes.Buffer
	if _, err := io.Copy(&all, res.Body); err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, all.String()
}

func (b *browser) logIn(address, key string) {
	b.t.Helper()
	status, body := b.do(http.MethodPost, address+"/api/v1/session", "application/json", `{"key":"`+key+`"}`, api.ConsoleHeader, "1", "Sec-Fetch-Site", "same-origin")
	if status != http.StatusOK {
		b.t.Fatalf("the login answers %d: %s", status, body)
	}
}

// submit sends the form of the page at an address as a browser would, from this origin or another.
func (b *browser) submit(address, verdict, site string) (int, string) {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	form := url.Values{"verdict": {verdict}, "reason": {"looked at it"}}
	if token := u.Query().Get("token"); token != "" {
		form.Set("token", token)
	}
	u.RawQuery = ""
	return b.do(http.MethodPost, u.String(), "application/x-www-form-urlencoded", form.Encode(), "Sec-Fetch-Site", site)
}

// approve reads the page, which must show what would be done, and presses the button.
func (b *browser) approve(address, id string) {
	b.t.Helper()
	status, page := b.do(http.MethodGet, address, "", "")
	if shown := html.UnescapeString(page); status != http.StatusOK || !strings.Contains(shown, `"mark": "`) || !strings.Contains(shown, `value="approve"`) {
		b.t.Fatalf("the page of %s answers %d: %s", id, status, page)
	}
	if status, page := b.submit(address, "approve", "same-origin"); status != http.StatusOK || !strings.Contains(page, "on record") {
		b.t.Fatalf("the form of %s answers %d: %s", id, status, page)
	}
}

// A call that waits is made once somebody has approved it, by whatever way, and once only.
func TestApprovedByEveryWay(t *testing.T) {
	everywhere(t, notify, func(t *testing.T, w *world) {
		c := connect(t, w.At(0))
		var woken []time.Duration
		for _, way := range ways {
			mark := "approved by " + way.via
			call := c.call(t, mark)
			if n := w.tools.Runs()[mark]; n != 0 {
				t.Fatalf("%s ran %d times before it was approved", mark, n)
			}
			way.do(t, w, w.other(0), call.id)
			since := time.Now()
			if got, err := call.wait(t); err != nil || got != "done" {
				t.Fatalf("%s: got %q, %v", mark, got, err)
			}
			woken = append(woken, max(0, call.at.Sub(since)))
			w.once(t, call.id, mark, way.via, way.by)
		}
		slices.Sort(woken)
		t.Logf("from the verdict's answer to that of the waiting call: %v", woken)
		if median := woken[len(woken)/2-1]; median > 2*time.Second { // Who polls looks every five.
			t.Errorf("calls that wait are answered %s after the verdict", median)
		}
		w.Settled(t)
		w.Verify(t)
	})
}

// once checks that a call ran once, by the approval, and that the records say who gave it.
func (w *world) once(t testing.TB, id, mark, via, by string) {
	t.Helper()
	if n := w.tools.Runs()[mark]; n != 1 {
		t.Errorf("%s ran %d times", mark, n)
	}
	a := w.approval(t, id)
	if a.State != signalbox.ApprovalApproved || a.Used == nil || a.UsedBy == nil || len(a.Votes) != 1 || a.Votes[0].Via != via || a.Votes[0].By != by {
		t.Fatalf("the approval is %+v", a)
	}
	detail := w.Next().Call(t, *a.UsedBy)
	if detail.Outcome != signalbox.OutcomeOK {
		t.Errorf("the call that it has admitted is %s", detail.Outcome)
	}
	for _, r := range w.Records(t) {
		if r.Call == *a.UsedBy && r.Type == signalbox.RecordOutcome && (r.Context.ApprovalID != id || r.Context.ApprovedBy != by || r.Context.ApprovalStatus != "approved") {
			t.Errorf("its record says %+v", r.Context)
		}
	}
}

// What was not approved is not made, whatever became of it instead; the answer says what.
func TestNotApproved(t *testing.T) {
	everywhere(t, "approvals: {expire_after: 6s}\n", func(t *testing.T, w *world) {
		c := connect(t, w.At(0))
		denied, withdrawn, expired := c.call(t, "denied"), c.call(t, "withdrawn"), c.call(t, "expired")
		read[api.Approval](t, w.other(0).Send(t, http.MethodPost, votePath(denied.id, signalbox.VerdictDeny), ann, `{"reason":"too soon"}`), http.StatusOK)
		_, err := denied.wait(t)
		wantError(t, err, "forbidden", denied.id, "too soon")

		withdraw := "/api/v1/approvals/" + withdrawn.id + "/withdraw"
		if a := w.Send(t, http.MethodPost, withdraw, bob, `{}`); a.Status != http.StatusForbidden {
			t.Errorf("somebody else withdraws it: %d %s", a.Status, a.Body)
		}
		read[api.Approval](t, w.other(0).Send(t, http.MethodPost, withdraw, harness.Agent, `{"reason":"not needed"}`), http.StatusOK)
		_, err = withdrawn.wait(t)
		wantError(t, err, "conflict", withdrawn.id, "withdrawn")

		_, err = expired.wait(t)
		wantError(t, err, "conflict", expired.id, "expired")
		for _, one := range []struct {
			call  *waiting
			state signalbox.ApprovalState
		}{{denied, signalbox.ApprovalDenied}, {withdrawn, signalbox.ApprovalWithdrawn}, {expired, signalbox.ApprovalExpired}} {
			w.final(t, one.call.id, one.state)
		}
		w.never(t, "denied", "withdrawn", "expired")
	})
}

// final checks that an approval is in a state and leaves it by nothing that anybody says.
func (w *world) final(t testing.TB, id string, state signalbox.ApprovalState) {
	t.Helper()
	w.reaches(t, id, state)
	for _, v := range []signalbox.Verdict{signalbox.VerdictApprove, signalbox.VerdictDeny} {
		if a := w.vote(t, w.Next(), bob, id, v); a.Status != http.StatusConflict {
			t.Errorf("%s is %s, and a later %s answers %d: %s", id, state, v, a.Status, a.Body)
		}
	}
	if a := w.approval(t, id); a.State != state || a.Used != nil {
		t.Errorf("%s is %s, used %v; want %s", id, a.State, a.Used, state)
	}
}

// never checks that no such call was made.
func (w *world) never(t testing.TB, marks ...string) {
	t.Helper()
	runs := w.tools.Runs()
	for _, mark := range marks {
		if runs[mark] != 0 {
			t.Errorf("%s ran %d times", mark, runs[mark])
		}
	}
}

// An approval that was asked for under other rules is void once the configuration is another.
func TestStale(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		c := connect(t, w.At(0))
		call := c.call(t, "stale")
		w.Rewrite(t, `"high")', level: high}`, `"higher")', level: high}`)
		_, err := call.wait(t)
		wantError(t, err, "conflict", call.id, "void")
		w.final(t, call.id, signalbox.ApprovalStale)
		w.never(t, "stale")
		w.inForce(t, w.approval(t, call.id).PolicyVersion)
		again := c.call(t, "stale")
		if again.id == call.id {
			t.Fatal("the call asks for the stale approval again")
		}
		w.mustVote(t, ann, again.id, signalbox.VerdictApprove)
		if got, err := again.wait(t); err != nil || got != "done" || w.tools.Runs()["stale"] != 1 {
			t.Errorf("asked anew: %q, %v, ran %d times", got, err, w.tools.Runs()["stale"])
		}
	})
}

// inForce waits until no process has the policy before any more: while they differ, one voids what another asks for.
func (w *world) inForce(t *testing.T, before string) {
	t.Helper()
	for n := range w.Size() {
		harness.Eventually(t, func() error {
			p := read[api.PolicyView](t, w.At(n).Send(t, http.MethodGet, "/api/v1/policy", harness.Admin, ""), http.StatusOK)
			if p.Version == before {
				return fmt.Errorf("process %d still has %s", n, before)
			}
			return nil
		})
	}
}

// A process that stops lets go of who waits, with the id to come back with; the approval outlives it, and the same
// request is made later.
func TestPendingOverARestart(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		call := connect(t, w.At(0)).call(t, "later")
		if code := w.At(0).Stop(); code != 0 {
			t.Errorf("the process ended with %d", code)
		}
		_, err := call.wait(t)
		wantError(t, err, "approval_required", call.id)
		w.Start(t, 0)
		w.back(t, call.id, "later")
	})
}

// Who has waited for as long as calls wait is told to come back.
func TestPendingAfterTheWait(t *testing.T) {
	t.Parallel()
	w := launch(t, sqlite(t), 1, "")
	call := connect(t, w.At(0)).call(t, "much later")
	_, err := call.wait(t)
	wantError(t, err, "approval_required", call.id)
	w.back(t, call.id, "much later")
}

// back makes a call again whose approval is pending: it waits for the same one, and is made when that is given.
func (w *world) back(t *testing.T, id, mark string) {
	t.Helper()
	w.reaches(t, id, signalbox.ApprovalPending)
	w.never(t, mark)
	c := connect(t, w.At(0))
	again := c.call(t, mark)
	if again.id != id {
		t.Fatalf("the same request asks for %s, not %s", again.id, id)
	}
	w.mustVote(t, bob, id, signalbox.VerdictApprove)
	if got, err := again.wait(t); err != nil || got != "done" {
		t.Fatalf("got %q, %v", got, err)
	}
	w.once(t, id, mark, "api", "bob")
}

// Decided while nobody waits, a call is made by the next one who presents it, and by no other.
func TestApprovedMeanwhile(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		c := connect(t, w.At(0))
		first := c.call(t, "meanwhile")
		w.At(0).Kill()
		<-first.done
		if w.Size() == 1 {
			w.Start(t, 0)
		}
		i := w.other(0)
		read[api.Approval](t, w.vote(t, i, ann, first.id, signalbox.VerdictApprove), http.StatusOK)
		c = connect(t, i)
		if got, err := c.run(t, "meanwhile"); err != nil || got != "done" {
			t.Fatalf("got %q, %v", got, err)
		}
		if w.Size() > 1 {
			w.Start(t, 0)
		}
		w.once(t, first.id, "meanwhile", "api", "ann")
		if next := c.call(t, "meanwhile"); next.id == first.id || w.tools.Runs()["meanwhile"] != 1 {
			t.Errorf("presented again it asks for %s and ran %d times", next.id, w.tools.Runs()["meanwhile"])
		} else if a := w.mustVote(t, ann, next.id, signalbox.VerdictDeny); a.Previous == nil || *a.Previous != first.id {
			t.Errorf("its approval is to be compared with %v, want %s", a.Previous, first.id)
		}
	})
}

// The signed link decides once; one that was made for something else decides nothing.
func TestLinks(t *testing.T) {
	everywhere(t, notify, func(t *testing.T, w *world) {
		c := connect(t, w.At(0))
		call, other := c.call(t, "high by link"), c.call(t, "other by link")
		link, wrong := w.receiver.told(t, call.id, false).Link, w.receiver.told(t, other.id, false).Link
		b := newBrowser(t)
		_, token, _ := strings.Cut(wrong, "?token=")
		address, own, _ := strings.Cut(link, "?token=")
		for name, bad := range map[string]string{
			"another approval's": token, "none": "", "cut": own[:len(own)-2], "another channel's": "b3BzMg" + own[strings.IndexByte(own, '.'):],
		} {
			if status, page := b.submit(address+"?token="+bad, "approve", "same-origin"); status < 400 {
				t.Errorf("the token of %s answers %d: %s", name, status, page)
			}
		}
		b.approve(link, call.id)
		if status, page := b.submit(link, "approve", "same-origin"); status != http.StatusConflict {
			t.Errorf("the link decides twice: %d %s", status, page)
		}
		a := w.approval(t, call.id)
		if a.State != signalbox.ApprovalPending || len(a.Votes) != 1 {
			t.Fatalf("after one verdict of two it is %+v", a)
		}
		w.mustVote(t, ann, call.id, signalbox.VerdictApprove)
		if got, err := call.wait(t); err != nil || got != "done" {
			t.Errorf("got %q, %v", got, err)
		}
		w.mustVote(t, ann, other.id, signalbox.VerdictDeny)
		if status, page := b.submit(wrong, "approve", "same-origin"); status != http.StatusConflict {
			t.Errorf("the link of a denied one answers %d: %s", status, page)
		}
		w.never(t, "other by link")
	})
}

// Somebody else's page can not make a person's browser decide.
func TestForeignPageDecidesNothing(t *testing.T) {
	t.Parallel()
	w := launch(t, sqlite(t), 1, "")
	call := connect(t, w.At(0)).call(t, "forged")
	b := newBrowser(t)
	b.logIn(w.At(0).URL, ann)
	if status, page := b.submit(w.At(0).URL+"/decide/"+call.id, "approve", "cross-site"); status < 400 {
		t.Errorf("the form of another site answers %d: %s", status, page)
	}
	for _, key := range []string{harness.Agent, twin, harness.Auditor, harness.Operator, foreign} {
		if a := w.vote(t, w.At(0), key, call.id, signalbox.VerdictApprove); a.Status != http.StatusForbidden && a.Status != http.StatusNotFound {
			t.Errorf("key %s decides: %d %s", key, a.Status, a.Body)
		}
	}
	if a := w.approval(t, call.id); a.State != signalbox.ApprovalPending || len(a.Votes) != 0 {
		t.Errorf("it is %+v", a)
	}
	w.mustVote(t, bob, call.id, signalbox.VerdictDeny)
	if _, err := call.wait(t); err == nil {
		t.Error(fmt.Errorf("the call was made"))
	}
	w.never(t, "forged")
}
