package mcp

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// handed is a task that the server of a call has made of it.
type handed struct {
	remote signalbox.ServerTask
	ttl    time.Duration
	task   signalbox.Task // Ours of it, once it is kept.
	err    error          // Why it could not be.
}

// Tasked notes that the server has made a task of the call.
func (l line) Tasked(task signalbox.ServerTask, ttl time.Duration) {
	l.x.handed = &handed{remote: task, ttl: ttl}
}

// offerTask lets the server of a call make a task of it, where its caller knows tasks and has room for one more. Who has none
// may not find his calls refused because he could be given a task: only one who asks for a task, as in older versions, is.
func (h *Handler) offerTask(ctx context.Context, x *exchange) error {
	if h.tasks == nil || x.method != rpc.MethodCallTool || x.modern() && !x.declaresTasks() || !x.modern() && x.wish() == nil {
		return nil
	}
	who, err := h.who(x.call)
	if err != nil {
		return nil //nolint:nilerr // The gate will say so, with a record.
	}
	room, err := h.tasks.Room(ctx, who)
	switch {
	case err != nil:
		return err
	case !room && !x.modern():
		return signalbox.Errorf(signalbox.CodeRateLimited, "The key has as many open tasks of servers as it may.").WithField("params.task").
			WithRemedy("Wait for some of them to end, or cancel some; or make the call without a task.").WithRetryAfter(TaskPoll)
	}
	x.tasks = room
	return nil
}

// wish is how a caller of an older version wants a task made of his call; nil where he does not.
func (x *exchange) wish() json.Value {
	if task := x.params.Get("task"); task.Kind() == '{' {
		return task.Bytes()
	}
	return nil
}

// keepTask gives the effects of a call's outcome that keep the task which its server has made of it.
func (h *Handler) keepTask(x *exchange, err error) []signalbox.Effect {
	made := x.handed
	if made == nil || err != nil {
		return nil
	}
	who, err := h.who(x.call)
	var effects []signalbox.Effect
	if err == nil {
		made.task, effects, err = h.tasks.Accept(x.call, who, made.remote, made.ttl)
	}
	if made.err = err; err != nil {
		return nil
	}
	return effects
}

// findHanded finds the task that was made of a call whose end is given again.
func (h *Handler) findHanded(ctx context.Context, x *exchange, data json.Value) error {
	if x.replayOf == "" || h.tasks == nil || !rpc.MakesTask(data) {
		return nil
	}
	who, err := h.who(x.call)
	if err != nil {
		return err
	}
	task, content, err := h.tasks.Made(ctx, who, x.replayOf)
	switch {
	case err != nil && signalbox.CodeOf(err) != signalbox.CodeNotFound:
		return err
	case err != nil, content.Remote == nil: // It is not known any more what its server calls it.
		return signalbox.Errorf(signalbox.CodeConflict, "The MCP server %q has made a task of the call %s, of which nothing is kept any more.", x.call.Tool.Server, x.replayOf).
			WithRemedy("Check with the server before the call is made again, with another key.")
	}
	if x.handed = (&handed{remote: *content.Remote, task: task}); !x.knows(x.handed.remote) {
		return signalbox.Errorf(signalbox.CodeConflict, "The MCP server %q has made a task of the call %s, and this message does not say that its sender knows such tasks.",
			x.call.Tool.Server, x.replayOf).WithRemedy("Send the call as it was sent first: in the same version of the protocol, and with what it says of tasks.")
	}
	return nil
}

// knows reports whether the message could have had that task made: who knows no tasks, or those of another version alone, can not
// ask about it.
func (x *exchange) knows(task signalbox.ServerTask) bool {
	if task.Session == "" {
		return x.modern() && x.declaresTasks()
	}
	return !x.modern() && x.wish() != nil
}

// handOver is the result by which a server says that it has made a task of a call, about ours in place of its own.
func (x *exchange) handOver(data json.Value) (json.Value, error) {
	made := x.handed
	if made.err != nil {
		e := signalbox.AsError(made.err)
		return nil, signalbox.Errorf(e.Code, "The MCP server %q has made a task of the call, which could not be kept: what it comes to will not be known here. %s",
			x.call.Tool.Server, e.Message).WithRemedy(e.Remedy).WithCause(made.err)
	}
	life := made.task.Expires.Sub(made.task.Created)
	if made.remote.Session == "" {
		return rpc.RenamedTask(data, made.task.ID, life), nil
	}
	members, err := rpc.Members(data)
	if err != nil {
		return nil, err
	}
	x.session.noteTask(made.task.ID)
	own := rpc.RenamedTask(members.Get("task").Bytes(), made.task.ID, life)
	return rpc.RelatedTask(rpc.Replaced(data, "task", own), made.task.ID), nil
}

