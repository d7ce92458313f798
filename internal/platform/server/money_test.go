package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// asked makes a request of the control API and decodes its answer, which must have that status.
func asked[T any](i *instance, status int, method, path, key, body string) T {
	i.t.Helper()
	response, text := i.send(method, "/api/v1"+path, key, body)
	var v T
	if response.StatusCode != status {
		i.t.Fatalf("%s %s answers %d, want %d: %s", method, path, response.StatusCode, status, text)
	}
	if err := json.UnmarshalKnown([]byte(text), &v); err != nil {
		i.t.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
	return v
}

// balances writes accounts as texts: identity without its window, cap, settled, held.
func balances(list []api.Account) map[string]string {
	texts := map[string]string{}
	for _, a := range list {
		limit := "-"
		if a.Cap != nil {
			limit = *a.Cap
		}
		f := strings.Fields(a.Account)
		texts[strings.Join(f[:6], " ")] = fmt.Sprintf("%s %s %s", limit, a.Settled, a.Held)
	}
	return texts
}

func wantBalances(t *testing.T, got []api.Account, want map[string]string) {
	t.Helper()
	texts := balances(got)
	for name, balance := range want {
		if texts[name] != balance {
			t.Errorf("%s: got %q, want %q", name, texts[name], balance)
		}
	}
}

const (
	thrifty = `
tenants:
  - {id: acme, timezone: Asia/Seoul, budgets: [{unit: usd, per: day, max: 10}, {unit: usd, per: run, max: 2}]}
  - {id: globex, budgets: [{unit: tokens, per: month, max: 1000}]}
teams: [{id: cs, tenant: acme, budgets: [{unit: usd, per: week, max: 5}]}]
agents: [{id: writer, budgets: [{unit: usd, per: hour, max: 1}]}]
keys:
  - {id: admin, secret: the-admin-key-of-acme, tenant: acme, role: admin}
  - {id: agent, secret: the-agent-key-of-acme, tenant: acme, role: agent, agent: writer, team: cs}
  - {id: other, secret: the-other-key-of-acme, tenant: acme, role: agent}
  - {id: foreign, secret: the-agent-key-of-globex, tenant: globex, role: agent}
`
	somePlan = `{"budget": {"total_max_cost_usd": 1, "reserve_percent": 0.2, "max_steps": 9},
 "agents": [{"agent_id": "writer", "max_cost_usd": "0.50", "priority": "critical"}], "idle_timeout_seconds": 60}`
)

// TestARunWithABudget: a run is opened, used, seen with its accounts, corrected by the bill and ended, and takes no more
// calls; other keys and tenants can neither use nor end it.
func TestARunWithABudget(t *testing.T) {
	i := started(t, t.TempDir(), thrifty+simulatedModel)
	run := asked[api.RunDetail](i, http.StatusCreated, http.MethodPost, "/runs", agentKey, somePlan)
	if *run.State != signalbox.RunRunning || *run.KeyID != "agent" || *run.Idle != 60 || run.Plan.Kept != "0.2" || run.Plan.Planned != "0.8" {
		t.Errorf("the run is %+v, its plan %+v", run, run.Plan)
	}
	wantBalances(t, run.Accounts, map[string]string{
		"run acme " + run.ID + " - usd run": "1 0 0", "run acme " + run.ID + " - steps run": "9 0 0",
		"planned acme " + run.ID + " - usd run": "0.8 0 0", "reserve acme " + run.ID + " - usd run": "0.2 0 0",
		"run_agent acme " + run.ID + " writer usd run": "0.5 0 0",
	})
	response, text := i.send(http.MethodPost, chatPath, agentKey, chat("small", false), "X-Signalbox-Run", run.ID)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", response.StatusCode, text)
	}
	for header, want := range map[string]string{
		"Account": "run " + run.ID, "Unit": "steps", "Cap": "9", "Settled": "1", "Held": "0", "Left": "8", "Resets-At": "",
	} {
		if got := response.Header.Get("X-Signalbox-Budget-" + header); got != want {
			t.Errorf("the header X-Signalbox-Budget-%s is %q, want %q", header, got, want)
		}
	}
	call := i.detail(response.Header.Get("X-Signalbox-Call"))
	i.corrects(run.ID, call.ID, *call.CostEstimate)
	i.refusesOthers(run.ID)
	ended := asked[api.RunDetail](i, http.StatusOK, http.MethodPost, "/runs/"+run.ID+"/end", agentKey, "")
	if *ended.State != signalbox.RunEnded || ended.Ended == nil {
		t.Errorf("the ended run is %+v", ended)
	}
	asked[api.RunDetail](i, http.StatusOK, http.MethodPost, "/runs/"+run.ID+"/end", adminKey, "")
	if response, text := i.send(http.MethodPost, chatPath, agentKey, chat("small", false), "X-Signalbox-Run", run.ID); response.StatusCode < 400 {
		t.Errorf("the ended run takes a call: %d %s", response.StatusCode, text)
	}
}

