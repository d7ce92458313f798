package mcp

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// legacyTasks are what callers of 2025-11-25 are told that we can do about tasks. Which tools make them, their servers' lists say.
const legacyTasks = `{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}`

// isLegacyTaskMethod reports whether a method is about tasks as 2025-11-25 has them.
func isLegacyTaskMethod(method string) bool {
	switch method {
	case rpc.MethodGetTask, rpc.MethodCancelTask, rpc.MethodTaskResult, rpc.MethodListTasks:
		return true
	}
	return false
}

// legacyTask answers a message of 2025-11-25 about tasks.
func (h *Handler) legacyTask(ctx context.Context, x *exchange) (json.Value, error) {
	if x.method == rpc.MethodListTasks {
		return h.listTasks(ctx, x)
	}
	f, err := h.find(ctx, x, x.task)
	if err != nil {
		return nil, err
	}
	switch x.method {
	case rpc.MethodTaskResult:
		return h.legacyResult(ctx, x, f)
	case rpc.MethodCancelTask:
		if err := h.tasks.Cancel(ctx, f.who, f.task.Server, f.task.ID); err != nil {
			return nil, err
		}
	}
	return h.legacyView(ctx, x, f, x.method)
}

// legacyView asks a server about its task, or to end it, and gives what it says, about ours; of one that it has forgotten we
// say that it has failed.
func (h *Handler) legacyView(ctx context.Context, x *exchange, f found, method string) (json.Value, error) {
	if f.remote() {
		data, _, err := h.view(ctx, x, f, method)
		if !errors.Is(err, errForgotten) {
			return data, err
		}
		if f.task, f.content, err = h.tasks.Get(ctx, f.who, f.task.Server, f.task.ID); err != nil {
			return nil, err
		}
	}
	return encodeLegacyTask(f.task, f.content), nil
}

// legacyResult gives what a task came to, once it has. Until then the server keeps the caller waiting, and asks him what it
// wants to know.
func (h *Handler) legacyResult(ctx context.Context, x *exchange, f found) (json.Value, error) {
	if f.content.Error != nil {
		return nil, f.content.Error.Err()
	}
	data, err := h.askServer(ctx, x, f, rpc.MethodTaskResult, nil)
	if err != nil {
		return nil, err
	}
	status := rpc.TaskCompleted
	if failing(data) {
		status = rpc.TaskFailed // As this version has it.
	}
	if err := h.end(ctx, f, status); err != nil {
		return nil, err
	}
	return h.passing(f.task, rpc.RelatedTask(data, f.task.ID))
}

// failing reports whether the result of a tool says that it has failed.
func failing(data json.Value) bool {
	var r struct {
		IsError bool `json:"isError"`
	}
	return json.Unmarshal(data, &r) == nil && r.IsError
}

// listTasks lists a caller's tasks of servers. Those that have not ended are asked about, for [JointListWait]: what is not
// known by then is told as it was known last.
func (h *Handler) listTasks(ctx context.Context, x *exchange) (json.Value, error) {
	if err := x.onePage(); err != nil {
		return nil, err
	}
	who, err := h.who(x.call)
	if err != nil {
		return nil, err
	}
	list, contents, err := h.tasks.List(ctx, who, x.server())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	shown := []json.Value{}
	for i, t := range list {
		f := found{who: who, task: t, content: contents[i]}
		if !f.legacy() || !h.exists(t.Server, x.call.Caller.Tenant) {
			continue
		}
		data := encodeLegacyTask(t, f.content)
		if f.remote() && !t.State.Final() && ctx.Err() == nil {
			if said, err := h.legacyView(ctx, x, f, rpc.MethodGetTask); err == nil {
				data = said
			}
		}
		shown = append(shown, data)
	}
	var o rpc.Object
	o.Add("tasks", rpc.Array(shown))
	return o.Bytes(), nil
}

// encodeLegacyTask writes a server's task as we know it.
func encodeLegacyTask(t signalbox.Task, content signalbox.TaskContent) []byte {
	status, message := shownTask(t, content)
	var o rpc.Object
	o.Text("taskId", t.ID)
	o.Text("status", status)
	if message != "" {
		o.Text("statusMessage", message)
	}
	o.Text("createdAt", t.Created.UTC().Format(time.RFC3339Nano))
	o.Text("lastUpdatedAt", t.Updated.UTC().Format(time.RFC3339Nano))
	o.Add("ttl", strconv.AppendInt(nil, t.Expires.Sub(t.Created).Milliseconds(), 10))
	return o.Bytes()
}
