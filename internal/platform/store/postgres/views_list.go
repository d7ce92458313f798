package postgres

import (
	"context"
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
	w, err := v.callFilter(ctx, f)
	if err != nil {
		return nil, "", err
	}
	calls, err := asked(ctx, v, "list calls", scanCall,
		selectCalls+w.String()+" ORDER BY c.first DESC LIMIT "+w.arg(limit+1), w.args...)
	if err != nil || len(calls) <= limit {
		return calls, "", err
	}
	return calls[:limit], strconv.FormatInt(calls[limit-1].First(), 10), nil
}

// callFilter makes the conditions. One index is chosen here, by how much its value narrows; other columns are made
// expressions, which have no index, so that rows always come in the order of the list and none has to be sorted.
func (v *Views) callFilter(ctx context.Context, f signalbox.CallFilter) (*conditions, error) {
	w := &conditions{}
	indexed := false
	column := func(name, value, partial string) {
		switch {
		case value == "":
		case indexed:
			w.and("(c."+name+" || '') = ?", clean(value))
		default:
			indexed = true
			w.and("c."+name+" = ?"+partial, clean(value))
		}
	}
	column("trace_id", f.Trace, "")
	column("run_id", f.Run, " AND c.run_id <> ''")
	if f.Outcome != signalbox.OutcomeOK {
		column("outcome", string(f.Outcome), " AND c.outcome <> 'ok'")
	}
	column("tool_name", f.Tool, " AND c.tool_name <> ''")
	column("agent_id", f.Agent, " AND c.agent_id <> ''")
	column("model_name", f.Model, " AND c.model_name <> ''")
	column("team", f.Team, " AND c.team <> ''")
	if len(f.Tenants) == 1 {
		column("tenant", f.Tenants[0], "")
	} else {
		w.in("(c.tenant || '')", f.Tenants)
	}
	// Kinds are few and the outcome ok is the usual one: going through the newest calls finds them.
	indexed = true
	column("kind", string(f.Kind), "")
	if f.Outcome == signalbox.OutcomeOK {
		column("outcome", string(f.Outcome), "")
	}
	return w, v.rangeFilter(ctx, w, f)
}

// rangeFilter adds the cursor and the range of time.
func (v *Views) rangeFilter(ctx context.Context, w *conditions, f signalbox.CallFilter) error {
	if f.Cursor != "" {
		before, err := store.ParseCursor(f.Cursor)
		if err != nil {
			return err
		}
		w.and("c.first < ?", before)
	}
	if !f.From.IsZero() {
		first, err := v.indexAt(ctx, f.From.Add(-clockSlack))
		if err != nil {
			return err
		}
		w.and("c.first >= ? AND (c.time + 0) >= ?", first, f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		end, err := v.indexAt(ctx, f.To.Add(callSlack))
		if err != nil {
			return err
		}
		w.and("c.first < ? AND (c.time + 0) < ?", end, f.To.UnixMicro())
	}
	return nil
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
	w.in("(c.tenant || '')", tenants)
	return asked(ctx, v, "read a trace", scanCall,
		selectCalls+w.String()+" ORDER BY c.first LIMIT "+w.arg(signalbox.MaxTraceCalls), w.args...)
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
		w.in("(tenant || '')", f.Tenants)
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
