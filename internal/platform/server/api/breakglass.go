package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// BreakGlass keeps the grants that go beyond permissions for a while. Errors are of code not_found, invalid (longer than
// is allowed), conflict (ended or reviewed already) or unavailable. Safe for concurrent use.
type BreakGlass interface {
	Roles() []signalbox.Role                                                                // That may give grants, by the configuration in force.
	List(ctx context.Context, tenants []string, limit int) ([]signalbox.Grant, error)       // Newest first; nil is all tenants.
	Get(ctx context.Context, id string) (signalbox.Grant, error)                            // Of any tenant.
	Give(ctx context.Context, by signalbox.Caller, g GrantRequest) (signalbox.Grant, error) // The grant's By is [Actor] of by.
	End(ctx context.Context, by signalbox.Caller, id string) (signalbox.Grant, error)
	Review(ctx context.Context, by signalbox.Caller, id, review string) (signalbox.Grant, error)
}

// GrantRequest is a grant to be given.
type GrantRequest struct {
	Tenant  string `json:"tenant,omitempty" maxLength:"128" doc:"The caller's own unless given."`
	Agent   string `json:"agent" minLength:"1" maxLength:"128" doc:"Who may."`
	Tool    string `json:"tool" minLength:"1" maxLength:"256" doc:"Glob over ids of tools."`
	Reason  string `json:"reason" minLength:"1" maxLength:"500"`
	Minutes int64  `json:"minutes,omitempty" minimum:"0" maximum:"10080" doc:"How long; 0 takes the configured time."`
}

// Grant is a break-glass grant.
type Grant struct {
	ID       string     `json:"id"`
	Tenant   string     `json:"tenant"`
	AgentID  string     `json:"agent_id"`
	Tool     string     `json:"tool" doc:"Glob over ids of tools."`
	Reason   string     `json:"reason"`
	By       string     `json:"by"`
	From     time.Time  `json:"from"`
	Until    time.Time  `json:"until"`
	Ended    *time.Time `json:"ended" doc:"Null unless it was ended before its time."`
	EndedBy  *string    `json:"ended_by"`
	Reviewed *time.Time `json:"reviewed"`
	Reviewer *string    `json:"reviewer"`
	Review   *string    `json:"review"`
	Overdue  bool       `json:"overdue" doc:"Nobody has reviewed it in time."`
	Active   bool       `json:"active"`
}

// ReviewRequest is what somebody found who has looked at what was done under a grant.
type ReviewRequest struct {
	Review string `json:"review" minLength:"1" maxLength:"2000"`
}

