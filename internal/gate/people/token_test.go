package people

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/go-jose/go-jose/v4"

	"github.com/signalbox/signalbox"
)

func TestBearer(t *testing.T) {
	p := newIDP(t)
	p.publish(first, curve, weak)
	all := p.people()
	in := func(d time.Duration) int64 { return p.clock.now().Add(d).Unix() }
	for _, c := range []struct {
		name string
		code signalbox.Code
		by   signer
		with map[string]any
	}{
		{"good", "", first, nil},
		{"good by a curve", "", curve, nil},
		{"one of several audiences", "", first, map[string]any{"aud": []string{"other", "signalbox"}}},
		{"expired within the skew", "", first, map[string]any{"exp": in(-Skew + time.Second)}},
		{"expired", "unauthenticated", first, map[string]any{"exp": in(-Skew)}},
		{"no expiry", "unauthenticated", first, map[string]any{"exp": nil}},
		{"expiry as text", "unauthenticated", first, map[string]any{"exp": "tomorrow"}},
		{"expiry beyond all bounds", "unauthenticated", first, map[string]any{"exp": 1e300}},
		{"not yet, within the skew", "", first, map[string]any{"nbf": in(Skew)}},
		{"not yet", "unauthenticated", first, map[string]any{"nbf": in(Skew + time.Second)}},
		{"not before as text", "unauthenticated", first, map[string]any{"nbf": "now"}},
		{"wrong audience", "unauthenticated", first, map[string]any{"aud": "other"}},
		{"no audience", "unauthenticated", first, map[string]any{"aud": nil}},
		{"other issuer", "unauthenticated", first, map[string]any{"iss": "https://evil.example"}},
		{"issuer with a slash", "unauthenticated", first, map[string]any{"iss": p.url + "/"}},
		{"no subject", "unauthenticated", first, map[string]any{"sub": nil}},
		{"empty subject", "unauthenticated", first, map[string]any{"sub": ""}},
		{"key that is not published", "unauthenticated", second, nil},
		{"key that is too weak", "unauthenticated", weak, nil},
		{"logout token", "unauthenticated", first, map[string]any{"events": map[string]any{"logout": map[string]any{}}}},
		{"bound to a key", "unauthenticated", first, map[string]any{"cnf": map[string]any{"jkt": "x"}}},
		{"no group that counts", "forbidden", first, map[string]any{"groups": []string{"staff"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := p.sign(c.by, c.with)
			key, err := all.Bearer(t.Context(), token)
			wantCode(t, err, c.code, token, "rose@example.com", "u-1")
			if err == nil && (key.ID != "person:corp:u-1" || key.User != "rose@example.com" || key.Tenant != "acme" || key.Role != signalbox.RoleApprover) {
				t.Errorf("got %+v", key)
			}
		})
	}
}

// What is no token, or not signed as it must be, is refused however good its claims are.
func TestForgedTokens(t *testing.T) {
	p := newIDP(t)
	all := p.people()
	part := base64.RawURLEncoding.EncodeToString
	claims := p.claims(nil)
	good := p.sign(first, nil)
	bits := strings.Split(good, ".")
	other := strings.Split(p.sign(first, map[string]any{"groups": []string{"admins"}}), ".")
	// The public key as the secret of an HMAC: whoever takes the algorithm from the token takes this for good.
	der, err := x509.MarshalPKIXPublicKey(first.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for name, token := range map[string]string{
		"nothing":             "",
		"dots":                "..",
		"no JSON":             "eyJ.eyJ.x",
		"alg none":            part([]byte(`{"alg":"none"}`)) + "." + part([]byte(claims)) + ".",
		"alg None":            part([]byte(`{"alg":"None"}`)) + "." + part([]byte(claims)) + "." + bits[2],
		"alg none, signed":    part([]byte(`{"alg":"none","kid":"first"}`)) + "." + bits[1] + "." + bits[2],
		"alg HS256":           hmacToken(t, public, claims),
		"no signature":        bits[0] + "." + bits[1] + ".",
		"other claims":        bits[0] + "." + other[1] + "." + bits[2],
		"other signature":     bits[0] + "." + bits[1] + "." + other[2],
		"claims twice":        oidctest.SignIDToken(first.key, first.id, first.alg, strings.Replace(claims, `{`, `{"sub":"boss",`, 1)),
		"claims are a list":   oidctest.SignIDToken(first.key, first.id, first.alg, `[]`),
		"claims are null":     oidctest.SignIDToken(first.key, first.id, first.alg, `null`),
		"too long":            p.sign(first, map[string]any{"x": strings.Repeat("x", MaxToken)}),
		"own key in its head": embedded(t, second, claims),
		"kind of a logout":    typed(t, "logout+jwt", claims),
		"unknown critical":    critical(t, claims),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := all.Bearer(t.Context(), token)
			wantCode(t, err, signalbox.CodeUnauthenticated)
		})
	}
	if _, err := all.Bearer(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"JWT", "at+jwt", "application/at+jwt", "Bearer"} {
		if _, err := all.Bearer(t.Context(), typed(t, jose.ContentType(kind), claims)); err != nil {
			t.Errorf("a token of type %q: %v", kind, err)
		}
	}
}

