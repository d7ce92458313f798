package mcpauth

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// upstream is an MCP server that demands tokens of the authority, for itself.
type upstream struct {
	url  string // Of its endpoint.
	host string

	mu    sync.Mutex
	wire  bytes.Buffer // All that it has received, heads and bodies.
	known []string     // Tokens that it has taken.
	bad   []string     // Tokens that it does not take any more.
}

func newUpstream(t *testing.T, a *authority) *upstream {
	t.Helper()
	u := &upstream{}
	server := sdk.NewServer(&sdk.Implementation{Name: "files", Version: "1"}, nil)
	about := func(text func(*auth.TokenInfo) string) sdk.ToolHandler {
		return func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text(r.Extra.TokenInfo)}}}, nil
		}
	}
	whoami := about(func(i *auth.TokenInfo) string {
		return fmt.Sprint("subject ", i.UserID, " client ", i.Extra["client_id"])
	})
	for _, name := range []string{"whoami", "shred"} {
		server.AddTool(&sdk.Tool{Name: name, InputSchema: map[string]any{"type": "object"}}, whoami)
	}
	mux := http.NewServeMux()
	keys := oidc.NewRemoteKeySet(context.Background(), a.url+"/keys")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.receive(r)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	u.host, u.url = s.URL, s.URL+"/mcp"
	verify := func(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return u.verify(ctx, keys, a, token)
	}
	handler := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
	mux.Handle("/mcp", auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{ResourceMetadataURL: s.URL + "/about"})(handler))
	mux.Handle("/about", auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{Resource: u.url, AuthorizationServers: []string{a.url}}))
	return u
}

// receive keeps what comes in.
func (u *upstream) receive(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	u.mu.Lock()
	defer u.mu.Unlock()
	fmt.Fprintf(&u.wire, "%s %s\n", r.Method, r.URL)
	_ = r.Header.Write(&u.wire)
	u.wire.Write(body)
}

// received reports whether a text has ever reached it.
func (u *upstream) received(text string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return bytes.Contains(u.wire.Bytes(), []byte(text))
}

// refuse makes it refuse all tokens that it has taken so far.
func (u *upstream) refuse() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bad = slices.Clone(u.known)
}

// tokens gives those that it has taken.
func (u *upstream) tokens() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.known)
}

// verify is what a server must do with a token: signature, issuer, time, and that it is for this server.
func (u *upstream) verify(ctx context.Context, keys oidc.KeySet, a *authority, token string) (*auth.TokenInfo, error) {
	v := oidc.NewVerifier(a.url, keys, &oidc.Config{ClientID: u.url})
	t, err := v.Verify(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.Contains(u.bad, token) {
		return nil, auth.ErrInvalidToken
	}
	if !slices.Contains(u.known, token) {
		u.known = append(u.known, token)
	}
	return &auth.TokenInfo{UserID: t.Subject, Expiration: t.Expiry, Extra: claims}, nil
}

// signature gives the part of a token by which it would be recognised in any form that has it.
func signature(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }
