package mcp

import (
	"context"
	"errors"
	"fmt"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/held"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// Held keeps the calls of modern callers open whose legacy servers ask something meanwhile. All handlers of a process share it.
type Held = held.Calls[exchange]

// NewHeld makes what keeps calls open. Who makes it closes it.
func NewHeld() *Held { return held.New[exchange]() }

// HoldCalls lets legacy servers ask modern callers. Without this option such a caller is asked nothing while a server works for
// him.
func HoldCalls(calls *Held) HandlerOption { return func(h *Handler) { h.held = calls } }

// mayBeHeld reports whether the server could ask the caller something while it works for him.
func (h *Handler) mayBeHeld(x *exchange) bool {
	return h.held != nil && x.modern() && string(x.permitted) != string(rpc.NoCapabilities)
}

// hold has an act served in a goroutine of its own, which can outlive the request.
func (h *Handler) hold(ctx context.Context, x *exchange) (json.Value, error) {
	c := h.held.Begin(ctx, h.ownerOf(x), x, func(ctx context.Context, c *held.Call[exchange]) (data json.Value, err error) {
		defer func() {
			if p := recover(); p != nil {
				h.logger.ErrorContext(ctx, "a call panicked", "call", x.call.ID, "panic", p)
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		return h.finish(upstream.WithCaller(ctx, line{x: x, held: c}), x)
	})
	return h.follow(ctx, x, c)
}

// ownerOf says whose a call is, and what it uses while it waits.
func (h *Handler) ownerOf(x *exchange) held.Owner {
	o := held.Owner{Tenant: x.call.Caller.Tenant, Key: x.call.Caller.Key, Server: x.call.Tool.Server}
	if u, err := h.servers.Current().Find(o.Server); err == nil {
		o.Places = u.MaxCalls
	}
	return o
}

// occupy takes the place of a held call for one whose caller waits for people or for a task, and keeps the server busy: callers of
// one era may not fill it with that any more than those of the other one.
func (h *Handler) occupy(x *exchange) (leave func(), err error) {
	if h.held == nil {
		return func() {}, nil
	}
	return h.held.Occupy(h.ownerOf(x), x.call.ID)
}

// resume takes up a call that was held, with what its caller answers.
func (h *Handler) resume(ctx context.Context, x *exchange) (json.Value, error) {
	err := errNotHeld()
	var c *held.Call[exchange]
	if h.held != nil {
		c, err = h.held.Resume(x.ticket, func(open []held.Question) (map[string]json.Value, error) { return x.answers(open) })
	}
	if err != nil {
		x.call.Invalid = signalbox.AsError(err)
		return nil, h.refuse(ctx, x.call)
	}
	return h.follow(ctx, x, c)
}

func errNotHeld() error {
	return signalbox.Errorf(signalbox.CodeConflict, "No calls are held open here.").WithField("params.requestState").
		WithRemedy("Make the request again without requestState and inputResponses to begin anew.")
}

// follow waits for the end of a call, or for questions to its caller. The answer is that call's, whichever request it goes to.
func (h *Handler) follow(ctx context.Context, x *exchange, c *held.Call[exchange]) (json.Value, error) {
	turn := c.Wait(ctx, x)
	first := c.First()
	if turn.Questions != nil {
		x.response.headline(&headline{call: first.call.ID})
		return h.inputRequired(x, turn)
	}
	if x != first {
		of := *first.call
		of.RequestID, x.call = x.call.RequestID, &of
		x.response.headline(first.response.saying())
	}
	return turn.Data, turn.Err
}

// inputRequired asks a modern caller, who makes his request again with the answers.
func (h *Handler) inputRequired(x *exchange, turn held.Turn) (json.Value, error) {
	who, err := h.who(x.call)
	if err != nil {
		return nil, err
	}
	return inputRequest(turn.Questions, h.seal(who, x, ofHeld, turn.Ticket)), nil
}

// inputRequest writes a result that asks.
func inputRequest(questions []held.Question, state string) json.Value {
	var all, o rpc.Object
	for _, q := range questions {
		var one rpc.Object
		one.Text("method", q.Method)
		one.Add("params", q.Params)
		all.Add(q.Key, one.Bytes())
	}
	o.Text("resultType", rpc.TypeInputRequired)
	o.Add("inputRequests", all.Bytes())
	o.Text("requestState", state)
	return o.Bytes()
}

// answers finds the answers to open questions among those that the caller gives. The error names the one that is none.
func (x *exchange) answers(open []held.Question) (map[string]json.Value, error) {
	given, err := x.given()
	if err != nil {
		return nil, err
	}
	all := map[string]json.Value{}
	for _, q := range open {
		answer := given.Get(q.Key)
		if answer.Null() {
			continue
		}
		if err := checkAnswer(q.Method, answer); err != nil {
			return nil, invalid("params.inputResponses."+q.Key, err)
		}
		all[q.Key] = answer.Bytes()
	}
	return all, nil
}

// given gives the answers of a message.
func (x *exchange) given() (json.Members, error) {
	responses := x.params.Get("inputResponses")
	if responses.Null() {
		return json.Members{}, nil
	}
	members, err := responses.Object()
	if err != nil {
		return members, invalid("params.inputResponses", err)
	}
	return members, nil
}

// checkAnswer checks that an answer is one to a question of that method. What is asked for in it is between server and caller.
func checkAnswer(method string, answer json.Node) error {
	members, err := answer.Object()
	if err != nil {
		return err
	}
	switch method {
	case rpc.MethodElicit:
		switch action, _ := members.Get("action").Text(); action {
		case "accept", "decline", "cancel":
		default:
			return errors.New(`"accept", "decline" or "cancel" is expected as the action`)
		}
		if content := members.Get("content"); !content.Null() && content.Kind() != '{' {
			return errors.New("an object is expected as the content")
		}
	case rpc.MethodSample:
		if members.Get("role").Kind() != '"' || members.Get("model").Kind() != '"' || members.Get("content").Null() {
			return errors.New("a message with role, content and model is expected")
		}
	case rpc.MethodRoots:
		if _, err := members.Get("roots").Array(); err != nil {
			return errors.New("a list of roots is expected")
		}
	}
	return nil
}
