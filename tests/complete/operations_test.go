package complete

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// act is how an operation is done for real and what it leaves.
type act struct {
	action string // Of the record it leaves; "": it changes nothing.
	why    string // Why it changes nothing.
	// prepare makes what is acted upon, before the act, and gives it.
	prepare func(*testing.T, *world) string
	do      func(t *testing.T, w *world, on string)
}

const reads = "it only reads"

// read is an operation that reads; %s in the path stands for what was prepared.
func read(path string, prepare ...func(*testing.T, *world) string) act {
	a := act{why: reads, do: func(t *testing.T, w *world, on string) {
		w.change(t, http.MethodGet, strings.ReplaceAll(path, "%s", on), "")
	}}
	if len(prepare) > 0 {
		a.prepare = prepare[0]
	}
	return a
}

// does is an operation that changes something.
func does(action, method, path, body string, prepare func(*testing.T, *world) string) act {
	return act{action: action, prepare: prepare, do: func(t *testing.T, w *world, on string) {
		w.change(t, method, strings.ReplaceAll(path, "%s", on), strings.ReplaceAll(body, "%s", on))
	}}
}

func called(t *testing.T, w *world) string { return w.ask(t, harness.Agent, "in=1 out=1", 10) }

func traced(t *testing.T, w *world) string { return *w.Call(t, called(t, w)).TraceID }

func opened(t *testing.T, w *world) string { return w.run(t) }
func closed(t *testing.T, w *world) string { return w.closed(t) }
func braked(t *testing.T, w *world) string { return w.brake(t) }
func made(t *testing.T, w *world) string   { return w.key(t) }

const login = `{"key":"` + harness.Admin + `"}`

// It is not for the agent whose calls wait: they would not, under a grant.
const grant = `{"agent":"clerk","tool":"shelf.*","reason":"the shelf burns","minutes":5}`

// session logs in and gives the cookie.
func session(t *testing.T, w *world) string {
	a := w.change(t, http.MethodPost, "/session", login, "X-Signalbox-Console", "1")
	return strings.SplitN(a.Header.Get("Set-Cookie"), ";", 2)[0]
}

// operations are all of the control API, by the ids of docs/openapi.json.
var operations = map[string]act{
	"list-accounts": read("/accounts"),
	"list-alerts":   read("/alerts"),
	"list-brakes":   read("/brakes"),
	"list-records":  read("/audit"),
	"list-calls":    read("/calls"),
	"get-call":      read("/calls/%s", called),
	"get-costs":     read("/costs"),
	"get-facets":    read("/facets"),
	"get-health":    read("/health"),
	"list-keys":     read("/keys"),
	"get-overview":  read("/overview"),
	"list-prices":   read("/prices"),
	"list-runs":     read("/runs"),
	"get-run":       read("/runs/%s", opened),
	"get-session":   read("/session"),
	"get-trace":     read("/traces/%s", traced),
	"verify-log": {why: "it recomputes the log and keeps nothing of it", do: func(t *testing.T, w *world, _ string) {
		w.change(t, http.MethodPost, "/audit/verify", "")
	}},

	"get-record":       read("/audit/0"),
	"get-audit-status": read("/audit/status"),
	"erase-subject":    does(signalbox.ActionErasure, http.MethodPost, "/subjects/%s/erasure?tenant=acme", `{"reason":"ticket 7"}`, subject),
	// It reads, and that somebody has read is to be known.
	"export-subject": does(signalbox.ActionSubjectExported, http.MethodGet, "/subjects/%s/records?tenant=acme", "", subject),
	"export-log":     does(signalbox.ActionLogExported, http.MethodGet, "/audit/export", "", signed),
	"archive-log":    does(signalbox.ActionLogArchived, http.MethodPost, "/audit/archives", `{"name":"by-api","until":1000000000}`, signed),

	"list-approvals":  read("/approvals", waiting),
	"get-approval":    read("/approvals/%s?wait=1s", waiting),
	"watch-approvals": read("/approvals/events?id=%s", decided), // It ends at once: nothing is left to wait for.
	"approve":         does(signalbox.ActionApprovalVoted, http.MethodPost, "/approvals/%s/approve", "", waiting),
	"deny":            does(signalbox.ActionApprovalVoted, http.MethodPost, "/approvals/%s/deny", `{"reason":"not now"}`, waiting),
	"deny-many":       does(signalbox.ActionApprovalVoted, http.MethodPost, "/approvals/deny", `{"ids":["%s"],"reason":"not now"}`, waiting),
	"edit-approval": does(signalbox.ActionApprovalVoted, http.MethodPost, "/approvals/%s/edit",
		`{"arguments":{"mark":"m-edited","fail":false},"reason":"another one"}`, waitingTool), // The denial of what was asked.
	"withdraw-approval":    does(signalbox.ActionApprovalEnded, http.MethodPost, "/approvals/%s/withdraw", `{"reason":"not needed"}`, waiting),
	"get-policy":           read("/policy"),
	"list-policy-versions": read("/policy/versions"),
	"get-policy-version":   read("/policy/versions/%s", inForce),
	"explain-policy": {why: "it says what would become of a call that nobody makes", do: func(t *testing.T, w *world, _ string) {
		w.change(t, http.MethodPost, "/policy/explain", `{"agent":"planner","tool":"shelf.work","arguments":{"mark":"m"}}`)
	}},
	"list-grants":    read("/break-glass", granted),
	"give-grant":     does(signalbox.ActionBreakGlass, http.MethodPost, "/break-glass", grant, nil),
	"end-grant":      does(signalbox.ActionBreakGlassEnded, http.MethodPost, "/break-glass/%s/end", "", granted),
	"review-grant":   does(signalbox.ActionBreakGlassReview, http.MethodPost, "/break-glass/%s/review", `{"review":"nothing was done"}`, ended),
	"list-incidents": read("/incidents", reported),
	"open-incident": does(signalbox.ActionIncidentOpened, http.MethodPost, "/incidents",
		`{"call_id":"%s","severity":"high","text":"the wrong file was written"}`, called),
	"close-incident":       does(signalbox.ActionIncidentClosed, http.MethodPost, "/incidents/%s/close", `{"resolution":"restored"}`, reported),
	"list-pins":            read("/pins", unaccepted),
	"get-pin":              read("/pins/%s", unaccepted),
	"accept-pin":           reviews(signalbox.ActionPinAccepted, "accept", unaccepted),
	"reject-pin":           reviews(signalbox.ActionPinRejected, "reject", unrejected),
	"list-servers":         read("/servers"),
	"get-server":           read("/servers/shelf"),
	"list-tools":           read("/servers/shelf/tools", unaccepted),
	"get-tool":             read("/tools/%s", unaccepted),
	"search":               read("/search?q=work", unaccepted),
	"list-sessions":        read("/sessions", loggedIn),
	"revoke-session":       does(signalbox.ActionSessionRevoked, http.MethodPost, "/sessions/%s/revoke", "", loggedIn),
	"list-login-providers": read("/login"),

	"reopen-account":  does(signalbox.ActionAccountReopened, http.MethodPost, "/accounts/reopen", `{"account":"%s"}`, closed),
	"lift-brake":      does(signalbox.ActionBrakeLifted, http.MethodPost, "/brakes/%s/lift", "", braked),
	"reconcile-costs": does(signalbox.ActionCostReconciled, http.MethodPost, "/costs/reconcile", `{"items":[{"call_id":"%s","cost_usd":"0.7"}]}`, called),
	"create-key":      does(signalbox.ActionKeyCreated, http.MethodPost, "/keys", `{"tenant":"acme","role":"agent"}`, nil),
	"revoke-key":      does(signalbox.ActionKeyRevoked, http.MethodDelete, "/keys/%s", "", made),
	"open-run":        does(signalbox.ActionRunOpened, http.MethodPost, "/runs", plan, nil),
	"end-run":         does(signalbox.ActionRunEnded, http.MethodPost, "/runs/%s/end", "", opened),
	"log-in": {action: signalbox.ActionLogin, do: func(t *testing.T, w *world, _ string) {
		session(t, w)
	}},
	"log-out": {action: signalbox.ActionLogout, prepare: session, do: func(t *testing.T, w *world, cookie string) {
		a := w.Send(t, http.MethodDelete, "/api/v1/session", "", "", "Cookie", cookie, "Origin", w.URL)
		if a.Status != http.StatusNoContent {
			t.Fatalf("status %d: %s", a.Status, a.Body)
		}
	}},
}

