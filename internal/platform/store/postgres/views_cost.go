package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// MaxFacetValues is how many values of one facet there are to choose from.
const MaxFacetValues = 1_000

const wholeRange = "min(hour)"

// starts are the expressions that give the hour in which the bucket of a rollup begins.
var starts = map[signalbox.Bucket]string{
	"":                    wholeRange,
	signalbox.BucketTotal: wholeRange,
	signalbox.BucketHour:  "hour",
	signalbox.BucketDay:   "hour / 24 * 24",
	signalbox.BucketMonth: "extract(epoch FROM date_trunc('month', to_timestamp(hour * 3600) AT TIME ZONE 'UTC'))::bigint / 3600",
}

// splits are the columns by which totals can be split.
var splits = map[signalbox.FacetField]string{
	"":                      "''::text",
	signalbox.FacetTenant:   "tenant",
	signalbox.FacetTeam:     "team",
	signalbox.FacetAgent:    "agent",
	signalbox.FacetModel:    "model",
	signalbox.FacetTool:     "tool",
	signalbox.FacetProvider: "provider",
}

// Costs gives totals from the rollups, ordered by start and key. A split or bucket that there is not is an error of code
// invalid, and an answer of more than store.MaxCostRows lines one of code too_large. Start of an answer in one bucket is
// the query's From, or the first day where that is zero.
func (v *Views) Costs(ctx context.Context, q signalbox.CostQuery) ([]signalbox.CostRow, error) {
	start, known := starts[q.Bucket]
	if !known {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "%q is not a width of buckets.", q.Bucket).
			WithField("bucket").WithRemedy("Use total, hour, day or month.")
	}
	split, known := splits[q.By]
	if !known {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "Totals can not be split by %q.", q.By).
			WithField("by").WithRemedy("Use tenant, team, agent, model, tool or provider.")
	}
	from, w := sourceOf(q)
	group := "1, 2"
	if start == wholeRange {
		group = "2"
	}
	rows, err := asked(ctx, v, "add up costs", scanCost, "SELECT "+start+" AS start, "+split+" AS key, "+sumTotals+
		" FROM "+from+w.String()+" GROUP BY "+group+" ORDER BY 1, 2 LIMIT "+w.arg(store.MaxCostRows+1), w.args...)
	if err != nil {
		return nil, err
	}
	if start == wholeRange && !q.From.IsZero() {
		for i := range rows {
			rows[i].Start = q.From.UTC().Truncate(time.Hour)
		}
	}
	return store.Whole(rows)
}

// sourceOf gives what a query adds up: hours where it asks for hours, else days, and hours at the ends of its range.
func sourceOf(q signalbox.CostQuery) (string, *conditions) {
	if q.Bucket == signalbox.BucketHour {
		w := hoursOf(q)
		w.tools(q)
		return "rollups", w
	}
	from, to := span(q.From, q.To)
	firstDay := (from + hoursPerDay - 1) / hoursPerDay * hoursPerDay
	lastDay := max(firstDay, to/hoursPerDay*hoursPerDay)
	w := &conditions{args: []any{firstDay, lastDay, from, min(firstDay, to), to}}
	w.in("tenant", q.Tenants)
	w.tools(q)
	return "(SELECT * FROM rollup_days WHERE hour >= $1 AND hour < $2 UNION ALL SELECT * FROM rollups WHERE hour >= $3 AND hour < $4 " +
		"UNION ALL SELECT * FROM rollups WHERE hour >= $2 AND hour < $5) u", w
}

// span gives the hours of a range; a time that is zero does not bound it.
func span(from, to time.Time) (first, end int64) {
	first, end = 0, math.MaxInt64
	if !from.IsZero() {
		first = hours(from)
	}
	if !to.IsZero() {
		end = hours(to)
	}
	return first, end
}

