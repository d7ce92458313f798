package mcp

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// censor writes "x" for "kim", and lets nothing pass that has "stop" in it.
type censor struct{}

func (censor) ToServer(doc []byte) ([]byte, error) {
	if bytes.Contains(doc, []byte("stop")) {
		return nil, signalbox.Errorf(signalbox.CodeBlocked, "The guard has stopped it.")
	}
	return bytes.ReplaceAll(doc, []byte("kim"), []byte("x")), nil
}

func (c censor) ToCaller(doc []byte) ([]byte, error) { return c.ToServer(doc) }
func (censor) Report() *signalbox.Guarded            { return nil }

// guardedTasks is a handler like that of [telling], whose guard looks at tasks.
func guardedTasks(t *testing.T, modern bool) (*teller, *desk, http.Handler) {
	t.Helper()
	s, d := &teller{modern: modern, says: map[string]string{}}, newDesk()
	d.task.Approval, d.task.Tool = "", "files.write.all"
	servers := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.Serve(t, s)})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(servers, testDoor{}, chain(servers, &memoryLog{}, nil), "test", slog.New(slog.DiscardHandler), KeepTasks(d),
		GuardTasks(func(server, tool string) call.Beside {
			if server != "files" || tool != "write.all" {
				return nil
			}
			return censor{}
		})))
	return s, d, mux
}

// The guard was turned on when the task was there already: what it comes to is told now.
func TestTheGuardLooksAtTasks(t *testing.T) {
	s, d, h := guardedTasks(t, true)
	d.task.Kind, d.task.State, d.content = signalbox.TaskOfServer, signalbox.TaskRunning, signalbox.TaskContent{Remote: &signalbox.ServerTask{ID: "kim"}}
	const task = `"result":{"taskId":"kim","status":%q,"createdAt":"a","lastUpdatedAt":"b"%s}`
	s.say(rpc.MethodGetTask, fmt.Sprintf(task, "working", `,"statusMessage":"of kim"`))
	wants(t, "a word of it", 0, looks(t, h, rpc.MethodGetTask), 0, `"statusMessage":"of x"`, `"taskId":"task_1"`)
	s.say(rpc.MethodGetTask, `"error":{"code":-32000,"message":"no kim","data":{"hint":"kim"}}`)
	if body := looks(t, h, rpc.MethodGetTask); !strings.Contains(body, "no x") || strings.Contains(body, "kim") {
		t.Errorf("an error: got %s", body)
	}
	s.say(rpc.MethodGetTask, fmt.Sprintf(task, "input_required", `,"inputRequests":{"q":{"method":"elicitation/create","params":{"message":"kim?"}}}`))
	s.say(rpc.MethodUpdateTask, `"result":{}`)
	for _, answer := range []string{"kim", "stop"} {
		params := fmt.Sprintf(`"taskId":"task_1","inputResponses":{"q":{"action":"accept","content":{"a":%q}}},"_meta":{%s,"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}`, answer, newest)
		_, body := ask(t, h, "/mcp/files", rpc.MethodUpdateTask, "task_1", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tasks/update","params":{%s}}`, params))
		if strings.Contains(body, `"blocked"`) != (answer == "stop") {
			t.Errorf("the answer %s: got %s", answer, body)
		}
	}
	if asked := s.asked(rpc.MethodUpdateTask); len(asked) != 1 || !strings.Contains(asked[0], `"content":{"a":"x"}`) {
		t.Errorf("the server got %q", asked)
	}
	for text, want := range map[string]string{"kim": `"text":"x"`, "stop": `"code":"blocked"`} {
		s.say(rpc.MethodGetTask, fmt.Sprintf(task, "completed", `,"result":{"content":[{"type":"text","text":"`+text+`"}]}`))
		wants(t, "its result", 0, looks(t, h, rpc.MethodGetTask), 0, want)
	}
}

func TestTheGuardLooksAtKeptResults(t *testing.T) {
	_, d, h := guardedTasks(t, true)
	d.task.Kind, d.task.State = signalbox.TaskOfApproval, signalbox.TaskCompleted
	for text, want := range map[string]string{"kim": `"text":"x"`, "stop": `"code":"blocked"`} {
		d.content.Result = `{"content":[{"type":"text","text":"` + text + `"}]}`
		wants(t, text, 0, looks(t, h, rpc.MethodGetTask), 0, want)
	}
	d.task.Tool, d.content.Result = "files.read", `{"content":[{"type":"text","text":"kim"}]}`
	wants(t, "of another tool", 0, looks(t, h, rpc.MethodGetTask), 0, `"text":"kim"`)
}

func TestTheGuardLooksAtLegacyTasks(t *testing.T) {
	s, d, h := guardedTasks(t, false)
	s.say(rpc.MethodCallTool, `"result":{"task":{"taskId":"theirs","status":"working"}}`)
	send := func(method, params string) string {
		t.Helper()
		_, body := ask(t, h, "/mcp/files", "-", "-", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), "Mcp-Protocol-Version", "2025-11-25")
		return body
	}
	wants(t, "the call", 0, send("tools/call", `{"name":"write","arguments":{},"task":{}}`), 0, `"taskId":"task_1"`)
	for text, want := range map[string]string{"kim": `"text":"x"`, "stop": `"code":"blocked"`} {
		s.say(rpc.MethodTaskResult, `"result":{"content":[{"type":"text","text":"`+text+`"}]}`)
		wants(t, "result", 0, send(rpc.MethodTaskResult, `{"taskId":"task_1"}`), 0, want)
	}
	s.say(rpc.MethodGetTask, `"result":{"taskId":"theirs","status":"working","statusMessage":"of kim"}`)
	d.task.State = signalbox.TaskRunning
	wants(t, "get", 0, send(rpc.MethodGetTask, `{"taskId":"task_1"}`), 0, `"statusMessage":"of x"`)
	wants(t, "list", 0, send(rpc.MethodListTasks, `{}`), 0, `"statusMessage":"of x"`)
}
