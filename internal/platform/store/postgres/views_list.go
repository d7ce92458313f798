package postgres

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// A range of time is found in the log by its records' times, which are those of the first records of calls. The clocks of
// replicas may differ and be set back by up to clockSlack, and up to callSlack may lie between a call's coming in and its
// first record.
const (
	clockSlack = time.Minute
	callSlack  = 10 * time.Minute
)

// ListCalls gives a page of calls, newest first, and the cursor of the next page, "" at the end. A cursor or limit that
// can not be is an error of code invalid; a filter that would have to look through too much is one of code timeout.
func (v *Views) ListCalls(ctx context.Context, f signalbox.CallFilter) ([]signalbox.CallView, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	w, order, err := v.callFilter(ctx, f)
	if err != nil {
		return nil, "", err
	}
	calls, err := asked(ctx, v, "list calls", scanCall, selectCalls+w.String()+" ORDER BY "+order+" LIMIT "+w.arg(limit+1), w.args...)
	if err != nil || len(calls) <= limit {
		return calls, "", err
	}
	return calls[:limit], strconv.FormatInt(calls[limit-1].First(), 10), nil
}

// chosen are the columns with an index, those that usually narrow most first, with what the index leaves out.
var chosen = []struct {
	name, partial string
	value         func(f *signalbox.CallFilter) string
}{
	{"trace_id", "", func(f *signalbox.CallFilter) string { return f.Trace }},
	{"run_id", " AND c.run_id <> ''", func(f *signalbox.CallFilter) string { return f.Run }},
	{"outcome", " AND c.outcome <> 'ok'", rareOutcome},
	{"tool_name", " AND c.tool_name <> ''", func(f *signalbox.CallFilter) string { return f.Tool }},
	{"agent_id", " AND c.agent_id <> ''", func(f *signalbox.CallFilter) string { return f.Agent }},
	{"model_name", " AND c.model_name <> ''", func(f *signalbox.CallFilter) string { return f.Model }},
	{"team", " AND c.team <> ''", func(f *signalbox.CallFilter) string { return f.Team }},
	{"tenant", "", oneTenant},
}

// rareOutcome is the outcome that a filter asks for, but not ok: going through the newest calls finds those.
func rareOutcome(f *signalbox.CallFilter) string {
	if f.Outcome == signalbox.OutcomeOK {
		return ""
	}
	return string(f.Outcome)
}

func oneTenant(f *signalbox.CallFilter) string {
	if len(f.Tenants) == 1 {
		return f.Tenants[0]
	}
	return ""
}

// callFilter makes the conditions and the order. Where a value has an index that holds it together with the place in the
// list, the range and the order are written in both of them. The planner would otherwise read the newest calls until it
// has found enough of a value that is frequent on the whole, and look through all of them where it has become rare.
func (v *Views) callFilter(ctx context.Context, f signalbox.CallFilter) (*conditions, string, error) {
	low, end, err := v.places(ctx, f)
	if err != nil {
		return nil, "", err
	}
	w, order := &conditions{}, ""
	for _, c := range chosen {
		switch value := clean(c.value(&f)); {
		case value == "":
		case order != "":
			w.and("c."+c.name+" = ?", value)
		default:
			order = "c." + c.name + " DESC, c.first DESC"
			pair := "(c." + c.name + ", c.first)"
			w.and(pair+" >= (?, ?) AND "+pair+" < (?, ?)"+c.partial, value, low, value, end)
		}
	}
	if order == "" {
		order = "c.first DESC"
		w.and("c.first >= ? AND c.first < ?", low, end)
	}
	addOthers(w, f)
	return w, order, nil
}

