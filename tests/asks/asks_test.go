// Package asks runs the real binary between clients and servers of different versions of the protocol: servers of the older
// versions ask in the middle of a call, and clients of the newest one are asked and come back with their answers.
package asks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) {
	if !upstreamtest.Play() {
		os.Exit(harness.Main(m))
	}
}

// config has a server over HTTP and the same one as a child. Everybody may call their tools, and Eve can not be asked.
const config = `agents:
  - {id: anna, permissions: {tools: [{name: "*", operations: [read, write], resources: ["*"]}]}}
  - {id: otto, permissions: {tools: [{name: "*", operations: [read, write], resources: ["*"]}]}}
  - {id: eve, permissions: {tools: [{name: "*.elicit", operations: [read, write], resources: ["*"]}]}}
approvals: {tiers: {medium: {approvers: 0}}}
mcp_servers:
  web: {url: %q, tools: {elicit: {operation: read}, twice: {operation: read}}}
  child: {command: [%q], env: {%s: asker}, asks: true, timeouts: {place: 20s}}
`

type world struct {
	*harness.Instance
	*upstreamtest.Asker
	questions map[string]int // By server, those that the policy has refused.
}

func launch(t *testing.T) *world {
	t.Helper()
	asker := upstreamtest.NewAsker()
	command, environment := upstreamtest.Child("asker")
	var variable string
	for name, value := range environment {
		if value == "asker" {
			variable = name
		}
	}
	return &world{harness.Start(t, harness.Options{
		Config: harness.Simulated + fmt.Sprintf(config, upstreamtest.ServeSessions(t, asker.Server), command[0], variable),
	}), asker, map[string]int{}}
}

// agent sends the key and the name of an agent.
type agent struct {
	base *http.Transport
	id   string
}

func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+harness.Agent)
	r.Header.Set("X-Signalbox-Agent", a.id)
	return a.base.RoundTrip(r)
}

// client is an agent behind which somebody answers with his name.
func (w *world) client(t *testing.T, id, path, version string) *sdk.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	c := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, &sdk.ClientOptions{
		ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"name": id}}, nil
		},
	})
	session, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: w.URL + path, HTTPClient: &http.Client{Transport: agent{transport, id}}, MaxRetries: -1,
	}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		transport.CloseIdleConnections()
	})
	return session
}

func called(t *testing.T, s *sdk.ClientSession, tool string) string {
	t.Helper()
	res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool})
	if err != nil {
		t.Error(err)
		return ""
	}
	return res.Content[0].(*sdk.TextContent).Text
}

// raw makes a call of the newest version by hand.
func (w *world) raw(t *testing.T, key, id, tool, more string) harness.Answer {
	t.Helper()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{}` + more + `,` + meta + `}}`
	return w.Send(t, http.MethodPost, "/mcp/web", key, body, "Content-Type", "application/json", "Accept", "application/json, text/event-stream",
		"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", tool, "X-Signalbox-Agent", id)
}

const hello = `"inputResponses":{"q1":{"action":"accept","content":{"name":"anna"}}}`

// asked begins a call that asks, and gives the state to come back with.
func (w *world) asked(t *testing.T) string {
	t.Helper()
	answer := w.raw(t, harness.Agent, "anna", "elicit", "").Body
	_, state, _ := strings.Cut(answer, `"requestState":"`)
	state, _, found := strings.Cut(state, `"`)
	if !found {
		t.Fatalf("got %s", answer)
	}
	return `,"requestState":"` + state + `",` + hello
}

// refused checks that the question which the policy has refused last is in the log, as an act of who was not asked.
func (w *world) refused(t *testing.T, server, version string) {
	t.Helper()
	w.questions[server]++
	harness.Eventually(t, func() error {
		n := 0
		for _, r := range w.Log(t) {
			if r.What.ToolName == server+".elicitation/create" && r.Who.AgentID == "eve" && r.Outcome != nil && *r.Outcome == signalbox.OutcomeDenied && r.Error.Code == signalbox.CodeForbidden {
				n++
			}
		}
		if n != w.questions[server] {
			return fmt.Errorf("%s: %d refused questions of %s are recorded, and it has asked %d", version, n, server, w.questions[server])
		}
		return nil
	})
}

