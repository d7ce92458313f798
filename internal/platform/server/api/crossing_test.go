package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// crossings is how many random requests are made; SIGNALBOX_CROSSINGS asks for more.
func crossings(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SIGNALBOX_CROSSINGS")
	if text == "" {
		if slow {
			return 1_000
		}
		return 5_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_CROSSINGS=%q is no number", text)
	}
	return n
}

// reach is an operation on an object of a tenant: %n is the tenant's number, which is in the ids of all that it has, and
// %t is its name.
type reach struct {
	method, path, body string
	list               bool // It names a tenant, or nothing: it answers 200 with nothing of foreign tenants.
	decides            bool // Even those who see all tenants change nothing of foreign ones.
}

var reaches = []reach{
	{method: "GET", path: "/approvals", list: true},
	{method: "GET", path: "/approvals?tenant=%t&state=pending", list: true},
	{method: "GET", path: "/approvals?run=run_%n&agent=planner", list: true},
	{method: "GET", path: "/approvals/appr_%n"},
	{method: "GET", path: "/approvals/appr_%n?wait=1ns"},
	{method: "POST", path: "/approvals/appr_%n/approve", body: `{}`, decides: true},
	{method: "POST", path: "/approvals/appr_%n/deny", body: `{"reason":"no"}`, decides: true},
	{method: "POST", path: "/approvals/appr_%n/withdraw", decides: true},
	{method: "POST", path: "/approvals/deny", body: `{"ids":["appr_0","appr_1","appr_2"],"reason":"no"}`, list: true, decides: true},
	{method: "GET", path: "/policy", list: true},
	{method: "POST", path: "/policy/explain", body: `{"tenant":"%t","tool":"files.read"}`},
	{method: "POST", path: "/policy/explain", body: `{"model":"small"}`, list: true},
	{method: "GET", path: "/break-glass", list: true},
	{method: "GET", path: "/break-glass?tenant=%t", list: true},
	{method: "POST", path: "/break-glass", body: `{"tenant":"%t","agent":"planner","tool":"*","reason":"fire"}`},
	{method: "POST", path: "/break-glass", body: `{"agent":"planner","tool":"*","reason":"fire"}`, list: true},
	{method: "POST", path: "/break-glass/grant_%n/end"},
	{method: "POST", path: "/break-glass/grant_%n/review", body: `{"review":"fine"}`},
	{method: "GET", path: "/incidents", list: true},
	{method: "GET", path: "/incidents?tenant=%t&state=open", list: true},
	{method: "POST", path: "/incidents", body: `{"call_id":"%c","severity":"low","text":"x"}`},
	{method: "POST", path: "/incidents", body: `{"run_id":"run_%n","severity":"low","text":"x"}`},
	{method: "POST", path: "/incidents", body: `{"run_id":"run_%n","tenant":"%t","severity":"low","text":"x"}`},
	{method: "POST", path: "/incidents/inc_%n/close", body: `{"resolution":"done"}`},
	{method: "GET", path: "/sessions", list: true},
	{method: "POST", path: "/sessions/session_%n/revoke"},
	{method: "GET", path: "/calls/%c"},
	{method: "GET", path: "/calls?tenant=%t", list: true},
	{method: "GET", path: "/runs/run_%n"},
	{method: "GET", path: "/runs/run_%n?tenant=%t"},
	{method: "POST", path: "/runs/run_%n/end?tenant=%t"},
	{method: "GET", path: "/traces/%r"},
	{method: "GET", path: "/accounts?tenant=%t", list: true},
	{method: "GET", path: "/alerts?tenant=%t", list: true},
	{method: "GET", path: "/brakes?tenant=%t", list: true},
	{method: "GET", path: "/session", list: true},
}

func (r reach) fill(n int) (path, body string) {
	fill := strings.NewReplacer("%n", strconv.Itoa(n), "%t", tenants[n], "%c", sample{n: n}.id(), "%r", hex32(n)).Replace
	return "/api/v1" + fill(r.path), fill(r.body)
}