// found is a task of a server, as who asks about it may know it.
type found struct {
	who     signalbox.Caller
	task    signalbox.Task
	content signalbox.TaskContent
}

// remote reports whether the task's server is to be asked about it.
func (f found) remote() bool { return f.content.Remote != nil && f.content.Error == nil }

// find gives a task of who asks. One of the other era is not there: the words for it are others. Nor is one of a server that
// has been taken from his tenant.
func (h *Handler) find(ctx context.Context, x *exchange, id string) (found, error) {
	who, err := h.who(x.call)
	if err != nil {
		return found{}, err
	}
	f := found{who: who}
	f.task, f.content, err = h.tasks.Get(ctx, who, x.server(), id)
	if err == nil && (f.legacy() == x.modern() || !h.exists(f.task.Server, x.call.Caller.Tenant)) {
		_, _, err = h.tasks.Get(ctx, who, x.server(), "") // As for one that nobody knows.
	}
	return f, err
}

// legacy reports whether the task is one as older versions have them.
func (f found) legacy() bool {
	return f.task.Kind == signalbox.TaskOfServer && f.content.Remote != nil && f.content.Remote.Session != ""
}

// server is the one whose path the message came by; "" for the joint one.
func (x *exchange) server() string {
	if x.endpoint.joint {
		return ""
	}
	return x.endpoint.servers[0].ID
}

