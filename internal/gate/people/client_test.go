package people

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

const here = "https://box.example/signals"

// serving is a provider whose tokens make calls, for an instance at here.
func (p *idp) serving(change func(*Provider)) *People {
	p.t.Helper()
	c := p.provider()
	c.Clients = map[string]Client{
		"editor": {Agent: "coder", People: true},
		"job":    {Agent: "sweeper", Team: "ops", Budgets: []signalbox.Budget{{Unit: signalbox.UnitRequests, Per: signalbox.WindowDay, Max: 9}}},
		"far":    {Agent: "sweeper", Tenant: "globex"},
		"lost":   {Agent: "sweeper", Tenant: "nobody"},
	}
	c.RequiredScopes = []string{"tools", "read"}
	c.Revoked = []string{"u-666", "old-job"}
	if change != nil {
		change(&c)
	}
	all := New(Options{
		Now: p.clock.now, Tenants: func() []string { return []string{"acme", "globex"} }, Seal: [32]byte{1}, Resource: func() string { return here },
	})
	p.t.Cleanup(all.Close)
	all.Set([]Provider{c})
	return all
}

func TestCaller(t *testing.T) {
	p := newIDP(t)
	explicit := func(c *Provider) { c.Audience = "api://signalbox" }
	anyClient := func(c *Provider) { c.Clients[AnyClient] = Client{Agent: "guest", People: true} }
	person := signalbox.Key{ID: "person:corp:u-1", Tenant: "acme", User: "rose@example.com", Role: signalbox.RoleApprover, Agent: "coder"}
	guest := person
	guest.Agent = "guest"
	machine := signalbox.Key{ID: "client:corp:job", Tenant: "acme", Team: "ops", Role: signalbox.RoleAgent, Agent: "sweeper"}
	far := signalbox.Key{ID: "client:corp:far", Tenant: "globex", Role: signalbox.RoleAgent, Agent: "sweeper"}
	for _, c := range []struct {
		name   string
		code   signalbox.Code
		want   signalbox.Key
		change func(*Provider)
		with   map[string]any
	}{
		{"a person", "", person, nil, nil},
		{"a machine", "", machine, nil, map[string]any{"client_id": "job", "sub": "job"}},
		{"a machine in its own tenant", "", far, nil, map[string]any{"client_id": "far"}},
		{"a machine whose tenant is gone", "forbidden", signalbox.Key{}, nil, map[string]any{"client_id": "lost"}},
		{"named by azp", "", machine, nil, map[string]any{"client_id": nil, "azp": "job"}},
		{"named by cid", "", machine, nil, map[string]any{"client_id": nil, "cid": "job"}},
		{"named by appid", "", machine, nil, map[string]any{"client_id": nil, "appid": "job"}},
		{"an unknown client", "forbidden", signalbox.Key{}, nil, map[string]any{"client_id": "else"}},
		{"any client of people", "", guest, anyClient, map[string]any{"client_id": "else"}},
		{"no client, where any will do", "forbidden", signalbox.Key{}, anyClient, map[string]any{"client_id": nil}},
		{"a machine, where any will do", "", machine, anyClient, map[string]any{"client_id": "job"}},
		{"a person without a role", "forbidden", signalbox.Key{}, nil, map[string]any{"groups": []string{"staff"}}},
		{"a revoked person", "unauthenticated", signalbox.Key{}, nil, map[string]any{"sub": "u-666"}},
		{"a revoked client", "unauthenticated", signalbox.Key{}, nil, map[string]any{"client_id": "old-job"}},
		{"another audience", "unauthenticated", signalbox.Key{}, nil, map[string]any{"aud": "https://box.example/signals/mcp/mail"}},
		{"the console", "unauthenticated", signalbox.Key{}, nil, map[string]any{"aud": "signalbox"}},
		{"all servers", "", person, nil, map[string]any{"aud": []string{"x", here + "/mcp"}}},
		{"the instance", "", person, nil, map[string]any{"aud": here + "/"}},
		{"above the instance", "unauthenticated", signalbox.Key{}, nil, map[string]any{"aud": "https://box.example"}},
		{"the audience that is configured", "", person, explicit, map[string]any{"aud": "api://signalbox"}},
		{"no audience", "unauthenticated", signalbox.Key{}, nil, map[string]any{"aud": nil}},
		{"an empty audience", "unauthenticated", signalbox.Key{}, nil, map[string]any{"aud": ""}},
		{"an id token", "unauthenticated", signalbox.Key{}, nil, map[string]any{"at_hash": "x"}},
		{"expired", "unauthenticated", signalbox.Key{}, nil, map[string]any{"exp": noon.Add(-time.Hour).Unix()}},
		{"of another issuer", "unauthenticated", signalbox.Key{}, nil, map[string]any{"iss": "https://evil.example"}},
		{"where no client is configured", "unauthenticated", signalbox.Key{}, func(c *Provider) { c.Clients = nil }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := map[string]any{"aud": here + "/mcp/files", "client_id": "editor", "scope": "read tools"}
			for name, value := range c.with {
				claims[name] = value
			}
			token := p.sign(first, claims)
			b, err := p.serving(c.change).Caller(t.Context(), token, "/mcp/files")
			wantCode(t, err, c.code, token, "rose@example.com", "u-1", "u-666", "old-job")
			if err != nil {
				if b != nil {
					t.Error("a bearer with an error that is about no scope")
				}
				return
			}
			got, err := b.Key()
			got.Budgets = nil
			if err != nil || got.ID != c.want.ID || got.Tenant != c.want.Tenant || got.Team != c.want.Team || got.User != c.want.User ||
				got.Role != c.want.Role || got.Agent != c.want.Agent || b.Reveal() != token {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

// Who lacks a scope is known.
func TestScopes(t *testing.T) {
	p := newIDP(t)
	all := p.serving(nil)
	for _, c := range []struct {
		name string
		code signalbox.Code
		with map[string]any
	}{
		{"both", "", map[string]any{"scope": "x read tools"}},
		{"both in a list", "", map[string]any{"scp": []string{"read", "tools"}}},
		{"both in two claims", "", map[string]any{"scp": "read", "scope": "tools"}},
		{"one", "forbidden", map[string]any{"scope": "read"}},
		{"one that begins alike", "forbidden", map[string]any{"scope": "read tools2"}},
		{"none", "forbidden", nil},
		{"a number", "forbidden", map[string]any{"scope": 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := map[string]any{"aud": here, "client_id": "job"}
			for name, value := range c.with {
				claims[name] = value
			}
			b, err := all.Caller(t.Context(), p.sign(first, claims), "/mcp/files")
			wantCode(t, err, c.code)
			if b == nil {
				t.Fatal("it is not known who calls")
			}
			if key, err := b.Key(); err != nil || key.ID != "client:corp:job" {
				t.Errorf("got %+v, %v", key, err)
			}
		})
	}
}

// For whom a token stands follows from the configuration of the moment, and ends with the token.
func TestBearerOfTheMoment(t *testing.T) {
	p := newIDP(t)
	token := p.sign(first, map[string]any{"aud": here, "client_id": "editor", "scope": "read tools", "groups": []string{"devs"}})
	for _, c := range []struct {
		name   string
		code   signalbox.Code
		change func(*Provider)
		later  time.Duration
	}{
		{"nothing has changed", "", nil, 0},
		{"it has expired", "unauthenticated", nil, time.Hour + Skew},
		{"the provider is gone", "unauthenticated", func(c *Provider) { c.Issuer = "https://else.example" }, 0},
		{"the client is gone", "forbidden", func(c *Provider) { delete(c.Clients, "editor") }, 0},
		{"the person is revoked", "unauthenticated", func(c *Provider) { c.Revoked = []string{"u-1"} }, 0},
		{"the client is revoked", "unauthenticated", func(c *Provider) { c.Revoked = []string{"editor"} }, 0},
		{"the role is gone", "forbidden", func(c *Provider) { delete(c.Roles, "devs") }, 0},
		{"the agent is another", "", func(c *Provider) { c.Clients["editor"] = Client{Agent: "drafter", People: true} }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.clock.mu.Lock()
			p.clock.at = noon
			p.clock.mu.Unlock()
			all := p.serving(nil)
			b, err := all.Caller(t.Context(), token, "/mcp")
			if err != nil {
				t.Fatal(err)
			}
			changed := p.serving(c.change).sources[0].Provider
			all.Set([]Provider{changed})
			p.clock.add(c.later)
			key, err := b.Key()
			wantCode(t, err, c.code, "u-1", "rose@example.com")
			if err == nil && key.Agent != changed.Clients["editor"].Agent {
				t.Errorf("got %+v", key)
			}
		})
	}
}

// Somebody whose token is gone is who he was, as long as the configuration has a place for him.
func TestAgain(t *testing.T) {
	p := newIDP(t)
	all := p.serving(nil)
	config := all.sources[0].Provider
	guest := func(with map[string]any) signalbox.Guest {
		claims := map[string]any{"aud": here, "client_id": "editor", "scope": "read tools"}
		for name, value := range with {
			claims[name] = value
		}
		b, err := all.Caller(t.Context(), p.sign(first, claims), "/mcp")
		if err != nil {
			t.Fatal(err)
		}
		return b.Guest()
	}
	person, machine := guest(nil), guest(map[string]any{"client_id": "job", "sub": "job"})
	p.clock.add(24 * time.Hour)
	for _, c := range []struct {
		name   string
		guest  signalbox.Guest
		code   signalbox.Code
		want   string
		change func(*Provider)
	}{
		{"a person", person, "", "person:corp:u-1", nil},
		{"a machine", machine, "", "client:corp:job", nil},
		{"a person who is revoked", person, "unauthenticated", "", func(c *Provider) { c.Revoked = []string{"u-1"} }},
		{"a machine that is revoked", machine, "unauthenticated", "", func(c *Provider) { c.Revoked = []string{"job"} }},
		{"a client that is gone", machine, "forbidden", "", func(c *Provider) { c.Clients = map[string]Client{"x": {Agent: "y"}} }},
		{"a client that people use now", machine, "unauthenticated", "", func(c *Provider) { c.Clients = map[string]Client{"job": {Agent: "y", People: true}} }},
		{"a provider of another id", person, "unauthenticated", "", func(c *Provider) { c.ID = "else" }},
		{"a provider that is gone", person, "unauthenticated", "", func(c *Provider) { c.Issuer = "https://else.example" }},
		{"nobody", signalbox.Guest{}, "unauthenticated", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := config
			if c.change != nil {
				c.change(&changed)
			}
			all.Set([]Provider{changed})
			b := all.Again(c.guest)
			key, err := b.Key()
			wantCode(t, err, c.code)
			if key.ID != c.want || b.Reveal() != "" || b.Guest() != c.guest {
				t.Errorf("got %+v", key)
			}
		})
	}
}

// Who is revoked is turned away everywhere.
func TestRevokedPeople(t *testing.T) {
	p := newIDP(t)
	all := p.serving(nil)
	_, err := all.Bearer(t.Context(), p.sign(first, map[string]any{"sub": "u-666"}))
	wantCode(t, err, signalbox.CodeUnauthenticated, "u-666")
	who := signalbox.Person{Issuer: p.url, Subject: "u-666", Tenant: "acme", Role: signalbox.RoleAdmin}
	if _, ok := all.Key(who); ok {
		t.Error("his session goes on")
	}
	who.Subject = "u-667"
	if _, ok := all.Key(who); !ok {
		t.Error("the session of somebody else has ended")
	}
}

func TestBudgetsOfClients(t *testing.T) {
	p := newIDP(t)
	all := p.serving(nil)
	if got := all.Budgets("client:corp:job"); len(got) != 1 || got[0].Max != 9 {
		t.Errorf("got %+v", got)
	}
	if got := all.Budgets("client:corp:editor"); got != nil {
		t.Errorf("got %+v", got)
	}
	if all.Set(nil); all.Budgets("client:corp:job") != nil {
		t.Error("the client is gone, and its budgets are not")
	}
}

func TestChallenge(t *testing.T) {
	p := newIDP(t)
	all := p.serving(nil)
	const base = `Bearer resource_metadata="https://box.example/signals/.well-known/oauth-protected-resource/mcp/files", scope="tools read"`
	odd := refused("It says \"no\"\\ and\r\nX: y ünd so on.")
	for _, c := range []struct {
		name      string
		presented bool
		err       error
		want      string
	}{
		{"no credential", false, refused("There is none."), base},
		{"a bad one", true, refused("It has expired."), base + `, error="invalid_token", error_description="It has expired."`},
		{"characters that a header can not have", true, odd, base + `, error="invalid_token", error_description="It says 'no'' andX: y nd so on."`},
		{"a missing scope", true, signalbox.Errorf(signalbox.CodeForbidden, "No scope."), base + `, error="insufficient_scope", error_description="No scope."`},
		{"a provider that is down", true, signalbox.Errorf(signalbox.CodeUnavailable, "x"), ""},
		{"no error", true, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := all.Challenge("/mcp/files", c.presented, c.err); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
	for _, path := range []string{`/mcp/a"b`, "/mcp/sb_secret", "/mcp/a/b", "/v1"} {
		if got, want := all.Challenge(path, false, refused("x")), strings.Replace(base, "/mcp/files", "/mcp", 1); got != want {
			t.Errorf("%s: got %s", path, got)
		}
		if _, ok := all.Resource(path); ok {
			t.Errorf("%s is a resource", path)
		}
	}
	if all.Set([]Provider{p.provider()}); all.Challenge("/mcp", false, refused("x")) != "" {
		t.Error("a challenge where no token would help")
	}
}

func TestResource(t *testing.T) {
	p := newIDP(t)
	all := p.serving(nil)
	two := p.provider()
	two.ID, two.Clients, two.Audience = "two", map[string]Client{"x": {Agent: "y"}}, "other"
	three := p.provider()
	three.ID, three.Issuer, three.Clients, three.RequiredScopes = "three", "https://three.example", two.Clients, []string{"read", "more"}
	four := p.provider()
	four.ID, four.Issuer = "four", "https://four.example"
	one := all.sources[0].Provider
	all.Set([]Provider{four, one, two, three})
	r, ok := all.Resource("/mcp")
	if !ok || r.URL != here+"/mcp" || !slices.Equal(r.Issuers, []string{p.url, three.Issuer}) || strings.Join(r.Scopes, " ") != "tools read more" {
		t.Errorf("got %+v, %t", r, ok)
	}
	all.Set([]Provider{four})
	if _, ok := all.Resource("/mcp"); ok {
		t.Error("no provider's tokens make calls")
	}
}
