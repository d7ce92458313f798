package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// resourceMetadata is how a protected resource describes itself (RFC 9728).
type resourceMetadata struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
	Scopes   []string `json:"scopes_supported,omitempty"`
	Methods  []string `json:"bearer_methods_supported"`
	Name     string   `json:"resource_name"`
}

// protectedResource says where clients of the MCP endpoints get tokens.
func (s *Server) protectedResource(w http.ResponseWriter, r *http.Request) {
	path := s.belowPublic("/" + r.PathValue("path"))
	about, ok := s.keys.people.Resource(path)
	if !ok {
		s.fail(w, r, signalbox.Errorf(signalbox.CodeNotFound, "There is no protected resource of this path that takes tokens.").
			WithRemedy("Use /mcp or /mcp/{server}. Tokens are taken where `clients` of an identity provider are configured."))
		return
	}
	data, err := json.Marshal(resourceMetadata{about.URL, about.Issuers, about.Scopes, []string{"header"}, "Signalbox"})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache") // It changes with the configuration.
	_, _ = w.Write(data)                        // Nobody is left to be told that the client has gone.
}

// belowPublic takes away the path under which a proxy may show this instance: RFC 9728 puts the well-known name before the
// whole path of a resource.
func (s *Server) belowPublic(path string) string {
	path = strings.TrimSuffix(path, "/")
	public, err := url.Parse(s.publicURL())
	if err != nil || public.Path == "" || public.Path == "/" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(public.Path, "/")); ok && (rest == "" || rest[0] == '/') {
		return rest
	}
	return path
}
