package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// someone is a caller who can be asked for forms, and takes his time.
type someone struct {
	capabilities string
	takes        time.Duration
}

func (s someone) Terms() Terms        { return Terms{Capabilities: json.Value(s.capabilities)} }
func (someone) Progressed(json.Value) {}
func (someone) Logged(json.Value)     {}
func (someone) Elicited(json.Value)   {}

func (someone) Tasked(signalbox.ServerTask, time.Duration) {}

func (s someone) Ask(ctx context.Context, method string, _ json.Value) (json.Value, error) {
	select {
	case <-time.After(s.takes):
		return json.Value(`{"said":"` + method + `"}`), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// working gives the context of a call of his.
func (s someone) working(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	terms := s.Terms()
	return withLimit(WithCaller(ctx, s), limit, &terms)
}

func ask(id int, method, params string) rpc.Message {
	return rpc.Message{ID: json.Value(fmt.Sprint(id)), Method: method, Params: json.Value(params)}
}

func TestTheLimitStandsStillWhileACallerIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := someone{`{"elicitation":{}}`, time.Hour}
		ctx, cancel := s.working(t.Context(), time.Minute)
		defer cancel()
		inner, stop := context.WithCancel(ctx)
		defer stop()
		for range 3 {
			time.Sleep(15 * time.Second)
			if got := string(answerOf(inner, ask(1, rpc.MethodElicit, "{}"))); got != `{"jsonrpc":"2.0","id":1,"result":{"said":"elicitation/create"}}` {
				t.Errorf("got %s", got)
			}
		}
		time.Sleep(15*time.Second - time.Nanosecond)
		if ctx.Err() != nil || inner.Err() != nil {
			t.Error("it ended too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(inner), context.DeadlineExceeded) {
			t.Errorf("got %v and %v", ctx.Err(), context.Cause(inner))
		}
	})
}

func TestACallEndsBeforeItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := someone{`{"elicitation":{}}`, time.Hour}
		ctx, cancel := s.working(t.Context(), time.Minute)
		time.AfterFunc(time.Second, cancel)
		if got := string(answerOf(ctx, ask(1, rpc.MethodElicit, "{}"))); !strings.Contains(got, `"code":-1`) {
			t.Errorf("got %s", got)
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("got %v", ctx.Err())
		}
	})
}

func TestQuestionsOfACallAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := someone{`{"elicitation":{}}`, time.Hour}
		ctx, cancel := s.working(t.Context(), time.Minute)
		defer cancel()
		answers := make(chan string, MaxOpen+2)
		for i := range MaxOpen {
			go func() { answers <- string(answerOf(ctx, ask(i, rpc.MethodElicit, "{}"))) }()
		}
		synctest.Wait()
		for _, id := range []int{3, MaxOpen} { // One that is open, and one too many.
			if got := string(answerOf(ctx, ask(id, rpc.MethodElicit, "{}"))); !strings.Contains(got, "too many") {
				t.Errorf("got %s", got)
			}
		}
		askingOf(ctx).withdraw(json.Value(`{"requestId":7}`))
		askingOf(ctx).withdraw(json.Value(`{"requestId":99}`))
		askingOf(ctx).withdraw(json.Value(`7`))
		if got := <-answers; !strings.Contains(got, `"id":7`) || !strings.Contains(got, "withdrawn") {
			t.Errorf("got %s", got)
		}
		for range MaxOpen - 1 {
			if got := <-answers; !strings.Contains(got, "said") {
				t.Errorf("got %s", got)
			}
		}
	})
}

func TestWhoCanNotBeAsked(t *testing.T) {
	for name, c := range map[string]struct{ capabilities, method, params, want string }{
		"has said nothing":       {`{}`, rpc.MethodElicit, `{}`, "-32601"},
		"knows other things":     {`{"sampling":{}}`, rpc.MethodElicit, `{}`, "-32601"},
		"another method":         {`{"elicitation":{}}`, "tools/list", `{}`, "-32601"},
		"a ping":                 {`{"elicitation":{}}`, rpc.MethodPing, `{}`, `"result":{}`},
		"no mode":                {`{"elicitation":{}}`, rpc.MethodElicit, `{}`, "said"},
		"forms":                  {`{"elicitation":{"form":{}}}`, rpc.MethodElicit, `{"mode":"form"}`, "said"},
		"forms, and not URLs":    {`{"elicitation":{"form":{}}}`, rpc.MethodElicit, `{"mode":"url"}`, "-32602"},
		"nothing, and not URLs":  {`{"elicitation":{}}`, rpc.MethodElicit, `{"mode":"url"}`, "-32602"},
		"URLs":                   {`{"elicitation":{"url":{}}}`, rpc.MethodElicit, `{"mode":"url"}`, "said"},
		"URLs, and not forms":    {`{"elicitation":{"url":{}}}`, rpc.MethodElicit, `{}`, "-32602"},
		"a mode that nobody has": {`{"elicitation":{"url":{},"form":{}}}`, rpc.MethodElicit, `{"mode":"dance"}`, "-32602"},
	} {
		t.Run(name, func(t *testing.T) {
			s := someone{capabilities: c.capabilities}
			ctx, cancel := s.working(t.Context(), time.Minute)
			defer cancel()
			if got := string(answerOf(ctx, ask(1, c.method, c.params))); !strings.Contains(got, c.want) {
				t.Errorf("got %s", got)
			}
		})
	}
	if got := string(answerOf(t.Context(), ask(1, rpc.MethodElicit, `{}`))); !strings.Contains(got, "-32601") {
		t.Errorf("nobody was asked: %s", got)
	}
}

// A call that is let through to see whether the server works shows that by a question of the server's. Nobody waits until it is
// answered, and what becomes of the call then is an end like others.
func TestAProbeThatAsksIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &Server{Config: Config{ID: "books"}, now: time.Now, logger: slog.New(slog.DiscardHandler), life: t.Context()}
		u.calls = breaker.Breaker{Rules: breaker.Rules{Failures: 2, Pause: time.Second, MaxPause: time.Second}}
		u.calls.Fail(time.Now())
		u.calls.Fail(time.Now())
		time.Sleep(time.Second)
		ctx, cancel := someone{`{"elicitation":{}}`, time.Minute}.working(t.Context(), time.Hour)
		defer cancel()
		broken, good := errors.New("broken"), func() (string, error) { return "good", nil }
		_, err := passing(ctx, u, func() (string, error) {
			if _, err := passing(t.Context(), u, good); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
				t.Errorf("two probes at once: %v", err)
			}
			asked := make(chan string)
			go func() { asked <- string(answerOf(ctx, ask(1, rpc.MethodElicit, "{}"))) }()
			synctest.Wait()
			if got, err := passing(t.Context(), u, good); got != "good" || err != nil {
				t.Errorf("while it asks: got %q, %v", got, err)
			}
			<-asked
			return "", broken
		})
		if !errors.Is(err, broken) || u.calls.Row() != 1 || u.calls.State(time.Now()) != breaker.Closed {
			t.Errorf("it ended with %v, and there are %d failures", err, u.calls.Row())
		}
	})
}
