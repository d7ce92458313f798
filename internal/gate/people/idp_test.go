package people

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// signer is a key of a provider.
type signer struct {
	id  string
	alg string
	key crypto.Signer
}

var (
	first  = signer{"first", oidc.RS256, rsaKey(2048)}
	second = signer{"second", oidc.RS256, rsaKey(2048)}
	curve  = signer{"curve", oidc.ES256, curveKey()}
	weak   = signer{"weak", oidc.RS256, rsaKey(1024)}
)

func rsaKey(bits int) crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, bits) // One of them is to be refused for its size.
	if err != nil {
		panic(err)
	}
	return k
}

func curveKey() crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// idp is an identity provider in this process, over real HTTP.
type idp struct {
	t     *testing.T
	url   string
	clock *clock

	mu       sync.Mutex
	oidc     oidctest.Server
	down     bool
	fetched  int // Of the keys.
	found    int // Discoveries.
	token    func(form url.Values) (status int, body string)
	userinfo string // "": none.
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	p := &idp{t: t, clock: &clock{at: noon}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	p.oidc.SetIssuer(server.URL)
	p.publish(first)
	return p
}

// publish replaces the keys.
func (p *idp) publish(keys ...signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.oidc.PublicKeys = nil
	for _, k := range keys {
		p.oidc.PublicKeys = append(p.oidc.PublicKeys, oidctest.PublicKey{PublicKey: k.key.Public(), KeyID: k.id, Algorithm: k.alg})
	}
}

func (p *idp) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *idp) fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down:
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/token":
		if err := r.ParseForm(); err != nil {
			p.t.Error(err)
		}
		status, body := p.token(r.Form)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	case r.URL.Path == "/me":
		_, _ = w.Write([]byte(p.userinfo))
	case r.URL.Path == "/keys":
		p.fetched++
		p.oidc.ServeHTTP(w, r)
	case p.userinfo != "":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(strings.NewReplacer("URL", p.url).Replace(
			`{"issuer":"URL","authorization_endpoint":"URL/auth","token_endpoint":"URL/token","jwks_uri":"URL/keys","userinfo_endpoint":"URL/me"}`)))
	default:
		p.found++
		p.oidc.ServeHTTP(w, r)
	}
}

// sign makes a token: the usual claims with changes, of which nil takes one away.
func (p *idp) sign(k signer, changes map[string]any) string {
	p.t.Helper()
	return oidctest.SignIDToken(k.key, k.id, k.alg, p.claims(changes))
}

func (p *idp) claims(changes map[string]any) string {
	p.t.Helper()
	c := map[string]any{
		"iss": p.url, "aud": "signalbox", "sub": "u-1", "exp": p.clock.now().Add(time.Hour).Unix(),
		"email": "rose@example.com", "email_verified": true, "groups": []string{"staff", "deciders"},
	}
	for name, value := range changes {
		if value == nil {
			delete(c, name)
			continue
		}
		c[name] = value
	}
	text, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// provider is how the provider is configured, unless a test says otherwise.
func (p *idp) provider() Provider {
	return Provider{
		ID: "corp", Issuer: p.url, ClientID: "signalbox", Tenant: "acme", RoleClaim: "groups",
		Roles: map[string]signalbox.Role{"deciders": signalbox.RoleApprover, "admins": signalbox.RoleAdmin, "devs": signalbox.RoleDeveloper},
	}
}

// people knows the provider's people.
func (p *idp) people(providers ...Provider) *People {
	p.t.Helper()
	all := New(Options{Now: p.clock.now, Tenants: func() []string { return []string{"acme", "globex"} }, Seal: [32]byte{1}})
	p.t.Cleanup(all.Close)
	if len(providers) == 0 {
		providers = []Provider{p.provider()}
	}
	all.Set(providers)
	return all
}

func wantCode(t *testing.T, err error, want signalbox.Code, secrets ...string) *signalbox.Error {
	t.Helper()
	if got := signalbox.CodeOf(err); got != want {
		t.Fatalf("got code %q (%v), want %q", got, err, want)
	}
	if err == nil {
		return nil
	}
	e := signalbox.AsError(err)
	if e.Message == "" || e.Remedy == "" {
		t.Errorf("an error without message or remedy: %+v", e)
	}
	if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(e.Error(), s) }) {
		t.Errorf("the error tells what it must not: %v", e)
	}
	return e
}
