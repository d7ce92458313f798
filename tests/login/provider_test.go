// Package login runs the real binary with a real OpenID provider and a browser that keeps cookies, and logs people in:
// on one instance, over two replicas, and in all the ways that must not work.
package login

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // The provider writes a line for each request.
	os.Exit(harness.Main(m))
}

// The client that Signalbox is at the provider, and where people reach it.
const (
	clientID = "signalbox"
	secret   = "the-secret-of-the-client"
	public   = "http://signalbox.test"
	callback = public + "/login/corp/callback"
)

// identity is the OpenID provider in this process. Its people are "id1", who decides, and "id2", who has no role.
type identity struct {
	*storage.Storage
	url string
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	clients := map[string]*storage.Client{clientID: storage.WebClient(clientID, secret, callback)}
	i := &identity{storage.NewStorageWithClients(storage.NewUserStore(server.URL), clients), server.URL}
	var router http.Handler = exampleop.SetupServer(server.URL, i, nil, false)
	handler.Store(&router)
	return i
}

// AuthorizeClientIDSecret checks the client's secret.
func (i *identity) AuthorizeClientIDSecret(_ context.Context, id, given string) error {
	if id != clientID || subtle.ConstantTimeCompare([]byte(given), []byte(secret)) != 1 {
		return errors.New("invalid secret")
	}
	return nil
}

// SetUserinfoFromRequest makes the id token.
func (i *identity) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	err := i.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
	groups(info, token.GetSubject())
	return err
}

// SetUserinfoFromToken answers at the userinfo endpoint.
func (i *identity) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, id, subject, origin string) error {
	err := i.Storage.SetUserinfoFromToken(ctx, info, id, subject, origin)
	groups(info, subject)
	return err
}

func groups(info *oidc.UserInfo, subject string) {
	if subject == "id1" {
		info.AppendClaims("realm", map[string]any{"groups": []string{"everybody", "deciders"}})
	}
}

// config is the part of a configuration that knows the provider.
func (i *identity) config() string {
	return fmt.Sprintf(`public_url: %s
oidc:
  - id: corp
    issuer: %s
    client_id: %s
    client_secret: %s
    scopes: [email, profile]
    tenant: acme
    role_claim: realm.groups
    roles: {deciders: approver}
`, public, i.url, clientID, secret)
}

// browser keeps cookies, and finds the public address at the instance that it is sent to.
type browser struct {
	t      *testing.T
	client *http.Client
	target *atomic.Pointer[string]
}

func newBrowser(t *testing.T, at *harness.Instance) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, target: &atomic.Pointer[string]{}}
	b.toward(at)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "signalbox.test:80" {
			address = *b.target.Load()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	b.client = &http.Client{
		Transport: transport, Jar: jar, Timeout: harness.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// toward leads the public address to another instance.
func (b *browser) toward(at *harness.Instance) {
	address := strings.TrimPrefix(at.URL, "http://")
	b.target.Store(&address)
}

// view is what a browser has got.
type view struct {
	status int
	header http.Header
	body   string
	to     string // Where a redirect leads.
}

func (b *browser) do(method, address, body string, header ...string) view {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	v := view{status: response.StatusCode, header: response.Header, body: string(text)}
	if next, err := response.Location(); err == nil {
		v.to = next.String()
	}
	return v
}

func (b *browser) get(address string, header ...string) view {
	b.t.Helper()
	return b.do(http.MethodGet, address, "", header...)
}

// cookie gives a cookie's value that the browser has for Signalbox.
func (b *browser) cookie(name string) string {
	u, err := url.Parse(public)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

var requestID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// consent begins a login, tells the provider who one is, and gives the address that leads back to Signalbox.
func (b *browser) consent(who, to string) string {
	b.t.Helper()
	v := b.get(public + "/login/corp?to=" + url.QueryEscape(to))
	if v.status != http.StatusSeeOther || v.to == "" {
		b.t.Fatalf("the login begins with %d: %s", v.status, v.body)
	}
	issuer, err := url.Parse(v.to)
	if err != nil {
		b.t.Fatal(err)
	}
	form := ""
	for range 5 {
		if v = b.get(v.to); v.to == "" {
			break
		}
	}
	if found := requestID.FindStringSubmatch(v.body); found != nil {
		form = found[1]
	}
	v = b.do(http.MethodPost, issuer.Scheme+"://"+issuer.Host+"/login/username",
		url.Values{"username": {who}, "password": {"verysecure"}, "id": {form}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	for range 5 {
		if strings.HasPrefix(v.to, public) {
			return v.to
		}
		if v.to == "" {
			break
		}
		v = b.get(v.to)
	}
	b.t.Fatalf("the provider answers %d: %s", v.status, v.body)
	return ""
}

// The people of the provider.
const (
	decider  = "test-user@127.0.0.1"
	stranger = "test-user2"
)

// machine is an issuer of plain tokens.
type machine struct {
	url string
	key *rsa.PrivateKey
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k1", Algorithm: coreos.RS256}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.SetIssuer(server.URL)
	return &machine{server.URL, key}
}

func (m *machine) config() string {
	return fmt.Sprintf("  - {id: machines, issuer: %q, client_id: jobs, audience: signalbox-api, tenant: other, role_claim: role, roles: {ops: operator}}\n", m.url)
}

func (m *machine) token(audience string, life time.Duration) string {
	return oidctest.SignIDToken(m.key, "k1", coreos.RS256, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"job|7","role":"ops","exp":%d}`,
		m.url, audience, time.Now().Add(life).Unix()))
}
