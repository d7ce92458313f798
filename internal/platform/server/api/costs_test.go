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

// week has one call an hour for seven days up to the test's now, in two tenants and models; every eighth is unpriced.
func week() []sample {
	var calls []sample
	for n := range 7 * 24 {
		c := sample{
			n: n, tenant: tenants[n%2], model: []string{"small", "large"}[n/2%2], team: "cs", trace: hex32(n), run: fmt.Sprintf("run_%d", n/24),
			outcome: "ok", at: -time.Duration(7*24-1-n) * time.Hour, unpriced: n%8 == 7,
		}
		if n%10 == 3 {
			c.outcome = signalbox.OutcomeFailed
		}
		calls = append(calls, c)
	}
	return calls
}

// Costs are split, put into buckets and added up; money is a decimal string, the most expensive comes first.
func TestCosts(t *testing.T) {
	s := open(t)
	calls := week()
	s.write(all(calls...)...)
	day := get[api.Costs](s, "/costs", auditor, "by", "tenant")
	if len(day.Totals) != 2 || day.Totals[0].Calls+day.Totals[1].Calls != 24 || day.By != "tenant" || day.Bucket != "hour" {
		t.Errorf("the last 24 hours have %+v", day.Totals)
	}
	if want := start.Truncate(time.Hour).Add(time.Hour); !day.To.Equal(want) || !day.From.Equal(want.Add(-24*time.Hour)) {
		t.Errorf("the range is %s to %s", day.From, day.To)
	}
	whole := get[api.Costs](s, "/costs", auditor, "by", "model", "bucket", "day", "from", "2026-11-01T00:00:00Z", "to", "2026-12-01T00:00:00Z")
	var sum signalbox.Money
	for i, series := range whole.Series {
		if total := whole.Totals[i]; total.Key != series.Key || total.Calls != 84 {
			t.Errorf("total %d is %+v, its series is %s", i, total, series.Key)
		}
		days := int64(0)
		for n, p := range series.Points {
			if p.Time.Hour() != 0 || n > 0 && !p.Time.After(series.Points[n-1].Time) {
				t.Errorf("%s: point %d is at %s", series.Key, n, p.Time)
			}
			days += p.Calls
			m, err := signalbox.ParseMoney(p.Cost)
			if err != nil {
				t.Fatal(err)
			}
			sum += m
		}
		if days != whole.Totals[i].Calls {
			t.Errorf("%s: the points have %d calls, the total %d", series.Key, days, whole.Totals[i].Calls)
		}
	}
	priced := int64(0)
	for _, c := range calls {
		if !c.unpriced {
			priced++
		}
	}
	if want := signalbox.Money(1_250 * priced); sum != want || len(whole.Series) != 2 {
		t.Errorf("%d series, together %s, want %s", len(whole.Series), sum, want)
	}
	if whole.Totals[0].Key != "small" || whole.Totals[0].Cost != "0.000105" || whole.Totals[1].Unpriced != 21 {
		t.Errorf("totals are %+v", whole.Totals)
	}
	none := s.ask(http.MethodGet, "/api/v1/costs?from=2030-01-01T00:00:00Z&to=2030-01-02T00:00:00Z", auditor, "")
	if !strings.Contains(string(none.body), `"series":[],"totals":[]`) {
		t.Errorf("a range without calls: %s", none.body)
	}
}

