package config

import (
	"net/url"

	"github.com/goccy/go-yaml/ast"
)

// Ways to get the credential of an MCP server.
const (
	GrantClientCredentials = "client_credentials"
	GrantTokenExchange     = "token_exchange"
)

// noResource leaves the parameter resource out.
const noResource = "none"

// credentialKey makes the credential where the key is there.
type credentialKey struct{ into **Credential }

func (v credentialKey) read(r *reader, n ast.Node, field string) {
	*v.into = &Credential{}
	credentialTable(*v.into).read(r, n, field)
}

func (v credentialKey) schema() *schemaNode { return credentialTable(&Credential{}).schema() }

func credentialTable(c *Credential) value {
	return object{fields: []field{
		need("grant", "client_credentials: Signalbox's own token; token_exchange: one for each caller (RFC 8693).", oneOf(&c.Grant, GrantClientCredentials, GrantTokenExchange)),
		key("token_url", "The token endpoint; without it, it is found.", tlsEndpoint{&c.TokenURL}),
		key("issuer", "The authorization server to ask; without it, the one that the server names.", tlsEndpoint{&c.Issuer}),
		need("client_id", "The id under which Signalbox is registered there.", textInto(&c.ClientID, label)),
		key("client_secret", "The secret of that registration; best a variable such as ${NAME}.", secret{into: &c.ClientSecret, empty: true}),
		key("auth", "How the secret is sent: basic (a header) or post (the form); without it, as the authorization server says.", oneOf(&c.Auth, "basic", "post")),
		key("scopes", "Scopes to ask for.", listOf(&c.Scopes, func(s *string) value { return textInto(s, scopeText) })),
		key("resource", "The resource that tokens are for (RFC 8707); without it the server's url, none sends no such parameter.", resourceName{&c.Resource}),
		key("audience", "The audience to ask for besides.", textInto(&c.Audience, label)),
		key("subject_token", "With token_exchange: what is exchanged for callers with API keys; without it they are refused.", secret{into: &c.SubjectToken, least: 1}),
	}, check: func(s seen) {
		once(s, "scopes", c.Scopes, "scope")
		if s.has("token_url") {
			s.refuse("is of no use beside token_url", "issuer")
		}
		if c.Grant == GrantClientCredentials {
			s.refuse("belongs to token_exchange", "subject_token")
			if s.has("grant") && c.ClientSecret.IsZero() {
				s.problem("client_secret", "is missing: client credentials are nothing without one", "give the secret of the registration")
			}
		}
	}}
}

// tlsEndpoint is a URL to which secrets are sent.
type tlsEndpoint struct{ into *Endpoint }

func (v tlsEndpoint) read(r *reader, n ast.Node, field string) {
	endpoint{into: v.into, exact: true}.read(r, n, field)
	u, err := url.Parse(v.into.Reveal())
	if err == nil && u.Scheme == "http" && !onThisMachine(u.Hostname()) {
		r.problem(r.place(n, field), "is not https: the secret could be read on its way", "use https; http is for this machine only")
	}
}

func (v tlsEndpoint) schema() *schemaNode { return endpoint{}.schema() }

// resourceName is a URL, or that none is sent.
type resourceName struct{ into *string }

func (v resourceName) read(r *reader, n ast.Node, field string) {
	before := len(r.problems)
	textInto(v.into, label).read(r, n, field)
	if len(r.problems) > before || *v.into == noResource {
		return
	}
	u, err := url.Parse(*v.into)
	if err != nil || u.Scheme == "" || u.Fragment != "" {
		r.problem(r.place(n, field), "is no URI without a fragment", "write it as https://host/path, or none")
	}
}

func (v resourceName) schema() *schemaNode { return textInto(v.into, label).schema() }

// checkCredential reports what a credential can not be together with.
func checkCredential(s seen, m *MCPServer) {
	if !s.has("credential") {
		return
	}
	for name := range m.Headers {
		if canonicalHeader(name) == "Authorization" {
			s.problem("credential", "a server has either a credential or a header Authorization", "remove one")
		}
	}
	u, err := url.Parse(m.URL.Reveal())
	if err == nil && u.Scheme == "http" && !onThisMachine(u.Hostname()) {
		s.problem("credential", "tokens would go to an address without TLS, where they could be read", "give the server an https url; http is for this machine only")
	}
}
