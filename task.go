package signalbox

import "time"

// TaskPrefix begins the ids of tasks.
const TaskPrefix = "task_"

// TaskState is where a task stands.
type TaskState string

// The states. The last three are final: a task that has one keeps it, and what it came to.
const (
	TaskWaiting   TaskState = "waiting"   // For people to decide about its approval.
	TaskRunning   TaskState = "running"   // The intent of its call is durable: the call is made, and never again.
	TaskCompleted TaskState = "completed" // Its call was answered, be it with the failure of a tool.
	TaskFailed    TaskState = "failed"    // Its call was refused, or has failed, or nobody knows what it came to.
	TaskCancelled TaskState = "cancelled" // Who made it does not want it any more.
)

// Final reports whether nothing follows.
func (s TaskState) Final() bool {
	return s == TaskCompleted || s == TaskFailed || s == TaskCancelled
}

// TaskKind is who works on a task.
type TaskKind string

// The kinds.
const (
	TaskOfApproval TaskKind = "approval" // We: the call waits for people, and is made by us when they have agreed.
	TaskOfServer   TaskKind = "server"   // The MCP server: the call was made, and the server said that it takes its time.
)

// Task is a call whose caller does not stay, and asks later what it came to.
type Task struct {
	ID       string // "task_…"; it can not be guessed.
	Kind     TaskKind
	Tenant   string
	Key      string // Of who made it, as the gate has established him. His user is in the content.
	Agent    string
	Server   string // The MCP server at whose endpoint it was made, and where it is asked about.
	Tool     string // "server.tool".
	State    TaskState
	Approval string // The approval without which the call is not made; "" where it needed none.
	Asked    string // The id of the call that was refused until then; "" where none was.
	Call     string // The id of the call that was made; "" before.
	Request  string // The request_id of both.
	Run      string
	Trace    string
	Created  time.Time
	Updated  time.Time
	Ended    time.Time // When it became final; zero before.
	Expires  time.Time // Until when it is kept at the least, once it is final. One that a server works on fails then.

	// Cancelled is when somebody asked for its end while its call was under way; zero where nobody did. [CancelTask] sets it,
	// [PutTask] leaves it as it is.
	Cancelled time.Time

	// Content is what is about people, as [TaskContent], sealed under the key of the call's data subject. Nil where the
	// subject was erased: stores keep it so, whoever puts it again.
	Content *Sealed
}

// TaskContent is the sealed part of a task: what is needed to make the call, and once the task is final, in its place, what
// the call came to.
type TaskContent struct {
	User    string `json:"user,omitzero"`    // On whose behalf it was made.
	Subject string `json:"subject,omitzero"` // Whom the call is about.

	Caller Caller    `json:"caller,omitzero"` // As the key said.
	Guest  *Guest    `json:"guest,omitzero"`  // For whom the token stood that he came with; nil for one with a key.
	Claims Claims    `json:"claims,omitzero"`
	Source string    `json:"source,omitzero"`
	Span   TaskTrace `json:"trace,omitzero"`
	Body   string    `json:"body,omitzero"` // The request, byte for byte.

	IdempotencyKey string `json:"idempotency_key,omitzero"` // Which the call uses when it is made.

	Remote *ServerTask `json:"remote,omitzero"` // Of a task that a server works on, or has ended: what the server calls it.

	Result string       `json:"result,omitzero"` // Of a completed task that was ours: the tool's, byte for byte.
	Error  *TaskFailure `json:"error,omitzero"`  // Of a failed one.
}

// ServerTask is a task as its server knows it. It is never told to callers.
type ServerTask struct {
	ID      string `json:"id"`
	Session string `json:"session,omitzero"` // Ours with a server of an older version, which knows the task in it alone; "" of a newer one.
}

// TaskTrace is the part of a trace that a task carries on beside the trace's id.
type TaskTrace struct {
	Parent  string `json:"parent,omitzero"`
	Flags   byte   `json:"flags,omitzero"`
	State   string `json:"state,omitzero"`
	Baggage string `json:"baggage,omitzero"`
}

// TaskFailure is the error of a failed task, as the caller of the call would have got it.
type TaskFailure struct {
	Code     Code   `json:"code"`
	Message  string `json:"message"`
	Remedy   string `json:"remedy,omitzero"`
	Field    string `json:"field,omitzero"`
	Approval string `json:"approval,omitzero"`
}

// Failed gives an error as a failed task keeps it.
func Failed(err error) *TaskFailure {
	e := AsError(err)
	return &TaskFailure{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Field: e.Field, Approval: e.Approval}
}

// Err gives the error again.
func (f *TaskFailure) Err() *Error {
	return &Error{Code: f.Code, Message: f.Message, Remedy: f.Remedy, Field: f.Field, Approval: f.Approval}
}

// PutTask creates a task or replaces what is kept of it; one that is final stays as it is. Whoever writes one holds its
// claim: [Task.ClaimKey].
type PutTask struct{ Task Task }

// CancelTask notes that somebody does not want a task any more; one that is final, or noted already, stays as it is. It
// needs no claim: who makes the call has that.
type CancelTask struct {
	ID string
	At time.Time
}

func (PutTask) isEffect()    {}
func (CancelTask) isEffect() {}

// ClaimKey names what must be claimed before the task is changed.
func (t Task) ClaimKey() string { return "task " + t.ID }
