package failclosed

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/disk"
	"github.com/signalbox/signalbox/tests/harness"
)

// roomKiB is the size of the disk: the write-ahead log takes most of it.
const roomKiB = 40 << 10

func TestFullDisk(t *testing.T) {
	dir := disk.Small(t, roomKiB, os.Geteuid())
	c := &caller{i: harness.Start(t, harness.Options{Dir: dir})}
	c.served(t, 20)
	free := disk.Fill(t, dir)
	c.untilRefused(t) // What room the files had of their own is used first.
	c.stopsServing(t, 20)
	if h := logHealth(t, c.i); !strings.HasPrefix(h, "down: ") || !strings.Contains(h, "disk of the database") {
		t.Errorf("the health report says %q", h)
	}
	free()
	c.recovers(t)
	c.complete(t)
}

// A disk that can not be written while files on it are open is what is left of one after a fault below it.
func TestReadOnlyDisk(t *testing.T) {
	c := &caller{i: harness.Start(t, harness.Options{})}
	c.served(t, 20)
	fault := disk.Inject(t, c.i.PID(), disk.Fault{Calls: "pwrite64", How: "error=EROFS"})
	c.refused(t, 20)
	if h := logHealth(t, c.i); !strings.HasPrefix(h, "down: ") || !strings.Contains(h, "takes no writes") {
		t.Errorf("the health report says %q", h)
	}
	fault.End()
	c.recovers(t)
	c.complete(t)
}

