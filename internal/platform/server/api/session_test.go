package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// logIn gives the session's cookie as a header.
func logIn(t *testing.T, s *site, key string) string {
	t.Helper()
	a := s.ask(http.MethodPost, "/api/v1/session", "", `{"key":"`+key+`"}`, api.ConsoleHeader, "1")
	var who api.Identity
	if err := json.UnmarshalKnown(a.body, &who); err != nil || a.status != http.StatusOK || who.ExpiresAt == nil {
		t.Fatalf("the login answers %d (%v): %s", a.status, err, a.body)
	}
	if !who.ExpiresAt.After(s.now()) || who.ExpiresAt.Location() != time.UTC {
		t.Errorf("the session ends at %s", who.ExpiresAt)
	}
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if c.Name != gate.SessionCookie || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge <= 0 {
		t.Errorf("the cookie is %+v", c)
	}
	if strings.Contains(c.Value, key) || strings.Contains(string(a.body), key) {
		t.Error("the answer repeats the key")
	}
	return c.Name + "=" + c.Value
}

// A session stands for its key, until it is closed or expires.
func TestSession(t *testing.T) {
	s := open(t)
	cookie := logIn(t, s, admin)
	a := s.ask(http.MethodGet, "/api/v1/session", "", "", "Cookie", cookie)
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"key_id":"acme-admin"`) {
		t.Fatalf("who: %d %s", a.status, a.body)
	}
	a = s.ask(http.MethodDelete, "/api/v1/session", "", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	if a.status != http.StatusNoContent || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Fatalf("log out: %d %q %s", a.status, a.header.Get("Set-Cookie"), a.body)
	}
	refused(t, "after the log-out", s.ask(http.MethodGet, "/api/v1/session", "", "", "Cookie", cookie), 401, "unauthenticated")
	cookie = logIn(t, s, admin)
	s.setClock(s.now().Add(gate.SessionLife))
	refused(t, "after its life", s.ask(http.MethodGet, "/api/v1/session", "", "", "Cookie", cookie), 401, "unauthenticated")
}

// A login is refused without a good key, and to pages that can not send the console's header.
func TestLoginRefused(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		name, body, header string
		status             int
		code               signalbox.Code
	}{
		{"unknown key", `{"key":"sb_nobody-has-this-key"}`, "1", 401, "unauthenticated"},
		{"no header", `{"key":"` + admin + `"}`, "", 403, "forbidden"},
		{"wrong name", `{"Key":"` + admin + `"}`, "1", 400, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.ask(http.MethodPost, "/api/v1/session", "", c.body, api.ConsoleHeader, c.header)
			refused(t, c.name, a, c.status, c.code)
			if a.header.Get("Set-Cookie") != "" {
				t.Error("a cookie was set")
			}
		})
	}
	if got := s.refusals.Total(); got != 1 {
		t.Errorf("%d refusals are counted, want that of the unknown key", got)
	}
}

// A page of another site can neither change anything with a visitor's session nor end it.
func TestForeignPages(t *testing.T) {
	s := open(t)
	cookie := logIn(t, s, admin)
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
	}{
		{"create a key", "POST", "/keys", `{"tenant":"acme","role":"admin"}`, []string{"Sec-Fetch-Site", "cross-site"}},
		{"create a key from a sibling", "POST", "/keys", `{"tenant":"acme","role":"admin"}`, []string{"Sec-Fetch-Site", "same-site"}},
		{"from an old browser", "POST", "/keys", `{"tenant":"acme","role":"admin"}`, []string{"Origin", "https://evil.example"}},
		{"from no origin", "POST", "/keys", `{"tenant":"acme","role":"admin"}`, []string{"Origin", "null"}},
		{"revoke a key", "DELETE", "/keys/x", "", []string{"Sec-Fetch-Site", "cross-site"}},
		{"log out", "DELETE", "/session", "", []string{"Sec-Fetch-Site", "cross-site"}},
		{"verify", "POST", "/audit/verify", "", []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.ask(c.method, "/api/v1"+c.path, "", c.body, append([]string{"Cookie", cookie}, c.header...)...)
			refused(t, c.name, a, 403, "forbidden")
		})
	}
	own := s.ask(http.MethodPost, "/api/v1/keys", "", `{"tenant":"acme","role":"agent"}`, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	if own.status != http.StatusCreated {
		t.Errorf("our own page: %d %s", own.status, own.body)
	}
	if s.verified != 0 {
		t.Error("the log was verified for a foreign page")
	}
}

// A key is made with its secret shown once, works at once, and is nothing any more once it is revoked: neither is a
// session that was opened with it.
func TestKeyLife(t *testing.T) {
	s := open(t)
	a := s.ask(http.MethodPost, "/api/v1/keys", admin, `{"tenant":"globex","team":"cs","agent":"planner","user":"u1","role":"operator"}`)
	var made api.CreatedKey
	if err := json.UnmarshalKnown(a.body, &made); err != nil || a.status != http.StatusCreated {
		t.Fatalf("%d %v: %s", a.status, err, a.body)
	}
	if made.Tenant != "globex" || *made.Team != "cs" || *made.Agent != "planner" || *made.User != "u1" || made.Role != "operator" ||
		made.Static || !made.Created.Equal(s.now()) || made.Revoked != nil || !strings.HasPrefix(made.Secret, *made.Hint) {
		t.Errorf("the key is %s", a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
	}
	list := s.ask(http.MethodGet, "/api/v1/keys", made.Secret, "")
	if list.status != http.StatusOK || strings.Contains(string(list.body), made.Secret) {
		t.Errorf("the list answers %d: %s", list.status, list.body)
	}
	if got := get[api.Page[api.Key]](s, "/keys", admin).Items[0]; got.ID != made.ID || got.Hint == nil {
		t.Errorf("the newest key is %+v", got)
	}
	cookie := logIn(t, s, made.Secret)
	for range 2 { // The second time changes nothing.
		a = s.ask(http.MethodDelete, "/api/v1/keys/"+made.ID, admin, "")
		var gone api.Key
		if err := json.UnmarshalKnown(a.body, &gone); err != nil || a.status != http.StatusOK || gone.Revoked == nil || !gone.Revoked.Equal(start) {
			t.Fatalf("revoke: %d %v: %s", a.status, err, a.body)
		}
		s.setClock(start.Add(time.Minute))
	}
	refused(t, "the key", s.ask(http.MethodGet, "/api/v1/calls", made.Secret, ""), 401, "unauthenticated")
	refused(t, "its session", s.ask(http.MethodGet, "/api/v1/calls", "", "", "Cookie", cookie), 401, "unauthenticated")
	actions := ""
	for _, r := range get[api.Page[api.Record]](s, "/audit", admin).Items {
		actions += r.What.Action + "(" + r.Who.KeyID + ") "
	}
	if want := "key_revoked(acme-admin) key_created(acme-admin) "; actions != want {
		t.Errorf("the log has %s, want %s", actions, want)
	}
}

// Keys and records are paged without gaps and repetitions.
func TestPagesOfKeysAndRecords(t *testing.T) {
	s := open(t)
	for range 5 {
		if a := s.ask(http.MethodPost, "/api/v1/keys", admin, `{"tenant":"acme","role":"agent"}`); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	for _, limit := range []string{"1", "2", "5", "500"} {
		seen, cursor := map[string]bool{}, ""
		for {
			page := get[api.Page[api.Key]](s, "/keys", auditor, "limit", limit, "cursor", cursor)
			for _, k := range page.Items {
				if seen[k.ID] {
					t.Errorf("limit %s: %s twice", limit, k.ID)
				}
				seen[k.ID] = true
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
		}
		if len(seen) != len(s.ring.List()) {
			t.Errorf("limit %s: %d keys of %d", limit, len(seen), len(s.ring.List()))
		}
		next, cursor := int64(4), ""
		for pages := 0; ; pages++ {
			page := get[api.Page[api.Record]](s, "/audit", auditor, "limit", limit, "cursor", cursor)
			for _, r := range page.Items {
				if r.Index != next || r.CallID != nil || r.Outcome != nil {
					t.Errorf("limit %s: record %d, want %d", limit, r.Index, next)
				}
				next--
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
			if pages > 10 {
				t.Fatal("the pages have no end")
			}
		}
		if next != -1 {
			t.Errorf("limit %s: the last record is %d", limit, next+1)
		}
	}
}
