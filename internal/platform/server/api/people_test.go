package api_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// people keeps in memory what the API shows of approvals, policy, grants, incidents and sessions, for the tests of it.
type people struct {
	approvals *approvals
	stopping  chan struct{}
	now       func() time.Time

	mu        sync.Mutex
	frozen    bool           // Changes are counted, and not kept.
	changed   map[string]int // Changes by tenant.
	grants    []signalbox.Grant
	incidents []signalbox.Incident
	sessions  []api.OpenSession
	versions  []signalbox.PolicyVersion
	asked     api.PolicyQuestion // The last question.
	policy    api.PolicyInForce
}

func newPeople(now func() time.Time) *people {
	p := &people{stopping: make(chan struct{}), now: now, changed: map[string]int{}}
	p.approvals = &approvals{people: p, content: map[string]signalbox.ApprovalContent{}, watchers: map[chan struct{}]bool{}}
	return p
}

func (p *people) freeze() { p.frozen = true }

func (p *people) change(tenant string) { p.changed[tenant]++ }

func errNone() error { return signalbox.Errorf(signalbox.CodeNotFound, "There is none.") }

// approvals decide as the real ones do, as far as the API itself is concerned. The list is oldest first.
type approvals struct {
	people   *people
	list     []signalbox.Approval
	content  map[string]signalbox.ApprovalContent
	state    signalbox.ContentState
	watchers map[chan struct{}]bool
	race     func() // Called by Vote before it looks.
	last     struct {
		by          api.Voter
		reason, via string
	}
}

func (x *approvals) add(a signalbox.Approval, c signalbox.ApprovalContent) {
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	x.list, x.content[a.ID] = append(x.list, a), c
	x.tell()
}

