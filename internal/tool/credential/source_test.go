package credential

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// What is sent to the token endpoint.
func TestRequests(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("box:"+url.QueryEscape(theSecret)))
	own := url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}, "resource": {"URL/mcp"}}
	with := func(base url.Values, more ...string) url.Values {
		out := url.Values{}
		for name, values := range base {
			out[name] = values
		}
		for i := 0; i < len(more); i += 2 {
			if out.Set(more[i], more[i+1]); more[i+1] == "" {
				out.Del(more[i])
			}
		}
		return out
	}
	exchange := func(c *Config) { c.Grant = TokenExchange }
	exchanged := with(own, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", "their-token",
		"subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
	for _, c := range []struct {
		name   string
		change func(*Config)
		call   *signalbox.Call
		want   url.Values
		auth   string
	}{
		{"client credentials", nil, nil, own, basic},
		{"for a call with a token", nil, callOf("their-token"), own, basic},
		{"no scopes", func(c *Config) { c.Scopes = nil }, nil, with(own, "scope", ""), basic},
		{"another resource", func(c *Config) { c.Resource = "urn:files" }, nil, with(own, "resource", "urn:files"), basic},
		{"no resource", func(c *Config) { c.Resource = NoResource }, nil, with(own, "resource", ""), basic},
		{"an audience", func(c *Config) { c.Audience = "api://files" }, nil, with(own, "audience", "api://files"), basic},
		{"secret in the form", func(c *Config) { c.Auth = AuthPost }, nil, with(own, "client_id", "box", "client_secret", theSecret), ""},
		{"public client", func(c *Config) { c.ClientSecret = "" }, nil, with(own, "client_id", "box"), ""},
		{"exchange", exchange, callOf("their-token"), exchanged, basic},
		{"exchange, with an audience", func(c *Config) { exchange(c); c.Audience = "a" }, callOf("their-token"), with(exchanged, "audience", "a"), basic},
		{"exchange, of the configured subject", func(c *Config) { exchange(c); c.SubjectToken = "stand-in-token" }, callOf(""), with(exchanged, "subject_token", "stand-in-token"), basic},
		{"exchange, the caller's own before the configured one", func(c *Config) { exchange(c); c.SubjectToken = "stand-in-token" }, callOf("their-token"), exchanged, basic},
		{"exchange, for nobody's call", exchange, nil, own, basic},
		{"exchange, for nobody's call, with a subject", func(c *Config) { exchange(c); c.SubjectToken = "stand-in-token" }, nil, with(exchanged, "subject_token", "stand-in-token"), basic},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			wantToken(t, p.source(c.change), c.call, "token-1")
			got := p.requests()[0]
			for _, values := range c.want {
				values[0] = strings.ReplaceAll(values[0], "URL", p.server.URL)
			}
			if got.Encode() != strings.ReplaceAll(c.want.Encode(), "URL", url.QueryEscape(p.server.URL)) || p.auth[0] != c.auth {
				t.Errorf("got %q %v, want %q %v", p.auth[0], got, c.auth, c.want)
			}
			for _, values := range c.want { // The table is shared.
				values[0] = strings.ReplaceAll(values[0], p.server.URL, "URL")
			}
		})
	}
}

// A token is used until shortly before it expires; then the next one is fetched while it is still used.
func TestRenewal(t *testing.T) {
	p := newPlace(t)
	s := p.source(nil)
	wantToken(t, s, nil, "token-1")
	p.add(79 * time.Second)
	wantToken(t, s, callOf("x"), "token-1")
	if n := len(p.requests()); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	p.add(2 * time.Second) // A fifth of its life is left.
	wantToken(t, s, nil, "token-1")
	eventually(t, func() bool { return len(p.requests()) == 2 })
	eventually(t, func() bool { got, _ := s.Authorization(t.Context(), nil); return got == "Bearer token-2" })
	p.add(100 * time.Second)
	wantToken(t, s, nil, "token-3")
	p.set(func() {
		p.answer = func(int) string { return `{"error":"temporarily_unavailable"}` }
		p.status = http.StatusServiceUnavailable
	})
	p.add(90 * time.Second)
	for range 3 { // What is good is used, whatever becomes of the next one.
		wantToken(t, s, nil, "token-3")
		p.add(time.Second)
	}
	p.add(20 * time.Second)
	_, err := s.Authorization(t.Context(), nil)
	wantCode(t, err, signalbox.CodeUpstream, "temporarily_unavailable")
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatal("it did not happen")
}

