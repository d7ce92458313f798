package api_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// drawCalls gives calls of several tenants. Run, trace, agent and team names are shared by all, as nothing keeps
// tenants from choosing the same; request ids, models and tools name the tenant they belong to.
func drawCalls(t *rapid.T) []sample {
	calls := make([]sample, rapid.IntRange(0, 25).Draw(t, "calls"))
	for n := range calls {
		pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
		c := sample{
			n: n, tenant: pick("tenant", tenants...), team: pick("team", "", "cs"), agent: pick("agent", "", "planner"),
			run: pick("run", "", "run_1", "run_2"), trace: hex32(rapid.IntRange(0, 2).Draw(t, "trace")),
			outcome:  rapid.SampledFrom([]signalbox.Outcome{"ok", "failed", "denied", "", "unknown"}).Draw(t, "outcome"),
			at:       time.Duration(rapid.IntRange(-120, 0).Draw(t, "minutes")) * time.Minute,
			attempts: rapid.IntRange(1, 3).Draw(t, "attempts"), unpriced: rapid.Bool().Draw(t, "unpriced"),
		}
		if c.model = "model-of-" + c.tenant; rapid.Bool().Draw(t, "tool") {
			c.model, c.tool = "", "files."+c.tenant
		}
		if n > 0 && rapid.Bool().Draw(t, "child") { // Of any call, a foreign one too.
			c.parent = calls[rapid.IntRange(0, n-1).Draw(t, "parent")].span()
		}
		calls[n] = c
	}
	return calls
}

// expectation is what a caller is to see of some calls.
type expectation struct {
	s     *site
	key   string
	calls []sample // Those he may see.
	all   []sample
}

// TestTenantIsolation: whoever asks, in whatever way, sees nothing of tenants that are not his: no row, no detail, no
// facet, no cost, no run, no span. Who may see all sees all.
func TestTenantIsolation(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		s, closeIt := openAt(t, filepath.Join(dir, fmt.Sprint(n), "s.db"))
		defer closeIt()
		e := expectation{s: s, all: drawCalls(t)}
		if len(e.all) > 0 {
			s.write(all(e.all...)...)
		}
		tenant := rapid.SampledFrom(tenants).Draw(t, "asks")
		role := rapid.SampledFrom(signalbox.Roles()).Draw(t, "role")
		e.key = secretOf(tenant, role)
		seesAll := slices.Contains([]signalbox.Role{"auditor", "operator", "admin"}, role)
		for _, c := range e.all {
			if seesAll || c.tenant == tenant {
				e.calls = append(e.calls, c)
			}
		}
		e.lists(t)
		e.details(t)
		e.traces(t)
		e.totals(t)
		if !seesAll {
			e.silence(t, tenant)
		}
	})
}

func ids(calls []sample, keep func(sample) bool) []string {
	var list []string
	for _, c := range slices.Backward(calls) {
		if keep(c) {
			list = append(list, c.id())
		}
	}
	return list
}

func listed(s *site, key string, query ...string) []string {
	var list []string
	for _, row := range get[api.Page[api.Call]](s, "/calls", key, append([]string{"limit", "500"}, query...)...).Items {
		list = append(list, row.ID)
	}
	return list
}

