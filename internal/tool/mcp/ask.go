package mcp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/held"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// line is the caller of an exchange, as the server of his call knows him.
type line struct {
	x    *exchange
	held *held.Call[exchange] // Nil where the call ends with its request.
	task *found               // That is asked about; nil on the line of a call.
}

// shown is what the server says as the caller may read it: about our task, where it is about one.
func (l line) shown(params json.Value) json.Value {
	if l.task == nil {
		return params
	}
	return rpc.RelatedTask(params, l.task.task.ID)
}

// now gives the request that waits for the call; nil where its caller is away.
func (l line) now() *exchange {
	if l.held == nil {
		return l.x
	}
	return l.held.Listener()
}

// Terms gives what goes to the server with the call.
func (l line) Terms() upstream.Terms {
	x := l.x
	t := upstream.Terms{
		Capabilities: x.permitted, Withheld: x.withheld, Progress: x.progress != nil, Responses: x.inputs.responses, State: x.inputs.state,
		Headers: x.mirrored, Tasks: x.tasks && x.modern(),
	}
	if x.tasks && !x.modern() {
		t.Task = x.wish()
	}
	if level := x.logLevel(); level.Kind() == '"' {
		t.Meta = []json.Member{{Name: rpc.MetaLogLevel, Value: level}}
	}
	return t
}

// Progressed tells the caller of progress, under the token that he gave. He may have gone.
func (l line) Progressed(params json.Value) {
	params = l.shown(params)
	if x := l.now(); x != nil && x.progress != nil {
		_ = x.response.tell(rpc.Encode(0, rpc.MethodProgress, rpc.Replaced(params, "progressToken", x.progress)))
	}
}

// Logged tells the caller of a line of the server's log, if he wants such lines. Older versions get all of them, since they
// ask for a level only once in a session that we do not keep.
func (l line) Logged(params json.Value) {
	x := l.now()
	if x == nil || x.session != nil && !x.session.hears(rpc.TextIn(params, "level")) {
		return
	}
	if !x.modern() || x.meta.Get(rpc.MetaLogLevel).Kind() == '"' {
		_ = x.response.tell(rpc.Encode(0, rpc.MethodLogged, l.shown(params))) // He may have gone.
	}
}

// Elicited tells a legacy caller that what he was sent to a URL for is done. The newest version knows no such message: its
// callers make their request again.
func (l line) Elicited(params json.Value) {
	if l.x.session != nil {
		_ = l.x.response.tell(rpc.Encode(0, rpc.MethodElicited, l.shown(params))) // As above.
	}
}

// Ask has the stations judge what a server asks while it works for the caller, and asks him if he can be. His answer is a part of
// what they judge and record.
func (l line) Ask(ctx context.Context, method string, params json.Value) (json.Value, error) {
	q := question{method: method, params: l.shown(params)}
	ctx = upstream.WithAnswer(ctx, func(ctx context.Context) (json.Value, error) {
		if permitted, err := json.Object(l.x.permitted); err != nil || !permitted.Has(rpc.CapabilityFor(method)) {
			return nil, unasked(errNotOffered) // The stations permit it by now, and it was withheld when the call began.
		}
		if l.held != nil {
			answer, err := l.held.Ask(ctx, method, q.params)
			return answer, unasked(err)
		}
		leave, err := l.x.handler.occupy(l.x)
		if err != nil {
			return nil, err
		}
		defer leave()
		said, err := l.x.ask(ctx, q)
		if err == nil && said.Err != nil {
			err = signalbox.Errorf(signalbox.CodeCancelled, "The caller answered with an error: %s", said.Err.Message).
				WithRemedy("Nothing; the server goes on without an answer.")
		}
		return said.Result, unasked(err)
	})
	answer, err := l.x.handler.judgeQuestion(ctx, l.x, q)
	if err != nil {
		return nil, errors.New(signalbox.AsError(err).Message) // It is the server that reads it.
	}
	if l.task != nil {
		answer = rpc.RelatedTask(answer, l.task.content.Remote.ID)
	}
	return answer, nil
}

// unasked is the error of a question that gets no answer, in words that its record and the server may have.
func unasked(err error) error {
	var known *signalbox.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := "The question was given up: its call has ended."
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		text = "The question was given up: " + err.Error() + "."
	}
	return signalbox.Errorf(signalbox.CodeCancelled, "%s", text).WithRemedy("Nothing; the server goes on without an answer.").WithCause(err)
}

// clientCapabilities finds what a server may ask of the caller: what he has said that he can do, as far as the policy
// permits the server to ask for it. The rest is withheld.
func (h *Handler) clientCapabilities(who signalbox.Caller, x *exchange) {
	x.permitted, x.withheld = rpc.NoCapabilities, nil
	declared, err := x.declared().Object()
	if err != nil {
		return
	}
	var permitted, withheld rpc.Object
	for _, m := range declared.All() {
		method := rpc.MethodFor(m.Name)
		if method == "" || m.Value.Kind() != '{' {
			continue
		}
		if ok, _ := h.sees(who, x.call.Tool.Server, method, nil); ok {
			permitted.Add(m.Name, m.Value.Bytes())
		} else {
			withheld.Add(m.Name, m.Value.Bytes())
		}
	}
	x.permitted = permitted.Bytes()
	if !withheld.Empty() {
		x.withheld = withheld.Bytes()
	}
}

// ask asks the caller in the stream that answers his request, and waits for what he says.
func (x *exchange) ask(ctx context.Context, q question) (rpc.Message, error) {
	s := x.session
	if s == nil {
		return rpc.Message{}, errNobodyToAsk
	}
	id, answer, err := s.expect()
	if err != nil {
		return rpc.Message{}, err
	}
	defer s.forget(id)
	var o rpc.Object
	o.Text("jsonrpc", "2.0")
	o.Text("id", id)
	o.Text("method", q.method)
	o.Add("params", q.params)
	if err := x.response.tell(o.Bytes()); err != nil {
		return rpc.Message{}, err
	}
	patience := time.NewTimer(held.For)
	defer patience.Stop()
	select {
	case m := <-answer:
		return m, nil
	case <-s.ended:
		return rpc.Message{}, errNobodyToAsk
	case <-patience.C:
		err = fmt.Errorf("the caller has not answered within %s", held.For)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	_ = x.response.tell(rpc.Encode(0, rpc.MethodCancelled, fmt.Appendf(nil, `{"requestId":%q}`, id))) // He may have gone too.
	return rpc.Message{}, err
}

// askForInputs asks a legacy caller what a modern server wants to know, and gives the answers as that server expects them.
func (x *exchange) askForInputs(ctx context.Context, questions []question) (json.Value, error) {
	var o rpc.Object
	for _, q := range questions {
		said, err := x.ask(ctx, q)
		if err == nil && said.Err != nil {
			err = said.Err
		}
		if err != nil {
			return nil, signalbox.Errorf(signalbox.CodeInvalid, "The MCP server %q asked for input, and got none.", x.call.Tool.Server).
				WithField(q.method).WithRemedy("Answer what is asked, in a session whose client has declared that it can.").WithCause(err)
		}
		o.Add(q.key, said.Result)
	}
	return o.Bytes(), nil
}

var (
	errNobodyToAsk = errors.New("the caller can not be asked")
	errNotOffered  = errors.New("the server was not offered to ask this")
)
