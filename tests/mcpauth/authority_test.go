// Package mcpauth runs the real binary between a real authorization server and an MCP server that demands tokens: MCP
// clients that people use and clients that work by themselves get tokens as the protocol has it, call tools with them, and
// Signalbox gets tokens of its own for what it calls.
package mcpauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // The authorization server writes a line for each request.
	// The tests wait most of the time: for keys that are fetched every five seconds, and for tokens that expire.
	if err := flag.Set("test.parallel", atOnce); err != nil { // A flag of the command line wins: it is read later.
		panic(err)
	}
	os.Exit(harness.Main(m))
}

// atOnce is how many tests run at the same time.
const atOnce = "10"

// The clients of the authorization server.
const (
	editor   = "editor"    // An MCP client that people use: public, with PKCE.
	nightJob = "night-job" // One that works by itself.
	gateway  = "signalbox" // Signalbox, toward the MCP server.
	secret   = "the-secret-of-a-client"
	redirect = "http://localhost/callback"
)

// authority is the authorization server. It knows resources (RFC 8707) besides what the example has.
type authority struct {
	*storage.Storage
	url string

	mu       sync.Mutex
	key      signingKey
	life     time.Duration // Of access tokens; 0 is the example's.
	delay    time.Duration // Of the token endpoint.
	requests []url.Values  // To the token endpoint.
}

type resourceKey struct{}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	clients := map[string]*storage.Client{
		editor: storage.NativeClient(editor, redirect), gateway: storage.WebClient(gateway, secret), nightJob: storage.WebClient(nightJob, secret),
	}
	a := &authority{Storage: storage.NewStorageWithClients(storage.NewUserStore(server.URL), clients), url: server.URL}
	a.rotate(t, "first")
	provider := exampleop.SetupServer(server.URL, a, nil, false)
	var outer http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			a.note(r)
		}
		provider.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), resourceKey{}, r.FormValue("resource"))))
	})
	handler.Store(&outer)
	return a
}

// note remembers a request for a token, and takes its time.
func (a *authority) note(r *http.Request) {
	if err := r.ParseForm(); err != nil {
		return
	}
	a.mu.Lock()
	a.requests = append(a.requests, r.PostForm)
	delay := a.delay
	a.mu.Unlock()
	time.Sleep(delay)
}

func (a *authority) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// asked gives the requests to the token endpoint with that grant.
func (a *authority) asked(grant string) (list []url.Values) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if r.Get("grant_type") == grant {
			list = append(list, r)
		}
	}
	return list
}

// signingKey is a key of the authorization server.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

type publicKey struct{ signingKey }

func (k publicKey) Key() any                           { return &k.key.PublicKey }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }

// rotate replaces the key.
func (a *authority) rotate(t *testing.T, id string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a.set(func() { a.key = signingKey{id, key} })
}

// SigningKey signs with the newest.
func (a *authority) SigningKey(context.Context) (op.SigningKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.key, nil
}

// KeySet publishes that one only.
func (a *authority) KeySet(context.Context) ([]op.Key, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return []op.Key{publicKey{a.key}}, nil
}

// jwtClient is a client whose access tokens are JWTs, and who may ask for any scope.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (jwtClient) IsScopeAllowed(string) bool          { return true }

func (c jwtClient) GrantTypes() []oidc.GrantType {
	return append(c.Client.GrantTypes(), oidc.GrantTypeClientCredentials, oidc.GrantTypeTokenExchange)
}

// GetClientByClientID gives a client.
func (a *authority) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := a.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return jwtClient{c}, nil
}

// AuthorizeClientIDSecret checks a client's secret.
func (a *authority) AuthorizeClientIDSecret(_ context.Context, id, given string) error {
	if (id != gateway && id != nightJob) || given != secret {
		return errors.New("invalid secret")
	}
	return nil
}

