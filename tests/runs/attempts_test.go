package runs

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// small is a plan with one agent, whose cap one call of 50 tokens uses up, and a reserve of 20.
const small = `{"budget": {"total_max_cost_usd": "0.1", "reserve_percent": 20%s}, "agents": [
  {"agent_id": "worker", "max_cost_usd": "0.02", "model": "claude-sonnet", "priority": "critical"}]%s}`

// A second attempt is paid from the reserve, also where the first one has used up the agent's cap; a first one never is.
func TestTheReservePaysForFurtherAttempts(t *testing.T) {
	stores(t, func(t *testing.T, b bench) {
		t.Run("after an error that costs nothing", func(t *testing.T) {
			run := b.open(t, fmt.Sprintf(small, "", ""))
			b.expect(t, http.StatusOK, run, "worker", 10, "claude-sonnet.status=500")
			b.wantSettled(t, run, map[string]int64{"run": 10, "planned": 0, "reserve": 10, "run_agent worker": 0})
			b.expect(t, http.StatusOK, run, "worker", 20, "")
			b.expect(t, http.StatusPaymentRequired, run, "worker", 1, "")
			b.wantSettled(t, run, map[string]int64{"run": 30, "planned": 20, "reserve": 10, "run_agent worker": 20})
		})
		t.Run("after one that used up the agent's cap", func(t *testing.T) {
			run := b.open(t, fmt.Sprintf(small, "", ""))
			a := b.expect(t, http.StatusOK, run, "worker", 20, "claude-sonnet.early")
			b.wantSettled(t, run, map[string]int64{"run": 40, "planned": 20, "reserve": 20, "run_agent worker": 20})
			b.Settled(t) // On PostgreSQL a record gets its place in the log a moment after its call was answered.
			if n := len(b.Outcomes(t)[a.Header.Get("X-Signalbox-Call")].Attempts); n != 2 {
				t.Errorf("the record has %d attempts", n)
			}
			b.expect(t, http.StatusPaymentRequired, run, "worker", 1, "")
		})
		b.SameAsLedger(t)
	})
}

func TestStepsOfARunAreCounted(t *testing.T) {
	stores(t, func(t *testing.T, b bench) {
		run := b.open(t, fmt.Sprintf(small, `, "max_steps": 3`, ""))
		b.expect(t, http.StatusOK, run, "worker", 1, "")
		b.expect(t, http.StatusOK, run, "worker", 1, "claude-sonnet.status=500") // Two attempts are one step.
		b.expect(t, http.StatusOK, run, helper, 1, "")
		a := b.expect(t, http.StatusPaymentRequired, run, "worker", 1, "")
		if !strings.Contains(a.Body, "steps") {
			t.Errorf("the refusal does not name the steps: %s", a.Body)
		}
	})
}

func TestRunsThatAreOver(t *testing.T) {
	stores(t, func(t *testing.T, b bench) {
		t.Run("ended", func(t *testing.T) {
			run := b.open(t, plan)
			b.expect(t, http.StatusOK, run, "researcher", 5, "")
			if a := (fleet.Ask{Key: "agent-key-of-acme-0009", Run: run, Agent: "researcher", Model: "auto", Prompt: "out=1"}).Send(t, b.Next()); a.Status != http.StatusForbidden {
				t.Errorf("a call with another key than the run's answers %d: %s", a.Status, a.Body)
			}
			if a := b.Send(t, http.MethodPost, "/api/v1/runs/"+run+"/end", harness.Agent, ""); a.Status != http.StatusOK {
				t.Fatalf("ending answers %d: %s", a.Status, a.Body)
			}
			b.over(t, run)
		})
		t.Run("expired", func(t *testing.T) {
			run := b.open(t, fmt.Sprintf(small, "", `, "idle_timeout_seconds": 1`))
			b.expect(t, http.StatusOK, run, "worker", 5, "")
			harness.Eventually(t, func() error {
				var d api.RunDetail
				if err := b.Next().TryGet("/runs/"+run, url.Values{}, &d); err != nil {
					return err
				}
				if d.State == nil || *d.State != signalbox.RunExpired {
					return fmt.Errorf("the idle run is %v", d.State)
				}
				return nil
			})
			b.over(t, run)
		})
	})
}

// over waits until every process refuses calls of a run, as one that has ended.
func (b bench) over(t *testing.T, run string) {
	t.Helper()
	for n := range b.Size() {
		harness.Eventually(t, func() error {
			a := fleet.Ask{Run: run, Agent: helper, Model: modelOf(helper), MaxTokens: 1, Prompt: "out=1"}.Send(t, b.At(n))
			if a.Status != http.StatusConflict {
				return fmt.Errorf("process %d answers %d in a run that is over: %s", n, a.Status, a.Body)
			}
			return nil
		})
	}
}

func TestPlansMustAddUp(t *testing.T) {
	b := launch(t, "sqlite:"+t.TempDir()+"/s.db", 1)
	for _, c := range []struct {
		name, old, text string
		want            []string
	}{
		{"agents over the total without the reserve", `"max_cost_usd": 0.20`, `"max_cost_usd": 0.22`, []string{"0.43", "0.425"}},
		{"a reserve out of range", `"reserve_percent": 0.15`, `"reserve_percent": 25`, []string{"reserve_percent"}},
		{"another currency", `"total_max_cost_usd": 0.50`, `"total_max_cost_krw": 500`, []string{"currency"}},
		{"a negative cap", `"max_cost_usd": 0.01`, `"max_cost_usd": -0.01`, []string{"max_cost_usd"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.Send(t, http.MethodPost, "/api/v1/runs", harness.Agent, strings.Replace(plan, c.old, c.text, 1))
			if a.Status != http.StatusBadRequest {
				t.Errorf("status %d: %s", a.Status, a.Body)
			}
			for _, word := range append(c.want, `"remedy"`, `"field"`) {
				if !strings.Contains(a.Body, word) {
					t.Errorf("the refusal does not say %q: %s", word, a.Body)
				}
			}
		})
	}
}
