package sqlite

import (
	"context"
	"database/sql/driver"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/signalbox/signalbox"
)

const (
	upsertHour   = "INSERT INTO rollups " + upsertRollup
	upsertDay    = "INSERT INTO rollup_days " + upsertRollup
	upsertRollup = "(hour, tenant, team, agent, model, tool, provider, " + totalColumns + ") " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET " + addTotals
	upsertRun = "INSERT INTO runs (tenant, id, first, team, agent, started, last, running, " + totalColumns + ") " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET " +
		"started = min(started, excluded.started), last = max(last, excluded.last), running = running + excluded.running, " +
		addTotals
	upsertRunHour = "INSERT INTO run_hours (tenant, run, hour, " + totalColumns + ") " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET " + addTotals
	upsertLatency = "INSERT INTO latencies (hour, tenant, tool, sketch) VALUES (?, ?, ?, ?) " +
		"ON CONFLICT DO UPDATE SET sketch = excluded.sketch"
	insertFacet  = "INSERT INTO facets (field, tenant, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
	totalColumns = "calls, failures, refusals, input, output, cache_read, cache_write, cost, unpriced"
	addTotals    = "calls = calls + excluded.calls, failures = failures + excluded.failures, " +
		"refusals = refusals + excluded.refusals, input = input + excluded.input, output = output + excluded.output, " +
		"cache_read = cache_read + excluded.cache_read, cache_write = cache_write + excluded.cache_write, " +
		"cost = cost + excluded.cost, unpriced = unpriced + excluded.unpriced"
	setProgress = "UPDATE progress SET cursor = ?, as_of = ?, leaf = ? WHERE cursor = ?"
)

// viewBytes is about what a call's row and its index entries take.
const viewBytes = 800

// Apply stores the changes and sets the cursor from c.From to c.To, in one transaction. Where the cursor is not at
// c.From they are refused with code conflict.
func (v *Views) Apply(ctx context.Context, c signalbox.Changes) error {
	gone, err := v.gone(ctx, c.Erased)
	if err != nil {
		return err
	}
	v.forget(c.Calls)
	v.forget(c.Updates)
	size := int64(len(c.Calls)+len(c.Updates)) * viewBytes
	return explain("apply projections", v.writer.write(size, func(t *transaction) error {
		if err := advance(t, c); err != nil {
			return err
		}
		for _, store := range []func(*transaction, signalbox.Changes) error{storeCalls, storeRollups, storeRuns, storeSealed} {
			if err := store(t, c); err != nil {
				return err
			}
		}
		for _, f := range c.Facets {
			if err := t.exec(insertFacet, string(f.Field), f.Tenant, f.Value); err != nil {
				return err
			}
		}
		return erase(t, gone)
	}))
}

func advance(t *transaction, c signalbox.Changes) error {
	if err := t.exec(setProgress, c.To, c.AsOf.UnixMicro(), c.Leaf[:], c.From); err != nil {
		return err
	}
	return t.query("SELECT changes()", func(row []driver.Value) error {
		if integer(row[0]) == 1 {
			return nil
		}
		return signalbox.Errorf(signalbox.CodeConflict, "The projections are not at record %d.", c.From).
			WithRemedy("Let one process project the log; if there is one, rebuild the projections.")
	})
}

func storeCalls(t *transaction, c signalbox.Changes) error {
	for i := range c.Calls {
		if err := storeCall(t, callValues(&c.Calls[i])); err != nil {
			return err
		}
	}
	for i := range c.Updates {
		if err := t.exec(updateCall, updateValues(&c.Updates[i])...); err != nil {
			return err
		}
	}
	return nil
}

// storeCall inserts a row. Should the log hold two calls of one id or place, the later one stays: an error here would stop
// the projections for good. REPLACE is not the first try, because it journals every page it touches.
func storeCall(t *transaction, values []driver.Value) error {
	err := t.exec(insertCall, values...)
	if primary(err) == sqlite3.SQLITE_CONSTRAINT {
		return t.exec(replaceCall, values...)
	}
	return err
}

func storeRollups(t *transaction, c signalbox.Changes) error {
	for _, r := range c.Rollups {
		values := append([]driver.Value{hours(r.Hour), r.Tenant, r.Team, r.Agent, r.Model, r.Tool, r.Provider},
			totalValues(r.Totals)...)
		if err := t.exec(upsertHour, values...); err != nil {
			return err
		}
		values[0] = hours(r.Hour) / hoursPerDay * hoursPerDay
		if err := t.exec(upsertDay, values...); err != nil {
			return err
		}
	}
	for _, l := range c.Latency {
		if err := t.exec(upsertLatency, hours(l.Hour), l.Tenant, l.Tool, l.Sketch); err != nil {
			return err
		}
	}
	return nil
}

func storeRuns(t *transaction, c signalbox.Changes) error {
	for _, r := range c.Runs {
		values := append([]driver.Value{
			r.Tenant, r.ID, r.First, r.Team, r.Agent, r.Started.UnixMicro(), r.Last.UnixMicro(), r.Running,
		}, totalValues(r.Totals)...)
		if err := t.exec(upsertRun, values...); err != nil {
			return err
		}
	}
	for _, h := range c.RunHours {
		values := append([]driver.Value{h.Tenant, h.Run, hours(h.Hour)}, totalValues(h.Totals)...)
		if err := t.exec(upsertRunHour, values...); err != nil {
			return err
		}
	}
	return nil
}

func totalValues(t signalbox.Totals) []driver.Value {
	return []driver.Value{
		t.Calls, t.Failures, t.Refusals, t.InputTokens, t.OutputTokens, t.CacheReadTokens, t.CacheWriteTokens,
		int64(t.Cost), t.Unpriced,
	}
}

// marks gives n parameters.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
