package rpc

import (
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Messages about tasks. The newest version has them as an extension; 2025-11-25 had others, under partly the same names.
const (
	MethodGetTask      = "tasks/get"
	MethodUpdateTask   = "tasks/update" // Of the extension.
	MethodCancelTask   = "tasks/cancel"
	MethodTaskResult   = "tasks/result"               // Of 2025-11-25, as is all that follows.
	MethodListTasks    = "tasks/list"                 //
	MethodTaskStatus   = "notifications/tasks/status" //
	MethodTaskNotified = "notifications/tasks"        // Of the extension.

	ExtensionTasks  = MetaPrefix + "tasks"        // Among the extensions that a side can do.
	MetaRelatedTask = MetaPrefix + "related-task" // In _meta, of 2025-11-25: the task that a message is about.
	TypeTask        = "task"                      // Of a result: the server has made a task of the request.
)

// The statuses of tasks.
const (
	TaskWorking       = "working"
	TaskInputRequired = "input_required"
	TaskCompleted     = "completed"
	TaskFailed        = "failed"
	TaskCancelled     = "cancelled"
)

// TaskView is what a message says of a task, in both versions of it.
type TaskView struct {
	ID     string
	Status string
	TTL    time.Duration // From its creation; 0 where it has no end.
	Poll   time.Duration // How often to ask; 0 where nothing is said.
}

// Final reports whether nothing follows.
func (v TaskView) Final() bool {
	return v.Status == TaskCompleted || v.Status == TaskFailed || v.Status == TaskCancelled
}

// known reports whether the status is one of the protocol's.
func (v TaskView) known() bool {
	return v.Final() || v.Status == TaskWorking || v.Status == TaskInputRequired
}

// ReadTask reads what an object says of a task; false where it is none.
func ReadTask(raw json.Value) (TaskView, bool) {
	members, err := Members(raw)
	if err != nil {
		return TaskView{}, false
	}
	var v TaskView
	if v.ID, err = members.Get("taskId").Text(); err != nil || v.ID == "" {
		return v, false
	}
	if v.Status, err = members.Get("status").Text(); err != nil || !v.known() {
		return v, false
	}
	v.TTL = milliseconds(members, "ttlMs", "ttl")
	v.Poll = milliseconds(members, "pollIntervalMs", "pollInterval")
	return v, true
}

// ResultType gives the type of a result, "" where it has none.
func ResultType(raw json.Value) string {
	var r struct {
		Type string `json:"resultType"`
	}
	if json.Unmarshal(raw, &r) != nil {
		return ""
	}
	return r.Type
}

// MakesTask reports whether a result of a tools/call is one by which a server says that it has made a task of it, in any version.
func MakesTask(raw json.Value) bool {
	members, err := Members(raw)
	if err != nil {
		return false
	}
	if kind, err := members.Get("resultType").Text(); err == nil {
		return kind == TypeTask
	}
	_, legacy := ReadTask(members.Get("task").Bytes())
	return legacy
}

// longest bounds times that others name, so that they can be added up.
const longest = 10 * 365 * 24 * time.Hour

// milliseconds reads a time under the first of the names; 0 where there is none that can be meant.
func milliseconds(members json.Members, names ...string) time.Duration {
	for _, name := range names {
		if n, err := members.Get(name).Int(); err == nil && n > 0 && n < longest.Milliseconds() {
			return time.Duration(n) * time.Millisecond
		}
	}
	return 0
}

// RenamedTask gives an object about a task, in which it has another id and lives no longer than that. All else stays.
func RenamedTask(raw json.Value, id string, most time.Duration) json.Value {
	members, err := Members(raw)
	if err != nil {
		return raw
	}
	var o Object
	for _, m := range members.All() {
		switch m.Name {
		case "taskId":
			o.Text(m.Name, id)
		case "ttlMs", "ttl":
			if ttl := milliseconds(members, m.Name); ttl > 0 && ttl <= most {
				o.Add(m.Name, m.Value.Bytes())
			} else {
				o.Add(m.Name, strconv.AppendInt(nil, most.Milliseconds(), 10))
			}
		case "_meta":
			o.Add(m.Name, renamedRelation(m.Value.Bytes(), id))
		default:
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	return o.Bytes()
}

// RelatedTask gives a result whose _meta says that it is about a task of another id. All else stays.
func RelatedTask(raw json.Value, id string) json.Value {
	members, err := Members(raw)
	if err != nil || members.Get("_meta").Kind() != '{' {
		return raw
	}
	return Replaced(raw, "_meta", renamedRelation(members.Get("_meta").Bytes(), id))
}

// renamedRelation gives a _meta in which the task that the message is about has another id.
func renamedRelation(meta json.Value, id string) json.Value {
	members, err := Members(meta)
	if err != nil || members.Get(MetaRelatedTask).Kind() != '{' {
		return meta
	}
	return Replaced(meta, MetaRelatedTask, Renamed(members.Get(MetaRelatedTask).Bytes(), "taskId", id))
}
