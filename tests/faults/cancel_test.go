package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// A caller who goes away in the middle of a stream ends it at the provider long before its own end.
func TestCallerLeavesStream(t *testing.T) {
	b := start(t)
	t.Run("cells", func(t *testing.T) {
		for _, client := range []string{openAI, anthropic} {
			for _, backend := range []string{openAI, anthropic} {
				t.Run(client+"-to-"+backend, func(t *testing.T) {
					t.Parallel()
					b.leaveStream(t, client, backend)
				})
				t.Run(client+"-to-"+backend+"/unary", func(t *testing.T) {
					t.Parallel()
					b.leaveUnary(t, client, backend)
				})
			}
		}
	})
	b.Complete(t)
}

// eventsInASecond is how many events a long answer has in the time in which the provider must learn that nobody listens.
const eventsInASecond = int(time.Second / upstream.LongPace)

func (b bench) leaveStream(t *testing.T, client, backend string) {
	id := "leave." + client + "." + backend
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	response := b.open(ctx, t, client, "long-"+backend, true, id)
	defer response.Body.Close()
	lines, words := bufio.NewScanner(response.Body), 0
	for words < 10 && lines.Scan() {
		words += strings.Count(lines.Text(), "word ")
	}
	sent := b.up.Requests(id)[0].Events
	cancel()
	harness.Eventually(t, func() error { return leftBy(b.up.Requests(id)) })
	seen := b.up.Requests(id)[0]
	if more := seen.Events - sent; more > eventsInASecond || seen.Events >= upstream.LongEvents {
		t.Errorf("the provider sent %d more events, want at most those of a second, %d", more, eventsInASecond)
	}
	d := b.Call(t, response.Header.Get("X-Signalbox-Call"))
	if d.Outcome != signalbox.OutcomeCancelled || d.CostBasis == nil || *d.CostBasis != signalbox.BasisEstimated {
		t.Errorf("the outcome is %s, its usage %v", d.Outcome, d.CostBasis)
	}
	if d.OutputTokens == nil || *d.OutputTokens < int64(words) {
		t.Errorf("%v output tokens are counted, and the caller got %d", d.OutputTokens, words)
	}
}

func (b bench) leaveUnary(t *testing.T, client, backend string) {
	id := "leave-unary." + client + "." + backend
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		r := b.request(ctx, client, "silent-"+backend, false, id)
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			response.Body.Close()
		}
		gone <- err
	}()
	harness.Eventually(t, func() error {
		if len(b.up.Requests(id)) == 0 {
			return errors.New("the provider has not been asked")
		}
		return nil
	})
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("the call ended with %v", err)
	}
	harness.Eventually(t, func() error { return leftBy(b.up.Requests(id)) })
	harness.Eventually(t, func() error {
		for _, r := range b.Log(t) {
			if r.Context.RequestID == id && r.Outcome != nil {
				if *r.Outcome != signalbox.OutcomeCancelled || r.What.CostBasis != signalbox.BasisEstimated {
					t.Errorf("the outcome is %s, its usage %s", *r.Outcome, r.What.CostBasis)
				}
				return nil
			}
		}
		return errors.New("the call has no outcome")
	})
}

// leftBy: the provider knows that the client has gone.
func leftBy(seen []upstream.Request) error {
	if len(seen) != 1 || !seen[0].Left {
		return fmt.Errorf("the provider still answers: %d requests", len(seen))
	}
	return nil
}

func (b bench) request(ctx context.Context, client, model string, stream bool, id string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.URL+path(client), strings.NewReader(request(client, model, stream)))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+harness.Agent)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", id)
	return r
}

func (b bench) open(ctx context.Context, t *testing.T, client, model string, stream bool, id string) *http.Response {
	t.Helper()
	response, err := http.DefaultClient.Do(b.request(ctx, client, model, stream, id))
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status %d", response.StatusCode)
	}
	return response
}

// Whatever breaks, nothing of it stays behind in the process.
func TestNothingStaysBehind(t *testing.T) {
	b := start(t)
	quiet := func() float64 {
		b.up.Disconnect()
		harness.Disconnect()
		http.DefaultClient.CloseIdleConnections()
		return b.Metric(t, "go_goroutines")
	}
	round := func(t *testing.T) {
		for _, fault := range []string{"reset-mid", "fin-clean", "stall", "endless-line", "malformed", "no-headers", "usage-missing"} {
			for _, backend := range []string{openAI, anthropic} {
				t.Run(fault+"/"+backend, func(t *testing.T) {
					t.Parallel()
					c := cell{fault: fault, client: openAI, backend: backend, stream: true}
					b.Send(t, http.MethodPost, path(c.client), harness.Agent, request(c.client, c.model(), true))
				})
			}
		}
	}
	t.Run("warm", round)
	var before float64
	harness.Eventually(t, func() error { return settled(&before, quiet()) })
	for range size(3, 300) {
		t.Run("again", round)
	}
	const slack = 4 // Connections of the question itself.
	harness.Eventually(t, func() error {
		if now := quiet(); now > before+slack {
			return fmt.Errorf("%v goroutines, %v before", now, before)
		}
		return nil
	})
}

// settled keeps the figure and is content when it has stopped falling.
func settled(last *float64, now float64) error {
	before := *last
	*last = now
	if before != 0 && now >= before {
		return nil
	}
	time.Sleep(200 * time.Millisecond)
	return errors.New("still falling")
}
