package mcpauth

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

// cards looks at what describes the servers: a token opens it as it opens the endpoints that it is about, and who has none is
// told where it gets one.
func cards(t *testing.T, a *authority, i *harness.Instance) {
	const catalog, list, joint, card = "/.well-known/ai-catalog.json", "/v0.1/servers", "/mcp/server-card", "/mcp/files/server-card"
	about := `resource_metadata="` + i.URL + `/.well-known/oauth-protected-resource`
	for path, resource := range map[string]string{catalog: "/mcp", list: "/mcp", joint: "/mcp", card: "/mcp/files"} {
		for name, c := range map[string]struct {
			token     string
			status    int
			challenge string
		}{
			"none":                {"", 401, about + resource + `", scope="tools"`},
			"for all servers":     {a.machine(t, i.URL+"/mcp", "tools"), 200, ""},
			"for the instance":    {a.machine(t, i.URL, "tools"), 200, ""},
			"without its scope":   {a.machine(t, i.URL+"/mcp"), 403, `error="insufficient_scope"`},
			"for another server":  {a.machine(t, i.URL+"/mcp/mail", "tools"), 401, `error="invalid_token"`},
			"for the server only": {a.machine(t, i.URL+"/mcp/files", "tools"), map[bool]int{true: 200, false: 401}[path == card], ""},
		} {
			r := i.Send(t, http.MethodGet, path, c.token, "")
			if r.Status != c.status || !strings.Contains(r.Header.Get("WWW-Authenticate"), c.challenge) || (r.Status == 200) != strings.Contains(r.Body, "files") && path != joint {
				t.Errorf("%s with a token %s: %d %s %v", path, name, r.Status, r.Body, r.Header)
			}
		}
	}
	if r := i.Send(t, http.MethodGet, card, a.machine(t, i.URL+"/mcp", "tools"), ""); strings.Contains(r.Body, `"isRequired":true,"isSecret":true,"value":"Bearer`) {
		t.Errorf("the card demands a key, where tokens are taken: %s", r.Body)
	}
}