func (i *instance) refusesOthers(run string) {
	i.t.Helper()
	asked[api.AnswerError](i, http.StatusForbidden, http.MethodPost, "/runs/"+run+"/end", "the-other-key-of-acme", "")
	asked[api.AnswerError](i, http.StatusNotFound, http.MethodPost, "/runs/"+run+"/end", "the-agent-key-of-globex", "")
	asked[api.AnswerError](i, http.StatusNotFound, http.MethodGet, "/runs/"+run, "the-agent-key-of-globex", "")
	if response, text := i.send(http.MethodPost, chatPath, "the-other-key-of-acme", chat("small", false), "X-Signalbox-Run", run); response.StatusCode < 400 {
		i.t.Errorf("another key uses the run: %d %s", response.StatusCode, text)
	}
}

// corrects reconciles the run's only call, and checks that accounts, totals and the log follow, once.
func (i *instance) corrects(run, call, was string) {
	i.t.Helper()
	bill := fmt.Sprintf(`{"items":[{"call_id":%q,"cost_usd":"0.123456789"},{"call_id":%[1]q,"cost_usd":0.123456789},{"call_id":"call_nobody","cost_usd":1},{"call_id":%[1]q,"cost_usd":"-1"},{"call_id":%[1]q,"cost_usd":"1 EUR"}]}`, call)
	done := asked[api.Reconciliation](i, http.StatusOK, http.MethodPost, "/costs/reconcile", adminKey, bill)
	if done.Corrected != 1 || done.Unchanged != 1 || done.Refused != 3 || *done.Items[0].Was != was {
		i.t.Fatalf("the bill gives %+v", done)
	}
	for n, field := range map[int]string{2: "call_id", 3: "items[3].cost_usd", 4: "items[4].cost_usd"} {
		if e := done.Items[n].Error; e == nil || e.Field == nil || *e.Field != field {
			i.t.Errorf("item %d: got %+v, want the field %s", n, e, field)
		}
	}
	again := asked[api.Reconciliation](i, http.StatusOK, http.MethodPost, "/costs/reconcile", adminKey, bill)
	if again.Corrected != 0 || again.Unchanged != 2 {
		i.t.Errorf("the same bill again gives %+v", again)
	}
	eventually(i.t, func() error {
		r := asked[api.RunDetail](i, http.StatusOK, http.MethodGet, "/runs/"+run, agentKey, "")
		c := asked[api.CallDetail](i, http.StatusOK, http.MethodGet, "/calls/"+call, agentKey, "")
		if r.Cost != "0.123456789" || *c.CostEstimate != r.Cost || *c.CostBasis != signalbox.BasisReported {
			return fmt.Errorf("the run has cost %s, the call %s (%s)", r.Cost, *c.CostEstimate, *c.CostBasis)
		}
		return nil
	})
	list := asked[api.Page[api.Account]](i, http.StatusOK, http.MethodGet, "/accounts?limit=500", adminKey, "")
	wantBalances(i.t, list.Items, map[string]string{
		"tenant acme - - usd day": "10 0.123456789 0", "team acme cs - usd week": "5 0.123456789 0",
		"agent acme writer - usd hour": "1 0.123456789 0", "tenant globex - - tokens month": "1000 0 0",
		"run acme " + run + " - usd run": "1 0.123456789 0", "planned acme " + run + " - usd run": "0.8 0.123456789 0",
		"reserve acme " + run + " - usd run": "0.2 0 0", "run_agent acme " + run + " writer usd run": "0.5 0.123456789 0",
	})
	costs := asked[api.Costs](i, http.StatusOK, http.MethodGet, "/costs?by=agent", adminKey, "")
	if len(costs.Totals) != 1 || costs.Totals[0].Cost != "0.123456789" {
		i.t.Errorf("the totals are %+v", costs.Totals)
	}
	for _, l := range list.Items {
		if b, known := i.ledger.Balance(l.Account); known && l.Unit == signalbox.UnitUSD && signalbox.Money(b.Settled).String() != l.Settled {
			i.t.Errorf("%s: the ledger knows %s, the store %s", l.Account, signalbox.Money(b.Settled), l.Settled)
		}
	}
	if report := asked[api.VerifyReport](i, http.StatusOK, http.MethodPost, "/audit/verify", adminKey, ""); !report.OK {
		i.t.Errorf("the log does not verify: %+v", report)
	}
}

