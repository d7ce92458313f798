// Package runs opens runs with budgets and spends them with real calls: each agent up to its cap and not beyond, the
// reserve for second attempts only, those of low priority last.
package runs

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// A thousand output tokens cost a dollar: a token is a tenth of a cent.
var rates = signalbox.Rates{Output: 1000 * signalbox.Dollar}

const config = fleet.Base + `  - {id: second, secret: agent-key-of-acme-0009, tenant: acme, role: agent}
tenants:
  - id: acme
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1"}
models:
  claude-haiku: {provider: bill, context_window: 200000, max_output: 5000, price: {input: 0, output: 1000}}
  claude-sonnet: {provider: bill, context_window: 200000, max_output: 5000, price: {input: 0, output: 1000}, fallbacks: [claude-haiku]}
alerts: {defaults: false}
limits: {budget_wait: 2s}
`

// plan is the sample of the specification.
const plan = `{"budget": {"total_max_cost_usd": 0.50, "reserve_percent": 0.15}, "agents": [
  {"agent_id": "classifier", "max_input_tokens": 2000, "max_output_tokens": 500, "max_cost_usd": 0.01, "model": "claude-haiku", "priority": "critical"},
  {"agent_id": "researcher", "max_input_tokens": 50000, "max_output_tokens": 4000, "max_cost_usd": 0.20, "model": "claude-sonnet", "priority": "critical"},
  {"agent_id": "synthesizer", "max_input_tokens": 30000, "max_output_tokens": 8000, "max_cost_usd": 0.15, "model": "claude-sonnet", "priority": "critical"},
  {"agent_id": "quality-checker", "max_input_tokens": 10000, "max_output_tokens": 2000, "max_cost_usd": 0.05, "model": "claude-haiku", "priority": "normal"}]}`

// helper is an agent that the plan does not name; it is optional.
const helper = "helper"

// bench is a fleet with its provider.
type bench struct {
	*fleet.Fleet
	provider *biller.Provider
}

func launch(t *testing.T, database string, processes int) bench {
	t.Helper()
	p := biller.New(map[string]signalbox.Rates{"claude-haiku": rates, "claude-sonnet": rates})
	t.Cleanup(p.Close)
	return bench{fleet.Launch(t, strings.ReplaceAll(config, "@UPSTREAM@", p.URL), database, processes), p}
}

// stores are the two ways in which runs are kept.
func stores(t *testing.T, test func(t *testing.T, b bench)) {
	t.Run("one process on SQLite", func(t *testing.T) { test(t, launch(t, "sqlite:"+t.TempDir()+"/s.db", 1)) })
	t.Run("three processes on PostgreSQL", func(t *testing.T) { test(t, launch(t, postgrestest.Database(t), 3)) })
}

// open opens a run and gives its id.
func (b bench) open(t *testing.T, plan string) string {
	t.Helper()
	a := b.Send(t, http.MethodPost, "/api/v1/runs", harness.Agent, plan)
	var run api.RunDetail
	if err := json.Unmarshal([]byte(a.Body), &run); err != nil || a.Status != http.StatusCreated || run.ID == "" {
		t.Fatalf("opening answers %d, %v: %s", a.Status, err, a.Body)
	}
	return run.ID
}

// call makes a call of an agent that is billed all its tokens.
func (b bench) call(t *testing.T, run, agent string, tokens int, more string) harness.Answer {
	t.Helper()
	return b.Ask(t, fleet.Ask{
		Run: run, Agent: agent, Model: modelOf(agent), MaxTokens: tokens, Prompt: fmt.Sprintf("in=1 out=%d %s", tokens, more),
	})
}

// modelOf is what an agent asks for: the plan says what "auto" is for those that it names.
func modelOf(agent string) string {
	if agent == helper {
		return "claude-haiku"
	}
	return "auto"
}

// expect is call with the status that it must answer.
func (b bench) expect(t *testing.T, status int, run, agent string, tokens int, more string) harness.Answer {
	t.Helper()
	a := b.call(t, run, agent, tokens, more)
	if a.Status != status {
		t.Errorf("%s asks for %d tokens %s: status %d, want %d: %s", agent, tokens, more, a.Status, status, a.Body)
	}
	return a
}

// settled gives what each account of a run has settled, in thousandths of a dollar: tokens. Nothing may be held.
func (b bench) settled(t *testing.T, run string) map[string]int64 {
	t.Helper()
	b.Settled(t)
	all := map[string]int64{}
	for _, a := range b.Accounts(t) {
		if a.Account.Name != run || a.Account.Unit != signalbox.UnitUSD {
			continue
		}
		if a.Held != 0 {
			t.Errorf("%s holds %s", a.Account, signalbox.Money(a.Held))
		}
		all[strings.TrimSpace(string(a.Account.Kind)+" "+a.Account.Agent)] = a.Settled / int64(signalbox.Dollar/1000)
	}
	return all
}

