package login

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

const whoami = public + "/api/v1/session"

// start starts an instance that knows the provider.
func start(t *testing.T, more string) *harness.Instance {
	t.Helper()
	return harness.Start(t, harness.Options{Config: harness.Simulated + newIdentity(t).config() + more})
}

// logIn logs the decider in.
func (b *browser) logIn() {
	b.t.Helper()
	if v := b.get(b.consent(decider, "")); v.status != http.StatusOK {
		b.t.Fatalf("the login ends with %d: %s", v.status, v.body)
	}
}

// wantWho checks who the browser is to the control API; "" is nobody.
func (b *browser) wantWho(user string) {
	b.t.Helper()
	v := b.get(whoami)
	var who api.Identity
	if user == "" {
		if v.status != http.StatusUnauthorized {
			b.t.Fatalf("got %d: %s", v.status, v.body)
		}
		return
	}
	if err := json.UnmarshalKnown([]byte(v.body), &who); err != nil || v.status != http.StatusOK || who.User == nil || *who.User != user {
		b.t.Fatalf("got %d, %v: %s", v.status, err, v.body)
	}
}

// wantPage checks a page that refuses a login.
func wantPage(t *testing.T, v view, status int, text string, secrets ...string) {
	t.Helper()
	if v.status != status || !strings.Contains(v.body, text) || !strings.HasPrefix(v.header.Get("Content-Type"), "text/html") ||
		v.header.Get("Cache-Control") != "no-store" || !strings.Contains(v.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("got %d %v, want %d with %q: %s", v.status, v.header, status, text, v.body)
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(v.body, s) {
			t.Errorf("the page shows what it must not: %s", v.body)
		}
	}
	for _, c := range v.header.Values("Set-Cookie") {
		if strings.HasPrefix(c, gate.SessionCookie+"=") {
			t.Errorf("it sets the cookie %s", c)
		}
	}
}

const user = "test-user@zitadel.ch" // As the provider calls the decider.

// A person logs in by the provider, is known by role and address, survives a restart, and logs out.
func TestLogin(t *testing.T) {
	dir := t.TempDir()
	o := harness.Options{Dir: dir, Config: harness.Simulated + newIdentity(t).config()}
	i := harness.Start(t, o)
	b := newBrowser(t, i)
	back := b.consent(decider, "/approvals?state=pending")
	v := b.get(back)
	if v.status != http.StatusOK || !strings.Contains(v.body, `content="0;url=/approvals?state=pending"`) {
		t.Fatalf("got %d: %s", v.status, v.body)
	}
	if set := strings.Join(v.header.Values("Set-Cookie"), "\n"); !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") ||
		b.cookie("signalbox_login") != "" || b.cookie(gate.SessionCookie) == "" {
		t.Errorf("the cookies are %s", set)
	}
	b.wantWho(user)
	var who api.Identity
	if err := json.UnmarshalKnown([]byte(b.get(whoami).body), &who); err != nil || who.KeyID != "person:corp:id1" || who.Role != "approver" || who.Tenant != "acme" {
		t.Errorf("got %+v, %v", who, err)
	}
	replayed := b.get(back)
	wantPage(t, replayed, http.StatusUnauthorized, "has begun no login", "code=")

	if code := i.Stop(); code != 0 {
		t.Fatalf("the instance ended with %d", code)
	}
	i = harness.Start(t, o)
	b.toward(i)
	b.wantWho(user)
	if v := b.do(http.MethodDelete, whoami, "", "Sec-Fetch-Site", "same-origin"); v.status != http.StatusNoContent {
		t.Fatalf("the log-out answers %d: %s", v.status, v.body)
	}
	b.wantWho("")
	var actions []string
	for _, r := range i.Log(t) {
		switch r.What.Action {
		case signalbox.ActionLogin:
			if r.Who.UserID != user || r.Who.TenantID != "acme" || r.What.Detail["issuer"] == "" || r.Who.Source == "" || r.Context.Replica == "" {
				t.Errorf("the login is %+v", r)
			}
			actions = append(actions, r.What.Action)
		case signalbox.ActionLogout:
			actions = append(actions, r.What.Action)
		case signalbox.ActionRefusals:
			actions = append(actions, r.What.Action+" "+r.What.Detail["count"])
		}
	}
	if got, want := strings.Join(actions, ", "), "login, refusals 1, logout"; got != want {
		t.Errorf("the log has %s, want %s", got, want)
	}
}

