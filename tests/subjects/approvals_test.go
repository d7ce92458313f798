package subjects

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// deciding lets the calls of a writer wait for approval.
const deciding = harness.Simulated + `policy: {risk: [{when: 'call.step_kind == "weighty"', level: medium}]}
mcp_servers:
  shelf: {url: "@TOOLS@", price: {per_call: 0.001}, tools: {work: {operation: write, resources: [{arg: mark, kind: name}]}}}
agents:
  - {id: writer, permissions: {tools: [{name: shelf.work, operations: [write], resources: ["*"]}]}}
`

// shelf is an instance, or several, whose calls of a tool wait for approval.
type shelf struct {
	*harness.Instance
	tools    *biller.Tools
	approver string
}

func newTools(t *testing.T) *biller.Tools {
	t.Helper()
	tools := biller.NewTools()
	t.Cleanup(tools.Close)
	return tools
}

// newShelf gives who uses an instance a key of his own to decide with.
func newShelf(t *testing.T, i *harness.Instance, tools *biller.Tools) *shelf {
	t.Helper()
	var key struct {
		Secret string `json:"secret"`
	}
	a := i.Send(t, http.MethodPost, "/api/v1/keys", harness.Admin, `{"tenant":"acme","role":"approver","user":"ann"}`)
	if a.Status != http.StatusCreated {
		t.Fatalf("a key of an approver: %d %s", a.Status, a.Body)
	}
	decode(t, a.Body, &key)
	return &shelf{i, tools, key.Secret}
}

// call makes a call about somebody and gives its answer.
func (s *shelf) call(t *testing.T, header, name, mark string) (*http.Response, error) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{"mark":%q,"fail":false}}}`, mark)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/mcp/shelf", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + harness.Agent, "X-Signalbox-Agent": "writer", "Content-Type": "application/json", header: name,
		"Accept": "application/json, text/event-stream",
	} {
		r.Header.Set(name, value)
	}
	return http.DefaultClient.Do(r)
}

// waiting makes a call about somebody wait, and gives its approval and what is closed when the call is answered.
func (s *shelf) waiting(t *testing.T, header, name, mark string) (id string, answered <-chan struct{}) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a, err := s.call(t, header, name, mark); err == nil {
			a.Body.Close()
		}
	}()
	harness.Eventually(t, func() error {
		var page api.Page[api.Approval]
		if err := s.TryGet("/approvals", url.Values{"state": {"pending"}, "limit": {"500"}}, &page); err != nil {
			return err
		}
		for _, a := range page.Items {
			if a.Arguments != nil && strings.Contains(*a.Arguments, `"`+mark+`"`) {
				id = a.ID
				return nil
			}
		}
		return fmt.Errorf("no call with %s waits among %d", mark, len(page.Items))
	})
	return id, done
}

// weighty makes a call of a model, and gives the approval that it waits for; "" where it was made.
func (s *shelf) weighty(t *testing.T, header, name, mark string) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":"sim","max_tokens":20,"messages":[{"role":"user","content":%q}]}`, mark)
	a := s.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, body, header, name, "X-Signalbox-Step-Kind", "weighty")
	if id := a.Header.Get("X-Signalbox-Approval"); a.Status == http.StatusOK || a.Status == http.StatusConflict && id != "" {
		return id
	}
	t.Fatalf("status %d: %s", a.Status, a.Body)
	return ""
}

// say has the approver say something about an approval, and checks the status of the answer.
func (s *shelf) say(t *testing.T, id, verb, body string, status int) harness.Answer {
	t.Helper()
	a := s.Send(t, http.MethodPost, "/api/v1/approvals/"+id+"/"+verb, s.approver, body)
	if a.Status != status {
		t.Errorf("%s of %s answers %d, want %d: %s", verb, id, a.Status, status, a.Body)
	}
	return a
}

// shown gives an approval as who decides sees it.
func (s *shelf) shown(t *testing.T, id string) (a api.Approval) {
	t.Helper()
	decode(t, s.Send(t, http.MethodGet, "/api/v1/approvals/"+id, s.approver, "").Body, &a)
	return a
}

// asked are approvals about one person in every state that there is something to erase in.
type asked struct{ pending, approved, denied, used, edited, edit string }

func (q asked) all() []string {
	return []string{q.pending, q.approved, q.denied, q.used, q.edited, q.edit}
}

// ask makes approvals about somebody.
func (s *shelf) ask(t *testing.T, header, name, canary string) (q asked) {
	t.Helper()
	each := map[string]*string{"pending": &q.pending, "approved": &q.approved, "denied": &q.denied}
	for state, id := range each {
		*id = s.weighty(t, header, name, canary+" "+state)
	}
	s.say(t, q.approved, "approve", "", http.StatusOK)
	s.say(t, q.denied, "deny", `{"reason":"no"}`, http.StatusOK)
	used, made := s.waiting(t, header, name, canary+" used")
	q.used = used
	s.say(t, used, "approve", "", http.StatusOK)
	<-made
	if n := s.tools.Runs()[canary+" used"]; n != 1 {
		t.Errorf("the approved call was made %d times", n)
	}
	edited, refused := s.waiting(t, header, name, canary+" edited")
	q.edited = edited
	var edit struct {
		Approval string `json:"approval_id"`
	}
	body := fmt.Sprintf(`{"arguments":{"mark":"%s edit","fail":false},"reason":"another"}`, canary)
	decode(t, s.say(t, q.edited, "edit", body, http.StatusOK).Body, &edit)
	<-refused
	q.edit = edit.Approval
	return q
}

