package people

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// AnyClient is the name of the client that stands for all that have no entry of their own. People use it, never machines.
const AnyClient = "*"

// Client is an OAuth client of a provider whose tokens make calls, over the MCP endpoints.
type Client struct {
	Agent string // Whose permissions its calls have.
	// People tells a program that people use from one that works by itself. The token of the former stands for its person,
	// whose tenant, team and role follow from the claims; that of the latter for the client.
	People  bool
	Tenant  string             // Of a client that works by itself; "": the provider's.
	Team    string             // The same.
	Budgets []signalbox.Budget // The same; limits are among them.
}

// Caller gives for whom a token stands that came with a call to a path of the MCP endpoints. The token must be for this
// path as a resource (RFC 8707), or for a path above it, or for the audience that is configured; its client must be
// configured. Errors are of code unauthenticated, forbidden (the provider gives whom it stands for no place here) or
// unavailable. With a bearer and an error, of code forbidden, it is known who calls, and the token lacks a scope.
func (p *People) Caller(ctx context.Context, token, path string) (*signalbox.Bearer, error) {
	t, err := parse(token)
	if err != nil {
		return nil, err
	}
	sources := p.of(t.issuer)
	if !slices.ContainsFunc(sources, (*source).callers) {
		return nil, refused("No identity provider is configured for calls with tokens of this issuer.").
			WithRemedy("Get a token of a provider whose `clients` are configured in `oidc`, or send an API key.")
	}
	c, err := sources[0].verified(ctx, t)
	if err != nil {
		return nil, err
	}
	guest, _, err := p.stands(t.issuer, path, c)
	if err != nil {
		return nil, err
	}
	bearer := signalbox.NewBearer(token, guest, func() (signalbox.Key, error) {
		_, key, err := p.stands(t.issuer, path, c)
		return key, err
	})
	return bearer, p.scoped(t.issuer, path, c)
}

// Again gives somebody back whose token stood for him before, without the token: who he is follows from what was said of him
// then, and whether he is let in from the configuration of the moment.
func (p *People) Again(g signalbox.Guest) *signalbox.Bearer {
	return signalbox.NewBearer("", g, func() (signalbox.Key, error) {
		for _, s := range p.of(g.Person.Issuer) {
			if s.ID == g.Provider {
				return p.visitor(s, g)
			}
		}
		return signalbox.Key{}, errNoProvider()
	})
}

func errNoProvider() *signalbox.Error {
	return refused("The identity provider is not configured any more.").WithRemedy("Get a token of a provider that is configured in `oidc`.")
}

// stands gives for whom verified claims stand, by the providers as they are configured now.
func (p *People) stands(issuer, path string, c claims) (g signalbox.Guest, key signalbox.Key, err error) {
	if expires, ok := c.time("exp"); !ok || !p.o.Now().Before(expires.Add(Skew)) {
		return g, key, refused("The token has expired.").WithRemedy("Get a new token.")
	}
	if c["nonce"] != nil || c["at_hash"] != nil {
		return g, key, refused("An id token makes no calls.").WithRemedy("Send the access token.")
	}
	s := p.source(issuer, path, c)
	if s == nil {
		return g, key, refused("The token is for another audience.").WithRemedy(
			"Ask for a token with the parameter resource (RFC 8707), as the metadata of the protected resource names it.")
	}
	g = signalbox.Guest{Provider: s.ID, Client: c.client(), Person: signalbox.Person{Issuer: s.Issuer, Subject: c.text("sub")}}
	client, err := s.let(g)
	if err == nil && client.People {
		g.Person, err = p.person(s, c)
	}
	if err == nil {
		key, err = p.visitor(s, g)
	}
	return g, key, err
}

// source gives the provider by which a token of the issuer makes calls to the path; nil where there is none.
func (p *People) source(issuer, path string, c claims) *source {
	for _, s := range p.of(issuer) {
		if s.callers() && (c.audience(s.Audience) || c.resource(p.o.Resource(), path)) {
			return s
		}
	}
	return nil
}

// callers reports whether tokens of the provider make calls.
func (s *source) callers() bool { return len(s.Clients) > 0 }

