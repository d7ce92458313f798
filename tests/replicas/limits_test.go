package replicas

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

const budgets = "budgets: [{unit: usd, per: month, max: 100}]"

// atOnce makes calls from so many clients at the same time, some from each, and counts the answers by status.
func atOnce(f *fleet.Fleet, clients, each int, a fleet.Ask) map[int]int {
	var mu sync.Mutex
	var all sync.WaitGroup
	seen := map[int]int{}
	for range clients {
		all.Go(func() {
			for range each {
				answer, err := a.Try(f.Next())
				mu.Lock()
				if err != nil {
					seen[0]++
				} else {
					seen[answer.Status]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return seen
}

// insist repeats a call while it is told that there is no place: those of the calls before are free, but may still be
// lent to another replica, which gives them back when it is asked.
func insist(a fleet.Ask, x *harness.Instance) error {
	for {
		answer, err := a.Try(x)
		if err != nil || answer.Status != http.StatusTooManyRequests {
			return err
		}
	}
}

// A limit of calls in flight holds over all replicas together, and comes back after one of them has died with calls in
// flight, once those must have ended.
func TestConcurrencyHoldsOverReplicas(t *testing.T) {
	const limit = 5
	f, p := launch(t, budgets, fmt.Sprintf("limits: [{unit: concurrent, max: %d}]", limit))
	seen := atOnce(f, 24, 12, fleet.Ask{Prompt: "wait=20ms group=a out=2"})
	_, peak := p.InFlight("a")
	t.Logf("answers by status: %v; at most %d at the provider at one time", seen, peak)
	if peak > limit || seen[http.StatusOK] == 0 || seen[http.StatusTooManyRequests] == 0 || len(seen) != 2 {
		t.Errorf("at most %d calls at a time were allowed", limit)
	}

	var slow sync.WaitGroup
	var out atomic.Int64
	for range limit {
		slow.Go(func() {
			if insist(fleet.Ask{Prompt: "wait=3s group=b out=2"}, f.At(0)) != nil {
				out.Add(1)
			}
		})
	}
	harness.Eventually(t, func() error {
		if now, _ := p.InFlight("b"); now != limit {
			return fmt.Errorf("%d calls are in flight", now)
		}
		return nil
	})
	if a := (fleet.Ask{Prompt: "out=2"}).Send(t, f.At(1)); a.Status != http.StatusTooManyRequests {
		t.Errorf("call %d in flight answers %d", limit+1, a.Status)
	}
	f.At(0).Kill()
	slow.Wait()
	since := time.Now()
	f.Start(t, 0)
	if a := (fleet.Ask{Prompt: "out=2"}).Send(t, f.At(1)); a.Status != http.StatusTooManyRequests {
		t.Errorf("calls of a replica that died may still run, and another one answers %d", a.Status)
	}
	harness.Eventually(t, func() error {
		if seen := atOnce(f, limit, 1, fleet.Ask{Prompt: "wait=200ms group=c out=2"}); seen[http.StatusOK] != limit {
			return fmt.Errorf("not all places are back: %v", seen)
		}
		return nil
	})
	t.Logf("%d of %d calls broke; all places were back %s after the replica died", out.Load(), limit, time.Since(since).Round(10*time.Millisecond))
	if _, peak := p.InFlight("c"); peak > limit {
		t.Errorf("%d calls at a time, where %d are allowed", peak, limit)
	}
}

// A limit of requests per hour holds over all replicas together, exactly.
func TestRequestsHoldOverReplicas(t *testing.T) {
	const limit = 60
	for now := time.Now(); now.Minute() == 59; now = time.Now() { // The window must not end in between.
		time.Sleep(time.Second)
	}
	f, p := launch(t, budgets, fmt.Sprintf("limits: [{unit: requests, per: hour, max: %d}]", limit))
	seen := atOnce(f, 12, 10, fleet.Ask{Prompt: "out=2"})
	t.Logf("answers by status: %v", seen)
	if seen[http.StatusOK] != limit || p.Count() != limit || seen[http.StatusTooManyRequests] != 120-limit {
		t.Errorf("%d calls were allowed, %d answered, %d served", limit, seen[http.StatusOK], p.Count())
	}
	a := f.Ask(t, fleet.Ask{Prompt: "out=2"})
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q: %s", a.Status, a.Header.Get("Retry-After"), a.Body)
	}
}
