package tasks

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

// legacy sends a message as a client of 2025-11-25, in a session where one is given.
func legacy(t testing.TB, i *harness.Instance, path, key, session, method, params string, header ...string) answer {
	t.Helper()
	headers := append([]string{"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-11-25", "X-Signalbox-Agent", "tester"}, header...)
	if session != "" {
		headers = append(headers, "Mcp-Session-Id", session)
	}
	return read(t, i.Send(t, http.MethodPost, path, key, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), headers...))
}

// everything is the configuration of the protocol's server-everything, as a child and over HTTP.
const everything = `agents:
  - {id: tester, permissions: {tools: [{name: "*", operations: [read, write], resources: ["*"]}]}}
approvals: {tiers: {medium: {approvers: 0}}}
mcp_servers:
  child: {command: [node, %[1]q, stdio]}
  web: {url: "http://%[2]s/mcp"}
`

func TestTasksOfServerEverything(t *testing.T) {
	t.Parallel()
	script := filepath.Join(harness.Packages(t, "tests/mcppeers/node"), "node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js")
	i := harness.Start(t, harness.Options{Config: "  - {id: twin, secret: twin-key-of-acme-000001, tenant: acme, role: agent}\n" +
		fmt.Sprintf(everything, script, serve(t, script)) + harness.Simulated})
	for _, server := range []string{"child", "web"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			legacyTasks(t, i, "/mcp/"+server)
		})
	}
}

// serve starts server-everything over HTTP, and waits until it listens.
func serve(t *testing.T, script string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", script, "streamableHttp")
	cmd.Env = append(os.Environ(), "PORT="+port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // It is killed.
	})
	harness.Eventually(t, func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	})
	return address
}

// session begins one, as a client that can be asked, at a server that makes tasks.
func session(t testing.TB, i *harness.Instance, path string) string {
	t.Helper()
	a := initialize(t, i, path)
	if !strings.Contains(a.Body, `"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}`) {
		t.Errorf("tasks are not declared: %s", a.Body)
	}
	return a.Header.Get("Mcp-Session-Id")
}

// initialize begins a session, as a client that can be asked.
func initialize(t testing.TB, i *harness.Instance, path string) harness.Answer {
	t.Helper()
	return i.Send(t, http.MethodPost, path, harness.Agent,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}`,
		"Accept", "application/json, text/event-stream", "X-Signalbox-Agent", "tester")
}

// legacyTasks makes tasks of server-everything's and looks at them.
func legacyTasks(t *testing.T, i *harness.Instance, path string) {
	t.Helper()
	own := session(t, i, path)
	ask := func(method, params string) answer { return legacy(t, i, path, harness.Agent, own, method, params) }
	about := func(id string) string { return fmt.Sprintf(`{"taskId":%q}`, id) }
	const call = `{"name":"simulate-research-query","arguments":{"topic":"rain"},"task":{"ttl":60000}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Mcp-Session-Id", own)
	events := stream(t, request, i, harness.Agent)

	made := ask("tools/call", call)
	task := made.Result.Task
	if task == nil || !strings.HasPrefix(task.ID, "task_") || task.Status != "working" || task.OldTTL != 300_000 {
		t.Fatalf("got %s", made.body)
	}
	second := ask("tools/call", call).Result.Task
	if now := ask("tasks/get", about(task.ID)); now.Result.ID != task.ID || now.Result.Status != "working" || now.Result.OldTTL != 300_000 {
		t.Errorf("got %s", now.body)
	}
	if list := ask("tasks/list", `{}`); len(list.Result.Tasks) != 2 || list.Result.Tasks[0].ID != second.ID || list.Result.Tasks[1].Status != "working" {
		t.Errorf("got %s", list.body)
	}
	hears(t, events, `"method":"notifications/tasks/status"`, task.ID, `"status":"working"`)
	unknown := ask("tasks/get", about("task_0"))
	for method, want := range map[string]int{"tasks/get": -32602, "tasks/result": -32602, "tasks/cancel": -32602, "tasks/list": 0} {
		a := legacy(t, i, path, twin, "", method, about(task.ID))
		if a.code() != want || len(a.Result.Tasks) > 0 || want != 0 && a.Error.Message != unknown.Error.Message {
			t.Errorf("%s of another key: %s", method, a.body)
		}
	}
	if a := get(t, i, path, task.ID); a.code() != -32602 {
		t.Errorf("as a task of the newest version: %s", a.body)
	}
	if a := ask("tasks/cancel", about(second.ID)); a.Result.ID != second.ID || a.Result.Status != "cancelled" {
		t.Errorf("got %s", a.body)
	}
	hears(t, events, `"method":"notifications/tasks/status"`, second.ID, `"status":"cancelled"`)
	if ended := records(t, i, "task_ended", second.ID); len(ended) != 1 || ended[0].What.Detail["state"] != "cancelled" {
		t.Errorf("its end is recorded as %+v", ended)
	}
	if plain := ask("tools/call", `{"name":"echo","arguments":{"message":"hi"}}`); plain.Error != nil || len(plain.Result.Content) != 1 {
		t.Errorf("a call without a task: %s", plain.body)
	}
	if os.Getenv(Long) == "" {
		return // The server takes four seconds.
	}
	done := ask("tasks/result", about(task.ID))
	if len(done.Result.Content) != 1 || done.Result.Meta.Related.ID != task.ID {
		t.Errorf("got %s", done.body)
	}
	if ended := records(t, i, "task_ended", task.ID); len(ended) != 1 || ended[0].What.Detail["state"] != "completed" {
		t.Errorf("its end is recorded as %+v", ended)
	}
}
