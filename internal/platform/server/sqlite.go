package server

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// startSQLite opens the file, restores the log's tree and starts its writer, projector and publisher. They stop in the
// reverse order, so that the last checkpoint covers everything that was written.
func (s *Server) startSQLite(ctx context.Context) error {
	db, err := sqlite.Open(ctx, s.config.Database.Path, sqlite.Options{Now: s.options.Now})
	if err != nil {
		return err
	}
	s.onStop("database", func(context.Context) error { return db.Close() })
	key, err := s.auditKey(ctx, db, s.config.Database.Path)
	if err != nil {
		return err
	}
	tree, err := audit.Restore(ctx, db)
	if err != nil {
		return err
	}
	vault, err := OpenVault(ctx, db, s.vaultOptions(s.config.Database.Path))
	if err != nil {
		return err
	}
	sequencer := audit.NewSequencer(tree)
	s.data = &data{
		db: db, views: db.Views(), key: key, vault: vault, replica: signalbox.LocalReplica, now: s.options.Now,
		broken: db.Broken(),
		size:   func() int64 { return sequencer.Tree().Size() },
	}
	if err := s.startAnchors(ctx); err != nil {
		return err
	}
	publisher, err := s.startPublisher(ctx, sequencer, db)
	if err != nil {
		return err
	}
	s.onStop("publisher", publisher.Stop)
	s.startWriter(vault.Around(sequencer))
	if err := s.beginSigning(ctx, publisher); err != nil {
		return err
	}
	s.newProjector()
	if err := s.data.projector.CatchUp(ctx); err != nil {
		return err
	}
	before := sequencer.Tree().Size() - s.data.projector.Status().Projected
	s.data.lag = func() int64 { return s.data.size() - before - s.data.projector.Status().Projected }
	s.background("projector", s.data.projector.Run)
	return s.recover(ctx)
}

func (s *Server) newProjector() {
	s.data.projector = projection.New(s.data.views, s.data.views, projection.Options{
		Decode: s.data.vault.Decode, Wake: s.data.writer.Notify(),
	})
}