func (x *approvals) tell() {
	for c := range x.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (x *approvals) List(_ context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error) {
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	end := len(x.list)
	if f.Cursor != "" {
		end, _ = strconv.Atoi(f.Cursor)
	}
	var found []signalbox.Approval
	for i := end - 1; i >= 0; i-- {
		a := x.list[i]
		if f.Tenants != nil && !slices.Contains(f.Tenants, a.Tenant) || f.States != nil && !slices.Contains(f.States, a.State) ||
			f.Agent != "" && f.Agent != a.Agent || f.Tool != "" && f.Tool != a.Tool || f.Run != "" && f.Run != a.Run {
			continue
		}
		if len(found) == f.Limit {
			return found, strconv.Itoa(i + 1), nil
		}
		found = append(found, a)
	}
	return found, "", nil
}

func (x *approvals) find(id string) int {
	return slices.IndexFunc(x.list, func(a signalbox.Approval) bool { return a.ID == id })
}

func (x *approvals) Get(_ context.Context, id string) (signalbox.Approval, error) {
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	if i := x.find(id); i >= 0 {
		return x.list[i], nil
	}
	return signalbox.Approval{}, errNone()
}

func (x *approvals) Wait(ctx context.Context, id string) (signalbox.Approval, error) {
	changed, cancel := x.Subscribe()
	defer cancel()
	for {
		a, err := x.Get(ctx, id)
		if err != nil || a.State != signalbox.ApprovalPending {
			return a, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
}

func (x *approvals) Subscribe() (<-chan struct{}, func()) {
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	c := make(chan struct{}, 1)
	x.watchers[c] = true
	return c, func() {
		x.people.mu.Lock()
		defer x.people.mu.Unlock()
		delete(x.watchers, c)
	}
}

func (x *approvals) Vote(_ context.Context, by api.Voter, id string, verdict signalbox.Verdict, reason, via string) (signalbox.Approval, error) {
	if x.race != nil {
		x.race()
	}
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	i := x.find(id)
	if i < 0 {
		return signalbox.Approval{}, errNone()
	}
	a := x.list[i]
	switch {
	case a.State != signalbox.ApprovalPending:
		return a, signalbox.Errorf(signalbox.CodeConflict, "too late")
	case by.Key == a.Key:
		return a, signalbox.Errorf(signalbox.CodeForbidden, "Who asks can not decide.").WithRemedy("Ask somebody else.")
	}
	x.last.by, x.last.reason, x.last.via = by, reason, via
	a.Votes = append(slices.Clone(a.Votes), signalbox.Vote{
		By: by.By, User: by.User, Role: by.Role, Verdict: verdict, Reason: reason, At: x.people.now(), Via: via,
	})
	switch {
	case verdict == signalbox.VerdictDeny:
		a.State, a.Decided = signalbox.ApprovalDenied, x.people.now()
	case len(a.Votes) >= a.Require.Approvers:
		a.State, a.Decided, a.UseBy = signalbox.ApprovalApproved, x.people.now(), x.people.now().Add(time.Minute)
	}
	return x.put(i, a), nil
}

func (x *approvals) put(i int, a signalbox.Approval) signalbox.Approval {
	if x.people.change(a.Tenant); !x.people.frozen {
		x.list[i] = a
		x.tell()
	}
	return a
}

func (x *approvals) Withdraw(_ context.Context, by api.Voter, id, reason string) (signalbox.Approval, error) {
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	i := x.find(id)
	a := x.list[i]
	x.last.by, x.last.reason = by, reason
	a.State, a.Decided = signalbox.ApprovalWithdrawn, x.people.now()
	return x.put(i, a), nil
}

func (x *approvals) Content(a signalbox.Approval) (signalbox.ApprovalContent, signalbox.ContentState) {
	x.people.mu.Lock()
	defer x.people.mu.Unlock()
	if x.state != signalbox.ContentOpen {
		return signalbox.ApprovalContent{}, x.state
	}
	return x.content[a.ID], signalbox.ContentOpen
}

// people are the policy too.

func (p *people) Current(context.Context) (api.PolicyInForce, error) { return p.policy, nil }

func (p *people) Explain(_ context.Context, q api.PolicyQuestion) (api.PolicyAnswer, error) {
	p.asked = q
	return api.PolicyAnswer{Message: "about " + q.Tenant, RiskLevel: signalbox.RiskLow}, nil
}

func (p *people) Versions(_ context.Context, limit int) ([]signalbox.PolicyVersion, error) {
	return p.versions[:min(limit, len(p.versions))], nil
}

func (p *people) Version(_ context.Context, version string) (signalbox.PolicyVersion, error) {
	for _, v := range p.versions {
		if v.Version == version {
			return v, nil
		}
	}
	return signalbox.PolicyVersion{}, errNone()
}

type grants struct{ *people }

func (x grants) Roles() []signalbox.Role {
	return []signalbox.Role{signalbox.RoleOperator, signalbox.RoleAdmin}
}

func (x grants) List(_ context.Context, tenants []string, limit int) ([]signalbox.Grant, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []signalbox.Grant
	for _, g := range slices.Backward(x.grants) {
		if (tenants == nil || slices.Contains(tenants, g.Tenant)) && len(found) < limit {
			found = append(found, g)
		}
	}
	return found, nil
}

func (x grants) at(id string) int {
	return slices.IndexFunc(x.grants, func(g signalbox.Grant) bool { return g.ID == id })
}

func (x grants) Get(_ context.Context, id string) (signalbox.Grant, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if i := x.at(id); i >= 0 {
		return x.grants[i], nil
	}
	return signalbox.Grant{}, errNone()
}

func (x grants) Give(_ context.Context, by signalbox.Caller, r api.GrantRequest) (signalbox.Grant, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := signalbox.Grant{
		ID: "grant_" + strconv.Itoa(len(x.grants)), Tenant: r.Tenant, Agent: r.Agent, Tool: r.Tool, Reason: r.Reason,
		By: api.Actor(by), From: x.now(), Until: x.now().Add(time.Duration(r.Minutes) * time.Minute),
	}
	if x.change(g.Tenant); !x.frozen {
		x.grants = append(x.grants, g)
	}
	return g, nil
}

func (x grants) edit(id string, change func(*signalbox.Grant)) (signalbox.Grant, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := x.at(id)
	g := x.grants[i]
	change(&g)
	if x.change(g.Tenant); !x.frozen {
		x.grants[i] = g
	}
	return g, nil
}

func (x grants) End(_ context.Context, by signalbox.Caller, id string) (signalbox.Grant, error) {
	return x.edit(id, func(g *signalbox.Grant) { g.Ended, g.EndedBy = x.now(), api.Actor(by) })
}

func (x grants) Review(_ context.Context, by signalbox.Caller, id, review string) (signalbox.Grant, error) {
	return x.edit(id, func(g *signalbox.Grant) { g.Reviewed, g.Reviewer, g.Review = x.now(), api.Actor(by), review })
}

type incidents struct{ *people }

func (x incidents) List(_ context.Context, tenants []string, open *bool, limit int, _ string) ([]signalbox.Incident, string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []signalbox.Incident
	for _, i := range slices.Backward(x.incidents) {
		if (tenants == nil || slices.Contains(tenants, i.Tenant)) && (open == nil || *open == i.Closed.IsZero()) && len(found) < limit {
			found = append(found, i)
		}
	}
	return found, "", nil
}

func (x incidents) at(id string) int {
	return slices.IndexFunc(x.incidents, func(i signalbox.Incident) bool { return i.ID == id })
}

func (x incidents) Get(_ context.Context, id string) (signalbox.Incident, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if i := x.at(id); i >= 0 {
		return x.incidents[i], nil
	}
	return signalbox.Incident{}, errNone()
}

func (x incidents) Open(_ context.Context, by signalbox.Caller, i signalbox.Incident) (signalbox.Incident, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i.ID, i.Opened, i.OpenedBy = "inc_"+strconv.Itoa(len(x.incidents)), x.now(), api.Actor(by)
	if x.change(i.Tenant); !x.frozen {
		x.incidents = append(x.incidents, i)
	}
	return i, nil
}

func (x incidents) Close(_ context.Context, by signalbox.Caller, id, resolution string) (signalbox.Incident, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.at(id)
	i := x.incidents[at]
	i.Closed, i.ClosedBy, i.Resolution = x.now(), api.Actor(by), resolution
	if x.change(i.Tenant); !x.frozen {
		x.incidents[at] = i
	}
	return i, nil
}

type openSessions struct{ *people }

func (x openSessions) List(context.Context) ([]api.OpenSession, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.sessions), nil
}

func (x openSessions) Revoke(_ context.Context, _ signalbox.Caller, id string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.sessions, func(o api.OpenSession) bool { return o.ID == id })
	if x.change(x.sessions[i].Holder.Tenant); !x.frozen {
		x.sessions = slices.Delete(x.sessions, i, i+1)
	}
	return nil
}
