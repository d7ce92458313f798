package starvation

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// A budget of which nothing is spent takes a call whose worst case fits, however large its max_tokens is.
func TestAnUnspentBudgetRefusesNothingThatFits(t *testing.T) {
	f, p := one(t, usd("day", 25*signalbox.Dollar), "200ms")
	for n := range 20 {
		a := f.Ask(t, fleet.Ask{Model: "cheap", MaxTokens: 500_000, Prompt: fmt.Sprintf("in=1 out=%d", n), Request: fmt.Sprintf("big-%d", n)})
		if a.Status != http.StatusOK {
			t.Fatalf("call %d with a huge max_tokens answers %d: %s", n, a.Status, a.Body)
		}
		if o := p.Orders(fmt.Sprintf("big-%d", n)); len(o) != 1 || o[0].Limit != 500_000 {
			t.Errorf("the provider was asked %+v", o)
		}
	}
	if a := f.Ask(t, fleet.Ask{Model: "cheap", Prompt: "out=3"}); a.Status != http.StatusOK {
		t.Errorf("without max_tokens: status %d: %s", a.Status, a.Body)
	}
}

// With on_cap: shrink a call whose worst case does not fit leaves with a smaller max_tokens.
func TestShrinkingLetsLargeCallsPass(t *testing.T) {
	const most = signalbox.Dollar / 100
	f, p := one(t, strings.Replace(usd("day", most), "}", ", on_cap: shrink}", 1), "200ms")
	shrunk := fleet.Ask{MaxTokens: 2000, Prompt: "in=10 out=2000", Request: "shrunk"}
	a := f.Ask(t, shrunk)
	o := p.Orders("shrunk")
	if a.Status != http.StatusOK || len(o) != 1 || o[0].Limit < signalbox.DefaultMinOutput || o[0].Limit >= 2000 {
		t.Fatalf("status %d, the provider was asked %+v: %s", a.Status, o, a.Body)
	}
	f.Settled(t)
	if spent, held := settled(t, f, signalbox.OwnerTenant, "acme", ""); spent != o[0].Cost || held != 0 || spent > most {
		t.Errorf("settled %s, held %s, billed %s", spent, held, o[0].Cost)
	}
	if a := f.Ask(t, shrunk); a.Status != http.StatusPaymentRequired {
		t.Errorf("with less than the floor left: status %d", a.Status)
	}
	shrunk.Key = rival
	if a := f.Ask(t, shrunk); a.Status != http.StatusPaymentRequired || len(p.Orders("shrunk")) != 1 {
		t.Errorf("with on_cap: refuse: status %d", a.Status)
	}
}

// What slow calls hold in the worst case is not spent: others wait for it, and are told to come back if it takes long.
// 402 is for money that is gone.
func TestHeldMoneyIsWaitedFor(t *testing.T) {
	const most = signalbox.Dollar / 20 // One call with 2000 tokens holds 0.03 and more.
	big := fleet.Ask{MaxTokens: 2000, Prompt: "in=10 out=10 wait=700ms group=slow"}
	held := func(t *testing.T, p *biller.Provider) {
		t.Helper()
		harness.Eventually(t, func() error {
			if now, _ := p.InFlight("slow"); now == 0 {
				return fmt.Errorf("the slow call has not left yet")
			}
			return nil
		})
	}
	t.Run("it is waited for", func(t *testing.T) {
		f, p := one(t, usd("day", most), "20s")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if a, err := big.Try(f.Next()); err != nil || a.Status != http.StatusOK {
					t.Errorf("a call that only had to wait: %d, %v: %s", a.Status, err, a.Body)
				}
			})
		}
		all.Wait()
		if _, peak := p.InFlight("slow"); peak != 1 {
			t.Errorf("%d calls at a time, where only one can be paid", peak)
		}
	})
	t.Run("429 while it is held, 402 once it is spent", func(t *testing.T) {
		f, p := one(t, usd("day", most), "50ms")
		var all sync.WaitGroup
		slow := big
		slow.Prompt = "in=10 out=2000 wait=2s group=slow"
		all.Go(func() {
			if a, err := slow.Try(f.Next()); err != nil || a.Status != http.StatusOK {
				t.Errorf("the slow call: %d, %v: %s", a.Status, err, a.Body)
			}
		})
		held(t, p)
		a := f.Ask(t, big)
		if a.Status != http.StatusTooManyRequests || failed(t, a).Code != signalbox.CodeRateLimited || a.Header.Get("Retry-After") == "" {
			t.Errorf("while it is held: status %d, Retry-After %q: %s", a.Status, a.Header.Get("Retry-After"), a.Body)
		}
		all.Wait()
		a = f.Ask(t, big)
		if a.Status != http.StatusPaymentRequired || failed(t, a).Code != signalbox.CodeBudgetExhausted || failed(t, a).Remedy == "" {
			t.Errorf("once it is spent: status %d: %s", a.Status, a.Body)
		}
		if a := f.Ask(t, fleet.Ask{MaxTokens: 50, Prompt: "out=5"}); a.Status != http.StatusOK {
			t.Errorf("what is left pays for a small call, and it answers %d: %s", a.Status, a.Body)
		}
	})
}

// Nobody knows what a model without a price costs: it is refused, with what to do, and nothing leaves.
func TestModelsWithoutAPriceAreRefused(t *testing.T) {
	f, p := one(t, usd("day", signalbox.Dollar), "200ms")
	a := f.Ask(t, fleet.Ask{Model: "free", Prompt: "out=3"})
	e := failed(t, a)
	if e.Code != signalbox.CodeUnpriced || !strings.Contains(e.Remedy, "price") || p.Count() != 0 {
		t.Errorf("status %d, served %d: %s", a.Status, p.Count(), a.Body)
	}
}

// The first burst of an agent that was never seen, and parallel calls of one run, do not pass their cap by one
// nano-dollar, and use what there is.
func TestBurstsDoNotPassTheirCap(t *testing.T) {
	const most = signalbox.Dollar / 50 // As the agent's, in the configuration.
	stores(t, func(t *testing.T, database string, processes int) {
		f, p := launch(t, database, processes, usd("month", 100*signalbox.Dollar)+", "+usd("run", most), "5s")
		for _, c := range []struct {
			name string
			ask  fleet.Ask
			kind signalbox.OwnerKind
			of   string
		}{
			{"an agent that was never seen", fleet.Ask{Agent: "newcomer"}, signalbox.OwnerAgent, "newcomer"},
			{"parallel calls of a run", fleet.Ask{Run: "session-1"}, signalbox.OwnerRun, "session-1"},
		} {
			before, codes := p.Billed(), map[int]int{}
			c.ask.MaxTokens, c.ask.Prompt = 100, "in=20 out=100 wait=10ms" // Each is billed all it may be.
			var all sync.WaitGroup
			var mu sync.Mutex
			for range 48 {
				all.Go(func() {
					a, err := c.ask.Try(f.Next())
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					codes[a.Status]++
					mu.Unlock()
				})
			}
			all.Wait()
			f.Settled(t)
			spent, held := settled(t, f, c.kind, "acme", c.of)
			billed := p.Billed() - before
			t.Logf("%s: answers by status %v, settled %s, billed %s of %s USD", c.name, codes, spent, billed, most)
			if billed > most || spent != billed || held != 0 || codes[http.StatusPaymentRequired] == 0 || billed < most*4/5 {
				t.Errorf("%s: settled %s, held %s, billed %s of %s USD; answers %v", c.name, spent, held, billed, most, codes)
			}
		}
	})
}