// GrantQuery are the filters of the list of grants.
type GrantQuery struct {
	Tenant string `query:"tenant" maxLength:"128"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// OneGrant names a grant.
type OneGrant struct {
	ID string `path:"id" maxLength:"128"`
}

// Actor names who does something, for grants and incidents: the key, and the user where it has one.
func Actor(by signalbox.Caller) string { return strings.TrimSpace(by.Key + " " + by.User) }

// sameActor reports whether a caller is who did something, by the key or by the user.
func sameActor(by string, c signalbox.Caller) bool {
	return by == c.Key || strings.HasPrefix(by, c.Key+" ") || c.User != "" && strings.HasSuffix(by, " "+c.User)
}

func (s *server) registerBreakGlass(api huma.API) {
	readers := []signalbox.Role{
		signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleAuditor, signalbox.RoleOperator, signalbox.RoleAdmin,
	}
	huma.Register(api, operation("list-grants", http.MethodGet, "/break-glass", "Break-glass grants, newest first", readers...), s.listGrants)
	give := operation("give-grant", http.MethodPost, "/break-glass",
		"Let an agent do for a while what its permissions do not cover; for the roles of the configuration")
	give.DefaultStatus = http.StatusCreated
	huma.Register(api, give, s.giveGrant)
	huma.Register(api, operation("end-grant", http.MethodPost, "/break-glass/{id}/end",
		"End a break-glass grant before its time; for the roles of the configuration"), s.endGrant)
	huma.Register(api, operation("review-grant", http.MethodPost, "/break-glass/{id}/review",
		"Say what was done under a break-glass grant; not by who gave it",
		signalbox.RoleApprover, signalbox.RoleOperator, signalbox.RoleAdmin), s.reviewGrant)
}

func (s *server) grantRow(g *signalbox.Grant) Grant {
	return Grant{
		ID: g.ID, Tenant: g.Tenant, AgentID: g.Agent, Tool: g.Tool, Reason: g.Reason, By: g.By, From: g.From, Until: g.Until,
		Ended: timeOrNull(g.Ended), EndedBy: OrNull(g.EndedBy), Reviewed: timeOrNull(g.Reviewed), Reviewer: OrNull(g.Reviewer),
		Review: OrNull(g.Review), Overdue: !g.Overdue.IsZero() && g.Reviewed.IsZero(), Active: g.Holds(s.Now()),
	}
}

func (s *server) listGrants(ctx context.Context, q *GrantQuery) (*Body[Page[Grant]], error) {
	c := callerOf(ctx)
	page := Page[Grant]{Items: []Grant{}, AsOf: s.Now().UTC()}
	tenants := c.narrow(q.Tenant)
	if tenants != nil && len(tenants) == 0 {
		return &Body[Page[Grant]]{page}, nil
	}
	list, err := s.BreakGlass.List(ctx, tenants, q.Limit)
	if err != nil {
		return nil, fail(c, err)
	}
	for i := range list {
		page.Items = append(page.Items, s.grantRow(&list[i]))
	}
	return &Body[Page[Grant]]{page}, nil
}

// mayGrant refuses roles that the configuration does not let give grants.
func (s *server) mayGrant(c ctxWithCaller) error {
	roles := s.BreakGlass.Roles()
	if slices.Contains(roles, c.Key.Role) {
		return nil
	}
	e := signalbox.Errorf(signalbox.CodeForbidden, "the role %s may not do this", c.Key.Role)
	if len(roles) == 0 {
		return e.WithRemedy("Name roles in break_glass.roles of the configuration: none may.")
	}
	return e.WithRemedy("Use a key with one of the roles: " + join(roles) + "; break_glass.roles names them.")
}

func (s *server) giveGrant(ctx context.Context, in *Body[GrantRequest]) (*Body[Grant], error) {
	c, r := callerOf(ctx), in.Body
	err := s.mayGrant(c)
	if err == nil {
		r.Reason, err = readReason("reason", r.Reason, true)
	}
	if err == nil {
		err = noSecrets(named{"tenant", r.Tenant}, named{"agent", r.Agent}, named{"tool", r.Tool})
	}
	if r.Tenant = orElse(r.Tenant, c.Key.Tenant); err == nil && (!c.maySee(r.Tenant) || !slices.Contains(s.Tenants(), r.Tenant)) {
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such tenant.").WithField("tenant").
			WithRemedy("Leave it out: it is your own then.")
	}
	if err != nil {
		return nil, fail(c, err)
	}
	g, err := s.BreakGlass.Give(ctx, c.caller(), r)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Grant]{s.grantRow(&g)}, nil
}

// findGrant gives a grant that the caller may see.
func (s *server) findGrant(ctx context.Context, c ctxWithCaller, id string) (signalbox.Grant, error) {
	g, err := s.BreakGlass.Get(ctx, id)
	if err == nil && !c.maySee(g.Tenant) || signalbox.CodeOf(err) == signalbox.CodeNotFound {
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such grant.").WithField("id").
			WithRemedy("Look for it in the list of grants.")
	}
	return g, err
}

func (s *server) endGrant(ctx context.Context, in *OneGrant) (*Body[Grant], error) {
	c := callerOf(ctx)
	var g signalbox.Grant
	err := s.mayGrant(c)
	if err == nil {
		g, err = s.findGrant(ctx, c, in.ID)
	}
	if err == nil && !g.Holds(s.Now()) {
		over := g.Until
		if !g.Ended.IsZero() {
			over = g.Ended
		}
		err = signalbox.Errorf(signalbox.CodeConflict, "The grant is over since %s.", over.UTC().Format(time.RFC3339)).
			WithField("id").WithRemedy("There is nothing to end.")
	}
	if err == nil {
		g, err = s.BreakGlass.End(ctx, c.caller(), in.ID)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Grant]{s.grantRow(&g)}, nil
}

func (s *server) reviewGrant(ctx context.Context, in *struct {
	OneGrant
	Body ReviewRequest
},
) (*Body[Grant], error) {
	c := callerOf(ctx)
	g, err := s.findGrant(ctx, c, in.ID)
	review := ""
	switch {
	case err != nil:
	case sameActor(g.By, c.caller()):
		err = signalbox.Errorf(signalbox.CodeForbidden, "Who gave the grant can not review it.").WithField("id").
			WithRemedy("Have somebody else look at what was done under it.")
	case !g.Reviewed.IsZero():
		err = signalbox.Errorf(signalbox.CodeConflict, "The grant was reviewed by %s at %s.", g.Reviewer, g.Reviewed.UTC().Format(time.RFC3339)).
			WithField("id").WithRemedy("One review is enough; open an incident for what it has missed.")
	default:
		review, err = readReason("review", in.Body.Review, true)
	}
	if err == nil {
		g, err = s.BreakGlass.Review(ctx, c.caller(), in.ID, review)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Grant]{s.grantRow(&g)}, nil
}
