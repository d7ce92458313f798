package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// pointer gives the address of a copy.
func pointer[T any](v T) *T { return &v }

// ended is a call with every field set.
func ended(index int64) signalbox.CallView {
	return signalbox.CallView{
		ID: fmt.Sprintf("call_%04d", index), Time: start.Add(time.Duration(index) * time.Second), Tenant: "acme", Team: "cs",
		KeyID: "key_1", User: "u1", RequestID: "req", RunID: "r1", AgentID: "writer", AgentRole: "write",
		ParentAgentID: "planner", StepIndex: pointer(int64(0)), Kind: signalbox.KindModel,
		Protocol: signalbox.ProtocolOpenAIChat, ModelName: "m", Provider: "p", UpstreamModel: "up", Stream: true,
		LatencyMS: 12, FirstByteMS: 3, Usage: &signalbox.Usage{Input: 10, Output: 2, CacheRead: 1, CacheWrite: 4},
		Cost: pointer(signalbox.Money(0)), CostBasis: signalbox.BasisReported, RiskLevel: "low", Outcome: signalbox.OutcomeOK,
		Attempts: 1, TraceID: "t1", SpanID: "s1", ParentSpanID: "s0", Simulated: true,
		IntentIndex: pointer(index), OutcomeIndex: pointer(index),
	}
}

// running is a call of which only the intent is known.
func running(index int64) signalbox.CallView {
	v := ended(index)
	v.Outcome, v.OutcomeIndex, v.Usage, v.Cost, v.CostBasis = signalbox.OutcomeRunning, nil, nil, nil, ""
	v.LatencyMS, v.FirstByteMS, v.StepIndex = 0, 0, nil
	return v
}

// refused is a call that never had an intent.
func refused(index int64) signalbox.CallView {
	return signalbox.CallView{
		ID: fmt.Sprintf("call_%04d", index), Time: start.Add(time.Duration(index) * time.Second), Tenant: "globex",
		Kind: signalbox.KindTool, ToolName: "files.read", Protocol: signalbox.ProtocolMCP, TraceID: "t2", SpanID: "s",
		Outcome: signalbox.OutcomeDenied, ErrorCode: signalbox.CodeForbidden, OutcomeIndex: pointer(index),
	}
}

// project writes as many entries as the calls need and applies changes with these calls.
func project(t *testing.T, s Store, c signalbox.Changes) {
	t.Helper()
	progress := must[signalbox.Progress](t)(s.Views.Progress(t.Context()))
	n := max(len(c.Calls), 1)
	list := entries(progress.Size, n)
	ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: list}))
	last := list[n-1]
	c.From, c.To, c.AsOf, c.Leaf = progress.Cursor, last.Index+1, last.Time, last.Leaf
	ok(t, s.Views.Apply(t.Context(), c))
}

func list(t *testing.T, s Store, f signalbox.CallFilter) []signalbox.CallView {
	t.Helper()
	calls, _, err := s.Views.ListCalls(t.Context(), f)
	ok(t, err)
	return calls
}