// Nobody is logged in who has no role, whose browser has begun nothing, or whom a foreign page has sent.
func TestRefused(t *testing.T) {
	i := start(t, "")
	t.Run("no role", func(t *testing.T) {
		b := newBrowser(t, i)
		back := b.consent(stranger, "")
		wantPage(t, b.get(back), http.StatusForbidden, "no role", "test-user2", "id2")
		b.wantWho("")
	})
	t.Run("login begun by somebody else", func(t *testing.T) { // Who would then work in his account.
		attacker, victim := newBrowser(t, i), newBrowser(t, i)
		back := attacker.consent(decider, "")
		wantPage(t, victim.get(back), http.StatusUnauthorized, "begun no login")
		victim.consent(stranger, "")
		wantPage(t, victim.get(back), http.StatusUnauthorized, "not the login")
		victim.wantWho("")
		if v := attacker.get(back); v.status != http.StatusOK {
			t.Errorf("his own login ends with %d", v.status)
		}
	})
	t.Run("cookie put there before", func(t *testing.T) {
		b := newBrowser(t, i)
		u, err := url.Parse(public)
		if err != nil {
			t.Fatal(err)
		}
		b.client.Jar.SetCookies(u, []*http.Cookie{{Name: gate.SessionCookie, Value: strings.Repeat("k", 52), Path: "/"}})
		b.logIn()
		if b.cookie(gate.SessionCookie) == strings.Repeat("k", 52) {
			t.Error("the session has a token that somebody else has chosen")
		}
	})
	t.Run("from the page of an approval, and back to it", func(t *testing.T) {
		b := newBrowser(t, i)
		wantPage(t, b.get(public+"/decide/appr_1"), http.StatusUnauthorized, `<a href="/login/corp?to=%2Fdecide%2Fappr_1">Log in with corp</a>`)
		if v := b.get(b.consent(decider, "/decide/appr_1")); v.status != http.StatusOK || !strings.Contains(v.body, `content="0;url=/decide/appr_1"`) {
			t.Fatalf("got %d: %s", v.status, v.body)
		}
		wantPage(t, b.get(public+"/decide/appr_1"), http.StatusNotFound, "no such approval")
	})
	t.Run("code that the provider did not give", func(t *testing.T) {
		b := newBrowser(t, i)
		u, err := url.Parse(b.consent(decider, ""))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("code", "made-up-by-somebody")
		wantPage(t, b.get(callback+"?"+q.Encode()), http.StatusUnauthorized, "Log in again", "made-up-by-somebody")
	})
	t.Run("refused by the provider", func(t *testing.T) {
		b := newBrowser(t, i)
		u, err := url.Parse(b.consent(decider, ""))
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"state": {u.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"<b>call this number</b>"}}
		wantPage(t, b.get(callback+"?"+q.Encode()), http.StatusUnauthorized, "access_denied", "call this number")
	})
	for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"} {
		t.Run("on to "+to, func(t *testing.T) {
			wantPage(t, newBrowser(t, i).get(public+"/login/corp?to="+url.QueryEscape(to)), http.StatusBadRequest, "not one of this instance", "evil")
		})
	}
	t.Run("no such provider", func(t *testing.T) {
		wantPage(t, newBrowser(t, i).get(public+"/login/nobody"), http.StatusNotFound, "no such identity provider", "nobody")
		wantPage(t, newBrowser(t, i).get(public+"/login/nobody/callback?code=x&state=y"), http.StatusNotFound, "no such identity provider")
	})
	t.Run("who looks at the link", func(t *testing.T) {
		b := newBrowser(t, i)
		back := b.consent(decider, "")
		if v := b.do(http.MethodHead, back, ""); v.status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD gives %d", v.status)
		}
		if v := b.get(back); v.status != http.StatusOK {
			t.Errorf("the login was used up: %d", v.status)
		}
	})
}

