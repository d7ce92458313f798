package mcpauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// unless says what is wrong with an answer.
func unless(r harness.Answer, status int, text string) error {
	if r.Status != status || !strings.Contains(r.Body, text) {
		return fmt.Errorf("got %d: %s", r.Status, r.Body)
	}
	return nil
}

// asAgent calls a tool with an API key.
func asAgent(t testing.TB, i *harness.Instance, server, tool string) harness.Answer {
	t.Helper()
	return call(t, i, "/mcp/"+server, harness.Agent, tool, "X-Signalbox-Agent", "sweeper")
}

// Callers with API keys use Signalbox's own token: one, however many wait for it, until the server refuses it.
func TestOwnToken(t *testing.T) {
	t.Parallel()
	a, u, i := world(t, "client_credentials", "")
	a.set(func() { a.delay = 200 * time.Millisecond })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r := asAgent(t, i, "files", "whoami"); unless(r, http.StatusOK, "subject signalbox client signalbox") != nil {
				t.Errorf("got %d %s", r.Status, r.Body)
			}
		})
	}
	all.Wait()
	since := time.Now()
	asked := a.asked("client_credentials")
	if len(asked) != 1 || asked[0].Get("resource") != u.url {
		t.Fatalf("it has asked %d times: %v", len(asked), asked)
	}
	time.Sleep(time.Until(since.Add(2100 * time.Millisecond))) // A token that was just issued is not renewed.
	u.refuse()
	if r := asAgent(t, i, "files", "whoami"); unless(r, http.StatusOK, "subject signalbox") != nil {
		t.Errorf("after the server has refused the token: %d %s", r.Status, r.Body)
	}
	if n := len(a.asked("client_credentials")); n != 2 {
		t.Errorf("it has asked %d times, want 2", n)
	}
	u.refuse()
	if r := asAgent(t, i, "files", "whoami"); !strings.Contains(r.Body, `"upstream"`) || !strings.Contains(r.Body, "does not take the credential") {
		t.Errorf("a token that was just issued, refused: %d %s", r.Status, r.Body)
	}
	if n := len(a.asked("client_credentials")); n != 2 {
		t.Errorf("it has asked %d times, want 2", n)
	}
	if i.Complete(t) != 22 {
		t.Error("a call is not in the log, or twice")
	}
	wantNowhere(t, i, u.tokens()[0], secret)
}

