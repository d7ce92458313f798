// Package guard sends personal data and secrets through the real binary in both directions, and looks what reaches a server
// that keeps every byte, what reaches callers and approvers, and what is on record.
package guard

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// @GUARD@ is what the server's guard says.
const config = `listen: 127.0.0.1:0
database: "sqlite:@DB@"
tenants: [{id: acme}]
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent, agent: clerk}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: approver, secret: approver-key-of-acme-01, tenant: acme, role: approver}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
agents:
  - {id: clerk, permissions: {tools: [{name: "desk.*", operations: [read, write], resources: ["*"]}]}}
approvals:
  tiers: {medium: {approvers: 0}}
  rules: [{agent: "*", tool: desk.risky, approvers: 1}]
mcp_servers:
  desk:
    url: "@URL@"
    price: {per_call: 0.002}
    baggage: true
    guard: @GUARD@
    tools:
      move: {operation: write, resources: [{arg: path, kind: path}]}
      open: {guard: {arguments: off, results: off}}
      flagged: {guard: {arguments: flag, results: flag}}
      plain: {guard: {arguments: block}}
`

const approver = "approver-key-of-acme-01"

type world struct {
	*harness.Instance
	server *server
	id     int
}

func launch(t *testing.T, guard string) *world {
	t.Helper()
	w := &world{server: newServer(t)}
	w.Instance = harness.Start(t, harness.Options{Whole: configured(w.server, guard)})
	return w
}

func configured(s *server, guard string) string {
	return strings.NewReplacer("@URL@", s.URL, "@GUARD@", guard).Replace(config)
}

// ask sends a message; params are those of the method.
func (w *world) ask(t testing.TB, method, params string) harness.Answer {
	t.Helper()
	w.id++
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, w.id, method, params)
	return w.Send(t, http.MethodPost, "/mcp/desk", harness.Agent, body, "Accept", "application/json, text/event-stream")
}

func (w *world) call(t testing.TB, tool, arguments string) harness.Answer {
	t.Helper()
	return w.ask(t, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, arguments))
}

