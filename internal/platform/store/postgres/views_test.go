package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// openViews opens a database for the length of a test.
func openViews(t testing.TB, url string) *DB {
	t.Helper()
	d, err := Open(t.Context(), url, Options{Now: time.Now, ReadTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestTwoLeaders lets several apply the same stretch of the log at once: exactly one does, and the others are refused.
func TestTwoLeaders(t *testing.T) {
	url := postgrestest.Database(t)
	all := []*Views{openViews(t, url).Views(), openViews(t, url).Views(), openViews(t, url).Views()}
	const rounds = 20
	done, conflicts := 0, 0
	for n := range int64(rounds) {
		c := signalbox.Changes{From: n, To: n + 1, AsOf: planDay, Runs: []signalbox.RunView{{
			ID: "r", Tenant: "acme", Started: planDay, Last: planDay, Totals: signalbox.Totals{Calls: 1, Cost: 7},
		}}}
		results := make(chan error)
		for _, v := range all {
			go func() { results <- v.Apply(t.Context(), c) }()
		}
		for range all {
			switch err := <-results; signalbox.CodeOf(err) {
			case "":
				done++
			case signalbox.CodeConflict:
				conflicts++
			default:
				t.Error(err)
			}
		}
	}
	run, err := all[0].RunByID(t.Context(), "acme", "r")
	if err != nil || done != rounds || conflicts != 2*rounds || run.Calls != rounds || run.Cost != 7*rounds {
		t.Errorf("%d done, %d conflicts, run %+v, %v", done, conflicts, run, err)
	}
}

// TestALaterCallReplaces applies calls of which one has the id of a row and one its place.
func TestALaterCallReplaces(t *testing.T) {
	v := openViews(t, postgrestest.Database(t)).Views()
	call := func(id string, index int64) signalbox.CallView {
		return signalbox.CallView{ID: id, Time: planDay, Outcome: signalbox.OutcomeOK, OutcomeIndex: &index}
	}
	for n, calls := range [][]signalbox.CallView{
		{call("a", 0), call("b", 1), call("c", 2)}, {call("a", 10), call("new", 1), call("d", 11)},
	} {
		if err := v.Apply(t.Context(), signalbox.Changes{From: int64(n), To: int64(n) + 1, AsOf: planDay, Calls: calls}); err != nil {
			t.Fatal(err)
		}
	}
	calls, _, err := v.ListCalls(t.Context(), signalbox.CallFilter{})
	var got []string
	for _, c := range calls {
		got = append(got, fmt.Sprintf("%s at %d", c.ID, c.First()))
	}
	if want := "[d at 11 a at 10 c at 2 new at 1]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("calls %v, %v; want %s", got, err, want)
	}
}

// TestOddTextDoesNotStopProjections projects what PostgreSQL does not take as it is, and finds it again by itself.
func TestOddTextDoesNotStopProjections(t *testing.T) {
	v := openViews(t, postgrestest.Database(t)).Views()
	odd := []string{"a\x00b", "a\xffb", "a\xfeb", strings.Repeat("long", 1000), strings.Repeat("long", 1000) + "er", strings.Repeat("é", 200)}
	var c signalbox.Changes
	for i, text := range odd {
		first, one := int64(i), signalbox.Totals{Calls: 1}
		c.Calls = append(c.Calls, signalbox.CallView{
			ID: text + "x", Time: planDay, Tenant: text, Team: text, RunID: text, ModelName: text, TraceID: text, Outcome: "odd\x00", OutcomeIndex: &first,
		})
		key := signalbox.RollupKey{Hour: planDay, Tenant: text, Team: text, Agent: text, Model: text, Tool: text, Provider: text}
		c.Rollups = append(c.Rollups, signalbox.Rollup{RollupKey: key, Totals: one})
		c.Runs = append(c.Runs, signalbox.RunView{Tenant: text, ID: text, Team: text, Started: planDay, Last: planDay, Totals: one})
		c.RunHours = append(c.RunHours, signalbox.RunHour{Hour: planDay, Tenant: text, Run: text, Totals: one})
		c.Latency = append(c.Latency, signalbox.LatencyRollup{LatencyKey: signalbox.LatencyKey{Hour: planDay, Tenant: text}, Sketch: []byte{1}})
		c.Facets = append(c.Facets, signalbox.Facet{Tenant: text, Field: signalbox.FacetModel, Value: text})
	}
	c.To, c.AsOf = 1, planDay
	if err := v.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, text := range odd[3:] {
		calls, _, err := v.ListCalls(t.Context(), signalbox.CallFilter{Tenants: []string{text}, Model: text, Run: text})
		run, err2 := v.RunByID(t.Context(), text, text)
		if err != nil || err2 != nil || len(calls) != 1 || run.Calls != 1 {
			t.Errorf("%.10q…: %d calls, %v; run %+v, %v", text, len(calls), err, run, err2)
		}
	}
	for _, text := range odd {
		if _, _, err := v.ListCalls(t.Context(), signalbox.CallFilter{Trace: text, Kind: signalbox.Kind(text), Outcome: signalbox.Outcome(text)}); err != nil {
			t.Error(err)
		}
	}
	costs, _, err := v.RunCosts(t.Context(), signalbox.RunCostQuery{})
	sum := signalbox.Totals{}
	for _, r := range costs {
		sum = sum.Plus(r.Totals)
	}
	if err != nil || sum.Calls != int64(len(odd)) {
		t.Errorf("runs have %d calls, %v; want %d", sum.Calls, err, len(odd))
	}
}
