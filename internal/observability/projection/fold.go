package projection

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Item is a record with its place in the log. Where a call's intent and outcome are in one batch, the outcome's item can
// stand for both: Intent is then the place of the intent, which has no item of its own.
type Item struct {
	Index  int64
	Record signalbox.Record
	Intent *int64
}

// Needs is what [Fold] must know of the projections before it can fold: calls by id, and latencies by key.
type Needs struct {
	Calls   []string
	Latency []signalbox.LatencyKey
}

// NeedsOf gives what a fold of the items needs. A call whose intent is among them is not needed: an intent is the first
// that the log says of a call.
func NeedsOf(items []Item) Needs {
	var n Needs
	begun, seen := map[string]bool{}, map[signalbox.LatencyKey]bool{}
	for i := range items {
		r := &items[i].Record
		id := callOf(r)
		switch {
		case id == "":
			continue
		case r.Type == signalbox.RecordIntent, items[i].Intent != nil:
			begun[id] = true
		case !begun[id]:
			begun[id] = true
			n.Calls = append(n.Calls, id)
		}
		for _, key := range latencyKeys(r) {
			if !seen[key] {
				seen[key] = true
				n.Latency = append(n.Latency, key)
			}
		}
	}
	return n
}

// Fold says what the items change in projections of which state is what [NeedsOf] asked for. It is pure, and folding a
// log in one batch or in many gives the same tables. Index, time and leaf of the batch itself are left to the caller.
func Fold(state signalbox.ViewState, items []Item) (signalbox.Changes, error) {
	f := folder{
		calls:   map[string]*callState{},
		rollups: map[signalbox.RollupKey]*signalbox.Totals{},
		latency: map[signalbox.LatencyKey]*sketch{},
		stored:  map[signalbox.LatencyKey][]byte{},
		runs:    map[runKey]*signalbox.RunView{},
		hours:   map[runHour]*signalbox.Totals{},
		facets:  map[signalbox.Facet]bool{},
	}
	for _, v := range state.Calls {
		f.calls[v.ID] = &callState{view: v, known: true}
	}
	for _, l := range state.Latency {
		f.stored[l.LatencyKey] = l.Sketch
	}
	for i := range items {
		if err := f.fold(&items[i]); err != nil {
			return signalbox.Changes{}, err
		}
	}
	return f.changes(), nil
}

type runKey struct{ tenant, id string }

type runHour struct {
	hour time.Time
	runKey
}

// callState is a call's row on its way through a fold.
type callState struct {
	view    signalbox.CallView
	known   bool // It had a row before.
	changed bool
}

type folder struct {
	calls   map[string]*callState
	rollups map[signalbox.RollupKey]*signalbox.Totals
	latency map[signalbox.LatencyKey]*sketch
	stored  map[signalbox.LatencyKey][]byte
	runs    map[runKey]*signalbox.RunView
	hours   map[runHour]*signalbox.Totals
	facets  map[signalbox.Facet]bool
	erased  []signalbox.Erased

	evidence []signalbox.SealedBlock
}

func (f *folder) fold(it *Item) error {
	r := &it.Record
	if r.Call == "" && r.Type != signalbox.RecordAdmin {
		return nil
	}
	c := f.calls[callOf(r)]
	switch r.Type {
	case signalbox.RecordIntent:
		f.begin(c, it.Index, r)
	case signalbox.RecordAttempt:
		retry(c, r)
	case signalbox.RecordOutcome:
		return f.end(c, it)
	case signalbox.RecordAdmin:
		f.admin(c, it)
	}
	return nil
}

// begin lists a call that is about to leave.
func (f *folder) begin(c *callState, index int64, r *signalbox.Record) {
	if c != nil {
		return
	}
	v := view(r)
	v.Outcome, v.IntentIndex, v.Attempts = signalbox.OutcomeRunning, &index, 1
	f.calls[r.Call] = &callState{view: v, changed: true}
	f.run(&v, r).Running++
	f.facet(&v, true)
}

// retry notes a further attempt of a call under way.
func retry(c *callState, r *signalbox.Record) {
	if c == nil || c.view.Outcome != signalbox.OutcomeRunning {
		return
	}
	c.view.Attempts++
	c.view.ModelName, c.view.Provider = r.Context.ModelName, r.Context.Provider
	c.view.Simulated, c.changed = r.Context.Simulated, true
}

