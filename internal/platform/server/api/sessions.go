package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
)

// OpenSessions are the logins that are open. Revoke ends one and records who did; one that has ended meanwhile is no
// error. Errors are of code unavailable. Safe for concurrent use.
type OpenSessions interface {
	List(ctx context.Context) ([]OpenSession, error)
	Revoke(ctx context.Context, by signalbox.Caller, id string) error
}

// OpenSession is a login with its holder, as [Authenticator] gives him for a request with the session's cookie.
type OpenSession struct {
	signalbox.Session
	Holder signalbox.Key
}

// LoginProvider is an identity provider that people can log in with, at /login/{id}.
type LoginProvider struct {
	ID     string `json:"id"`
	Issuer string `json:"issuer"`
}

// LoginProviders are the ways to log in besides an API key.
type LoginProviders struct {
	Providers []LoginProvider `json:"providers"`
}

// SessionRow is an open login.
type SessionRow struct {
	ID      string         `json:"id"`
	KeyID   *string        `json:"key_id" doc:"The API key it was opened with; null for a login by an identity provider."`
	UserID  *string        `json:"user_id"`
	Tenant  string         `json:"tenant"`
	Role    signalbox.Role `json:"role" enum:"agent,developer,approver,auditor,operator,admin"`
	Opened  time.Time      `json:"opened"`
	Expires time.Time      `json:"expires"`
	Source  *string        `json:"source" doc:"The address it was opened from."`
	Current bool           `json:"current" doc:"It is the one that this request was made with."`
}

func (s *server) registerSessions(api huma.API) {
	huma.Register(api, operation("list-sessions", http.MethodGet, "/sessions", "Logins that are open: all for an admin, else one's own"), s.listSessions)
	huma.Register(api, operation("revoke-session", http.MethodPost, "/sessions/{id}/revoke", "End a login"), s.revokeSession)
	login := operation("list-login-providers", http.MethodGet, "/login", "Identity providers to log in with")
	login.Metadata[public] = true
	login.Security = nil
	huma.Register(api, login, s.listProviders)
}

func (s *server) listProviders(context.Context, *struct{}) (*Body[LoginProviders], error) {
	return &Body[LoginProviders]{LoginProviders{append([]LoginProvider{}, s.Providers()...)}}, nil
}

// seenSessions gives the sessions that the caller may see and end, newest first.
func (s *server) seenSessions(ctx context.Context, c ctxWithCaller) ([]OpenSession, error) {
	all, err := s.OpenSessions.List(ctx)
	if err != nil {
		return nil, err
	}
	seen := slices.DeleteFunc(slices.Clone(all), func(o OpenSession) bool {
		return c.Key.Role != signalbox.RoleAdmin && (c.Key.ID == "" || o.Holder.ID != c.Key.ID || o.Holder.Tenant != c.Key.Tenant)
	})
	slices.SortFunc(seen, func(a, b OpenSession) int {
		return cmp.Or(b.Opened.Compare(a.Opened), cmp.Compare(a.ID, b.ID))
	})
	return seen, nil
}

func (s *server) listSessions(ctx context.Context, in *struct {
	wire
	Paging
},
) (*Body[Page[SessionRow]], error) {
	c := callerOf(ctx)
	list, err := s.seenSessions(ctx, c)
	if err != nil {
		return nil, fail(c, err)
	}
	if in.Cursor != "" {
		last := slices.IndexFunc(list, func(o OpenSession) bool { return o.ID == in.Cursor })
		if last < 0 {
			return nil, fail(c, errCursor())
		}
		list = list[last+1:]
	}
	page := Page[SessionRow]{Items: []SessionRow{}, AsOf: s.Now().UTC()}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		page.Next = cursor(list[in.Limit-1].ID)
	}
	own := gate.CurrentSession(in.r)
	for i := range list {
		o := &list[i]
		page.Items = append(page.Items, SessionRow{
			ID: o.ID, KeyID: OrNull(o.Key), UserID: OrNull(o.Holder.User), Tenant: o.Holder.Tenant, Role: o.Holder.Role,
			Opened: o.Opened, Expires: o.Expires, Source: OrNull(o.Source), Current: own != "" && o.ID == own,
		})
	}
	return &Body[Page[SessionRow]]{page}, nil
}

func (s *server) revokeSession(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"128"`
},
) (*struct{}, error) {
	c := callerOf(ctx)
	list, err := s.seenSessions(ctx, c)
	if err == nil && !slices.ContainsFunc(list, func(o OpenSession) bool { return o.ID == in.ID }) {
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such session, or it has ended.").WithField("id").
			WithRemedy("Look for it in the list of sessions.")
	}
	if err == nil {
		err = s.OpenSessions.Revoke(ctx, c.caller(), in.ID)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return nil, nil //nolint:nilnil // huma's way to answer 204.
}