func (e expectation) lists(t *rapid.T) {
	check := func(what string, got, want []string) {
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	check("all", listed(e.s, e.key), ids(e.calls, func(sample) bool { return true }))
	for _, tenant := range tenants {
		check("tenant "+tenant, listed(e.s, e.key, "tenant", tenant), ids(e.calls, func(c sample) bool { return c.tenant == tenant }))
	}
	check("run", listed(e.s, e.key, "run", "run_1"), ids(e.calls, func(c sample) bool { return c.run == "run_1" }))
	check("trace", listed(e.s, e.key, "trace", hex32(0)), ids(e.calls, func(c sample) bool { return c.trace == hex32(0) }))
	check("failures", listed(e.s, e.key, "outcome", "failed"), ids(e.calls, func(c sample) bool { return c.outcome == "failed" }))
	check("team and agent", listed(e.s, e.key, "team", "cs", "agent", "planner"), ids(e.calls, func(c sample) bool { return c.team == "cs" && c.agent == "planner" }))
}

func (e expectation) details(t *rapid.T) {
	unknown := e.s.ask(http.MethodGet, "/api/v1/calls/call_unknown", e.key, "", "X-Request-Id", "same")
	for _, c := range e.all {
		a := e.s.ask(http.MethodGet, "/api/v1/calls/"+c.id(), e.key, "", "X-Request-Id", "same")
		mine := slices.ContainsFunc(e.calls, func(x sample) bool { return x.n == c.n })
		switch {
		case mine && a.status != http.StatusOK:
			t.Errorf("an own call answers %d: %s", a.status, a.body)
		case !mine && (a.status != http.StatusNotFound || string(a.body) != string(unknown.body)):
			t.Errorf("a foreign call answers %d %s, one that does not exist %s", a.status, a.body, unknown.body)
		}
	}
}

func (e expectation) traces(t *rapid.T) {
	for n := range 3 {
		want := map[string]bool{}
		for _, c := range e.calls {
			if c.trace == hex32(n) {
				want[c.id()] = true
			}
		}
		a := e.s.ask(http.MethodGet, "/api/v1/traces/"+hex32(n), e.key, "")
		if len(want) == 0 {
			refused(t, "a trace without own calls", a, 404, "not_found")
			continue
		}
		got := map[string]bool{}
		for _, span := range get[api.Trace](e.s, "/traces/"+hex32(n), e.key).Items {
			if span.CallID != nil {
				got[*span.CallID] = true
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("trace %d has the calls %v, want %v", n, got, want)
		}
	}
}

// totals compares what is added up: overview, costs and runs count exactly the calls that may be seen.
func (e expectation) totals(t *rapid.T) {
	ended, cost, runs := int64(0), signalbox.Money(0), map[string]int64{}
	for _, c := range e.calls {
		if c.run != "" {
			runs[c.tenant+"/"+c.run] += 0
		}
		if c.outcome == "" {
			continue
		}
		ended++
		if c.run != "" {
			runs[c.tenant+"/"+c.run]++
		}
		if c.outcome != signalbox.OutcomeDenied && !c.unpriced {
			cost += 1_250
		}
	}
	from := start.Add(-48 * time.Hour).Format(time.RFC3339)
	if o := get[api.Overview](e.s, "/overview", e.key, "from", from); o.Calls != ended || o.Cost != cost.String() {
		t.Errorf("the overview has %d calls at %s, want %d at %s", o.Calls, o.Cost, ended, cost)
	}
	for _, by := range []string{"tenant", "team", "agent", "model", "tool", "provider", "run"} {
		e.costs(t, by, from, ended, cost)
	}
	got := map[string]int64{}
	for _, r := range get[api.Page[api.Run]](e.s, "/runs", e.key).Items {
		got[r.Tenant+"/"+r.ID] = r.Calls
	}
	if fmt.Sprint(got) != fmt.Sprint(runs) {
		t.Errorf("runs %v, want %v", got, runs)
	}
}

func (e expectation) costs(t *rapid.T, by, from string, ended int64, cost signalbox.Money) {
	c := get[api.Costs](e.s, "/costs", e.key, "by", by, "from", from)
	calls, sum := int64(0), signalbox.Money(0)
	for _, total := range c.Totals {
		m, err := signalbox.ParseMoney(total.Cost)
		if err != nil {
			t.Fatalf("cost %q: %v", total.Cost, err)
		}
		calls, sum = calls+total.Calls, sum+m
	}
	if calls != ended || sum != cost {
		t.Errorf("by %s: %d calls at %s, want %d at %s", by, calls, sum, ended, cost)
	}
}

// silence looks for the names of other tenants in everything that a caller can get.
func (e expectation) silence(t *rapid.T, own string) {
	paths := []string{
		"/calls", "/facets", "/runs", "/overview", "/costs?by=tenant", "/costs?by=model", "/costs?by=tool", "/costs?by=provider",
		"/costs?by=run", "/session", "/health", "/traces/" + hex32(0), "/traces/" + hex32(1), "/traces/" + hex32(2),
	}
	for _, foreign := range tenants {
		paths = append(paths, "/calls?tenant="+foreign, "/costs?by=model&tenant="+foreign)
	}
	for _, path := range paths {
		a := e.s.ask(http.MethodGet, "/api/v1"+path, e.key, "")
		for _, foreign := range tenants {
			if foreign != own && strings.Contains(string(a.body), foreign) {
				t.Errorf("%s tells %s of %s: %s", path, own, foreign, a.body)
			}
		}
	}
}
