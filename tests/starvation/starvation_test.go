// Package starvation proves the other half of a hard cap: that money which is there is given to those who ask for it.
// Worst-case holds must not keep agents from a budget that is not spent, and nobody who waits his turn may be passed over.
package starvation

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

var rates = map[string]signalbox.Rates{
	"one":   {Input: 3 * signalbox.Dollar, Output: 15 * signalbox.Dollar},
	"cheap": {Input: signalbox.Dollar / 10, Output: signalbox.Dollar / 2},
}

// config has two tenants; @ACME@ and @OTHER@ are their budgets.
const config = fleet.Base + `  - {id: rival, secret: agent-key-of-other-001, tenant: other, role: agent}
tenants:
  - {id: acme, budgets: [@ACME@]}
  - {id: other, budgets: [@OTHER@]}
agents:
  - {id: newcomer, budgets: [{unit: usd, per: month, max: 0.02}]}
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1"}
models:
  one: {provider: bill, context_window: 100000, max_output: 2000, price: {input: 3, output: 15}}
  cheap: {provider: bill, context_window: 1000000, max_output: 500000, price: {input: 0.1, output: 0.5}}
  free: {provider: bill, context_window: 100000, max_output: 2000}
alerts: {defaults: false}
limits: {budget_wait: @WAIT@}
cluster: {lease: 5s, longest_call: 15m}
`

const rival = "agent-key-of-other-001"

// stores are the two ways in which the ledger is kept.
func stores(t *testing.T, test func(t *testing.T, database string, processes int)) {
	t.Run("one process on SQLite", func(t *testing.T) { test(t, "sqlite:"+t.TempDir()+"/s.db", 1) })
	t.Run("three processes on PostgreSQL", func(t *testing.T) { test(t, postgrestest.Database(t), 3) })
}

// launch starts processes with a budget of acme, and their provider.
func launch(t *testing.T, database string, processes int, acme, wait string) (*fleet.Fleet, *biller.Provider) {
	t.Helper()
	p := biller.New(rates)
	t.Cleanup(p.Close)
	other := strings.ReplaceAll(acme, "on_cap: shrink", "on_cap: refuse")
	text := strings.NewReplacer("@UPSTREAM@", p.URL, "@ACME@", acme, "@OTHER@", other, "@WAIT@", wait).Replace(config)
	return fleet.Launch(t, text, database, processes), p
}

// one is a process on SQLite with a budget of acme.
func one(t *testing.T, acme, wait string) (*fleet.Fleet, *biller.Provider) {
	t.Helper()
	return launch(t, "sqlite:"+t.TempDir()+"/s.db", 1, acme, wait)
}

func usd(per string, most signalbox.Money) string {
	return fmt.Sprintf("{unit: usd, per: %s, max: %s}", per, most)
}

// settled reads what an owner has settled in US dollars in all windows, and what is held.
func settled(t *testing.T, f *fleet.Fleet, kind signalbox.OwnerKind, tenant, name string) (settled, held signalbox.Money) {
	t.Helper()
	for _, a := range f.Accounts(t) {
		if a.Account.Unit == signalbox.UnitUSD && a.Account.Kind == kind && a.Account.Tenant == tenant && a.Account.Name == name {
			settled, held = settled+signalbox.Money(a.Settled), held+signalbox.Money(a.Held)
		}
	}
	return settled, held
}

// failure is what an error says.
type failure struct {
	Code    signalbox.Code `json:"code"`
	Message string         `json:"message"`
	Remedy  string         `json:"remedy"`
}

func failed(t *testing.T, a harness.Answer) failure {
	t.Helper()
	var body struct {
		Error failure `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatalf("status %d: %v: %s", a.Status, err, a.Body)
	}
	return body.Error
}

// The agents of the test of starvation: half of them in each tenant.
const (
	agents = 64
	share  = signalbox.Dollar / 4 // Each tenant's cap; a call's bound is below one per cent of it.
)

// agent calls until its tenant's money is spent, and waits its turn when it is told to.
func agent(t *testing.T, f *fleet.Fleet, n int) (calls int) {
	ask := fleet.Ask{Key: []string{harness.Agent, rival}[n%2], Agent: fmt.Sprintf("a%d", n), MaxTokens: 100}
	for deadline := time.Now().Add(4 * harness.Patience); time.Now().Before(deadline); {
		ask.Prompt = fmt.Sprintf("in=20 out=%d wait=5ms", 20+(n+calls*7)%80)
		answer, err := ask.Try(f.Next())
		switch {
		case err != nil:
			t.Error(err)
			return calls
		case answer.Status == http.StatusOK:
			calls++
		case answer.Status == http.StatusPaymentRequired:
			return calls
		case answer.Status == http.StatusTooManyRequests:
			seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
			if err != nil {
				t.Errorf("429 with Retry-After %q", answer.Header.Get("Retry-After"))
				return calls
			}
			time.Sleep(time.Duration(seconds) * time.Second)
		default:
			t.Errorf("status %d: %s", answer.Status, answer.Body)
			return calls
		}
	}
	t.Errorf("agent %d still waits for money that is never spent", n)
	return calls
}

func TestNobodyStarves(t *testing.T) {
	stores(t, func(t *testing.T, database string, processes int) {
		f, p := launch(t, database, processes, usd("month", share), "5s")
		var all sync.WaitGroup
		var calls [agents]int
		for n := range agents {
			all.Go(func() { calls[n] = agent(t, f, n) })
		}
		all.Wait()
		f.Settled(t)
		for tenant, name := range []string{"acme", "other"} {
			spent, held := settled(t, f, signalbox.OwnerTenant, name, "")
			if spent > share || spent < share/100*95 || held != 0 {
				t.Errorf("%s has settled %s and holds %s of %s USD", name, spent, held, share)
			}
			fair(t, name, calls, tenant)
		}
		if spent := p.Billed(); spent > 2*share {
			t.Errorf("the provider has billed %s of %s USD", spent, 2*share)
		}
	})
}

// fair checks that no agent of a tenant had less than a third of what they had on average.
func fair(t *testing.T, name string, calls [agents]int, tenant int) {
	t.Helper()
	sum, least, most := 0, calls[tenant], 0
	for n := tenant; n < agents; n += 2 {
		sum, least, most = sum+calls[n], min(least, calls[n]), max(most, calls[n])
	}
	t.Logf("the agents of %s made %d calls, each from %d to %d", name, sum, least, most)
	if mean := float64(sum) / (agents / 2); float64(least) < mean/3 {
		t.Errorf("an agent of %s made %d calls, on average they made %.1f", name, least, mean)
	}
}