// end gives a call its outcome and counts it.
func (f *folder) end(c *callState, it *Item) error {
	if c != nil && c.view.Outcome != signalbox.OutcomeRunning {
		return nil
	}
	r, running := &it.Record, int64(0)
	if c == nil {
		c = &callState{view: view(r)}
		c.view.IntentIndex = it.Intent
		f.calls[r.Call] = c
	} else {
		running = -1
	}
	c.changed = true
	v := &c.view
	ended(v, it.Index, r)
	run, whole := f.run(v, r), wholeCall(r)
	run.Running += running
	run.Totals = run.Totals.Plus(whole)
	f.runHour(v, whole)
	f.rollup(v, r)
	f.facet(v, known(v, r))
	f.tried(v, r)
	return f.time(r)
}

// run gives the changes of the call's run, or a run that nobody keeps where the call has none.
func (f *folder) run(v *signalbox.CallView, r *signalbox.Record) *signalbox.RunView {
	if v.RunID == "" {
		return &signalbox.RunView{}
	}
	key := runKey{v.Tenant, v.RunID}
	run := f.runs[key]
	if run == nil {
		run = &signalbox.RunView{
			ID: v.RunID, Tenant: v.Tenant, Team: v.Team, Agent: v.AgentID, First: v.First(), Started: v.Time, Last: r.Time,
		}
		f.runs[key] = run
	}
	if v.Time.Before(run.Started) {
		run.Started = v.Time
	}
	if r.Time.After(run.Last) {
		run.Last = r.Time
	}
	if v.First() < run.First {
		run.First, run.Team, run.Agent = v.First(), v.Team, v.AgentID
	}
	return run
}

// runHour adds the call to its run's hour, which is the hour of its rollups: both add up to the same.
func (f *folder) runHour(v *signalbox.CallView, t signalbox.Totals) {
	key := runHour{hour(v.Time), runKey{v.Tenant, v.RunID}}
	sum := f.hours[key]
	if sum == nil {
		sum = &signalbox.Totals{}
		f.hours[key] = sum
	}
	*sum = sum.Plus(t)
}

// rollup adds the call to its hour, and each attempt to what it was an attempt of.
func (f *folder) rollup(v *signalbox.CallView, r *signalbox.Record) {
	key := signalbox.RollupKey{Hour: hour(v.Time), Tenant: v.Tenant, Team: v.Team, Agent: v.AgentID}
	called := key
	if known(v, r) {
		called.Model, called.Tool, called.Provider = v.ModelName, v.ToolName, v.Provider
	}
	f.add(called, count(r))
	for i := range r.Attempts {
		a := &r.Attempts[i]
		tried := key
		tried.Model, tried.Tool, tried.Provider = names(v, a)
		if t := consumed(a); t != (signalbox.Totals{}) {
			f.add(tried, t)
		}
	}
}

func (f *folder) add(key signalbox.RollupKey, t signalbox.Totals) {
	sum := f.rollups[key]
	if sum == nil {
		sum = &signalbox.Totals{}
		f.rollups[key] = sum
	}
	*sum = sum.Plus(t)
}

// time adds the call's latency.
func (f *folder) time(r *signalbox.Record) error {
	for _, key := range latencyKeys(r) {
		s := f.latency[key]
		if s == nil {
			s = &sketch{}
			if err := s.merge(f.stored[key]); err != nil {
				return err
			}
			f.latency[key] = s
		}
		s.add(r.When.DurationMS)
	}
	return nil
}

// known reports whether what a call names is there, and not made up: it was attempted, or it is a tool that was found.
func known(v *signalbox.CallView, r *signalbox.Record) bool {
	found := r.Stations != nil && r.Stations.Resolve == signalbox.StatusPassed
	return len(r.Attempts) > 0 || found && v.Kind == signalbox.KindTool
}

// facet notes the values of a call; names of what was called only where that is known.
func (f *folder) facet(v *signalbox.CallView, known bool) {
	f.note(v.Tenant, signalbox.FacetTenant, v.Tenant)
	f.note(v.Tenant, signalbox.FacetTeam, v.Team)
	f.note(v.Tenant, signalbox.FacetAgent, v.AgentID)
	if known {
		f.note(v.Tenant, signalbox.FacetModel, v.ModelName)
		f.note(v.Tenant, signalbox.FacetTool, v.ToolName)
		f.note(v.Tenant, signalbox.FacetProvider, v.Provider)
	}
}

