package mcppeers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// TestPeers lets each client do the same things at the servers themselves and through Signalbox.
func TestPeers(t *testing.T) {
	w := newWorld(t)
	w.servers[everything].ready(t)
	w.servers[railway].ready(t)
	w.warm(t)
	t.Run("clients", func(t *testing.T) {
		t.Run("SDKs", func(t *testing.T) {
			t.Parallel()
			w.compare(t, w.visited(t))
		})
		t.Run("Claude Code", func(t *testing.T) {
			t.Parallel()
			w.claude(t)
		})
		t.Run("who may not be asked", func(t *testing.T) {
			t.Parallel()
			w.unasked(t)
		})
		t.Run("inspector", func(t *testing.T) {
			t.Parallel()
			w.inspect(t)
		})
	})
	t.Run("what the servers were not sent", func(t *testing.T) { w.unsent(t) })
	t.Run("records", func(t *testing.T) { w.recorded(t) })
}

// compare looks at all that the SDKs have done.
func (w *world) compare(t *testing.T, done map[string]outcomes) {
	for _, v := range plan() {
		if v.direct {
			continue
		}
		t.Run(v.name(), func(t *testing.T) {
			if v.server != "" && v.sdk != goSDK {
				w.greeted(t, v, done[v.name()]["connect"], done[v.like(v.server).name()]["connect"])
			}
			for _, server := range v.servers() {
				for _, s := range v.serverSteps(server) {
					t.Run(server+"/"+s.Name, func(t *testing.T) {
						through, direct := done[v.name()][v.key(server, s)], done[v.like(server).name()][s.Name]
						check(t, v, server, s, through, direct)
					})
				}
			}
		})
	}
}

// unasked: a server is not let through to who may not be asked, and its tool comes to an end all the same.
func (w *world) unasked(t *testing.T) {
	for _, c := range []struct{ server, era, tool string }{
		{everything, legacy, "trigger-elicitation-request"},
		{everything, legacy, "trigger-sampling-request"},
		{railway, legacy, "ask"},
		{railway, modern, "ask"},
		{railway, modern, "sample"},
	} {
		to := w.target(t, visit{goSDK, c.era, c.server, false})
		to.Headers["X-Signalbox-Agent"] = shy
		to.Steps = []step{tool(c.tool, obj{"prompt": "Is the line clear?"})}
		o := visitWithGo(t, to)[to.Steps[0].Name]
		if len(o.Asked) > 0 || o.Error == nil && !strings.Contains(string(o.Result), `"isError":true`) {
			t.Errorf("%s of %s, %s: %s", c.tool, c.server, c.era, o.text())
		}
	}
}

// shyTally is what the log must have of it: servers of the older versions report the failure as a result, and what they asked is
// refused by itself; those of the newest refuse the call.
func shyTally() tally {
	n := tally{}
	n.add("everything.trigger-elicitation-request", signalbox.OutcomeOK, price, 1)
	n.add("everything.trigger-sampling-request", signalbox.OutcomeOK, price, 1)
	n.add("everything.elicitation/create", signalbox.OutcomeDenied, "-", 1)
	n.add("everything.sampling/createMessage", signalbox.OutcomeDenied, "-", 1)
	n.add("railway.ask", signalbox.OutcomeFailed, "0", 2)
	n.add("railway.sample", signalbox.OutcomeFailed, "0", 1)
	return n
}

// warm has Signalbox start all children. Joint lists do not wait for so many at once.
func (w *world) warm(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for _, server := range allServers {
		wg.Go(func() {
			v := visit{goSDK, legacy, server, false}
			to := w.target(t, v)
			to.Steps = []step{{Name: "list", Method: "tools/list"}}
			if o := visitWithGo(t, to)["list"]; o.Error != nil {
				t.Errorf("%s: %s", server, o.text())
			}
		})
	}
	wg.Wait()
}

// visited makes all visits, those of different SDKs at the same time.
func (w *world) visited(t *testing.T) map[string]outcomes {
	t.Helper()
	var parts [3]map[string]outcomes
	var wg sync.WaitGroup
	wg.Go(func() { parts[0] = w.golang(t, of(goSDK)) })
	wg.Go(func() { parts[1] = w.typescript(t, node1, of(node1)) })
	wg.Go(func() { parts[2] = w.typescript(t, node2, of(node2)) })
	wg.Wait()
	return merge(parts[:]...)
}

// greeted compares what a client learns in the handshake with what the server itself tells it: its instructions, and what of its
// capabilities we carry. A server that a busy machine was too slow for is not heard of in it; then as a client we ask once more.
func (w *world) greeted(t *testing.T, v visit, through, direct outcome) {
	t.Helper()
	want := learned(t, v, direct)
	if learned(t, v, through) == want {
		return
	}
	harness.Eventually(t, func() error {
		if got := learned(t, v, w.shaken(t, v)); got != want {
			return fmt.Errorf("a client learns %s, want %s", got, want)
		}
		return nil
	})
}

