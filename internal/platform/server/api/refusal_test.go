package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// refusal is the shape of every error.
type refusal struct {
	Error struct {
		Code      signalbox.Code `json:"code"`
		Message   string         `json:"message"`
		Remedy    string         `json:"remedy"`
		Field     *string        `json:"field"`
		RequestID *string        `json:"request_id"`
	} `json:"error"`
}

// refused checks an error's shape and gives it.
func refused(t failer, what string, a answer, status int, code signalbox.Code) refusal {
	t.Helper()
	var f refusal
	if err := json.Unmarshal(a.body, &f); err != nil {
		t.Fatalf("%s: %v: %d %s", what, err, a.status, a.body)
	}
	if a.status != status || f.Error.Code != code || f.Error.Message == "" || f.Error.Remedy == "" {
		t.Errorf("%s: got %d, want %d %s: %s", what, a.status, status, code, a.body)
	}
	if id := a.header.Get("X-Request-Id"); f.Error.RequestID == nil || *f.Error.RequestID != id || id == "" {
		t.Errorf("%s: the request id is %q in the header and %v in the body", what, id, f.Error.RequestID)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: Content-Type %q", what, ct)
	}
	if got := a.header.Get("X-Should-Retry"); (got == "false") == code.Retryable() {
		t.Errorf("%s: X-Should-Retry %q for %s", what, got, code)
	}
	return f
}

