package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Bounds of what is counted for metrics.
const (
	queueInterval    = 5 * time.Second // How old the numbers are at the most; each process counts for itself.
	incidentsPage    = 500
	maxOpenIncidents = 10_000 // That are counted: more than that is not a number anybody works with.
)

// queues are what waits for people, by tenant, as it was counted last.
type queues struct {
	pending   map[string]int64
	oldest    map[string]time.Time // When the oldest pending approval was asked for.
	incidents map[string]int64     // Open ones.
}

// count reads what waits for people.
func (s *Server) count(ctx context.Context) (*queues, error) {
	q := &queues{pending: map[string]int64{}, oldest: map[string]time.Time{}, incidents: map[string]int64{}}
	list, err := s.data.db.PendingApprovals(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		q.pending[a.Tenant]++
		if first, found := q.oldest[a.Tenant]; !found || a.Asked.Before(first) {
			q.oldest[a.Tenant] = a.Asked
		}
	}
	open, cursor := true, ""
	for counted := 0; counted < maxOpenIncidents; {
		page, next, err := s.data.db.Incidents(ctx, nil, &open, incidentsPage, cursor)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			q.incidents[i.Tenant]++
		}
		counted += len(page)
		if cursor = next; cursor == "" {
			break
		}
	}
	return q, nil
}

// startQueues shows what waits for people. While it can not be counted nothing is shown: an old number would look like
// a good one.
func (s *Server) startQueues() error {
	var now atomic.Pointer[queues]
	s.every("queues", queueInterval, func(ctx context.Context) {
		q, err := s.count(ctx)
		if err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "what waits for people could not be counted", "error", err)
		}
		now.Store(q)
	})
	gauge := func(name, description string, value func(q *queues, tenant string) int64) error {
		return s.telemetry.GaugeBy(name, description, "tenant", func(show func(string, int64)) {
			q := now.Load()
			if q == nil {
				return
			}
			for _, tenant := range s.tenants() { // Those with nothing too: a number that is not there alarms nobody.
				show(tenant, value(q, tenant))
			}
		})
	}
	return errors.Join(
		gauge("signalbox.approvals.pending", "Approvals that wait for people, by tenant.", func(q *queues, tenant string) int64 { return q.pending[tenant] }),
		gauge("signalbox.approvals.oldest.seconds", "How long the oldest of them has waited, by tenant; 0 where none waits.", func(q *queues, tenant string) int64 {
			if asked, found := q.oldest[tenant]; found {
				return max(0, int64(s.data.now().Sub(asked)/time.Second))
			}
			return 0
		}),
		gauge("signalbox.incidents.open", "Incidents that nobody has closed, by tenant.", func(q *queues, tenant string) int64 { return q.incidents[tenant] }),
		gauge("signalbox.break_glass.active", "Break-glass grants in force, by tenant.", func(_ *queues, tenant string) int64 { return s.grants.active(tenant) }),
	)
}

// active counts the grants of a tenant that are in force.
func (g *grants) active(tenant string) (n int64) {
	list, now := g.list.Load(), g.now()
	if list == nil {
		return 0
	}
	for _, x := range *list {
		if x.Tenant == tenant && x.Holds(now) {
			n++
		}
	}
	return n
}
