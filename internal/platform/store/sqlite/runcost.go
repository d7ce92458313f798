package sqlite

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// RunCosts gives a page of the totals of runs in a range, those that began last within it first, and the cursor of the
// next page, "" at the end. A cursor or limit that can not be is an error of code invalid.
//
// A run has a row for each hour in which it was called; its line stands where its first one in the range is. Once that
// hour's calls have ended the place does not change, so that pages that follow one another miss no run.
func (v *Views) RunCosts(ctx context.Context, q signalbox.RunCostQuery) ([]signalbox.RunCost, string, error) {
	limit, err := rowsOf(q.Limit)
	if err != nil {
		return nil, "", err
	}
	from, to := span(q.From, q.To)
	w, index, err := runsOf(q, from, to)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := v.limited(ctx)
	defer cancel()
	lines, err := collect(ctx, v.readers, "add up the costs of runs", scanRunCost,
		"WITH page AS MATERIALIZED (SELECT h.hour AS began, h.tenant, h.run FROM run_hours h INDEXED BY "+index+w.String()+
			" AND NOT EXISTS (SELECT 1 FROM run_hours e WHERE e.tenant = h.tenant AND e.run = h.run AND e.hour >= ? AND e.hour < h.hour) "+
			"ORDER BY h.hour DESC, h.tenant DESC, h.run DESC LIMIT ?) "+
			"SELECT began, page.tenant, page.run, "+sumTotals+" FROM page CROSS JOIN run_hours r "+
			"WHERE r.tenant = page.tenant AND r.run = page.run AND r.hour >= ? AND r.hour < ? "+
			"GROUP BY began, page.tenant, page.run ORDER BY began DESC, page.tenant DESC, page.run DESC",
		append(w.args, from, limit+1, from, to)...)
	if err != nil {
		return nil, "", err
	}
	return pageOfRuns(lines, limit)
}

// runsOf gives the conditions of a page and the index that its order comes from: the one that narrows by tenant where
// there is one tenant, so that a small one is found among many.
func runsOf(q signalbox.RunCostQuery, from, to int64) (w *where, index string, err error) {
	var after *store.RunPlace
	if q.Cursor != "" {
		place, err := store.ParseRunPlace(q.Cursor)
		if err != nil {
			return nil, "", err
		}
		after = &place
	}
	w = &where{}
	w.and("h.hour >= ? AND h.hour < ?", from, to)
	if len(q.Tenants) != 1 {
		w.in("h.tenant", q.Tenants)
		if after != nil {
			w.and("(h.hour, h.tenant, h.run) < (?, ?, ?)", after.Hour, after.Tenant, after.Run)
		}
		return w, "run_hours_hour", nil
	}
	w.and("h.tenant = ?", q.Tenants[0])
	if after != nil {
		hour, run := after.Within(q.Tenants[0])
		w.and("(h.hour, h.run) < (?, ?)", hour, run)
	}
	return w, "run_hours_tenant", nil
}

// runLine is a line of the answer with its place.
type runLine struct {
	place store.RunPlace
	cost  signalbox.RunCost
}

func scanRunCost(r *sql.Rows) (l runLine, err error) {
	targets := append([]any{&l.place.Hour, &l.place.Tenant, &l.place.Run}, totalTargets(&l.cost.Totals)...)
	err = r.Scan(targets...)
	l.cost.Tenant, l.cost.Run = l.place.Tenant, l.place.Run
	return l, err
}

func pageOfRuns(lines []runLine, limit int) ([]signalbox.RunCost, string, error) {
	next := ""
	if len(lines) > limit {
		lines = lines[:limit]
		next = lines[limit-1].place.String()
	}
	costs := make([]signalbox.RunCost, len(lines))
	for i := range lines {
		costs[i] = lines[i].cost
	}
	return costs, next, nil
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