func TestQuestionsBetweenTheEras(t *testing.T) {
	t.Parallel()
	w := launch(t)
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		for path, prefix := range map[string]string{"/mcp/web": "", "/mcp/child": "", "/mcp": "web__"} {
			if got := called(t, w.client(t, "anna", path, version), prefix+"twice"); got != "hello anna, hello anna" {
				t.Errorf("%s %s: got %q", version, path, got)
			}
		}
		for _, server := range []string{"web", "child"} {
			if got := called(t, w.client(t, "eve", "/mcp/"+server, version), "elicit"); !strings.HasPrefix(got, "nobody") {
				t.Errorf("%s: who may not be asked was: %q", version, got)
			}
			w.refused(t, server, version)
		}
	}
	t.Run("each at one child hears its own", func(t *testing.T) {
		var wg sync.WaitGroup
		for _, id := range []string{"anna", "otto"} {
			s := w.client(t, id, "/mcp/child", "2026-07-28")
			wg.Go(func() {
				for range 3 {
					if got := called(t, s, "twice"); got != "hello "+id+", hello "+id {
						t.Errorf("%s: got %q", id, got)
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("a state is its caller's, for one use", func(t *testing.T) {
		runs, state := w.Runs.Load(), w.asked(t)
		for name, c := range map[string]struct{ key, id, tool string }{
			"another tenant": {harness.Other, "anna", "elicit"}, "another agent": {harness.Agent, "otto", "elicit"}, "another tool": {harness.Agent, "anna", "twice"},
		} {
			if got := w.raw(t, c.key, c.id, c.tool, state); strings.Contains(got.Body, "hello") || !strings.Contains(got.Body, `"error"`) {
				t.Errorf("%s: got %s", name, got.Body)
			}
		}
		if got := w.raw(t, harness.Agent, "anna", "elicit", state); !strings.Contains(got.Body, "hello anna") {
			t.Errorf("got %s", got.Body)
		}
		if got := w.raw(t, harness.Agent, "anna", "elicit", state); !strings.Contains(got.Body, `"code":"conflict"`) || w.Runs.Load() != runs+1 {
			t.Errorf("after %d runs: got %s", w.Runs.Load()-runs, got.Body)
		}
	})
	w.Complete(t)
}

// What the process holds ends with it. Its successor says that it knows nothing, and makes nothing anew.
func TestTheProcessThatHoldsIsGone(t *testing.T) {
	t.Parallel()
	w := launch(t)
	state := w.asked(t)
	if code := w.Stop(); code != 0 {
		t.Fatalf("it ends with %d:\n%s", code, w.Stderr())
	}
	next, err := harness.Launch(harness.Options{File: w.Config, Dir: w.Dir})
	if err != nil {
		t.Fatal(err)
	}
	w.Instance = next
	defer func() {
		if code := next.Stop(); code != 0 {
			t.Errorf("it ends with %d:\n%s", code, next.Stderr())
		}
	}()
	if got := w.raw(t, harness.Agent, "anna", "elicit", state); !strings.Contains(got.Body, `"code":"conflict"`) || !strings.Contains(got.Body, "may have acted already") || w.Runs.Load() != 1 {
		t.Errorf("after %d runs: got %d %s", w.Runs.Load(), got.Status, got.Body)
	}
	var ends []signalbox.Outcome
	for _, r := range w.Log(t) {
		if r.What.ToolName == "web.elicit" && r.Outcome != nil && r.Stations.Attempt != signalbox.StatusNotRun {
			ends = append(ends, *r.Outcome)
		}
	}
	if len(ends) != 1 || ends[0] != signalbox.OutcomeCancelled {
		t.Errorf("the call has ended as %v", ends)
	}
}

// Callers of both eras who are asked something while the set of servers is replaced by another one do not
// notice, and each call has one end.
func TestTheServersChangeWhileCallersAreAsked(t *testing.T) {
	t.Parallel()
	w := launch(t)
	state := w.asked(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, &sdk.ClientOptions{
		ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			close(asked)
			<-answer
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"name": "otto"}}, nil
		},
	})
	session, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: w.URL + "/mcp/web", HTTPClient: &http.Client{Transport: agent{transport, "otto"}}, MaxRetries: -1,
	}, &sdk.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	ended := make(chan string)
	go func() { ended <- called(t, session, "elicit") }()
	<-asked
	text, err := os.ReadFile(w.Config)
	if err == nil {
		err = os.WriteFile(w.Config, append(text, "  another: {url: \"http://127.0.0.1:1\"}\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, func() error {
		for _, r := range w.Log(t) {
			if r.What.Action == string(signalbox.ActionConfigReloaded) {
				return nil
			}
		}
		return errors.New("the configuration is not taken yet")
	})
	close(answer)
	if got := <-ended; got != "hello otto" {
		t.Errorf("in a session: got %q", got)
	}
	if got := w.raw(t, harness.Agent, "anna", "elicit", state); !strings.Contains(got.Body, "hello anna") || w.Runs.Load() != 2 {
		t.Errorf("after %d runs: got %s", w.Runs.Load(), got.Body)
	}
	outcomes := map[string]int{}
	for _, r := range w.Log(t) {
		if r.Outcome != nil {
			outcomes[r.What.ToolName+" "+string(*r.Outcome)]++
		}
	}
	if len(outcomes) != 2 || outcomes["web.elicit ok"] != 2 || outcomes["web.elicitation/create ok"] != 2 {
		t.Errorf("recorded %v", outcomes)
	}
	w.Complete(t)
}

// An idempotency key of a call that is held is used until that ends, however it does.
func TestIdempotencyKeysOfHeldCalls(t *testing.T) {
	t.Parallel()
	w := launch(t)
	keyed := func(key, more string) harness.Answer {
		t.Helper()
		const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`
		return w.Send(t, http.MethodPost, "/mcp/web", harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"elicit","arguments":{}`+more+`,`+meta+`}}`,
			"Content-Type", "application/json", "Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28",
			"Mcp-Method", "tools/call", "Mcp-Name", "elicit", "X-Signalbox-Agent", "anna", "Idempotency-Key", key)
	}
	asked := func(key string) (call, back string) {
		t.Helper()
		a := keyed(key, "")
		_, state, _ := strings.Cut(a.Body, `"requestState":"`)
		state, _, found := strings.Cut(state, `"`)
		if !found {
			t.Fatalf("got %s", a.Body)
		}
		return a.Header.Get("X-Signalbox-Call"), `,"requestState":"` + state + `",` + hello
	}
	call, back := asked("one")
	if a := keyed("one", ""); !strings.Contains(a.Body, `"conflict"`) || !strings.Contains(a.Body, "under way") || a.Header.Get("Retry-After") == "" {
		t.Errorf("while it is held: got %s", a.Body)
	}
	if a := keyed("one", back); !strings.Contains(a.Body, "hello anna") || a.Header.Get("X-Signalbox-Call") != call {
		t.Errorf("answered: got %s", a.Body)
	}
	if a := keyed("one", ""); !strings.Contains(a.Body, "hello anna") || a.Header.Get("X-Signalbox-Replay-Of") != call || w.Runs.Load() != 1 {
		t.Errorf("once more, after %d runs: got %s", w.Runs.Load(), a.Body)
	}
	asked("two")
	if code := w.Stop(); code != 0 {
		t.Fatalf("it ends with %d:\n%s", code, w.Stderr())
	}
	next, err := harness.Launch(harness.Options{File: w.Config, Dir: w.Dir})
	if err != nil {
		t.Fatal(err)
	}
	w.Instance = next
	defer func() {
		if code := next.Stop(); code != 0 {
			t.Errorf("it ends with %d:\n%s", code, next.Stderr())
		}
	}()
	if a := keyed("two", ""); !strings.Contains(a.Body, `"conflict"`) || !strings.Contains(a.Body, "was cancelled") || w.Runs.Load() != 2 {
		t.Errorf("of a call that the stop has cancelled, after %d runs: got %s", w.Runs.Load(), a.Body)
	}
	outcomes := map[string]int{}
	for _, r := range w.Log(t) {
		if r.Outcome != nil && r.What.ToolName == "web.elicit" {
			outcomes[string(*r.Outcome)]++
		}
	}
	if outcomes["ok"] != 2 || outcomes["cancelled"] != 1 || outcomes["denied"] != 2 || len(outcomes) != 3 {
		t.Errorf("recorded %v", outcomes)
	}
	w.Complete(t)
}
