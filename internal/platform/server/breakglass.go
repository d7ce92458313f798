package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Bounds of break-glass grants.
const (
	maxGrants      = 500         // That are read; older ones are over.
	reviewInterval = time.Minute // How often grants are looked for that nobody has reviewed.
)

// grants are the break-glass grants, as far as they can be in force.
type grants struct {
	now  func() time.Time
	list atomic.Pointer[[]signalbox.Grant]
}

// of gives those that are in force for an agent.
func (g *grants) of(tenant, agent string) []signalbox.Grant {
	list := g.list.Load()
	if list == nil || len(*list) == 0 {
		return nil
	}
	var out []signalbox.Grant
	now := g.now()
	for _, x := range *list {
		if x.Tenant == tenant && x.Agent == agent && x.Holds(now) {
			out = append(out, x)
		}
	}
	return out
}

// loadGrants learns of the grants that were given or ended.
func (s *Server) loadGrants(ctx context.Context) error {
	all, err := s.data.db.Grants(ctx, nil, maxGrants)
	if err != nil {
		return err
	}
	now := s.data.now()
	open := slices.DeleteFunc(all, func(g signalbox.Grant) bool { return !g.Ended.IsZero() || !now.Before(g.Until) })
	s.grants.list.Store(&open)
	return nil
}

// startGrants reads the grants.
func (s *Server) startGrants(ctx context.Context) error {
	s.grants = &grants{now: s.data.now}
	return s.loadGrants(ctx)
}

// breakGlass gives the control API the grants. One change is made at a time.
type breakGlass struct {
	*Server

	mu sync.Mutex
}

func (x *breakGlass) settings() config.BreakGlass { return x.runtimes.current().config.BreakGlass }

// Roles gives who may give grants.
func (x *breakGlass) Roles() []signalbox.Role { return x.settings().Roles }

// List gives grants, newest first.
func (x *breakGlass) List(ctx context.Context, tenants []string, limit int) ([]signalbox.Grant, error) {
	return x.data.db.Grants(ctx, tenants, limit)
}

// Get gives one.
func (x *breakGlass) Get(ctx context.Context, id string) (signalbox.Grant, error) {
	return x.data.db.Grant(ctx, id)
}