func TestLife(t *testing.T) {
	for _, c := range []struct {
		name, expires string
		lasts         time.Duration
	}{
		{"seconds", `,"expires_in":1000`, 1000 * time.Second},
		{"seconds as text", `,"expires_in":"1000"`, 1000 * time.Second},
		{"nothing", ``, DefaultLife},
		{"zero", `,"expires_in":0`, DefaultLife},
		{"less than nothing", `,"expires_in":-5`, DefaultLife},
		{"beyond all bounds", `,"expires_in":2147483647`, 365 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.answer = func(n int) string {
				return fmt.Sprintf(`{"access_token":"token-%d","token_type":"Bearer"%s}`, n, c.expires)
			}
			s := p.source(nil)
			wantToken(t, s, nil, "token-1")
			margin := min(MaxMargin, c.lasts/5)
			p.add(c.lasts - margin - time.Second)
			wantToken(t, s, nil, "token-1")
			p.add(margin + time.Second)
			wantToken(t, s, nil, "token-2")
		})
	}
}

// One request for many who wait; who goes away does not end it for the others.
func TestManyWait(t *testing.T) {
	p := newPlace(t)
	p.answer = func(n int) string {
		return map[bool]string{true: "", false: `{"access_token":"token-2","token_type":"Bearer"}`}[n == 1]
	}
	s := p.source(nil)
	gone, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := s.Authorization(gone, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("who goes away gets %v", err)
		}
	})
	for range 50 {
		all.Go(func() {
			_, err := s.Authorization(t.Context(), nil)
			wantCode(t, err, signalbox.CodeUpstream)
		})
	}
	eventually(t, func() bool { return len(p.requests()) == 1 })
	leave()
	time.Sleep(10 * time.Millisecond)
	close(p.released) // An answer without a body, which is no token.
	all.Wait()
	if n := len(p.requests()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	_, err := s.Authorization(t.Context(), nil)
	wantCode(t, err, signalbox.CodeUpstream) // A moment after a failure nobody asks.
	if n := len(p.requests()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	p.add(FailurePause)
	wantToken(t, s, nil, "token-2")
}

// Whoever waits has a time of his own.
func TestWaitingEnds(t *testing.T) {
	p := newPlace(t)
	p.answer = func(int) string { return "" }
	s := p.source(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Authorization(ctx, nil)
	wantCode(t, err, signalbox.CodeTimeout)
	begun := time.Now()
	s.Close()
	if took := time.Since(begun); took > FetchTimeout/2 {
		t.Errorf("closing waited for the answer: %s", took)
	}
	p.add(time.Hour)
	_, err = s.Authorization(t.Context(), nil)
	wantCode(t, err, signalbox.CodeUnavailable)
}

// A token that the server refuses is renewed once, unless it has just been issued.
func TestRefused(t *testing.T) {
	p := newPlace(t)
	s := p.source(nil)
	wantToken(t, s, nil, "token-1")
	if s.Refused("Bearer token-1", nil) {
		t.Error("a token that has just been issued is to be replaced")
	}
	p.add(FreshToken)
	if !s.Refused("Bearer token-1", nil) {
		t.Error("it is not worth another try")
	}
	wantToken(t, s, nil, "token-2")
	if !s.Refused("Bearer token-1", nil) { // By whom had the old one, too.
		t.Error("it is not worth another try")
	}
	wantToken(t, s, nil, "token-2")
	if n := len(p.requests()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// Each caller has a token of his own, kept until he has another one himself.
func TestExchangePerCaller(t *testing.T) {
	p := newPlace(t)
	s := p.source(func(c *Config) { c.Grant = TokenExchange })
	wantToken(t, s, callOf("ann"), "token-1")
	wantToken(t, s, callOf("bob"), "token-2")
	wantToken(t, s, callOf("ann"), "token-1")
	wantToken(t, s, nil, "token-3")
	wantToken(t, s, callOf("bob"), "token-2")
	p.add(FreshToken)
	if !s.Refused("Bearer token-2", callOf("bob")) {
		t.Error("it is not worth another try")
	}
	wantToken(t, s, callOf("ann"), "token-1")
	wantToken(t, s, callOf("bob"), "token-4")
	_, err := s.Authorization(t.Context(), callOf(""))
	wantCode(t, err, signalbox.CodeForbidden, "API key")
	if s.Refused("", callOf("")) {
		t.Error("there is nothing to try again")
	}
}

// What is kept is bounded; who was not there for the longest time is forgotten first.
func TestBound(t *testing.T) {
	p := newPlace(t)
	s := p.source(func(c *Config) { c.Grant = TokenExchange })
	for i := range MaxSubjects {
		wantToken(t, s, callOf(fmt.Sprint("caller ", i)), fmt.Sprint("token-", i+1))
		p.add(time.Millisecond)
	}
	wantToken(t, s, callOf("caller 0"), "token-1")
	wantToken(t, s, callOf("one more"), fmt.Sprint("token-", MaxSubjects+1))
	wantToken(t, s, callOf("caller 0"), "token-1")
	wantToken(t, s, callOf("caller 1"), fmt.Sprint("token-", MaxSubjects+2))
	if n := len(s.tokens); n != MaxSubjects {
		t.Errorf("%d are kept", n)
	}
	p.add(time.Hour)
	wantToken(t, s, callOf("after an hour"), fmt.Sprint("token-", MaxSubjects+3))
	if n := len(s.tokens); n != 1 {
		t.Errorf("%d are kept", n)
	}
}

// What the token endpoint answers is told, without what may be a secret.
func TestErrors(t *testing.T) {
	long := strings.Repeat("a1", 30)
	for _, c := range []struct {
		name   string
		status int
		answer string
		want   string
	}{
		{"an error", 400, `{"error":"invalid_scope","error_description":"no such scope"}`, "invalid_scope (no such scope)"},
		{"an error with status 200", 200, `{"error":"invalid_scope"}`, "invalid_scope"},
		{"the secret", 401, `{"error":"invalid_client","error_description":"` + theSecret + ` is wrong"}`, "invalid_client (… is wrong)"},
		{"the secret, encoded", 401, `{"error":"invalid_client","error_description":"got ` + url.QueryEscape(theSecret) + `"}`, "(got …)"},
		{"the secret as the code", 401, `{"error":"` + theSecret + `"}`, "…"},
		{"the caller's token", 400, `{"error":"invalid_grant","error_description":"(their-token)"}`, "invalid_grant (…)"},
		{"something long", 400, `{"error":"invalid_grant","error_description":"what is ` + long + `?"}`, "(what is …)"},
		{"a line break", 400, `{"error":"invalid_grant","error_description":"one\ntwo\u0000three"}`, "(one two three)"},
		{"a novel", 400, `{"error":"invalid_grant","error_description":"` + strings.Repeat("la ", 500) + `"}`, "la la…)"},
		{"no JSON", 502, `<html>` + theSecret, "status 502"},
		{"nothing", 500, `{}`, "status 500"},
		{"a redirect", 307, `{}`, "status 307"},
		{"no token", 200, `{"token_type":"Bearer"}`, "does not answer as one"},
		{"no JSON at all", 200, `their-token`, "does not answer as one"},
		{"a token of another kind", 200, `{"access_token":"token-1","token_type":"DPoP"}`, "another kind"},
		{"a token that is no header", 200, `{"access_token":"a\r\nX: b","token_type":"Bearer"}`, "another kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.status, p.answer = c.status, func(int) string { return c.answer }
			s := p.source(func(c *Config) { c.Grant = TokenExchange })
			_, err := s.Authorization(t.Context(), callOf("their-token"))
			wantCode(t, err, signalbox.CodeUpstream, c.want)
			if strings.Contains(err.Error(), long) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		p := newPlace(t)
		s := p.source(nil)
		p.server.Close()
		_, err := s.Authorization(t.Context(), nil)
		wantCode(t, err, signalbox.CodeUpstream, "can not be reached")
	})
}
