package credential

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

const (
	wellKnownResource = "/.well-known/oauth-protected-resource"
	named             = `{"resource":"URL/mcp","authorization_servers":["URL"]}`
	described         = `{"issuer":"URL","token_endpoint":"URL/token"}`
)

func TestFind(t *testing.T) {
	found := map[string]string{wellKnownResource + "/mcp": named, "/.well-known/oauth-authorization-server": described}
	with := func(changes ...string) map[string]string {
		pages := map[string]string{}
		for path, page := range found {
			pages[path] = page
		}
		for i := 0; i < len(changes); i += 2 {
			if pages[changes[i]] = changes[i+1]; changes[i+1] == "" {
				delete(pages, changes[i])
			}
		}
		return pages
	}
	as := "/.well-known/oauth-authorization-server"
	for _, c := range []struct {
		name     string
		pages    map[string]string
		change   func(*Config)
		header   string // Of the challenge.
		want     string // Of the error; "": there is none.
		resource string
	}{
		{"at the path", found, nil, "", "", "URL/mcp"},
		{"at the root", with(wellKnownResource+"/mcp", "", wellKnownResource, `{"resource":"URL","authorization_servers":["URL"]}`), nil, "", "", "URL"},
		{"by the challenge", with(wellKnownResource+"/mcp", "", "/about", named), nil, `Bearer realm="x", resource_metadata="URL/about"`, "", "URL/mcp"},
		{"by OpenID", with(as, "", "/.well-known/openid-configuration", described), nil, "", "", "URL/mcp"},
		{"of a tenant", with(wellKnownResource+"/mcp", `{"resource":"URL/mcp","authorization_servers":["URL/acme"]}`, as, "", as+"/acme", `{"issuer":"URL/acme","token_endpoint":"URL/token"}`), nil, "", "", "URL/mcp"},
		{"of a tenant, by OpenID", with(wellKnownResource+"/mcp", `{"resource":"URL/mcp","authorization_servers":["URL/acme"]}`, as, "", "/acme/.well-known/openid-configuration", `{"issuer":"URL/acme","token_endpoint":"URL/token"}`), nil, "", "", "URL/mcp"},
		{"the configured issuer", with(wellKnownResource+"/mcp", ""), func(c *Config) { c.Issuer = strings.TrimSuffix(c.URL, "/mcp") }, "", "", "URL/mcp"},
		{"the configured resource", found, func(c *Config) { c.Resource = "urn:x" }, "", "", "urn:x"},
		{"no description", nil, nil, "", "does not say which authorization server", ""},
		{"of another resource", with(wellKnownResource+"/mcp", `{"resource":"https://else.example/mcp","authorization_servers":["URL"]}`), nil, "", "another resource", ""},
		{"of a resource that begins alike", with(wellKnownResource+"/mcp", `{"resource":"URL/mc","authorization_servers":["URL"]}`), nil, "", "another resource", ""},
		{"of no resource", with(wellKnownResource+"/mcp", `{"authorization_servers":["URL"]}`), nil, "", "another resource", ""},
		{"without a server", with(wellKnownResource+"/mcp", `{"resource":"URL/mcp"}`), nil, "", "names no authorization server", ""},
		{"a server without TLS", with(wellKnownResource+"/mcp", `{"resource":"URL/mcp","authorization_servers":["http://10.0.0.1"]}`), nil, "", "names no authorization server", ""},
		{"a server that is a file", with(wellKnownResource+"/mcp", `{"resource":"URL/mcp","authorization_servers":["file:///etc/passwd"]}`), nil, "", "names no authorization server", ""},
		{"no JSON", with(wellKnownResource+"/mcp", `<html>`), nil, "", "no document that can be read", ""},
		{"twice the same member", with(wellKnownResource+"/mcp", `{"resource":"URL/mcp","authorization_servers":["URL"],"authorization_servers":["http://127.0.0.1:1"]}`), nil, "", "no document that can be read", ""},
		{"an authorization server that is silent", with(as, ""), nil, "", "does not describe itself", ""},
		{"one of another name", with(as, `{"issuer":"https://else.example","token_endpoint":"URL/token"}`), nil, "", "another name", ""},
		{"one without a token endpoint", with(as, `{"issuer":"URL"}`), nil, "", "no token endpoint", ""},
		{"one whose token endpoint has no TLS", with(as, `{"issuer":"URL","token_endpoint":"http://10.0.0.1/token"}`), nil, "", "no token endpoint", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.pages = c.pages
			if c.header != "" {
				p.headers = map[string][]string{"Www-Authenticate": {strings.ReplaceAll(c.header, "URL", p.server.URL)}}
			}
			s := p.source(func(config *Config) {
				if config.TokenURL = ""; c.change != nil {
					c.change(config)
				}
			})
			if c.want != "" {
				_, err := s.Authorization(t.Context(), nil)
				wantCode(t, err, signalbox.CodeUpstream, c.want)
				if len(p.requests()) != 0 {
					t.Error("the secret was sent")
				}
				return
			}
			wantToken(t, s, nil, "token-1")
			if got, want := p.requests()[0].Get("resource"), strings.ReplaceAll(c.resource, "URL", p.server.URL); got != want {
				t.Errorf("got a token for %q, want %q", got, want)
			}
		})
	}
}