func TestFailedSyncEndsTheProcess(t *testing.T) {
	for _, c := range []struct {
		name string
		file string // Whose syncs fail.
		how  func(t *testing.T, c *caller)
	}{
		{"of a commit", "signalbox.db-wal", func(t *testing.T, c *caller) {
			t.Helper()
			a, err := c.call()
			checkRefusal(t, a, err)
		}},
		{"of a checkpoint", "signalbox.db", func(t *testing.T, c *caller) {
			t.Helper()
			c.served(t, 1) // The next checkpoint comes by itself, and has something to copy.
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := harness.Options{Dir: t.TempDir()}
			i, err := harness.Launch(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(i.Kill)
			caller := &caller{i: i}
			caller.served(t, 10)
			fault := disk.Inject(t, i.PID(), disk.Fault{
				Calls: "fsync,fdatasync", How: "error=EIO", Path: filepath.Join(o.Dir, c.file),
			})
			c.how(t, caller)
			ends(t, i)
			fault.End()
			if calls := fault.Calls(); len(calls) != 1 || !strings.Contains(calls[0], "(INJECTED)") {
				t.Errorf("there were %d syncs of %s, want the one that failed:\n%s", len(calls), c.file, strings.Join(calls, "\n"))
			}
			caller.i = harness.Start(t, o)
			caller.served(t, 5)
			caller.complete(t)
		})
	}
}

// ends waits for the process to end by itself, with the reason.
func ends(t *testing.T, i *harness.Instance) {
	t.Helper()
	select {
	case <-i.Exited():
	case <-time.After(harness.Patience):
		t.Fatalf("the process goes on:\n%s", i.Stderr())
	}
	if code := i.Stop(); code != 1 {
		t.Errorf("the process ended with code %d", code)
	}
	if text := i.Stderr(); !strings.Contains(text, "The log can not be trusted any more") ||
		!strings.Contains(text, "disk of the database has failed") {
		t.Errorf("the process does not say why it ended:\n%s", text)
	}
}

func TestSlowCommitClosesTheGate(t *testing.T) {
	c := &caller{i: harness.Start(t, harness.Options{})}
	c.served(t, 10)
	before := len(c.i.Log(t))
	fault := disk.Inject(t, c.i.PID(), disk.Fault{
		Calls: "fsync,fdatasync", How: "delay_enter=6000000", Path: filepath.Join(c.i.Dir, "signalbox.db-wal"),
	})
	waiting := make(chan harness.Answer, 1)
	go func() {
		a, _ := c.call() // A broken connection has no status, which is checked.
		waiting <- a
	}()
	time.Sleep(slow)
	c.refused(t, 20)
	if h := logHealth(t, c.i); !strings.HasPrefix(h, "down: ") || !strings.Contains(h, "a commit has been under way") {
		t.Errorf("the health report says %q", h)
	}
	select {
	case a := <-waiting:
		t.Fatalf("the call whose commit takes long has ended already, with %d: %s", a.Status, a.Body)
	default:
	}
	fault.End()
	if a := <-waiting; a.Status != http.StatusOK {
		t.Errorf("the call whose commit took long ends with %d: %s", a.Status, a.Body)
	}
	c.recovers(t)
	c.complete(t)
	if refused := c.i.Metric(t, "signalbox_log_refused_total"); refused < 20 {
		t.Errorf("%v refusals are counted, want 20 at least", refused)
	}
	if after := len(c.i.Log(t)); after-before > 2*22+3 {
		t.Errorf("%d records were written: calls that the gate refused have some", after-before)
	}
}

const slowly = `tenants:
  - id: acme
    budgets: [{unit: usd, per: month, max: 1}]
providers:
  sim: {kind: simulated, simulated: {latency: {p50: 1500ms, p95: 1500ms}, tokens_per_second: 100000}}
models:
  sim: {provider: sim, context_window: 1000, max_output: 100, price: {input: 1000, output: 2000}}
`

// An answer whose outcome could not be committed is none: the caller gets 503, or a stream without its end, and what
// the call could cost stays held until the log can say what it did cost.
func TestAnswerWithoutACommittedOutcome(t *testing.T) {
	for _, stream := range []bool{false, true} {
		name := "unary"
		if stream {
			name = "stream"
		}
		t.Run(name, func(t *testing.T) {
			config := strings.Replace(harness.Base, "tenants:\n  - id: acme\n  - id: other\n", "", 1)
			config = strings.Replace(config, "  - {id: other, secret: developer-key-of-other-01, tenant: other, role: developer}\n", "", 1)
			i := harness.Start(t, harness.Options{Whole: config + slowly})
			answer := make(chan harness.Answer, 1)
			go func() {
				text := body
				if stream {
					text = strings.Replace(body, "{", `{"stream":true,`, 1)
				}
				a, err := i.TrySend(http.MethodPost, "/v1/chat/completions", harness.Agent, text)
				if err != nil {
					a.Body = err.Error()
				}
				answer <- a
			}()
			held := ""
			harness.Eventually(t, func() error { held = holding(t, i); return need(held != "0", "nothing is held yet") })
			fault := disk.Inject(t, i.PID(), disk.Fault{Calls: "pwrite64", How: "error=EROFS"})
			a := <-answer
			if stream {
				if strings.Contains(a.Body, "[DONE]") || !strings.Contains(a.Body, "unavailable") {
					t.Errorf("the stream ends as if it were whole: %s", a.Body)
				}
			} else {
				checkRefusal(t, a, nil)
			}
			if now := holding(t, i); now != held {
				t.Errorf("%s is held after the answer, before it was %s", now, held)
			}
			fault.End()
			d := i.Call(t, a.Header.Get("X-Signalbox-Call"))
			if d.Outcome != signalbox.OutcomeUnknown || d.CostEstimate == nil || *d.CostEstimate == "0" {
				t.Errorf("the record says %s at a cost of %v, want unknown, and what it did cost", d.Outcome, d.CostEstimate)
			}
			harness.Eventually(t, func() error { return need(holding(t, i) == "0", "it is still held") })
			i.Complete(t)
		})
	}
}

// holding gives what the tenant holds, in US dollars.
func holding(t *testing.T, i *harness.Instance) string {
	t.Helper()
	var page api.Page[api.Account]
	i.Get(t, "/accounts", nil, &page)
	for _, a := range page.Items {
		if a.Unit == signalbox.UnitUSD && a.Tenant == "acme" {
			return a.Held
		}
	}
	t.Fatalf("the tenant has no account: %+v", page.Items)
	return ""
}

func need(holds bool, what string) error {
	if holds {
		return nil
	}
	return errors.New(what)
}