// populate gives each tenant one object of each kind. Whatever can say so names its tenant.
func populate(s *site) {
	for n, tenant := range tenants {
		s.write(sample{
			n: n, tenant: tenant, run: fmt.Sprintf("run_%d", n), trace: hex32(n), agent: "planner", model: "model-of-" + tenant, outcome: "ok",
		}.records()...)
		s.people.approvals.add(signalbox.Approval{
			ID: fmt.Sprintf("appr_%d", n), Tenant: tenant, State: signalbox.ApprovalPending, Asked: start, Key: tenant + "-agent",
			Run: fmt.Sprintf("run_%d", n), Agent: "planner", Tool: "files." + tenant, Rule: "rule-of-" + tenant,
			Require: signalbox.Requirement{Approvers: 2, Role: signalbox.RoleApprover},
			Votes:   []signalbox.Vote{{By: tenant + "-somebody", Verdict: signalbox.VerdictApprove}},
		}, signalbox.ApprovalContent{User: "user-of-" + tenant, Arguments: `{"path":"/secret-of-` + tenant + `"}`, Resources: []string{tenant}})
		s.people.grants = append(s.people.grants, signalbox.Grant{
			ID: fmt.Sprintf("grant_%d", n), Tenant: tenant, Agent: "planner", Tool: "files." + tenant, Reason: "fire at " + tenant,
			By: tenant + "-somebody", From: start, Until: start.Add(time.Hour),
		})
		s.people.incidents = append(s.people.incidents, signalbox.Incident{
			ID: fmt.Sprintf("inc_%d", n), Tenant: tenant, Text: "harm to " + tenant, Opened: start, OpenedBy: tenant + "-somebody",
		})
		s.people.sessions = append(s.people.sessions, api.OpenSession{
			Session: signalbox.Session{ID: fmt.Sprintf("session_%d", n), Key: tenant + "-developer", Opened: start, Expires: start.Add(time.Hour)},
			Holder:  signalbox.Key{ID: tenant + "-developer", Tenant: tenant, Role: signalbox.RoleDeveloper},
		})
	}
	s.people.freeze()
}

// TestCrossings: whoever does whatever to whomever's objects neither sees nor changes anything of another tenant's, unless
// his role sees all tenants; and even then he decides nothing there, and sees no arguments.
func TestCrossings(t *testing.T) {
	s := open(t)
	populate(s)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	x := crossing{t: t, s: s, served: map[string]int{}}
	total := crossings(t)
	for range total {
		x.role = signalbox.Roles()[random.IntN(len(signalbox.Roles()))]
		x.own, x.of = random.IntN(len(tenants)), random.IntN(len(tenants))
		x.try(reaches[random.IntN(len(reaches))])
		if t.Failed() {
			return
		}
	}
	if total < 5_000 {
		return
	}
	for _, r := range reaches { // What nobody is ever served proves nothing.
		if x.served[r.method+r.path+r.body] == 0 && !strings.Contains(r.path, "/end?") {
			t.Errorf("%s %s was never served", r.method, r.path)
		}
	}
}

// crossing is one random request.
type crossing struct {
	t       *testing.T
	s       *site
	role    signalbox.Role
	own, of int // Whose key, and whose object.
	served  map[string]int
}

func (x *crossing) try(r reach) {
	path, body := r.fill(x.of)
	clear(x.s.people.changed)
	// A request id that is made up could spell a tenant's name.
	a := x.s.ask(r.method, path, secretOf(tenants[x.own], x.role), body, "X-Request-Id", "same")
	seesAll := slices.Contains([]signalbox.Role{"auditor", "operator", "admin"}, x.role)
	for n, tenant := range tenants {
		foreign := n != x.own
		if foreign && strings.Contains(string(a.body), "secret-of-"+tenant) {
			x.fail(r, a, "shows the arguments of "+tenant)
		}
		if foreign && !seesAll && strings.Contains(string(a.body), tenant) {
			x.fail(r, a, "tells of "+tenant)
		}
		if foreign && (!seesAll || r.decides) && x.s.people.changed[tenant] > 0 {
			x.fail(r, a, "changes something of "+tenant)
		}
	}
	if a.status < 300 {
		if !r.list && x.own != x.of && !seesAll {
			x.fail(r, a, "is served")
		}
		x.served[r.method+r.path+r.body]++
	} else if a.status >= http.StatusInternalServerError {
		x.fail(r, a, "fails")
	}
}

func (x *crossing) fail(r reach, a answer, what string) {
	x.t.Helper()
	x.t.Errorf("%s %s %s by the %s of %s on an object of %s %s: %d %s",
		r.method, r.path, r.body, x.role, tenants[x.own], tenants[x.of], what, a.status, a.body)
}

