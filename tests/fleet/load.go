package fleet

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// Ask is one model call that a test makes.
type Ask struct {
	Request   string // X-Request-Id, by which the provider's books and the log know the call; "" sends none.
	Key       string // "" is the agent's.
	Model     string // "" is "one".
	Prompt    string // What the provider is to do.
	MaxTokens int    // 0 leaves it out.
	Stream    bool
	Anthropic bool // Asks in Anthropic's format instead of OpenAI's.
	Run       string
	Agent     string
}

// Body gives the path and the body of the request.
func (a Ask) Body() (path, body string) {
	model, limit := a.Model, ""
	if model == "" {
		model = "one"
	}
	if a.MaxTokens > 0 {
		limit = fmt.Sprintf(`"max_tokens":%d,`, a.MaxTokens)
	}
	path = "/v1/chat/completions"
	if a.Anthropic {
		path = "/v1/messages"
	}
	return path, fmt.Sprintf(`{"model":%q,%s"stream":%t,"messages":[{"role":"user","content":%q}]}`, model, limit, a.Stream, a.Prompt)
}

// Header gives the headers of the request, in pairs.
func (a Ask) Header() (pairs []string) {
	for _, h := range [][2]string{{"X-Request-Id", a.Request}, {"X-Signalbox-Run", a.Run}, {"X-Signalbox-Agent", a.Agent}} {
		if h[1] != "" {
			pairs = append(pairs, h[0], h[1])
		}
	}
	return pairs
}

// Try makes the call at an instance.
func (a Ask) Try(i *harness.Instance) (harness.Answer, error) {
	path, body := a.Body()
	key := a.Key
	if key == "" {
		key = harness.Agent
	}
	return i.TrySend(http.MethodPost, path, key, body, a.Header()...)
}

// Send makes the call at an instance, which must answer.
func (a Ask) Send(t testing.TB, i *harness.Instance) harness.Answer {
	t.Helper()
	answer, err := a.Try(i)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Ask makes the call at the next process, which must answer.
func (f *Fleet) Ask(t testing.TB, a Ask) harness.Answer {
	t.Helper()
	return a.Send(t, f.Next())
}

// whole reports whether the answer came to its end.
func (a Ask) whole(answer harness.Answer) bool {
	end := "data: [DONE]"
	if a.Anthropic {
		end = "event: message_stop"
	}
	return answer.Broken == nil && answer.Status == http.StatusOK && (!a.Stream || strings.Contains(answer.Body, end))
}

// acknowledged is what a caller was told of a call.
type acknowledged struct{ call, cost string }

// Load is what callers saw. It is safe for concurrent use.
type Load struct {
	mu     sync.Mutex
	whole  []acknowledged
	Cut    atomic.Int64 // Answers that broke, and connections that did.
	Others atomic.Int64 // Errors that were told.
}

// Acknowledged is how many whole answers there were.
func (l *Load) Acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.whole)
}

// Run makes calls from n goroutines until ctx ends: each goroutine one after the other, at one process after another.
func (l *Load) Run(ctx context.Context, f *Fleet, n int, next func(client, call int) Ask) {
	var all sync.WaitGroup
	for client := range n {
		all.Go(func() {
			for call := 0; ctx.Err() == nil; call++ {
				l.One(f.Next(), next(client, call))
			}
		})
	}
	all.Wait()
}

// One makes one call and notes what came of it.
func (l *Load) One(i *harness.Instance, a Ask) {
	answer, err := a.Try(i)
	switch {
	case err != nil || answer.Broken != nil:
		l.Cut.Add(1)
	case !a.whole(answer):
		l.Others.Add(1)
	default:
		cost := answer.Header.Get("X-Signalbox-Cost-Usd")
		if a.Stream {
			cost = answer.Trailer.Get("X-Signalbox-Cost-Usd")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.whole = append(l.whole, acknowledged{answer.Header.Get("X-Signalbox-Call"), cost})
	}
}

// Check finds every acknowledged call among the outcomes of the log, with the cost that its caller was told.
func (l *Load) Check(t testing.TB, outcomes map[string]signalbox.Record) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.whole {
		r, found := outcomes[a.call]
		switch {
		case !found:
			t.Errorf("call %s was acknowledged and has no outcome", a.call)
		case r.Outcome != signalbox.OutcomeOK:
			t.Errorf("call %s was acknowledged and is recorded as %s", a.call, r.Outcome)
		case r.What.Cost == nil || r.What.Cost.String() != a.cost:
			t.Errorf("call %s: the caller was told %s, the record says %v", a.call, a.cost, r.What.Cost)
		}
	}
}
