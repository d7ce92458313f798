package mcp

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Methods of the extension for tasks, and its name among capabilities.
const (
	methodGetTask    = "tasks/get"
	methodUpdateTask = "tasks/update"
	methodCancelTask = "tasks/cancel"

	ExtensionTasks = rpc.MetaPrefix + "tasks"
)

// TaskPoll is how often callers are told to ask for a task: people take minutes.
const TaskPoll = 2 * time.Second

// Tasks keeps calls that wait for people, in place of their callers. It is safe for concurrent use. Its errors are meant for
// the caller; code not_found says that there is no such task, or that it is somebody else's.
type Tasks interface {
	// Open gives the task of a call that waits for an approval, durable. For one approval it gives one task.
	Open(ctx context.Context, c *signalbox.Call, who signalbox.Caller, approval string) (signalbox.Task, error)
	// Of gives the task of an approval that has not ended, if it is of who asks.
	Of(ctx context.Context, who signalbox.Caller, approval string) (signalbox.Task, bool, error)
	// Get gives a task of who asks, made at the server ("": at any), and what it came to.
	Get(ctx context.Context, who signalbox.Caller, server, id string) (signalbox.Task, signalbox.TaskContent, error)
	// Cancel notes that who asks does not want the task any more. Doing it again changes nothing.
	Cancel(ctx context.Context, who signalbox.Caller, server, id string) error
}

// KeepTasks answers a caller who has declared the extension for tasks with one, where his call needs an approval. Without
// this option nobody has declared it.
func KeepTasks(t Tasks) HandlerOption { return func(h *Handler) { h.tasks = t } }

// ParseCall gives what the body of a tools/call asks of a server.
func ParseCall(server string, body []byte) (*signalbox.ToolRequest, error) {
	m, err := parseRequest(body)
	if err != nil {
		return nil, err
	}
	if m.method != rpc.MethodCallTool {
		return nil, invalid("method", fmt.Errorf("%s where tools/call is expected", m.method))
	}
	return &signalbox.ToolRequest{Server: server, Name: m.name, Arguments: m.arguments}, nil
}

// isTaskMethod reports whether a method is about tasks as the modern protocol has them.
func isTaskMethod(method string) bool {
	return method == methodGetTask || method == methodUpdateTask || method == methodCancelTask
}

// declaresTasks reports whether the message says that its sender knows tasks.
func (r request) declaresTasks() bool {
	capabilities, err := r.meta.Get(rpc.MetaCapabilities).Object()
	if err != nil {
		return false
	}
	extensions, err := capabilities.Get("extensions").Object()
	return err == nil && extensions.Get(ExtensionTasks).Kind() == '{'
}

// becomesTask reports whether the call becomes a task where it needs an approval.
func (h *Handler) becomesTask(x *exchange) bool {
	return h.tasks != nil && x.method == rpc.MethodCallTool && x.modern() && x.declaresTasks()
}

// task answers a message about a task.
func (h *Handler) task(ctx context.Context, x *exchange) (json.Value, error) {
	if !x.declaresTasks() {
		return nil, missingCapability(json.Value(`{"extensions":{"` + ExtensionTasks + `":{}}}`))
	}
	server := "" // Of the joint path: wherever it was made.
	if !x.endpoint.joint {
		server = x.endpoint.servers[0].ID
	}
	return h.taskResult(ctx, x.call, x.request, server)
}

// taskResult does what a message about a task asks for.
func (h *Handler) taskResult(ctx context.Context, c *signalbox.Call, m request, server string) ([]byte, error) {
	who, err := h.who(c)
	if err != nil {
		return nil, err
	}
	if m.method == methodCancelTask {
		return acknowledged, h.tasks.Cancel(ctx, who, server, m.task)
	}
	t, content, err := h.tasks.Get(ctx, who, server, m.task)
	if err != nil || m.method == methodUpdateTask { // Nothing was asked: there is nothing that an answer could be to.
		return acknowledged, err
	}
	return encodeTask("complete", t, content), nil
}

// acknowledged is the result of what is only taken note of.
var acknowledged = []byte(`{"resultType":"complete"}`)

// who gives who makes a call, as the gate would establish it.
func (h *Handler) who(c *signalbox.Call) (signalbox.Caller, error) {
	if h.callerOf == nil {
		return c.Caller, nil
	}
	return h.callerOf(c)
}

// openTask answers a call that waits for an approval with a task.
func (h *Handler) openTask(ctx context.Context, c *signalbox.Call, approval string) (json.Value, error) {
	who, err := h.who(c)
	if err != nil {
		return nil, err
	}
	t, err := h.tasks.Open(ctx, c, who, approval)
	if err != nil {
		return nil, err
	}
	return encodeTask("task", t, signalbox.TaskContent{}), nil
}

// sameTask answers a call whose idempotency key is used by the call of a task, with that task. Where that has ended by now the
// refusal stays: sent once more, the call is answered with what it came to.
func (h *Handler) sameTask(ctx context.Context, x *exchange, refused *signalbox.Error) (json.Value, error) {
	who, err := h.who(x.call)
	if err != nil {
		return nil, err
	}
	t, found, err := h.tasks.Of(ctx, who, refused.Approval)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, refused
	}
	return encodeTask("task", t, signalbox.TaskContent{}), nil
}

// encodeTask writes a task, with what it came to where it is final.
func encodeTask(resultType string, t signalbox.Task, content signalbox.TaskContent) []byte {
	status, message := shownTask(t, content)
	var o rpc.Object
	o.Text("resultType", resultType)
	o.Text("taskId", t.ID)
	o.Text("status", status)
	if message != "" {
		o.Text("statusMessage", message)
	}
	o.Text("createdAt", t.Created.UTC().Format(time.RFC3339Nano))
	o.Text("lastUpdatedAt", t.Updated.UTC().Format(time.RFC3339Nano))
	o.Add("ttlMs", strconv.AppendInt(nil, t.Expires.Sub(t.Created).Milliseconds(), 10))
	o.Add("pollIntervalMs", strconv.AppendInt(nil, TaskPoll.Milliseconds(), 10))
	switch {
	case t.State == signalbox.TaskCompleted:
		o.Add("result", json.Value(content.Result))
	case t.State == signalbox.TaskFailed && content.Error != nil:
		o.Add("error", failure(t.Request, t.Call, content.Error.Err()).Bytes())
	}
	return o.Bytes()
}

// shownTask gives the status in the words of the protocol, and what to say of it.
func shownTask(t signalbox.Task, content signalbox.TaskContent) (status, message string) {
	if content.Error != nil {
		message = strings.TrimSpace(content.Error.Message + " " + content.Error.Remedy)
	}
	switch t.State {
	case signalbox.TaskWaiting:
		return "working", "Waiting for the approval " + t.Approval + ": people are asked whether the call may be made."
	case signalbox.TaskRunning:
		return "working", "The approval " + t.Approval + " was given, and the call is being made."
	case signalbox.TaskCompleted:
		return "completed", ""
	case signalbox.TaskCancelled:
		if message == "" {
			message = "The call was not made: the task was cancelled."
		}
		return "cancelled", message
	case signalbox.TaskFailed:
	}
	return "failed", message
}
