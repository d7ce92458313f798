package server

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/telemetry"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// timedCommitter tells telemetry how long transactions of the log take.
type timedCommitter struct {
	store.Committer
	telemetry *telemetry.Telemetry
	now       func() time.Time
}

// Commit commits and tells.
func (c timedCommitter) Commit(ctx context.Context, b signalbox.Batch) error {
	start := c.now()
	err := c.Committer.Commit(ctx, b)
	c.telemetry.Committed(c.now().Sub(start))
	return err
}

// startMetrics shows the state of the parts that do not report calls.
func (s *Server) startMetrics(context.Context) error {
	t, stats := s.telemetry, s.data.writer.Stats
	return errors.Join(
		t.Gauge("signalbox.calls.in_flight", "Calls under way.", func() int64 { return int64(s.recorder.InFlight()) }),
		t.Gauge("signalbox.log.queue.depth", "Records that wait for the log or are being written.", func() int64 { return int64(stats().Depth) }),
		t.Gauge("signalbox.log.queue.capacity", "Records that can wait at once.", func() int64 { return int64(stats().Capacity) }),
		t.Gauge("signalbox.log.size", "Records in the log.", s.data.size),
		t.Gauge("signalbox.projections.lag", "Records that are not projected yet.", s.data.lag),
		t.Counter("signalbox.log.records", "Records made durable since the start.", func() int64 { return stats().Committed }),
		t.Counter("signalbox.log.refused", "Records that found no room since the start.", func() int64 { return stats().Refused }),
		t.Counter("signalbox.log.failed", "Records whose transaction failed since the start.", func() int64 { return stats().Failed }),
		t.Counter("signalbox.log.batches", "Transactions of the log since the start.", func() int64 { return stats().Batches }),
		t.Gauge("signalbox.ledger.waiting", "Calls that wait for budget that others hold.", func() int64 { return int64(s.ledger.Waiting()) }),
		t.Gauge("signalbox.ledger.waiting.capacity", "Calls that may wait so.", func() int64 { return int64(s.ledger.MaxWaiting) }),
		t.Gauge("signalbox.alerts.pending", "Alerts that wait to be written.", func() int64 { return s.alerts.Stats().Pending }),
		t.Counter("signalbox.alerts.raised", "Alerts raised since the start.", func() int64 { return s.alerts.Stats().Raised }),
		t.Counter("signalbox.gate.unauthenticated", "Requests without a valid key since the start.", s.keys.refusals.Total),
		s.startQueues(), s.toolMetrics(), s.pinMetrics(),
	)
}
