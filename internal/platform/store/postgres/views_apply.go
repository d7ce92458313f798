package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// uniqueViolation is the SQLSTATE of a row that is there already.
const uniqueViolation = "23505"

// totalColumns are those of [signalbox.Totals]; sumTotals adds them up; addTotals adds new ones to a row's.
var (
	totalNames   = []string{"calls", "failures", "refusals", "input", "output", "cache_read", "cache_write", "cost", "unpriced"}
	totalColumns = strings.Join(totalNames, ", ")
	sumTotals    = "sum(" + strings.Join(totalNames, ")::bigint, sum(") + ")::bigint"
	totalTypes   = strings.Split(strings.TrimSuffix(strings.Repeat("bigint,", len(totalNames)), ","), ",")
)

func addTotals(table string) string {
	all := make([]string, len(totalNames))
	for i, name := range totalNames {
		all[i] = name + " = " + table + "." + name + " + excluded." + name
	}
	return strings.Join(all, ", ")
}

// totalArrays gives the columns of many totals.
func totalArrays[T any](items []T, totals func(*T) *signalbox.Totals) []any {
	field := func(f func(*signalbox.Totals) int64) any {
		return list(items, func(i *T) int64 { return f(totals(i)) })
	}
	return []any{
		field(func(t *signalbox.Totals) int64 { return t.Calls }),
		field(func(t *signalbox.Totals) int64 { return t.Failures }),
		field(func(t *signalbox.Totals) int64 { return t.Refusals }),
		field(func(t *signalbox.Totals) int64 { return t.InputTokens }),
		field(func(t *signalbox.Totals) int64 { return t.OutputTokens }),
		field(func(t *signalbox.Totals) int64 { return t.CacheReadTokens }),
		field(func(t *signalbox.Totals) int64 { return t.CacheWriteTokens }),
		field(func(t *signalbox.Totals) int64 { return int64(t.Cost) }),
		field(func(t *signalbox.Totals) int64 { return t.Unpriced }),
	}
}

// Rows of one statement are grouped by their key: two texts can become one when they are cleaned, and an upsert must not
// meet a row twice.
var (
	rollupKey    = "tenant, team, agent, model, tool, provider"
	rollupTypes  = append([]string{"bigint", "text", "text", "text", "text", "text", "text"}, totalTypes...)
	upsertHours  = upsertRollups("rollups", "hour")
	upsertDays   = upsertRollups("rollup_days", "hour / 24 * 24")
	runTypes     = append([]string{"text", "text", "bigint", "text", "text", "bigint", "bigint", "bigint"}, totalTypes...)
	runHourTypes = append([]string{"text", "text", "bigint"}, totalTypes...)
	upsertRuns   = "INSERT INTO run_totals (tenant, id, first, team, agent, started, last, running, " + totalColumns + ") " +
		"SELECT tenant, id, min(first), (array_agg(team ORDER BY first))[1], (array_agg(agent ORDER BY first))[1], min(started), " +
		"max(last), sum(running), " + sumTotals + " FROM " + unnestOf(runTypes...) +
		" AS u (tenant, id, first, team, agent, started, last, running, " + totalColumns + ") GROUP BY tenant, id " +
		"ON CONFLICT (tenant, id) DO UPDATE SET started = least(run_totals.started, excluded.started), " +
		"last = greatest(run_totals.last, excluded.last), running = run_totals.running + excluded.running, " + addTotals("run_totals")
	upsertRunHours = "INSERT INTO run_hours (tenant, run, hour, " + totalColumns + ") SELECT tenant, run, hour, " + sumTotals +
		" FROM " + unnestOf(runHourTypes...) + " AS u (tenant, run, hour, " + totalColumns + ") GROUP BY tenant, run, hour " +
		"ON CONFLICT (tenant, run, hour) DO UPDATE SET " + addTotals("run_hours")
)

const (
	upsertLatencies = "INSERT INTO latencies (hour, tenant, tool, sketch) SELECT DISTINCT ON (hour, tenant, tool) hour, tenant, tool, sketch " +
		"FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS u (hour, tenant, tool, sketch) " +
		"ON CONFLICT (hour, tenant, tool) DO UPDATE SET sketch = excluded.sketch"
	insertFacets = "INSERT INTO facets (field, tenant, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) " +
		"ON CONFLICT DO NOTHING"
	deleteCalls = "DELETE FROM calls WHERE first = ANY ($1) OR id = ANY ($2)"
	setProgress = "UPDATE progress SET cursor = $1, as_of = $2, leaf = $3 WHERE cursor = $4 " +
		"RETURNING set_config('synchronous_commit', 'off', true)"
)

func upsertRollups(table, hour string) string {
	return "INSERT INTO " + table + " (hour, " + rollupKey + ", " + totalColumns + ") SELECT " + hour + ", " + rollupKey + ", " +
		sumTotals + " FROM " + unnestOf(rollupTypes...) + " AS u (hour, " + rollupKey + ", " + totalColumns + ") GROUP BY 1, " +
		rollupKey + " ON CONFLICT (hour, " + rollupKey + ") DO UPDATE SET " + addTotals(table)
}