// How Signalbox says who it is follows from what the authorization server knows.
func TestStyle(t *testing.T) {
	for methods, post := range map[string]bool{
		``: false, `["client_secret_basic"]`: false, `["client_secret_post"]`: true, `["client_secret_post","client_secret_basic"]`: false,
	} {
		t.Run(methods, func(t *testing.T) {
			p := newPlace(t)
			page := described
			if methods != "" {
				page = strings.TrimSuffix(described, "}") + `,"token_endpoint_auth_methods_supported":` + methods + "}"
			}
			p.pages = map[string]string{wellKnownResource + "/mcp": named, "/.well-known/oauth-authorization-server": page}
			wantToken(t, p.source(func(c *Config) { c.TokenURL = "" }), nil, "token-1")
			if got := p.requests()[0].Get("client_secret") != ""; got != post || (p.auth[0] == "") != post {
				t.Errorf("the secret is in the form: %v, want %v", got, post)
			}
		})
	}
}

// What was found is believed for a while, and used for longer where it can not be found again; a failure is, too.
func TestFoundForAWhile(t *testing.T) {
	p := newPlace(t)
	s := p.source(func(c *Config) { c.TokenURL = "" })
	_, err := s.Authorization(t.Context(), nil)
	wantCode(t, err, signalbox.CodeUpstream)
	asked := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(slices.DeleteFunc(slices.Clone(p.seen), func(path string) bool { return path == "/token" }))
	}
	before := asked()
	p.add(FailurePause)
	_, err = s.Authorization(t.Context(), nil)
	if wantCode(t, err, signalbox.CodeUpstream); asked() != before {
		t.Error("it was looked for again at once")
	}
	p.set(func() {
		p.pages = map[string]string{wellKnownResource + "/mcp": named, "/.well-known/oauth-authorization-server": described}
	})
	p.add(DiscoveryPause)
	wantToken(t, s, nil, "token-1")
	before = asked()
	p.add(DiscoveryLife / 2)
	if wantToken(t, s, nil, "token-2"); asked() != before {
		t.Error("what was found is looked for again")
	}
	p.set(func() { p.pages, p.missing = nil, http.StatusBadGateway })
	p.add(DiscoveryLife)
	if wantToken(t, s, nil, "token-3"); asked() == before {
		t.Error("it was not looked for again")
	}
}

// A server elsewhere names no authorization server on this machine.
func TestSafe(t *testing.T) {
	for _, c := range []struct {
		server, issuer, address string
		want                    bool
	}{
		{"https://files.example/mcp", "", "https://login.example", true},
		{"https://files.example/mcp", "", "http://login.example", false},
		{"https://files.example/mcp", "", "http://127.0.0.1:8500", false},
		{"https://files.example/mcp", "", "https://localhost", false},
		{"https://files.example/mcp", "", "https://[::1]:8443", false},
		{"https://files.example/mcp", "http://127.0.0.1:9000", "http://127.0.0.1:9000/token", true},
		{"http://127.0.0.1:9000/mcp", "", "http://127.0.0.1:9001", true},
		{"http://127.0.0.1:9000/mcp", "", "http://[::ffff:127.0.0.1]:9001", true},
		{"http://127.0.0.1:9000/mcp", "", "http://169.254.169.254/latest", false},
		{"http://127.0.0.1:9000/mcp", "", "gopher://127.0.0.1", false},
		{"https://files.example/mcp", "", "https://user:x@login.example", false},
		{"https://files.example/mcp", "", "https://", false},
		{"https://files.example/mcp", "", "login.example", false},
		{"https://files.example/mcp", "", "", false},
	} {
		s := &Source{Config: Config{URL: c.server, Issuer: c.issuer}}
		if got := s.safe(c.address); got != c.want {
			t.Errorf("%s for %s (%s): got %v", c.address, c.server, c.issuer, got)
		}
	}
}