// With the exchange, nobody is called for who has no token to exchange, unless there is one for such callers.
func TestExchangeForKeys(t *testing.T) {
	t.Parallel()
	a, u, i := world(t, "token_exchange", "")
	if r := asAgent(t, i, "files", "whoami"); !strings.Contains(r.Body, `"forbidden"`) || !strings.Contains(r.Body, "it came with an API key") {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
	subject := a.sign(t, map[string]any{"aud": a.url, "sub": "stand-in", "jti": "x"})
	rewrite(t, i, "      grant: token_exchange\n", "      grant: token_exchange\n      subject_token: "+subject+"\n")
	harness.Eventually(t, func() error {
		return unless(asAgent(t, i, "files", "whoami"), http.StatusOK, "subject stand-in client signalbox")
	})
	if u.received(signature(subject)) {
		t.Error("the configured subject has reached the MCP server")
	}
	wantNowhere(t, i, subject)
}

// An authorization server that is slow or says no concerns only the server that it is for, and its error shows no secret.
func TestBadAuthority(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	u := newUpstream(t, a)
	quick, slow := newAuthority(t), newAuthority(t)
	open := newUpstream(t, quick)
	slow.set(func() { slow.delay = 3 * time.Second })
	token := quick.sign(t, map[string]any{"aud": open.url})
	i := harness.Start(t, harness.Options{Config: harness.Simulated + config(a, u, "client_credentials", "") + fmt.Sprintf(`  open: {url: %q, headers: {Authorization: "Bearer %s"}, tools: {whoami: {operation: read}}}
  slow: {url: %q, tools: {whoami: {operation: read}}, credential: {grant: client_credentials, token_url: "%s/oauth/token", client_id: signalbox, client_secret: %s}}
  wrong: {url: %q, tools: {whoami: {operation: read}}, credential: {grant: client_credentials, issuer: %q, client_id: signalbox, client_secret: a-secret-that-is-wrong}}
  lost: {url: "http://127.0.0.1:1/mcp", credential: {grant: client_credentials, client_id: signalbox, client_secret: %s}}
`, open.url, token, u.url, slow.url, secret, u.url, a.url, secret)})
	rewrite(t, i, `name: "files.*"`, `name: "*"`)
	harness.Eventually(t, func() error { return unless(asAgent(t, i, "open", "whoami"), http.StatusOK, "night-job") })
	waiting := make(chan error, 1)
	go func() {
		r := asAgent(t, i, "slow", "whoami")
		waiting <- errors.Join(unless(r, http.StatusOK, ""), notSlow(r))
	}()
	harness.Eventually(t, func() error {
		if n := len(slow.asked("client_credentials")); n == 0 {
			return errors.New("nobody has asked the slow one")
		}
		return nil
	})
	for range 5 {
		if r := asAgent(t, i, "open", "whoami"); r.Status != http.StatusOK {
			t.Errorf("the other server: %d %s", r.Status, r.Body)
		}
		if r := i.Send(t, http.MethodGet, "/readyz", "", ""); r.Status != http.StatusOK {
			t.Errorf("/readyz: %d", r.Status)
		}
	}
	select {
	case err := <-waiting:
		t.Errorf("the others were delayed until the slow one had answered: %v", err)
		waiting <- err
	default:
	}
	r := asAgent(t, i, "wrong", "whoami")
	if !strings.Contains(r.Body, `"upstream"`) || !strings.Contains(r.Body, `\"wrong\"`) || !strings.Contains(r.Body, "invalid_client") || strings.Contains(r.Body, "that-is-wrong") {
		t.Errorf("a wrong secret: %d %s", r.Status, r.Body)
	}
	if r := asAgent(t, i, "lost", "whoami"); !strings.Contains(r.Body, `"upstream"`) || !strings.Contains(r.Body, `\"lost\"`) {
		t.Errorf("a server that is not there: %d %s", r.Status, r.Body)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	wantNowhere(t, i, secret, "a-secret-that-is-wrong")
}

// notSlow reports an answer that came from elsewhere: the slow authority's tokens are none for the server.
func notSlow(r harness.Answer) error {
	if !strings.Contains(r.Body, "does not take the credential") {
		return errors.New("the server takes a token of another authority: " + r.Body)
	}
	return nil
}

// Who has asked with a token does not approve it himself, whichever way he comes.
func TestAskedWithToken(t *testing.T) {
	t.Parallel()
	a, _, i := world(t, "token_exchange", "")
	person := map[string]any{"sub": "id1", "groups": []string{"engineers"}, "client_id": editor, "aud": i.URL, "jti": "j"}
	caller := a.sign(t, person)
	person["aud"] = "console"
	console := a.sign(t, person)
	done := make(chan harness.Answer, 1)
	go func() { done <- call(t, i, files, caller, "shred") }()
	var waiting api.Page[api.Approval]
	harness.Eventually(t, func() error {
		r := i.Send(t, http.MethodGet, "/api/v1/approvals?state=pending", console, "")
		if err := json.Unmarshal([]byte(r.Body), &waiting); err != nil || len(waiting.Items) != 1 {
			return fmt.Errorf("%d %s, %w", r.Status, r.Body, err)
		}
		return nil
	})
	path := "/api/v1/approvals/" + waiting.Items[0].ID + "/approve"
	if r := i.Send(t, http.MethodPost, path, console, `{"reason":"it is fine"}`); r.Status != http.StatusForbidden {
		t.Errorf("he approves it himself: %d %s", r.Status, r.Body)
	}
	if r := i.Send(t, http.MethodPost, path, harness.Admin, `{"reason":"it is fine"}`); r.Status != http.StatusOK {
		t.Errorf("somebody else: %d %s", r.Status, r.Body)
	}
	if r := <-done; unless(r, http.StatusOK, "subject id1 client signalbox") != nil {
		t.Errorf("the call that was approved: %d %s", r.Status, r.Body)
	}
	wantNowhere(t, i, caller, console)
}
