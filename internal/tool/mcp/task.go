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

// TaskPoll is how often callers are told to ask for a task: people take minutes.
const TaskPoll = 2 * time.Second

// Tasks keeps calls that wait for people, in place of their callers, and what servers have made tasks of. It is safe for concurrent use. Its errors are meant for
// the caller; code not_found says that there is no such task, or that it is somebody else's.
type Tasks interface {
	// Open gives the task of a call that waits for an approval, durable. For one approval it gives one task.
	Open(ctx context.Context, c *signalbox.Call, who signalbox.Caller, approval string) (signalbox.Task, error)
	// Of gives the task of an approval that has not ended, if it is of who asks.
	Of(ctx context.Context, who signalbox.Caller, approval string) (signalbox.Task, bool, error)
	// Get gives a task of who asks, made at the server ("": at any), and what it came to.
	Get(ctx context.Context, who signalbox.Caller, server, id string) (signalbox.Task, signalbox.TaskContent, error)
	// Cancel notes that who asks does not want the task any more. Doing it again changes nothing. Of one that a server works on
	// the server has to be told.
	Cancel(ctx context.Context, who signalbox.Caller, server, id string) error
	ServerTasks
}

// ServerTasks keeps what servers have made tasks of. It is safe for concurrent use.
type ServerTasks interface {
	// Room says whether who asks may have one more.
	Room(ctx context.Context, who signalbox.Caller) (bool, error)
	// Accept gives a new one of a call, and the effects that keep it, for the call's outcome. Ttl 0 is no end.
	Accept(c *signalbox.Call, who signalbox.Caller, remote signalbox.ServerTask, ttl time.Duration) (signalbox.Task, []signalbox.Effect, error)
	// Made gives the one that was made of a call of who asks.
	Made(ctx context.Context, who signalbox.Caller, call string) (signalbox.Task, signalbox.TaskContent, error)
	// Finish notes that one has ended, once. Why is nil where its server says what it came to.
	Finish(ctx context.Context, who signalbox.Caller, t signalbox.Task, c signalbox.TaskContent, state signalbox.TaskState, why error) error
	// List gives those of who asks, made at the server ("": at any), the newest first.
	List(ctx context.Context, who signalbox.Caller, server string) ([]signalbox.Task, []signalbox.TaskContent, error)
}

// KeepTasks answers a caller who has declared the extension for tasks with one, where his call needs an approval or its
// server makes a task of it. Without this option nobody has declared it.
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

// isTaskMethod reports whether a method is about tasks as the newest version has them.
func isTaskMethod(method string) bool {
	return method == rpc.MethodGetTask || method == rpc.MethodUpdateTask || method == rpc.MethodCancelTask
}

// declaresTasks reports whether the message says that its sender knows tasks.
func (r request) declaresTasks() bool {
	capabilities, err := r.meta.Get(rpc.MetaCapabilities).Object()
	if err != nil {
		return false
	}
	extensions, err := capabilities.Get("extensions").Object()
	return err == nil && extensions.Get(rpc.ExtensionTasks).Kind() == '{'
}

// becomesTask reports whether the call becomes a task where it needs an approval.
func (h *Handler) becomesTask(x *exchange) bool {
	return h.tasks != nil && x.method == rpc.MethodCallTool && x.modern() && x.declaresTasks()
}

// task answers a message about a task.
func (h *Handler) task(ctx context.Context, x *exchange) (json.Value, error) {
	if !x.declaresTasks() {
		return nil, tasksUndeclared()
	}
	switch x.method {
	case rpc.MethodUpdateTask:
		return h.updateTask(ctx, x)
	case rpc.MethodCancelTask:
		return h.cancelTask(ctx, x)
	}
	return h.look(ctx, x, x.task)
}

func tasksUndeclared() *signalbox.Error {
	return missingCapability(json.Value(`{"extensions":{"` + rpc.ExtensionTasks + `":{}}}`))
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
	if t.Kind == signalbox.TaskOfServer && t.State == signalbox.TaskRunning {
		return rpc.TaskWorking, ""
	}
	if t.Kind == signalbox.TaskOfServer {
		return string(t.State), message
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