func (b bench) wantSettled(t *testing.T, run string, want map[string]int64) {
	t.Helper()
	got := b.settled(t, run)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s has settled %d, want %d", name, got[name], n)
		}
	}
}

// The sample plan, one call after the other.
func TestAgentsKeepToTheirCaps(t *testing.T) {
	stores(t, func(t *testing.T, b bench) {
		run := b.open(t, plan)
		b.expect(t, http.StatusOK, run, "researcher", 90, "")
		b.expect(t, http.StatusOK, run, "researcher", 90, "")
		a := b.expect(t, http.StatusPaymentRequired, run, "researcher", 50, "")
		if !strings.Contains(a.Body, "researcher") || !strings.Contains(a.Body, "0.2 ") {
			t.Errorf("the refusal does not name the agent's cap: %s", a.Body)
		}
		b.expect(t, http.StatusOK, run, "researcher", 20, "")
		b.expect(t, http.StatusPaymentRequired, run, "researcher", 1, "")
		b.expect(t, http.StatusOK, run, "classifier", 10, "")
		b.expect(t, http.StatusPaymentRequired, run, "classifier", 1, "")

		// 0.425 are planned and 0.21 spent; 0.20 of the rest belong to the synthesizer and the checker.
		b.expect(t, http.StatusPaymentRequired, run, helper, 16, "")
		b.expect(t, http.StatusOK, run, helper, 15, "")
		b.expect(t, http.StatusPaymentRequired, run, helper, 1, "")
		b.expect(t, http.StatusPaymentRequired, run, "quality-checker", 51, "")
		b.expect(t, http.StatusOK, run, "quality-checker", 50, "")
		b.expect(t, http.StatusOK, run, "synthesizer", 150, "")
		b.expect(t, http.StatusPaymentRequired, run, "synthesizer", 1, "")
		b.wantSettled(t, run, map[string]int64{
			"run": 425, "planned": 425, "reserve": 0, "run_agent researcher": 200, "run_agent classifier": 10,
			"run_agent synthesizer": 150, "run_agent quality-checker": 50,
		})
		b.shown(t, run)
		b.SameAsLedger(t)
	})
}

// shown checks what the API says of the run.
func (b bench) shown(t *testing.T, run string) {
	t.Helper()
	var d api.RunDetail
	b.Next().Get(t, "/runs/"+run, url.Values{}, &d)
	if d.Plan == nil || d.Plan.Total != "0.5" || d.Plan.Planned != "0.425" || d.Plan.Kept != "0.075" || d.Cost != "0.425" || d.State == nil || *d.State != signalbox.RunRunning {
		t.Errorf("the run is shown as %+v with the plan %+v", d.Run, d.Plan)
	}
	left := map[string]string{}
	for _, a := range d.Accounts {
		if a.Unit == signalbox.UnitUSD && a.Left != nil {
			name := string(a.Kind)
			if a.Agent != nil {
				name += " " + *a.Agent
			}
			left[name] = *a.Left
		}
	}
	for name, want := range map[string]string{"run": "0.075", "planned": "0", "reserve": "0.075", "run_agent classifier": "0"} {
		if left[name] != want {
			t.Errorf("%s is shown with %q left, want %s", name, left[name], want)
		}
	}
}

// All agents at once, each with more calls than its cap pays for: each gets what is kept for it, over replicas too.
func TestAgentsKeepToTheirCapsAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, b bench) {
		run := b.open(t, plan)
		b.hammer(t, run)
		got := b.settled(t, run)
		t.Logf("settled, in thousandths of a dollar: %v", got)
		for name, most := range map[string]int64{
			"run": 425, "planned": 425, "run_agent researcher": 200, "run_agent classifier": 10, "run_agent synthesizer": 150,
			"run_agent quality-checker": 50,
		} {
			if got[name] != most {
				t.Errorf("%s has settled %d of %d", name, got[name], most)
			}
		}
		if got["reserve"] != 0 || got["run"] != got["planned"] {
			t.Errorf("first attempts have used %d of the reserve", got["reserve"])
		}
		b.SameAsLedger(t)
	})
}

// hammer lets six clients of each agent call until they are refused.
func (b bench) hammer(t *testing.T, run string) {
	var all sync.WaitGroup
	for _, agent := range []string{"classifier", "researcher", "synthesizer", "quality-checker", helper} {
		for range 6 {
			all.Go(func() {
				a := fleet.Ask{Run: run, Agent: agent, Model: modelOf(agent), MaxTokens: 5, Prompt: "in=1 out=5 wait=3ms"}
				for range 12 {
					answer, err := a.Try(b.Next())
					if err != nil {
						t.Error(err)
					}
					if answer.Status == http.StatusPaymentRequired {
						return
					}
				}
			})
		}
	}
	all.Wait()
}
