package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// seedFields are those that every row of a call must have.
var seedFields = []string{
	"request_id", "run_id", "agent_id", "tool_name", "model_name", "latency_ms", "input_tokens", "output_tokens",
	"cost_estimate", "risk_level",
}

// rows decodes a list without knowing its types.
func rows(t *testing.T, body []byte) []map[string]json.Value {
	t.Helper()
	var page struct {
		Items []map[string]json.Value `json:"items"`
		Next  *string                 `json:"next"`
		AsOf  string                  `json:"as_of"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if at, err := time.Parse(time.RFC3339Nano, page.AsOf); err != nil || !strings.HasSuffix(page.AsOf, "Z") || at.IsZero() {
		t.Errorf("as_of is %q", page.AsOf)
	}
	return page.Items
}

// Every row has the seed's ten fields, null where they do not apply; money is a decimal string, times are UTC.
func TestCallRow(t *testing.T) {
	s := open(t)
	s.write(all(
		sample{n: 0, tenant: "acme", team: "cs", agent: "planner", run: "run_1", trace: hex32(0), model: "small", outcome: "ok"},
		sample{n: 1, tenant: "acme", trace: hex32(1), tool: "files.read", outcome: "ok", unpriced: true},
		sample{n: 2, tenant: "acme", trace: hex32(2), model: "small", outcome: "denied"},
		sample{n: 3, tenant: "acme", trace: hex32(3), model: "small"},
	)...)
	want := []map[string]string{ // Newest first.
		{
			"request_id": `"req-3-of-acme"`, "run_id": `null`, "agent_id": `null`, "tool_name": `null`, "model_name": `"small"`,
			"latency_ms": `null`, "input_tokens": `null`, "output_tokens": `null`, "cost_estimate": `null`, "risk_level": `null`,
			"outcome": `"running"`, "cost_basis": `null`, "step_index": `3`,
		},
		{
			"model_name": `"small"`, "tool_name": `null`, "latency_ms": `250`, "input_tokens": `null`, "cost_estimate": `null`,
			"outcome": `"denied"`, "error_code": `"upstream"`, "attempts": `0`,
		},
		{
			"tool_name": `"files.read"`, "model_name": `null`, "kind": `"tool"`, "cost_estimate": `null`, "cost_basis": `"unpriced"`,
			"input_tokens": `100`, "protocol": `"mcp"`, "provider": `null`,
		},
		{
			"request_id": `"req-0-of-acme"`, "run_id": `"run_1"`, "agent_id": `"planner"`, "tool_name": `null`,
			"model_name": `"small"`, "latency_ms": `250`, "input_tokens": `100`, "output_tokens": `20`, "cache_read_tokens": `40`,
			"cost_estimate": `"0.00000125"`, "risk_level": `null`, "time": `"2026-11-22T09:58:07.123456Z"`, "tenant": `"acme"`,
			"team": `"cs"`, "outcome": `"ok"`, "error_code": `null`, "simulated": `false`,
		},
	}
	got := rows(t, s.ask(http.MethodGet, "/api/v1/calls", agent, "").body)
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i, row := range got {
		for _, field := range seedFields {
			if row[field] == nil {
				t.Errorf("row %d has no %s", i, field)
			}
		}
		for field, value := range want[i] {
			if string(row[field]) != value {
				t.Errorf("row %d: %s is %s, want %s", i, field, row[field], value)
			}
		}
	}
}

// A call's detail is its row and what its records hold.
func TestCallDetail(t *testing.T) {
	s := open(t)
	s.write(all(
		sample{n: 0, tenant: "acme", trace: hex32(0), model: "small", outcome: "ok", attempts: 2},
		sample{n: 1, tenant: "acme", trace: hex32(1), model: "small"},
		sample{n: 2, tenant: "acme", trace: hex32(2), model: "small", outcome: "denied"},
	)...)
	d := get[api.CallDetail](s, "/calls/"+sample{n: 0}.id(), agent)
	if len(d.Detail) != 2 || d.Attempts != 2 || d.Rates == nil || d.Rates.Input != "1" || d.Rates.CacheRead != nil || d.Rates.PerCall != "0" {
		t.Errorf("attempts %+v, rates %+v", d.Detail, d.Rates)
	}
	if d.InputSummary == nil || *d.InputSummary != "asked by acme" || d.OutputSummary != nil || d.Stations.Gate != signalbox.StatusPassed {
		t.Errorf("summaries %v and %v, stations %+v", d.InputSummary, d.OutputSummary, d.Stations)
	}
	for name, got := range map[string]*string{"rule of acme": d.PolicyRule, "appr_1": d.ApprovalID, "ann, bob": d.ApprovedBy, "grant_1": d.BreakGlass} {
		if got == nil || *got != name {
			t.Errorf("who let it pass: %v, want %q", got, name)
		}
	}
	if d.Record.Intent == nil || *d.Record.Intent != 0 || d.Record.Outcome == nil || *d.Record.Outcome != 1 {
		t.Errorf("records %v and %v", d.Record.Intent, d.Record.Outcome)
	}
	if d := get[api.CallDetail](s, "/calls/"+sample{n: 1}.id(), agent); d.Outcome != signalbox.OutcomeRunning || d.Record.Outcome != nil || len(d.Detail) != 1 {
		t.Errorf("a running call: outcome %s, record %v, attempts %d", d.Outcome, d.Record.Outcome, len(d.Detail))
	}
	d = get[api.CallDetail](s, "/calls/"+sample{n: 2}.id(), agent)
	if d.Error == nil || d.Error.Remedy != "Retry." || d.Record.Intent != nil || d.Detail == nil || len(d.Detail) != 0 {
		t.Errorf("a refused call: error %+v, intent %v, attempts %v", d.Error, d.Record.Intent, d.Detail)
	}
}

// Each filter gives exactly the calls that match it, and filters restrict each other.
func TestCallFilters(t *testing.T) {
	s := open(t)
	var calls []sample
	outcomes := []signalbox.Outcome{"ok", "failed", "", "denied", "cancelled", "unknown", "blocked"}
	for n := range 84 {
		c := sample{
			n: n, tenant: tenants[n%2], team: []string{"", "cs", "rd"}[n%3], agent: []string{"", "planner"}[n/2%2],
			run: []string{"", "run_1", "run_2"}[n/3%3], trace: hex32(n % 5), outcome: outcomes[n%7], at: time.Duration(n) * time.Minute,
		}
		if n%4 == 0 {
			c.tool = "files.read"
		} else {
			c.model = []string{"small", "large"}[n%2]
		}
		calls = append(calls, c)
		s.write(c.records()...)
	}
	at := func(n int) string { return start.Add(time.Duration(n) * time.Minute).Format(time.RFC3339Nano) }
	for _, c := range []struct {
		name  string
		query []string
		keep  func(sample) bool
	}{
		{"none", nil, func(sample) bool { return true }},
		{"tenant", []string{"tenant", "globex"}, func(c sample) bool { return c.tenant == "globex" }},
		{"team", []string{"team", "cs"}, func(c sample) bool { return c.team == "cs" }},
		{"agent", []string{"agent", "planner"}, func(c sample) bool { return c.agent == "planner" }},
		{"model", []string{"model", "large"}, func(c sample) bool { return c.model == "large" }},
		{"tool", []string{"tool", "files.read"}, func(c sample) bool { return c.tool == "files.read" }},
		{"kind model", []string{"kind", "model"}, func(c sample) bool { return c.model != "" }},
		{"kind tool", []string{"kind", "tool"}, func(c sample) bool { return c.model == "" }},
		{"outcome ok", []string{"outcome", "ok"}, func(c sample) bool { return c.outcome == "ok" }},
		{"outcome running", []string{"outcome", "running"}, func(c sample) bool { return c.outcome == "" }},
		{"outcome blocked", []string{"outcome", "blocked"}, func(c sample) bool { return c.outcome == "blocked" }},
		{"run", []string{"run", "run_2"}, func(c sample) bool { return c.run == "run_2" }},
		{"trace", []string{"trace", hex32(3)}, func(c sample) bool { return c.n%5 == 3 }},
		{"from", []string{"from", at(40)}, func(c sample) bool { return c.n >= 40 }},
		{"to", []string{"to", at(40)}, func(c sample) bool { return c.n < 40 }},
		{
			"range with an offset",
			[]string{"from", start.Add(10 * time.Minute).In(time.FixedZone("", 9*3600)).Format(time.RFC3339Nano), "to", at(12)},
			func(c sample) bool { return c.n == 10 || c.n == 11 },
		},
		{"empty range", []string{"from", at(12), "to", at(12)}, func(sample) bool { return false }},
		{
			"tenant, team and outcome",
			[]string{"tenant", "acme", "team", "cs", "outcome", "failed"},
			func(c sample) bool { return c.tenant == "acme" && c.team == "cs" && c.outcome == "failed" },
		},
		{
			"trace, run and kind",
			[]string{"trace", hex32(1), "run", "run_1", "kind", "model"},
			func(c sample) bool { return c.n%5 == 1 && c.run == "run_1" && c.model != "" },
		},
		{"a tenant nobody has", []string{"tenant", "nobody"}, func(sample) bool { return false }},
		{"a value with SQL in it", []string{"agent", "' OR 1=1 --"}, func(sample) bool { return false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want, got []string
			for _, x := range slices.Backward(calls) {
				if c.keep(x) {
					want = append(want, x.id())
				}
			}
			for _, row := range get[api.Page[api.Call]](s, "/calls", auditor, append([]string{"limit", "500"}, c.query...)...).Items {
				got = append(got, row.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %d calls, want %d:\n%v\n%v", len(got), len(want), got, want)
			}
		})
	}
}

// Pages have neither gaps nor repetitions while new calls come in.
func TestCallPages(t *testing.T) {
	s := open(t)
	next := 0
	more := func(n int) {
		var calls []sample
		for range n {
			calls = append(calls, sample{n: next, tenant: tenants[next%2], trace: hex32(0), model: "small", outcome: "ok"})
			next++
		}
		s.write(all(calls...)...)
	}
	more(57)
	for _, c := range []struct {
		name  string
		query []string
	}{
		{"all", nil},
		{"one tenant", []string{"tenant", "acme"}},
		{"by trace", []string{"trace", hex32(0)}},
		{"by model and time", []string{"model", "small", "from", start.Format(time.RFC3339)}},
	} {
		for _, limit := range []int{1, 7, 500} {
			t.Run(fmt.Sprintf("%s by %d", c.name, limit), func(t *testing.T) {
				known := get[api.Page[api.Call]](s, "/calls", auditor, append([]string{"limit", "500"}, c.query...)...).Items
				var got []string
				cursor := ""
				for {
					page := get[api.Page[api.Call]](s, "/calls", auditor,
						append([]string{"limit", fmt.Sprint(limit), "cursor", cursor}, c.query...)...)
					for _, row := range page.Items {
						got = append(got, row.ID)
					}
					if page.Next == nil {
						break
					}
					if len(page.Items) != limit {
						t.Fatalf("a page that is not the last has %d rows", len(page.Items))
					}
					cursor = *page.Next
					if next < 400 {
						more(2)
					}
				}
				var want []string
				for _, row := range known {
					want = append(want, row.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("the pages hold %d calls, want the %d that were there at the beginning", len(got), len(want))
				}
			})
		}
	}
}

// The values of the filters are those that occur.
func TestFacets(t *testing.T) {
	s := open(t)
	empty := s.ask(http.MethodGet, "/api/v1/facets", auditor, "")
	if strings.Contains(string(empty.body), "null") {
		t.Errorf("without calls: %s", empty.body)
	}
	s.write(all(
		sample{n: 0, tenant: "acme", team: "cs", agent: "planner", model: "small", outcome: "ok"},
		sample{n: 1, tenant: "globex", team: "rd", tool: "files.read", outcome: "failed"},
		sample{n: 2, tenant: "globex", model: "large"},
	)...)
	f := get[api.FacetLists](s, "/facets", auditor).Items
	got := fmt.Sprint(f.Tenant, f.Team, f.Agent, f.Model, f.Tool)
	if want := "[acme globex] [cs rd] [planner] [large small] [files.read]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
