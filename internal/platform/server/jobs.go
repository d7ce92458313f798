package server

import (
	"context"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// How often the jobs run that one process does for all.
const (
	expireInterval = time.Hour        // What was kept for long enough is removed: projections, accounts of windows long over, content of records.
	idleInterval   = 15 * time.Second // Runs that nobody uses any more are ended.
)

// accountRetention is how long an account is kept after its window: long enough to reconcile a provider's monthly bill.
const accountRetention = 100 * 24 * time.Hour

// forgetBatch is how many accounts are removed in one transaction, so that no call waits long.
const forgetBatch = 500

// jobs does what one process does for all that share the database, until ctx ends: with SQLite always this one.
func (s *Server) jobs(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { loop(ctx, expireInterval, s.expire) })
	keeper := &keeper{Server: s, from: map[string]int64{}}
	all.Go(func() { loop(ctx, expireInterval, keeper.keep) })
	all.Go(func() { loop(ctx, idleInterval, s.expireRuns) })
	all.Go(func() { loop(ctx, forgetInterval, s.forgetTasks) })
	all.Go(func() { loop(ctx, forgetInterval, s.forgetIdempotency) })
	all.Go(func() { loop(ctx, rotateInterval, s.rotateMaster) })
	all.Go(func() { loop(ctx, sweepInterval, s.sweepApprovals) })
	all.Go(func() { loop(ctx, reviewInterval, s.reviewGrants) })
	all.Go(func() { s.courier.Run(ctx) })
	all.Wait()
}

// expire removes what has been kept long enough.
func (s *Server) expire(ctx context.Context) {
	now := s.data.now()
	if _, err := s.data.projector.Expire(ctx, s.data.views, now.Add(-s.config.Retention.Projections)); err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "old projections could not be removed", "error", err)
	}
	for n := forgetBatch; n == forgetBatch; {
		var err error
		if n, err = s.data.db.ForgetAccounts(ctx, now.Add(-accountRetention), forgetBatch); err != nil {
			if ctx.Err() == nil {
				s.options.Logger.WarnContext(ctx, "old accounts could not be removed", "error", err)
			}
			return
		}
	}
}

// expireRuns ends opened runs in which nothing was called for their idle time.
func (s *Server) expireRuns(ctx context.Context) {
	if err := s.runs.Expire(ctx); err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "idle runs could not be ended", "error", err)
	}
}

// loop runs a job at once and then at intervals until ctx ends. The job reports its own errors.
func loop(ctx context.Context, interval time.Duration, job func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		job(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// background runs something until the server stops.
func (s *Server) background(name string, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	s.onStop(name, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// every runs a job at once and then at intervals until the server stops. The job reports its own errors.
func (s *Server) every(name string, interval time.Duration, job func(context.Context)) {
	s.background(name, func(ctx context.Context) { loop(ctx, interval, job) })
}

// note writes an admin record about the server itself.
func (s *Server) note(ctx context.Context, action string, detail map[string]string) error {
	now := s.options.Now().UTC()
	_, err := s.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		What: signalbox.What{Action: action, Detail: detail}, Context: signalbox.Context{Replica: s.data.replica},
	})
	return err
}