// A foreign object is refused exactly as one that there is not.
func TestForeignIsUnknown(t *testing.T) {
	s := open(t)
	populate(s)
	for _, r := range reaches {
		if r.list || !strings.Contains(r.path, "_%n") || strings.Contains(r.path, "?tenant=") {
			continue
		}
		for _, role := range []signalbox.Role{"agent", "developer", "approver"} {
			t.Run(r.method+" "+r.path+" "+string(role), func(t *testing.T) {
				path, body := r.fill(1)
				unknown := strings.Replace(path, "_1", "_9", 1)
				key := secretOf(tenants[0], role)
				got, want := s.ask(r.method, path, key, body, "X-Request-Id", "same"), s.ask(r.method, unknown, key, body, "X-Request-Id", "same")
				if got.status != want.status || string(got.body) != string(want.body) || got.status < 400 {
					t.Errorf("a foreign one answers %d %s, one that there is not %d %s", got.status, got.body, want.status, want.body)
				}
			})
		}
	}
}

// People see and end their own sessions, an admin everybody's.
func TestSessionsOfPeople(t *testing.T) {
	s := open(t)
	cookie := logIn(t, s, developer)
	id := gate.SessionID(strings.TrimPrefix(cookie, gate.SessionCookie+"="))
	holder := func(key string, tenant string, role signalbox.Role) signalbox.Key {
		return signalbox.Key{ID: key, Tenant: tenant, Role: role, User: "user-of-" + key}
	}
	s.people.sessions = []api.OpenSession{
		{Session: signalbox.Session{ID: id, Key: "acme-developer", Opened: start, Source: "192.0.2.1"}, Holder: holder("acme-developer", "acme", "developer")},
		{Session: signalbox.Session{ID: "session_2", Opened: start.Add(time.Minute)}, Holder: holder("person:corp:7", "acme", "approver")},
		{Session: signalbox.Session{ID: "session_3", Key: "globex-admin", Opened: start.Add(2 * time.Minute)}, Holder: holder("globex-admin", "globex", "admin")},
		{Session: signalbox.Session{ID: "session_4", Key: "acme-developer", Opened: start.Add(3 * time.Minute)}, Holder: holder("acme-developer", "acme", "developer")},
	}
	list := func(a answer) string {
		text := ""
		for _, row := range decode[api.Page[api.SessionRow]](t, a, 200).Items {
			text += row.ID + " "
			if row.Current {
				text += "(current) "
			}
			if (row.KeyID == nil) != (row.ID == "session_2") {
				t.Errorf("%+v", row)
			}
		}
		return strings.ReplaceAll(text, id, "session_1")
	}
	want(t, "an admin's list", list(s.ask(http.MethodGet, "/api/v1/sessions", admin, "")), "session_4 session_3 session_2 session_1 ")
	want(t, "one's own", list(s.ask(http.MethodGet, "/api/v1/sessions", "", "", "Cookie", cookie)), "session_4 session_1 (current) ")
	want(t, "nobody's", list(s.ask(http.MethodGet, "/api/v1/sessions", auditor, "")), "")
	first := get[api.Page[api.SessionRow]](s, "/sessions", admin, "limit", "3")
	want(t, "the next page", list(s.ask(http.MethodGet, "/api/v1/sessions?cursor="+*first.Next, admin, "")), "session_1 ")
	refused(t, "a bad cursor", s.ask(http.MethodGet, "/api/v1/sessions?cursor=x", admin, ""), 400, "invalid")
	refused(t, "somebody else's", s.post("/sessions/session_2/revoke", developer, ""), 404, "not_found")
	for key, id := range map[string]string{developer: "session_4", admin: "session_2"} {
		if a := s.post("/sessions/"+id+"/revoke", key, ""); a.status != http.StatusNoContent {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	want(t, "what is left", list(s.ask(http.MethodGet, "/api/v1/sessions", admin, "")), "session_3 session_1 ")
	refused(t, "twice", s.post("/sessions/session_2/revoke", admin, ""), 404, "not_found")
	p := decode[api.LoginProviders](t, s.ask(http.MethodGet, "/api/v1/login", "", ""), 200)
	if len(p.Providers) != 1 || p.Providers[0] != (api.LoginProvider{ID: "corp", Issuer: "https://id.example"}) {
		t.Errorf("providers %+v", p)
	}
}
