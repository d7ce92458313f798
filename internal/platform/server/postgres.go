package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
)

// Times of a replica.
const (
	replicaPrefix  = "rep_"
	tendInterval   = time.Second            // How often the leader looks for replicas that are gone.
	projectionPoll = 100 * time.Millisecond // The leader's projector is woken by nobody: records come from all replicas.
	sizeInterval   = time.Second            // How often the size of the log is read, for metrics.
	clockSkew      = 5 * time.Second        // By which the clocks of replicas may differ.
)

// cluster is this process among the replicas that share a PostgreSQL database.
type cluster struct {
	db    *postgres.DB
	ready chan struct{} // Closed once everything that the leader's work needs has been started.
	leads atomic.Bool
}

// startPostgres joins the replicas, starts this one's writer, and takes part in the election of the leader, who places
// the records of all, signs the log and projects it.
func (s *Server) startPostgres(ctx context.Context) error {
	replica := signalbox.NewID(replicaPrefix, s.options.Now())
	db, err := postgres.Open(ctx, s.config.Database.URL.Reveal(), postgres.Options{
		Replica: replica, Now: s.options.Now, Lease: s.config.Cluster.Lease, Logger: s.options.Logger,
	})
	if err != nil {
		return err
	}
	s.onStop("database", func(context.Context) error { return db.Close() })
	key, err := s.auditKey(ctx, db, "") // The configuration was checked: there is a file.
	if err != nil {
		return err
	}
	vault, err := OpenVault(ctx, db, s.vaultOptions(""))
	if err != nil {
		return err
	}
	if err := db.Join(ctx); err != nil {
		return err
	}
	s.onStop("membership", db.Leave)
	s.cluster = &cluster{db: db, ready: make(chan struct{})}
	var size, lag atomic.Int64
	s.data = &data{
		db: db, views: db.Views(), key: key, vault: vault, replica: replica, now: db.Now, size: size.Load, lag: lag.Load,
		lost: db.Fenced(),
	}
	s.data.projector = projection.New(db.Views(), db.Views(), projection.Options{Decode: vault.Decode, Poll: projectionPoll})
	if err := s.startAnchors(ctx); err != nil {
		return err
	}
	s.background("leadership", s.lead)
	s.startWriter(vault.Around(postgres.NewUnplaced(vault.Encode)))
	s.every("size", sizeInterval, func(ctx context.Context) {
		if p, err := s.data.views.Progress(ctx); err == nil {
			size.Store(p.Size)
			lag.Store(p.Size - p.Cursor)
		}
	})
	return s.note(ctx, signalbox.ActionReplicaJoined, map[string]string{"replica": replica})
}

// lead takes part in the election, and leads when elected.
func (s *Server) lead(ctx context.Context) {
	var sequencer *audit.Sequencer
	s.cluster.db.Lead(ctx, postgres.LeadOptions{
		Sequencer: func(ctx context.Context) (store.Sequencer, error) {
			tree, err := audit.Restore(ctx, s.data.db)
			sequencer = audit.NewSequencer(tree)
			return sequencer, err
		},
		Led: func(ctx context.Context, l *postgres.Leadership) { s.led(ctx, l, sequencer) },
		Changed: func(leads bool, reason error) {
			s.cluster.leads.Store(leads)
			s.options.Logger.InfoContext(ctx, "leadership changed", "leads", leads, "reason", reason)
		},
	})
}

// led is the leader's work, until ctx ends.
func (s *Server) led(ctx context.Context, l *postgres.Leadership, sequencer *audit.Sequencer) {
	report := func(err error) { s.options.Logger.ErrorContext(ctx, "no checkpoint could be signed", "error", err) }
	publisher, err := s.startPublisher(ctx, sequencer, l)
	if err != nil {
		report(err)
		return
	}
	select {
	case <-ctx.Done():
	case <-s.cluster.ready:
		var work sync.WaitGroup
		work.Go(func() { s.untilSigning(ctx, publisher, report) })
		work.Go(func() { s.data.projector.Run(ctx) })
		work.Go(func() { s.jobs(ctx) })
		work.Go(func() { (&undertaker{s, map[string]bool{}}).run(ctx) })
		work.Wait()
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
	defer cancel()
	if err := publisher.Stop(stopping); err != nil {
		report(err)
	}
	last, end := context.WithTimeout(stopping, audit.AnchorStopWait)
	defer end()
	s.data.anchors.Release(last) // Who leads next anchors on.
}

// startWatch learns of what other replicas change.
func (s *Server) startWatch(context.Context) error {
	if s.cluster == nil {
		s.background("jobs", s.jobs)
		return nil
	}
	s.background("watch", func(ctx context.Context) {
		s.cluster.db.Watch(ctx, func(topic, payload string) {
			if err := s.changed(ctx, topic, payload); err != nil && ctx.Err() == nil {
				s.options.Logger.WarnContext(ctx, "a change by another replica could not be learned of", "topic", topic, "error", err)
			}
		})
	})
	close(s.cluster.ready)
	return nil
}

// changed learns of one change. What could not be learned is tried again with the next one, and every second: brakes and
// keys must not be missed.
func (s *Server) changed(ctx context.Context, topic, payload string) error {
	switch topic {
	case postgres.TopicKeys:
		return s.keys.ring.Load(ctx, s.data.db)
	case postgres.TopicSessions:
		return s.keys.sessions.Refresh(ctx)
	case postgres.TopicBrakes:
		return s.syncBrakes(ctx)
	case postgres.TopicRuns:
		s.runs.Forget()
	case postgres.TopicAccounts:
		return s.ledger.Refresh(ctx)
	case postgres.TopicSubjects:
		s.data.vault.ForgetAll()
	case postgres.TopicLedger:
		s.wanted(payload)
	case postgres.TopicApprovals:
		s.approvals.Changed()
	case postgres.TopicTasks:
		s.tasks.Wake()
	case postgres.TopicGrants:
		return s.loadGrants(ctx)
	case postgres.TopicPins:
		return s.pins.Load(ctx)
	}
	return nil
}

// wanted gives back what another replica needs of an account; without its name, the others may need any.
func (s *Server) wanted(account string) {
	if account != "" {
		s.ledger.Wanted([]string{account})
	}
}
