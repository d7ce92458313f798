package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// size is a number of rounds: many where there are hours.
func size(short, long int) int {
	if os.Getenv("SIGNALBOX_TEST_LONG") != "" {
		return long
	}
	return short
}

// quick are faults that need no time-out.
var quick = []string{
	refused, "reset-early", "fin-early", "reset-mid", "fin-mid", "fin-clean", "fin-last", "rate-seconds", "overloaded", "html-500",
	"malformed", "error-200", "error-first", "error-event", "usage-missing", "usage-negative",
}

// Everything at once: good calls, every quick fault, and callers who leave at any moment. Afterwards each call has one
// outcome, nothing runs, and what the views add up is what the records say, to the nano-dollar.
func TestStorm(t *testing.T) {
	b := start(t)
	const workers = 24
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for n := range size(20, 4000) {
				b.gust(t.Context(), t, random, fmt.Sprintf("storm-%d-%d", w, n))
			}
		})
	}
	wg.Wait()
	var o api.Overview
	harness.Eventually(t, func() error {
		b.Get(t, "/overview", nil, &o)
		var h api.Health
		b.Get(t, "/health", nil, &h)
		if o.Running > 0 || h.InFlight > 0 || h.Projections.LagRecords > 0 {
			return fmt.Errorf("%d calls run, %d are in flight, %d records are not projected", o.Running, h.InFlight, h.Projections.LagRecords)
		}
		return nil
	})
	b.Complete(t)
	b.addUp(t)
}

// gust makes one call of any kind; every fourth caller leaves.
func (b bench) gust(ctx context.Context, t *testing.T, random *rand.Rand, id string) {
	c := cell{
		fault: quick[random.IntN(len(quick))], client: []string{openAI, anthropic}[random.IntN(2)],
		backend: []string{openAI, anthropic}[random.IntN(2)], stream: random.IntN(2) == 0, fallback: random.IntN(2) == 0,
	}
	model := c.model()
	switch random.IntN(4) {
	case 0:
		model = "good-" + c.backend
	case 1:
		model = "long-" + c.backend
		c.stream = true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := http.DefaultClient.Do(b.request(ctx, c.client, model, c.stream, id))
	if err != nil {
		t.Errorf("%s: %v", model, err)
		return
	}
	defer response.Body.Close()
	most := int64(1 << 20)
	if model == "long-"+c.backend || random.IntN(4) == 0 {
		most = random.Int64N(2000) // Then the caller leaves.
	}
	io.CopyN(io.Discard, response.Body, most) // How it ends is the other tests' matter.
}

// addUp compares the rollups with the log.
func (b bench) addUp(t *testing.T) {
	t.Helper()
	var calls, input, output int64
	cost := signalbox.Money(0)
	for _, r := range b.Log(t) {
		if r.Type != signalbox.RecordOutcome {
			continue
		}
		calls++
		if u := r.What.Tokens; u != nil {
			input, output = input+u.Input, output+u.Output
		}
		if r.What.Cost != nil {
			cost = cost.Plus(*r.What.Cost)
		}
	}
	for _, by := range []string{"model", "tenant", "provider"} {
		var costs api.Costs
		b.Get(t, "/costs", url.Values{"by": {by}}, &costs)
		sum := api.CostFigures{}
		total := signalbox.Money(0)
		for _, row := range costs.Totals {
			sum.Calls, sum.InputTokens, sum.OutputTokens = sum.Calls+row.Calls, sum.InputTokens+row.InputTokens, sum.OutputTokens+row.OutputTokens
			m, err := signalbox.ParseMoney(row.Cost)
			if err != nil {
				t.Fatal(err)
			}
			total = total.Plus(m)
		}
		if sum.Calls != calls || sum.InputTokens != input || sum.OutputTokens != output || total != cost {
			t.Errorf("by %s: %d calls, %d tokens in, %d out, %s USD; the records have %d, %d, %d, %s",
				by, sum.Calls, sum.InputTokens, sum.OutputTokens, total, calls, input, output, cost)
		}
	}
	if calls == 0 || cost == 0 {
		t.Errorf("%d calls cost %s: nothing was compared", calls, cost)
	}
}
