package guard

import (
	"context"
	"errors"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Options are what the station works with.
type Options struct {
	// Rules gives those for a tool; nil: nobody looks.
	Rules func(server, tool string) *Rules
	// Same reports whether a call with other arguments acts on what the policy has permitted this call to act on.
	Same func(t *call.Track, arguments []byte) bool
}

// questions are what servers ask their callers. They are looked at with the answer of the call that they come with, or
// beside it: the calls by which the stations judge them carry nothing.
var questions = []string{"sampling/createMessage", "elicitation/create", "roots/list"}

// Station looks at what goes to tool servers and at what they answer, after the policy has decided about what was asked, and
// before anybody is asked to approve: what he sees is what leaves. It refuses with blocked. A panic means no.
func Station(o Options) call.Station {
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			if t.Call.Kind != signalbox.KindTool || t.Call.Tool == nil || slices.Contains(questions, t.Call.Tool.Name) {
				return next.Serve(ctx, t)
			}
			rules := o.Rules(t.Call.Tool.Server, t.Call.Tool.Name)
			if rules == nil {
				return next.Serve(ctx, t)
			}
			v := &visit{rules: rules, server: t.Call.Tool.Server}
			t.Guard.Beside = v
			if err := o.enter(t, v); err != nil {
				return nil, err
			}
			answer, err := next.Serve(ctx, t)
			if err != nil {
				v.passed(t, err)
				return nil, err
			}
			return &guardedAnswer{Answer: answer, track: t, visit: v}, nil
		})
	}
}

// enter looks at the arguments, and notes what is to be sent in their place.
func (o Options) enter(t *call.Track, v *visit) error {
	if v.rules.arguments == signalbox.GuardOff {
		return nil
	}
	passes, done, err := v.arguments(t.Call.Tool.Arguments, func(arguments []byte) bool { return o.Same(t, arguments) })
	if err == nil && v.rules.arguments == signalbox.GuardMask && len(done.edits) > 0 {
		t.Guard.Arguments = passes
	}
	v.end(t, outward, err)
	return err
}

// end notes what came of a look in a direction.
func (*visit) end(t *call.Track, d direction, err error) {
	status := signalbox.StatusPassed
	switch signalbox.CodeOf(err) { //nolint:exhaustive // There are no others.
	case signalbox.CodeBlocked:
		status = signalbox.StatusDenied
	case signalbox.CodeInternal:
		status = signalbox.StatusFailed
	}
	if d == outward {
		t.Guard.Input = status
		return
	}
	t.Guard.Output = status
}

// passed notes what came of a call that has failed: what was said beside was looked at all the same, and may be the reason.
func (v *visit) passed(t *call.Track, err error) {
	var b blocked
	switch {
	case errors.As(err, &b):
		v.end(t, b.direction, err)
	case v.seen(inward):
		v.end(t, inward, nil)
	}
}

// guardedAnswer looks at the answer, which is one part.
type guardedAnswer struct {
	call.Answer
	track *call.Track
	visit *visit
}

// Next gives the answer as it may be seen.
func (a *guardedAnswer) Next(ctx context.Context) (call.Part, error) {
	part, err := a.Answer.Next(ctx)
	switch {
	case err != nil:
		a.visit.passed(a.track, err)
		return part, err
	case a.visit.rules.results == signalbox.GuardOff:
		return part, nil
	case part.Terminal:
		part.Data, _, err = a.visit.look(inward, signalbox.GuardResult, part.Data)
	default:
		err = failed(errors.New("the answer of a tool came in parts"))
	}
	a.visit.end(a.track, inward, err)
	if err != nil {
		return call.Part{}, err
	}
	return part, nil
}
