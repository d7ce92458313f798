package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
)

// Identity is who is logged in.
type Identity struct {
	Tenant    string         `json:"tenant"`
	Team      *string        `json:"team"`
	KeyID     string         `json:"key_id"`
	Agent     *string        `json:"agent"`
	User      *string        `json:"user"`
	Role      signalbox.Role `json:"role"`
	ExpiresAt *time.Time     `json:"expires_at" doc:"When the session ends; null for a key."`
}

// Login is the key typed into the console.
type Login struct {
	Key string `json:"key" minLength:"1" maxLength:"512"`
}

// wire gives operations that set cookies the request and its answer.
type wire struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve is called by huma before the operation.
func (x *wire) Resolve(ctx huma.Context) []error {
	x.r, x.w = humago.Unwrap(ctx)
	return nil
}

type loginInput struct {
	wire
	Body Login
}

func (s *server) registerSession(api huma.API) {
	login := operation("log-in", http.MethodPost, "/session", "Log in to the console with an API key")
	login.Metadata[public] = true
	login.Security = nil
	huma.Register(api, login, s.logIn)
	huma.Register(api, operation("get-session", http.MethodGet, "/session", "Who is logged in"), s.getSession)
	huma.Register(api, operation("log-out", http.MethodDelete, "/session", "Log out"), s.logOut)
}

func identity(k signalbox.Key) Identity {
	return Identity{Tenant: k.Tenant, Team: OrNull(k.Team), KeyID: k.ID, Agent: OrNull(k.Agent), User: OrNull(k.User), Role: k.Role}
}

func (s *server) logIn(ctx context.Context, in *loginInput) (*Body[Identity], error) {
	c := callerOf(ctx)
	if in.r.Header.Get(ConsoleHeader) == "" {
		return nil, fail(c, signalbox.Errorf(signalbox.CodeForbidden, "a login needs the header %s", ConsoleHeader).
			WithField(ConsoleHeader).WithRemedy("Log in on the console's page."))
	}
	key, err := s.Sessions.Secret(in.w, in.r, in.Body.Key)
	if err != nil {
		return nil, fail(c, err)
	}
	expires, err := s.Sessions.Open(in.w, in.r, key)
	if err != nil {
		return nil, fail(c, err)
	}
	who := identity(key)
	who.ExpiresAt = &expires
	return &Body[Identity]{who}, nil
}

func (s *server) getSession(ctx context.Context, in *wire) (*Body[Identity], error) {
	c := callerOf(ctx)
	who := identity(c.Key)
	id := gate.CurrentSession(in.r)
	if id == "" || !byCookie(in.r) {
		return &Body[Identity]{who}, nil
	}
	open, err := s.OpenSessions.List(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	for i := range open {
		if open[i].ID == id {
			who.ExpiresAt = &open[i].Expires
		}
	}
	return &Body[Identity]{who}, nil
}

// byCookie reports whether a request shows no key, so that its session counts.
func byCookie(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && r.Header.Get("X-Api-Key") == ""
}

func (s *server) logOut(ctx context.Context, in *wire) (*struct{}, error) {
	if err := s.Sessions.Close(in.w, in.r); err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return nil, nil //nolint:nilnil // huma's way to answer 204.
}
