package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// RunCosts gives a page of the totals of runs in a range, those that began last within it first, and the cursor of the
// next page, "" at the end. A cursor or limit that can not be is an error of code invalid.
//
// A run has a row for each hour in which it was called; its line stands where its first one in the range is. Once that
// hour's calls have ended the place does not change, so that pages that follow one another miss no run. The place is a
// subquery of its own, and not a join: a page is then read off an index and nothing behind it is looked at.
func (v *Views) RunCosts(ctx context.Context, q signalbox.RunCostQuery) ([]signalbox.RunCost, string, error) {
	limit, err := store.PageLimit(q.Limit)
	if err != nil {
		return nil, "", err
	}
	from, to := span(q.From, q.To)
	w, err := runsOf(q, from, to)
	if err != nil {
		return nil, "", err
	}
	lines, err := asked(ctx, v, "add up the costs of runs", scanRunCost,
		"WITH page AS MATERIALIZED (SELECT h.hour, h.tenant, h.run FROM run_hours h"+w.String()+
			" AND h.hour = (SELECT min(e.hour) FROM run_hours e WHERE e.tenant = h.tenant AND e.run = h.run AND e.hour >= $1) "+
			"ORDER BY h.hour DESC, h.tenant DESC, h.run DESC LIMIT "+w.arg(limit+1)+") "+
			"SELECT page.hour, page.tenant, page.run, t.* FROM page CROSS JOIN LATERAL (SELECT "+sumTotals+
			" FROM run_hours r WHERE r.tenant = page.tenant AND r.run = page.run AND r.hour >= $1 AND r.hour < $2) t "+
			"ORDER BY page.hour DESC, page.tenant DESC, page.run DESC", w.args...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(lines) > limit {
		lines = lines[:limit]
		next = lines[limit-1].place.String()
	}
	return list(lines, func(l *runLine) signalbox.RunCost { return l.cost }), next, nil
}

// runsOf gives the conditions of a page; the range's bounds are the first two parameters. Where there is one tenant, its
// own index gives the order, so that a small one is found among many.
func runsOf(q signalbox.RunCostQuery, from, to int64) (*conditions, error) {
	w := &conditions{}
	w.and("h.hour >= ? AND h.hour < ?", from, to)
	single := len(q.Tenants) == 1
	if single {
		w.and("h.tenant = ?", clean(q.Tenants[0]))
	} else {
		w.in("(h.tenant || '')", q.Tenants)
	}
	if q.Cursor == "" {
		return w, nil
	}
	after, err := store.ParseRunPlace(q.Cursor)
	if err != nil {
		return nil, err
	}
	if single {
		hour, run := after.Within(q.Tenants[0])
		w.and("(h.hour, h.run) < (?, ?)", hour, clean(run))
	} else {
		w.and("(h.hour, h.tenant, h.run) < (?, ?, ?)", after.Hour, clean(after.Tenant), clean(after.Run))
	}
	return w, nil
}

// runLine is a line of the answer with its place.
type runLine struct {
	place store.RunPlace
	cost  signalbox.RunCost
}

func scanRunCost(rows pgx.Rows) (l runLine, err error) {
	targets := append([]any{&l.place.Hour, &l.place.Tenant, &l.place.Run}, totalTargets(&l.cost.Totals)...)
	err = rows.Scan(targets...)
	l.cost.Tenant, l.cost.Run = l.place.Tenant, l.place.Run
	return l, err
}
