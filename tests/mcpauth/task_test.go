package mcpauth

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// A call that became a task is made when people have agreed, although the token that it came with has expired by then.
func TestTaskOutlivesToken(t *testing.T) {
	t.Parallel()
	a, _, i := world(t, "client_credentials", "")
	expires := time.Now().Add(-58 * time.Second) // Two seconds from now, with the skew.
	token := a.sign(t, map[string]any{"sub": "id1", "groups": []string{"engineers"}, "client_id": editor, "aud": i.URL, "exp": expires.Unix()})
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shred","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"editor","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`
	r := i.Send(t, http.MethodPost, files, token, body, "Accept", "application/json, text/event-stream",
		"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "shred")
	var answer struct {
		Result struct {
			Type string `json:"resultType"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(r.Body), &answer); err != nil || answer.Result.Type != "task" {
		t.Fatalf("got %d %s, %v", r.Status, r.Body, err)
	}
	harness.Eventually(t, func() error { return unless(call(t, i, files, token, "whoami"), http.StatusUnauthorized, "expired") })
	var waiting api.Page[api.Approval]
	list := i.Send(t, http.MethodGet, "/api/v1/approvals?state=pending", harness.Admin, "")
	if err := json.Unmarshal([]byte(list.Body), &waiting); err != nil || len(waiting.Items) != 1 {
		t.Fatalf("got %d %s, %v", list.Status, list.Body, err)
	}
	if r := i.Send(t, http.MethodPost, "/api/v1/approvals/"+waiting.Items[0].ID+"/approve", harness.Admin, `{"reason":"it is fine"}`); r.Status != http.StatusOK {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
	harness.Eventually(t, func() error {
		for _, r := range i.Log(t) {
			if r.Type == signalbox.RecordOutcome && r.Outcome != nil && *r.Outcome == signalbox.OutcomeOK && r.What.ToolName == "files.shred" && r.Who.KeyID == "person:corp:id1" && r.Who.AgentID == "coder" {
				return nil
			}
		}
		return fmt.Errorf("the call is not made")
	})
	wantNowhere(t, i, token)
}
