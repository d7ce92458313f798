package overshoot

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The short form; SIGNALBOX_OVERSHOOT sets another duration for the long one.
const (
	shortForm  = 5 * time.Second
	allClients = 1000
)

// Caps in US dollars: small enough to be reached within the short form.
const (
	tenantCap = signalbox.Dollar * 3 / 2
	runCap    = signalbox.Dollar / 10
	agentCap  = signalbox.Dollar / 5
)

const config = `listen: 127.0.0.1:0
database: "@DATABASE@"
audit: {key: "@ROOT@/audit.key"}
tenants:
  - id: acme
    budgets: [{unit: usd, per: month, max: @TENANT@}, {unit: usd, per: run, max: @RUN@}]
agents: [@AGENTS@]
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1"}
models:
  one: {provider: bill, model: m, context_window: 100000, max_output: 1000, price: {input: 3, output: 15}, fallbacks: [two]}
  two: {provider: bill, model: m, context_window: 100000, max_output: 1000, price: {input: 3, output: 15}}
alerts: {defaults: false}
limits: {budget_wait: 200ms}
cluster: {lease: 5s, longest_call: 15m}
`

func duration(t *testing.T) time.Duration {
	text := os.Getenv("SIGNALBOX_OVERSHOOT")
	if text == "" {
		return shortForm
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("SIGNALBOX_OVERSHOOT=%q is not a duration", text)
	}
	return d
}

func TestNoOvershoot(t *testing.T) {
	cases := []struct {
		name      string
		processes int
		database  func() string
	}{
		{"three processes on PostgreSQL", 3, func() string { return postgrestest.Database(t) }},
		{"one process on SQLite", 1, func() string { return "sqlite:" + t.TempDir() + "/s.db" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { storm(t, c.processes, c.database()) })
	}
}

// storm sends calls for a while, with aborts and kills, and compares what was billed with the caps and with the ledger.
func storm(t *testing.T, processes int, database string) {
	caps := map[string]signalbox.Money{"tenant": tenantCap}
	names := []string{}
	for a := range agents {
		names = append(names, fmt.Sprintf("{id: a%d, budgets: [{unit: usd, per: month, max: %s}]}", a, agentCap))
		caps[fmt.Sprintf("agent a%d", a)] = agentCap
	}
	for r := range runs {
		caps[fmt.Sprintf("run r%d", r)] = runCap
	}
	b := newBiller(caps)
	defer b.close()
	f := launch(t, strings.NewReplacer("@DATABASE@", database, "@UPSTREAM@", b.http.URL, "@TENANT@", tenantCap.String(),
		"@RUN@", runCap.String(), "@AGENTS@", strings.Join(names, ", ")).Replace(config), processes)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen tally
	enough := func() bool {
		return f.kills.Load() > 0 && seen.ok.Load() > 0 && seen.refused.Load()+seen.waited.Load() > 0 && b.kind("stream cut off") > 0
	}
	go func() { // At least so long, and longer on a slow machine.
		pause(ctx, duration(t))
		for deadline := time.Now().Add(harness.Patience); !enough() && time.Now().Before(deadline); {
			pause(ctx, 100*time.Millisecond)
		}
		cancel()
	}()
	harassed := make(chan struct{})
	go func() {
		defer close(harassed)
		f.harass(ctx, t, b)
	}()
	f.clients(ctx, allClients, func(ctx context.Context, c int) { seen.call(ctx, f, c) })
	<-harassed
	f.settled(t)
	compare(t, f, b)
	t.Logf("%d kills; callers saw %s; the provider served %d calls %v", f.kills.Load(), seen.String(), b.calls, b.kinds)
	if !enough() {
		t.Error("the storm was none: there must be kills, answers, refusals and broken streams")
	}
}

// compare holds what was billed against the caps and the ledger.
func compare(t *testing.T, f *fleet, b *biller) {
	t.Helper()
	for _, over := range b.over {
		t.Error(over)
	}
	ledger := f.accounts(t)
	for name, limit := range b.caps {
		billed, settled, held := b.billed[name], signalbox.Money(0), signalbox.Money(0)
		if a, ok := ledger[name]; ok {
			settled, held = money(t, a.Settled), money(t, a.Held)
		}
		if billed > settled || settled+held > limit || held != 0 {
			t.Errorf("%s: billed %s, settled %s, held %s of %s USD", name, billed, settled, held, limit)
		}
	}
	t.Logf("the tenant was billed %s, of that %s reported; settled %s of %s USD", b.billed["tenant"], b.report, ledger["tenant"].Settled, tenantCap)
}

// tally is what callers saw.
type tally struct{ ok, refused, waited, failed, aborted, broken atomic.Int64 }

func (s *tally) String() string {
	return fmt.Sprintf("%d answers, %d × 402, %d × 429, %d failures, %d aborted by themselves, %d cut", s.ok.Load(),
		s.refused.Load(), s.waited.Load(), s.failed.Load(), s.aborted.Load(), s.broken.Load())
}

// call makes one call and rests a little where it was refused.
func (s *tally) call(ctx context.Context, f *fleet, client int) {
	run, agent := rand.IntN(runs), rand.IntN(agents)
	body := fmt.Sprintf(`{"model":"one","max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":"run r%d agent a%d %s"}]}`,
		20+rand.IntN(400), rand.IntN(2) == 0, run, agent, strings.Repeat("x", rand.IntN(600)))
	abort := rand.IntN(10) == 0
	if abort {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(60))*time.Millisecond)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.any().URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + harness.Agent, "Content-Type": "application/json",
		"X-Signalbox-Run": "r" + strconv.Itoa(run), "X-Signalbox-Agent": "a" + strconv.Itoa(agent),
	} {
		request.Header.Set(name, value)
	}
	response, err := client1000.Do(request)
	if err != nil {
		s.lost(abort)
		rest(ctx)
		return
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	switch {
	case err != nil:
		s.lost(abort)
	case response.StatusCode == http.StatusOK:
		s.ok.Add(1)
		return
	case response.StatusCode == http.StatusPaymentRequired:
		s.refused.Add(1)
	case response.StatusCode == http.StatusTooManyRequests:
		s.waited.Add(1)
	default:
		s.failed.Add(1)
	}
	rest(ctx)
}

// rest is what a caller does before it tries again.
func rest(ctx context.Context) { pause(ctx, time.Duration(100+rand.IntN(400))*time.Millisecond) }

func (s *tally) lost(abort bool) {
	if abort {
		s.aborted.Add(1)
		return
	}
	s.broken.Add(1)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// client1000 keeps a connection for each of the clients.
var client1000 = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: allClients, IdleConnTimeout: time.Minute}}
