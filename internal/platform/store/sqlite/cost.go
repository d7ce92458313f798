package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// MaxFacetValues is how many values of one facet there are to choose from.
const MaxFacetValues = 1_000

const sumTotals = "sum(calls), sum(failures), sum(refusals), sum(input), sum(output), sum(cache_read), sum(cache_write), " +
	"sum(cost), sum(unpriced)"

const wholeRange = "min(hour)"

// starts are the expressions that give the hour in which the bucket of a rollup begins.
var starts = map[signalbox.Bucket]string{
	"":                    wholeRange,
	signalbox.BucketTotal: wholeRange,
	signalbox.BucketHour:  "hour",
	signalbox.BucketDay:   "hour / 24 * 24",
	signalbox.BucketMonth: "unixepoch(hour * 3600, 'unixepoch', 'start of month') / 3600",
}

// splits are the columns by which totals can be split.
var splits = map[signalbox.FacetField]string{
	"":                      "''",
	signalbox.FacetTenant:   "tenant",
	signalbox.FacetTeam:     "team",
	signalbox.FacetAgent:    "agent",
	signalbox.FacetModel:    "model",
	signalbox.FacetTool:     "tool",
	signalbox.FacetProvider: "provider",
}

// Costs gives totals from the rollups, ordered by start and key. A split or bucket that there is not is an error of code
// invalid, and an answer of more than store.MaxCostRows lines one of code too_large. Start of an answer in one bucket is the query's From, or the first day where that is zero.
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
	ctx, cancel := v.limited(ctx)
	defer cancel()
	from, w := sourceOf(q)
	group := "start, key"
	if start == wholeRange {
		group = "key"
	}
	rows, err := collect(ctx, v.readers, "add up costs", scanCost, "SELECT "+start+" AS start, "+split+" AS key, "+sumTotals+
		" FROM "+from+w.String()+" GROUP BY "+group+" ORDER BY start, key LIMIT ?", append(w.args, store.MaxCostRows+1)...)
	if start == wholeRange && !q.From.IsZero() {
		for i := range rows {
			rows[i].Start = q.From.UTC().Truncate(time.Hour)
		}
	}
	if err != nil {
		return nil, err
	}
	return store.Whole(rows)
}

// sourceOf gives what a query adds up: hours where it asks for hours, else days, and hours at the ends of its range.
func sourceOf(q signalbox.CostQuery) (string, *where) {
	if q.Bucket == signalbox.BucketHour {
		w := hoursOf(q)
		w.tools(q)
		return "rollups", w
	}
	from, to := span(q.From, q.To)
	firstDay := (from + hoursPerDay - 1) / hoursPerDay * hoursPerDay
	lastDay := max(firstDay, to/hoursPerDay*hoursPerDay)
	w := &where{args: []any{firstDay, lastDay, from, min(firstDay, to), lastDay, to}}
	w.in("tenant", q.Tenants)
	w.tools(q)
	return "(SELECT * FROM rollup_days WHERE hour >= ? AND hour < ? UNION ALL SELECT * FROM rollups WHERE hour >= ? AND hour < ? " +
		"UNION ALL SELECT * FROM rollups WHERE hour >= ? AND hour < ?)", w
}

func hoursOf(q signalbox.CostQuery) *where {
	w := &where{}
	if !q.From.IsZero() {
		w.and("hour >= ?", hours(q.From))
	}
	if !q.To.IsZero() {
		w.and("hour < ?", hours(q.To))
	}
	w.in("tenant", q.Tenants)
	return w
}

func scanCost(r *sql.Rows) (c signalbox.CostRow, err error) {
	var start int64
	err = r.Scan(append([]any{&start, &c.Key}, totalTargets(&c.Totals)...)...)
	c.Start = hourOf(start)
	return c, err
}

// tools restricts to those that a query is about. Ids of a server's tools begin with its own and a full stop; the character
// after that is the slash.
func (w *where) tools(q signalbox.CostQuery) {
	if q.Tool != "" {
		w.and("tool = ?", q.Tool)
	}
	if q.Server != "" {
		w.and("tool >= ? AND tool < ?", q.Server+".", q.Server+"/")
	}
}

// Rollups gives the hourly totals themselves, in the order of their keys.
func (v *Views) Rollups(ctx context.Context, q signalbox.CostQuery) ([]signalbox.Rollup, error) {
	ctx, cancel := v.limited(ctx)
	defer cancel()
	w := hoursOf(q)
	return collect(ctx, v.readers, "read rollups", func(r *sql.Rows) (u signalbox.Rollup, err error) {
		var hour int64
		targets := append([]any{&hour, &u.Tenant, &u.Team, &u.Agent, &u.Model, &u.Tool, &u.Provider},
			totalTargets(&u.Totals)...)
		err = r.Scan(targets...)
		u.Hour = hourOf(hour)
		return u, err
	}, "SELECT hour, tenant, team, agent, model, tool, provider, "+totalColumns+" FROM rollups"+w.String()+
		" ORDER BY hour, tenant, team, agent, model, tool, provider", w.args...)
}

// Latencies gives the distributions of the hours of a query, by hour, tenant and tool: of tools where it names one or a
// server, else of all calls.
func (v *Views) Latencies(ctx context.Context, q signalbox.CostQuery) ([]signalbox.LatencyRollup, error) {
	ctx, cancel := v.limited(ctx)
	defer cancel()
	w := hoursOf(q)
	if w.tools(q); q.Tool == "" && q.Server == "" {
		w.and("tool = ''")
	}
	return collect(ctx, v.readers, "read latencies", func(r *sql.Rows) (l signalbox.LatencyRollup, err error) {
		var hour int64
		err = r.Scan(&hour, &l.Tenant, &l.Tool, &l.Sketch)
		l.Hour = hourOf(hour)
		return l, err
	}, "SELECT hour, tenant, tool, sketch FROM latencies"+w.String()+" ORDER BY hour, tenant, tool", w.args...)
}

// Facets gives the values that occur in the calls of the tenants (nil: of all), each list sorted and cut at
// [MaxFacetValues].
func (v *Views) Facets(ctx context.Context, tenants []string) (signalbox.Facets, error) {
	ctx, cancel := v.limited(ctx)
	defer cancel()
	var f signalbox.Facets
	for field, list := range map[signalbox.FacetField]*[]string{
		signalbox.FacetTenant: &f.Tenants, signalbox.FacetTeam: &f.Teams, signalbox.FacetAgent: &f.Agents,
		signalbox.FacetModel: &f.Models, signalbox.FacetTool: &f.Tools, signalbox.FacetProvider: &f.Providers,
	} {
		var w where
		w.and("field = ?", string(field))
		w.in("tenant", tenants)
		var err error
		*list, err = collect(ctx, v.readers, "read facets", func(r *sql.Rows) (value string, err error) {
			return value, r.Scan(&value)
		}, "SELECT DISTINCT value FROM facets"+w.String()+" ORDER BY value LIMIT ?", append(w.args, MaxFacetValues)...)
		if err != nil {
			return f, err
		}
	}
	return f, nil
}
