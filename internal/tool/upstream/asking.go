package upstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// MaxOpen bounds the questions of a server that are open at once in one call.
const MaxOpen = 16

// asking is the context of a call in which its caller can be asked. It ends after a limit, which stands still while a question
// is open.
type asking struct {
	context.Context
	end context.CancelCauseFunc

	mu    sync.Mutex
	left  time.Duration // Of the limit, when the timer was started last.
	since time.Time     // When that was.
	timer *time.Timer
	late  bool
	open  map[string]context.CancelCauseFunc // Questions, by the server's ids.
	told  func()                             // Called before each question; nil: nobody wants to know.
}

type askingKey struct{}

// withLimit gives the context of a call that may take so long.
func withLimit(ctx context.Context, limit time.Duration, t *Terms) (context.Context, context.CancelFunc) {
	if string(t.Capabilities) == string(rpc.NoCapabilities) && t.Withheld == nil {
		return context.WithTimeout(ctx, limit)
	}
	a := &asking{left: limit, since: time.Now(), open: map[string]context.CancelCauseFunc{}}
	a.Context, a.end = context.WithCancelCause(ctx)
	a.mu.Lock() // The timer may be faster than its own assignment.
	a.timer = time.AfterFunc(limit, a.expire)
	a.mu.Unlock()
	return a, func() {
		a.timer.Stop()
		a.end(context.Canceled)
	}
}

// askingOf gives the questions of the call that a context belongs to; nil where its caller can not be asked.
func askingOf(ctx context.Context) *asking {
	a, _ := ctx.Value(askingKey{}).(*asking)
	return a
}

// Value gives the questions to whom has only a context derived from theirs.
func (a *asking) Value(key any) any {
	if key == (askingKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// Err tells the end of the limit from other ends.
func (a *asking) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.late {
		return context.DeadlineExceeded
	}
	return a.Context.Err()
}

func (a *asking) expire() {
	a.mu.Lock()
	late := len(a.open) == 0 && a.Context.Err() == nil // A question that came at the last moment stops the clock.
	a.late = a.late || late
	a.mu.Unlock()
	if late {
		a.end(context.DeadlineExceeded)
	}
}

var (
	errTooMany   = errors.New("too many questions are open in this call")
	errWithdrawn = errors.New("the server has withdrawn the question")
)

// begin begins a question, by the id that the server gave it; the function ends it.
func (a *asking) begin(ctx context.Context, id string) (context.Context, func(), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, twice := a.open[id]; twice || len(a.open) >= MaxOpen {
		return nil, nil, errTooMany
	}
	if len(a.open) == 0 {
		a.timer.Stop()
		a.left = max(a.left-time.Since(a.since), time.Millisecond)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	a.open[id] = cancel
	return ctx, func() {
		cancel(nil)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.open, id)
		if len(a.open) == 0 && a.Context.Err() == nil {
			a.since = time.Now()
			a.timer.Reset(a.left)
		}
	}, nil
}

// withdraw ends the question that a server's notification names.
func (a *asking) withdraw(params json.Value) {
	if a == nil {
		return
	}
	members, err := json.Object(params)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if cancel := a.open[string(members.Get("requestId").Bytes())]; cancel != nil {
		cancel(errWithdrawn)
	}
}

// answerOf gives the response to what a legacy server asks while it works for the caller of the context. Without one who can be
// asked, we know nothing but ping. What the policy keeps the server from asking he is not asked, and it is judged all the
// same: a server that asks what it was never offered is seen in the log.
func answerOf(ctx context.Context, m rpc.Message) []byte {
	c, a := callerOf(ctx), askingOf(ctx)
	capability := rpc.CapabilityFor(m.Method)
	if c == nil || a == nil || capability == "" {
		return rpc.Reply(m)
	}
	terms := c.Terms()
	ability := terms.ability(capability)
	if !ability.Exists() {
		return rpc.Reply(m)
	}
	params := m.Params
	if params == nil {
		params = json.Value("{}")
	}
	if m.Method == rpc.MethodElicit && !Elicits(ability, rpc.TextIn(params, "mode")) {
		return unanswered(m, rpc.CodeInvalidParams, "the caller has not declared this mode of elicitation")
	}
	result, err := a.ask(ctx, c, m, params)
	if err != nil {
		return unanswered(m, rpc.CodeNotAnswered, err.Error())
	}
	var o rpc.Object
	o.Text("jsonrpc", "2.0")
	o.Add("id", m.ID)
	o.Add("result", result)
	return o.Bytes()
}

// whenAsked has the function called before each question.
func (a *asking) whenAsked(f func()) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = f
}

func (a *asking) ask(ctx context.Context, c Caller, m rpc.Message, params json.Value) (json.Value, error) {
	a.mu.Lock()
	told := a.told
	a.mu.Unlock()
	if told != nil {
		told()
	}
	ctx, done, err := a.begin(ctx, string(m.ID))
	if err != nil {
		return nil, err
	}
	defer done()
	return c.Ask(ctx, m.Method, params)
}

func unanswered(m rpc.Message, code int64, why string) []byte {
	return (&rpc.Error{Code: code, Message: rpc.Clip(why), Data: json.Value("null")}).Response(m.ID)
}

// Elicits reports whether a capability covers a mode. One that names none is for forms.
func Elicits(capability json.Node, mode string) bool {
	if mode == "" {
		mode = "form"
	}
	modes, err := capability.Object()
	if err != nil {
		return false
	}
	return modes.Has(mode) || mode == "form" && !modes.Has("url")
}

type answerKey struct{}

// WithAnswer gives the context of an act by which a server asks its caller something: the answer is what the function gives.
// Without it the act is only judged, and has no answer.
func WithAnswer(ctx context.Context, answer func(context.Context) (json.Value, error)) context.Context {
	return context.WithValue(ctx, answerKey{}, answer)
}

// handOver carries out an act that is the caller's own: it asks him, where he can be asked now.
func handOver(ctx context.Context) (call.Upstream, error) {
	ask, ok := ctx.Value(answerKey{}).(func(context.Context) (json.Value, error))
	if !ok {
		return handedOver(), nil
	}
	data, err := ask(ctx)
	if err != nil {
		return nil, &call.AttemptError{Err: signalbox.AsError(err)}
	}
	text := string(data[:min(len(data), signalbox.MaxExcerpt)])
	return &result{data: data, report: call.Report{OutputBytes: int64(len(data)), Excerpt: text, Finish: rpc.TypeComplete}}, nil
}
