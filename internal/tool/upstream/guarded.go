package upstream

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/mirror"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// guardedCaller is a caller who hears only what the guard lets pass, and whose answers the server gets only so.
type guardedCaller struct {
	Caller
	beside call.Beside
}

// withGuard gives the context of a call whose caller is guarded, and that caller; nil where there is none.
func withGuard(ctx context.Context, t *call.Track) (context.Context, Caller) {
	c := callerOf(ctx)
	if c == nil || t.Guard.Beside == nil {
		return ctx, c
	}
	c = guardedCaller{c, t.Guard.Beside}
	return WithCaller(ctx, c), c
}

// Progressed tells of progress. What does not pass is not told: it is no part of the answer. The token is ours.
func (g guardedCaller) Progressed(params json.Value) {
	members, err := rpc.Members(params)
	if err != nil {
		return
	}
	passes, err := g.beside.ToCaller(rpc.Without(members, "progressToken"))
	if err != nil {
		return
	}
	rest, err := rpc.Members(passes)
	if err != nil {
		return
	}
	var o rpc.Object
	if token := members.Get("progressToken"); token.Exists() {
		o.Add("progressToken", token.Bytes())
	}
	for _, m := range rest.All() {
		o.Add(m.Name, m.Value.Bytes())
	}
	g.Caller.Progressed(o.Bytes())
}

// Logged tells of a line of the log, if it passes.
func (g guardedCaller) Logged(params json.Value) {
	if passes, err := g.beside.ToCaller(params); err == nil {
		g.Caller.Logged(passes)
	}
}

// Elicited tells that something is done, if word of it passes.
func (g guardedCaller) Elicited(params json.Value) {
	if passes, err := g.beside.ToCaller(params); err == nil {
		g.Caller.Elicited(passes)
	}
}

// Ask asks what passes, and gives what passes of the answer.
func (g guardedCaller) Ask(ctx context.Context, method string, params json.Value) (json.Value, error) {
	question, err := g.beside.ToCaller(params)
	if err != nil {
		return nil, err
	}
	answer, err := g.Caller.Ask(ctx, method, question)
	if err != nil {
		return nil, err
	}
	return g.beside.ToServer(answer)
}

// guardTerms leaves of what goes along with a call, the caller's own _meta and his answers to questions, what the guard lets
// pass.
func guardTerms(t *call.Track, meta []json.Member, terms *Terms) ([]json.Member, error) {
	beside := t.Guard.Beside
	if beside == nil {
		return meta, nil
	}
	if terms.Responses != nil {
		passes, err := beside.ToServer(terms.Responses)
		if err != nil {
			return nil, err
		}
		terms.Responses = passes
	}
	if err := guardHeaders(beside, terms); err != nil {
		return nil, err
	}
	if len(meta) == 0 {
		return meta, nil
	}
	var o rpc.Object
	for _, m := range meta {
		o.Add(m.Name, m.Value.Bytes())
	}
	passes, err := beside.ToServer(o.Bytes())
	if err != nil {
		return nil, err
	}
	root, err := json.Parse(passes, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, err
	}
	members, err := root.Object()
	return members.All(), err
}

// guardHeaders leaves out the headers of a caller of which something is masked: nobody knows what they repeat, so that
// nobody could tell whether what is left still does.
func guardHeaders(beside call.Beside, terms *Terms) error {
	own := http.Header{}
	for name, values := range terms.Headers {
		passes, err := headerPasses(beside, name, values)
		if err != nil {
			return err
		}
		if passes {
			own[name] = values
		}
	}
	if terms.Headers != nil {
		terms.Headers = own
	}
	return nil
}

// guardSpan leaves out what a caller says in his trace of which something is masked.
func guardSpan(t *call.Track, span signalbox.Span) (signalbox.Span, error) {
	if t.Guard.Beside == nil {
		return span, nil
	}
	for _, said := range []*string{&span.State, &span.Baggage} {
		quoted := json.Quote(*said)
		passed, err := t.Guard.Beside.ToServer(quoted)
		if err != nil {
			return span, err
		}
		if !bytes.Equal(passed, quoted) {
			*said = ""
		}
	}
	return span, nil
}

// headerPasses reports whether a header passes as it is, in the text that it stands for. It is looked at like the argument
// that it may repeat: the name can be what tells that the text is a secret.
func headerPasses(beside call.Beside, name string, values []string) (bool, error) {
	for _, v := range values {
		text, _ := mirror.Decode(v)
		var argument rpc.Object
		argument.Text(strings.TrimPrefix(name, mirror.Prefix), text)
		passed, err := beside.ToServer(argument.Bytes())
		if err != nil || !bytes.Equal(passed, argument.Bytes()) {
			return false, err
		}
	}
	return true, nil
}

// guardedError is the error of an attempt, as far as the guard lets it pass.
func (u *Server) guardedError(ctx context.Context, t *call.Track, err error) *call.AttemptError {
	shown, blocked := guardError(t, err)
	failed := u.attemptError(ctx, shown)
	if blocked != nil {
		failed.Err = signalbox.AsError(blocked)
	}
	return failed
}

// guardError gives what the caller may read of an error that the server answered with: its message and its data. Blocked
// is the error that he reads instead, where he may read nothing of it.
func guardError(t *call.Track, err error) (shown, blocked error) {
	var answered *rpc.Error
	if t.Guard.Beside == nil || !errors.As(err, &answered) {
		return err, nil
	}
	own := *answered
	message, blocked := t.Guard.Beside.ToCaller(json.Quote(own.Message))
	if blocked == nil && own.Data != nil {
		own.Data, blocked = t.Guard.Beside.ToCaller(own.Data)
	}
	if blocked == nil {
		blocked = json.Unmarshal(message, &own.Message)
	}
	if blocked != nil {
		return err, blocked
	}
	return &own, nil
}