// offered gives the ids of the operations that docs/openapi.json describes.
func offered(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.ID == "" {
				t.Errorf("%s %s has no id", method, path)
			}
			ids = append(ids, op.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestOperations(t *testing.T) {
	w := newWorld(t)
	ids := offered(t)
	if len(ids) < 20 {
		t.Fatalf("only %d operations are described", len(ids))
	}
	for _, id := range ids {
		t.Run(id, func(t *testing.T) {
			a, known := operations[id]
			if !known {
				t.Fatalf("nobody has said what the operation %s leaves in the log: add it to the table of this test", id)
			}
			if (a.action == "") != (a.why != "") {
				t.Fatal("an operation leaves a record, or there is a reason why not")
			}
			on := ""
			if a.prepare != nil {
				on = a.prepare(t, w)
			}
			w.added(t)
			a.do(t, w, on)
			w.left(t, a.action, "admin")
		})
	}
	for _, id := range slices.Sorted(maps.Keys(operations)) {
		if !slices.Contains(ids, id) {
			t.Errorf("the operation %s is not offered", id)
		}
	}
}

// What is refused changes nothing, so that there is no record of an act that has not been.
func TestRefusedOperations(t *testing.T) {
	w := newWorld(t)
	refused := []struct{ method, path, key, body string }{
		{http.MethodPost, "/keys", harness.Operator, `{"tenant":"acme","role":"agent"}`},
		{http.MethodPost, "/keys", harness.Admin, `{"tenant":"acme","role":"king"}`},
		{http.MethodDelete, "/keys/agent", harness.Admin, ""},
		{http.MethodPost, "/runs", harness.Admin, `{}`},
		{http.MethodPost, "/runs/run_0/end", harness.Admin, ""},
		{http.MethodPost, "/brakes/brake_0/lift", harness.Admin, ""},
		{http.MethodPost, "/accounts/reopen", harness.Admin, `{"account":"tenant acme - - usd month -"}`},
	}
	w.added(t)
	for _, r := range refused {
		t.Run(fmt.Sprint(r.method, r.path), func(t *testing.T) {
			if a := w.Send(t, r.method, "/api/v1"+r.path, r.key, r.body); a.Status/100 != 4 {
				t.Errorf("status %d: %s", a.Status, a.Body)
			}
			w.left(t, "", "")
		})
	}
	t.Run("a log-out without a session", func(t *testing.T) {
		if a := w.Send(t, http.MethodDelete, "/api/v1/session", harness.Admin, ""); a.Status != http.StatusNoContent {
			t.Errorf("status %d: %s", a.Status, a.Body)
		}
		w.left(t, "", "")
	})
}