// learned is what of the result of a handshake must be the same.
func learned(t *testing.T, v visit, o outcome) string {
	t.Helper()
	var r struct {
		Instructions string                     `json:"instructions"`
		Capabilities map[string]json.RawMessage `json:"capabilities"`
	}
	if err := json.Unmarshal(o.Result, &r); err != nil || r.Capabilities == nil {
		t.Fatalf("the handshake came to %s", o.text())
	}
	for _, other := range []string{"experimental", "extensions", "tasks"} {
		delete(r.Capabilities, other)
	}
	if v.era == modern {
		delete(r.Capabilities, "logging")
	}
	return r.Instructions + canonical(t, mustEncode(t, r.Capabilities), mine)
}

// shaken shakes hands as a client of the older versions does, which learns all that those of the newest do.
func (w *world) shaken(t *testing.T, v visit) (o outcome) {
	t.Helper()
	to := w.target(t, v)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.URL, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize",`+
		`"params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range to.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// check compares what came of a step through Signalbox with what came of it at the server.
func check(t *testing.T, v visit, server string, s step, through, direct outcome) {
	t.Helper()
	if s.shared(v, server) {
		if got := through.Error.code(); got != string(signalbox.CodeConflict) {
			t.Errorf("got the code %q, want %q: %s", got, signalbox.CodeConflict, through.text())
		}
		return
	}
	if s.refused != "" {
		if direct.Error != nil && s.refused != "not_found" {
			t.Errorf("the server itself refuses it: %s", direct.text())
		}
		want := s.refused
		if v.server == "" && s.Method == "resources/read" {
			want = signalbox.CodeNotFound // Among all servers none is left that has it for this agent.
		}
		if got := through.Error.code(); got != string(want) {
			t.Errorf("got the code %q, want %q: %s", got, want, through.text())
		}
		return
	}
	text := strings.ReplaceAll(through.text(), v.name(), mine)
	if v.server == "" {
		text = strings.ReplaceAll(text, server+"__", "")
	}
	for _, has := range s.has {
		if !strings.Contains(text, has) {
			t.Errorf("%s is not in %s", has, text)
		}
	}
	checkTold(t, server, s, through, direct)
	if s.asks != "" && (len(through.Asked) != 1 || through.Asked[0].Method != s.asks) {
		t.Errorf("asked %v, want %s", through.Asked, s.asks)
	}
	if s.unlike || s.through {
		return
	}
	if members[s.Method] != "" {
		compareLists(t, v, server, s, through, direct)
		return
	}
	got, want := through.plain(t, s, v.name()), direct.plain(t, s, v.like(server).name())
	for part := range want {
		if !same(part, got[part], want[part]) {
			t.Errorf("the %s is\n%s\nwhere the server itself gives\n%s", part, got[part], want[part])
		}
	}
	for part := range got {
		if _, ok := want[part]; !ok {
			t.Errorf("there is a %s that the server itself does not give: %s; it gives %s", part, got[part], direct.text())
		}
	}
}

// same compares a part of what came of a step. An error that a server gives is told with its words among others.
func same(part, got, want string) bool {
	if part != "error" {
		return got == want
	}
	code, words, _ := strings.Cut(want, " ")
	words = strings.TrimPrefix(strings.TrimPrefix(words, "MCP error "+code+": "), `calling "prompts/get": `)
	return strings.HasPrefix(got, code+" ") && strings.Contains(got, words)
}

// checkTold looks at what was told while a call was under way.
func checkTold(t *testing.T, server string, s step, through, direct outcome) {
	t.Helper()
	// Some SDKs lose word of progress that comes right before an answer, wherever it comes from.
	if got, some := through.told(t), direct.told(t); s.Progress && (got == "" || !strings.HasPrefix(got, some) && !strings.HasPrefix(some, got)) {
		t.Errorf("the progress is\n%s\nwhere the server itself tells of\n%s", got, some)
	}
	if s.log == "" || server == junction { // Log lines of a child do not say whose they are.
		return
	}
	if got, want := through.logged(t), direct.logged(t); got != want || !strings.Contains(got, s.log) {
		t.Errorf("the log lines are\n%s\nwhere the server itself gives\n%s", got, want)
	}
}

func compareLists(t *testing.T, v visit, server string, s step, through, direct outcome) {
	t.Helper()
	if through.Error != nil || direct.Error != nil {
		t.Fatalf("got %s, want %s", through.text(), direct.text())
	}
	got := entries(t, s, through, func(entry) bool { return true })
	want := entries(t, s, direct, visible(server))
	if v.server == "" {
		var own []string
		for _, e := range got {
			own = append(own, strings.ReplaceAll(e, `"name":"`+server+"__", `"name":"`))
		}
		got = own
	}
	for _, e := range want {
		found := false
		for _, g := range got {
			found = found || g == e
		}
		if !found {
			t.Errorf("missing is %s", e)
		}
	}
	if v.server != "" && len(got) != len(want) {
		t.Errorf("got %d entries, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

// unsent: nothing that is not permitted has reached a server.
func (w *world) unsent(t *testing.T) {
	t.Helper()
	for id, server := range w.servers {
		sent := server.witness.sent(t)
		if !strings.Contains(sent, `"tools/call"`) {
			t.Errorf("the witness of %s has seen no call", id)
		}
		for _, s := range steps[id] {
			if s.mark == "" {
				continue
			}
			for _, agent := range append(agents(), "from the inspector") {
				if mark := strings.ReplaceAll(s.mark, mine, agent); strings.Contains(sent, mark) {
					t.Errorf("%s was sent %s", id, mark)
				}
			}
		}
	}
}
