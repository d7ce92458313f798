package people

import (
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// Resource is what a protected resource says of itself (RFC 9728).
type Resource struct {
	URL     string
	Issuers []string // Whose tokens it takes.
	Scopes  []string // That a token needs.
}

// resourcePath is a path that tokens can be for: the instance, all MCP servers, or one of them. Whether that one exists is
// for those to know who have a token.
var resourcePath = regexp.MustCompile(`^(/mcp(/[a-z0-9][a-z0-9-]{0,62})?)?$`)

// Resource describes the MCP endpoint at a path, "" being the instance; false for other paths, and where no provider's tokens
// make calls.
func (p *People) Resource(path string) (Resource, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	r := Resource{URL: p.o.Resource() + path}
	for _, s := range p.sources {
		if !s.callers() {
			continue
		}
		if !slices.Contains(r.Issuers, s.Issuer) {
			r.Issuers = append(r.Issuers, s.Issuer)
		}
		for _, scope := range s.RequiredScopes {
			if !slices.Contains(r.Scopes, scope) {
				r.Scopes = append(r.Scopes, scope)
			}
		}
	}
	return r, len(r.Issuers) > 0 && resourcePath.MatchString(path)
}

// MetadataPath begins the addresses at which protected resources describe themselves.
const MetadataPath = "/.well-known/oauth-protected-resource"

// Challenge gives the header WWW-Authenticate of an answer that refuses a request to a path of the MCP endpoints, "" where
// a token would not help. Presented says that the request had a credential.
func (p *People) Challenge(path string, presented bool, err error) string {
	if !resourcePath.MatchString(path) { // It may have anything in it, which no header is to repeat.
		path = "/mcp"
	}
	r, ok := p.Resource(path)
	code := signalbox.CodeOf(err)
	if !ok || code != signalbox.CodeUnauthenticated && code != signalbox.CodeForbidden {
		return ""
	}
	value := `Bearer resource_metadata="` + p.o.Resource() + MetadataPath + path + `"`
	if len(r.Scopes) > 0 {
		value += `, scope="` + strings.Join(r.Scopes, " ") + `"`
	}
	switch {
	case code == signalbox.CodeForbidden:
		value += `, error="insufficient_scope"`
	case presented:
		value += `, error="invalid_token"`
	default:
		return value
	}
	return value + `, error_description="` + described(signalbox.AsError(err).Message) + `"`
}

// described leaves the characters that RFC 6750 allows.
func described(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return -1
		}
		return r
	}, text)
}
