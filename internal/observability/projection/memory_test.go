package projection_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// memory is the plainest store there can be: the contract of projection.Store in maps. It makes histories cheap to
// project, and what it holds is compared with what the real store holds.
type memory struct {
	mu      sync.Mutex // For those who write the log while it is projected.
	entries []signalbox.Entry
	cursor  int64
	calls   map[int64]signalbox.CallView
	rollups map[signalbox.RollupKey]signalbox.Totals
	latency map[signalbox.LatencyKey][]byte
	runs    map[[2]string]signalbox.RunView
	hours   map[signalbox.RunHour]signalbox.Totals // By the key's own fields.
	facets  map[signalbox.Facet]bool
	broken  map[string]bool // Methods that fail.
}

var errBroken = errors.New("broken")

func newMemory() *memory {
	m := &memory{broken: map[string]bool{}}
	_ = m.Reset(context.Background()) // It does not fail yet.
	return m
}

func (m *memory) fails(method string) error {
	if m.broken[method] {
		return errBroken
	}
	return nil
}

func (m *memory) Page(_ context.Context, from int64, limit int) ([]signalbox.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := min(from+int64(limit), int64(len(m.entries)))
	return m.entries[min(from, end):end], m.fails("Page")
}

func (m *memory) Progress(context.Context) (signalbox.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return signalbox.Progress{Cursor: m.cursor, Size: int64(len(m.entries))}, m.fails("Progress")
}

func (m *memory) State(_ context.Context, calls []string, keys []signalbox.LatencyKey) (signalbox.ViewState, error) {
	var s signalbox.ViewState
	for _, v := range m.calls {
		if slices.Contains(calls, v.ID) {
			s.Calls = append(s.Calls, v)
		}
	}
	for _, key := range keys {
		if b, ok := m.latency[key]; ok {
			s.Latency = append(s.Latency, signalbox.LatencyRollup{LatencyKey: key, Sketch: b})
		}
	}
	return s, m.fails("State")
}

func (m *memory) Apply(_ context.Context, c signalbox.Changes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.From != m.cursor || m.broken["Apply"] {
		return errBroken
	}
	m.cursor = c.To
	for _, v := range c.Calls {
		if _, ok := m.calls[v.First()]; ok {
			return errors.New("a new call has a row")
		}
		m.calls[v.First()] = v
	}
	for _, v := range c.Updates {
		if _, ok := m.calls[v.First()]; !ok {
			return errors.New("a known call has no row")
		}
		m.calls[v.First()] = v
	}
	for _, r := range c.Rollups {
		m.rollups[r.RollupKey] = m.rollups[r.RollupKey].Plus(r.Totals)
	}
	for _, l := range c.Latency {
		m.latency[l.LatencyKey] = l.Sketch
	}
	for _, r := range c.Runs {
		m.addRun(r)
	}
	for _, h := range c.RunHours {
		key := signalbox.RunHour{Hour: h.Hour, Tenant: h.Tenant, Run: h.Run}
		m.hours[key] = m.hours[key].Plus(h.Totals)
	}
	for _, f := range c.Facets {
		m.facets[f] = true
	}
	return nil
}

func (m *memory) addRun(r signalbox.RunView) {
	key := [2]string{r.Tenant, r.ID}
	old, ok := m.runs[key]
	if !ok {
		m.runs[key] = r
		return
	}
	if r.Started.Before(old.Started) {
		old.Started = r.Started
	}
	if r.Last.After(old.Last) {
		old.Last = r.Last
	}
	old.Running += r.Running
	old.Totals = old.Plus(r.Totals)
	m.runs[key] = old
}

func (m *memory) Reset(context.Context) error {
	m.cursor, m.calls, m.rollups = 0, map[int64]signalbox.CallView{}, map[signalbox.RollupKey]signalbox.Totals{}
	m.latency, m.runs = map[signalbox.LatencyKey][]byte{}, map[[2]string]signalbox.RunView{}
	m.facets, m.hours = map[signalbox.Facet]bool{}, map[signalbox.RunHour]signalbox.Totals{}
	return m.fails("Reset")
}

