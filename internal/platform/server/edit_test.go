package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
)

const deciding = `
tenants:
  - {id: acme}
keys:
  - {id: admin, secret: the-admin-key-of-acme, tenant: acme, role: admin}
  - {id: worker, secret: the-key-of-the-worker, tenant: acme, role: agent, agent: worker}
  - {id: ann, secret: the-key-of-approver-ann, tenant: acme, role: approver, user: ann}
  - {id: bob, secret: the-key-of-approver-bob, tenant: acme, role: approver, user: bob}
agents:
  - {id: worker, permissions: {tools: [{name: tools.echo, operations: [write], resources: ["drafts/**"]}]}}
mcp_servers:
  tools: {url: "%s/mcp", tools: {echo: {operation: write, resources: [{arg: path, kind: path}]}}}
`

const (
	workerKey = "the-key-of-the-worker"
	annKey    = "the-key-of-approver-ann"
	bobKey    = "the-key-of-approver-bob"
)

// echo is a real MCP server with one tool, and how often that ran.
func echo(t *testing.T) (url string, ran *atomic.Int64) {
	t.Helper()
	ran = &atomic.Int64{}
	s := sdk.NewServer(&sdk.Implementation{Name: "echo", Version: "1"}, nil)
	s.AddTool(&sdk.Tool{Name: "echo", InputSchema: map[string]any{"type": "object"}},
		func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			ran.Add(1)
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "done"}}}, nil
		})
	server := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{Stateless: true}))
	t.Cleanup(server.Close)
	return server.URL, ran
}

// asks makes a call that waits and gives its approval. Its note has a character that turns the text around.
func (i *instance) asks(path string) string {
	i.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"path":%q,"note":"a%sb"}}}`, path, "\u202e")
	go i.try(http.MethodPost, "/mcp/tools", workerKey, body, "Accept", "application/json, text/event-stream") // It waits until the end.
	var page struct {
		Items []struct {
			ID        string `json:"id"`
			Arguments string `json:"arguments"`
		} `json:"items"`
	}
	var id string
	eventually(i.t, func() error {
		_, text := i.send(http.MethodGet, "/api/v1/approvals?state=pending", annKey, "")
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			return err
		}
		for _, a := range page.Items {
			if strings.Contains(a.Arguments, path) {
				id = a.ID
				return nil
			}
		}
		return fmt.Errorf("no approval of %s in %s", path, text)
	})
	return id
}

// An edit is a call in the name of who makes it: the policy decides about the new arguments, somebody else must agree, the
// tool runs once, and what was asked first is denied.
func TestEditIsACallOfTheEditor(t *testing.T) {
	url, reached := echo(t)
	i := started(t, t.TempDir(), fmt.Sprintf(deciding, url))
	id := i.asks("drafts/a")
	edit := func(key, arguments string) (*http.Response, string) {
		return i.send(http.MethodPost, "/api/v1/approvals/"+id+"/edit", key, `{"arguments":`+arguments+`,"reason":"another place"}`)
	}
	if r, text := edit(annKey, `{"path":"final/a"}`); r.StatusCode != http.StatusForbidden {
		t.Errorf("what the agent may not do answers %d %s", r.StatusCode, text)
	}
	if r, text := edit(workerKey, `{"path":"drafts/b"}`); r.StatusCode != http.StatusForbidden {
		t.Errorf("the requester answers %d %s", r.StatusCode, text)
	}
	var done struct {
		Call     string  `json:"call_id"`
		Approval *string `json:"approval_id"`
	}
	r, text := edit(annKey, `{"path":"drafts/b"}`)
	if err := json.Unmarshal([]byte(text), &done); err != nil || r.StatusCode != http.StatusOK || done.Approval == nil {
		t.Fatalf("%d %s, %v", r.StatusCode, text, err)
	}
	if _, text := i.send(http.MethodGet, "/api/v1/approvals/"+id, annKey, ""); !strings.Contains(text, `"state":"denied"`) || !strings.Contains(text, "edited: another place") {
		t.Errorf("what was asked first is %s", text)
	}
	if r, text := i.send(http.MethodPost, "/api/v1/approvals/"+*done.Approval+"/approve", annKey, ""); r.StatusCode != http.StatusForbidden {
		t.Errorf("the editor approves his own call: %d %s", r.StatusCode, text)
	}
	if r, text := i.send(http.MethodPost, "/api/v1/approvals/"+*done.Approval+"/approve", bobKey, ""); r.StatusCode != http.StatusOK || !strings.Contains(text, `"edited_from":"`+id+`"`) {
		t.Errorf("%d %s", r.StatusCode, text)
	}
	if reached.Load() != 0 {
		t.Fatal("the tool has run before anybody agreed")
	}
	if r, text := edit(bobKey, `{"path":"drafts/b"}`); r.StatusCode != http.StatusConflict {
		t.Errorf("somebody else edits what was edited: %d %s", r.StatusCode, text)
	}
	for n, want := range []string{`"result":{`, `"approval_id":"appr_`} { // Made once; then it waits anew.
		if r, text := edit(annKey, `{"path":"drafts/b"}`); r.StatusCode != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("edit %d: %d %s", n, r.StatusCode, text)
		}
	}
	if n := reached.Load(); n != 1 {
		t.Errorf("the tool ran %d times, want once", n)
	}
}