// tried notes what each attempt called: the same that the intent and the records of further attempts say.
func (f *folder) tried(v *signalbox.CallView, r *signalbox.Record) {
	for i := range r.Attempts {
		model, tool, provider := names(v, &r.Attempts[i])
		f.note(v.Tenant, signalbox.FacetModel, model)
		f.note(v.Tenant, signalbox.FacetTool, tool)
		f.note(v.Tenant, signalbox.FacetProvider, provider)
	}
}

func (f *folder) note(tenant string, field signalbox.FacetField, value string) {
	if value != "" {
		f.facets[signalbox.Facet{Tenant: tenant, Field: field, Value: value}] = true
	}
}

// names gives what an attempt called.
func names(v *signalbox.CallView, a *signalbox.Attempt) (model, tool, provider string) {
	if v.Kind == signalbox.KindModel {
		return a.Name, "", a.Provider
	}
	return "", a.Name, a.Provider
}

// changes gives what was gathered, in an order that depends on nothing but the content.
func (f *folder) changes() signalbox.Changes {
	var c signalbox.Changes
	for _, s := range f.calls {
		c.Sealed = appendSealed(c.Sealed, s)
		switch {
		case s.changed && s.known:
			c.Updates = append(c.Updates, s.view)
		case s.changed:
			c.Calls = append(c.Calls, s.view)
		}
	}
	for key, t := range f.rollups {
		c.Rollups = append(c.Rollups, signalbox.Rollup{RollupKey: key, Totals: *t})
	}
	for key, s := range f.latency {
		c.Latency = append(c.Latency, signalbox.LatencyRollup{LatencyKey: key, Sketch: s.encode()})
	}
	for _, run := range f.runs {
		c.Runs = append(c.Runs, *run)
	}
	for key, t := range f.hours {
		c.RunHours = append(c.RunHours, signalbox.RunHour{Hour: key.hour, Tenant: key.tenant, Run: key.id, Totals: *t})
	}
	for facet := range f.facets {
		c.Facets = append(c.Facets, facet)
	}
	c.Erased, c.Sealed = f.erased, append(c.Sealed, f.evidence...)
	order(&c)
	return c
}

func order(c *signalbox.Changes) {
	byFirst := func(a, b signalbox.CallView) int { return cmp.Compare(a.First(), b.First()) }
	slices.SortFunc(c.Calls, byFirst)
	slices.SortFunc(c.Updates, byFirst)
	slices.SortFunc(c.Rollups, func(a, b signalbox.Rollup) int {
		return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Team, b.Team),
			strings.Compare(a.Agent, b.Agent), strings.Compare(a.Model, b.Model), strings.Compare(a.Tool, b.Tool),
			strings.Compare(a.Provider, b.Provider))
	})
	slices.SortFunc(c.Latency, func(a, b signalbox.LatencyRollup) int {
		return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Tool, b.Tool))
	})
	slices.SortFunc(c.Runs, func(a, b signalbox.RunView) int { return cmp.Compare(a.First, b.First) })
	slices.SortFunc(c.RunHours, func(a, b signalbox.RunHour) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Run, b.Run), a.Hour.Compare(b.Hour))
	})
	slices.SortFunc(c.Facets, func(a, b signalbox.Facet) int {
		return cmp.Or(strings.Compare(string(a.Field), string(b.Field)), strings.Compare(a.Tenant, b.Tenant),
			strings.Compare(a.Value, b.Value))
	})
}

// timed reports whether a call's duration says something about latency: it was served or it failed.
func timed(r *signalbox.Record) bool {
	return r.Type == signalbox.RecordOutcome && len(r.Attempts) > 0 &&
		(r.Outcome == signalbox.OutcomeOK || r.Outcome == signalbox.OutcomeFailed)
}

// latencyKeys gives where a call's latency counts.
func latencyKeys(r *signalbox.Record) []signalbox.LatencyKey {
	if !timed(r) {
		return nil
	}
	all := signalbox.LatencyKey{Hour: hour(r.When.Timestamp), Tenant: r.Who.TenantID}
	if r.What.Kind != signalbox.KindTool || r.What.ToolName == "" {
		return []signalbox.LatencyKey{all}
	}
	tool := all
	tool.Tool = r.What.ToolName
	return []signalbox.LatencyKey{all, tool}
}

func hour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }
