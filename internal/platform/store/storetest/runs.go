package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// runHour is n calls of a run in an hour, counted from the beginning of a day.
func runHour(hour int, tenant, run string, n int64) signalbox.RunHour {
	h := signalbox.RunHour{Hour: start.Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour), Tenant: tenant, Run: run}
	for range n {
		h.Totals = h.Plus(one)
	}
	return h
}

// runCost is n calls of a run.
func runCost(tenant, run string, n int64) signalbox.RunCost {
	return signalbox.RunCost{Tenant: tenant, Run: run, Totals: runHour(0, tenant, run, n).Totals}
}

var runTests = map[string]func(*testing.T, Store){
	"costs of a range":                  testRunCosts,
	"pages hold every run exactly once": testRunPages,
	"bad pages are refused": func(t *testing.T, s Store) {
		for _, q := range []signalbox.RunCostQuery{
			{Limit: -1}, {Limit: signalbox.MaxPage + 1}, {Cursor: "1"}, {Cursor: "%"}, {Cursor: "eABhAGI"}, {Cursor: "LTEAYQBi"},
		} {
			_, _, err := s.Views.RunCosts(t.Context(), q)
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
}

func testRunCosts(t *testing.T, s Store) {
	hours := []signalbox.RunHour{
		runHour(1, "acme", "long", 1), runHour(2, "acme", "long", 2), runHour(5, "acme", "long", 4),
		runHour(2, "acme", "b", 1), runHour(2, "acme", "a", 1), runHour(2, "globex", "a", 3), runHour(4, "acme", "", 1), runHour(2, "acme", "", 1),
	}
	project(t, s, signalbox.Changes{RunHours: hours[:4]})
	project(t, s, signalbox.Changes{RunHours: hours[4:]})
	project(t, s, signalbox.Changes{RunHours: []signalbox.RunHour{runHour(5, "acme", "long", 1)}})
	at := func(hour int) time.Time { return runHour(hour, "", "", 0).Hour }
	for name, c := range map[string]struct {
		query signalbox.RunCostQuery
		want  []signalbox.RunCost
	}{
		"all": {signalbox.RunCostQuery{}, []signalbox.RunCost{
			runCost("globex", "a", 3), runCost("acme", "b", 1), runCost("acme", "a", 1), runCost("acme", "", 2), runCost("acme", "long", 8),
		}},
		"a run counts what it cost within": {signalbox.RunCostQuery{From: at(3).Add(time.Minute)}, []signalbox.RunCost{
			runCost("acme", "long", 5), runCost("acme", "", 1),
		}},
		"to is exclusive":    {signalbox.RunCostQuery{To: at(2).Add(time.Minute)}, []signalbox.RunCost{runCost("acme", "long", 1)}},
		"between":            {signalbox.RunCostQuery{From: at(3), To: at(4)}, []signalbox.RunCost{}},
		"one tenant":         {signalbox.RunCostQuery{Tenants: []string{"globex"}}, []signalbox.RunCost{runCost("globex", "a", 3)}},
		"two tenants":        {signalbox.RunCostQuery{From: at(4), Tenants: []string{"acme", "globex"}}, []signalbox.RunCost{runCost("acme", "long", 5), runCost("acme", "", 1)}},
		"nobody":             {signalbox.RunCostQuery{Tenants: []string{}}, []signalbox.RunCost{}},
		"the end is a start": {signalbox.RunCostQuery{From: at(2), To: at(2)}, []signalbox.RunCost{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, next, err := s.Views.RunCosts(t.Context(), c.query)
			if ok(t, err); next != "" || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v and next %q, want %+v", got, next, c.want)
			}
		})
	}
}

// testRunPages reads pages of every size, of all tenants, of some and of one, and compares their sums.
func testRunPages(t *testing.T, s Store) {
	var hours []signalbox.RunHour
	want := map[string]int64{}
	for i := range 60 {
		h := runHour(i%7, []string{"acme", "globex", "initech"}[i%3], fmt.Sprintf("r%d", i%11), int64(1+i%4))
		hours = append(hours, h)
		want[h.Tenant+"/"+h.Run] += h.Calls
	}
	slices.SortFunc(hours, func(a, b signalbox.RunHour) int { return strings.Compare(a.Tenant+a.Run, b.Tenant+b.Run) })
	for some := range slices.Chunk(hours, 7) {
		project(t, s, signalbox.Changes{RunHours: some})
	}
	for _, tenants := range [][]string{nil, {"globex"}, {"acme", "initech"}} {
		for _, limit := range []int{1, 4, 7, 500} {
			got := allRuns(t, s, signalbox.RunCostQuery{Tenants: tenants, Limit: limit})
			for name, calls := range want {
				tenant, _, _ := strings.Cut(name, "/")
				if mine := tenants == nil || slices.Contains(tenants, tenant); mine && got[name] != calls || !mine && got[name] != 0 {
					t.Errorf("limit %d of %v: %s has %d calls, want %d", limit, tenants, name, got[name], calls)
				}
			}
		}
	}
	foreignCursors(t, s)
}

// allRuns follows the pages and gives each run's calls; a run that comes twice ends the test.
func allRuns(t *testing.T, s Store, q signalbox.RunCostQuery) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	for {
		page, next, err := s.Views.RunCosts(t.Context(), q)
		ok(t, err)
		for _, r := range page {
			name := r.Tenant + "/" + r.Run
			if _, twice := got[name]; twice {
				t.Fatalf("limit %d: %s comes twice", q.Limit, name)
			}
			if r.Cost != one.Cost*signalbox.Money(r.Calls) || r.CacheWriteTokens != one.CacheWriteTokens*r.Calls {
				t.Fatalf("%s has %+v", name, r.Totals)
			}
			got[name] = r.Calls
		}
		if q.Cursor = next; next == "" {
			return got
		}
	}
}

// foreignCursors goes on with the cursor of all tenants' list in the list of one: it gives that tenant's part of what
// the list of all gives.
func foreignCursors(t *testing.T, s Store) {
	t.Helper()
	q := signalbox.RunCostQuery{Limit: 1}
	for {
		_, next, err := s.Views.RunCosts(t.Context(), q)
		if ok(t, err); next == "" {
			return
		}
		q.Cursor = next
		rest := allRuns(t, s, q)
		for _, tenant := range []string{"acme", "globex", "initech"} {
			want, one := 0, allRuns(t, s, signalbox.RunCostQuery{Tenants: []string{tenant}, Cursor: next, Limit: signalbox.MaxPage})
			for name, calls := range rest {
				if !strings.HasPrefix(name, tenant+"/") {
					continue
				}
				if want++; one[name] != calls {
					t.Fatalf("after %s: %s has %d calls, want %d", next, name, one[name], calls)
				}
			}
			if len(one) != want {
				t.Fatalf("after %s: %s has %d runs, want %d", next, tenant, len(one), want)
			}
		}
	}
}
