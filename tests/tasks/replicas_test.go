package tasks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/taskserver"
)

// replicas starts two processes before a server that makes tasks.
func replicas(t *testing.T, s *taskserver.Server) *fleet.Fleet {
	t.Helper()
	return fleet.Launch(t, fleet.Base+strings.ReplaceAll(config, "@URL@", s.URL)+"tenants: [{id: acme}]\n"+harness.Simulated, postgrestest.Database(t), 2)
}

// Nothing ties a modern client to a process: what one has asked for a server, or has kept of a server's task, another one
// goes on with, also when the first has died.
func TestAnyReplicaGoesOn(t *testing.T) {
	t.Parallel()
	s := taskserver.Start(t)
	f := replicas(t, s)
	first, second := f.At(0), f.At(1)

	asked := call(t, first, "/mcp/desk", "test_tool_with_task", `{}`)
	answered := fmt.Sprintf(`{"name":"test_tool_with_task","arguments":{},"requestState":%q,"inputResponses":{"user_name":{"action":"accept","content":{"name":"kim"}}},"_meta":{%s}}`, asked.Result.State, declared)
	made := ask(t, second, "/mcp/desk", harness.Agent, "tools/call", "test_tool_with_task", answered)
	if asked.Result.Type != "input_required" || made.Result.Type != "task" {
		t.Fatalf("one process asked %s, the other says %s", asked.body, made.body)
	}
	if done := comes(t, first, "/mcp", made.Result.ID, "completed"); !strings.Contains(done.body, "kim") {
		t.Errorf("it came to %s", done.body)
	}

	question := open(t, first, "/mcp/desk", "confirm_delete", `{}`)
	slow := open(t, first, "/mcp/desk", "slow_compute", `{"seconds":60}`)
	first.Kill()
	comes(t, second, "/mcp/desk", question.ID, "input_required")
	if a := about(t, second, "/mcp/desk", harness.Agent, "tasks/update", question.ID, `,"inputResponses":{"confirm":{"action":"accept","content":{"name":"ann"}}}`); a.Error != nil {
		t.Fatalf("an answer to who did not ask: %s", a.body)
	}
	comes(t, second, "/mcp/desk", question.ID, "completed")
	if a := about(t, second, "/mcp", harness.Agent, "tasks/cancel", slow.ID, ""); a.Error != nil {
		t.Errorf("cancelled elsewhere: %s", a.body)
	}
	comes(t, second, "/mcp/desk", slow.ID, "cancelled")
	f.Start(t, 0)
	f.Settled(t)
	second.Complete(t)
}

// A session of an older version lives in one process. When that dies, the next message is answered with 404 wherever it
// arrives, and the client begins another session there, as the protocol wants it.
func TestALegacySessionOutlivesItsReplica(t *testing.T) {
	t.Parallel()
	s := taskserver.Start(t)
	f := replicas(t, s)
	begin := func(i *harness.Instance) string { return initialize(t, i, "/mcp/desk").Header.Get("Mcp-Session-Id") }
	id := begin(f.At(0))
	greet := func(i *harness.Instance, session string) harness.Answer {
		return i.Send(t, http.MethodPost, "/mcp/desk", harness.Agent, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet","arguments":{}}}`,
			"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-11-25", "Mcp-Session-Id", session, "X-Signalbox-Agent", "tester")
	}
	if a := greet(f.At(0), id); a.Status != http.StatusOK || !strings.Contains(a.Body, `"content"`) {
		t.Fatalf("in its session: %d %s", a.Status, a.Body)
	}
	f.At(0).Kill()
	if a := greet(f.At(1), id); a.Status != http.StatusNotFound {
		t.Fatalf("elsewhere: %d %s", a.Status, a.Body)
	}
	if a := greet(f.At(1), begin(f.At(1))); a.Status != http.StatusOK || !strings.Contains(a.Body, `"content"`) {
		t.Errorf("in another session: %d %s", a.Status, a.Body)
	}
}
