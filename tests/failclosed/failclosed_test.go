// Package failclosed takes the disk away from under the real binary and looks at what it does: nothing is served of which
// no record can be made, callers are told at once and when to come back, and once the cause is gone all goes on by itself.
// After a failed sync nothing goes on: the process ends.
package failclosed

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// What is promised to callers and to operators.
const (
	firstRefusal = time.Second     // From a call to its refusal.
	recovery     = 5 * time.Second // From the end of the cause to the first call that is served.
)

const body = `{"model":"sim","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`

// caller makes calls and notes which of them were acknowledged.
type caller struct {
	i *harness.Instance

	mu    sync.Mutex
	acked []string
}

// call makes one call and gives how it ended; err is for connections that broke.
func (c *caller) call() (harness.Answer, error) {
	a, err := c.i.TrySend(http.MethodPost, "/v1/chat/completions", harness.Agent, body)
	if err == nil && a.Broken == nil && a.Status == http.StatusOK {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.acked = append(c.acked, a.Header.Get("X-Signalbox-Call"))
	}
	return a, err
}

// served makes calls that must be served.
func (c *caller) served(t *testing.T, n int) {
	t.Helper()
	for range n {
		if a, err := c.call(); err != nil || a.Status != http.StatusOK {
			t.Fatalf("a call ends with %d (%v): %s", a.Status, err, a.Body)
		}
	}
}

// untilRefused makes calls, several at once, until one is refused.
func (c *caller) untilRefused(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for begin := time.Now(); time.Since(begin) < harness.Patience; {
				if a, err := c.call(); err != nil || a.Status != http.StatusOK {
					return
				}
			}
			t.Error("no call was refused")
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// refused makes calls that must be refused, at once and with the time to come back.
func (c *caller) refused(t *testing.T, n int) {
	t.Helper()
	for range n {
		if !c.refusal(t) {
			t.Fatal("a call was served")
		}
	}
	c.notReady(t)
}

// stopsServing makes calls until so many in a row were refused: a record that is smaller than another may still fit.
func (c *caller) stopsServing(t *testing.T, n int) {
	t.Helper()
	begin := time.Now()
	for row := 0; row < n; row++ {
		if !c.refusal(t) {
			row = -1
		}
		if time.Since(begin) > harness.Patience {
			t.Fatal("calls are still served now and then")
		}
	}
	c.notReady(t)
}

// refusal makes a call, which is served or refused as it must be, and says whether it was refused.
func (c *caller) refusal(t *testing.T) bool {
	t.Helper()
	begin := time.Now()
	a, err := c.call()
	if err == nil && a.Status == http.StatusOK {
		return false
	}
	checkRefusal(t, a, err)
	if took := time.Since(begin); took > firstRefusal {
		t.Errorf("a refusal took %s, more than %s", took, firstRefusal)
	}
	return true
}

func (c *caller) notReady(t *testing.T) {
	t.Helper()
	if a := c.i.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d: %s", a.Status, a.Body)
	}
}

func checkRefusal(t *testing.T, a harness.Answer, err error) {
	t.Helper()
	if err != nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" ||
		!strings.Contains(a.Body, string(signalbox.CodeUnavailable)) {
		t.Fatalf("a call ends with %d, Retry-After %q (%v): %s", a.Status, a.Header.Get("Retry-After"), err, a.Body)
	}
}

// recovers waits until the instance is ready again without any call having been made, and then makes calls.
func (c *caller) recovers(t *testing.T) {
	t.Helper()
	begin := time.Now()
	harness.Eventually(t, func() error {
		a, err := c.i.TrySend(http.MethodGet, "/readyz", "", "")
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("/readyz answers %d: %s", a.Status, a.Body)
		}
		return err
	})
	c.served(t, 1)
	took := time.Since(begin)
	t.Logf("served again %s after the cause was gone", took)
	if took > recovery {
		t.Errorf("calls were served again after %s, more than %s", took, recovery)
	}
	c.served(t, 20)
}

// complete checks that what was acknowledged is in the log as such, that every call has its one outcome, and that the
// log verifies.
func (c *caller) complete(t *testing.T) {
	t.Helper()
	c.i.Complete(t)
	c.kept(t)
}

func (c *caller) kept(t *testing.T) {
	t.Helper()
	found := map[string]signalbox.Outcome{}
	for _, r := range c.i.Log(t) {
		if r.CallID != nil && r.Outcome != nil {
			found[*r.CallID] = *r.Outcome
		}
	}
	for _, id := range c.acked {
		if found[id] != signalbox.OutcomeOK {
			t.Errorf("call %s was acknowledged, and the log says %q", id, found[id])
		}
	}
	if len(c.acked) == 0 {
		t.Error("no call was acknowledged: the test proves nothing")
	}
}

// logHealth gives what the health report says about the log.
func logHealth(t *testing.T, i *harness.Instance) string {
	t.Helper()
	var h api.Health
	i.Get(t, "/health", nil, &h)
	for _, c := range h.Components {
		if c.Name == "log" {
			return c.Status + ": " + c.Detail
		}
	}
	t.Fatal("the health report does not speak of the log")
	return ""
}

// slow is longer than the time after which a commit closes the gate.
const slow = store.SlowCommit + store.SlowCommit/2