func (m *memory) Running(context.Context) ([]signalbox.CallView, error) {
	var running []signalbox.CallView
	for _, first := range slices.Sorted(maps.Keys(m.calls)) {
		if v := m.calls[first]; v.Outcome == signalbox.OutcomeRunning {
			running = append(running, v)
		}
	}
	return running, m.fails("Running")
}

func (m *memory) DeleteCalls(context.Context, time.Time, int) (int, error) {
	return 0, m.fails("DeleteCalls")
}

// tables gives everything in the order in which the real store lists it.
func (m *memory) tables() tables {
	t := tables{Progress: signalbox.Progress{Cursor: m.cursor, Size: int64(len(m.entries))}}
	if n := len(m.entries); n > 0 {
		t.Progress.AsOf = m.entries[n-1].Time
	}
	for _, first := range slices.Sorted(maps.Keys(m.calls)) {
		t.Calls = append(t.Calls, m.calls[first])
	}
	slices.Reverse(t.Calls)
	for key, totals := range m.rollups {
		t.Rollups = append(t.Rollups, signalbox.Rollup{RollupKey: key, Totals: totals})
	}
	slices.SortFunc(t.Rollups, func(a, b signalbox.Rollup) int {
		return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Team, b.Team),
			strings.Compare(a.Agent, b.Agent), strings.Compare(a.Model, b.Model), strings.Compare(a.Tool, b.Tool),
			strings.Compare(a.Provider, b.Provider))
	})
	for key, b := range m.latency {
		t.Latency = append(t.Latency, signalbox.LatencyRollup{LatencyKey: key, Sketch: b})
	}
	slices.SortFunc(t.Latency, func(a, b signalbox.LatencyRollup) int {
		return cmp.Or(strings.Compare(a.Tool, b.Tool), a.Hour.Compare(b.Hour), strings.Compare(a.Tenant, b.Tenant))
	})
	for _, r := range m.runs {
		t.Runs = append(t.Runs, r)
	}
	slices.SortFunc(t.Runs, func(a, b signalbox.RunView) int { return cmp.Compare(b.First, a.First) })
	t.RunCosts = m.runCosts()
	t.Facets = m.allFacets()
	return t
}

// runCosts lists runs by the hours in which they began, the last first, then by tenant and id, the greatest first.
func (m *memory) runCosts() []signalbox.RunCost {
	costs, began := map[[2]string]signalbox.RunCost{}, map[[2]string]time.Time{}
	for h, totals := range m.hours {
		key := [2]string{h.Tenant, h.Run}
		costs[key] = signalbox.RunCost{Tenant: h.Tenant, Run: h.Run, Totals: costs[key].Plus(totals)}
		if b, ok := began[key]; !ok || h.Hour.Before(b) {
			began[key] = h.Hour
		}
	}
	return slices.SortedFunc(maps.Values(costs), func(a, b signalbox.RunCost) int {
		return cmp.Or(began[[2]string{b.Tenant, b.Run}].Compare(began[[2]string{a.Tenant, a.Run}]),
			strings.Compare(b.Tenant, a.Tenant), strings.Compare(b.Run, a.Run))
	})
}

func (m *memory) allFacets() signalbox.Facets {
	values := func(field signalbox.FacetField) []string {
		set := map[string]bool{}
		for f := range m.facets {
			if f.Field == field {
				set[f.Value] = true
			}
		}
		return slices.Sorted(maps.Keys(set))
	}
	return signalbox.Facets{
		Tenants: values(signalbox.FacetTenant), Teams: values(signalbox.FacetTeam), Agents: values(signalbox.FacetAgent),
		Models: values(signalbox.FacetModel), Tools: values(signalbox.FacetTool), Providers: values(signalbox.FacetProvider),
	}
}
