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

// sendToURL hands on the error of a legacy server that wants its user to visit a URL before it is called again. A legacy caller
// gets the error, a modern one is asked. Each URL is a question of its own to the stations. All other errors stay as they are.
func (h *Handler) sendToURL(ctx context.Context, x *exchange, err error) (json.Value, error) {
	var fault *rpc.CodeError
	var said *rpc.Error
	if !errors.As(err, &fault) || fault.Code != rpc.CodeURLRequired || !errors.As(err, &said) {
		return nil, err
	}
	questions, bad := readElicitations(said.Data)
	if bad != nil {
		return nil, badQuestion(x.call.Tool.Server, bad)
	}
	if declared, bad := x.declared().Object(); bad != nil || !upstream.Elicits(declared.Get("elicitation"), "url") {
		return nil, missingCapability(json.Value(`{"elicitation":{"url":{}}}`))
	}
	for _, q := range questions {
		if _, err := h.judgeQuestion(ctx, x, question{method: q.Method, params: q.Params}); err != nil {
			return nil, err
		}
	}
	if !x.modern() {
		return nil, err
	}
	who, bad := h.who(x.call)
	if bad != nil {
		return nil, bad
	}
	return inputRequest(questions, h.seal(who, x, ofURL, "")), nil
}

// readElicitations reads the data of the error.
func readElicitations(data json.Value) ([]held.Question, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, err
	}
	members, err := root.Object()
	if err != nil {
		return nil, err
	}
	list, err := members.Get("elicitations").Array()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > upstream.MaxOpen {
		return nil, fmt.Errorf("1 to %d URLs are expected", upstream.MaxOpen)
	}
	var questions []held.Question
	for i, one := range list {
		if one.Kind() != '{' || rpc.TextIn(one.Bytes(), "mode") != "url" {
			return nil, errors.New("it is not about a URL")
		}
		questions = append(questions, held.Question{Key: fmt.Sprint("url", i+1), Method: rpc.MethodElicit, Params: one.Bytes()})
	}
	return questions, nil
}

// visited checks that the caller has consented to visit what he was sent to. The server is told nothing of it: it finds out by
// itself when it is called again.
func (x *exchange) visited() error {
	given, err := x.given()
	if err != nil {
		return err
	}
	for _, m := range given.All() {
		if err := checkAnswer(rpc.MethodElicit, m.Value); err != nil {
			return invalid("params.inputResponses."+m.Name, err)
		}
		if action := rpc.TextIn(m.Value.Bytes(), "action"); action != "accept" {
			return signalbox.Errorf(signalbox.CodeConflict, "The call is not made again: its user was sent to a URL, and did not consent.").
				WithField("params.inputResponses." + m.Name).WithRemedy("Make the call anew where the user wants it after all.")
		}
	}
	return nil
}