// detail is the record of the call that was answered.
func (w *world) detail(t testing.TB, a harness.Answer) api.CallDetail {
	t.Helper()
	return w.Call(t, a.Header.Get("X-Signalbox-Call"))
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// clean fails where anything personal is in a text.
func clean(t testing.TB, what, text string) {
	t.Helper()
	for _, part := range []string{"minsu", "9876-5432", "4111 1111", "hunter2"} {
		if strings.Contains(text, part) {
			t.Errorf("%s has %q: %s", what, part, text)
		}
	}
}

const arguments = `{ "to": "kim.minsu\u0040example.com", "body":"card ` + card + `, call ` + phone + `", "login":{"password":"` + secret + `"}, "n": 1.50 }`

func found(where signalbox.GuardPlace, counts ...any) []signalbox.GuardFound {
	var list []signalbox.GuardFound
	for i := 0; i < len(counts); i += 2 {
		list = append(list, signalbox.GuardFound{Where: where, Detector: counts[i].(signalbox.GuardDetector), Count: int64(counts[i+1].(int))})
	}
	return list
}

func TestMasking(t *testing.T) {
	t.Parallel()
	w := launch(t, "{arguments: mask, results: mask}")
	t.Run("a call", func(t *testing.T) {
		a := w.call(t, "person", arguments)
		contains(t, w.server.received(), `{ "to": "[email]", "body":"card [card], call [phone]", "login":{"password":"[secret]"}, "n": 1.50 }`)
		contains(t, a.Body, `"structuredContent":{"user":{"mail":"[email]","password":"[secret]"},"note":"call [phone]","n":1.50},"later":{"x":1}`,
			`"text":"{\"user\":{\"mail\":\"[email]\",\"password\":\"[secret]\"},\"note\":\"call [phone]\",\"n\":1.50}"`, `"data":"iVBORw0KGgo="`)
		d := w.detail(t, a)
		want := &signalbox.Guarded{
			Input:  &signalbox.GuardSide{Action: signalbox.GuardMask, Found: found("arguments", signalbox.DetectCard, 1, signalbox.DetectEmail, 1, signalbox.DetectPhone, 1, signalbox.DetectSecret, 1)},
			Output: &signalbox.GuardSide{Action: signalbox.GuardMask, Found: found("result", signalbox.DetectEmail, 2, signalbox.DetectPhone, 2, signalbox.DetectSecret, 2), Unseen: 1},
		}
		if d.Stations.GuardInput != signalbox.StatusPassed || d.Stations.GuardOutput != signalbox.StatusPassed || !reflect.DeepEqual(d.Guard, want) {
			got, _ := json.Marshal(d.Guard)
			t.Errorf("got %+v, %s", d.Stations, got)
		}
	})
	t.Run("all else that acts", func(t *testing.T) {
		contains(t, w.ask(t, "resources/read", `{"uri":"file:///a"}`).Body, `"text":"[email]"`, `"blob":"aGVsbG8="`)
		contains(t, w.ask(t, "prompts/get", `{"name":"letter","arguments":{"to":"`+mail+`"}}`).Body, "write to [email]")
		contains(t, w.ask(t, "completion/complete", `{"ref":{"type":"ref/prompt","name":"letter"},"argument":{"name":"to","value":"`+mail+`"}}`).Body, `["[email]","plain"]`)
		contains(t, w.server.received(), `"arguments":{"to":"[email]"}`, `"value":"[email]"`)
	})
	t.Run("what is said beside", func(t *testing.T) {
		a := w.ask(t, "tools/call", `{"name":"person","arguments":{},"_meta":{"progressToken":"mine","acme/for":"`+mail+`","tracestate":"a=`+phone+`","baggage":"user=kim.minsu%40example.com"}}`)
		contains(t, a.Body, "found [email]", "looking for [email]", `"progressToken":"mine"`)
		contains(t, w.server.received(), `"acme/for":"[email]"`)
		const trace = `"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`
		w.ask(t, "tools/call", `{"name":"person","arguments":{},"_meta":{`+trace+`,"baggage":"stage=dawn"}}`)
		contains(t, w.server.received(), `"baggage":"stage=dawn"`)
		contains(t, w.call(t, "fail", `{}`).Body, "no such user [email]", `"hint":"call [phone]"`)
	})
	t.Run("what can not be masked is blocked", func(t *testing.T) {
		before := w.server.received()
		a := w.call(t, "person", `{"card":4111111111111111}`)
		contains(t, a.Body, `"code":"blocked"`, `"field":"arguments/card"`, "mcp_servers.desk.guard.arguments")
		contains(t, w.call(t, "move", `{"path":"/home/`+mail+`","note":"`+mail+`"}`).Body, `"field":"arguments/path"`, "what the call acts on")
		contains(t, w.ask(t, "resources/read", `{"uri":"file:///`+mail+`"}`).Body, `"field":"arguments/uri"`)
		if w.server.received() != before {
			t.Error("the server was told something")
		}
		if d := w.detail(t, a); d.Outcome != signalbox.OutcomeBlocked || d.Stations.GuardInput != signalbox.StatusDenied || d.Stations.Attempt != signalbox.StatusNotRun || d.CostEstimate != nil {
			t.Errorf("got %s, %+v", d.Outcome, d.Stations)
		}
		for tool, field := range map[string]string{"named": `"field":"result/structuredContent"`, "huge": `"field":"result"`} {
			a := w.call(t, tool, `{}`)
			contains(t, a.Body, `"code":"blocked"`, field)
			if d := w.detail(t, a); d.Outcome != signalbox.OutcomeBlocked || d.Stations.GuardOutput != signalbox.StatusDenied || d.Stations.Attempt != signalbox.StatusPassed || *d.CostEstimate != "0.002" {
				t.Errorf("%s: got %s, %+v, %v", tool, d.Outcome, d.Stations, *d.CostEstimate)
			}
		}
	})
	t.Run("who approves sees what leaves", func(t *testing.T) { w.approve(t) })
	clean(t, "the server", w.server.received())
	w.kept(t)
}

// approve has a call approved that is masked before it is asked about.
func (w *world) approve(t *testing.T) {
	answers := make(chan harness.Answer, 1)
	go func() { answers <- w.call(t, "risky", arguments) }()
	var page api.Page[api.Approval]
	harness.Eventually(t, func() error {
		if err := w.TryGet("/approvals", map[string][]string{"state": {"pending"}}, &page); err != nil || len(page.Items) != 1 {
			return fmt.Errorf("%d approvals, %w", len(page.Items), err)
		}
		return nil
	})
	shown := w.Send(t, http.MethodGet, "/api/v1/approvals/"+page.Items[0].ID, approver, "")
	clean(t, "the approval", shown.Body)
	contains(t, shown.Body, "[email]", "[secret]")
	if a := w.Send(t, http.MethodPost, "/api/v1/approvals/"+page.Items[0].ID+"/approve", approver, `{"reason":"fine"}`); a.Status != http.StatusOK {
		t.Fatalf("got %d: %s", a.Status, a.Body)
	}
	if a := <-answers; !strings.Contains(a.Body, "[email]") || strings.Contains(a.Body, "error") {
		t.Errorf("got %s", a.Body)
	}
}

// kept looks through all that is on record.
func (w *world) kept(t *testing.T) {
	t.Helper()
	for _, r := range w.Log(t) {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		clean(t, "the record", string(text))
	}
	w.Complete(t)
}

func TestBlocking(t *testing.T) {
	t.Parallel()
	w := launch(t, "{arguments: block, results: block, detectors: [email, card]}")
	before := w.server.received()
	contains(t, w.call(t, "person", `{"note":"to `+mail+`"}`).Body, `"code":"blocked"`, `"field":"arguments/note"`, "a mail address")
	if strings.Contains(strings.TrimPrefix(w.server.received(), before), "tools/call") {
		t.Error("the server was called")
	}
	a := w.call(t, "person", `{"note":"call `+phone+`"}`) // A phone number is not looked for.
	contains(t, a.Body, `"code":"blocked"`, `"field":"result/`)
	clean(t, "the answer", a.Body)
	contains(t, w.server.received(), phone)
	for _, params := range []string{
		`{"name":"fail","arguments":{}}`, `{"name":"plain","arguments":{},"_meta":{"acme/for":"` + mail + `"}}`,
	} {
		a := w.ask(t, "tools/call", params)
		contains(t, a.Body, `"code":"blocked"`, `"field":"beside`)
		clean(t, "the answer", a.Body)
	}
	a = w.ask(t, "tools/call", `{"name":"plain","arguments":{},"_meta":{"progressToken":1}}`)
	contains(t, a.Body, `"text":"done"`) // Of progress nothing is told.
	clean(t, "what is said beside", a.Body)
}

func TestOffAndFlag(t *testing.T) {
	t.Parallel()
	w := launch(t, "{arguments: mask, results: mask}")
	a := w.call(t, "open", arguments)
	contains(t, a.Body, structure)
	contains(t, w.server.received(), arguments)
	if d := w.detail(t, a); d.Guard != nil || d.Stations.GuardInput != signalbox.StatusNotRun || d.Stations.GuardOutput != signalbox.StatusNotRun {
		t.Errorf("off: got %+v, %+v", d.Guard, d.Stations)
	}
	a = w.call(t, "flagged", arguments)
	contains(t, a.Body, structure)
	d := w.detail(t, a)
	if d.Guard == nil || d.Guard.Input == nil || len(d.Guard.Input.Found) != 4 || d.Stations.GuardOutput != signalbox.StatusPassed {
		t.Errorf("flag: got %+v, %+v", d.Guard, d.Stations)
	}
	w.kept(t)

	// The rules change while the process runs, and the connection to the server stays.
	w.change(t, "{results: off, arguments: off}")
	harness.Eventually(t, func() error {
		if a := w.call(t, "person", arguments); !strings.Contains(a.Body, structure) {
			return fmt.Errorf("it is still masked: %s", a.Body)
		}
		return nil
	})
	if n := strings.Count(w.server.received(), `"method":"initialize"`); n != 1 {
		t.Errorf("there were %d sessions", n)
	}
}

// change writes other rules into the configuration. They are taken into use soon.
func (w *world) change(t *testing.T, guard string) {
	t.Helper()
	if err := os.WriteFile(w.Config, []byte(strings.ReplaceAll(configured(w.server, guard), "@DB@", w.Database)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is given again to an idempotency key passes the rules of now, and what was masked when it was made stays so.
func TestWhatIsGivenAgainPassesTheGuard(t *testing.T) {
	t.Parallel()
	w := launch(t, "{arguments: off, results: off}")
	keyed := func(key, tool string) harness.Answer {
		t.Helper()
		return w.Send(t, http.MethodPost, "/mcp/desk", harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{}}}`,
			"Accept", "application/json, text/event-stream", "Idempotency-Key", key)
	}
	rules := func(guard, sign string) {
		t.Helper()
		w.change(t, guard)
		harness.Eventually(t, func() error {
			if a := w.call(t, "person", `{}`); !strings.Contains(a.Body, sign) {
				return fmt.Errorf("the rules are not taken yet: %s", a.Body)
			}
			return nil
		})
	}
	const again = "signalbox/replay-of"
	contains(t, keyed("open", "person").Body, structure)
	failed := keyed("failed", "fail")
	rules("{results: mask}", "[email]")
	masked := keyed("open", "person")
	contains(t, masked.Body, "[email]", again)
	clean(t, "what is masked now", masked.Body)
	contains(t, keyed("masked", "person").Body, "[email]")
	rules("{results: block}", `"blocked"`)
	blocked := keyed("open", "person")
	contains(t, blocked.Body, `"code":"blocked"`)
	clean(t, "what is blocked now", blocked.Body)
	if d := w.detail(t, blocked); d.Outcome != signalbox.OutcomeBlocked || d.ReplayOf == nil || d.Attempts != 0 {
		t.Errorf("got %s, again of %v, %d attempts", d.Outcome, d.ReplayOf, d.Attempts)
	}
	if a := keyed("failed", "fail"); a.Header.Get("X-Signalbox-Replay-Of") != failed.Header.Get("X-Signalbox-Call") {
		t.Errorf("the error is not given again: %s", a.Body)
	} else {
		clean(t, "an error that is given again", a.Body)
	}
	contains(t, keyed("blocked", "person").Body, `"code":"blocked"`)
	rules("{results: off}", mail)
	contains(t, keyed("open", "person").Body, structure, again)
	contains(t, keyed("masked", "person").Body, "[email]", again)
	contains(t, keyed("blocked", "person").Body, `"code":"blocked"`, "replay_of")
	w.Complete(t)
}