// An account that an overrun has closed refuses until it is reopened, which is on record; pages fit together.
func TestAccountsAreReopenedAndPaged(t *testing.T) {
	i := started(t, t.TempDir(), thrifty+simulatedModel)
	response, text := i.send(http.MethodPost, chatPath, agentKey, chat("small", false))
	cost := response.Header.Get("X-Signalbox-Cost-Usd")
	if h := response.Header; h.Get("X-Signalbox-Budget-Account") != "agent writer" || h.Get("X-Signalbox-Budget-Unit") != "usd" ||
		h.Get("X-Signalbox-Budget-Cap") != "1" || h.Get("X-Signalbox-Budget-Settled") != cost || h.Get("X-Signalbox-Budget-Resets-At") == "" {
		t.Errorf("the headers of %s are %v", text, h)
	}
	var names []string
	for next := ""; ; {
		page := asked[api.Page[api.Account]](i, http.StatusOK, http.MethodGet, "/accounts?limit=1&cursor="+url.QueryEscape(next), adminKey, "")
		for _, a := range page.Items {
			names = append(names, a.Account)
		}
		if page.Next == nil {
			break
		}
		next = *page.Next
	}
	all := asked[api.Page[api.Account]](i, http.StatusOK, http.MethodGet, "/accounts", adminKey, "")
	if len(names) != len(all.Items) || len(names) < 4 {
		t.Errorf("pages have %v, the list has %d", names, len(all.Items))
	}
	mine := asked[api.Page[api.Account]](i, http.StatusOK, http.MethodGet, "/accounts?current=false", "the-agent-key-of-globex", "")
	if len(mine.Items) != 0 {
		t.Errorf("globex sees %+v", mine.Items)
	}
	var day string
	for _, a := range all.Items {
		if a.Kind == signalbox.OwnerTenant && a.Tenant == "acme" && *a.Per == signalbox.WindowDay {
			day = a.Account
		}
	}
	entries := []signalbox.LedgerEntry{{Account: day, Settled: 1, Closed: true}}
	if err := i.admin(context.Background(), signalbox.Caller{}, "acme", signalbox.What{Action: "test"},
		signalbox.Post{Replica: signalbox.LocalReplica, Entries: entries}); err != nil {
		t.Fatal(err)
	}
	if err := i.ledger.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	i.answers("closed", agentKey, "small", http.StatusPaymentRequired)
	body := fmt.Sprintf(`{"account":%q}`, day)
	asked[api.AnswerError](i, http.StatusForbidden, http.MethodPost, "/accounts/reopen", agentKey, body)
	asked[api.AnswerError](i, http.StatusNotFound, http.MethodPost, "/accounts/reopen", adminKey, `{"account":"tenant acme - - usd day 2020-01-01T00:00:00Z"}`)
	for range 2 {
		if a := asked[api.Account](i, http.StatusOK, http.MethodPost, "/accounts/reopen", adminKey, body); a.Closed {
			t.Errorf("it is closed: %+v", a)
		}
	}
	i.answers("reopened", agentKey, "small", http.StatusOK)
	_, text = i.send(http.MethodGet, "/api/v1/audit?limit=500", adminKey, "")
	if n := strings.Count(text, signalbox.ActionAccountReopened); n != 1 {
		t.Errorf("the log has %d records of it", n)
	}
}

