package complete

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// A thousand output tokens of "one" cost a dollar. What a run costs raises the default alerts, two of which set brakes;
// a provider that bills beyond the bound closes the account of a poor key.
const config = `listen: 127.0.0.1:0
database: "sqlite:@DB@"
audit: {archive: "@ARCHIVES@"}
tenants:
  - {id: acme}
agents:
  - id: planner
    role: planning
    permissions: {tools: [{name: books.work, operations: [read], resources: ["*"]}, {name: shelf.work, operations: [write], resources: ["m*"]}]}
  - {id: clerk, role: copying}
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent, budgets: [{unit: usd, per: month, max: 100000}]}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
  - {id: ann, secret: approver-key-of-acme-01, tenant: acme, role: approver, user: ann}
  - {id: poor, secret: poor-key-of-acme-000001, tenant: acme, role: agent, budgets: [{unit: usd, per: month, max: 1}]}
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1"}
models:
  one: {provider: bill, context_window: 200000, max_output: 50000, price: {input: 0, output: 1000}}
policy: {risk: [{when: 'call.step_kind == "weighty"', level: medium}]}
mcp_servers:
  books: {url: "@TOOLS@", price: {per_call: 0.5}, tools: {work: {operation: read, resources: [{arg: mark, kind: name}]}}}
  drawer: {url: "@TOOLS@", pins: {first: hold}}
  chest: {url: "@TOOLS@", pins: {first: hold}}
  shelf: {url: "@TOOLS@", price: {per_call: 0.5}, tools: {work: {operation: write, resources: [{arg: mark, kind: name}]}}}
`

const (
	poor     = "poor-key-of-acme-000001"
	approver = "approver-key-of-acme-01"
)

// world is an instance with something to act upon.
type world struct {
	*harness.Instance
	owner    *testing.T // With whose end the instance ends.
	provider *biller.Provider
	tools    *biller.Tools
	seen     int64 // Records that were there before the act.
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{owner: t, provider: biller.New(map[string]signalbox.Rates{"one": {Output: 1000 * signalbox.Dollar}}), tools: biller.NewTools()}
	t.Cleanup(w.provider.Close)
	t.Cleanup(w.tools.Close)
	dir := t.TempDir()
	w.Instance = harness.Start(t, harness.Options{
		Dir:   dir,
		Whole: strings.NewReplacer("@UPSTREAM@", w.provider.URL, "@TOOLS@", w.tools.URL, "@ARCHIVES@", filepath.Join(dir, "archives")).Replace(config),
	})
	return w
}

// ask makes a model call that costs so many tokens, and gives its id.
func (w *world) ask(t *testing.T, key, prompt string, limit int, header ...string) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":"one","max_tokens":%d,"messages":[{"role":"user","content":%q}]}`, limit, prompt)
	a := w.Send(t, http.MethodPost, "/v1/chat/completions", key, body, header...)
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	w.Call(t, a.Header.Get("X-Signalbox-Call"))
	return a.Header.Get("X-Signalbox-Call")
}

// change asks the control API for a change, which must be made, and gives the answer.
func (w *world) change(t *testing.T, method, path, body string, header ...string) harness.Answer {
	t.Helper()
	a := w.Send(t, method, "/api/v1"+path, harness.Admin, body, header...)
	if a.Status/100 != 2 {
		t.Fatalf("%s %s answers %d: %s", method, path, a.Status, a.Body)
	}
	return a
}

// id reads a member of an answer.
func id(t *testing.T, body, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	text, _ := m[name].(string)
	if text == "" {
		t.Fatalf("no %q in %s", name, body)
	}
	return text
}

func (w *world) key(t *testing.T) string {
	return id(t, w.change(t, http.MethodPost, "/keys", `{"tenant":"acme","role":"agent"}`).Body, "id")
}

const plan = `{"budget":{"total_max_cost_usd":"0.50"},"agents":[{"agent_id":"planner","max_cost_usd":"0.20"}]}`

func (w *world) run(t *testing.T) string {
	return id(t, w.change(t, http.MethodPost, "/runs", plan).Body, "id")
}