// What a person may do: see and decide, by his role; change nothing for foreign pages; make no calls.
func TestPersonsSession(t *testing.T) {
	i := start(t, "")
	b := newBrowser(t, i)
	b.logIn()
	for _, site := range []string{"cross-site", "same-site"} {
		if v := b.do(http.MethodDelete, whoami, "", "Sec-Fetch-Site", site); v.status != http.StatusForbidden {
			t.Errorf("a page that is %s: %d", site, v.status)
		}
	}
	if v := b.do(http.MethodPost, public+"/api/v1/keys", `{"tenant":"acme","role":"agent"}`, "Content-Type", "application/json"); v.status != http.StatusForbidden {
		t.Errorf("an approver who makes a key: %d %s", v.status, v.body)
	}
	call := b.do(http.MethodPost, public+"/v1/chat/completions", `{"model":"sim","messages":[{"role":"user","content":"hi"}]}`, "Content-Type", "application/json")
	if call.status != http.StatusUnauthorized {
		t.Errorf("a call with a session: %d %s", call.status, call.body)
	}
	b.wantWho(user)
	admin := func(method, path string) harness.Answer {
		t.Helper()
		return i.Send(t, method, "/api/v1"+path, harness.Admin, "")
	}
	var list api.Page[api.SessionRow]
	if a := admin(http.MethodGet, "/sessions"); json.UnmarshalKnown([]byte(a.Body), &list) != nil || len(list.Items) != 1 || list.Items[0].Role != "approver" {
		t.Fatalf("the sessions are %d: %s", a.Status, a.Body)
	}
	if a := admin(http.MethodPost, "/sessions/"+list.Items[0].ID+"/revoke"); a.Status != http.StatusNoContent {
		t.Fatalf("revoking answers %d: %s", a.Status, a.Body)
	}
	b.wantWho("")
	found := false
	for _, r := range i.Log(t) {
		found = found || r.What.Action == signalbox.ActionSessionRevoked && r.Who.KeyID == "admin" && r.What.Detail["key"] == "person:corp:id1"
	}
	if !found {
		t.Error("the revocation is not in the log")
	}
}

// A signed token opens the control API for its person, and makes no calls.
func TestTokens(t *testing.T) {
	m := newMachine(t)
	i := start(t, m.config())
	good := m.token("signalbox-api", time.Hour)
	a := i.Send(t, http.MethodGet, "/api/v1/session", good, "")
	var who api.Identity
	if err := json.UnmarshalKnown([]byte(a.Body), &who); err != nil || a.Status != http.StatusOK || who.KeyID != "person:machines:job=7c7" ||
		who.Role != "operator" || who.Tenant != "other" {
		t.Fatalf("got %d, %v: %s", a.Status, err, a.Body)
	}
	for name, token := range map[string]string{
		"expired": m.token("signalbox-api", -time.Hour), "for others": m.token("jobs", time.Hour), "cut": good[:len(good)-8], "of nobody": newMachine(t).token("signalbox-api", time.Hour),
	} {
		if a := i.Send(t, http.MethodGet, "/api/v1/session", token, ""); a.Status != http.StatusUnauthorized || strings.Contains(a.Body, token) {
			t.Errorf("a token that is %s: %d %s", name, a.Status, a.Body)
		}
	}
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		a := i.Send(t, http.MethodPost, path, good, `{"model":"sim","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`)
		if a.Status != http.StatusUnauthorized || !strings.Contains(a.Body, "Calls need an API key") {
			t.Errorf("%s with a token: %d %s", path, a.Status, a.Body)
		}
	}
}

// A provider that is down delays neither the start nor anybody but its own people.
func TestDeadProvider(t *testing.T) {
	i := start(t, `  - {id: dead, issuer: "http://127.0.0.1:1", client_id: x, tenant: acme, default_role: auditor}`+"\n")
	if a := i.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusOK {
		t.Errorf("/readyz answers %d", a.Status)
	}
	b := newBrowser(t, i)
	wantPage(t, b.get(public+"/login/dead"), http.StatusServiceUnavailable, "can not be reached")
	b.logIn()
	b.wantWho(user)
	a := i.Send(t, http.MethodGet, "/api/v1/login", "", "")
	if a.Status != http.StatusOK || !strings.Contains(a.Body, `"id":"dead"`) || !strings.Contains(a.Body, `"id":"corp"`) || strings.Contains(a.Body, secret) {
		t.Errorf("the providers are %d: %s", a.Status, a.Body)
	}
}

// A key can not be made for a tenant that is not there.
func TestKeysNeedATenant(t *testing.T) {
	i := start(t, "")
	a := i.Send(t, http.MethodPost, "/api/v1/keys", harness.Admin, `{"tenant":"acne","role":"agent"}`)
	if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"tenant"`) || !strings.Contains(a.Body, "tenants") {
		t.Errorf("got %d: %s", a.Status, a.Body)
	}
	if a := i.Send(t, http.MethodPost, "/api/v1/keys", harness.Admin, `{"tenant":"other","role":"agent"}`); a.Status != http.StatusCreated {
		t.Errorf("got %d: %s", a.Status, a.Body)
	}
}

// unlessWho says what is wrong until the browser is somebody, or nobody.
func (b *browser) unlessWho(status int) error {
	if v := b.get(whoami); v.status != status {
		return fmt.Errorf("it answers %d: %s", v.status, v.body)
	}
	return nil
}