// stored gives approvals as they are stored, without a server's help.
func stored(t *testing.T, i *harness.Instance, ids []string) (all []signalbox.Approval) {
	t.Helper()
	db, err := sqlite.OpenReadOnly(t.Context(), i.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, id := range ids {
		a, err := db.Approval(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// gone checks that nobody can read what was asked about somebody, that what waits can only be denied, and that what was
// approved admits nothing.
func (s *shelf) gone(t *testing.T, q asked) {
	t.Helper()
	for _, id := range q.all() {
		a := s.shown(t, id)
		if a.Content != signalbox.ContentErased || a.Arguments != nil || a.Resources != nil || a.UserID != nil {
			t.Errorf("the approval %s still shows %+v", id, a)
		}
		if page := s.Send(t, http.MethodGet, "/decide/"+id, s.approver, ""); page.Status != http.StatusOK || strings.Contains(page.Body, annaCanary) ||
			!strings.Contains(page.Body, "It can not be shown: erased.") {
			t.Errorf("the page of %s answers %d: %s", id, page.Status, page.Body)
		}
	}
	for _, id := range []string{q.pending, q.edit} {
		other := s.Send(t, http.MethodPost, "/api/v1/approvals/"+id+"/approve", harness.Admin, "")
		if other.Status != http.StatusConflict || !strings.Contains(other.Body, "can not be shown any more") {
			t.Errorf("the approval of what nobody can read answers %d: %s", other.Status, other.Body)
		}
	}
	edit := s.Send(t, http.MethodPost, "/api/v1/approvals/"+q.edit+"/edit", harness.Admin, `{"arguments":{"mark":"x","fail":false},"reason":"another"}`)
	if edit.Status != http.StatusConflict {
		t.Errorf("an edit of what nobody can read answers %d: %s", edit.Status, edit.Body)
	}
	s.say(t, q.pending, "deny", `{"reason":"nobody can read it"}`, http.StatusOK)
	if a := s.shown(t, q.pending); a.State != signalbox.ApprovalDenied || a.Content != signalbox.ContentErased {
		t.Errorf("denied, it is %+v", a)
	}
}

// Whatever was asked about a person is gone with the person's keys: not only the log is to forget.
func TestErasureOfApprovals(t *testing.T) {
	tools := newTools(t)
	s := newShelf(t, harness.Start(t, harness.Options{Config: strings.ReplaceAll(deciding, "@TOOLS@", tools.URL)}), tools)
	annas, bens := s.ask(t, "X-Signalbox-User", anna, annaCanary), s.ask(t, "X-Signalbox-Subject", ben, benCanary)
	noFile(t, s.Instance, "what anna's calls would do", []byte(annaCanary))
	noFile(t, s.Instance, "what ben's calls would do", []byte(benCanary))
	if a := s.shown(t, annas.pending); a.Arguments == nil || !strings.Contains(*a.Arguments, annaCanary) {
		t.Fatalf("who decides sees %+v: the test looks at nothing", a)
	}
	for _, a := range stored(t, s.Instance, annas.all()) {
		if a.Content == nil || len(files(t, s.Instance, a.Content.Data)) == 0 {
			t.Fatalf("no file holds what is sealed of %+v: the test looks at nothing", a)
		}
	}
	keys := wrappedKeys(t, s.Instance)
	key := stored(t, s.Instance, annas.all()[:1])[0].Content.Key

	done := erase(t, s, anna)
	if done.KeysDestroyed == 0 || !done.Complete {
		t.Errorf("the erasure says %+v", done)
	}
	for what, text := range map[string][]byte{"what anna's calls would do": []byte(annaCanary), "the name": []byte(anna), "the key": keys[key]} {
		noFile(t, s.Instance, what, text)
	}
	for _, a := range stored(t, s.Instance, annas.all()) {
		if a.Content != nil || a.Hash != [32]byte{} {
			t.Errorf("of the erased is stored %+v", a)
		}
	}
	s.gone(t, annas)
	if found := append(holding(t, s.Instance, annaCanary), holding(t, s.Instance, anna)...); len(found) > 0 {
		t.Errorf("%d records still say something of the erased, the first is %+v", len(found), found[0])
	}
	for _, id := range bens.all() {
		if a := s.shown(t, id); a.Arguments == nil || !strings.Contains(*a.Arguments, benCanary) {
			t.Errorf("of somebody else, %s shows %+v", id, a)
		}
	}
	if next := s.weighty(t, "X-Signalbox-User", anna, annaCanary+" approved"); next == "" || next == annas.approved {
		t.Errorf("what was approved about the erased has let a call through, or asks for the same again: %q", next)
	}
	if next := s.weighty(t, "X-Signalbox-Subject", ben, benCanary+" approved"); next != "" {
		t.Errorf("what was approved about somebody else waits again, for %s", next)
	}
	verified(t, s.Instance)
}

// What one replica erases no other shows, approves, or lets through.
func TestReplicasForgetApprovals(t *testing.T) {
	tools := newTools(t)
	config := strings.ReplaceAll(replicas[:len(replicas)-len(harness.Simulated)]+deciding, "@TOOLS@", tools.URL)
	f := fleet.Launch(t, fleet.Base+config, postgrestest.Database(t), 2)
	one, other := newShelf(t, f.At(0), tools), newShelf(t, f.At(1), tools)
	annas := one.ask(t, "X-Signalbox-User", anna, annaCanary)
	for _, id := range annas.all() { // The other has read it all, and knows the keys.
		if a := other.shown(t, id); a.Arguments == nil || !strings.Contains(*a.Arguments, annaCanary) {
			t.Errorf("the other replica shows %+v", a)
		}
	}
	erase(t, one, anna)
	harness.Eventually(t, func() error {
		if a := other.shown(t, annas.pending); a.Arguments != nil {
			return fmt.Errorf("the other replica still shows %s", *a.Arguments)
		}
		return nil
	})
	other.gone(t, annas)
}