// brake gives a brake that holds: that of a run which has cost too much.
func (w *world) brake(t *testing.T) string {
	t.Helper()
	run := fmt.Sprintf("run-%d", time.Now().UnixNano())
	w.ask(t, harness.Agent, "in=1 out=11000", 11000, "X-Signalbox-Run", run)
	found := ""
	harness.Eventually(t, func() error {
		var brakes api.Page[api.Brake]
		if err := w.TryGet("/brakes", nil, &brakes); err != nil {
			return err
		}
		var alerts api.Page[api.Alert]
		if err := w.TryGet("/alerts", url.Values{"run": {run}}, &alerts); err != nil {
			return err
		}
		n := 0
		for _, b := range brakes.Items {
			if b.Run != nil && *b.Run == run {
				found = b.ID
				n++
			}
		}
		if n < 2 || len(alerts.Items) < 4 { // All rungs: none may be raised in the middle of what is done next.
			return fmt.Errorf("%d brakes and %d alerts", n, len(alerts.Items))
		}
		return nil
	})
	return found
}

// closed gives an account that an overrun has closed.
func (w *world) closed(t *testing.T) string {
	t.Helper()
	w.ask(t, poor, "in=10 out=10 beyond=5000", 10)
	found := ""
	harness.Eventually(t, func() error {
		var page api.Page[api.Account]
		if err := w.TryGet("/accounts", url.Values{"kind": {"key"}, "tenant": {"acme"}}, &page); err != nil {
			return err
		}
		for _, row := range page.Items {
			if row.Closed {
				found = row.Account
				return nil
			}
		}
		return fmt.Errorf("no account is closed among %d", len(page.Items))
	})
	harness.Eventually(t, func() error {
		for _, r := range w.Log(t) {
			if r.What.Action == signalbox.ActionAlertRaised && r.What.Detail["rule"] == "overrun" {
				return nil
			}
		}
		return fmt.Errorf("nothing tells of the overrun")
	})
	return found
}

// file writes a file beside the database.
func (w *world) file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(w.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// added gives the records since the last look, once the alerts about what was asked and granted are among them: they are
// raised behind the act.
func (w *world) added(t *testing.T) []api.Record {
	t.Helper()
	w.told(t)
	all := w.Log(t)
	list := all[w.seen:]
	w.seen = int64(len(all))
	return list
}

func actions(records []api.Record) string {
	var list []string
	for _, r := range records {
		list = append(list, string(r.Type)+" "+r.What.Action)
	}
	return strings.Join(list, ", ")
}

// ofAllTenants are acts that concern no tenant more than another.
var ofAllTenants = map[string]bool{signalbox.ActionLogArchived: true, signalbox.ActionPinAccepted: true, signalbox.ActionPinRejected: true}

// left checks what an act has left in the log: a record of that action, or, where it is "", nothing. An act that only
// counts calls leaves those of the calls. The key is who must be named.
func (w *world) left(t *testing.T, action, key string) {
	t.Helper()
	added := w.added(t)
	if action == "" {
		if len(added) > 0 {
			t.Errorf("it changes nothing, and left %s", actions(added))
		}
		return
	}
	for _, r := range added {
		if r.What.Action != action {
			continue
		}
		// A correction is one of the call's records, and says by whom beside it.
		who := r.Who.KeyID == key && r.Who.Role != "" || r.What.Detail["by_key"] == key && r.What.Detail["by_role"] != ""
		if key != "" && (!who || r.Who.TenantID == "" && !ofAllTenants[action]) {
			t.Errorf("the record does not say who it was: %+v, %v", r.Who, r.What.Detail)
		}
		if r.When.Timestamp.IsZero() {
			t.Error("the record has no time")
		}
		return
	}
	t.Errorf("no record of %s; it left %q", action, actions(added))
}

// find looks for an action among the records since the last find that looked for it.
func (w *world) find(t *testing.T, action string) error {
	t.Helper()
	all := w.Log(t)
	for i, r := range all[w.seen:] {
		if r.What.Action == action {
			w.seen += int64(i) + 1
			return nil
		}
	}
	return fmt.Errorf("no record of %s; there is %q", action, actions(all[w.seen:]))
}
