package mcp

import (
	"context"
	"errors"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// line is the caller of an exchange, as the server of his call knows him.
type line struct{ x *exchange }

// Terms gives what goes to the server with the call.
func (l line) Terms() upstream.Terms {
	x := l.x
	t := upstream.Terms{
		Capabilities: x.permitted, Progress: x.progress != nil, Responses: x.inputs.responses, State: x.inputs.state,
		Tasks: x.tasks && x.modern(),
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
	_ = l.x.response.tell(rpc.Encode(0, rpc.MethodProgress, rpc.Replaced(params, "progressToken", l.x.progress)))
}

// Logged tells the caller of a line of the server's log, if he wants such lines. Older versions get all of them, since they
// ask for a level only once in a session that we do not keep.
func (l line) Logged(params json.Value) {
	x := l.x
	if x.session != nil && !x.session.hears(rpc.TextIn(params, "level")) {
		return
	}
	if !x.modern() || x.meta.Get(rpc.MetaLogLevel).Kind() == '"' {
		_ = x.response.tell(rpc.Encode(0, rpc.MethodLogged, params)) // He may have gone.
	}
}

// Ask has the stations judge what a server asks while it works for the caller, and asks him if he can be.
func (l line) Ask(ctx context.Context, method string, params json.Value) (json.Value, error) {
	x, q := l.x, question{method: method, params: params}
	if err := x.handler.judgeQuestion(ctx, x, q); err != nil {
		return nil, errors.New(signalbox.AsError(err).Message) // It is the server that reads it.
	}
	said, err := x.ask(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case said.Err != nil:
		return nil, errors.New(said.Err.Message)
	}
	return said.Result, nil
}

// clientCapabilities are what a server may ask of the caller: what he has said that he can do, as far as the policy
// permits the server to ask for it.
func (h *Handler) clientCapabilities(who signalbox.Caller, x *exchange) json.Value {
	var o rpc.Object
	declared, err := x.declared().Object()
	if err != nil {
		return json.Value("{}")
	}
	for _, m := range declared.All() {
		method := rpc.MethodFor(m.Name)
		if method == "" || m.Value.Kind() != '{' {
			continue
		}
		if ok, _ := h.sees(who, x.call.Tool.Server, method, nil); ok {
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	return o.Bytes()
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
	select {
	case m := <-answer:
		return m, nil
	case <-s.ended:
		return rpc.Message{}, errNobodyToAsk
	case <-ctx.Done():
		return rpc.Message{}, context.Cause(ctx)
	}
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

var errNobodyToAsk = errors.New("the caller can not be asked")
