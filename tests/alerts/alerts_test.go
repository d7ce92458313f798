// Package alerts climbs the default ladder of alerts with real calls: what is recorded, told, throttled and halted, over
// one process and over replicas.
package alerts

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// A thousand output tokens of "one" cost a dollar, of "cheap" half of one.
var rates = map[string]signalbox.Rates{"one": {Output: 1000 * signalbox.Dollar}, "cheap": {Output: 500 * signalbox.Dollar}}

const config = fleet.Base + `tenants:
  - id: acme
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1"}
models:
  one: {provider: bill, context_window: 200000, max_output: 50000, price: {input: 0, output: 1000}, downgrade_to: cheap}
  cheap: {provider: bill, context_window: 200000, max_output: 50000, price: {input: 0, output: 500}}
channels:
  ops: {kind: webhook, url: "@RECEIVER@/hook", secret: receiver-secret-of-acme, timeout: 2s}
`

// ladder is a fleet whose alerts a receiver is told of.
type ladder struct {
	*fleet.Fleet
	provider *biller.Provider
	receiver *receiver
}

func launch(t *testing.T, database string, processes int) *ladder {
	t.Helper()
	l := &ladder{provider: biller.New(rates), receiver: newReceiver(t)}
	t.Cleanup(l.provider.Close)
	text := strings.NewReplacer("@UPSTREAM@", l.provider.URL, "@RECEIVER@", l.receiver.http.URL).Replace(config)
	l.Fleet = fleet.Launch(t, text, database, processes)
	return l
}

// spend makes a call in a run that costs so many tokens, which must be served.
func (l *ladder) spend(t *testing.T, run string, tokens int) harness.Answer {
	t.Helper()
	a := l.Ask(t, fleet.Ask{Run: run, MaxTokens: tokens, Prompt: fmt.Sprintf("in=1 out=%d", tokens)})
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	return a
}

// raised waits until a rule has raised its alert about a run, and gives it.
func (l *ladder) raised(t *testing.T, rule, run string) (row api.Alert) {
	t.Helper()
	harness.Eventually(t, func() error {
		var page api.Page[api.Alert]
		if err := l.Next().TryGet("/alerts", url.Values{"run": {run}}, &page); err != nil {
			return err
		}
		found := 0
		for _, r := range page.Items {
			if r.Rule == rule {
				row = r
				found++
			}
		}
		if found != 1 {
			return fmt.Errorf("%d alerts of %s among %d", found, rule, len(page.Items))
		}
		return nil
	})
	return row
}

func TestLadder(t *testing.T) {
	t.Run("one process on SQLite", func(t *testing.T) {
		climb(t, launch(t, "sqlite:"+t.TempDir()+"/s.db", 1))
	})
	t.Run("three processes on PostgreSQL", func(t *testing.T) {
		climb(t, launch(t, postgrestest.Database(t), 3))
	})
}

func climb(t *testing.T, l *ladder) {
	l.spend(t, "r1", 600) // 0.60
	if row := l.raised(t, "default-run-log", "r1"); row.Level != signalbox.AlertInfo || len(row.Deliveries) != 0 {
		t.Errorf("the first rung is %+v", row)
	}
	l.spend(t, "r1", 1500) // 2.10
	l.told(t, "default-run-notify")
	if a := l.spend(t, "r1", 3000); l.order(t, a).Model != "one" { // 5.10
		t.Error("a call was throttled too early")
	}
	l.raised(t, "default-run-throttle", "r1")
	harness.Eventually(t, func() error {
		if o := l.order(t, l.spend(t, "r1", 1)); o.Model != "cheap" {
			return fmt.Errorf("a call of the throttled run is served by %s", o.Model)
		}
		return nil
	})
	if o := l.order(t, l.spend(t, "r2", 1)); o.Model != "one" {
		t.Errorf("a call of another run is served by %s", o.Model)
	}
	l.halt(t)
	l.lift(t)
	l.told(t, "default-run-throttle")
	l.told(t, "default-run-halt")
	l.Settled(t)
	l.SameAsLedger(t)
	l.down(t)
}

// order gives what the provider was asked for a call.
func (l *ladder) order(t *testing.T, a harness.Answer) biller.Order {
	t.Helper()
	list := l.provider.Orders(a.Header.Get("X-Request-Id"))
	if len(list) != 1 {
		t.Fatalf("the provider knows %d orders of %q", len(list), a.Header.Get("X-Request-Id"))
	}
	return list[0]
}

// told waits until the receiver has taken the message about a rule, which it has refused once, and checks that it stays
// the only one.
func (l *ladder) told(t *testing.T, rule string) {
	t.Helper()
	harness.Eventually(t, func() error {
		if n := len(l.receiver.of(rule)); n != 1 {
			return fmt.Errorf("the receiver has taken %d messages about %s", n, rule)
		}
		return nil
	})
	row := l.raised(t, rule, "r1")
	if p := l.receiver.of(rule)[0]; p.ID != row.ID || p.RunID != "r1" || p.TenantID != "acme" || p.Text == "" {
		t.Errorf("the message is %+v", p)
	}
	harness.Eventually(t, func() error {
		row = l.raised(t, rule, "r1")
		if len(row.Deliveries) != 1 || row.Deliveries[0].State != "delivered" || row.Deliveries[0].Tries != 2 {
			return fmt.Errorf("its deliveries are shown as %+v", row.Deliveries)
		}
		return nil
	})
}

// halt lets streams run in the run, in both formats and at every process, and passes the last threshold: they end at once
// with an error of their own format, and nothing more is let in.
func (l *ladder) halt(t *testing.T) {
	t.Helper()
	const streams = 4
	answers := [streams]harness.Answer{}
	var all sync.WaitGroup
	for n := range streams {
		all.Go(func() {
			a := fleet.Ask{Run: "r1", Stream: true, Anthropic: n%2 == 0, MaxTokens: 100, Prompt: "in=1 out=40 pieces=40 pace=1s group=long"}
			answer, err := a.Try(l.At(n % l.Size()))
			if err != nil {
				t.Error(err)
			}
			answers[n] = answer
		})
	}
	harness.Eventually(t, func() error {
		if now, _ := l.provider.InFlight("long"); now != streams {
			return fmt.Errorf("%d streams are running", now)
		}
		return nil
	})
	since := time.Now()
	l.spend(t, "r1", 11_000) // More than 10.00, at half the price.
	all.Wait()
	t.Logf("the streams of the halted run ended %s after the call that halted it was sent", time.Since(since).Round(10*time.Millisecond))
	for n, a := range answers {
		own, end := `data: {"error"`, "data: [DONE]"
		if n%2 == 0 {
			own, end = "event: error", "event: message_stop"
		}
		if !strings.Contains(a.Body, own) || !strings.Contains(a.Body, string(signalbox.CodeFrozen)) || strings.Contains(a.Body, end) {
			t.Errorf("stream %d ends with %q", n, a.Body[max(0, len(a.Body)-400):])
		}
	}
	for range 2 * l.Size() {
		if a := l.Ask(t, fleet.Ask{Run: "r1", Prompt: "out=1"}); a.Status != http.StatusLocked {
			t.Errorf("a call of the halted run answers %d: %s", a.Status, a.Body)
		}
	}
	l.spend(t, "r2", 1)
}

// lift lets the run go on: only an operator can.
func (l *ladder) lift(t *testing.T) {
	t.Helper()
	row := l.raised(t, "default-run-halt", "r1")
	if row.Brake == nil || !row.Brake.Holds || row.Level != signalbox.AlertCritical {
		t.Fatalf("the alert is %+v", row)
	}
	path := "/api/v1/brakes/" + url.PathEscape(row.Brake.ID) + "/lift"
	if a := l.Send(t, http.MethodPost, path, harness.Agent, ""); a.Status != http.StatusForbidden {
		t.Errorf("an agent's key lifts the brake: %d", a.Status)
	}
	if a := l.Send(t, http.MethodPost, path, harness.Operator, ""); a.Status != http.StatusOK {
		t.Fatalf("lifting answers %d: %s", a.Status, a.Body)
	}
	for n := range l.Size() {
		harness.Eventually(t, func() error {
			if a := (fleet.Ask{Run: "r1", Prompt: "out=1", MaxTokens: 1}).Send(t, l.At(n)); a.Status != http.StatusOK {
				return fmt.Errorf("process %d answers %d after the brake was lifted: %s", n, a.Status, a.Body)
			}
			return nil
		})
	}
	time.Sleep(200 * time.Millisecond)
	l.spend(t, "r1", 1) // It stays lifted.
}

// down takes the receiver away: alerts are kept for it, and no call is held up.
func (l *ladder) down(t *testing.T) {
	t.Helper()
	l.receiver.http.Close()
	l.spend(t, "r3", 2500)
	row := l.raised(t, "default-run-notify", "r3")
	harness.Eventually(t, func() error {
		row = l.raised(t, "default-run-notify", "r3")
		if len(row.Deliveries) != 1 || row.Deliveries[0].State != "waiting" || row.Deliveries[0].Tries == 0 {
			return fmt.Errorf("its deliveries are shown as %+v", row.Deliveries)
		}
		return nil
	})
	for range 20 {
		l.spend(t, "r3", 1)
	}
}

// Three processes each spend less in a run than any threshold above a dollar, and together more than all: the run is halted,
// although none of them would by what it knows alone.
func TestReplicasAddUp(t *testing.T) {
	l := launch(t, postgrestest.Database(t), 3)
	spend := func(tokens int) {
		t.Helper()
		for n := range l.Size() {
			a := fleet.Ask{Run: "r1", MaxTokens: tokens, Prompt: fmt.Sprintf("in=1 out=%d", tokens)}.Send(t, l.At(n))
			if a.Status != http.StatusOK && a.Status != http.StatusLocked { // The last one may come too late.
				t.Fatalf("status %d: %s", a.Status, a.Body)
			}
		}
	}
	spend(1) // From here on each knows what the others have spent so far, and need not ask again.
	spend(450)
	l.raised(t, "default-run-log", "r1") // 1.35
	spend(2000)                          // 7.35 at most, and 5.35 at least if the run is throttled after the first of them.
	l.raised(t, "default-run-throttle", "r1")
	spend(4000) // At half the price: 11.35 at least, and of each replica no more than 4.45.
	if row := l.raised(t, "default-run-halt", "r1"); row.Brake == nil || !row.Brake.Holds {
		t.Errorf("the alert is %+v", row)
	}
	for n := range l.Size() {
		harness.Eventually(t, func() error {
			if a := (fleet.Ask{Run: "r1", Prompt: "out=1"}).Send(t, l.At(n)); a.Status != http.StatusLocked {
				return fmt.Errorf("process %d answers %d: %s", n, a.Status, a.Body)
			}
			return nil
		})
	}
}
