package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/signalbox/signalbox"
)

// The operations on one account, as its callers see them.
type (
	operation struct {
		settle bool
		amount int64 // Wanted; or what was held.
		cost   int64
	}
	state struct{ settled, held int64 }
)

// linear is the account as one number that everybody sees at once: the ledger's replicas, shares and draws must not be
// distinguishable from it, but for calls that are told to come back later.
func linear(limit int64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, in, out any) (bool, any) {
			now, op := s.(state), in.(operation)
			if op.settle {
				return true, state{now.settled + op.cost, now.held - op.amount}
			}
			switch out.(signalbox.Code) { //nolint:exhaustive // The rest is not among the answers.
			case "":
				now.held += op.amount
				return now.settled+now.held <= limit, now
			case signalbox.CodeBudgetExhausted:
				return now.settled+op.amount > limit, now
			case signalbox.CodeRateLimited:
				return now.held > 0, now
			}
			return false, now
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %v", in, out) },
	}
}

func TestHistoriesAreThoseOfOneAccount(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d replicas", replicas), func(t *testing.T) {
			for seed := range uint64(20) {
				v := newVault()
				const limit = 40
				ledgers := cluster(t, v, replicas, acme(usdPerDay(limit)))
				h := &history{start: time.Now()}
				var wg sync.WaitGroup
				for i := range 6 {
					wg.Go(func() { h.work(t, v, ledgers[i%replicas], i, rand.New(rand.NewPCG(seed, uint64(i)))) })
				}
				wg.Wait()
				for _, l := range ledgers {
					_ = l.Close(context.Background())
				}
				if !porcupine.CheckOperations(linear(limit), h.list) {
					t.Fatalf("seed %d: no order of the %d operations explains what callers saw", seed, len(h.list))
				}
				if got := v.total(tenantDay()); got.AllSettled > limit || got.AllHeld != 0 {
					t.Fatalf("seed %d: %+v", seed, got)
				}
			}
		})
	}
}

type history struct {
	mu    sync.Mutex
	start time.Time
	list  []porcupine.Operation
}

func (h *history) record(client int, in operation, op func() signalbox.Code) signalbox.Code {
	from := time.Since(h.start).Nanoseconds()
	out := op()
	to := time.Since(h.start).Nanoseconds()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, porcupine.Operation{ClientId: client, Input: in, Call: from, Output: out, Return: to})
	return out
}

func (h *history) work(t *testing.T, v *vault, l *Ledger, client int, random *rand.Rand) {
	for range 12 {
		amount := random.Int64N(15) + 1
		c := begin(t, v, l, track(fmt.Sprint(client)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		out := h.record(client, operation{amount: amount}, func() signalbox.Code {
			c.attempt.N = 1
			return code(c.tab.Hold(ctx, c.track, perCall(amount), &c.attempt))
		})
		cancel()
		if out != "" {
			c.book(true)
			continue
		}
		c.book(false)
		cost := random.Int64N(min(amount, 3) + 1)
		h.record(client, operation{settle: true, amount: amount, cost: cost}, func() signalbox.Code {
			c.end(cost)
			return ""
		})
	}
}