func checkCalls(t *testing.T, got []signalbox.CallView, want ...signalbox.CallView) {
	t.Helper()
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

var viewTests = map[string]func(*testing.T, Store){
	"rows come back as they were": func(t *testing.T, s Store) {
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{ended(0), running(1), refused(2)}})
		s = s.Reopen()
		checkCalls(t, list(t, s, signalbox.CallFilter{}), refused(2), running(1), ended(0))
		state := must[signalbox.ViewState](t)(s.Views.State(t.Context(), []string{"call_0001", "call_9999", "call_0000"}, nil))
		checkCalls(t, state.Calls, running(1), ended(0))
		got := must[signalbox.CallView](t)(s.Views.CallByID(t.Context(), "call_0002"))
		checkCalls(t, []signalbox.CallView{got}, refused(2))
		_, err := s.Views.CallByID(t.Context(), "call_0003")
		refuses(t, err, signalbox.CodeNotFound)
	},
	"an update replaces the row": func(t *testing.T, s Store) {
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{running(0), running(1)}})
		end := ended(0)
		end.StepIndex, end.OutcomeIndex, end.ModelName = nil, pointer(int64(2)), "fallback"
		project(t, s, signalbox.Changes{Updates: []signalbox.CallView{end}})
		checkCalls(t, list(t, s, signalbox.CallFilter{}), running(1), end)
		checkCalls(t, list(t, s, signalbox.CallFilter{Model: "fallback"}), end)
		checkCalls(t, list(t, s, signalbox.CallFilter{Model: "m"}), running(1))
		checkCalls(t, must[[]signalbox.CallView](t)(s.Views.Running(t.Context())), running(1))
	},
	"progress and cursor": func(t *testing.T, s Store) {
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{ended(0), ended(1)}})
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(2, 3)}))
		want := signalbox.Progress{Cursor: 2, Size: 5, AsOf: entries(1, 1)[0].Time}
		if got := must[signalbox.Progress](t)(s.Views.Progress(t.Context())); got != want {
			t.Fatalf("progress = %+v, want %+v", got, want)
		}
		for _, from := range []int64{0, 1, 3} {
			err := s.Views.Apply(t.Context(), signalbox.Changes{From: from, To: 5, Calls: []signalbox.CallView{ended(4)}})
			refuses(t, err, signalbox.CodeConflict)
		}
		checkCalls(t, list(t, s, signalbox.CallFilter{}), ended(1), ended(0))
	},
	"reset removes everything": func(t *testing.T, s Store) {
		project(t, s, everything())
		ok(t, s.Views.Reset(t.Context()))
		if got := must[signalbox.Progress](t)(s.Views.Progress(t.Context())); got != (signalbox.Progress{Size: 1}) {
			t.Fatalf("progress = %+v after a reset", got)
		}
		runs, _, err := s.Views.Runs(t.Context(), signalbox.RunFilter{})
		ok(t, err)
		costs, _, err := s.Views.RunCosts(t.Context(), signalbox.RunCostQuery{})
		ok(t, err)
		n := len(list(t, s, signalbox.CallFilter{})) + len(runs) + len(costs) +
			len(must[[]signalbox.Rollup](t)(s.Views.Rollups(t.Context(), signalbox.CostQuery{}))) +
			len(must[[]signalbox.LatencyRollup](t)(s.Views.Latencies(t.Context(), signalbox.CostQuery{}))) +
			len(must[signalbox.Facets](t)(s.Views.Facets(t.Context(), nil)).Agents)
		if n != 0 {
			t.Fatalf("%d rows are left", n)
		}
	},
	"projections of another log are not kept": func(t *testing.T, s Store) {
		c := everything()
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(0, 1)}))
		c.To, c.AsOf, c.Leaf = 1, start, [32]byte{1}
		ok(t, s.Views.Apply(t.Context(), c))
		s = s.Reopen()
		if got := must[signalbox.Progress](t)(s.Views.Progress(t.Context())); got.Cursor != 0 {
			t.Fatalf("progress = %+v, want the beginning", got)
		}
		checkCalls(t, list(t, s, signalbox.CallFilter{}))
	},
	"old calls are deleted in small steps": func(t *testing.T, s Store) {
		var calls []signalbox.CallView
		for i := range int64(6) {
			calls = append(calls, ended(i))
		}
		calls[1] = running(1)
		project(t, s, signalbox.Changes{Calls: calls})
		before := calls[4].Time
		for _, want := range []int{2, 1, 0} {
			if got := must[int](t)(s.Views.DeleteCalls(t.Context(), before, 3)); got != want {
				t.Fatalf("deleted %d, want %d", got, want)
			}
		}
		checkCalls(t, list(t, s, signalbox.CallFilter{}), calls[5], calls[4], calls[1])
	},
}

// everything changes each table.
func everything() signalbox.Changes {
	hour := start.Truncate(time.Hour)
	return signalbox.Changes{
		Calls:    []signalbox.CallView{ended(0)},
		Rollups:  []signalbox.Rollup{{RollupKey: signalbox.RollupKey{Hour: hour, Tenant: "acme"}, Totals: one}},
		Latency:  []signalbox.LatencyRollup{{LatencyKey: signalbox.LatencyKey{Hour: hour, Tenant: "acme"}, Sketch: []byte{1, 0}}},
		Runs:     []signalbox.RunView{{ID: "r1", Tenant: "acme", Started: start, Last: start, Totals: one}},
		RunHours: []signalbox.RunHour{{Hour: hour, Tenant: "acme", Run: "r1", Totals: one}},
		Facets:   []signalbox.Facet{{Tenant: "acme", Field: signalbox.FacetAgent, Value: "writer"}},
	}
}

