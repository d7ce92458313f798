package mcpauth

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// config knows the authority, for callers and for the server "files".
func config(a *authority, u *upstream, grant, more string) string {
	return fmt.Sprintf(`oidc:
  - id: corp
    issuer: %[1]s
    client_id: console
    tenant: acme
    role_claim: groups
    roles: {engineers: developer}
    required_scopes: [tools]
    clients:
      editor: {agent: coder, people: true}
      night-job: {agent: sweeper, limits: [{unit: requests, per: day, max: 4}]}
%[4]s
agents:
  - {id: coder, permissions: {tools: [{name: files.whoami, operations: [read], resources: ["*"]}, {name: files.shred, operations: [delete], resources: ["*"]}]}}
  - {id: sweeper, permissions: {tools: [{name: "files.*", operations: [read], resources: ["*"]}]}}
approvals: {rules: [{tool: files.shred, approvers: 1, role: developer}]}
mcp_servers:
  files:
    url: %[2]s
    tools: {whoami: {operation: read}, shred: {operation: delete}}
    credential:
      grant: %[3]s
      client_id: signalbox
      client_secret: %[5]s
      audience: %[2]s
`, a.url, u.url, grant, more, secret)
}

// world is an instance between the two.
func world(t *testing.T, grant, more string) (*authority, *upstream, *harness.Instance) {
	t.Helper()
	a := newAuthority(t)
	u := newUpstream(t, a)
	return a, u, harness.Start(t, harness.Options{Config: harness.Simulated + config(a, u, grant, more)})
}

// source remembers the tokens that a client uses.
type source struct {
	oauth2.TokenSource
	mu   sync.Mutex
	used string
}

func (s *source) Token() (*oauth2.Token, error) {
	t, err := s.TokenSource.Token()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.used = t.AccessToken
	}
	return t, err
}

// connect lets a person use an MCP client, which knows nothing but the address: it is refused, reads where tokens come from,
// sends the person there, and comes back with a token.
func connect(t *testing.T, a *authority, endpoint, person string) (*sdk.ClientSession, *source, error) {
	t.Helper()
	kept := &source{}
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: editor}, RedirectURL: redirect, AuthorizationCodeFetcher: a.logIn(person),
		NewTokenSource: func(ctx context.Context, c *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
			kept.TokenSource = c.TokenSource(ctx, token)
			return kept, nil
		},
		// The example's provider wants openid, whatever else is asked for.
		ScopeFilter: func(found []string) []string { return append([]string{"openid"}, found...) },
		Client:      &http.Client{Timeout: harness.Patience},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := sdk.NewClient(&sdk.Implementation{Name: "editor", Version: "1"}, nil)
	s, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: endpoint, OAuthHandler: handler, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, kept, err
}

// text gives what a tool says.
func text(r *sdk.CallToolResult) string {
	for _, c := range r.Content {
		if t, ok := c.(*sdk.TextContent); ok {
			return t.Text
		}
	}
	return ""
}

// A person uses an MCP client; the server behind Signalbox knows on whose behalf it is called, and never sees his token.
func TestPerson(t *testing.T) {
	t.Parallel()
	a, u, i := world(t, "token_exchange", "")
	s, kept, err := connect(t, a, i.URL+"/mcp/files", "test-user@127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "whoami"})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(r), "subject id1 client signalbox"; got != want {
			t.Errorf("the tool says %q, want %q", got, want)
		}
	}
	asked := a.asked("authorization_code")
	if len(asked) != 1 || asked[0].Get("resource") != i.URL+"/mcp/files" || asked[0].Get("code_verifier") == "" {
		t.Errorf("the client has asked for its token with %v", asked)
	}
	exchanged := a.asked("urn:ietf:params:oauth:grant-type:token-exchange")
	if len(exchanged) != 1 || exchanged[0].Get("subject_token") != kept.used || exchanged[0].Get("resource") != u.url || exchanged[0].Get("audience") != u.url {
		t.Errorf("Signalbox has exchanged %d times: %v", len(exchanged), exchanged)
	}
	if kept.used == "" || u.received(signature(kept.used)) {
		t.Error("the person's token has reached the MCP server, or there was none")
	}
	ours := 0
	for _, token := range u.tokens() {
		if u.received(signature(token)) {
			ours++
		}
	}
	if ours != 2 { // Of Signalbox itself for the list, and of the person.
		t.Errorf("the server has taken %d tokens", ours)
	}
	found := 0
	for _, r := range i.Log(t) {
		if r.Type != signalbox.RecordOutcome {
			continue
		}
		found++
		if r.Who.KeyID != "person:corp:id1" || r.Who.AgentID != "coder" || r.Who.TenantID != "acme" || r.Who.Role != signalbox.RoleDeveloper || r.Outcome == nil || *r.Outcome != signalbox.OutcomeOK {
			t.Errorf("the record is of %+v", r)
		}
	}
	if found != 3 {
		t.Errorf("%d calls are in the log", found)
	}
	wantNowhere(t, i, kept.used, secret)
	t.Run("who has no role", func(t *testing.T) {
		_, _, err := connect(t, a, i.URL+"/mcp/files", "test-user2")
		if err == nil || !strings.Contains(err.Error(), "no role") && !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("got %v", err)
		}
	})
}

// wantNowhere checks that secrets are neither in the process's log nor in its database.
func wantNowhere(t *testing.T, i *harness.Instance, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(s, ".") {
			s = signature(s)
		}
		if strings.Contains(i.Stderr(), s) {
			t.Errorf("the log of the process shows %q", s)
		}
		if inFiles(t, i.Dir, s) {
			t.Errorf("a file of the instance has %q", s)
		}
	}
}
