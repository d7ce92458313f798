package people

import (
	"context"
	"crypto/cipher"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Provider is the configuration of an identity provider.
type Provider struct {
	ID           string // Of at most [signalbox.MaxProviderID] bytes; part of paths and of the ids of people.
	Issuer       string // Exactly as the provider names itself.
	ClientID     string
	ClientSecret string // "" for a public client.
	Audience     string // Of tokens for the API; "": the client id.
	Scopes       []string
	Tenant       string // Of people for whom TenantClaim says none.
	TenantClaim  string // The path of a claim; "": none. The same of the other two.
	TeamClaim    string
	RoleClaim    string
	Roles        map[string]signalbox.Role // By a value of RoleClaim; of several the most powerful counts.
	DefaultRole  signalbox.Role            // Of people without such a value; "": they are refused.

	Clients        map[string]Client // Whose tokens make calls, by the client's id there; none: no token does.
	RequiredScopes []string          // Of tokens that make calls.
	Revoked        []string          // Subjects and clients that are not let in, whatever their tokens say.
}

// Options of [New]. Now and Tenants are required; Resource is, where providers have clients.
type Options struct {
	Now     func() time.Time
	Tenants func() []string // Those that are configured now.
	// Resource gives the address under which callers reach this instance, without a slash at the end.
	Resource func() string
	// Seal is the key that seals what a browser keeps during a login. Replicas that serve one name need the same.
	Seal [32]byte
	// Transport reaches the providers; nil is like http.DefaultTransport, with connections of its own.
	Transport http.RoundTripper
}

// People knows the people of some providers. It is safe for concurrent use.
type People struct {
	o         Options
	seal      cipher.AEAD
	client    *http.Client
	exchanges chan struct{} // A place of each exchange under way.
	spent     spent

	mu      sync.RWMutex
	sources []*source
	budgets map[string][]signalbox.Budget // Of clients, by the ids of their keys.
}

// MaxExchanges bounds the logins that wait for a provider's answer at once.
const MaxExchanges = 16

// New makes a People without providers.
func New(o Options) *People {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // The standard library's.
	}
	return &People{
		o: o, seal: newSeal(o.Seal), exchanges: make(chan struct{}, MaxExchanges),
		client: &http.Client{
			Transport: bounded{o.Transport}, Timeout: FetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		spent: spent{list: map[string]time.Time{}},
	}
}

// Set replaces the providers, as after a reload. One that has not changed keeps what was learned of it.
func (p *People) Set(providers []Provider) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make([]*source, len(providers))
	for i, c := range providers {
		next[i] = newSource(c, p.client, p.o.Now)
		for _, known := range p.sources {
			if reflect.DeepEqual(known.Provider, c) {
				next[i] = known
			}
		}
	}
	p.sources, p.budgets = next, clientBudgets(providers)
}

// Providers lists the providers in the order of the configuration. Secrets are left out.
func (p *People) Providers() []Provider {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]Provider, len(p.sources))
	for i, s := range p.sources {
		list[i] = s.Provider
		list[i].ClientSecret = ""
	}
	return list
}

// Close closes idle connections.
func (p *People) Close() { p.client.CloseIdleConnections() }

// Key gives a person who was vouched for before in the shape of an API key; false where that does not hold any more: the
// provider or the tenant is not configured now, or the person is revoked.
func (p *People) Key(who signalbox.Person) (signalbox.Key, bool) {
	sources := p.of(who.Issuer)
	revoked := slices.ContainsFunc(sources, func(s *source) bool { return slices.Contains(s.Revoked, who.Subject) })
	if len(sources) == 0 || !p.tenant(who.Tenant) || !who.Role.Valid() || revoked {
		return signalbox.Key{}, false
	}
	// Two providers may have one issuer; its people are the same people.
	return signalbox.Key{
		ID: personID(sources[0].ID, who.Subject), Tenant: who.Tenant, Team: who.Team, User: who.User, Role: who.Role,
	}, true
}

// Bearer gives the person of a token for the control API in the shape of a key. Errors are of code unauthenticated (the
// token is not good), forbidden (it is, and its person has no tenant or role here) or unavailable (the provider's keys can
// not be had).
func (p *People) Bearer(ctx context.Context, token string) (signalbox.Key, error) {
	t, err := parse(token)
	if err != nil {
		return signalbox.Key{}, err
	}
	sources := p.of(t.issuer)
	if len(sources) == 0 {
		return signalbox.Key{}, refused("No identity provider is configured for the token's issuer.").
			WithRemedy("Get a token of a provider that is configured in `oidc`, or send an API key.")
	}
	claims, err := sources[0].verified(ctx, t)
	if err != nil {
		return signalbox.Key{}, err
	}
	for _, s := range sources {
		if !claims.audience(s.audience()) {
			continue
		}
		who, err := p.person(s, claims)
		if err != nil {
			return signalbox.Key{}, err
		}
		if slices.Contains(s.Revoked, claims.text("sub")) {
			return signalbox.Key{}, errRevoked()
		}
		key, _ := p.Key(who)
		return key, nil
	}
	return signalbox.Key{}, refused("The token is for another audience.").
		WithRemedy("Ask for a token whose audience is what `oidc.audience` says, else the client's id.")
}

// of gives the sources of an issuer.
func (p *People) of(issuer string) []*source {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var list []*source
	for _, s := range p.sources {
		if s.Issuer == issuer {
			list = append(list, s)
		}
	}
	return list
}

// byID gives the source of a provider's id.
func (p *People) byID(id string) (*source, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, s := range p.sources {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, signalbox.Errorf(signalbox.CodeNotFound, "There is no such identity provider.").WithField("id").
		WithRemedy("GET /api/v1/login lists those that are configured.")
}

func refused(message string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "%s", message).WithField("Authorization")
}