// Apply stores the changes and sets the cursor from c.From to c.To, in one transaction. Where the cursor is not at
// c.From they are refused with code conflict. Moving the cursor takes its lock, so that whoever comes second waits for
// the first and is then refused.
func (v *Views) Apply(ctx context.Context, c signalbox.Changes) error {
	err := v.apply(ctx, c, queueCalls)
	if sqlState(err) == uniqueViolation {
		err = v.apply(ctx, c, queueReplacements)
	}
	return explain("apply projections", err)
}

// apply sends everything but the cursor's step in one batch.
func (v *Views) apply(ctx context.Context, c signalbox.Changes, calls func(*pgx.Batch, []signalbox.CallView)) error {
	return pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		moved, err := tx.Exec(ctx, setProgress, c.To, c.AsOf.UnixMicro(), c.Leaf[:], c.From)
		if err != nil {
			return err
		}
		if moved.RowsAffected() != 1 {
			return signalbox.Errorf(signalbox.CodeConflict, "The projections are not at record %d.", c.From).
				WithRemedy("Let one process project the log; if there is one, rebuild the projections.")
		}
		b := &pgx.Batch{}
		calls(b, c.Calls)
		queueUpdates(b, c.Updates)
		queueRollups(b, c)
		queueRuns(b, c)
		queueFacets(b, c.Facets)
		queueSealed(b, c)
		return tx.SendBatch(ctx, b).Close()
	})
}

func queueCalls(b *pgx.Batch, calls []signalbox.CallView) {
	if len(calls) > 0 {
		b.Queue(insertCalls, arrays(callColumns, calls)...)
	}
}

// queueReplacements stores calls of which one has an id or a place that a row has. Should the log hold two such calls,
// the later one stays: an error would stop the projections for good.
func queueReplacements(b *pgx.Batch, calls []signalbox.CallView) {
	for i := range calls {
		one := calls[i : i+1]
		b.Queue(deleteCalls, []int64{one[0].First()}, []string{clean(one[0].ID)})
		queueCalls(b, one)
	}
}

func queueUpdates(b *pgx.Batch, calls []signalbox.CallView) {
	if len(calls) > 0 {
		b.Queue(updateCalls, arrays(updateColumns, calls)...)
	}
}

func queueRollups(b *pgx.Batch, c signalbox.Changes) {
	if r := c.Rollups; len(r) > 0 {
		text := func(f func(*signalbox.Rollup) string) any {
			return list(r, func(u *signalbox.Rollup) string { return clean(f(u)) })
		}
		values := append([]any{
			list(r, func(u *signalbox.Rollup) int64 { return hours(u.Hour) }),
			text(func(u *signalbox.Rollup) string { return u.Tenant }), text(func(u *signalbox.Rollup) string { return u.Team }),
			text(func(u *signalbox.Rollup) string { return u.Agent }), text(func(u *signalbox.Rollup) string { return u.Model }),
			text(func(u *signalbox.Rollup) string { return u.Tool }), text(func(u *signalbox.Rollup) string { return u.Provider }),
		}, totalArrays(r, func(u *signalbox.Rollup) *signalbox.Totals { return &u.Totals })...)
		b.Queue(upsertHours, values...)
		b.Queue(upsertDays, values...)
	}
	if l := c.Latency; len(l) > 0 {
		b.Queue(upsertLatencies,
			list(l, func(u *signalbox.LatencyRollup) int64 { return hours(u.Hour) }),
			list(l, func(u *signalbox.LatencyRollup) string { return clean(u.Tenant) }),
			list(l, func(u *signalbox.LatencyRollup) string { return clean(u.Tool) }),
			list(l, func(u *signalbox.LatencyRollup) []byte { return u.Sketch }))
	}
}

func queueRuns(b *pgx.Batch, c signalbox.Changes) {
	if r := c.Runs; len(r) > 0 {
		b.Queue(upsertRuns, append([]any{
			list(r, func(u *signalbox.RunView) string { return clean(u.Tenant) }),
			list(r, func(u *signalbox.RunView) string { return clean(u.ID) }),
			list(r, func(u *signalbox.RunView) int64 { return u.First }),
			list(r, func(u *signalbox.RunView) string { return clean(u.Team) }),
			list(r, func(u *signalbox.RunView) string { return clean(u.Agent) }),
			list(r, func(u *signalbox.RunView) int64 { return u.Started.UnixMicro() }),
			list(r, func(u *signalbox.RunView) int64 { return u.Last.UnixMicro() }),
			list(r, func(u *signalbox.RunView) int64 { return u.Running }),
		}, totalArrays(r, func(u *signalbox.RunView) *signalbox.Totals { return &u.Totals })...)...)
	}
	if h := c.RunHours; len(h) > 0 {
		b.Queue(upsertRunHours, append([]any{
			list(h, func(u *signalbox.RunHour) string { return clean(u.Tenant) }),
			list(h, func(u *signalbox.RunHour) string { return clean(u.Run) }),
			list(h, func(u *signalbox.RunHour) int64 { return hours(u.Hour) }),
		}, totalArrays(h, func(u *signalbox.RunHour) *signalbox.Totals { return &u.Totals })...)...)
	}
}

func queueFacets(b *pgx.Batch, f []signalbox.Facet) {
	if len(f) > 0 {
		b.Queue(insertFacets,
			list(f, func(u *signalbox.Facet) string { return string(u.Field) }),
			list(f, func(u *signalbox.Facet) string { return clean(u.Tenant) }),
			list(f, func(u *signalbox.Facet) string { return clean(u.Value) }))
	}
}
