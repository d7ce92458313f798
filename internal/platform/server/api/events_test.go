package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// event is one server-sent event.
type event struct {
	id, name, data string
}

// stream reads events of a running server.
type stream struct {
	t      *testing.T
	answer *http.Response
	lines  *bufio.Reader
}

// live serves the site on a socket, by the real clock.
func live(t *testing.T, s *site) string {
	t.Helper()
	s.setClock(time.Now())
	server := httptest.NewServer(s.mux)
	t.Cleanup(server.Close)
	return server.URL
}

func watch(t *testing.T, url, key, query, last string) *stream {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/approvals/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+key)
	if last != "" {
		q.Header.Set("Last-Event-ID", last)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	if ct := a.Header.Get("Content-Type"); a.StatusCode != http.StatusOK || ct != "text/event-stream" || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %s", a.Status, ct)
	}
	t.Cleanup(func() {
		if err := a.Body.Close(); err != nil {
			t.Error(err)
		}
	})
	return &stream{t, a, bufio.NewReader(a.Body)}
}

// next gives the next event; one without a name at the end of the stream.
func (x *stream) next() event {
	x.t.Helper()
	var e event
	for {
		line, err := x.lines.ReadString('\n')
		if err != nil {
			return event{}
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e
			}
		}
	}
}

// reset gives the ids of the first event.
func (x *stream) reset(id string) string {
	x.t.Helper()
	e := x.next()
	var inbox api.Inbox
	if err := json.UnmarshalKnown([]byte(e.data), &inbox); err != nil || e.name != "reset" || e.id != id {
		x.t.Fatalf("%v: %+v", err, e)
	}
	var ids []string
	for _, a := range inbox.Items {
		ids = append(ids, a.ID)
	}
	return strings.Join(ids, " ")
}

// approval gives id and state of the next event.
func (x *stream) approval(id string) string {
	x.t.Helper()
	e := x.next()
	var a api.Approval
	if err := json.UnmarshalKnown([]byte(e.data), &a); err != nil || e.name != "approval" || e.id != id {
		x.t.Fatalf("%v: %+v", err, e)
	}
	return a.ID + " " + string(a.State)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// The stream tells what is new, what has changed and what was decided, and begins anew after a reconnection.
func TestWatchApprovals(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	asks(s, "appr_2", "acme", 2)
	asks(s, "appr_foreign", "globex", 1)
	url := live(t, s)
	x := watch(t, url, approver, "", "")
	want(t, "pending", x.reset("1"), "appr_2 appr_1")
	asks(s, "appr_3", "acme", 1)
	want(t, "a new one", x.approval("2"), "appr_3 pending")
	decode[api.Approval](t, s.post("/approvals/appr_2/approve", approver, ""), 200)
	want(t, "a vote", x.approval("3"), "appr_2 pending")
	decode[api.Approval](t, s.post("/approvals/appr_1/deny", approver, `{"reason":"no"}`), 200)
	want(t, "a decision", x.approval("4"), "appr_1 denied")
	asks(s, "appr_foreign_2", "globex", 1)
	asks(s, "appr_4", "acme", 1)
	want(t, "nothing of other tenants", x.approval("5"), "appr_4 pending")

	y := watch(t, url, approver, "", "5")
	want(t, "after a reconnection", y.reset("6"), "appr_4 appr_3 appr_2")
	z := watch(t, url, auditor, "?tenant=globex", "not a number")
	want(t, "one tenant", z.reset("1"), "appr_foreign_2 appr_foreign")
	want(t, "a foreign tenant", watch(t, url, approver, "?tenant=globex", "").reset("1"), "")
	close(s.people.stopping)
	want(t, "when the server stops", x.next().name+y.next().name+z.next().name, "")
	x.waitForNobody(s)
}

func (x *stream) waitForNobody(s *site) {
	x.t.Helper()
	waitFor(x.t, s, 0)
}

// One approval can be watched until it is decided.
func TestWatchOneApproval(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	asks(s, "appr_2", "acme", 1)
	url := live(t, s)
	x := watch(t, url, agent, "?id=appr_1", "")
	want(t, "at first", x.reset("1"), "appr_1")
	decode[api.Approval](t, s.post("/approvals/appr_2/approve", approver, ""), 200)
	decode[api.Approval](t, s.post("/approvals/appr_1/approve", approver, ""), 200)
	want(t, "then", x.approval("2"), "appr_1 approved")
	want(t, "and no more", x.next().name, "")
	x = watch(t, url, agent, "?id=appr_1", "")
	want(t, "decided already", x.reset("1"), "appr_1")
	want(t, "there is nothing to wait for", x.next().name, "")
	refused(t, "another tenant's", s.ask(http.MethodGet, "/api/v1/approvals/events?id=appr_1", secretOf("globex", "agent"), ""), 404, "not_found")
}

// A long inbox comes in parts, whole.
func TestWatchLongInbox(t *testing.T) {
	s := open(t)
	for i := range 250 {
		asks(s, fmt.Sprintf("appr_%d", i), "acme", 1)
	}
	x := watch(t, live(t, s), approver, "", "")
	seen := map[string]bool{}
	for _, id := range strings.Fields(x.reset("1")) {
		seen[id] = true
	}
	if len(seen) != 100 {
		t.Errorf("the first event has %d", len(seen))
	}
	for n := range 150 {
		id, _, _ := strings.Cut(x.approval(fmt.Sprint(n+2)), " ")
		seen[id] = true
	}
	if len(seen) != 250 {
		t.Errorf("%d of 250 came", len(seen))
	}
}

// doorman lets everybody in as an approver until he is told not to.
type doorman struct {
	mu     sync.Mutex
	closed bool
}

func (d *doorman) Authenticate(http.ResponseWriter, *http.Request) (signalbox.Key, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return signalbox.Key{}, signalbox.Errorf(signalbox.CodeUnauthenticated, "gone")
	}
	return signalbox.Key{ID: "acme-approver", Tenant: "acme", Role: signalbox.RoleApprover}, nil
}

func (d *doorman) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// tape is an answer that can be read while it is written.
type tape struct {
	mu   sync.Mutex
	text strings.Builder
	head http.Header
}

func (w *tape) Header() http.Header { return w.head }
func (w *tape) WriteHeader(int)     {}
func (w *tape) Flush()              {}
func (w *tape) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *tape) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// A silent stream lives; one whose key is revoked ends with the next event or heartbeat, and tells nothing more.
func TestWatchEndsWithItsKey(t *testing.T) {
	for name, secret := range map[string]bool{"at a heartbeat": false, "at an event": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, door, w := newPeople(time.Now), &doorman{}, &tape{head: http.Header{}}
				mux := http.NewServeMux()
				api.New(mux, api.Options{Auth: door, Approvals: p.approvals, Now: time.Now, Version: "test"})
				done := make(chan struct{})
				go func() {
					defer close(done)
					mux.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/v1/approvals/events", nil))
				}()
				time.Sleep(3*api.Heartbeat + time.Second)
				synctest.Wait()
				want(t, "silence", w.String(), "id: 1\nevent: reset\ndata: {\"items\":[]}\n\n:\n\n:\n\n:\n\n")
				door.close()
				if secret {
					p.approvals.add(signalbox.Approval{ID: "appr_secret", Tenant: "acme", State: signalbox.ApprovalPending}, signalbox.ApprovalContent{})
				}
				<-done
				if strings.Contains(w.String(), "appr_secret") {
					t.Errorf("after the end of its key it tells %s", w.String())
				}
			})
		})
	}
}
