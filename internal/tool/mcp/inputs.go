package mcp

import (
	"context"
	"errors"
	"fmt"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// inputs are what a caller gives to a server that has asked for it.
type inputs struct {
	responses json.Value // nil: none.
	state     json.Value // What the server said to be given back; nil: nothing.
}

// askCaller hands on what a server asks of its caller before it goes on. Each question is an act of its own, which the
// stations judge; the state that the caller is to give back is bound to him and to what he asked for.
func (h *Handler) askCaller(ctx context.Context, x *exchange, data json.Value) (json.Value, error) {
	questions, result, err := readQuestions(data)
	if err != nil {
		return nil, badQuestion(x.call.Tool.Server, err)
	}
	for _, q := range questions {
		if err := askable(x, q); err != nil {
			return nil, err
		}
		if _, err := h.judgeQuestion(ctx, x, q); err != nil {
			return nil, err
		}
	}
	if !x.modern() {
		return h.goOn(ctx, x, questions, result)
	}
	who, err := h.who(x.call)
	if err != nil {
		return nil, err
	}
	var own string
	if state := result.Get("requestState"); state.Exists() {
		own = string(state.Bytes())
	}
	var o rpc.Object
	for _, m := range result.All() {
		if m.Name != "requestState" {
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	o.Text("requestState", h.seal(who, x, ofServer, own))
	return o.Bytes(), nil
}

// askable checks that a question is one that the caller has said that he can answer.
func askable(x *exchange, q question) error {
	capability := rpc.CapabilityFor(q.method)
	if capability == "" {
		return badQuestion(x.call.Tool.Server, errors.New("the method is none that a caller can be asked"))
	}
	if declared, err := x.declared().Object(); err != nil || declared.Get(capability).Kind() != '{' {
		return missingCapability(json.Value(`{"` + capability + `":{}}`))
	}
	return nil
}

// MaxRounds bounds how often a server asks a legacy caller before it answers his request.
const MaxRounds = 8

// goOn asks a legacy caller in his session, and makes the request again with what he says, as a call of its own.
func (h *Handler) goOn(ctx context.Context, x *exchange, questions []question, result json.Members) (json.Value, error) {
	if x.rounds++; x.rounds > MaxRounds {
		return nil, badQuestion(x.call.Tool.Server, fmt.Errorf("it has asked more than %d times", MaxRounds))
	}
	responses, err := x.askForInputs(ctx, questions)
	if err != nil {
		return nil, err
	}
	x.inputs = inputs{responses: responses}
	if state := result.Get("requestState"); state.Exists() {
		x.inputs.state = state.Bytes()
	}
	x.call = h.again(x.call)
	tool := *x.call.Tool
	tool.Inputs, x.call.Tool = responses, &tool
	return h.finish(ctx, x)
}

func badQuestion(server string, err error) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q asks for input in a way that is none: %s.", server, err).
		WithRemedy("Check the server; the tool may have acted.").WithCause(err)
}

// question is what a server asks of its caller.
type question struct {
	key    string // By which a modern server knows the answer.
	method string
	params json.Value
}

// readQuestions reads a result that asks for input.
func readQuestions(data json.Value) ([]question, json.Members, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, json.Members{}, err
	}
	result, err := root.Object()
	if err != nil {
		return nil, result, err
	}
	requests := result.Get("inputRequests")
	if requests.Null() {
		return nil, result, nil
	}
	all, err := requests.Object()
	if err != nil {
		return nil, result, err
	}
	var questions []question
	for _, m := range all.All() {
		request, err := m.Value.Object()
		if err != nil {
			return nil, result, err
		}
		q := question{key: m.Name, params: json.Value("{}")}
		if q.method, err = request.Get("method").Text(); err != nil {
			return nil, result, err
		}
		if params := request.Get("params"); params.Kind() == '{' {
			q.params = params.Bytes()
		}
		questions = append(questions, q)
	}
	return questions, result, nil
}

// judgeQuestion has the stations judge what a server asks of its caller, as an act of the caller's: it is he who would
// answer. It is recorded, and refused unless the method is permitted. Where the context can ask him at once, the result is what he
// answers, and a part of the act.
func (h *Handler) judgeQuestion(ctx context.Context, x *exchange, q question) (json.Value, error) {
	c := h.again(x.call)
	c.Tool, c.IdempotencyKey = &signalbox.ToolRequest{Server: x.call.Tool.Server, Name: q.method, Arguments: q.params}, ""
	c.Span = x.call.Span.Child()
	return h.serve(ctx, call.NewTrack(c))
}