// Bad input is refused in our shape, with the field to blame.
func TestBadInput(t *testing.T) {
	s := open(t)
	good := `{"tenant":"acme","role":"agent"}`
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     signalbox.Code
		field                    string
	}{
		{name: "unknown parameter", path: "/calls?modell=x", status: 400, code: "invalid", field: "query.modell"},
		{name: "unknown parameter where there is none", path: "/facets?x=1", status: 400, code: "invalid", field: "query.x"},
		{name: "unknown parameter of a path", path: "/calls/call_1?x=1", status: 400, code: "invalid", field: "query.x"},
		{name: "parameter in another case", path: "/calls?Limit=3", status: 400, code: "invalid", field: "query.Limit"},
		{name: "limit 0", path: "/calls?limit=0", status: 400, code: "invalid", field: "query.limit"},
		{name: "limit 501", path: "/calls?limit=501", status: 400, code: "invalid", field: "query.limit"},
		{name: "limit -1", path: "/runs?limit=-1", status: 400, code: "invalid", field: "query.limit"},
		{name: "limit of keys", path: "/keys?limit=501", status: 400, code: "invalid", field: "query.limit"},
		{name: "limit of records", path: "/audit?limit=0", status: 400, code: "invalid", field: "query.limit"},
		{name: "format of an export", path: "/audit/export?format=csv", status: 400, code: "invalid", field: "query.format"},
		{name: "page of an export", path: "/audit/export?limit=5", status: 400, code: "invalid", field: "query.limit"},
		{name: "limit of a trace", path: "/traces/" + hex32(0) + "?limit=10001", status: 400, code: "invalid", field: "query.limit"},
		{name: "limit is no number", path: "/calls?limit=1e2", status: 400, code: "invalid", field: "query.limit"},
		{name: "cursor of calls", path: "/calls?cursor=abc", status: 400, code: "invalid", field: "cursor"},
		{name: "negative cursor", path: "/calls?cursor=-1", status: 400, code: "invalid", field: "cursor"},
		{name: "cursor that overflows", path: "/calls?cursor=99999999999999999999", status: 400, code: "invalid", field: "cursor"},
		{name: "cursor of runs", path: "/runs?cursor=abc", status: 400, code: "invalid", field: "cursor"},
		{name: "cursor of records", path: "/audit?cursor=-1", status: 400, code: "invalid", field: "cursor"},
		{name: "cursor of keys", path: "/keys?cursor=key_nobody", status: 400, code: "invalid", field: "cursor"},
		{name: "cursor of a trace", path: "/traces/" + hex32(0) + "?cursor=x", status: 400, code: "invalid", field: "cursor"},
		{name: "unknown server", path: "/servers/none", status: 404, code: "not_found", field: "id"},
		{name: "tools of an unknown server", path: "/servers/none/tools", status: 404, code: "not_found", field: "id"},
		{name: "state of tools", path: "/servers/files/tools?state=good", status: 400, code: "invalid", field: "query.state"},
		{name: "hours of a year of tools", path: "/servers/files/tools?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", status: 400, code: "invalid", field: "from"},
		{name: "unknown tool", path: "/tools/files.none", status: 404, code: "not_found", field: "id"},
		{name: "tool of an unknown server", path: "/tools/none.read", status: 404, code: "not_found", field: "id"},
		{name: "tool without a server", path: "/tools/read", status: 404, code: "not_found", field: "id"},
		{name: "hours of a year of a tool", path: "/tools/files.read?from=2025-01-01T00:00:00Z", status: 400, code: "invalid", field: "from"},
		{name: "search without words", path: "/search", status: 400, code: "invalid", field: "query.q"},
		{name: "search for nothing", path: "/search?q=", status: 400, code: "invalid", field: "query.q"},
		{name: "search for a book", path: "/search?q=" + strings.Repeat("a", 201), status: 400, code: "invalid", field: "query.q"},
		{name: "kind of hits", path: "/search?q=a&kind=server", status: 400, code: "invalid", field: "query.kind"},
		{name: "cursor of a search", path: "/search?q=a&cursor=abc", status: 400, code: "invalid", field: "cursor"},
		{name: "bad time", path: "/calls?from=yesterday", status: 400, code: "invalid", field: "query.from"},
		{name: "time without a zone", path: "/costs?to=2026-11-22T10:00:00", status: 400, code: "invalid", field: "query.to"},
		{name: "a day that there is not", path: "/overview?from=2026-02-30T00:00:00Z", status: 400, code: "invalid", field: "query.from"},
		{name: "kind", path: "/calls?kind=agent", status: 400, code: "invalid", field: "query.kind"},
		{name: "outcome", path: "/calls?outcome=OK", status: 400, code: "invalid", field: "query.outcome"},
		{name: "split", path: "/costs?by=user", status: 400, code: "invalid", field: "query.by"},
		{name: "bucket", path: "/costs?bucket=minute", status: 400, code: "invalid", field: "query.bucket"},
		{name: "hours of a year", path: "/costs?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", status: 400, code: "invalid", field: "bucket"},
		{name: "trace id", path: "/traces/xyz", status: 400, code: "invalid", field: "path.id"},
		{name: "trace id in upper case", path: "/traces/" + strings.Repeat("A", 32), status: 400, code: "invalid", field: "path.id"},
		{name: "unknown call", path: "/calls/call_0", status: 404, code: "not_found", field: "id"},
		{name: "unknown trace", path: "/traces/" + hex32(7), status: 404, code: "not_found", field: "id"},
		{name: "long filter", path: "/calls?agent=" + strings.Repeat("a", 129), status: 400, code: "invalid", field: "query.agent"},
		{name: "no body", method: "POST", path: "/keys", status: 400, code: "invalid"},
		{name: "malformed body", method: "POST", path: "/keys", body: `{"tenant":`, status: 400, code: "invalid", field: "body"},
		{name: "trailing data", method: "POST", path: "/keys", body: good + good, status: 400, code: "invalid", field: "body"},
		{name: "duplicate name", method: "POST", path: "/keys", body: `{"tenant":"acme","tenant":"globex","role":"agent"}`, status: 400, code: "invalid", field: "body"},
		{name: "duplicate name in another case", method: "POST", path: "/keys", body: `{"tenant":"acme","Tenant":"globex","role":"agent"}`, status: 400, code: "invalid"},
		{name: "mis-cased name", method: "POST", path: "/keys", body: `{"Tenant":"acme","role":"agent"}`, status: 400, code: "invalid"},
		{name: "unknown name", method: "POST", path: "/keys", body: `{"tenant":"acme","role":"agent","budget":1}`, status: 400, code: "invalid", field: "body.budget"},
		{name: "wrong type", method: "POST", path: "/keys", body: `{"tenant":7,"role":"agent"}`, status: 400, code: "invalid", field: "body.tenant"},
		{name: "null", method: "POST", path: "/keys", body: `null`, status: 400, code: "invalid"},
		{name: "array", method: "POST", path: "/keys", body: `[]`, status: 400, code: "invalid", field: "body"},
		{name: "not UTF-8", method: "POST", path: "/keys", body: "{\"tenant\":\"\xff\",\"role\":\"agent\"}", status: 400, code: "invalid", field: "body"},
		{name: "missing name", method: "POST", path: "/keys", body: `{"role":"agent"}`, status: 400, code: "invalid", field: "body"},
		{name: "bad role", method: "POST", path: "/keys", body: `{"tenant":"acme","role":"king"}`, status: 400, code: "invalid", field: "body.role"},
		{name: "tenant with a line break", method: "POST", path: "/keys", body: `{"tenant":"a\nb","role":"agent"}`, status: 400, code: "invalid"},
		{name: "body too large", method: "POST", path: "/keys", body: `{"tenant":"` + strings.Repeat("a", api.MaxBody) + `","role":"agent"}`, status: 413, code: "too_large"},
		{name: "wrong content type", method: "POST", path: "/keys", body: good, header: []string{"Content-Type", "text/plain"}, status: 415, code: "unsupported"},
		{name: "form", method: "POST", path: "/session", body: "key=x", header: []string{"Content-Type", "application/x-www-form-urlencoded", api.ConsoleHeader, "1"}, status: 415, code: "unsupported"},
		{name: "login without a key", method: "POST", path: "/session", body: `{"key":""}`, header: []string{api.ConsoleHeader, "1"}, status: 400, code: "invalid", field: "body.key"},
		{name: "unknown key", method: "DELETE", path: "/keys/key_0", status: 404, code: "not_found", field: "id"},
		{name: "static key", method: "DELETE", path: "/keys/acme-agent", status: 409, code: "conflict", field: "id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodGet
			}
			f := refused(t, c.path, s.ask(c.method, "/api/v1"+c.path, admin, c.body, c.header...), c.status, c.code)
			if got := f.Error.Field; c.field != "" && (got == nil || *got != c.field) {
				t.Errorf("the field is %v, want %s (%s)", got, c.field, f.Error.Message)
			}
		})
	}
	if n := len(s.ring.List()); n != len(tenants)*len(signalbox.Roles()) {
		t.Errorf("bad requests made keys: there are %d", n)
	}
}

