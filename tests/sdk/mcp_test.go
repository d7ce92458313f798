package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// bearer adds a key to what the MCP client sends.
type bearer struct{ key string }

// RoundTrip sends a request with the key.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	r.Header.Set("X-Signalbox-Agent", "librarian")
	return http.DefaultTransport.RoundTrip(r)
}

// librarian may read everything and write anywhere, without asking.
const librarian = `agents:
  - {id: librarian, permissions: {tools: [{name: "files.*", operations: [read, write], resources: ["*"]}]}}
approvals: {tiers: {medium: {approvers: 0}}}
mcp_servers:
  files:
    command: [%q, %q]
    price: {per_call: 0.002}
    tools:
      read_text_file: {operation: read, resources: [{arg: path, kind: path}]}
      write_file: {operation: write, resources: [{arg: path, kind: path}]}
`

func connect(ctx context.Context, url, key string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "signalbox-test", Version: "1"}, nil)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: bearer{key}}, DisableStandaloneSSE: true,
	}, nil)
}

// files starts an instance with npm's file server behind it, as a child process over standard input and output.
func files(t *testing.T) (i *harness.Instance, dir string) {
	t.Helper()
	server := filepath.Join(harness.Node(t), "node_modules", ".bin", "mcp-server-filesystem")
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("The signal is at danger."), 0o600); err != nil {
		t.Fatal(err)
	}
	config := harness.Simulated + fmt.Sprintf(librarian, server, dir)
	return harness.Start(t, harness.Options{Config: config}), dir
}

// TestJointMCP uses the same server on the path of all servers.
func TestJointMCP(t *testing.T) {
	i, dir := files(t)
	session, err := connect(t.Context(), i.URL+"/mcp", harness.Agent)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	list, err := session.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) == 0 || list.CacheScope != "private" {
		t.Fatalf("got %+v, %v", list, err)
	}
	for _, tool := range list.Tools {
		if !strings.HasPrefix(tool.Name, "files__") {
			t.Errorf("got a tool %q", tool.Name)
		}
	}
	got, err := callTool(t, session, "files__read_text_file", map[string]any{"path": filepath.Join(dir, "note.txt")})
	if err != nil || got.IsError || text(got) != "The signal is at danger." {
		t.Errorf("got %q, %v", text(got), err)
	}
	for _, name := range []string{"read_text_file", "files.read_text_file", "Files__read_text_file"} {
		if _, err := callTool(t, session, name, map[string]any{}); err == nil {
			t.Errorf("%q was served", name)
		}
	}
}

func TestMCP(t *testing.T) {
	i, dir := files(t)
	session, err := connect(t.Context(), i.URL+"/mcp/files", harness.Agent)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	t.Run("list", func(t *testing.T) { mcpList(t, session) })
	t.Run("read", func(t *testing.T) {
		got, err := callTool(t, session, "read_text_file", map[string]any{"path": filepath.Join(dir, "note.txt")})
		if err != nil || got.IsError || text(got) != "The signal is at danger." {
			t.Errorf("got %q, %v", text(got), err)
		}
	})
	t.Run("write", func(t *testing.T) {
		path := filepath.Join(dir, "order.txt")
		got, err := callTool(t, session, "write_file", map[string]any{"path": path, "content": "Proceed."})
		if err != nil || got.IsError {
			t.Fatalf("got %q, %v", text(got), err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "Proceed." {
			t.Errorf("the file has %q, %v", b, err)
		}
	})
	t.Run("the tool says no", func(t *testing.T) {
		got, err := callTool(t, session, "read_text_file", map[string]any{"path": "/etc/passwd"})
		if err != nil || !got.IsError || !strings.Contains(text(got), "Access denied") {
			t.Errorf("got %q, %v", text(got), err)
		}
	})
	t.Run("unknown tool", func(t *testing.T) { mcpUnknown(t, session) })
	mcpRecords(t, i)
	i.Complete(t)
}

func mcpList(t *testing.T, session *mcp.ClientSession) {
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	for _, want := range []string{"read_text_file", "write_file", "list_directory"} {
		if !slices.Contains(names, want) {
			t.Errorf("the tools are %v, without %s", names, want)
		}
	}
}

func callTool(t *testing.T, session *mcp.ClientSession, name string, arguments map[string]any) (*mcp.CallToolResult, error) {
	t.Helper()
	return session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
}

func text(r *mcp.CallToolResult) string {
	all := ""
	if r == nil {
		return all
	}
	for _, c := range r.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			all += t.Text
		}
	}
	return all
}

func mcpUnknown(t *testing.T, session *mcp.ClientSession) {
	_, err := callTool(t, session, "launch_rocket", map[string]any{})
	var e *jsonrpc.Error
	if !errors.As(err, &e) || !strings.Contains(string(e.Data), `"not_found"`) {
		t.Errorf("got %v", err)
	}
}

// mcpRecords: each call of a tool is in the log, with what it was and what it cost.
func mcpRecords(t *testing.T, i *harness.Instance) {
	t.Helper()
	outcomes := map[string][]signalbox.Outcome{}
	for _, r := range i.Log(t) {
		if r.Type != signalbox.RecordOutcome {
			continue
		}
		if r.What.Kind != signalbox.KindTool || r.What.Action != signalbox.ActionToolCall || r.Who.AgentID != "librarian" {
			t.Errorf("the record is %+v by %+v", r.What, r.Who)
		}
		outcomes[r.What.ToolName] = append(outcomes[r.What.ToolName], *r.Outcome)
		if *r.Outcome == signalbox.OutcomeOK && (r.What.Cost == nil || r.What.Cost.String() != "0.002") {
			t.Errorf("%s cost %v, want 0.002", r.What.ToolName, r.What.Cost)
		}
	}
	// A tool that says no has answered: the call is ok.
	ok, denied := signalbox.OutcomeOK, signalbox.OutcomeDenied
	want := map[string][]signalbox.Outcome{
		"files.read_text_file": {ok, ok}, "files.write_file": {ok}, "files.launch_rocket": {denied},
	}
	for name, w := range want {
		if got := outcomes[name]; !slices.Equal(got, w) {
			t.Errorf("%s: outcomes %v, want %v", name, got, w)
		}
	}
}

func TestMCPRefusals(t *testing.T) {
	i, _ := files(t)
	for _, c := range []struct{ name, path, key string }{
		{"unknown server", "/mcp/nowhere", harness.Agent},
		{"unknown key", "/mcp/files", "sb_this-key-is-unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if session, err := connect(t.Context(), i.URL+c.path, c.key); err == nil {
				_, err = session.ListTools(t.Context(), nil)
				session.Close()
				if err == nil {
					t.Error("the tools were listed")
				}
			}
		})
	}
}
