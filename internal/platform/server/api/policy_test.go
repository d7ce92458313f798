package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// The policy is shown as it is written; what does not apply is null, and lists never are.
func TestPolicyView(t *testing.T) {
	s := open(t)
	perMinute := int64(0)
	s.people.policy = api.PolicyInForce{
		Version: "sha256:1", Since: start, Forbids: 2,
		Agents: []api.AgentInForce{
			{ID: "reader", Role: "research", Declared: true, Permissions: &signalbox.Permissions{
				Tools: []signalbox.ToolPermission{{
					Name: "files.*", Operations: []signalbox.Operation{"read"}, Resources: []string{"/data/**"}, MaxPerMinute: 30, Source: "a:1",
				}},
				Network: signalbox.NetworkPermission{Allow: []string{"x"}, MaxPerMinute: &perMinute}, MaxTokens: 7, Models: []string{},
			}},
			{ID: "stranger"},
		},
		Tools: []api.ToolInForce{{ID: "files.read", Server: "files", Mapping: &signalbox.ToolMapping{
			Operation: "read", Resources: []signalbox.ResourceArgument{{Argument: "path", Kind: "path"}}, Source: "b:2",
		}}, {ID: "files.x", Server: "files"}},
		Risk:  []signalbox.RiskRule{{When: "true", Level: "high", Source: "c:3"}},
		Tiers: map[signalbox.Risk]signalbox.Requirement{"high": {Approvers: 2, Role: "approver"}},
		Rules: []signalbox.ApprovalRule{{Agent: "*", Tool: "files.*", Require: signalbox.Requirement{Approvers: 1, Role: "admin"}, Source: "d:4"}},
	}
	p := get[api.PolicyView](s, "/policy", developer)
	reader, stranger := p.Agents[0], p.Agents[1]
	if *reader.Tools[0].MaxPerMinute != 30 || *reader.MaxTokens != 7 || reader.Models == nil || *reader.Network.MaxPerMinute != 0 || reader.Data != nil {
		t.Errorf("reader %+v", reader)
	}
	if stranger.Declared || stranger.Models != nil || stranger.Tools == nil || stranger.Role != nil {
		t.Errorf("stranger %+v", stranger)
	}
	if *p.Tools[0].Operation != "read" || p.Tools[0].Resources[0].Operation != nil || p.Tools[1].Operation != nil || p.Tools[1].Source != nil {
		t.Errorf("tools %+v", p.Tools)
	}
	if p.Tiers.High.Approvers != 2 || p.Tiers.Low.Role != nil || *p.Rules[0].Role != "admin" || p.Forbids != 2 || p.Risk[0].Source != "c:3" {
		t.Errorf("%+v", p)
	}
	raw := string(s.ask(http.MethodGet, "/api/v1/policy", developer, "").body)
	for _, part := range []string{`"models":null`, `"models":[]`, `"warnings":[]`, `"data":null`} {
		if !strings.Contains(raw, part) {
			t.Errorf("it has no %s: %s", part, raw)
		}
	}
}