// Costs by run hold every run of the range, and the calls of none: their pages add up to the costs of the range, and a
// run counts what it cost within it.
func TestCostsByRun(t *testing.T) {
	s := open(t)
	calls := week()
	calls[0].run, calls[1].run = "", ""
	s.write(all(calls...)...)
	for _, limit := range []string{"1", "4", "500"} {
		got, sum := map[string]int64{}, signalbox.Money(0)
		for cursor := ""; ; {
			page := get[api.Costs](s, "/costs", auditor, "by", "run", "limit", limit, "cursor", cursor,
				"from", "2026-11-01T00:00:00Z", "to", "2026-12-01T00:00:00Z", "bucket", "day")
			for _, r := range page.Totals {
				m, err := signalbox.ParseMoney(r.Cost)
				if _, twice := got[*r.Tenant+"/"+r.Key]; twice || err != nil {
					t.Fatalf("limit %s: %+v comes twice or has an error: %v", limit, r, err)
				}
				got[*r.Tenant+"/"+r.Key], sum = r.Calls, sum+m
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
		}
		want := map[string]int64{tenants[0] + "/": 1, tenants[1] + "/": 1}
		cost := signalbox.Money(0)
		for _, c := range calls {
			if c.run != "" {
				want[c.tenant+"/"+c.run]++
			}
			if !c.unpriced {
				cost += 1_250
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || sum != cost {
			t.Errorf("limit %s: %v at %s, want %v at %s", limit, got, sum, want, cost)
		}
	}
	short := get[api.Costs](s, "/costs", auditor, "by", "run", "from", start.Add(-2*time.Hour).Format(time.RFC3339))
	if n := short.Totals[0].Calls + short.Totals[1].Calls; len(short.Totals) != 2 || n != 3 || short.Next != nil {
		t.Errorf("the last three hours have %+v", short.Totals)
	}
	for _, path := range []string{"/costs?by=run&cursor=x", "/costs?by=model&cursor=MQ", "/costs?by=run&limit=501"} {
		if a := s.ask(http.MethodGet, "/api/v1"+path, auditor, ""); a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// The overview agrees with the list of calls, and names no latency where there is none.
func TestOverview(t *testing.T) {
	s := open(t)
	empty := s.ask(http.MethodGet, "/api/v1/overview", auditor, "")
	if empty.status != http.StatusOK || !strings.Contains(string(empty.body), `"latency_p95_ms":null`) || !strings.Contains(string(empty.body), `"cost":"0"`) {
		t.Errorf("without calls: %d %s", empty.status, empty.body)
	}
	calls := append(week(), sample{n: 1000, tenant: "acme", model: "small"}, sample{n: 1001, tenant: "acme", model: "small", outcome: "denied"})
	s.write(all(calls...)...)
	o := get[api.Overview](s, "/overview", agent, "from", start.Add(-30*24*time.Hour).Format(time.RFC3339))
	if o.Calls != 85 || o.Running != 1 || o.Refusals != 1 || o.Unpriced != 0 || o.InputTokens != 84*100 {
		t.Errorf("acme has %+v", o.CostFigures)
	}
	if o.LatencyP50MS == nil || *o.LatencyP50MS < 247 || *o.LatencyP50MS > 253 || *o.LatencyP99MS < *o.LatencyP50MS {
		t.Errorf("latencies %v, %v, %v", o.LatencyP50MS, o.LatencyP95MS, o.LatencyP99MS)
	}
	points := int64(0)
	for _, p := range o.Points {
		points += p.Calls
	}
	if points != o.Calls {
		t.Errorf("the hours have %d calls, the total %d", points, o.Calls)
	}
	// Nothing waits to be projected: the figures are as of now.
	if !o.AsOf.Equal(s.now()) {
		t.Errorf("as of %s, want %s", o.AsOf, s.now())
	}
}

// Runs are paged, newest first, without gaps and repetitions, while calls of further runs come in.
func TestRunPages(t *testing.T) {
	s := open(t)
	s.write(all(week()...)...)
	n := 2000
	for _, limit := range []string{"1", "3", "500"} {
		var known, got []string
		for _, r := range get[api.Page[api.Run]](s, "/runs", auditor, "limit", "500").Items {
			known = append(known, r.Tenant+"/"+r.ID)
		}
		cursor := ""
		for {
			page := get[api.Page[api.Run]](s, "/runs", auditor, "limit", limit, "cursor", cursor)
			for _, r := range page.Items {
				got = append(got, r.Tenant+"/"+r.ID)
				if r.Calls != 12 && !strings.HasPrefix(r.ID, "late") || r.Last.Before(r.Started) {
					t.Errorf("run %+v", r)
				}
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
			if n < 2010 {
				s.write(sample{n: n, tenant: "acme", run: fmt.Sprintf("late_%d", n), model: "small", outcome: "ok"}.records()...)
				n++
			}
		}
		if !slices.Equal(got, known) {
			t.Errorf("limit %s: pages have %v, want %v", limit, got, known)
		}
	}
}

// Records show the seed's who, what, when and context, and the fields of the log around them.
func TestRecords(t *testing.T) {
	s := open(t)
	s.write(all(sample{n: 0, tenant: "acme", agent: "planner", run: "run_1", trace: hex32(0), model: "small", outcome: "failed"})...)
	got := rows(t, s.ask(http.MethodGet, "/api/v1/audit", auditor, "").body)
	if len(got) != 2 {
		t.Fatalf("%d records", len(got))
	}
	for i, want := range []map[string]string{
		{"index": "1", "type": `"outcome"`, "outcome": `"failed"`, "time": `"2026-11-22T09:58:07.373456Z"`},
		{"index": "0", "type": `"intent"`, "outcome": "null", "error": "null", "time": `"2026-11-22T09:58:07.123456Z"`},
	} {
		for field, value := range want {
			if string(got[i][field]) != value {
				t.Errorf("record %d: %s is %s, want %s", i, field, got[i][field], value)
			}
		}
		for _, field := range []string{"who", "what", "when", "context", "call_id"} {
			if string(got[i][field]) == "null" || got[i][field] == nil {
				t.Errorf("record %d has no %s", i, field)
			}
		}
	}
	var what struct {
		Cost  string `json:"cost_usd"`
		Basis string `json:"cost_basis"`
	}
	if err := json.Unmarshal(got[0]["what"], &what); err != nil || what.Cost != "0.00000125" || what.Basis != "reported" {
		t.Errorf("what: %v %+v", err, what)
	}
}