// Give makes a grant.
func (x *breakGlass) Give(ctx context.Context, by signalbox.Caller, r api.GrantRequest) (signalbox.Grant, error) {
	now, most := x.data.now().UTC().Truncate(time.Microsecond), x.settings().MaxDuration
	length := time.Duration(r.Minutes) * time.Minute
	if length == 0 {
		length = min(config.DefaultBreakGlass, most)
	}
	if length < 0 || length > most {
		return signalbox.Grant{}, signalbox.Errorf(signalbox.CodeInvalid, "A grant can last %d minutes at the most.", most/time.Minute).
			WithField("minutes").WithRemedy("Ask for less, and give another one if it does not suffice; the bound is break_glass.max_duration.")
	}
	if err := effective(r); err != nil {
		return signalbox.Grant{}, err
	}
	g := signalbox.Grant{
		ID: signalbox.NewID(signalbox.GrantPrefix, now), Tenant: r.Tenant, Agent: r.Agent, Tool: r.Tool, Reason: r.Reason,
		By: api.Actor(by), From: now, Until: now.Add(length),
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.put(ctx, by, signalbox.ActionBreakGlass, g, map[string]string{"minutes": strconv.Itoa(int(length / time.Minute))}); err != nil {
		return signalbox.Grant{}, err
	}
	x.tellGrant(g, signalbox.AlertCritical, fmt.Sprintf("Break-glass: agent %q may call %s until %s. Reason: %s", g.Agent, g.Tool, g.Until.Format(time.RFC3339), g.Reason))
	return g, nil
}

// effective refuses a grant that no call could ever use, and that looks as if many could: one to the agent "*", or of a
// tool by what is no pattern.
func effective(r api.GrantRequest) error {
	if !signalbox.ValidID(r.Agent) {
		return signalbox.Errorf(signalbox.CodeInvalid, "%q is not the id of an agent.", r.Agent).WithField("agent").
			WithRemedy("Name one agent; a grant to several is several grants.")
	}
	if err := policy.CheckToolGlob(r.Tool); err != nil {
		return signalbox.Errorf(signalbox.CodeInvalid, "The grant would cover no tool: %s.", err).WithField("tool").
			WithRemedy("Name a tool as server.tool, or a pattern over such names.")
	}
	if problem, remedy := config.CheckTool(r.Tool); problem != "" {
		return signalbox.Errorf(signalbox.CodeInvalid, "The grant would cover no tool: what it names %s.", problem).WithField("tool").WithRemedy(remedy)
	}
	return nil
}

// End ends a grant before its time.
func (x *breakGlass) End(ctx context.Context, by signalbox.Caller, id string) (signalbox.Grant, error) {
	return x.change(ctx, by, id, signalbox.ActionBreakGlassEnded, func(g *signalbox.Grant, now time.Time) error {
		if !g.Holds(now) {
			return over("The grant is over already.", "Look at `signalbox break-glass list`.")
		}
		g.Ended, g.EndedBy = now, api.Actor(by)
		return nil
	})
}

// Review says what somebody found who has looked at what was done.
func (x *breakGlass) Review(ctx context.Context, by signalbox.Caller, id, review string) (signalbox.Grant, error) {
	return x.change(ctx, by, id, signalbox.ActionBreakGlassReview, func(g *signalbox.Grant, now time.Time) error {
		switch {
		case g.Holds(now):
			return over("The grant is still in force.", "End it first, or review it when it is over.")
		case !g.Reviewed.IsZero():
			return over("The grant was reviewed already, by "+g.Reviewer+".", "Nothing is left to do.")
		}
		g.Reviewed, g.Reviewer, g.Review = now, api.Actor(by), review
		return nil
	})
}

func over(message, remedy string) error {
	return signalbox.Errorf(signalbox.CodeConflict, "%s", message).WithField("id").WithRemedy(remedy)
}

func (x *breakGlass) change(
	ctx context.Context, by signalbox.Caller, id, action string, change func(*signalbox.Grant, time.Time) error,
) (signalbox.Grant, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g, err := x.data.db.Grant(ctx, id)
	if err != nil {
		return signalbox.Grant{}, err
	}
	if err := change(&g, x.data.now().UTC().Truncate(time.Microsecond)); err != nil {
		return signalbox.Grant{}, err
	}
	return g, x.put(ctx, by, action, g, nil)
}

// put records an act upon a grant, which is in force from then on.
func (s *Server) putGrant(ctx context.Context, who signalbox.Who, action string, g signalbox.Grant, detail map[string]string) error {
	now := s.options.Now().UTC()
	all := map[string]string{"agent": g.Agent, "tool": g.Tool, "until": g.Until.Format(time.RFC3339), "reason": g.Reason}
	if g.Review != "" {
		all["review"] = g.Review
	}
	for name, value := range detail {
		all[name] = value
	}
	_, err := s.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now}, Who: who,
		What: signalbox.What{Action: action, ResourceID: g.ID, Detail: all}, Context: signalbox.Context{Replica: s.data.replica, BreakGlass: g.ID},
	}, signalbox.PutGrant{Grant: g})
	if err != nil {
		return err
	}
	return s.loadGrants(ctx)
}

func (x *breakGlass) put(ctx context.Context, by signalbox.Caller, action string, g signalbox.Grant, detail map[string]string) error {
	return x.putGrant(ctx, by.Who(g.Tenant), action, g, detail)
}

// reviewGrants tells of grants that nobody has reviewed in time.
func (s *Server) reviewGrants(ctx context.Context) {
	within := s.runtimes.current().config.BreakGlass.ReviewWithin
	list, err := s.data.db.Grants(ctx, nil, maxGrants)
	now := s.data.now().UTC().Truncate(time.Microsecond)
	for i := range list {
		if g := &list[i]; err == nil && unreviewed(g, now.Add(-within)) {
			g.Overdue = now
			if err = s.putGrant(ctx, signalbox.Who{TenantID: g.Tenant}, signalbox.ActionBreakGlassOverdue, *g, nil); err == nil {
				s.tellGrant(*g, signalbox.AlertCritical, fmt.Sprintf("Nobody has reviewed the break-glass grant %s of agent %q, which is over since %s.",
					g.ID, g.Agent, ended(g).Format(time.RFC3339)))
			}
		}
	}
	if err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "break-glass grants could not be looked through", "error", err)
	}
}

// unreviewed reports whether a grant was over by then and nobody has looked at it, or been told to.
func unreviewed(g *signalbox.Grant, by time.Time) bool {
	return g.Reviewed.IsZero() && g.Overdue.IsZero() && ended(g).Before(by)
}

// ended is when a grant is over.
func ended(g *signalbox.Grant) time.Time {
	if !g.Ended.IsZero() && g.Ended.Before(g.Until) {
		return g.Ended
	}
	return g.Until
}