// askServer sends a message about a task to its server, and gives the result.
func (h *Handler) askServer(ctx context.Context, x *exchange, f found, method string, responses json.Value) (json.Value, error) {
	u, err := h.servers.Current().Find(f.task.Server)
	if err != nil {
		return nil, err
	}
	x.call.Tool.Server = u.ID
	h.clientCapabilities(f.who, x)
	if method == rpc.MethodTaskResult { // It waits.
		leave, err := h.occupy(x)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	result, err := u.AboutTask(upstream.WithCaller(ctx, line{x: x, task: &f}), x.call, method, *f.content.Remote, responses, h.beside(f.task))
	if errors.Is(err, upstream.ErrTaskForgotten) {
		return nil, h.forgotten(ctx, f)
	}
	return result, err
}

// errForgotten says that a task has failed because its server does not know it any more.
var errForgotten = errors.New("the server has forgotten the task")

// forgotten notes that a server does not know a task any more. One that had not ended has failed, since nobody will know
// what it came to; of one that had, the server's last word is lost.
func (h *Handler) forgotten(ctx context.Context, f found) error {
	if f.task.State.Final() {
		return signalbox.Errorf(signalbox.CodeNotFound, "The MCP server %q does not know the task any more; it had ended as %s.", f.task.Server, f.task.State).
			WithField("params.taskId").WithRemedy("Make the call again if it is wanted again.")
	}
	why := signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q does not know the task any more: what it came to is not known.", f.task.Server).
		WithRemedy("Check with the server before the call is made again.")
	if err := h.tasks.Finish(ctx, f.who, f.task, f.content, signalbox.TaskFailed, why); err != nil {
		return err
	}
	return errors.Join(errForgotten, why)
}

// look gives what is to be told of a task, by its server or by us, and notes its end.
func (h *Handler) look(ctx context.Context, x *exchange, id string) (json.Value, error) {
	f, err := h.find(ctx, x, id)
	if err != nil {
		return nil, err
	}
	if f.remote() {
		data, _, err := h.lookAt(ctx, x, f)
		if !errors.Is(err, errForgotten) {
			return data, err
		}
		if f.task, f.content, err = h.tasks.Get(ctx, f.who, f.task.Server, id); err != nil {
			return nil, err
		}
	}
	data := encodeTask(rpc.TypeComplete, f.task, f.content)
	if f.task.State != signalbox.TaskCompleted {
		return data, nil
	}
	return h.passing(f.task, data)
}

// lookAt asks a server about its task, and gives what it says, about ours, and what it asks of the caller, which was judged.
// The error is errForgotten where the task has failed because the server does not know it any more.
func (h *Handler) lookAt(ctx context.Context, x *exchange, f found) (json.Value, []question, error) {
	data, view, err := h.view(ctx, x, f, rpc.MethodGetTask)
	if err != nil || view.Status != rpc.TaskInputRequired {
		return data, nil, err
	}
	questions, err := h.judgeTask(ctx, x, f, data)
	if err != nil {
		return nil, nil, err
	}
	return data, questions, nil
}

// view asks a server about its task, or to end it, and gives what it says, about ours. It notes the task's end.
func (h *Handler) view(ctx context.Context, x *exchange, f found, method string) (json.Value, rpc.TaskView, error) {
	data, err := h.askServer(ctx, x, f, method, nil)
	if err != nil {
		return nil, rpc.TaskView{}, err
	}
	view, ok := rpc.ReadTask(data)
	if !ok || view.ID != f.content.Remote.ID {
		return nil, view, signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q was asked about a task, and its answer is none about it.", f.task.Server).
			WithRemedy("Check the server.")
	}
	if view.Final() {
		if err := h.end(ctx, f, view.Status); err != nil {
			return nil, view, err
		}
	}
	data, err = h.passing(f.task, rpc.RenamedTask(data, f.task.ID, f.task.Expires.Sub(f.task.Created)))
	return data, view, err
}

// end notes that a server has ended its task.
func (h *Handler) end(ctx context.Context, f found, status string) error {
	if f.task.State.Final() {
		return nil
	}
	states := map[string]signalbox.TaskState{
		rpc.TaskCompleted: signalbox.TaskCompleted, rpc.TaskFailed: signalbox.TaskFailed, rpc.TaskCancelled: signalbox.TaskCancelled,
	}
	return h.tasks.Finish(ctx, f.who, f.task, f.content, states[status], nil)
}

// judgeTask has the stations judge what a server asks of the caller while it works on a task, each question once in a while:
// it is asked again each time that somebody looks at the task.
func (h *Handler) judgeTask(ctx context.Context, x *exchange, f found, data json.Value) ([]question, error) {
	questions, _, err := readQuestions(data)
	if err != nil {
		return nil, badQuestion(f.task.Server, err)
	}
	for _, q := range questions {
		if err := askable(x, q); err != nil {
			return nil, err
		}
		if h.judged.recently(f.task.ID, q, h.servers.Current().Now()) {
			continue
		}
		if _, err := h.judgeQuestion(ctx, x, q); err != nil {
			return nil, err
		}
		h.judged.note(f.task.ID, q, h.servers.Current().Now())
	}
	return questions, nil
}

// updateTask hands on what a caller answers to what a server has asked him: to the questions that are open and permitted.
func (h *Handler) updateTask(ctx context.Context, x *exchange) (json.Value, error) {
	f, err := h.find(ctx, x, x.task)
	if err != nil || !f.remote() { // Of ours nothing was asked: there is nothing that an answer could be to.
		return acknowledged, err
	}
	given, err := x.params.Get("inputResponses").Object()
	if err != nil {
		return nil, invalid("params.inputResponses", err)
	}
	_, questions, err := h.lookAt(ctx, x, f)
	if err != nil {
		if errors.Is(err, errForgotten) {
			err = nil // It has failed, which whoever looks at it is told.
		}
		return acknowledged, err
	}
	var responses rpc.Object
	for _, q := range questions {
		if answer := given.Get(q.key); answer.Exists() {
			responses.Add(q.key, answer.Bytes())
		}
	}
	if responses.Empty() {
		return acknowledged, nil
	}
	return acknowledged, h.quietly(h.askServer(ctx, x, f, rpc.MethodUpdateTask, responses.Bytes()))
}

// cancelTask notes that the caller does not want a task any more, and tells its server.
func (h *Handler) cancelTask(ctx context.Context, x *exchange) (json.Value, error) {
	f, err := h.find(ctx, x, x.task)
	if err != nil {
		return nil, err
	}
	if err := h.tasks.Cancel(ctx, f.who, f.task.Server, f.task.ID); err != nil {
		return nil, err
	}
	if !f.remote() || f.task.State.Final() {
		return acknowledged, nil
	}
	return acknowledged, h.quietly(h.askServer(ctx, x, f, rpc.MethodCancelTask, nil))
}

// quietly is the error of a message whose result says nothing. That the task has failed is told to who looks at it.
func (h *Handler) quietly(_ json.Value, err error) error {
	if errors.Is(err, errForgotten) {
		return nil
	}
	return err
}