var callTests = map[string]func(*testing.T, Store){
	"filters": func(t *testing.T, s Store) {
		other := ended(3)
		other.Tenant, other.Team, other.AgentID, other.ModelName, other.RunID, other.TraceID = "initech", "ops", "", "", "r2", "t3"
		other.Outcome, other.Kind, other.ToolName = signalbox.OutcomeFailed, signalbox.KindTool, "db.query"
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{ended(0), running(1), refused(2), other}})
		for name, c := range map[string]struct {
			filter signalbox.CallFilter
			want   []signalbox.CallView
		}{
			"none":              {signalbox.CallFilter{Tenants: []string{}}, nil},
			"one tenant":        {signalbox.CallFilter{Tenants: []string{"globex"}}, []signalbox.CallView{refused(2)}},
			"two tenants":       {signalbox.CallFilter{Tenants: []string{"globex", "initech"}}, []signalbox.CallView{other, refused(2)}},
			"team":              {signalbox.CallFilter{Team: "ops"}, []signalbox.CallView{other}},
			"agent":             {signalbox.CallFilter{Agent: "writer"}, []signalbox.CallView{running(1), ended(0)}},
			"model":             {signalbox.CallFilter{Model: "m"}, []signalbox.CallView{running(1), ended(0)}},
			"tool":              {signalbox.CallFilter{Tool: "files.read"}, []signalbox.CallView{refused(2)}},
			"kind":              {signalbox.CallFilter{Kind: signalbox.KindTool}, []signalbox.CallView{other, refused(2)}},
			"run":               {signalbox.CallFilter{Run: "r2"}, []signalbox.CallView{other}},
			"trace":             {signalbox.CallFilter{Trace: "t3"}, []signalbox.CallView{other}},
			"running":           {signalbox.CallFilter{Outcome: signalbox.OutcomeRunning}, []signalbox.CallView{running(1)}},
			"ok":                {signalbox.CallFilter{Outcome: signalbox.OutcomeOK}, []signalbox.CallView{ended(0)}},
			"failed":            {signalbox.CallFilter{Outcome: signalbox.OutcomeFailed}, []signalbox.CallView{other}},
			"from is inclusive": {signalbox.CallFilter{From: refused(2).Time}, []signalbox.CallView{other, refused(2)}},
			"to is exclusive":   {signalbox.CallFilter{To: refused(2).Time}, []signalbox.CallView{running(1), ended(0)}},
			"all at once": {signalbox.CallFilter{
				Tenants: []string{"acme"}, Team: "cs", Agent: "writer", Model: "m", Kind: signalbox.KindModel,
				Outcome: signalbox.OutcomeOK, Run: "r1", Trace: "t1", From: start, To: start.Add(time.Hour),
			}, []signalbox.CallView{ended(0)}},
			"somebody else's trace": {signalbox.CallFilter{Tenants: []string{"acme"}, Trace: "t3"}, nil},
			"odd characters":        {signalbox.CallFilter{Agent: "' OR 1=1 --"}, nil},
		} {
			t.Run(name, func(t *testing.T) { checkCalls(t, list(t, s, c.filter), c.want...) })
		}
	},
	"pages": func(t *testing.T, s Store) {
		var want, got []signalbox.CallView
		for i := range int64(23) {
			want = append(want, ended(i))
		}
		project(t, s, signalbox.Changes{Calls: want})
		slices.Reverse(want)
		f := signalbox.CallFilter{Tenants: []string{"acme"}, Limit: 5}
		for pages := 1; ; pages++ {
			calls, next, err := s.Views.ListCalls(t.Context(), f)
			ok(t, err)
			got = append(got, calls...)
			if f.Cursor = next; next == "" {
				if pages != 5 {
					t.Fatalf("%d pages, want 5", pages)
				}
				break
			}
		}
		checkCalls(t, got, want...)
	},
	"bad pages are refused": func(t *testing.T, s Store) {
		for _, f := range []signalbox.CallFilter{{Limit: -1}, {Limit: signalbox.MaxPage + 1}, {Cursor: "x"}, {Cursor: "-1"}} {
			_, _, err := s.Views.ListCalls(t.Context(), f)
			refuses(t, err, signalbox.CodeInvalid)
			_, _, err = s.Views.Runs(t.Context(), signalbox.RunFilter{Limit: f.Limit, Cursor: f.Cursor})
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
	"a trace, of the asker's tenants": func(t *testing.T, s Store) {
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{ended(0), refused(1), running(2)}})
		checkCalls(t, must[[]signalbox.CallView](t)(s.Views.TraceCalls(t.Context(), "t1", nil)), ended(0), running(2))
		checkCalls(t, must[[]signalbox.CallView](t)(s.Views.TraceCalls(t.Context(), "t2", []string{"globex"})), refused(1))
		checkCalls(t, must[[]signalbox.CallView](t)(s.Views.TraceCalls(t.Context(), "t2", []string{"acme"})))
		checkCalls(t, must[[]signalbox.CallView](t)(s.Views.TraceCalls(t.Context(), "t2", []string{})))
	},
	"running calls are counted by tenant": func(t *testing.T, s Store) {
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{running(0), running(1), refused(2)}})
		for _, c := range []struct {
			tenants []string
			want    int64
		}{{nil, 2}, {[]string{"acme"}, 2}, {[]string{"globex"}, 0}, {[]string{}, 0}} {
			if got := must[int64](t)(s.Views.RunningCount(t.Context(), c.tenants)); got != c.want {
				t.Fatalf("%v: %d running, want %d", c.tenants, got, c.want)
			}
		}
	},
}