// resource reports whether the token is for a path below the base, or for one above it. A slash at the end does not
// count: providers differ in that.
func (c claims) resource(base, path string) bool {
	named := texts(c["aud"])
	for at := strings.TrimSuffix(path, "/"); ; {
		if slices.ContainsFunc(named, func(aud string) bool { return strings.TrimSuffix(aud, "/") == base+at }) {
			return true
		}
		if at == "" {
			return false
		}
		at = at[:max(strings.LastIndexByte(at, '/'), 0)]
	}
}

// let gives the client that a guest has come with, if he may come in with it.
func (s *source) let(g signalbox.Guest) (Client, error) {
	if slices.Contains(s.Revoked, g.Person.Subject) || g.Client != "" && slices.Contains(s.Revoked, g.Client) {
		return Client{}, errRevoked()
	}
	client, known := s.Clients[g.Client]
	if others, ok := s.Clients[AnyClient]; ok && !known && g.Client != "" {
		client, known = others, true
	}
	if !known {
		return Client{}, signalbox.Errorf(signalbox.CodeForbidden, "The client that the token was made for may make no calls.").
			WithRemedy("Use a client that is in `clients` of the provider " + s.ID + ", or have it added there.")
	}
	return client, nil
}

// visitor gives a guest in the shape of a key: the client, or the person who uses it.
func (p *People) visitor(s *source, g signalbox.Guest) (signalbox.Key, error) {
	client, err := s.let(g)
	if err != nil {
		return signalbox.Key{}, err
	}
	if !client.People {
		return p.machine(s, g.Client, client)
	}
	key, ok := p.Key(g.Person)
	if !ok {
		return signalbox.Key{}, errNoProvider()
	}
	key.Agent = client.Agent
	return key, nil
}

// machine gives a client that works by itself.
func (p *People) machine(s *source, id string, client Client) (signalbox.Key, error) {
	key := signalbox.Key{
		ID: clientID(s.ID, id), Tenant: cmp.Or(client.Tenant, s.Tenant), Team: client.Team, Agent: client.Agent,
		Role: signalbox.RoleAgent, Budgets: client.Budgets,
	}
	if !p.tenant(key.Tenant) {
		return signalbox.Key{}, signalbox.Errorf(signalbox.CodeForbidden, "The client that the token was made for has no tenant here.").
			WithRemedy("Set `tenant` of the client, or of the provider " + s.ID + ", to one of `tenants`.")
	}
	return key, nil
}

// clientID is the id of a client's key.
func clientID(provider, client string) string { return shortened("client:"+provider+":", client) }

// client gives the client that a token was made for, as providers name it (RFC 9068, OpenID Connect, Okta, Entra).
func (c claims) client() string {
	return cmp.Or(c.text("client_id"), c.text("azp"), c.text("cid"), c.text("appid"))
}

func errRevoked() *signalbox.Error {
	return refused("Whom the token stands for is not let in any more.").WithRemedy("Ask the operator: `revoked` of the identity provider says so.")
}

// scoped checks the scopes that calls need.
func (p *People) scoped(issuer, path string, c claims) error {
	s := p.source(issuer, path, c)
	if s == nil {
		return nil // It was taken out of the configuration this moment; the gate asks once more for whom the token stands.
	}
	has := c.scopes()
	for _, scope := range s.RequiredScopes {
		if !slices.Contains(has, scope) {
			return signalbox.Errorf(signalbox.CodeForbidden, "The token does not have the scope %q.", scope).WithField("Authorization").
				WithRemedy("Ask the provider for a token with these scopes: " + strings.Join(s.RequiredScopes, " ") + ".")
		}
	}
	return nil
}

// scopes gives what the token is good for; as text with spaces, or a list.
func (c claims) scopes() []string {
	var list []string
	for _, name := range []string{"scope", "scp"} {
		for _, text := range texts(c[name]) {
			list = append(list, strings.Fields(text)...)
		}
	}
	return list
}

// Budgets gives the budgets of a client's key, limits included; none for another id.
func (p *People) Budgets(id string) []signalbox.Budget {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.budgets[id]
}

// clientBudgets gives the budgets of all clients by the ids of their keys.
func clientBudgets(providers []Provider) map[string][]signalbox.Budget {
	all := map[string][]signalbox.Budget{}
	for _, p := range providers {
		for id, client := range p.Clients {
			if len(client.Budgets) > 0 {
				all[clientID(p.ID, id)] = client.Budgets
			}
		}
	}
	return all
}
