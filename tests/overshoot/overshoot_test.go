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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The short form; SIGNALBOX_OVERSHOOT sets another duration for the long one.
const (
	shortForm    = 5 * time.Second
	allClients   = 1000
	callsPerKill = 150 // Served between two kills.
)

// The accounts of a storm: one tenant with a cap, and caps per run and per agent below it.
const (
	runs   = 20
	agents = 10
)

// Caps in US dollars of the short form: small enough to be reached within it. A longer one has as many times as much.
const (
	tenantCap = signalbox.Dollar * 3 / 2
	runCap    = signalbox.Dollar / 10
	agentCap  = signalbox.Dollar / 5
)

const config = fleet.Base + `tenants:
  - id: acme
    budgets: [{unit: usd, per: month, max: @TENANT@}, {unit: usd, per: run, max: @RUN@}]
agents: [@AGENTS@]
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
	long := signalbox.Money(max(duration(t)/shortForm, 1))
	caps := map[string]signalbox.Money{"tenant": tenantCap * long}
	names := []string{}
	for a := range agents {
		names = append(names, fmt.Sprintf("{id: a%d, budgets: [{unit: usd, per: month, max: %s}]}", a, agentCap*long))
		caps[fmt.Sprintf("agent a%d", a)] = agentCap * long
	}
	for r := range runs {
		caps[fmt.Sprintf("run r%d", r)] = runCap * long
	}
	b := newBiller(caps)
	defer b.close()
	f := fleet.Launch(t, strings.NewReplacer("@UPSTREAM@", b.http.URL, "@TENANT@", caps["tenant"].String(), "@RUN@", (runCap*long).String(),
		"@AGENTS@", strings.Join(names, ", ")).Replace(config), database, processes)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen tally
	var kills atomic.Int64
	enough := func() bool {
		return kills.Load() > 0 && seen.ok.Load() > 0 && seen.refused.Load()+seen.waited.Load() > 0 && b.kind("stream cut off") > 0
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
		harass(ctx, t, f, b, &kills)
	}()
	var callers sync.WaitGroup
	for range allClients {
		callers.Go(func() {
			for ctx.Err() == nil {
				seen.call(ctx, f)
			}
		})
	}
	callers.Wait()
	<-harassed
	f.Settled(t)
	f.Outcomes(t)
	f.SameAsLedger(t)
	f.Verify(t)
	compare(t, f, b)
	t.Logf("%d kills; callers saw %s; the provider served %d calls %v", kills.Load(), seen.String(), b.calls, b.kinds)
	if !enough() {
		t.Error("the storm was none: there must be kills, answers, refusals and broken streams")
	}
}

// harass kills a process and starts it again whenever the provider has served some calls since the last time, until ctx
// ends. How fast the machine is does not matter.
func harass(ctx context.Context, t *testing.T, f *fleet.Fleet, b *biller, kills *atomic.Int64) {
	for last := 0; ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		if b.served() < last+callsPerKill {
			continue
		}
		slot := rand.IntN(f.Size())
		f.At(slot).Kill()
		kills.Add(1)
		if err := f.TryStart(slot); err != nil {
			t.Error(err)
			return
		}
		last = b.served()
	}
}

// compare holds what was billed against the caps and the ledger.
func compare(t *testing.T, f *fleet.Fleet, b *biller) {
	t.Helper()
	for _, over := range b.over {
		t.Error(over)
	}
	ledger := map[string]signalbox.AccountView{}
	for _, a := range f.Accounts(t) {
		if a.Account.Unit == signalbox.UnitUSD {
			ledger[strings.TrimSpace(string(a.Account.Kind)+" "+a.Account.Name)] = a
		}
	}
	for name, limit := range b.caps {
		billed, a := b.billed[name], ledger[name]
		if int64(billed) > a.Settled || a.Settled+a.Held > int64(limit) || a.Held != 0 {
			t.Errorf("%s: billed %s, settled %s, held %s of %s USD", name, billed, signalbox.Money(a.Settled), signalbox.Money(a.Held), limit)
		}
	}
	t.Logf("the tenant was billed %s, of that %s reported; settled %s of %s USD", b.billed["tenant"], b.report,
		signalbox.Money(ledger["tenant"].Settled), b.caps["tenant"])
}

// tally is what callers saw.
type tally struct{ ok, refused, waited, failed, aborted, broken atomic.Int64 }

func (s *tally) String() string {
	return fmt.Sprintf("%d answers, %d × 402, %d × 429, %d failures, %d aborted by themselves, %d cut", s.ok.Load(),
		s.refused.Load(), s.waited.Load(), s.failed.Load(), s.aborted.Load(), s.broken.Load())
}

// call makes one call and rests a little where it was refused.
func (s *tally) call(ctx context.Context, f *fleet.Fleet) {
	run, agent := rand.IntN(runs), rand.IntN(agents)
	body := fmt.Sprintf(`{"model":"one","max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":"run r%d agent a%d %s"}]}`,
		20+rand.IntN(400), rand.IntN(2) == 0, run, agent, strings.Repeat("x", rand.IntN(600)))
	abort := rand.IntN(10) == 0
	if abort {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(60))*time.Millisecond)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Next().URL+"/v1/chat/completions", strings.NewReader(body))
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
