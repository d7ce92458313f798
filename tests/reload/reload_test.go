package reload

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// servers are those that each test begins with. Of @…@ tests change what they stand for.
const servers = `agents:
  - {id: tester, permissions: {tools: [{name: "*", operations: [read, write], resources: ["*"]}]}}
approvals: {tiers: {medium: {approvers: 0}}}
mcp_servers:
  steady: {command: [@ME@], env: {@CHILD@: "1"}, price: {per_call: @PRICE@}@MORE@}
  failing: {url: "@URL@", breaker: {failures: 2, pause: 1m}}
`

const changing = `  changing: {command: [@ME@], env: {@CHILD@: "1", @WAIT@: "@FILE@"}, timeouts: {connect: 30s, total: @TOTAL@}}
`

// world is one instance, and the configuration that it has now.
type world struct {
	*harness.Instance
	base, config string
	failing      *failing
	file         string // For which the tool "wait" waits.
}

func launch(t *testing.T) *world {
	t.Helper()
	w := &world{failing: newFailing(t), file: filepath.Join(t.TempDir(), "go")}
	w.config = w.with("0.01", "", "1m")
	w.Instance = harness.Start(t, harness.Options{Config: w.config + harness.Simulated})
	whole, err := os.ReadFile(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	w.base = string(whole)
	return w
}

// with gives a configuration; without a time-out there is no server that changes.
func (w *world) with(price, more, total string) string {
	text := servers
	if total != "" {
		text += changing
	}
	return strings.NewReplacer("@ME@", strconv.Quote(os.Args[0]), "@CHILD@", childVariable, "@WAIT@", waitVariable, "@FILE@", w.file, "@URL@", w.failing.URL,
		"@PRICE@", price, "@MORE@", more, "@TOTAL@", total).Replace(text)
}

// change writes another configuration, and waits until it is taken, or refused.
func (w *world) change(t *testing.T, action string, config string) {
	t.Helper()
	seen := w.noted(t, action)
	if err := os.WriteFile(w.Config, []byte(strings.Replace(w.base, w.config, config, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, func() error {
		if w.noted(t, action) == seen {
			return fmt.Errorf("no %s yet", action)
		}
		return nil
	})
}

func (w *world) noted(t *testing.T, action string) (n int) {
	t.Helper()
	for _, r := range w.Log(t) {
		if r.What.Action == action {
			n++
		}
	}
	return n
}

// answer is what a message comes to.
type answer struct {
	harness.Answer
	call, pid int // That the child says.
}

var says = regexp.MustCompile(`call (\d+) of process (\d+)`)

// send sends a message as a client of 2025-11-25.
func (w *world) send(server, method, params string) (answer, error) {
	a, err := w.TrySend(http.MethodPost, "/mcp/"+server, harness.Agent, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params),
		"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-11-25", "X-Signalbox-Agent", "tester")
	out := answer{Answer: a}
	if m := says.FindStringSubmatch(a.Body); m != nil {
		out.call, _ = strconv.Atoi(m[1]) // They are digits.
		out.pid, _ = strconv.Atoi(m[2])
	}
	return out, err
}

// counts calls a server, whose process must say that this is that call of it.
func (w *world) counts(t *testing.T, server string, want int) answer {
	t.Helper()
	a, err := w.send(server, "tools/call", `{"name":"count","arguments":{}}`)
	if err != nil || a.call != want {
		t.Errorf("%s: got %s, %v, want call %d", server, a.Body, err, want)
	}
	return a
}

// pauses checks that a server which has failed is not called.
func (w *world) pauses(t *testing.T) {
	t.Helper()
	if a, err := w.send("failing", "tools/call", `{"name":"count","arguments":{}}`); err != nil || !strings.Contains(a.Body, `"unavailable"`) || w.failing.calls.Load() != 2 {
		t.Errorf("after %d calls of a server in a pause: %s, %v", w.failing.calls.Load(), a.Body, err)
	}
}

func ends(t *testing.T, pid int) {
	t.Helper()
	harness.Eventually(t, func() error {
		if syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("process %d lives", pid)
		}
		return nil
	})
}

func TestServersThatAreUnchangedGoOn(t *testing.T) {
	t.Parallel()
	w := launch(t)
	steady := w.counts(t, "steady", 1)
	old := w.counts(t, "changing", 1)
	for range 2 {
		if a, err := w.send("failing", "tools/call", `{"name":"count","arguments":{}}`); err != nil || !strings.Contains(a.Body, `"upstream"`) {
			t.Fatalf("got %s, %v", a.Body, err)
		}
	}
	w.pauses(t)
	made, err := w.send("steady", "tools/call", `{"name":"count","arguments":{},"task":{}}`)
	var created struct {
		Result struct {
			Task struct {
				ID string `json:"taskId"`
			} `json:"task"`
		} `json:"result"`
	}
	if err != nil || json.Unmarshal([]byte(made.Body), &created) != nil || created.Result.Task.ID == "" {
		t.Fatalf("got %s, %v", made.Body, err)
	}
	works := func() {
		t.Helper()
		if a, err := w.send("steady", "tasks/get", fmt.Sprintf(`{"taskId":%q}`, created.Result.Task.ID)); err != nil || !strings.Contains(a.Body, `"working"`) {
			t.Errorf("the task: %s, %v", a.Body, err)
		}
	}

	w.change(t, signalbox.ActionConfigReloaded, w.with("0.01", "", "2m"))
	w.counts(t, "steady", 2)
	works()
	w.pauses(t)
	if now := w.counts(t, "changing", 1); now.pid == old.pid {
		t.Error("a server that was changed is the same process")
	}
	ends(t, old.pid)

	w.change(t, signalbox.ActionConfigReloaded, w.with("0.02", ", guard: {results: mask}, tools: {wait: {price: {per_call: 7}}}", "2m"))
	now := w.counts(t, "steady", 3)
	if cost := now.Header.Get("X-Signalbox-Cost-Usd"); !strings.HasPrefix(cost, "0.02") || now.pid != steady.pid {
		t.Errorf("it costs %s in process %d, which was %d", cost, now.pid, steady.pid)
	}
	works()

	w.change(t, signalbox.ActionConfigRejected, w.with("0.03", "", "soon"))
	if cost := w.counts(t, "steady", 4).Header.Get("X-Signalbox-Cost-Usd"); !strings.HasPrefix(cost, "0.02") {
		t.Errorf("a file that is wrong has the call cost %s", cost)
	}
	w.counts(t, "changing", 2)
	w.change(t, signalbox.ActionConfigReloaded, w.with("0.02", "", ""))
	w.counts(t, "steady", 5)
	w.Complete(t)
	if code := w.Stop(); code != 0 {
		t.Errorf("the instance ended with %d", code)
	}
	ends(t, steady.pid)
}

// A call that is under way stays where it is, over all reloads that come meanwhile, and its process ends after it.
func TestCallsUnderWayEndWhereTheyBegan(t *testing.T) {
	t.Parallel()
	w := launch(t)
	steady, old := w.counts(t, "steady", 1), w.counts(t, "changing", 1)
	ended := make(chan answer)
	go func() {
		defer close(ended)
		if a, err := w.send("changing", "tools/call", `{"name":"wait","arguments":{}}`); err == nil {
			ended <- a
		}
	}()
	harness.Eventually(t, func() error {
		if n := w.Metric(t, "signalbox_mcp_in_flight"); n != 1 {
			return fmt.Errorf("%v calls are under way", n)
		}
		return nil
	})
	w.change(t, signalbox.ActionConfigReloaded, w.with("0.01", "", "2m"))
	second := w.counts(t, "changing", 1)
	w.change(t, signalbox.ActionConfigReloaded, w.with("0.01", "", "3m"))
	third := w.counts(t, "changing", 1)
	w.change(t, signalbox.ActionConfigReloaded, w.with("0.01", "", ""))
	ends(t, second.pid)
	ends(t, third.pid)
	if syscall.Kill(old.pid, 0) != nil {
		t.Error("the process of a call that is under way has ended")
	}
	if err := os.WriteFile(w.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a := <-ended; a.call != 2 || a.pid != old.pid {
		t.Errorf("the call came to %s", a.Body)
	}
	ends(t, old.pid)
	if now := w.counts(t, "steady", 2); now.pid != steady.pid {
		t.Error("a server that nobody changed was started anew")
	}
	w.Complete(t)
}
