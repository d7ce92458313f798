package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

var (
	approver  = secretOf("acme", signalbox.RoleApprover)
	developer = secretOf("acme", signalbox.RoleDeveloper)
	operator  = secretOf("acme", signalbox.RoleOperator)
)

// asks adds an approval of a tenant that two approvers have to agree to, or one.
func asks(s *site, id, tenant string, approvers int) {
	bound := signalbox.Dollar
	s.people.approvals.add(signalbox.Approval{
		ID: id, Tenant: tenant, State: signalbox.ApprovalPending, Asked: s.now(), Expires: s.now().Add(time.Hour), Call: "call_1",
		Run: "run_1", Agent: "planner", Key: tenant + "-agent", Kind: signalbox.KindTool, Tool: "files.delete_file", Does: signalbox.OperationDelete,
		Risk: signalbox.RiskHigh, Require: signalbox.Requirement{Approvers: approvers, Role: signalbox.RoleApprover},
		Policy: "sha256:0", Rule: "tier high", Bound: &bound,
	}, signalbox.ApprovalContent{
		User: "customer-of-" + tenant, Arguments: `{"path":"/data/` + tenant + `"}`, Resources: []string{"/data/" + tenant},
	})
}

func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.UnmarshalKnown(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// post decides and gives the answer as it is.
func (s *site) post(path, key, body string, header ...string) answer {
	return s.ask(http.MethodPost, "/api/v1"+path, key, body, header...)
}

// Approvals are listed newest first, by filters, page by page.
func TestListApprovals(t *testing.T) {
	s := open(t)
	for i := range 5 {
		asks(s, fmt.Sprintf("appr_%d", i), "acme", 1)
	}
	asks(s, "appr_foreign", "globex", 1)
	decode[api.Approval](t, s.post("/approvals/appr_3/deny", approver, `{"reason":"no"}`), 200)
	for _, c := range []struct {
		name, key string
		query     []string
		want      string
	}{
		{"own tenant", approver, nil, "appr_4 appr_3 appr_2 appr_1 appr_0"},
		{"all tenants", auditor, nil, "appr_foreign appr_4 appr_3 appr_2 appr_1 appr_0"},
		{"one tenant", auditor, []string{"tenant", "globex"}, "appr_foreign"},
		{"a foreign tenant", approver, []string{"tenant", "globex"}, ""},
		{"a state", approver, []string{"state", "denied"}, "appr_3"},
		{"states", approver, []string{"state", "denied,pending"}, "appr_4 appr_3 appr_2 appr_1 appr_0"},
		{"an agent", approver, []string{"agent", "nobody"}, ""},
		{"a tool", approver, []string{"tool", "files.delete_file", "state", "denied"}, "appr_3"},
		{"a run", approver, []string{"run", "run_2"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			cursor := ""
			for {
				page := get[api.Page[api.Approval]](s, "/approvals", c.key, append(c.query, "limit", "2", "cursor", cursor)...)
				for _, a := range page.Items {
					got = append(got, a.ID)
				}
				if page.Next == nil {
					break
				}
				cursor = *page.Next
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
	refused(t, "a state that there is not", s.ask(http.MethodGet, "/api/v1/approvals?state=maybe", approver, ""), 400, "invalid")
}

// What a call would send is shown to who decides, audits, or has asked, and only within the tenant.
func TestWhoSeesArguments(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	for _, c := range []struct {
		tenant string
		role   signalbox.Role
		sees   bool
	}{
		{"acme", signalbox.RoleApprover, true},
		{"acme", signalbox.RoleAdmin, true},
		{"acme", signalbox.RoleAuditor, true},
		{"acme", signalbox.RoleAgent, true}, // It has asked.
		{"acme", signalbox.RoleDeveloper, false},
		{"acme", signalbox.RoleOperator, false},
		{"globex", signalbox.RoleAdmin, false},
		{"globex", signalbox.RoleAuditor, false},
		{"globex", signalbox.RoleOperator, false},
	} {
		t.Run(c.tenant+" "+string(c.role), func(t *testing.T) {
			a := get[api.Approval](s, "/approvals/appr_1", secretOf(c.tenant, c.role))
			if (a.Arguments != nil) != c.sees || (a.Resources != nil) != c.sees || (a.ArgumentsSize != nil) != c.sees {
				t.Errorf("arguments %v, resources %v, size %v", a.Arguments, a.Resources, a.ArgumentsSize)
			}
			if c.sees && (*a.Arguments != `{"path":"/data/acme"}` || (*a.Resources)[0] != "/data/acme") {
				t.Errorf("arguments %s, resources %v", *a.Arguments, *a.Resources)
			}
			if *a.CostBound != "1" || a.Content != "" {
				t.Errorf("bound %s, content %q", *a.CostBound, a.Content)
			}
		})
	}
	s.people.approvals.state = signalbox.ContentErased
	a := get[api.Approval](s, "/approvals/appr_1", approver)
	if a.Arguments != nil || a.Resources != nil || a.UserID != nil || a.Content != signalbox.ContentErased {
		t.Errorf("of erased content it shows %+v", a)
	}
}

// Long arguments are left to the approval itself.
func TestLongArguments(t *testing.T) {
	s := open(t)
	long := `{"text":"` + strings.Repeat("x", api.MaxListedArguments) + `"}`
	s.people.approvals.add(signalbox.Approval{ID: "appr_1", Tenant: "acme", State: signalbox.ApprovalPending, Kind: signalbox.KindTool},
		signalbox.ApprovalContent{Arguments: long})
	row := get[api.Page[api.Approval]](s, "/approvals", approver).Items[0]
	if row.Arguments != nil || *row.ArgumentsSize != len(long) {
		t.Errorf("the list has %v of %d bytes", row.Arguments, *row.ArgumentsSize)
	}
	if one := get[api.Approval](s, "/approvals/appr_1", approver); *one.Arguments != long {
		t.Error("the approval itself does not have them")
	}
}

// Votes count up to what is required, with who, why and by what way; what is decided says so to all others.
func TestVotes(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 2)
	a := decode[api.Approval](t, s.post("/approvals/appr_1/approve", approver, `{"reason":" looked at it "}`), 200)
	if a.State != signalbox.ApprovalPending || len(a.Votes) != 1 || a.Votes[0].Reason != "looked at it" || a.Votes[0].Via != "api" {
		t.Errorf("after one vote: %+v", a)
	}
	cookie := logIn(t, s, admin)
	a = decode[api.Approval](t, s.post("/approvals/appr_1/approve", "", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin"), 200)
	if a.State != signalbox.ApprovalApproved || a.Votes[1].Via != "console" || a.UseBy == nil || a.Decided == nil {
		t.Errorf("after two votes: %+v", a)
	}
	f := refused(t, "a third vote", s.post("/approvals/appr_1/deny", approver, `{"reason":"late"}`), 409, "conflict")
	for _, part := range []string{"approved", "acme-approver and acme-admin", a.Decided.Format(time.RFC3339)} {
		if !strings.Contains(f.Error.Message, part) {
			t.Errorf("it does not say %q: %s", part, f.Error.Message)
		}
	}
	asks(s, "appr_2", "acme", 1)
	decode[api.Approval](t, s.post("/approvals/appr_2/deny", approver, `{"reason":"no"}`, api.ViaHeader, "cli"), 200)
	if last := s.people.approvals.last; last.via != "cli" || last.by.Tenant != "acme" || last.by.Role != signalbox.RoleApprover {
		t.Errorf("the vote was %+v", last)
	}
}

// Who is slower learns who was faster.
func TestVotesAtOnce(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	x := s.people.approvals
	x.race = func() {
		x.race = nil
		if _, err := x.Vote(context.Background(), api.Voter{By: "faster", Tenant: "acme"}, "appr_1", signalbox.VerdictDeny, "no", "api"); err != nil {
			t.Error(err)
		}
	}
	f := refused(t, "the slower", s.post("/approvals/appr_1/approve", approver, ""), 409, "conflict")
	if !strings.Contains(f.Error.Message, "denied, by faster") {
		t.Errorf("it says %s", f.Error.Message)
	}
}

// Bad votes are refused, and nothing is decided.
func TestVotesRefused(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	asks(s, "appr_foreign", "globex", 1)
	secret := "sb_" + strings.Repeat("a1B2", 11)
	for _, c := range []struct {
		name, path, key, body string
		status                int
		code                  signalbox.Code
		says                  string
	}{
		{"a denial without a reason", "appr_1/deny", approver, "", 400, "invalid", "reason"},
		{"a denial with an empty reason", "appr_1/deny", approver, `{"reason":"  "}`, 400, "invalid", "reason"},
		{"a long reason", "appr_1/deny", approver, `{"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "invalid", "reason"},
		{"a secret as a reason", "appr_1/approve", approver, `{"reason":"` + secret + `"}`, 400, "invalid", "secret"},
		{"an unknown field", "appr_1/approve", approver, `{"why":"x"}`, 400, "invalid", "why"},
		{"an unknown approval", "appr_2/approve", approver, "", 404, "not_found", "no such approval"},
		{"another tenant's", "appr_foreign/approve", approver, "", 404, "not_found", "no such approval"},
		{"another tenant's, by an admin who sees it", "appr_foreign/approve", admin, "", 403, "forbidden", "globex"},
		{"another tenant's, withdrawn by an admin", "appr_foreign/withdraw", admin, "", 403, "forbidden", "globex"},
		{"the wrong role", "appr_1/approve", operator, "", 403, "forbidden", "needs the role approver"},
		{"a role that never decides", "appr_1/approve", auditor, "", 403, "forbidden", "auditor"},
		{"the requester", "appr_1/approve", agent, "", 403, "forbidden", "agent"},
		{"withdrawn by somebody else", "appr_1/withdraw", approver, "", 403, "forbidden", "withdraw"},
		{"an edit without arguments", "appr_1/edit", approver, `{"reason":"x"}`, 400, "invalid", "arguments"},
		{"an edit without a reason", "appr_1/edit", approver, `{"arguments":{}}`, 400, "invalid", "reason"},
		{"an edit by the wrong role", "appr_1/edit", operator, `{"arguments":{},"reason":"x"}`, 403, "forbidden", "needs the role approver"},
		{"an edit of another tenant's", "appr_foreign/edit", approver, `{"arguments":{},"reason":"x"}`, 404, "not_found", "no such approval"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.post("/approvals/"+c.path, c.key, c.body)
			if f := refused(t, c.path, a, c.status, c.code); !strings.Contains(f.Error.Message+f.Error.Remedy, c.says) {
				t.Errorf("it does not say %q: %s", c.says, a.body)
			}
			if strings.Contains(string(a.body), secret) {
				t.Error("the answer repeats the secret")
			}
		})
	}
	if n := s.people.changed["acme"] + s.people.changed["globex"]; n != 0 {
		t.Errorf("%d things were changed", n)
	}
}

// An approval can ask for another role than that of approvers, who then do not decide.
func TestVotesByAnotherRole(t *testing.T) {
	s := open(t)
	s.people.approvals.add(signalbox.Approval{
		ID: "appr_1", Tenant: "acme", State: signalbox.ApprovalPending, Key: "acme-agent",
		Require: signalbox.Requirement{Approvers: 1, Role: signalbox.RoleOperator},
	}, signalbox.ApprovalContent{Arguments: "{}"})
	f := refused(t, "an approver", s.post("/approvals/appr_1/approve", approver, ""), 403, "forbidden")
	if !strings.Contains(f.Error.Message, "needs the role operator") {
		t.Errorf("it says %s", f.Error.Message)
	}
	if a := get[api.Approval](s, "/approvals/appr_1", operator); a.Arguments == nil {
		t.Error("who decides does not see the arguments")
	}
	decode[api.Approval](t, s.post("/approvals/appr_1/approve", operator, ""), 200)
}

// Several approvals are denied by one request, each with its own result; there is no such thing for approving.
func TestDenyMany(t *testing.T) {
	s := open(t)
	for i := range 3 {
		asks(s, fmt.Sprintf("appr_%d", i), "acme", 1)
	}
	asks(s, "appr_foreign", "globex", 1)
	decode[api.Approval](t, s.post("/approvals/appr_1/approve", approver, ""), 200)
	done := decode[api.Denied](t, s.post("/approvals/deny", approver,
		`{"ids":["appr_0","appr_1","appr_2","appr_foreign","appr_none"],"reason":"too much"}`), 200)
	var got []string
	for _, one := range done.Items {
		text := one.ID + " ok"
		if one.Error != nil {
			text = one.ID + " " + string(one.Error.Code)
		}
		if one.OK == (one.Error != nil) {
			t.Errorf("%+v", one)
		}
		got = append(got, text)
	}
	want := []string{"appr_0 ok", "appr_1 conflict", "appr_2 ok", "appr_foreign not_found", "appr_none not_found"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	many := `"appr_0"`
	for i := range api.MaxDenials {
		many += fmt.Sprintf(`,"appr_%d"`, i+10)
	}
	for name, body := range map[string]string{
		"none": `{"ids":[],"reason":"x"}`, "too many": `{"ids":[` + many + `],"reason":"x"}`, "no reason": `{"ids":["appr_0"]}`,
		"twice": `{"ids":["appr_0","appr_0"],"reason":"x"}`, "blank": `{"ids":["appr_0"],"reason":" "}`,
	} {
		refused(t, name, s.post("/approvals/deny", approver, body), 400, "invalid")
	}
	if a := s.post("/approvals/approve", approver, `{"ids":["appr_0"]}`); a.status != 404 && a.status != 405 {
		t.Errorf("approving several answers %d", a.status)
	}
}

// Who has asked takes it back, or an admin does.
func TestWithdraw(t *testing.T) {
	s := open(t)
	for i, key := range []string{agent, admin} {
		id := fmt.Sprintf("appr_%d", i)
		asks(s, id, "acme", 1)
		if a := decode[api.Approval](t, s.post("/approvals/"+id+"/withdraw", key, `{"reason":"not needed"}`), 200); a.State != signalbox.ApprovalWithdrawn {
			t.Errorf("it is %s", a.State)
		}
		f := refused(t, "again", s.post("/approvals/"+id+"/withdraw", key, ""), 409, "conflict")
		if !strings.Contains(f.Error.Message, "withdrawn") {
			t.Errorf("it says %s", f.Error.Message)
		}
	}
}

// A long poll answers when it is decided, when its time is over, or when the server stops.
func TestWaitForApproval(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	for _, wait := range []string{"61s", "-1s", "45", "soon", "1h"} {
		refused(t, wait, s.ask(http.MethodGet, "/api/v1/approvals/appr_1?wait="+wait, agent, ""), 400, "invalid")
	}
	if a := get[api.Approval](s, "/approvals/appr_1", agent, "wait", "10ms"); a.State != signalbox.ApprovalPending {
		t.Errorf("after its time it is %s", a.State)
	}
	result := make(chan answer)
	wait := func() { result <- s.ask(http.MethodGet, "/api/v1/approvals/appr_1?wait=60s", agent, "") }
	go wait()
	waitFor(t, s, 1)
	decode[api.Approval](t, s.post("/approvals/appr_1/approve", approver, ""), 200)
	if a := decode[api.Approval](t, <-result, 200); a.State != signalbox.ApprovalApproved {
		t.Errorf("it is %s", a.State)
	}
	asks(s, "appr_1b", "acme", 1)
	go func() { result <- s.ask(http.MethodGet, "/api/v1/approvals/appr_1b?wait=60s", agent, "") }()
	waitFor(t, s, 1)
	close(s.people.stopping)
	if a := decode[api.Approval](t, <-result, 200); a.State != signalbox.ApprovalPending {
		t.Errorf("when the server stops it is %s", a.State)
	}
}

// waitFor waits until so many requests wait for changes.
func waitFor(t *testing.T, s *site, n int) {
	t.Helper()
	for range 2000 {
		s.people.mu.Lock()
		got := len(s.people.approvals.watchers)
		s.people.mu.Unlock()
		if got == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("there are not %d requests that wait", n)
}

// A key can not hold all that can wait.
func TestWaitIsBounded(t *testing.T) {
	s := open(t)
	asks(s, "appr_1", "acme", 1)
	done := make(chan answer, api.MaxWatchersPerKey)
	for range api.MaxWatchersPerKey {
		go func() { done <- s.ask(http.MethodGet, "/api/v1/approvals/appr_1?wait=60s", agent, "") }()
	}
	waitFor(t, s, api.MaxWatchersPerKey)
	refused(t, "one more", s.ask(http.MethodGet, "/api/v1/approvals/appr_1?wait=60s", agent, ""), 429, "rate_limited")
	refused(t, "a stream more", s.ask(http.MethodGet, "/api/v1/approvals/events", agent, ""), 429, "rate_limited")
	if a := get[api.Approval](s, "/approvals/appr_1", developer, "wait", "1ms"); a.State != signalbox.ApprovalPending {
		t.Errorf("another key gets %s", a.State)
	}
	decode[api.Approval](t, s.post("/approvals/appr_1/approve", approver, ""), 200)
	for range api.MaxWatchersPerKey {
		decode[api.Approval](t, <-done, 200)
	}
	waitFor(t, s, 0)
}

// An error that names an approval says where to wait.
func TestErrorNamesApproval(t *testing.T) {
	e := api.NewAnswerError(&signalbox.Error{Code: signalbox.CodeApprovalRequired, Message: "Wait.", Approval: "appr_1"}, "req_1")
	b, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(b), `"approval":{"id":"appr_1","url":"/api/v1/approvals/appr_1"}`) {
		t.Errorf("%v %s", err, b)
	}
	if e.GetStatus() != http.StatusConflict || e.GetHeaders().Get("X-Should-Retry") != "false" {
		t.Errorf("%d %v", e.GetStatus(), e.GetHeaders())
	}
	if b, err = json.Marshal(api.NewAnswerError(signalbox.Errorf(signalbox.CodeInvalid, "x"), "")); err != nil || strings.Contains(string(b), "approval") {
		t.Errorf("%v %s", err, b)
	}
}