// A request id is the caller's where it can be.
func TestRequestID(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		id   string
		kept bool
	}{"valid": {"ticket-4711", true}, "markup": {"<b>", false}, "long": {strings.Repeat("x", 200), false}} {
		t.Run(name, func(t *testing.T) {
			f := refused(t, name, s.ask(http.MethodGet, "/api/v1/calls", "", "", "X-Request-Id", c.id), 401, "unauthenticated")
			if (*f.Error.RequestID == c.id) != c.kept {
				t.Errorf("the id %q became %q", c.id, *f.Error.RequestID)
			}
		})
	}
}

// What is to be retried says when; the time is never shorter than it is.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name string
		err  *signalbox.Error
		want string
	}{
		{"rounded up", signalbox.Errorf(signalbox.CodeRateLimited, "x").WithRetryAfter(1500 * time.Millisecond), "2"},
		{"at least a second", signalbox.Errorf(signalbox.CodeUnavailable, "x").WithRetryAfter(time.Millisecond), "1"},
		{"promised by the code", signalbox.Errorf(signalbox.CodeUnavailable, "x"), "1"},
		{"not for others", signalbox.Errorf(signalbox.CodeUpstream, "x"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			api.WriteError(w, c.err, "req_1")
			if got := w.Header().Get("Retry-After"); got != c.want {
				t.Errorf("Retry-After %q, want %q", got, c.want)
			}
		})
	}
}

