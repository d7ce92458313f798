package api_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// The seed's sample plan: 0.41 of 0.425.
func TestTheSamplePlanIsAccepted(t *testing.T) {
	plan, err := os.ReadFile("testdata/analysis-plan.json")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t).ask(http.MethodPost, "/api/v1/runs", agent, string(plan))
	run := decoded[api.RunDetail](t, a)
	if a.status != http.StatusCreated || run.Plan.Total != "0.5" || run.Plan.Reserve != 15 || run.Plan.Planned != "0.425" ||
		len(run.Plan.Agents) != 4 || *run.Plan.Agents[2].MaxCost != "0.15" || run.Plan.Agents[3].Priority != signalbox.PriorityNormal {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func decoded[T any](t failer, a answer) (v T) {
	t.Helper()
	if err := json.UnmarshalKnown(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

func TestPlansThatAreRefused(t *testing.T) {
	s := open(t)
	agents := func(text string) string { return `{"budget":{"total_max_cost_usd":1},"agents":[` + text + `]}` }
	total := func(text string) string { return `{"budget":{"total_max_cost_usd":` + text + `}}` }
	for _, c := range []struct{ name, body, field, says string }{
		{"no object", `[]`, "body", "JSON object"},
		{"twice", `{"budget":{},"budget":{}}`, "body", "duplicate"},
		{"no budget", `{}`, "budget", "missing"},
		{"no total", `{"budget":{}}`, "budget.total_max_cost_usd", "missing"},
		{"null", total("null"), "budget.total_max_cost_usd", "missing"},
		{"zero", total("0"), "budget.total_max_cost_usd", "no call"},
		{"negative", total(`"-1"`), "budget.total_max_cost_usd", "negative"},
		{"euros", total(`"1 EUR"`), "budget.total_max_cost_usd", "another currency"},
		{"won", total(`"₩500"`), "budget.total_max_cost_usd", "another currency"},
		{"dollars", total(`"$1"`), "budget.total_max_cost_usd", "plain number"},
		{"ten decimals", total(`"0.0000000001"`), "budget.total_max_cost_usd", "nine decimals"},
		{"too small by its exponent", total(`1e-10`), "budget.total_max_cost_usd", "nine decimals"},
		{"too much", total(`1000000001`), "budget.total_max_cost_usd", "too much"},
		{"too much by far", total(`1e29`), "budget.total_max_cost_usd", "too much"},
		{"a flag", total(`true`), "budget.total_max_cost_usd", "not an amount"},
		{"another currency's member", `{"budget":{"total_max_cost_krw":1}}`, "budget.total_max_cost_krw", "US dollars only"},
		{"reserve", `{"budget":{"total_max_cost_usd":1,"reserve_percent":0.21}}`, "budget.reserve_percent", "21 %"},
		{"half a per cent", `{"budget":{"total_max_cost_usd":1,"reserve_percent":15.5}}`, "budget.reserve_percent", "whole per cents"},
		{"unknown member", agents(`{"agent_id":"a","max_cost":1}`), "agents[0].max_cost", "not known"},
		{"no agent id", agents(`{"max_steps":1}`), "agents[0].agent_id", "missing"},
		{"priority", agents(`{"agent_id":"a","priority":"high"}`), "agents[0].priority", "priority"},
		{"half a token", agents(`{"agent_id":"a","max_input_tokens":1.5}`), "agents[0].max_input_tokens", "whole number"},
		{"named twice", agents(`{"agent_id":"a"},{"agent_id":"a"}`), "agents[1].agent_id", "twice"},
		{"too much in all", agents(`{"agent_id":"a","max_cost_usd":0.5},{"agent_id":"b","max_cost_usd":"0.36"}`), "agents", "0.86 USD, but 0.85 USD"},
		{"idle for ever", `{"budget":{"total_max_cost_usd":1},"idle_timeout_seconds":9000000000}`, "idle_timeout_seconds", "out of range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := decoded[api.AnswerError](t, s.ask(http.MethodPost, "/api/v1/runs", agent, c.body)).Err
			if e.Code != signalbox.CodeInvalid || e.Field == nil || *e.Field != c.field || !strings.Contains(e.Message, c.says) || e.Remedy == "" {
				t.Errorf("got %+v (field %v), want the field %s and %q", e, orDash(e.Field), c.field, c.says)
			}
		})
	}
	e := decoded[api.AnswerError](t, s.ask(http.MethodPost, "/api/v1/runs", agent, `{"flow":"analysis"}`)).Err
	if e.Code != signalbox.CodeNotImplemented {
		t.Errorf("a flow gives %+v", e)
	}
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// Amounts pass exactly, however they are written.
func TestAmountsAreExact(t *testing.T) {
	s := open(t)
	rapid.Check(t, func(t *rapid.T) {
		m := signalbox.Money(rapid.Int64Range(1, int64(api.MaxPlanCost)).Draw(t, "nano-dollars"))
		text := rapid.SampledFrom([]string{m.String(), `"` + m.String() + `"`, fmt.Sprintf("%de-9", int64(m)), m.String() + "E0"}).Draw(t, "text")
		a := s.ask(http.MethodPost, "/api/v1/runs", agent, `{"budget":{"total_max_cost_usd":`+text+`}}`)
		if run := decoded[api.RunDetail](t, a); run.Plan == nil || run.Plan.Total != m.String() {
			t.Fatalf("%s became %s", text, a.body)
		}
	})
}
