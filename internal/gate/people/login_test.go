package people

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/signalbox/signalbox"
)

const redirect = "https://signalbox.example/login/corp/callback"

// begin begins a login and gives what the provider is asked.
func begin(t *testing.T, all *People, to string) (Begun, url.Values) {
	t.Helper()
	b, err := all.Begin(t.Context(), "corp", redirect, to)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(b.Address)
	if err != nil {
		t.Fatal(err)
	}
	return b, u.Query()
}

// grant lets the provider give a token for a code.
func (p *idp) grant(token string) {
	p.set(func() {
		p.token = func(url.Values) (int, string) {
			return 200, fmt.Sprintf(`{"access_token":"at","token_type":"Bearer","id_token":%q}`, token)
		}
	})
}

func TestLogin(t *testing.T) {
	p := newIDP(t)
	all := p.people(func() Provider { c := p.provider(); c.Scopes = []string{"email", "openid"}; return c }())
	b, asked := begin(t, all, "/approvals?state=pending")
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "signalbox", "redirect_uri": redirect, "scope": "openid email", "code_challenge_method": "S256",
	} {
		if got := asked.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(b.Cookie, asked.Get("state")) || len(asked.Get("state")) < 20 || len(asked.Get("nonce")) < 20 {
		t.Errorf("state %q, nonce %q", asked.Get("state"), asked.Get("nonce"))
	}
	p.set(func() {
		p.token = func(form url.Values) (int, string) {
			if oauth2.S256ChallengeFromVerifier(form.Get("code_verifier")) != asked.Get("code_challenge") {
				t.Error("the verifier is not that of the challenge")
			}
			if form.Get("code") != "c1" || form.Get("redirect_uri") != redirect || form.Get("client_id") != "signalbox" {
				t.Errorf("got %v", form)
			}
			return 200, fmt.Sprintf(`{"access_token":"at","token_type":"Bearer","id_token":%q}`, p.sign(first, map[string]any{"nonce": asked.Get("nonce")}))
		}
	})
	back := url.Values{"code": {"c1"}, "state": {asked.Get("state")}, "iss": {p.url}}
	done, err := all.Finish(t.Context(), "corp", redirect, back, b.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	if want := (signalbox.Person{Issuer: p.url, Subject: "u-1", User: "rose@example.com", Tenant: "acme", Role: "approver"}); done.Person != want {
		t.Errorf("got %+v, want %+v", done.Person, want)
	}
	if done.To != "/approvals?state=pending" || done.Key.ID != "person:corp:u-1" {
		t.Errorf("got %+v", done)
	}
	if key, ok := all.Key(done.Person); !ok || key.ID != done.Key.ID || key.User != done.Key.User {
		t.Errorf("later the person is %+v, %v", key, ok)
	}
	_, err = all.Finish(t.Context(), "corp", redirect, back, b.Cookie)
	if e := wantCode(t, err, signalbox.CodeUnauthenticated); !strings.Contains(e.Message, "used") {
		t.Errorf("a login that is replayed: %v", e)
	}
}

// Whatever is wrong with the way back, nobody is logged in.
func TestLoginRefused(t *testing.T) {
	p := newIDP(t)
	for _, c := range []struct {
		name   string
		code   signalbox.Code
		query  map[string]string // Changes what comes back; "-" takes something away.
		cookie func(all *People, own string) string
		token  func(nonce string) string
		wait   time.Duration
	}{
		{name: "good", code: ""},
		{name: "good after a while", code: "", wait: LoginLife - time.Second},
		{name: "too late", code: "unauthenticated", wait: LoginLife},
		{name: "no cookie", code: "unauthenticated", cookie: func(*People, string) string { return "" }},
		{name: "cookie cut", code: "unauthenticated", cookie: func(_ *People, own string) string { return own[:len(own)-2] }},
		{name: "cookie made up", code: "unauthenticated", cookie: func(*People, string) string { return "eyJzdGF0ZSI6IngifQ" }},
		{name: "cookie far too long", code: "unauthenticated", cookie: func(*People, string) string { return strings.Repeat("A", 10_000) }},
		{name: "cookie of another login", code: "unauthenticated", cookie: func(all *People, _ string) string {
			b, _ := begin(t, all, "")
			return b.Cookie
		}},
		{name: "cookie of another instance", code: "unauthenticated", cookie: func(*People, string) string {
			other := New(Options{Now: p.clock.now, Tenants: func() []string { return nil }, Seal: [32]byte{2}})
			defer other.Close()
			other.Set([]Provider{p.provider()})
			b, _ := begin(t, other, "")
			return b.Cookie
		}},
		{name: "foreign state", code: "unauthenticated", query: map[string]string{"state": "x"}},
		{name: "no state", code: "unauthenticated", query: map[string]string{"state": "-"}},
		{name: "no code", code: "unauthenticated", query: map[string]string{"code": "-"}},
		{name: "other issuer", code: "unauthenticated", query: map[string]string{"iss": "https://evil.example"}},
		{name: "refused there", code: "unauthenticated", query: map[string]string{"error": "access_denied", "error_description": "you fool"}},
		{name: "refused oddly", code: "unauthenticated", query: map[string]string{"error": "<script>"}},
		{name: "wrong nonce", code: "unauthenticated", token: func(string) string { return p.sign(first, map[string]any{"nonce": "x"}) }},
		{name: "no nonce", code: "unauthenticated", token: func(string) string { return p.sign(first, nil) }},
		{name: "other client", code: "unauthenticated", token: func(n string) string { return p.sign(first, map[string]any{"nonce": n, "aud": "other"}) }},
		{name: "other issuer with the same keys", code: "unauthenticated", token: func(n string) string {
			return p.sign(first, map[string]any{"nonce": n, "iss": p.url + "/other"})
		}},
		{name: "other party", code: "unauthenticated", token: func(n string) string {
			return p.sign(first, map[string]any{"nonce": n, "aud": []string{"signalbox", "other"}, "azp": "other"})
		}},
		{name: "expired", code: "unauthenticated", token: func(n string) string {
			return p.sign(first, map[string]any{"nonce": n, "exp": p.clock.now().Add(-time.Hour).Unix()})
		}},
		{name: "signed by nobody", code: "unauthenticated", token: func(n string) string { return p.sign(second, map[string]any{"nonce": n}) }},
		{name: "no id token", code: "unauthenticated", token: func(string) string { return "" }},
		{name: "no role", code: "forbidden", token: func(n string) string { return p.sign(first, map[string]any{"nonce": n, "groups": nil}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := p.people()
			b, asked := begin(t, all, "")
			back := url.Values{"code": {"c1"}, "state": {asked.Get("state")}}
			for name, value := range c.query {
				back.Set(name, value)
				if value == "-" {
					back.Del(name)
				}
			}
			cookie := b.Cookie
			if c.cookie != nil {
				cookie = c.cookie(all, cookie)
			}
			p.clock.add(c.wait)
			token := p.sign(first, map[string]any{"nonce": asked.Get("nonce")})
			if c.token != nil {
				token = c.token(asked.Get("nonce"))
			}
			p.grant(token)
			done, err := all.Finish(t.Context(), "corp", redirect, back, cookie)
			wantCode(t, err, c.code, "you fool", "<script>", "rose@example.com", "eyJ", asked.Get("state"))
			if c.code != "" && (done.Person != signalbox.Person{} || done.Key.ID != "") {
				t.Errorf("got %+v", done)
			}
		})
	}
}

// The answer of one provider does not end a login at another.
func TestLoginsAreNotMixedUp(t *testing.T) {
	p := newIDP(t)
	other := p.provider()
	other.ID, other.Tenant = "partner", "globex"
	all := p.people(p.provider(), other)
	b, asked := begin(t, all, "")
	p.grant(p.sign(first, map[string]any{"nonce": asked.Get("nonce")}))
	back := url.Values{"code": {"c1"}, "state": {asked.Get("state")}}
	_, err := all.Finish(t.Context(), "partner", redirect, back, b.Cookie)
	wantCode(t, err, signalbox.CodeUnauthenticated)
	_, err = all.Finish(t.Context(), "nobody", redirect, back, b.Cookie)
	wantCode(t, err, signalbox.CodeNotFound)
	_, err = all.Begin(t.Context(), "nobody", redirect, "")
	wantCode(t, err, signalbox.CodeNotFound)
	if _, err := all.Finish(t.Context(), "corp", redirect, back, b.Cookie); err != nil {
		t.Error(err)
	}
}

// What the token endpoint answers becomes an error that says who can do something about it.
func TestExchangeErrors(t *testing.T) {
	p := newIDP(t)
	all := p.people()
	for _, c := range []struct {
		name, body string
		status     int
		code       signalbox.Code
	}{
		{"code used", `{"error":"invalid_grant","error_description":"secret words"}`, 400, "unauthenticated"},
		{"client unknown", `{"error":"invalid_client"}`, 401, "unavailable"},
		{"something else", `{"error":"invalid_scope"}`, 400, "unauthenticated"},
		{"no protocol", `secret words`, 500, "unavailable"},
		{"no JSON", `<html>`, 200, "unavailable"},
		{"no token", `{}`, 200, "unavailable"},
		{"endless", `{"access_token":"` + strings.Repeat("x", MaxFetch) + `"}`, 200, "unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.set(func() { p.token = func(url.Values) (int, string) { return c.status, c.body } })
			b, asked := begin(t, all, "")
			_, err := all.Finish(t.Context(), "corp", redirect, url.Values{"code": {"c1"}, "state": {asked.Get("state")}}, b.Cookie)
			wantCode(t, err, c.code)
			if e := signalbox.AsError(err); strings.Contains(e.Message+e.Remedy, "secret words") {
				t.Errorf("the answer repeats the provider's words: %v", e)
			}
		})
	}
}

// Where the id token does not say enough, the provider is asked for the rest, which must be about the same person.
func TestUserinfo(t *testing.T) {
	for _, c := range []struct {
		name, info string
		code       signalbox.Code
		user       string
		claims     map[string]any
	}{
		{"the rest", `{"sub":"u-1","email":"late@example.com","email_verified":true,"groups":["admins"]}`, "", "late@example.com", nil},
		{"somebody else", `{"sub":"u-2","groups":["admins"]}`, "unauthenticated", "", nil},
		{"nothing", `{"sub":"u-1"}`, "forbidden", "", nil},
		{"no JSON", `x`, "unavailable", "", nil},
		{
			"an address that the token has", `{"sub":"u-1","email":"boss@example.com","email_verified":true,"groups":["admins"]}`, "", "u-1",
			map[string]any{"email": "mine@example.com"},
		},
		{
			"whether an address is verified that the token has not", `{"sub":"u-1","email":"boss@example.com","groups":["admins"]}`, "", "u-1",
			map[string]any{"email_verified": true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newIDP(t)
			p.userinfo = c.info
			all := p.people()
			b, asked := begin(t, all, "")
			claims := map[string]any{"nonce": asked.Get("nonce"), "email": nil, "email_verified": nil, "groups": nil}
			maps.Copy(claims, c.claims)
			p.grant(p.sign(first, claims))
			done, err := all.Finish(t.Context(), "corp", redirect, url.Values{"code": {"c1"}, "state": {asked.Get("state")}}, b.Cookie)
			wantCode(t, err, c.code)
			if err == nil && (done.Person.User != c.user || done.Person.Role != signalbox.RoleAdmin) {
				t.Errorf("got %+v", done.Person)
			}
		})
	}
}

func TestOwnPaths(t *testing.T) {
	for to, want := range map[string]string{
		"": "/", "/": "/", "/approvals": "/approvals", "/a?b=c#d": "/a?b=c#d", "/a/%C3%A4": "/a/%C3%A4",
		"https://evil.example": "", "//evil.example": "", "/\\evil.example": "", "\\\\evil.example": "", "/%5Cevil": "", "/%2F/evil.example": "",
		"javascript:alert(1)": "", "evil": "", "?x": "", "/\t/evil.example": "", "/a b": "", "/ä": "", "/login/corp": "",
		"/" + strings.Repeat("x", MaxPath): "", "///evil.example": "", "http:/evil": "", "/%2fevil.example": "",
	} {
		got, err := own(to)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q gives %q, %v; want %q", to, got, err, want)
		}
		if want == "" {
			wantCode(t, err, signalbox.CodeInvalid)
		}
	}
}

// The memory of used logins is bounded, and forgets first what ends first.
func TestSpentIsBounded(t *testing.T) {
	s := spent{list: map[string]time.Time{}}
	const most = MaxSpent + 100
	for i := range most {
		if id := fmt.Sprint(i); !s.use(id, noon.Add(time.Duration(i)*time.Millisecond)) || s.use(id, noon) {
			t.Fatalf("login %d", i)
		}
	}
	if len(s.list) > MaxSpent || s.list["0"] != (time.Time{}) || s.list[fmt.Sprint(most-1)].IsZero() {
		t.Errorf("%d are remembered", len(s.list))
	}
}
