package server

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// AuditKeySuffix is added to the database's file name for that of the signing key, where the configuration names none.
const AuditKeySuffix = ".audit-key"

// data is the log and everything that keeps or reads it.
type data struct {
	db        *sqlite.DB
	key       *audit.Key
	sequencer *audit.Sequencer
	writer    *store.Writer
	projector *projection.Projector
	publisher *audit.Publisher
}

// startData opens the database, restores the log's tree and starts its writer, projector and publisher. They stop in
// the reverse order, so that the last checkpoint covers everything that was written.
func (s *Server) startData(ctx context.Context) error {
	db, err := sqlite.Open(ctx, s.config.Database.Path, sqlite.Options{Now: s.options.Now})
	if err != nil {
		return err
	}
	s.onStop("database", func(context.Context) error { return db.Close() })
	key, err := s.auditKey(ctx, db)
	if err != nil {
		return err
	}
	tree, err := audit.Restore(ctx, db)
	if err != nil {
		return err
	}
	d := &data{db: db, key: key, sequencer: audit.NewSequencer(tree)}
	s.data = d
	d.publisher, err = audit.StartPublisher(ctx, key, d.sequencer.Tree, db, db, func(err error) {
		s.options.Logger.ErrorContext(ctx, "no checkpoint could be signed", "error", err)
	})
	if err != nil {
		return err
	}
	s.onStop("publisher", d.publisher.Stop)
	d.writer = store.NewWriter(timedCommitter{db, s.telemetry, s.options.Now}, d.sequencer, store.Options{
		QueueEntries: int(s.config.Limits.MaxQueuedRecords), Changed: s.logChanged,
	})
	s.startRecorder()
	s.onStop("writer", s.stopWriter)
	return s.startProjector(ctx)
}

// auditKey loads the signing key. A log that has records but no key is not given a new one silently.
func (s *Server) auditKey(ctx context.Context, db *sqlite.DB) (*audit.Key, error) {
	path := s.config.Audit.Key
	if path == "" {
		path = s.config.Database.Path + AuditKeySuffix
	}
	origin := s.config.Audit.Origin
	key, created, err := audit.LoadOrCreateKey(path, origin)
	if err != nil {
		return nil, err
	}
	size, err := db.Size(ctx)
	if err != nil {
		return nil, err
	}
	if created {
		s.options.Logger.WarnContext(ctx, "a signing key for the log was made; keep a copy of the public key elsewhere",
			"file", filepath.Base(path), "public_key", key.Verifier(), "records_before", size)
	}
	return key, nil
}

func (s *Server) startRecorder() {
	s.recorder = call.NewRecorder(call.RecorderOptions{
		Log: s.data.writer, Masker: guard.New(), Now: s.options.Now, Ended: s.telemetry.Ended,
		NoContent: s.config.Records.Content == config.ContentNone,
	})
	s.every("late outcomes", SettleInterval, func(ctx context.Context) {
		if err := s.recorder.Settle(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "outcomes still wait for the log", "error", err)
		}
		s.probeLog(ctx)
	})
}

// logChanged tells the operator that calls are refused because the log can not be written, and that they are not any
// more.
func (s *Server) logChanged(reason error) {
	if reason != nil {
		s.options.Logger.Error("the log can not be written: calls are refused", "error", reason)
		return
	}
	s.options.Logger.Warn("the log can be written again")
}

// probeLog tries a log that can not be written: an instance that is not ready may get no calls by which it could find out
// that its disk has room again.
func (s *Server) probeLog(ctx context.Context) {
	if s.data.writer.Failing() == nil {
		return
	}
	if err := s.note(ctx, signalbox.ActionLogResumed, nil); err != nil && ctx.Err() == nil {
		s.options.Logger.DebugContext(ctx, "the log still can not be written", "error", err)
	}
}

func (s *Server) stopWriter(ctx context.Context) error {
	return errors.Join(s.recorder.Settle(ctx), s.data.writer.Close(ctx))
}
