package people

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func TestPerson(t *testing.T) {
	p := newIDP(t)
	for _, c := range []struct {
		name   string
		change func(*Provider)
		claims claims
		code   signalbox.Code
		want   signalbox.Person // Without issuer and subject.
	}{
		{
			"the most powerful role", nil,
			claims{"groups": []any{"devs", "admins", "deciders", 7.0}},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "admin"},
		},
		{"one group as text", nil, claims{"groups": "devs"}, "", signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"}},
		{"no group", nil, claims{}, "forbidden", signalbox.Person{}},
		{"a group nobody knows", nil, claims{"groups": "root"}, "forbidden", signalbox.Person{}},
		{"groups as an object", nil, claims{"groups": map[string]any{"admins": true}}, "forbidden", signalbox.Person{}},
		{
			"the default", func(p *Provider) { p.DefaultRole = "auditor" },
			claims{"groups": "root"},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "auditor"},
		},
		{
			"nested", func(p *Provider) { p.RoleClaim = "realm_access.roles" },
			claims{"realm_access": map[string]any{"roles": []any{"devs"}}},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"},
		},
		{
			"a name with dots", func(p *Provider) { p.RoleClaim = "https://example.com/roles" },
			claims{"https://example.com/roles": []any{"devs"}},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"},
		},
		{
			"dots in an object's name", func(p *Provider) { p.RoleClaim = "access.my.app.roles" },
			claims{"access": map[string]any{"my.app": map[string]any{"roles": "devs"}}},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"},
		},
		{
			"tenant and team by claims", func(p *Provider) { p.TenantClaim, p.TeamClaim = "org.id", "team" },
			claims{"groups": "devs", "org": map[string]any{"id": "globex"}, "team": []any{"cs"}},
			"",
			signalbox.Person{User: "u-1", Tenant: "globex", Team: "cs", Role: "developer"},
		},
		{
			"tenant by a claim that is not there", func(p *Provider) { p.TenantClaim = "org" },
			claims{"groups": "devs"},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"},
		},
		{
			"no tenant at all", func(p *Provider) { p.Tenant, p.TenantClaim = "", "org" },
			claims{"groups": "devs"},
			"forbidden",
			signalbox.Person{},
		},
		{"a tenant that is not configured", func(p *Provider) { p.TenantClaim = "org" }, claims{"groups": "devs", "org": "acne"}, "forbidden", signalbox.Person{}},
		{"two tenants", func(p *Provider) { p.TenantClaim = "org" }, claims{"groups": "devs", "org": []any{"acme", "globex"}}, "forbidden", signalbox.Person{}},
		{"a tenant that is no id", func(p *Provider) { p.TenantClaim = "org" }, claims{"groups": "devs", "org": "ac me"}, "forbidden", signalbox.Person{}},
		{
			"verified address", nil,
			claims{"groups": "devs", "email": "a@b.example", "email_verified": true},
			"",
			signalbox.Person{User: "a@b.example", Tenant: "acme", Role: "developer"},
		},
		{
			"verified in a word", nil,
			claims{"groups": "devs", "email": "a@b.example", "email_verified": "true"},
			"",
			signalbox.Person{User: "a@b.example", Tenant: "acme", Role: "developer"},
		},
		{
			"unverified address", nil,
			claims{"groups": "devs", "email": "boss@b.example", "email_verified": false},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"},
		},
		{
			"address that nobody speaks for", nil,
			claims{"groups": "devs", "email": "boss@b.example"},
			"",
			signalbox.Person{User: "u-1", Tenant: "acme", Role: "developer"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			configured := p.provider()
			if c.change != nil {
				c.change(&configured)
			}
			all := p.people(configured)
			c.claims["sub"] = "u-1"
			got, err := all.person(all.sources[0], c.claims)
			wantCode(t, err, c.code, "boss@b.example")
			if c.want.Issuer, c.want.Subject = p.url, "u-1"; err == nil && got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Each person has an id of his own, whatever the provider calls him.
func TestPersonID(t *testing.T) {
	for subject, want := range map[string]string{
		"auth0|5f": "person:corp:auth0=7c5f", "a=b": "person:corp:a=3db", "로즈": "person:corp:=eb=a1=9c=ec=a6=88",
	} {
		if got := personID("corp", subject); got != want {
			t.Errorf("got %q for %q, want %q", got, subject, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.OneOf(rapid.String(), rapid.StringN(100, 255, 255), rapid.StringMatching(`[a-c=|7]{1,6}`))
		a, b := subject.Draw(t, "a"), subject.Draw(t, "b")
		provider := strings.Repeat("p", signalbox.MaxProviderID)
		one, other := personID(provider, a), personID(provider, b)
		if (a == b) != (one == other) {
			t.Fatalf("%q and %q have the ids %q and %q", a, b, one, other)
		}
		if !signalbox.ValidID(one) {
			t.Fatalf("%q is no id", one)
		}
	})
}
