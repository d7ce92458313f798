package storetest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// one is a call that used and cost something.
var one = signalbox.Totals{
	Calls: 1, Failures: 1, Refusals: 2, InputTokens: 10, OutputTokens: 3, CacheReadTokens: 4, CacheWriteTokens: 5,
	Cost: 1_000_000_001, Unpriced: 1,
}

func rollup(hour time.Time, tenant, model string) signalbox.Rollup {
	return signalbox.Rollup{
		RollupKey: signalbox.RollupKey{Hour: hour, Tenant: tenant, Team: "cs", Agent: "writer", Model: model, Provider: "p"},
		Totals:    one,
	}
}

var totalTests = map[string]func(*testing.T, Store){
	"rollups add up": func(t *testing.T, s Store) {
		hour := start.Truncate(time.Hour)
		project(t, s, signalbox.Changes{Rollups: []signalbox.Rollup{rollup(hour, "acme", "m"), rollup(hour, "acme", "n")}})
		project(t, s, signalbox.Changes{Rollups: []signalbox.Rollup{rollup(hour, "acme", "m")}})
		twice := rollup(hour, "acme", "m")
		twice.Totals = one.Plus(one)
		want := []signalbox.Rollup{twice, rollup(hour, "acme", "n")}
		if got := must[[]signalbox.Rollup](t)(s.Views.Rollups(t.Context(), signalbox.CostQuery{})); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	},
	"costs by what and when": testCosts,
	"bad cost queries are refused": func(t *testing.T, s Store) {
		for _, q := range []signalbox.CostQuery{{By: "user"}, {Bucket: "week"}} {
			_, err := s.Views.Costs(t.Context(), q)
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
	"latencies are replaced by key": func(t *testing.T, s Store) {
		hour := start.Truncate(time.Hour)
		l := func(tenant, sketch string) signalbox.LatencyRollup {
			return signalbox.LatencyRollup{LatencyKey: signalbox.LatencyKey{Hour: hour, Tenant: tenant}, Sketch: []byte(sketch)}
		}
		project(t, s, signalbox.Changes{Latency: []signalbox.LatencyRollup{l("acme", "a"), l("globex", "b")}})
		project(t, s, signalbox.Changes{Latency: []signalbox.LatencyRollup{l("acme", "c")}})
		got := must[[]signalbox.LatencyRollup](t)(s.Views.Latencies(t.Context(), signalbox.CostQuery{}))
		if want := []signalbox.LatencyRollup{l("acme", "c"), l("globex", "b")}; !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		state := must[signalbox.ViewState](t)(s.Views.State(t.Context(), nil, []signalbox.LatencyKey{
			{Hour: hour, Tenant: "acme"}, {Hour: hour, Tenant: "none"},
		}))
		if want := []signalbox.LatencyRollup{l("acme", "c")}; !reflect.DeepEqual(state.Latency, want) {
			t.Fatalf("got %+v, want %+v", state.Latency, want)
		}
	},
	"latencies and costs of tools":                  testTools,
	"runs add up and are listed by their beginning": testRuns,
	"facets": func(t *testing.T, s Store) {
		facet := func(tenant string, field signalbox.FacetField, value string) signalbox.Facet {
			return signalbox.Facet{Tenant: tenant, Field: field, Value: value}
		}
		changes := signalbox.Changes{Facets: []signalbox.Facet{
			facet("acme", signalbox.FacetAgent, "writer"), facet("acme", signalbox.FacetAgent, "planner"),
			facet("globex", signalbox.FacetAgent, "writer"), facet("globex", signalbox.FacetModel, "m"),
			facet("acme", signalbox.FacetTenant, "acme"), facet("globex", signalbox.FacetTenant, "globex"),
			facet("acme", signalbox.FacetTeam, "cs"), facet("acme", signalbox.FacetTool, "files.read"),
			facet("acme", signalbox.FacetProvider, "p"),
		}}
		project(t, s, changes)
		project(t, s, changes)
		want := signalbox.Facets{
			Tenants: []string{"acme", "globex"}, Teams: []string{"cs"}, Agents: []string{"planner", "writer"},
			Models: []string{"m"}, Tools: []string{"files.read"}, Providers: []string{"p"},
		}
		if got := must[signalbox.Facets](t)(s.Views.Facets(t.Context(), nil)); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		want = signalbox.Facets{Tenants: []string{"globex"}, Agents: []string{"writer"}, Models: []string{"m"}}
		if got := must[signalbox.Facets](t)(s.Views.Facets(t.Context(), []string{"globex"})); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	},
}

func testCosts(t *testing.T, s Store) {
	at := func(v string) time.Time {
		hour, err := time.Parse(time.RFC3339, v)
		ok(t, err)
		return hour
	}
	early, late, next := at("2026-10-31T23:00:00Z"), at("2026-11-22T10:00:00Z"), at("2026-11-22T11:00:00Z")
	project(t, s, signalbox.Changes{Rollups: []signalbox.Rollup{
		rollup(early, "acme", "m"), rollup(late, "acme", "n"), rollup(late, "globex", "m"), rollup(next, "acme", "m"),
	}})
	row := func(start time.Time, key string, n int) signalbox.CostRow {
		r := signalbox.CostRow{Start: start, Key: key}
		for range n {
			r.Totals = r.Plus(one)
		}
		return r
	}
	day, month := at("2026-11-22T00:00:00Z"), at("2026-11-01T00:00:00Z")
	for name, c := range map[string]struct {
		query signalbox.CostQuery
		want  []signalbox.CostRow
	}{
		"all":                  {signalbox.CostQuery{}, []signalbox.CostRow{row(at("2026-10-31T00:00:00Z"), "", 4)}},
		"model":                {signalbox.CostQuery{By: signalbox.FacetModel, From: late.Add(time.Minute)}, []signalbox.CostRow{row(late, "m", 2), row(late, "n", 1)}},
		"hour":                 {signalbox.CostQuery{Bucket: signalbox.BucketHour}, []signalbox.CostRow{row(early, "", 1), row(late, "", 2), row(next, "", 1)}},
		"day":                  {signalbox.CostQuery{Bucket: signalbox.BucketDay, From: late}, []signalbox.CostRow{row(day, "", 3)}},
		"month":                {signalbox.CostQuery{Bucket: signalbox.BucketMonth, By: signalbox.FacetTenant}, []signalbox.CostRow{row(at("2026-10-01T00:00:00Z"), "acme", 1), row(month, "acme", 2), row(month, "globex", 1)}},
		"before":               {signalbox.CostQuery{To: late}, []signalbox.CostRow{row(at("2026-10-31T00:00:00Z"), "", 1)}},
		"tenant":               {signalbox.CostQuery{Tenants: []string{"globex"}}, []signalbox.CostRow{row(day, "", 1)}},
		"an hour of a day":     {signalbox.CostQuery{From: late, To: next}, []signalbox.CostRow{row(late, "", 2)}},
		"from an hour on":      {signalbox.CostQuery{From: early, Bucket: signalbox.BucketDay}, []signalbox.CostRow{row(at("2026-10-31T00:00:00Z"), "", 1), row(day, "", 3)}},
		"days and an hour":     {signalbox.CostQuery{From: early.Add(time.Hour), To: next}, []signalbox.CostRow{row(early.Add(time.Hour), "", 2)}},
		"the end is the start": {signalbox.CostQuery{From: late, To: late}, nil},
		"whole days":           {signalbox.CostQuery{From: day, To: day.AddDate(0, 0, 1)}, []signalbox.CostRow{row(day, "", 3)}},
		"nobody":               {signalbox.CostQuery{Tenants: []string{}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := must[[]signalbox.CostRow](t)(s.Views.Costs(t.Context(), c.query)); !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// testTools asks for one tool, and for those of one server: not for those of servers with similar ids.
func testTools(t *testing.T, s Store) {
	hour := start.Truncate(time.Hour)
	var c signalbox.Changes
	var all []signalbox.LatencyRollup
	for _, tool := range []string{"", "file.x", "files-2.x", "files.a/b", "files.read", "files0.x"} {
		r := rollup(hour, "acme", "")
		r.Tool = tool
		l := signalbox.LatencyRollup{LatencyKey: signalbox.LatencyKey{Hour: hour, Tenant: "acme", Tool: tool}, Sketch: []byte("of " + tool)}
		c.Rollups, all = append(c.Rollups, r), append(all, l)
	}
	c.Latency = all
	project(t, s, c)
	for name, c := range map[string]struct {
		query signalbox.CostQuery
		want  []string
		calls int
	}{
		"all calls":            {signalbox.CostQuery{}, []string{""}, 6},
		"one tool":             {signalbox.CostQuery{Tool: "files.read"}, []string{"files.read"}, 1},
		"one server":           {signalbox.CostQuery{Server: "files"}, []string{"files.a/b", "files.read"}, 2},
		"a tool that is none":  {signalbox.CostQuery{Tool: "files"}, nil, 0},
		"a server's by hour":   {signalbox.CostQuery{Server: "files", Bucket: signalbox.BucketHour}, []string{"files.a/b", "files.read"}, 2},
		"of another tenant":    {signalbox.CostQuery{Server: "files", Tenants: []string{"globex"}}, nil, 0},
		"in the hour after it": {signalbox.CostQuery{Server: "files", From: hour.Add(time.Hour)}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range must[[]signalbox.LatencyRollup](t)(s.Views.Latencies(t.Context(), c.query)) {
				if string(l.Sketch) != "of "+l.Tool {
					t.Errorf("%q has the sketch %q", l.Tool, l.Sketch)
				}
				got = append(got, l.Tool)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("latencies of %q, want %q", got, c.want)
			}
			var sum signalbox.Totals
			for _, row := range must[[]signalbox.CostRow](t)(s.Views.Costs(t.Context(), c.query)) {
				sum = sum.Plus(row.Totals)
			}
			if want := int64(c.calls) * one.Calls; sum.Calls != want {
				t.Errorf("%d calls, want %d", sum.Calls, want)
			}
		})
	}
	keys := []signalbox.LatencyKey{all[3].LatencyKey, all[0].LatencyKey, {Hour: hour, Tenant: "acme", Tool: "files.none"}}
	state := must[signalbox.ViewState](t)(s.Views.State(t.Context(), nil, keys))
	if want := []signalbox.LatencyRollup{all[3], all[0]}; !reflect.DeepEqual(state.Latency, want) {
		t.Fatalf("got %+v, want %+v", state.Latency, want)
	}
}

func testRuns(t *testing.T, s Store) {
	run := func(tenant, id string, first int64) signalbox.RunView {
		at := start.Add(time.Duration(first) * time.Second)
		return signalbox.RunView{
			ID: id, Tenant: tenant, Team: "cs", Agent: "writer", First: first, Started: at, Last: at, Running: 1, Totals: one,
		}
	}
	project(t, s, signalbox.Changes{Runs: []signalbox.RunView{run("acme", "r1", 0), run("acme", "r2", 1), run("globex", "r1", 2)}})
	more := run("acme", "r1", 5)
	more.Team, more.Agent, more.Running, more.Started = "ops", "planner", -1, start.Add(-time.Second)
	project(t, s, signalbox.Changes{Runs: []signalbox.RunView{more}})
	want := run("acme", "r1", 0)
	want.Started, want.Last, want.Running, want.Totals = more.Started, more.Last, 0, one.Plus(one)
	list := func(f signalbox.RunFilter) ([]signalbox.RunView, string) {
		runs, next, err := s.Views.Runs(t.Context(), f)
		ok(t, err)
		return runs, next
	}
	got, next := list(signalbox.RunFilter{Limit: 2})
	if w := []signalbox.RunView{run("globex", "r1", 2), run("acme", "r2", 1)}; !reflect.DeepEqual(got, w) || next == "" {
		t.Fatalf("got %+v and next %q, want %+v", got, next, w)
	}
	if got, next = list(signalbox.RunFilter{Cursor: next}); !reflect.DeepEqual(got, []signalbox.RunView{want}) || next != "" {
		t.Fatalf("got %+v and next %q, want %+v", got, next, want)
	}
	if got, _ = list(signalbox.RunFilter{Tenants: []string{"globex"}}); len(got) != 1 {
		t.Fatalf("got %+v, want the run of globex", got)
	}
	if got := must[signalbox.RunView](t)(s.Views.RunByID(t.Context(), "acme", "r1")); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	_, err := s.Views.RunByID(t.Context(), "globex", "r2")
	refuses(t, err, signalbox.CodeNotFound)
}