// addOthers adds the conditions that have no index.
func addOthers(w *conditions, f signalbox.CallFilter) {
	if len(f.Tenants) != 1 || f.Tenants[0] == "" {
		w.in("c.tenant", f.Tenants)
	}
	if f.Kind != "" {
		w.and("c.kind = ?", clean(string(f.Kind)))
	}
	if f.Outcome == signalbox.OutcomeOK {
		w.and("c.outcome = 'ok'")
	}
	if !f.From.IsZero() {
		w.and("c.time >= ?", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		w.and("c.time < ?", f.To.UnixMicro())
	}
}

// places gives the range of places in the list in which a filter's calls are: from low, below end.
func (v *Views) places(ctx context.Context, f signalbox.CallFilter) (low, end int64, err error) {
	end = math.MaxInt64
	if f.Cursor != "" {
		if end, err = store.ParseCursor(f.Cursor); err != nil {
			return 0, 0, err
		}
	}
	if !f.From.IsZero() {
		if low, err = v.indexAt(ctx, f.From.Add(-clockSlack)); err != nil {
			return 0, 0, err
		}
	}
	if !f.To.IsZero() {
		before, err := v.indexAt(ctx, f.To.Add(callSlack))
		if err != nil {
			return 0, 0, err
		}
		end = min(end, before)
	}
	return low, end, nil
}

// indexAt gives the index of about the first record made at or after t, by halving.
func (v *Views) indexAt(ctx context.Context, t time.Time) (int64, error) {
	found, err := asked(ctx, v, "find a time in the log", one[int64], `
		WITH RECURSIVE half (low, high) AS (
			SELECT 0::bigint, coalesce((SELECT max(seq) FROM audit_records) + 1, 0)
			UNION ALL
			SELECT CASE WHEN r.time < $1 THEN r.seq + 1 ELSE low END, CASE WHEN r.time < $1 THEN high ELSE r.seq END
			FROM half, LATERAL (SELECT seq, time FROM audit_records WHERE seq = low + (high - low) / 2) r
			WHERE low < high
		) SELECT low FROM half WHERE low = high`, t.UnixMicro())
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

// CallByID gives one call; not_found where the projections have none of that id.
func (v *Views) CallByID(ctx context.Context, id string) (signalbox.CallView, error) {
	calls, err := asked(ctx, v, "read a call", scanCall, selectCalls+" WHERE c.id = $1", clean(id))
	if err != nil {
		return signalbox.CallView{}, err
	}
	if len(calls) == 0 {
		return signalbox.CallView{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no such call.").
			WithField("id").WithRemedy("Look for it in the list of calls; old calls leave the list after their retention.")
	}
	return calls[0], nil
}

// TraceCalls gives the calls of a trace that belong to the tenants (nil: to any), oldest first, at most
// signalbox.MaxTraceCalls of them.
func (v *Views) TraceCalls(ctx context.Context, trace string, tenants []string) ([]signalbox.CallView, error) {
	var w conditions
	w.and("c.trace_id = ?", clean(trace))
	w.in("c.tenant", tenants)
	return asked(ctx, v, "read a trace", scanCall,
		selectCalls+w.String()+" ORDER BY c.trace_id, c.first LIMIT "+w.arg(signalbox.MaxTraceCalls), w.args...)
}

var selectRuns = "SELECT tenant, id, first, team, agent, started, last, running, " + totalColumns + " FROM run_totals"

// Runs gives a page of runs, those that began last first, and the cursor of the next page.
func (v *Views) Runs(ctx context.Context, f signalbox.RunFilter) ([]signalbox.RunView, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	var w conditions
	if len(f.Tenants) == 1 {
		w.and("tenant = ?", clean(f.Tenants[0]))
	} else {
		w.in("tenant", f.Tenants)
	}
	if f.Cursor != "" {
		before, err := store.ParseCursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		w.and("first < ?", before)
	}
	runs, err := asked(ctx, v, "list runs", scanRun,
		selectRuns+w.String()+" ORDER BY first DESC LIMIT "+w.arg(limit+1), w.args...)
	if err != nil || len(runs) <= limit {
		return runs, "", err
	}
	return runs[:limit], strconv.FormatInt(runs[limit-1].First, 10), nil
}

// RunByID gives one run of a tenant; not_found where there is none.
func (v *Views) RunByID(ctx context.Context, tenant, id string) (signalbox.RunView, error) {
	runs, err := asked(ctx, v, "read a run", scanRun, selectRuns+" WHERE tenant = $1 AND id = $2", clean(tenant), clean(id))
	if err != nil {
		return signalbox.RunView{}, err
	}
	if len(runs) == 0 {
		return signalbox.RunView{}, signalbox.Errorf(signalbox.CodeNotFound, "The tenant has no such run.").
			WithField("id").WithRemedy("Look for it in the list of runs.")
	}
	return runs[0], nil
}

func scanRun(rows pgx.Rows) (v signalbox.RunView, err error) {
	var started, last int64
	targets := append([]any{&v.Tenant, &v.ID, &v.First, &v.Team, &v.Agent, &started, &last, &v.Running},
		totalTargets(&v.Totals)...)
	err = rows.Scan(targets...)
	v.Started, v.Last = time.UnixMicro(started).UTC(), time.UnixMicro(last).UTC()
	return v, err
}

func totalTargets(t *signalbox.Totals) []any {
	return []any{
		&t.Calls, &t.Failures, &t.Refusals, &t.InputTokens, &t.OutputTokens, &t.CacheReadTokens, &t.CacheWriteTokens,
		(*int64)(&t.Cost), &t.Unpriced,
	}
}
