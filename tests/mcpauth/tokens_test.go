package mcpauth

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// machine gets a token for the client that works by itself, as one that has read the metadata of the resource does.
func (a *authority) machine(t *testing.T, resource string, scopes ...string) string {
	t.Helper()
	c := clientcredentials.Config{
		ClientID: nightJob, ClientSecret: secret, TokenURL: a.url + "/oauth/token", Scopes: scopes,
		EndpointParams: url.Values{"resource": {resource}},
	}
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// sign makes a token with the authority's key: the usual claims with changes, of which nil takes one away.
func (a *authority) sign(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": a.url, "sub": nightJob, "client_id": nightJob, "scope": "tools", "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return oidctest.SignIDToken(a.key.key, a.key.id, "RS256", string(text))
}

// call calls a tool with a token or key.
func call(t testing.TB, i *harness.Instance, path, token, tool string, header ...string) harness.Answer {
	t.Helper()
	header = append(header, "Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-11-25")
	return i.Send(t, http.MethodPost, path, token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{}}}`, header...)
}

const files = "/mcp/files"

// A client that works by itself is the agent that the configuration makes of it: permissions, limits and revocation hold
// for it as for a key.
func TestMachine(t *testing.T) {
	t.Parallel()
	a, u, i := world(t, "token_exchange", "")
	var about struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	r := i.Send(t, http.MethodGet, "/.well-known/oauth-protected-resource/mcp/files", "", "")
	if err := json.Unmarshal([]byte(r.Body), &about); err != nil || len(about.Servers) != 1 || about.Servers[0] != a.url {
		t.Fatalf("got %d %s, %v", r.Status, r.Body, err)
	}
	token := a.machine(t, about.Resource, about.Scopes...)
	for n := range 2 {
		if r := call(t, i, files, token, "whoami"); r.Status != http.StatusOK || !strings.Contains(r.Body, "subject night-job client signalbox") {
			t.Fatalf("call %d: %d %s", n, r.Status, r.Body)
		}
	}
	if u.received(signature(token)) {
		t.Error("the client's token has reached the MCP server")
	}
	if r := call(t, i, files, token, "shred"); !strings.Contains(r.Body, `"forbidden"`) {
		t.Errorf("a tool that it may not use: %d %s", r.Status, r.Body)
	}
	if r := call(t, i, files, token, "whoami", "X-Signalbox-Agent", "coder"); !strings.Contains(r.Body, `"forbidden"`) {
		t.Errorf("as another agent: %d %s", r.Status, r.Body)
	}
	for range 2 { // Of the four that it has a day; what was refused before counts, or does not.
		call(t, i, files, token, "whoami")
	}
	if r := call(t, i, files, token, "whoami"); !strings.Contains(r.Body, `"rate_limited"`) || !strings.Contains(r.Body, "client:corp:night-job") {
		t.Errorf("beyond its limit: %d %s", r.Status, r.Body)
	}
	for _, r := range i.Log(t) {
		if r.Type == signalbox.RecordOutcome && (r.Who.KeyID != "client:corp:night-job" || r.Who.TenantID != "acme" || r.Who.Role != signalbox.RoleAgent) {
			t.Errorf("the record is of %+v", r.Who)
		}
	}
	rewrite(t, i, "    required_scopes:", "    revoked: [night-job]\n    required_scopes:")
	harness.Eventually(t, func() error {
		return unless(call(t, i, files, token, "whoami"), http.StatusUnauthorized, "not let in any more")
	})
	wantNowhere(t, i, token, secret)
}

func rewrite(t *testing.T, i *harness.Instance, before, after string) {
	t.Helper()
	text, err := os.ReadFile(i.Config)
	if err != nil || !strings.Contains(string(text), before) {
		t.Fatalf("the configuration has no %q (%v)", before, err)
	}
	if err := os.WriteFile(i.Config, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is no token for this resource is refused, with what a client needs to get one.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	a, u, i := world(t, "client_credentials", "")
	other := newAuthority(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	challenge := `Bearer resource_metadata="` + i.URL + `/.well-known/oauth-protected-resource/mcp/files", scope="tools"`
	bad := challenge + `, error="invalid_token", error_description="`
	for _, c := range []struct {
		name, token string
		status      int
		challenge   string // Its beginning; "": none.
	}{
		{"none", "", 401, challenge},
		{"for this server", a.sign(t, map[string]any{"aud": i.URL + files}), 200, ""},
		{"for this server, with a slash", a.sign(t, map[string]any{"aud": []string{"x", i.URL + files + "/"}}), 200, ""},
		{"for all servers", a.sign(t, map[string]any{"aud": i.URL + "/mcp"}), 200, ""},
		{"for the instance", a.sign(t, map[string]any{"aud": i.URL}), 200, ""},
		{"for another server", a.sign(t, map[string]any{"aud": i.URL + "/mcp/other"}), 401, bad},
		{"for a path that begins alike", a.sign(t, map[string]any{"aud": i.URL + "/mc"}), 401, bad},
		{"for the server behind", a.sign(t, map[string]any{"aud": u.url}), 401, bad},
		{"for the console", a.sign(t, map[string]any{"aud": "console"}), 401, bad},
		{"for nobody", a.sign(t, nil), 401, bad},
		{"expired", a.sign(t, map[string]any{"aud": i.URL + files, "exp": now.Add(-2 * time.Minute).Unix()}), 401, bad},
		{"not yet good", a.sign(t, map[string]any{"aud": i.URL + files, "nbf": now.Add(time.Hour).Unix()}), 401, bad},
		{"of another issuer", other.sign(t, map[string]any{"aud": i.URL + files}), 401, bad},
		{"in the name of this issuer", oidctest.SignIDToken(stranger, "first", "RS256", `{"iss":"`+a.url+`","aud":"`+i.URL+files+`","sub":"x","client_id":"night-job","scope":"tools","exp":9999999999}`), 401, bad},
		{"an id token", a.sign(t, map[string]any{"aud": i.URL + files, "nonce": "n"}), 401, bad},
		{"an unknown key", "sb_this-is-no-key-of-anybody", 401, bad},
		{"of an unknown client", a.sign(t, map[string]any{"aud": i.URL + files, "client_id": "else"}), 403, ""},
		{"of no client", a.sign(t, map[string]any{"aud": i.URL + files, "client_id": nil}), 403, ""},
		{"without scopes", a.sign(t, map[string]any{"aud": i.URL + files, "scope": nil}), 403, challenge + `, error="insufficient_scope"`},
		{"with other scopes", a.sign(t, map[string]any{"aud": i.URL + files, "scope": "toolsx openid"}), 403, challenge + `, error="insufficient_scope"`},
		{"with scopes in a list", a.sign(t, map[string]any{"aud": i.URL + files, "scope": nil, "scp": []string{"openid", "tools"}}), 429, ""}, // Its limit of calls.
	} {
		t.Run(c.name, func(t *testing.T) {
			r := call(t, i, files, c.token, "whoami")
			got := r.Header.Get("WWW-Authenticate")
			limited := strings.Contains(r.Body, "rate_limited") // In JSON-RPC, where the status is the SDK's.
			if limited && c.status == 429 {
				r.Status = c.status
			}
			if r.Status != c.status || limited != (c.status == 429) || (c.challenge == "") != (got == "") || !strings.HasPrefix(got, c.challenge) {
				t.Errorf("got %d, %s: %s", r.Status, got, r.Body)
			}
			if c.token != "" && strings.Contains(r.Body+got, signature(c.token)) {
				t.Error("the answer repeats the token")
			}
		})
	}
	t.Run("a missing scope is in the log with who lacks it", func(t *testing.T) {
		found := 0
		for _, r := range i.Log(t) {
			if r.Type == signalbox.RecordOutcome && *r.Outcome == signalbox.OutcomeDenied && strings.Contains(r.Error.Message, "scope") && r.Who.KeyID == "client:corp:night-job" {
				found++
			}
		}
		if found != 2 {
			t.Errorf("%d records, want 2", found)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		token := a.sign(t, map[string]any{"aud": i.URL})
		for path, body := range map[string]string{
			"/v1/chat/completions": `{"model":"sim","messages":[{"role":"user","content":"hi"}]}`, "/api/v1/runs": `{"budget":{"total_max_cost_usd":1}}`,
		} {
			if r := i.Send(t, http.MethodPost, path, token, body); r.Status != http.StatusUnauthorized {
				t.Errorf("%s takes it: %d %s", path, r.Status, r.Body)
			}
		}
	})
	t.Run("an API key works as before", func(t *testing.T) {
		if r := call(t, i, files, harness.Agent, "whoami", "X-Signalbox-Agent", "sweeper"); r.Status != http.StatusOK || !strings.Contains(r.Body, "subject signalbox") {
			t.Errorf("got %d %s", r.Status, r.Body)
		}
	})
}

// What resources say of themselves.
func TestMetadata(t *testing.T) {
	t.Parallel()
	a, _, i := world(t, "client_credentials", "")
	const base = "/.well-known/oauth-protected-resource"
	for path, resource := range map[string]string{"": "", "/mcp": "/mcp", "/mcp/files": "/mcp/files", "/mcp/nobody-knows": "/mcp/nobody-knows"} {
		r := i.Send(t, http.MethodGet, base+path, "", "")
		want := `{"resource":"` + i.URL + resource + `","authorization_servers":["` + a.url + `"],"scopes_supported":["tools"],"bearer_methods_supported":["header"],"resource_name":"Signalbox"}`
		if r.Status != http.StatusOK || r.Body != want || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %s, want %s", path, r.Status, r.Body, want)
		}
	}
	for _, path := range []string{"/v1", "/mcp/A", "/mcp/files/more", "/api/v1/runs"} {
		if r := i.Send(t, http.MethodGet, base+path, "", ""); r.Status != http.StatusNotFound {
			t.Errorf("%q: %d %s", path, r.Status, r.Body)
		}
	}
	cards(t, a, i)
	none := harness.Start(t, harness.Options{})
	if r := none.Send(t, http.MethodGet, base+"/mcp", "", ""); r.Status != http.StatusNotFound {
		t.Errorf("without an authorization server: %d %s", r.Status, r.Body)
	}
	if r := call(t, none, files, "", "whoami"); r.Status != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without an authorization server: %d %v", r.Status, r.Header)
	}
	if r := none.Send(t, http.MethodGet, files+"/server-card", "", ""); r.Status != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without an authorization server: %d %v", r.Status, r.Header)
	}
}

// Tokens of a key that is published later are good, and those of one that was withdrawn are not.
func TestRotatedKeys(t *testing.T) {
	t.Parallel()
	a, _, i := world(t, "client_credentials", "")
	claims := map[string]any{"aud": i.URL + files}
	old := a.sign(t, claims)
	if r := call(t, i, files, old, "whoami"); r.Status != http.StatusOK {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
	a.rotate(t, "second")
	next := a.sign(t, claims)
	harness.Eventually(t, func() error { return unless(call(t, i, files, next, "whoami"), http.StatusOK, "") })
	if r := call(t, i, files, old, "whoami"); r.Status != http.StatusUnauthorized {
		t.Errorf("the key that was withdrawn: %d %s", r.Status, r.Body)
	}
}