// A halt shows in alerts, brakes and the run; lifted, the run goes on.
func TestBrakesAreLifted(t *testing.T) {
	i := started(t, t.TempDir(), thrifty+simulatedModel+`
alerts: {rules: [{id: stop, level: critical, threshold_usd: 0.000001, per: run, action: halt}]}
`)
	run := asked[api.RunDetail](i, http.StatusCreated, http.MethodPost, "/runs", agentKey, somePlan)
	call := func() int {
		response, _ := i.send(http.MethodPost, chatPath, agentKey, chat("small", false), "X-Signalbox-Run", run.ID)
		return response.StatusCode
	}
	if got := call(); got != http.StatusOK {
		t.Fatalf("the first call gives %d", got)
	}
	eventually(t, func() error {
		if page := asked[api.Page[api.Brake]](i, http.StatusOK, http.MethodGet, "/brakes", agentKey, ""); len(page.Items) != 1 {
			return fmt.Errorf("brakes are %+v", page.Items)
		}
		return nil
	})
	brake := asked[api.Page[api.Brake]](i, http.StatusOK, http.MethodGet, "/brakes", agentKey, "").Items[0]
	halted := asked[api.RunDetail](i, http.StatusOK, http.MethodGet, "/runs/"+run.ID, agentKey, "")
	if got := call(); got != signalbox.CodeFrozen.Status() || *halted.State != signalbox.RunHalted || halted.Brake == nil || halted.Brake.ID != brake.ID {
		t.Errorf("a call gives %d; the run is %s, its brake %+v, the brakes' %+v", got, *halted.State, halted.Brake, brake)
	}
	asked[api.AnswerError](i, http.StatusForbidden, http.MethodPost, "/brakes/"+brake.ID+"/lift", agentKey, "")
	lifted := asked[api.Brake](i, http.StatusOK, http.MethodPost, "/brakes/"+brake.ID+"/lift", adminKey, "")
	asked[api.Brake](i, http.StatusOK, http.MethodPost, "/brakes/"+brake.ID+"/lift", adminKey, "")
	if lifted.Holds || *lifted.LiftedBy != "admin" {
		t.Errorf("the lifted brake is %+v", lifted)
	}
	if got := call(); got != http.StatusOK {
		t.Errorf("after the lift a call gives %d", got)
	}
	alerts := asked[api.Page[api.Alert]](i, http.StatusOK, http.MethodGet, "/alerts?level=critical&run="+run.ID, agentKey, "")
	if len(alerts.Items) != 1 || alerts.Items[0].Brake == nil || alerts.Items[0].Brake.Lifted == nil || alerts.Items[0].Threshold != "0.000001" {
		t.Errorf("alerts are %+v", alerts.Items)
	}
	if page := asked[api.Page[api.Alert]](i, http.StatusOK, http.MethodGet, "/alerts", "the-agent-key-of-globex", ""); len(page.Items) != 0 {
		t.Errorf("globex sees %+v", page.Items)
	}
}