// A question is asked for one's own tenant unless it names another; arguments reach the policy as they are written.
func TestExplain(t *testing.T) {
	s := open(t)
	body := `{"agent":"a","tool":"files.read","arguments":{"path":"/x","n":1e2},"purpose":"p","step_kind":"k"}`
	a := decode[api.PolicyAnswer](t, s.post("/policy/explain", developer, body), 200)
	if q := s.people.asked; q.Tenant != "acme" || string(q.Arguments) != `{"path":"/x","n":1e2}` || q.Purpose != "p" || q.StepKind != "k" {
		t.Errorf("asked %+v", q)
	}
	if a.Message != "about acme" || a.WouldChange == nil || a.Accesses == nil {
		t.Errorf("%+v", a)
	}
	decode[api.PolicyAnswer](t, s.post("/policy/explain", operator, `{"tenant":"globex","model":"small"}`), 200)
	if q := s.people.asked; q.Tenant != "globex" || q.Arguments != nil {
		t.Errorf("asked %+v", q)
	}
	for _, c := range []struct {
		name, key, body string
		status          int
		code            signalbox.Code
		field           string
	}{
		{"a foreign tenant", developer, `{"tenant":"globex","tool":"a.b"}`, 403, "forbidden", "tenant"},
		{"no such tenant", admin, `{"tenant":"nobody","tool":"a.b"}`, 404, "not_found", "tenant"},
		{"nothing", developer, `{}`, 400, "invalid", "tool"},
		{"a tool and a model", developer, `{"tool":"a.b","model":"m"}`, 400, "invalid", "tool"},
		{"arguments as text", developer, `{"tool":"a.b","arguments":"{}"}`, 400, "invalid", "body.arguments"},
		{"arguments as a list", developer, `{"tool":"a.b","arguments":[]}`, 400, "invalid", "body.arguments"},
		{"a name twice", developer, `{"tool":"a.b","arguments":{"x":1,"x":2}}`, 400, "invalid", "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := refused(t, c.name, s.post("/policy/explain", c.key, c.body), c.status, c.code)
			if f.Error.Field == nil || *f.Error.Field != c.field {
				t.Errorf("the field is %v", f.Error.Field)
			}
		})
	}
}

// Versions are listed and read.
func TestPolicyVersions(t *testing.T) {
	s := open(t)
	s.people.versions = []signalbox.PolicyVersion{{Version: "sha256:2", Time: start, Text: "b"}, {Version: "sha256:1", Time: start.Add(-time.Hour), Text: "a"}}
	if list := get[api.Page[api.PolicyVersionRow]](s, "/policy/versions", auditor).Items; len(list) != 2 || list[0].Version != "sha256:2" {
		t.Errorf("%+v", list)
	}
	if v := get[api.PolicyVersionText](s, "/policy/versions/sha256:1", auditor); v.Text != "a" || !v.Time.Equal(start.Add(-time.Hour)) {
		t.Errorf("%+v", v)
	}
	refused(t, "none", s.ask(http.MethodGet, "/api/v1/policy/versions/sha256:3", auditor, ""), 404, "not_found")
}

