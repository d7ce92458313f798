package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// ErrTaskForgotten says that a server does not know a task, or not any more.
var ErrTaskForgotten = errors.New("the server does not know the task")

// knowsTasksKey marks the context of a call that is made in place of a caller who knows tasks.
type knowsTasksKey struct{}

// WithTasks lets servers of the newest version make a task of a call that nobody waits for: whoever makes it looks for one
// with [TaskIn] in the result.
func WithTasks(ctx context.Context) context.Context {
	return context.WithValue(ctx, knowsTasksKey{}, true)
}

// TaskIn reads the result of a server of the newest version that has made a task of a call; false for all other results.
func TaskIn(result []byte) (task signalbox.ServerTask, ttl time.Duration, ok bool) {
	view, ok := rpc.ReadTask(result)
	if !ok || rpc.ResultType(result) != rpc.TypeTask {
		return task, 0, false
	}
	return signalbox.ServerTask{ID: view.ID}, view.TTL, true
}

// taskOffer says what a server was told of tasks with a call.
type taskOffer struct {
	modern bool   // That its caller knows the extension.
	legacy string // That its caller wants one: the mark of the session in which it was told.
}

// offer tells the server of the session what the caller wants of tasks: in the parameters, or in the capabilities, which it
// gives.
func (t *Terms) offer(ctx context.Context, s *session, method string, params *rpc.Object) (taskOffer, json.Value) {
	switch {
	case method != rpc.MethodCallTool:
	case s.modern && (t.Tasks || ctx.Value(knowsTasksKey{}) != nil):
		return taskOffer{modern: true}, withTasks(t.Capabilities)
	case !s.modern && s.tasks && t.Task != nil:
		params.Add("task", t.Task)
		return taskOffer{legacy: s.mark}, t.Capabilities
	}
	return taskOffer{}, t.Capabilities
}

// withTasks adds the extension to the capabilities of a caller.
func withTasks(capabilities json.Value) json.Value {
	members, err := json.Object(capabilities)
	if err != nil {
		return capabilities
	}
	var o rpc.Object
	for _, m := range members.All() {
		o.Add(m.Name, m.Value.Bytes())
	}
	o.Add("extensions", []byte(`{"`+rpc.ExtensionTasks+`":{}}`))
	return o.Bytes()
}

// taskIn reads the task that a server has made of a call, as far as it was told that it may; nil where it has made none.
func (o taskOffer) taskIn(server, resultType string, data json.Value) (*signalbox.ServerTask, time.Duration, error) {
	if o.modern && resultType == rpc.TypeTask {
		task, ttl, ok := TaskIn(data)
		if !ok {
			return nil, 0, noTask(server)
		}
		return &task, ttl, nil
	}
	members, err := rpc.Members(data)
	if err != nil || o.legacy == "" || members.Get("task").Kind() != '{' {
		return nil, 0, nil //nolint:nilerr // It is another result, or none, which is seen elsewhere.
	}
	view, ok := rpc.ReadTask(members.Get("task").Bytes())
	if !ok {
		return nil, 0, noTask(server)
	}
	return &signalbox.ServerTask{ID: view.ID, Session: o.legacy}, view.TTL, nil
}

func noTask(server string) error {
	return &call.AttemptError{Sent: true, Err: signalbox.Errorf(signalbox.CodeUpstream,
		"The MCP server %q has made a task of the call, and does not say which.", server).
		WithRemedy("Check the server; whether the tool acts is not known.")}
}

// AboutTask sends one message about a task to its server, for a call of whoever asks about it, and gives the result. To a
// server of the newest version it says that its caller knows tasks; responses are what he gives to a server that has asked,
// nil for nothing. The error is [ErrTaskForgotten] where nobody can be asked about the task any more; all others are meant
// for the caller. Where beside is not nil it looks at all that passes but the result.
func (u *Server) AboutTask(
	ctx context.Context, c *signalbox.Call, method string, task signalbox.ServerTask, responses json.Value, beside call.Beside,
) (json.Value, error) {
	t := call.NewTrack(c)
	t.Guard.Beside = beside
	ctx, caller := withGuard(ctx, t)
	terms := termsOf(caller)
	passes := Terms{Responses: responses}
	if _, err := guardTerms(t, nil, &passes); err != nil {
		return nil, err
	}
	if err := u.takePlace(ctx); err != nil {
		return nil, err
	}
	defer func() { <-u.places }()
	limited, cancel := withLimit(onBehalf(ctx, c), u.CallTimeout, &terms)
	defer cancel()
	result, err := passing(limited, u, func() (json.Value, error) {
		s, err := u.session(limited)
		if err == nil {
			err = s.knows(u, task)
		}
		if err != nil {
			return nil, err
		}
		return s.wire.request(limited, method, task.ID, taskParams(s, terms, task, passes.Responses))
	})
	var answered *rpc.Error
	switch {
	case err == nil, errors.Is(err, ErrTaskForgotten):
		return result, err
	case errors.Is(err, errExpired):
		return nil, ErrTaskForgotten
	case errors.As(err, &answered) && method == rpc.MethodGetTask && undone(answered):
		return nil, ErrTaskForgotten
	}
	return nil, u.guardedError(ctx, t, err).Err
}

// taskParams are the parameters of a message about a task.
func taskParams(s *session, terms Terms, task signalbox.ServerTask, responses json.Value) []byte {
	var o rpc.Object
	o.Text("taskId", task.ID)
	if responses != nil {
		o.Add("inputResponses", responses)
	}
	if s.modern {
		o.Add("_meta", s.meta(nil, withTasks(terms.Capabilities)))
	}
	return o.Bytes()
}

// knows checks that a task is one that the session can be asked about. A task of an older version lives in the session in
// which it was made: in another one its name could be that of somebody else's.
func (s *session) knows(u *Server, task signalbox.ServerTask) error {
	switch {
	case task.Session == s.mark || task.Session == "" && s.modern:
		return nil
	case task.Session == "":
		return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q does not speak the version of the protocol any more in which it has made the task.", u.ID).
			WithRemedy("Check the server.")
	case strings.HasPrefix(task.Session, u.process):
		return ErrTaskForgotten
	}
	return signalbox.Errorf(signalbox.CodeConflict, "The task lives in the connection of another process of Signalbox with the MCP server %q, or of one that has ended.", u.ID).
		WithField("params.taskId").WithRemedy("Ask in the session in which the task was made; with several replicas route by Mcp-Session-Id.")
}

// newProcess gives what the marks of this process's sessions begin with.
func newProcess() string { return rand.Text() + "." }
