package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/signalbox/signalbox"
)

// oidcTable makes the table of one identity provider after another.
func oidcTable() func(*OIDC) value {
	type audience struct{ issuer, audience string }
	lines := map[audience]int{}
	return func(o *OIDC) value {
		return object{fields: slices.Concat(providerFields(o), personFields(o), callerFields(o)), check: func(s seen) {
			checkOIDC(s, o)
			of := audience{o.Issuer.Reveal(), o.TokensFor()}
			first, found := lines[of]
			switch {
			case o.Issuer.IsZero() || of.audience == "": // Reported already.
			case found:
				s.problem("issuer", fmt.Sprintf("its tokens for the same audience belong to the provider on line %d", first), "keep one")
			default:
				lines[of] = s.self.line
			}
		}}
	}
}

// TokensFor gives the audience that tokens for the API must name.
func (o OIDC) TokensFor() string {
	if o.Audience != "" {
		return o.Audience
	}
	return o.ClientID
}

func providerFields(o *OIDC) []field {
	return []field{
		need("id", "Name of the provider, in the address of its login: /login/ID.", textInto(&o.ID, nameText, issuerID, declares(anIssuer))),
		need("issuer", "Its issuer exactly as its tokens name it; https, except on this machine.", issuer{&o.Issuer}),
		need("client_id", "The id under which Signalbox is registered there.", textInto(&o.ClientID, label)),
		key("client_secret", "The secret of that registration; may be empty for a public client.", secret{into: &o.ClientSecret, empty: true}),
		key("audience", "What tokens for the API must name as their audience; without it, the client_id.", textInto(&o.Audience, label)),
		key("scopes", "Scopes to ask for besides openid.", listOf(&o.Scopes, func(s *string) value { return textInto(s, scopeText) })),
	}
}

func personFields(o *OIDC) []field {
	return []field{
		key("tenant", "The tenant of its people, where no claim says another.", textInto(&o.Tenant, refers(aTenant))),
		key("tenant_claim", "The claim that names a person's tenant.", textInto(&o.TenantClaim, claimText)),
		key("team_claim", "The claim that names a person's team.", textInto(&o.TeamClaim, claimText)),
		key("role_claim", "The claim with a person's groups; a.b is the member b of the object a.", textInto(&o.RoleClaim, claimText)),
		key("roles", "Roles by a value of that claim; of several the most powerful one counts.", dictOf(&o.Roles, claimValue, func(_ string, r *signalbox.Role) value {
			return oneOf(r, signalbox.Roles()...)
		})),
		key("default_role", "The role of people without such a value; without it they are refused.", oneOf(&o.DefaultRole, signalbox.Roles()...)),
	}
}

// issuerID is bounded because the names of its people begin with it.
var issuerID = rule{check: func(r *reader, text, _ string, where place) {
	if len(text) > signalbox.MaxProviderID && len(text) <= MaxNameLength { // Beyond that it was reported already.
		r.problem(where, fmt.Sprintf("is longer than %d bytes, and the names of its people begin with it", signalbox.MaxProviderID), "shorten it")
	}
}}

var (
	scopeText = pattern(`[!#-\[\]-~]+`, "a scope without spaces and quotes")
	claimText = pattern(`[^\s.]+(\.[^\s.]+)*`, "the name of a claim, with a dot before each member of an object within")
)

// claimValue is a value of a claim. It is the provider's: spaces and slashes are common.
var claimValue = each(label, rule{check: func(r *reader, text, shown string, where place) {
	if strings.TrimFunc(text, unicode.IsSpace) == "" {
		r.problem(where, shown+" is empty", "write a value of the claim")
	}
}})

func checkOIDC(s seen, o *OIDC) {
	o.Scopes = slices.DeleteFunc(o.Scopes, func(scope string) bool { return scope == "openid" }) // It is always asked for.
	once(s, "scopes", o.Scopes, "scope")
	checkClients(s, o)
	if !s.has("tenant") && !s.has("tenant_claim") && !o.machines() {
		s.problem("tenant", "is missing, and so is tenant_claim: nobody knows whose people these are", "give one of the two")
	}
	switch {
	case !s.has("role_claim") && !s.has("default_role") && o.machines():
	case !s.has("role_claim") && !s.has("default_role"):
		s.problem("role_claim", "is missing, and so is default_role: nobody would have a role", "give one of the two")
	case s.has("role_claim") && len(o.Roles) == 0:
		s.problem("roles", "is missing: no value of role_claim would give a role", "say which value gives which role")
	case !s.has("role_claim"):
		s.refuse("belongs to role_claim", "roles")
	}
}

// issuer is the URL of an identity provider. What its tokens name is compared byte by byte, so it is kept as it is.
type issuer struct{ into *Endpoint }

func (v issuer) read(r *reader, n ast.Node, field string) {
	endpoint{into: v.into, exact: true}.read(r, n, field)
	u, err := url.Parse(v.into.Reveal())
	if err == nil && u.Scheme == "http" && !onThisMachine(u.Hostname()) {
		r.problem(r.place(n, field), "is not https: who can change what it answers can log in as anybody", "use https; http is for this machine only")
	}
}

func (v issuer) schema() *schemaNode { return endpoint{}.schema() }

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}
