package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// A range of time is found in the log by its records' times, which are those of the first records of calls. A clock may
// have been set back by up to clockSlack, and up to callSlack may lie between a call's coming in and its first record.
const (
	clockSlack = time.Minute
	callSlack  = 10 * time.Minute
)

// ListCalls gives a page of calls, newest first, and the cursor of the next page, "" at the end. A cursor or limit that
// can not be is an error of code invalid; a filter that would have to look through too much is one of code timeout.
func (v *Views) ListCalls(ctx context.Context, f signalbox.CallFilter) ([]signalbox.CallView, string, error) {
	limit, err := rowsOf(f.Limit)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := v.limited(ctx)
	defer cancel()
	w, err := v.callFilter(ctx, f)
	if err != nil {
		return nil, "", err
	}
	calls, err := collect(ctx, v.readers, "list calls", scanCall,
		selectCalls+w.String()+" ORDER BY first DESC LIMIT ?", append(w.args, limit+1)...)
	if err != nil || len(calls) <= limit {
		return calls, "", err
	}
	return calls[:limit], strconv.FormatInt(calls[limit-1].First(), 10), nil
}

// callFilter makes the conditions. One index is chosen here, by how much its value narrows; the unary plus keeps SQLite
// from taking another one, whose rows it would have to sort.
func (v *Views) callFilter(ctx context.Context, f signalbox.CallFilter) (*where, error) {
	w := &where{}
	indexed := false
	column := func(name, value, partial string) {
		switch {
		case value == "":
		case indexed:
			w.and("+"+name+" = ?", value)
		default:
			indexed = true
			w.and(name+" = ?"+partial, value)
		}
	}
	column("trace_id", f.Trace, "")
	column("run_id", f.Run, " AND run_id <> ''")
	if f.Outcome != signalbox.OutcomeOK {
		column("outcome", string(f.Outcome), " AND outcome <> 'ok'")
	}
	column("tool_name", f.Tool, " AND tool_name <> ''")
	column("agent_id", f.Agent, " AND agent_id <> ''")
	column("model_name", f.Model, " AND model_name <> ''")
	column("team", f.Team, " AND team <> ''")
	if len(f.Tenants) == 1 {
		column("tenant", f.Tenants[0], "")
	} else {
		w.in("+tenant", f.Tenants)
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
func (v *Views) rangeFilter(ctx context.Context, w *where, f signalbox.CallFilter) error {
	if f.Cursor != "" {
		before, err := cursor(f.Cursor)
		if err != nil {
			return err
		}
		w.and("first < ?", before)
	}
	if !f.From.IsZero() {
		first, err := v.log.indexAt(ctx, f.From.Add(-clockSlack))
		if err != nil {
			return err
		}
		w.and("first >= ? AND time >= ?", first, f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		end, err := v.log.indexAt(ctx, f.To.Add(callSlack))
		if err != nil {
			return err
		}
		w.and("first < ? AND time < ?", end, f.To.UnixMicro())
	}
	return nil
}

// indexAt gives the index of about the first record made at or after t, by halving.
func (d *DB) indexAt(ctx context.Context, t time.Time) (int64, error) {
	low := int64(0)
	high, err := d.Size(ctx)
	for err == nil && low < high {
		middle := low + (high-low)/2
		var micros int64
		err = d.readers.QueryRowContext(ctx, "SELECT time FROM audit_records WHERE seq = ?", middle).Scan(&micros)
		if micros < t.UnixMicro() {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, explain("find a time in the log", err)
}

func rowsOf(limit int) (int, error) { return store.PageLimit(limit) }

func cursor(s string) (int64, error) { return store.ParseCursor(s) }

// CallByID gives one call; not_found where the projections have none of that id.
func (v *Views) CallByID(ctx context.Context, id string) (signalbox.CallView, error) {
	ctx, cancel := v.limited(ctx)
	defer cancel()
	calls, err := collect(ctx, v.readers, "read a call", scanCall, selectCalls+"WHERE id = ?", id)
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
	ctx, cancel := v.limited(ctx)
	defer cancel()
	var w where
	w.and("trace_id = ?", trace)
	w.in("+tenant", tenants)
	return collect(ctx, v.readers, "read a trace", scanCall,
		selectCalls+w.String()+" ORDER BY first LIMIT ?", append(w.args, signalbox.MaxTraceCalls)...)
}

const selectRuns = "SELECT tenant, id, first, team, agent, started, last, running, " + totalColumns + " FROM runs"

// Runs gives a page of runs, those that began last first, and the cursor of the next page.
func (v *Views) Runs(ctx context.Context, f signalbox.RunFilter) ([]signalbox.RunView, string, error) {
	limit, err := rowsOf(f.Limit)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := v.limited(ctx)
	defer cancel()
	var w where
	w.in("+tenant", f.Tenants)
	if f.Cursor != "" {
		before, err := cursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		w.and("first < ?", before)
	}
	runs, err := collect(ctx, v.readers, "list runs", scanRun,
		selectRuns+w.String()+" ORDER BY first DESC LIMIT ?", append(w.args, limit+1)...)
	if err != nil || len(runs) <= limit {
		return runs, "", err
	}
	return runs[:limit], strconv.FormatInt(runs[limit-1].First, 10), nil
}

// RunByID gives one run of a tenant; not_found where there is none.
func (v *Views) RunByID(ctx context.Context, tenant, id string) (signalbox.RunView, error) {
	ctx, cancel := v.limited(ctx)
	defer cancel()
	run, err := scanRun(v.readers.QueryRowContext(ctx, selectRuns+" WHERE tenant = ? AND id = ?", tenant, id))
	if errors.Is(err, sql.ErrNoRows) {
		return run, signalbox.Errorf(signalbox.CodeNotFound, "The tenant has no such run.").
			WithField("id").WithRemedy("Look for it in the list of runs.")
	}
	return run, explain("read a run", err)
}

// row is one row, of a list or alone.
type row interface{ Scan(targets ...any) error }

func scanRun[R row](r R) (v signalbox.RunView, err error) {
	var started, last int64
	targets := append([]any{&v.Tenant, &v.ID, &v.First, &v.Team, &v.Agent, &started, &last, &v.Running},
		totalTargets(&v.Totals)...)
	err = r.Scan(targets...)
	v.Started, v.Last = time.UnixMicro(started).UTC(), time.UnixMicro(last).UTC()
	return v, err
}

func totalTargets(t *signalbox.Totals) []any {
	return []any{
		&t.Calls, &t.Failures, &t.Refusals, &t.InputTokens, &t.OutputTokens, &t.CacheReadTokens, &t.CacheWriteTokens,
		&t.Cost, &t.Unpriced,
	}
}
