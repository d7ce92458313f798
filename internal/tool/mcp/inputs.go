package mcp

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// MaxStateAge is how long a caller may take to give a server what it asked for.
const MaxStateAge = 15 * time.Minute

// MaxState bounds the state that a server has its caller keep, in bytes.
const MaxState = 64 << 10

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
		if err := h.judgeQuestion(ctx, x, q); err != nil {
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
	return h.sealState(who, x, result), nil
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
// answer. It is recorded, and refused unless the method is permitted.
func (h *Handler) judgeQuestion(ctx context.Context, x *exchange, q question) error {
	c := h.again(x.call)
	c.Tool = &signalbox.ToolRequest{Server: x.call.Tool.Server, Name: q.method, Arguments: q.params}
	c.Span = x.call.Span.Child()
	_, err := h.serve(ctx, call.NewTrack(c))
	return err
}

// SealStates sets the key that binds what callers give back for a server to who was asked, and about what. All replicas
// need the same one. Without this option the handler makes one, which dies with it.
func SealStates(key []byte) HandlerOption { return func(h *Handler) { h.stateKey = key } }

func newStateKey() []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return key
}

// sealState gives a result in which the server's state is ours: what it was, when, and a code that only we can make over
// it and over whose it is and what he asked for.
func (h *Handler) sealState(who signalbox.Caller, x *exchange, result json.Members) json.Value {
	at := strconv.FormatInt(h.servers.Now().UnixMilli(), 36)
	state := ""
	if own := result.Get("requestState"); own.Exists() {
		state = string(own.Bytes())
	}
	sealed := strings.Join([]string{at, base64.RawURLEncoding.EncodeToString([]byte(state)), h.stateCode(who, x, at, state)}, ".")
	var o rpc.Object
	for _, m := range result.All() {
		if m.Name != "requestState" {
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	o.Text("requestState", sealed)
	return o.Bytes()
}

// stateCode is the code over a state: of this caller, at this path, about this act.
func (h *Handler) stateCode(who signalbox.Caller, x *exchange, at, state string) string {
	mac := hmac.New(sha256.New, h.stateKey)
	t := x.call.Tool
	arguments, err := json.Canonical(t.Arguments)
	if err != nil {
		arguments = t.Arguments
	}
	for _, part := range []string{who.Tenant, who.Key, who.Agent, who.User, t.Server, t.Name, string(arguments), at, state} {
		mac.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		mac.Write([]byte(":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// openInputs reads what the caller gives to a server that has asked. Answers without a state of ours are answers to nobody
// and are left out: the server asks again. A state that is not ours, or not for him and for this, is refused.
func (h *Handler) openInputs(who signalbox.Caller, x *exchange) error {
	given := x.params.Get("requestState")
	if given.Null() {
		return nil
	}
	sealed, err := given.Text()
	if err != nil {
		return badState(err)
	}
	at, rest, _ := strings.Cut(sealed, ".")
	encoded, code, _ := strings.Cut(rest, ".")
	state, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(state) > MaxState || !hmac.Equal([]byte(code), []byte(h.stateCode(who, x, at, string(state)))) {
		return badState(errors.New("it is none that you were given for this"))
	}
	then, err := strconv.ParseInt(at, 36, 64)
	if err != nil || h.servers.Now().Sub(time.UnixMilli(then)) > MaxStateAge {
		return badState(errors.New("it is too old"))
	}
	if len(state) > 0 {
		x.inputs.state = state
	}
	if responses := x.params.Get("inputResponses"); responses.Kind() == '{' {
		x.inputs.responses = responses.Bytes()
	}
	return nil
}

func badState(err error) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The requestState is not valid: %s.", err).WithField("params.requestState").
		WithRemedy("Make the request again without it and without inputResponses.")
}
