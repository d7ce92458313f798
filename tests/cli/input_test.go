package cli

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// inputConfig is a small house: little bodies, a key bound to an agent, and one whose secret a test revokes.
const inputConfig = harness.Simulated + `limits: {max_body_bytes: 64KiB}
`

var inputWhole = strings.Replace(harness.Base, "keys:\n",
	"keys:\n  - {id: bound, secret: bound-key-of-acme-00001, tenant: acme, agent: clerk, user: ada, role: agent}\n", 1) + inputConfig

const bound = "bound-key-of-acme-00001"

const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"
	good         = `{"model":"sim","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`
)

// badBodies are bodies that no format accepts.
var badBodies = []struct {
	name, body string
	status     int
	code       signalbox.Code
}{
	{"nothing", "", 400, "invalid"},
	{"null", "null", 400, "invalid"},
	{"an array", "[" + good + "]", 400, "invalid"},
	{"cut", good[:len(good)-3], 400, "invalid"},
	{"no quotes", `{model:"sim"}`, 400, "invalid"},
	{"trailing garbage", good + "x", 400, "invalid"},
	{"two documents", good + good, 400, "invalid"},
	{"byte order mark", "\ufeff" + good, 400, "invalid"},
	{"invalid UTF-8", strings.Replace(good, "hello", "\xff\xfe", 1), 400, "invalid"},
	{"lone surrogate", strings.Replace(good, "hello", `\ud800`, 1), 400, "invalid"},
	{"key twice", strings.Replace(good, "{", `{"model":"other",`, 1), 400, "invalid"},
	{"key twice by case", strings.Replace(good, "{", `{"Model":"other",`, 1), 400, "invalid"},
	{"key twice by escape", strings.Replace(good, "{", `{"mo\u0064el":"other",`, 1), 400, "invalid"},
	{"key twice deep inside", strings.Replace(good, "{", `{"metadata":{"a":{"b":1,"B":2}},`, 1), 400, "invalid"},
	{"key in the wrong case", strings.Replace(good, `"model"`, `"MODEL"`, 1), 400, "invalid"},
	{"deep", strings.Replace(good, "{", `{"metadata":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+",", 1), 400, "invalid"},
	{"absurdly deep", strings.Repeat("[", 60_000), 400, "invalid"},
	{"unknown model", strings.Replace(good, "sim", "nobody-knows-it", 1), 404, "not_found"},
	{"no model", strings.Replace(good, `"model":"sim",`, "", 1), 400, "invalid"},
	{"model is a number", strings.Replace(good, `"sim"`, "5", 1), 400, "invalid"},
	{"no messages", `{"model":"sim","max_tokens":50,"messages":[]}`, 400, "invalid"},
	{"messages is a string", `{"model":"sim","max_tokens":50,"messages":"hello"}`, 400, "invalid"},
	{"negative max_tokens", strings.Replace(good, "50", "-1", 1), 400, "invalid"},
	{"zero max_tokens", strings.Replace(good, "50", "0", 1), 400, "invalid"},
	{"fractional max_tokens", strings.Replace(good, "50", "1.5", 1), 400, "invalid"},
	{"enormous max_tokens", strings.Replace(good, "50", "99999999999999999999", 1), 400, "invalid"},
	{"stream is a string", strings.Replace(good, "{", `{"stream":"yes",`, 1), 400, "invalid"},
	{"oversized", strings.Replace(good, "hello", strings.Repeat("a", 65<<10), 1), 413, "too_large"},
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	i := harness.Start(t, harness.Options{Whole: inputWhole})
	for _, path := range []string{chatPath, messagesPath} {
		for _, c := range badBodies {
			t.Run(strings.TrimPrefix(path, "/v1/")+"/"+c.name, func(t *testing.T) {
				a := i.Send(t, http.MethodPost, path, harness.Agent, c.body, "Content-Type", "application/json")
				checkRefused(t, i, path, a, c.status, c.code)
			})
		}
	}
	a := i.Send(t, http.MethodPost, chatPath, harness.Agent, good)
	if a.Status != http.StatusOK {
		t.Errorf("after all that a good call answers %d: %s", a.Status, a.Body)
	}
	if got, want := i.Complete(t), 2*len(badBodies)+1; got != want {
		t.Errorf("the log has %d calls, want %d", got, want)
	}
}

// failure is an error body of any of our APIs.
type failure struct {
	Type  string `json:"type"`
	Error struct {
		Type      string         `json:"type"`
		Code      signalbox.Code `json:"code"`
		Message   string         `json:"message"`
		Remedy    string         `json:"remedy"`
		Field     string         `json:"field"`
		RequestID string         `json:"request_id"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

// checkFailure: an error in the shape of the path's API, with a request id, a message and a remedy.
func checkFailure(t *testing.T, path string, a harness.Answer, status int, code signalbox.Code) {
	t.Helper()
	var f failure
	if err := json.Unmarshal([]byte(a.Body), &f); err != nil {
		t.Fatalf("status %d, and the body is no JSON: %v: %.300s", a.Status, err, a.Body)
	}
	if a.Status != status || f.Error.Code != code {
		t.Errorf("got %d %s, want %d %s: %s", a.Status, f.Error.Code, status, code, a.Body)
	}
	if f.Error.Message == "" || f.Error.Remedy == "" {
		t.Errorf("the error has no message or no remedy: %s", a.Body)
	}
	if path == messagesPath && f.Type != "error" {
		t.Errorf("the error has not the shape of Anthropic's: %s", a.Body)
	}
	id := a.Header.Get("X-Request-Id")
	if id == "" || id != f.Error.RequestID+f.RequestID {
		t.Errorf("X-Request-Id is %q: %s", id, a.Body)
	}
	if !code.Retryable() && a.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("x-should-retry is %q", a.Header.Get("X-Should-Retry"))
	}
}

// checkRefused: the same, and the refusal is on record.
func checkRefused(t *testing.T, i *harness.Instance, path string, a harness.Answer, status int, code signalbox.Code) {
	t.Helper()
	checkFailure(t, path, a, status, code)
	d := i.Call(t, a.Header.Get("X-Signalbox-Call"))
	if d.Outcome != signalbox.OutcomeDenied || d.Error == nil || d.Error.Code != code || d.Attempts != 0 {
		t.Errorf("the record has the outcome %s, the error %+v and %d attempts", d.Outcome, d.Error, d.Attempts)
	}
}

// post makes a call with headers as they are, repeated ones too.
func post(t *testing.T, url, body string, header http.Header) harness.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Answer{Status: response.StatusCode, Header: response.Header, Body: string(b)}
}

func TestBadHeaders(t *testing.T) {
	t.Parallel()
	i := harness.Start(t, harness.Options{Whole: inputWhole})
	agent := []string{"Bearer " + harness.Agent}
	for _, c := range []struct {
		name   string
		header http.Header
		status int
		code   signalbox.Code
	}{
		{"plain text", http.Header{"Authorization": agent, "Content-Type": {"text/plain"}}, 415, "unsupported"},
		{"no content type", http.Header{"Authorization": agent}, 415, "unsupported"},
		{"compressed", http.Header{"Authorization": agent, "Content-Encoding": {"gzip"}}, 415, "unsupported"},
		{"another agent", http.Header{"Authorization": {"Bearer " + bound}, "X-Signalbox-Agent": {"boss"}}, 403, "forbidden"},
		{"another user", http.Header{"Authorization": {"Bearer " + bound}, "X-Signalbox-User": {"eve"}}, 403, "forbidden"},
		{"run with blanks", http.Header{"Authorization": agent, "X-Signalbox-Run": {"a b"}}, 400, "invalid"},
		{"run twice", http.Header{"Authorization": agent, "X-Signalbox-Run": {"a", "b"}}, 400, "invalid"},
		{"negative step", http.Header{"Authorization": agent, "X-Signalbox-Step": {"-1"}}, 400, "invalid"},
		{"step is a word", http.Header{"Authorization": agent, "X-Signalbox-Step": {"first"}}, 400, "invalid"},
		{"long purpose", http.Header{"Authorization": agent, "X-Signalbox-Purpose": {strings.Repeat("p", 257)}}, 400, "invalid"},
		{"too many headers", many(agent), 413, "too_large"},
		{"a role that makes no calls", http.Header{"Authorization": {"Bearer " + harness.Auditor}}, 403, "forbidden"},
	} {
		for _, path := range []string{chatPath, messagesPath} {
			t.Run(strings.TrimPrefix(path, "/v1/")+"/"+c.name, func(t *testing.T) {
				h := c.header.Clone()
				if h.Get("Content-Type") == "" && c.name != "no content type" {
					h.Set("Content-Type", "application/json")
				}
				checkRefused(t, i, path, post(t, i.URL+path, good, h), c.status, c.code)
			})
		}
	}
	i.Complete(t)
}

func many(agent []string) http.Header {
	h := http.Header{"Authorization": agent}
	for n := range 120 {
		h.Set(fmt.Sprintf("X-Many-%d", n), "1")
	}
	return h
}

// Without a valid key there is no call, and one record counts all refusals of a source in a minute.
func TestBadKeys(t *testing.T) {
	dir := t.TempDir()
	i := harness.Start(t, harness.Options{Whole: inputWhole, Dir: dir})
	revoked := revokedKey(t, i)
	cases := []struct {
		name   string
		header http.Header
		status int
		code   signalbox.Code
	}{
		{"none", http.Header{}, 401, "unauthenticated"},
		{"empty", http.Header{"Authorization": {""}}, 401, "unauthenticated"},
		{"unknown", http.Header{"Authorization": {"Bearer sb_this-key-is-unknown"}}, 401, "unauthenticated"},
		{"unknown x-api-key", http.Header{"X-Api-Key": {"sb_this-key-is-unknown"}}, 401, "unauthenticated"},
		{"another scheme", http.Header{"Authorization": {"Basic YTpi"}}, 401, "unauthenticated"},
		{"revoked", http.Header{"Authorization": {"Bearer " + revoked}}, 401, "unauthenticated"},
		{"two that differ", http.Header{"Authorization": {"Bearer " + harness.Agent}, "X-Api-Key": {harness.Admin}}, 400, "invalid"},
		{"twice", http.Header{"Authorization": {"Bearer " + harness.Agent, "Bearer " + harness.Agent}}, 400, "invalid"},
	}
	for _, c := range cases {
		for _, path := range []string{chatPath, messagesPath, "/api/v1/keys", "/mcp/search"} {
			t.Run(c.name+path, func(t *testing.T) {
				h := c.header.Clone()
				h.Set("Content-Type", "application/json")
				h.Set("Accept", "application/json, text/event-stream")
				a := post(t, i.URL+path, good, h)
				if a.Status != c.status || !strings.Contains(a.Body, `"`+string(c.code)+`"`) {
					t.Errorf("got %d: %s", a.Status, a.Body)
				}
				if id := a.Header.Get("X-Signalbox-Call"); id != "" {
					t.Errorf("a request without a key has the call %s", id)
				}
			})
		}
	}
	i.Stop()
	i = harness.Start(t, harness.Options{Whole: inputWhole, Dir: dir})
	checkRefusals(t, i, 4*len(cases))
}

// checkRefusals: all refusals are counted, in few records, and none became a call.
func checkRefusals(t *testing.T, i *harness.Instance, want int) {
	t.Helper()
	counted, records := 0, 0
	for _, r := range i.Log(t) {
		if r.CallID != nil {
			t.Errorf("there is the call %s", *r.CallID)
		}
		if r.What.Action != signalbox.ActionRefusals {
			continue
		}
		records++
		var n int
		if _, err := fmt.Sscan(r.What.Detail["count"], &n); err != nil {
			t.Errorf("the record of refusals says %v", r.What.Detail)
		}
		counted += n
	}
	if counted != want || records == 0 || records > 4 {
		t.Errorf("%d refusals in %d records, want %d in few", counted, records, want)
	}
}

// revokedKey makes a key, proves that it works, and revokes it.
func revokedKey(t *testing.T, i *harness.Instance) string {
	t.Helper()
	var made api.CreatedKey
	a := i.Send(t, http.MethodPost, "/api/v1/keys", harness.Admin, `{"tenant":"acme","role":"agent"}`)
	if err := json.Unmarshal([]byte(a.Body), &made); err != nil || a.Status != http.StatusCreated {
		t.Fatalf("got %d: %s", a.Status, a.Body)
	}
	if got := i.Send(t, http.MethodGet, "/v1/models", made.Secret, "").Status; got != http.StatusOK {
		t.Fatalf("the new key answers %d", got)
	}
	if a := i.Send(t, http.MethodDelete, "/api/v1/keys/"+made.ID, harness.Admin, ""); a.Status != http.StatusOK {
		t.Fatalf("got %d: %s", a.Status, a.Body)
	}
	return made.Secret
}