// ClientCredentials checks a client that works by itself.
func (a *authority) ClientCredentials(ctx context.Context, id, given string) (op.Client, error) {
	if err := a.AuthorizeClientIDSecret(ctx, id, given); err != nil {
		return nil, oidc.ErrInvalidClient().WithDescription("the secret %s is wrong", given) // As careless servers answer.
	}
	return a.GetClientByClientID(ctx, id)
}

// ClientCredentialsTokenRequest makes its token for the resource.
func (a *authority) ClientCredentialsTokenRequest(ctx context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: resource(ctx), Scopes: scopes}, nil
}

func resource(ctx context.Context) oidc.Audience {
	if r, _ := ctx.Value(resourceKey{}).(string); r != "" {
		return oidc.Audience{r}
	}
	return nil
}

// forResource is a login whose token is for the resource.
type forResource struct {
	op.AuthRequest
	audience []string
}

func (r forResource) GetAudience() []string { return r.audience }

// AuthRequestByCode gives the login that a code stands for.
func (a *authority) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := a.Storage.AuthRequestByCode(ctx, code)
	if audience := resource(ctx); err == nil && audience != nil {
		return forResource{r, audience}, nil
	}
	return r, err
}

// CreateAccessToken gives tokens the life that a test wants.
func (a *authority) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	id, expires, err := a.Storage.CreateAccessToken(ctx, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.life != 0 {
		expires = time.Now().Add(a.life)
	}
	return id, expires, err
}

// GetPrivateClaimsFromRequest adds scopes, and the groups of people.
func (a *authority) GetPrivateClaimsFromRequest(_ context.Context, r op.TokenRequest, _ []string) (map[string]any, error) {
	claims := map[string]any{"scope": strings.Join(r.GetScopes(), " ")}
	if r.GetSubject() == "id1" {
		claims["groups"] = []string{"engineers"}
	}
	return claims, nil
}

// ValidateTokenExchangeRequest lets Signalbox, and nobody else, exchange tokens.
func (a *authority) ValidateTokenExchangeRequest(_ context.Context, r op.TokenExchangeRequest) error {
	if r.GetClientID() != gateway {
		return errors.New("not for this client")
	}
	return nil
}

// GetPrivateClaimsFromTokenExchangeRequest says who has exchanged it.
func (a *authority) GetPrivateClaimsFromTokenExchangeRequest(_ context.Context, r op.TokenExchangeRequest) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(r.GetScopes(), " "), "act": map[string]any{"sub": gateway}}, nil
}

var requestID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// logIn is the person at the browser: it goes through the login that an MCP client has begun, and gives the code.
func (a *authority) logIn(person string) auth.AuthorizationCodeFetcher {
	return func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		b := &browser{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
		to, page, err := b.follow(ctx, http.MethodGet, args.URL, nil)
		if err != nil || to != "" {
			return nil, errors.Join(err, errors.New("the login has no page: "+to))
		}
		found := requestID.FindStringSubmatch(page)
		if found == nil {
			return nil, errors.New("the page of the login is: " + page)
		}
		form := url.Values{"username": {person}, "password": {"verysecure"}, "id": {found[1]}}
		to, page, err = b.follow(ctx, http.MethodPost, a.url+"/login/username", form)
		if err != nil || to == "" {
			return nil, errors.Join(err, errors.New("the login ends with: "+page))
		}
		back, err := url.Parse(to)
		if err != nil {
			return nil, err
		}
		q := back.Query()
		return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
	}
}

type browser struct{ *http.Client }

// follow sends a request and follows redirects until a page, or until one leads back to the MCP client.
func (b *browser) follow(ctx context.Context, method, address string, form url.Values) (to, page string, err error) {
	for range 6 {
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
		if err != nil {
			return "", "", err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := b.Do(r)
		if err != nil {
			return "", "", err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		next, locationErr := response.Location()
		switch {
		case err != nil:
			return "", "", err
		case locationErr != nil:
			return "", string(text), nil
		case strings.HasPrefix(next.String(), redirect):
			return next.String(), "", nil
		}
		method, address, form = http.MethodGet, next.String(), nil
	}
	return "", "", errors.New("too many redirects")
}