// Who may call what. An operation that is not in the table fails the test.
func TestRoles(t *testing.T) {
	s := open(t)
	s.write(sample{n: 0, tenant: "acme", trace: hex32(0), model: "small", outcome: "ok"}.records()...)
	everybody := signalbox.Roles()
	readers := []signalbox.Role{"auditor", "operator", "admin"}
	only := []signalbox.Role{"admin"}
	callers := []signalbox.Role{"agent", "developer", "operator", "admin"}
	operators := []signalbox.Role{"operator", "admin"}
	deciders := []signalbox.Role{"developer", "approver", "operator", "admin"}
	people := []signalbox.Role{"developer", "approver", "auditor", "operator", "admin"}
	operations := map[string]struct {
		method, path, body string
		allowed            []signalbox.Role
		status             int
	}{
		"log-in":           {"POST", "/session", "", nil, 0}, // Needs no key: see the tests of sessions.
		"get-session":      {"GET", "/session", "", everybody, 200},
		"log-out":          {"DELETE", "/session", "", everybody, 204},
		"list-calls":       {"GET", "/calls", "", everybody, 200},
		"get-call":         {"GET", "/calls/" + sample{}.id(), "", everybody, 200},
		"get-facets":       {"GET", "/facets", "", everybody, 200},
		"get-trace":        {"GET", "/traces/" + hex32(0), "", everybody, 200},
		"get-costs":        {"GET", "/costs", "", everybody, 200},
		"get-overview":     {"GET", "/overview", "", everybody, 200},
		"list-runs":        {"GET", "/runs", "", everybody, 200},
		"open-run":         {"POST", "/runs", `{"budget":{"total_max_cost_usd":1}}`, callers, 201},
		"get-run":          {"GET", "/runs/nobody", "", everybody, 404},
		"end-run":          {"POST", "/runs/nobody/end", "", callers, 404},
		"list-prices":      {"GET", "/prices", "", everybody, 200},
		"get-health":       {"GET", "/health", "", everybody, 200},
		"list-keys":        {"GET", "/keys", "", readers, 200},
		"create-key":       {"POST", "/keys", `{"tenant":"acme","role":"agent"}`, only, 201},
		"revoke-key":       {"DELETE", "/keys/nobody", "", only, 404},
		"list-records":     {"GET", "/audit", "", readers, 200},
		"get-record":       {"GET", "/audit/0", "", readers, 200},
		"get-audit-status": {"GET", "/audit/status", "", readers, 200},
		"export-log":       {"GET", "/audit/export", "", readers, 404}, // Nothing is signed yet.
		"export-subject":   {"GET", "/subjects/nobody/records?tenant=acme", "", only, 404},
		"erase-subject":    {"POST", "/subjects/nobody/erasure?tenant=acme", `{"reason":"ticket 7"}`, only, 404},
		"archive-log":      {"POST", "/audit/archives", `{"name":"a","until":1}`, only, 409},
		"list-accounts":    {"GET", "/accounts", "", everybody, 200},
		"reopen-account":   {"POST", "/accounts/reopen", `{"account":"tenant acme - - usd day -"}`, operators, 404},
		"reconcile-costs":  {"POST", "/costs/reconcile", `{"items":[]}`, operators, 200},
		"list-alerts":      {"GET", "/alerts", "", everybody, 200},
		"list-brakes":      {"GET", "/brakes", "", everybody, 200},
		"lift-brake":       {"POST", "/brakes/nobody/lift", "", operators, 404},
		"verify-log":       {"POST", "/audit/verify", "", readers, 200},

		"list-approvals":       {"GET", "/approvals", "", everybody, 200},
		"get-approval":         {"GET", "/approvals/nobody", "", everybody, 404},
		"watch-approvals":      {"GET", "/approvals/events?id=nobody", "", everybody, 404},
		"approve":              {"POST", "/approvals/nobody/approve", "", deciders, 404},
		"deny":                 {"POST", "/approvals/nobody/deny", `{"reason":"no"}`, deciders, 404},
		"deny-many":            {"POST", "/approvals/deny", `{"ids":["nobody"],"reason":"no"}`, deciders, 200},
		"withdraw-approval":    {"POST", "/approvals/nobody/withdraw", "", everybody, 404},
		"edit-approval":        {"POST", "/approvals/nobody/edit", `{"arguments":{},"reason":"no"}`, deciders, 404},
		"get-policy":           {"GET", "/policy", "", people, 200},
		"explain-policy":       {"POST", "/policy/explain", `{"agent":"a","tool":"files.read","arguments":{}}`, people, 200},
		"list-policy-versions": {"GET", "/policy/versions", "", people, 200},
		"get-policy-version":   {"GET", "/policy/versions/nobody", "", people, 404},
		"list-grants":          {"GET", "/break-glass", "", people, 200},
		"give-grant":           {"POST", "/break-glass", `{"agent":"a","tool":"files.*","reason":"fire"}`, operators, 201},
		"end-grant":            {"POST", "/break-glass/nobody/end", "", operators, 404},
		"review-grant":         {"POST", "/break-glass/nobody/review", `{"review":"fine"}`, []signalbox.Role{"approver", "operator", "admin"}, 404},
		"list-incidents":       {"GET", "/incidents", "", people, 200},
		"open-incident":        {"POST", "/incidents", `{"call_id":"nobody","severity":"low","text":"x"}`, deciders, 404},
		"close-incident":       {"POST", "/incidents/nobody/close", `{"resolution":"x"}`, deciders, 404},
		"list-pins":            {"GET", "/pins", "", people, 200},
		"get-pin":              {"GET", "/pins/files.nobody", "", people, 404},
		"accept-pin":           {"POST", "/pins/files.nobody/accept", `{"form":"00000000","reason":"x"}`, operators, 404},
		"reject-pin":           {"POST", "/pins/files.nobody/reject", `{"form":"00000000","reason":"x"}`, operators, 404},
		"list-servers":         {"GET", "/servers", "", people, 200},
		"get-server":           {"GET", "/servers/files", "", people, 200},
		"list-tools":           {"GET", "/servers/files/tools", "", people, 200},
		"get-tool":             {"GET", "/tools/files.read", "", people, 200},
		"search":               {"GET", "/search?q=read", "", everybody, 200},
		"list-sessions":        {"GET", "/sessions", "", everybody, 200},
		"revoke-session":       {"POST", "/sessions/nobody/revoke", "", everybody, 404},
		"list-login-providers": {"GET", "/login", "", nil, 0}, // Needs no key: see the tests of sessions.
	}
	for id := range described(t, s) {
		if _, known := operations[id]; !known {
			t.Errorf("the operation %s is not tested", id)
		}
	}
	for id, o := range operations {
		if o.status == 0 {
			continue
		}
		for _, role := range everybody {
			t.Run(id+" "+string(role), func(t *testing.T) {
				a := s.ask(o.method, "/api/v1"+o.path, secretOf("acme", role), o.body)
				if slices.Contains(o.allowed, role) {
					if a.status != o.status {
						t.Errorf("got %d, want %d: %s", a.status, o.status, a.body)
					}
					return
				}
				refused(t, id, a, 403, "forbidden")
			})
		}
		t.Run(id+" nobody", func(t *testing.T) {
			refused(t, id, s.ask(o.method, "/api/v1"+o.path, "", o.body), 401, "unauthenticated")
			refused(t, id, s.ask(o.method, "/api/v1"+o.path, "sb_not-a-key-of-anybody", o.body), 401, "unauthenticated")
		})
	}
	if want := 3; s.verified != want {
		t.Errorf("the log was verified %d times, want %d: refused requests must do nothing", s.verified, want)
	}
}

// described gives the operations of the OpenAPI document, by id.
func described(t *testing.T, s *site) map[string]bool {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(s.ask(http.MethodGet, "/api/v1/openapi.json", "", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, methods := range doc.Paths {
		for _, o := range methods {
			ids[o.ID] = true
		}
	}
	if len(ids) < 10 {
		t.Fatalf("the document has %d operations", len(ids))
	}
	return ids
}
