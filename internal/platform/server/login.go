package server

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/gate/people"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// loginCookie is what a browser keeps between the two ends of a login. With the prefix, which needs TLS, no sibling of our
// host can set one.
const (
	loginCookie       = "signalbox_login"
	secureLoginCookie = "__Host-" + loginCookie
)

// newPeople knows the people of the identity providers. What a browser keeps of a login is sealed by a key that is made
// of the master key: any replica can end what another has begun.
func (s *Server) newPeople() *people.People {
	p := people.New(people.Options{
		Now: s.options.Now, Tenants: s.tenants, Resource: s.publicURL, Seal: s.data.vault.Subject("", "the logins of people"),
	})
	p.Set(providers(s.config))
	s.onStop("identity providers", func(context.Context) error {
		p.Close()
		return nil
	})
	return p
}

// providers gives the identity providers of a configuration.
func providers(c *config.Config) []people.Provider {
	list := make([]people.Provider, len(c.OIDC))
	for i, o := range c.OIDC {
		list[i] = people.Provider{
			ID: o.ID, Issuer: o.Issuer.Reveal(), ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), Audience: o.Audience,
			Scopes: o.Scopes, Tenant: o.Tenant, TenantClaim: o.TenantClaim, TeamClaim: o.TeamClaim, RoleClaim: o.RoleClaim,
			Roles: o.Roles, DefaultRole: o.DefaultRole, RequiredScopes: o.RequiredScopes, Revoked: o.Revoked, Clients: clients(o),
		}
	}
	return list
}

// clients gives the clients of an identity provider whose tokens make calls.
func clients(o config.OIDC) map[string]people.Client {
	all := make(map[string]people.Client, len(o.Clients))
	for id, c := range o.Clients {
		all[id] = people.Client{
			Agent: c.Agent, People: c.People, Tenant: c.Tenant, Team: c.Team, Budgets: slices.Concat(c.Limits, c.Budgets),
		}
	}
	return all
}

// loginProviders gives the control API the identity providers in force.
func (s *Server) loginProviders() []api.LoginProvider {
	known := s.keys.people.Providers()
	list := make([]api.LoginProvider, len(known))
	for i, p := range known {
		list[i] = api.LoginProvider{ID: p.ID, Issuer: p.Issuer}
	}
	return list
}

// callback is where a provider sends a browser back to, which must be registered there in just this form.
func (s *Server) callback(provider string) string {
	return s.publicURL() + "/login/" + provider + "/callback"
}

// login begins a login: GET /login/{id}?to=/path sends the browser to the identity provider.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if !getOnly(w, r) {
		return
	}
	id := r.PathValue("id")
	begun, err := s.keys.people.Begin(r.Context(), id, s.callback(id), r.URL.Query().Get("to"))
	if err != nil {
		s.loginFailed(w, r, err)
		return
	}
	http.SetCookie(w, s.loginCookie(begun.Cookie, int(people.LoginLife.Seconds())))
	guardPage(w)
	http.Redirect(w, r, begun.Address, http.StatusSeeOther)
}

// loggedIn ends a login: the identity provider has sent the browser here. A session always has a new token, so that
// nobody can have put one there before.
func (s *Server) loggedIn(w http.ResponseWriter, r *http.Request) {
	if !getOnly(w, r) {
		return
	}
	kept := ""
	if c, err := r.Cookie(s.loginCookie("", 0).Name); err == nil {
		kept = c.Value
	}
	http.SetCookie(w, s.loginCookie("", -1))
	id := r.PathValue("id")
	done, err := s.keys.people.Finish(r.Context(), id, s.callback(id), r.URL.Query(), kept)
	if err != nil {
		s.loginFailed(w, r, err)
		return
	}
	_, cookie, err := s.keys.sessions.OpenPerson(r.Context(), done.Person, done.Key, gate.Source(r.RemoteAddr))
	if err != nil {
		s.loginFailed(w, r, err)
		return
	}
	http.SetCookie(w, cookie)
	// A redirect would belong to the provider's page still, and the browser would keep the cookie, which is for our own
	// pages only, out of it.
	s.page(w, r, http.StatusOK, page{Title: "You are logged in", To: done.To})
}

// getOnly refuses HEAD, which the mux takes for GET: whoever looks at a link must not use up a login.
func getOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet {
		return true
	}
	w.Header().Set("Allow", http.MethodGet)
	w.WriteHeader(http.StatusMethodNotAllowed)
	return false
}

// loginCookie has to be sent when the provider's page leads back to ours, hence Lax.
func (s *Server) loginCookie(value string, maxAge int) *http.Cookie {
	name := loginCookie
	if s.secure() {
		name = secureLoginCookie
	}
	return &http.Cookie{ //nolint:gosec // Secure is left out only where the console is served without TLS.
		Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	}
}

// loginFailed says why somebody is not logged in. Who was refused is counted like who comes with a wrong key.
func (s *Server) loginFailed(w http.ResponseWriter, r *http.Request, err error) {
	e := signalbox.AsError(err)
	if e.Code == signalbox.CodeUnauthenticated || e.Code == signalbox.CodeForbidden {
		s.keys.refusals.Count(gate.Source(r.RemoteAddr), e.Message)
	}
	s.options.Logger.WarnContext(r.Context(), "a login has failed", "provider", s.provider(r.PathValue("id")), "code", e.Code, "reason", e.Message, "cause", e.Cause)
	s.page(w, r, e.Code.Status(), page{Title: "You are not logged in", Message: e.Message, Remedy: e.Remedy})
}

// provider gives the id of a provider that there is; what else stands in an address is not to be in the log.
func (s *Server) provider(id string) string {
	if slices.ContainsFunc(s.keys.people.Providers(), func(p people.Provider) bool { return p.ID == id }) {
		return id
	}
	return "unknown"
}

// waysIn are the ways to log in and come back to a path of ours. The first is for who is logged in: a browser keeps its
// cookie to itself where another site's page, or a message, led here.
func (s *Server) waysIn(to string) []pageLink {
	list, back := []pageLink{{"Open it again, if you are logged in already", to}}, url.QueryEscape(to)
	for _, p := range s.keys.people.Providers() {
		list = append(list, pageLink{"Log in with " + p.ID, "/login/" + url.PathEscape(p.ID) + "?to=" + back})
	}
	return append(list, pageLink{"Log in with an API key", "/login?next=" + back})
}

// page is what a person sees at the end of a login.
type page struct {
	Title, Message, Remedy, To string
	Links                      []pageLink // What else can be done; none for most pages.
}

type pageLink struct{ Text, To string }

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{{with .To}}<meta http-equiv="refresh" content="0;url={{.}}">
{{end}}<title>{{.Title}} · Signalbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{with .Message}}<p>{{.}}</p>
{{end}}{{with .Remedy}}<p>{{.}}</p>
{{end}}{{with .Links}}<ul>
{{range .}}<li><a href="{{.To}}">{{.Text}}</a></li>
{{end}}</ul>
{{end}}<p><a href="{{or .To "/"}}">{{if .To}}Go on{{else}}To the first page{{end}}</a></p>
</main>
</body>
</html>
`))

func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, p page) {
	guardPage(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := pageTemplate.Execute(w, p); err != nil && r.Context().Err() == nil {
		s.options.Logger.WarnContext(r.Context(), "a page could not be sent", "error", err)
	}
}

// guardPage keeps a page of the login out of caches, frames and the addresses that other sites see.
func guardPage(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}