func hoursOf(q signalbox.CostQuery) *conditions {
	w := &conditions{}
	if !q.From.IsZero() {
		w.and("hour >= ?", hours(q.From))
	}
	if !q.To.IsZero() {
		w.and("hour < ?", hours(q.To))
	}
	w.in("tenant", q.Tenants)
	return w
}

// tools restricts to those that a query is about. Ids of a server's tools begin with its own and a full stop; the character
// after that is the slash.
func (w *conditions) tools(q signalbox.CostQuery) {
	if q.Tool != "" {
		w.and("tool = ?", clean(q.Tool))
	}
	if q.Server != "" {
		w.and("tool >= ? AND tool < ?", clean(q.Server)+".", clean(q.Server)+"/")
	}
}

func scanCost(rows pgx.Rows) (c signalbox.CostRow, err error) {
	var start int64
	err = rows.Scan(append([]any{&start, &c.Key}, totalTargets(&c.Totals)...)...)
	c.Start = hourOf(start)
	return c, err
}

// Rollups gives the hourly totals themselves, in the order of their keys.
func (v *Views) Rollups(ctx context.Context, q signalbox.CostQuery) ([]signalbox.Rollup, error) {
	w := hoursOf(q)
	return asked(ctx, v, "read rollups", func(rows pgx.Rows) (u signalbox.Rollup, err error) {
		var hour int64
		targets := append([]any{&hour, &u.Tenant, &u.Team, &u.Agent, &u.Model, &u.Tool, &u.Provider},
			totalTargets(&u.Totals)...)
		err = rows.Scan(targets...)
		u.Hour = hourOf(hour)
		return u, err
	}, "SELECT hour, "+rollupKey+", "+totalColumns+" FROM rollups"+w.String()+" ORDER BY hour, "+rollupKey, w.args...)
}

// Latencies gives the distributions of the hours of a query, by hour, tenant and tool: of tools where it names one or a
// server, else of all calls.
func (v *Views) Latencies(ctx context.Context, q signalbox.CostQuery) ([]signalbox.LatencyRollup, error) {
	w := hoursOf(q)
	if w.tools(q); q.Tool == "" && q.Server == "" {
		w.and("tool = ''")
	}
	return asked(ctx, v, "read latencies", scanLatency,
		"SELECT hour, tenant, tool, sketch FROM latencies"+w.String()+" ORDER BY hour, tenant, tool", w.args...)
}

func scanLatency(rows pgx.Rows) (l signalbox.LatencyRollup, err error) {
	var hour int64
	err = rows.Scan(&hour, &l.Tenant, &l.Tool, &l.Sketch)
	l.Hour = hourOf(hour)
	return l, err
}

// Facets gives the values that occur in the calls of the tenants (nil: of all), each list sorted and cut at
// [MaxFacetValues].
func (v *Views) Facets(ctx context.Context, tenants []string) (signalbox.Facets, error) {
	var f signalbox.Facets
	lists := map[signalbox.FacetField]*[]string{
		signalbox.FacetTenant: &f.Tenants, signalbox.FacetTeam: &f.Teams, signalbox.FacetAgent: &f.Agents,
		signalbox.FacetModel: &f.Models, signalbox.FacetTool: &f.Tools, signalbox.FacetProvider: &f.Providers,
	}
	var w conditions
	w.in("tenant", tenants)
	facets, err := asked(ctx, v, "read facets", func(rows pgx.Rows) (f signalbox.Facet, err error) {
		err = rows.Scan(&f.Field, &f.Value)
		return f, err
	}, "SELECT field, value FROM (SELECT field, value, row_number() OVER (PARTITION BY field ORDER BY value) AS n "+
		"FROM (SELECT DISTINCT field, value FROM facets"+w.String()+") d) r WHERE n <= "+w.arg(MaxFacetValues)+
		" ORDER BY field, value", w.args...)
	for _, one := range facets {
		if values := lists[one.Field]; values != nil {
			*values = append(*values, one.Value)
		}
	}
	return f, err
}