func serialized(t *testing.T, key jose.SigningKey, o *jose.SignerOptions, claims string) string {
	t.Helper()
	s, err := jose.NewSigner(key, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func hmacToken(t *testing.T, secret []byte, claims string) string {
	t.Helper()
	return serialized(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "first"}}, nil, claims)
}

func embedded(t *testing.T, by signer, claims string) string {
	t.Helper()
	return serialized(t, jose.SigningKey{Algorithm: jose.RS256, Key: by.key}, &jose.SignerOptions{EmbedJWK: true}, claims)
}

func typed(t *testing.T, kind jose.ContentType, claims string) string {
	t.Helper()
	return serialized(t, jose.SigningKey{Algorithm: jose.RS256, Key: first.key}, (&jose.SignerOptions{}).WithType(kind), claims)
}

func critical(t *testing.T, claims string) string {
	t.Helper()
	return serialized(t, jose.SigningKey{Algorithm: jose.RS256, Key: first.key}, (&jose.SignerOptions{}).WithCritical("exp").WithHeader("exp", 1), claims)
}

// Keys come and go: a new one is fetched when a token names it, and one that was withdrawn is good for a while only. However
// many tokens are presented, keys are fetched once per interval.
func TestRotation(t *testing.T) {
	p := newIDP(t)
	all := p.people()
	ask := func(by signer, want signalbox.Code) {
		t.Helper()
		_, err := all.Bearer(t.Context(), p.sign(by, nil))
		wantCode(t, err, want)
	}
	ask(first, "")
	ask(first, "")
	if n := p.fetches(); n != 1 {
		t.Fatalf("the keys were fetched %d times", n)
	}
	p.publish(first, second)
	p.clock.add(KeysInterval)
	ask(second, "")
	ask(first, "")
	if n := p.fetches(); n != 2 {
		t.Fatalf("after a new key they were fetched %d times", n)
	}
	for range 100 {
		ask(curve, signalbox.CodeUnauthenticated)
	}
	if n := p.fetches(); n != 2 {
		t.Fatalf("for strangers they were fetched %d times", n)
	}
	p.publish(second)
	ask(first, "")
	p.clock.add(KeysLife)
	ask(first, signalbox.CodeUnauthenticated)
	ask(second, "")
	t.Run("the provider is down", func(t *testing.T) {
		p.set(func() { p.down = true })
		p.clock.add(2 * KeysLife)
		ask(second, "") // There is nothing newer.
		ask(curve, signalbox.CodeUnavailable)
	})
}

// A provider that is down is asked again after a while, once, whoever needs it.
func TestDiscoveryIsRetried(t *testing.T) {
	p := newIDP(t)
	p.set(func() { p.down = true })
	all := p.people()
	for range 3 {
		_, err := all.Bearer(t.Context(), p.sign(first, nil))
		if e := wantCode(t, err, signalbox.CodeUnavailable); e.RetryAfter == 0 {
			t.Error("nobody is told when to retry")
		}
	}
	p.set(func() { p.down = false })
	_, err := all.Bearer(t.Context(), p.sign(first, nil))
	wantCode(t, err, signalbox.CodeUnavailable) // It was asked just now.
	p.clock.add(DiscoveryRetry)
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() {
			if _, err := all.Bearer(t.Context(), p.sign(first, nil)); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	if p.found != 1 || p.fetches() != 1 {
		t.Errorf("%d discoveries and %d fetches", p.found, p.fetches())
	}
}

// Replaced providers keep what is known of them, unless they have changed.
func TestSet(t *testing.T) {
	p := newIDP(t)
	all := p.people()
	ask := func(want signalbox.Code) {
		t.Helper()
		_, err := all.Bearer(t.Context(), p.sign(first, nil))
		wantCode(t, err, want)
	}
	ask("")
	all.Set([]Provider{p.provider()})
	ask("")
	if p.found != 1 {
		t.Errorf("%d discoveries", p.found)
	}
	changed := p.provider()
	changed.Audience = "api"
	all.Set([]Provider{changed})
	ask(signalbox.CodeUnauthenticated)
	second := p.provider()
	second.ID, second.Tenant = "corp-api", "globex"
	all.Set([]Provider{changed, second})
	key, err := all.Bearer(t.Context(), p.sign(first, nil))
	if err != nil || key.Tenant != "globex" || key.ID != "person:corp:u-1" {
		t.Errorf("got %+v, %v; a person is the same by all providers of the issuer", key, err)
	}
	all.Set(nil)
	ask(signalbox.CodeUnauthenticated)
}