// A grant is given, ended and reviewed, each once, and the review is somebody else's.
func TestBreakGlass(t *testing.T) {
	s := open(t)
	body := `{"agent":"planner","tool":"files.*","reason":"fire","minutes":30}`
	g := decode[api.Grant](t, s.post("/break-glass", operator, body), 201)
	if !g.Active || g.Tenant != "acme" || g.By != "acme-operator" || g.Until.Sub(g.From) != 30*time.Minute {
		t.Errorf("%+v", g)
	}
	path := "/break-glass/" + g.ID
	refused(t, "by who gave it", s.post(path+"/review", operator, `{"review":"fine"}`), 403, "forbidden")
	refused(t, "no review", s.post(path+"/review", admin, `{"review":" "}`), 400, "invalid")
	if g = decode[api.Grant](t, s.post(path+"/end", admin, ""), 200); g.Active || *g.EndedBy != "acme-admin" {
		t.Errorf("%+v", g)
	}
	refused(t, "ended twice", s.post(path+"/end", admin, ""), 409, "conflict")
	if g = decode[api.Grant](t, s.post(path+"/review", approver, `{"review":"fine"}`), 200); *g.Reviewer != "acme-approver" || *g.Review != "fine" {
		t.Errorf("%+v", g)
	}
	f := refused(t, "reviewed twice", s.post(path+"/review", admin, `{"review":"fine"}`), 409, "conflict")
	if !strings.Contains(f.Error.Message, "acme-approver") {
		t.Errorf("it says %s", f.Error.Message)
	}
	f = refused(t, "by a role that may not", s.post("/break-glass", approver, body), 403, "forbidden")
	if !strings.Contains(f.Error.Remedy, "operator, admin") {
		t.Errorf("it says %s", f.Error.Remedy)
	}
	for name, body := range map[string]string{
		"no reason": `{"agent":"a","tool":"*","reason":" "}`, "no agent": `{"tool":"*","reason":"x"}`, "negative": `{"agent":"a","tool":"*","reason":"x","minutes":-1}`,
		"too long": `{"agent":"a","tool":"*","reason":"x","minutes":10081}`, "secret": `{"agent":"a","tool":"*","reason":"sb_` + strings.Repeat("a1B2", 11) + `"}`,
	} {
		refused(t, name, s.post("/break-glass", operator, body), 400, "invalid")
	}
	refused(t, "no such tenant", s.post("/break-glass", operator, `{"tenant":"nobody","agent":"a","tool":"*","reason":"x"}`), 404, "not_found")
	if list := get[api.Page[api.Grant]](s, "/break-glass", developer).Items; len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

// Who gave a grant is known by his key and by his user.
func TestReviewByTheSameUser(t *testing.T) {
	for _, c := range []struct {
		by   string
		same bool
	}{
		{"acme-approver", true},
		{"acme-approver alice", true},
		{"acme-approver-2", false},
		{"acme-operator alice", false}, // The key of the test has no user.
	} {
		t.Run(c.by, func(t *testing.T) {
			s := open(t)
			s.people.grants = []signalbox.Grant{{ID: "grant_1", Tenant: "acme", By: c.by, From: start, Until: start}}
			if a := s.post("/break-glass/grant_1/review", approver, `{"review":"fine"}`); (a.status == http.StatusForbidden) != c.same {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
	if got := api.Actor(signalbox.Caller{Key: "k", User: "u"}); got != "k u" {
		t.Errorf("the actor is %q", got)
	}
}

// An incident is opened about a call or a run of one's own, and closed once.
func TestIncidents(t *testing.T) {
	s := open(t)
	s.write(sample{n: 0, tenant: "acme", run: "run_1", trace: hex32(0), agent: "planner", tool: "files.write", outcome: "ok"}.records()...)
	i := decode[api.Incident](t, s.post("/incidents", developer, `{"call_id":"`+sample{}.id()+`","severity":"high","text":" it wrote too much "}`), 201)
	if i.Tenant != "acme" || *i.ToolName != "files.write" || *i.AgentID != "planner" || *i.RunID != "run_1" || i.Text != "it wrote too much" || i.OpenedBy != "acme-developer" {
		t.Errorf("%+v", i)
	}
	r := decode[api.Incident](t, s.post("/incidents", approver, `{"run_id":"run_1","severity":"low","text":"slow"}`), 201)
	if r.CallID != nil || *r.RunID != "run_1" {
		t.Errorf("%+v", r)
	}
	i = decode[api.Incident](t, s.post("/incidents/"+i.ID+"/close", operator, `{"resolution":"restored"}`), 200)
	if i.Closed == nil || *i.ClosedBy != "acme-operator" || *i.Resolution != "restored" {
		t.Errorf("%+v", i)
	}
	f := refused(t, "closed twice", s.post("/incidents/"+i.ID+"/close", admin, `{"resolution":"x"}`), 409, "conflict")
	if !strings.Contains(f.Error.Message, "acme-operator") {
		t.Errorf("it says %s", f.Error.Message)
	}
	for state, want := range map[string]string{"open": r.ID, "closed": i.ID} {
		if list := get[api.Page[api.Incident]](s, "/incidents", auditor, "state", state).Items; len(list) != 1 || list[0].ID != want {
			t.Errorf("%s: %+v", state, list)
		}
	}
	for name, c := range map[string]struct {
		body string
		code signalbox.Code
	}{
		"about nothing":      {`{"severity":"low","text":"x"}`, "invalid"},
		"about two things":   {`{"call_id":"a","run_id":"b","severity":"low","text":"x"}`, "invalid"},
		"no such severity":   {`{"run_id":"run_1","severity":"mild","text":"x"}`, "invalid"},
		"no text":            {`{"run_id":"run_1","severity":"low","text":" "}`, "invalid"},
		"a call of nobody's": {`{"call_id":"call_x","severity":"low","text":"x"}`, "not_found"},
		"a run of nobody's":  {`{"run_id":"run_x","severity":"low","text":"x"}`, "not_found"},
	} {
		refused(t, name, s.post("/incidents", developer, c.body), c.code.Status(), c.code)
	}
}
