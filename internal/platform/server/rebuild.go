package server

import (
	"context"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// RebuildProjections drops the projections of a database that no server uses and builds them anew. It gives the number
// of records. With PostgreSQL it fails with conflict while a replica is heard of.
func RebuildProjections(ctx context.Context, where config.Database, now func() time.Time) (records int64, err error) {
	if where.Kind == config.DatabasePostgres {
		return rebuildPostgres(ctx, where.URL.Reveal(), now)
	}
	db, err := sqlite.Open(ctx, where.Path, sqlite.Options{Now: now})
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // What was rebuilt is committed.
	if err := rebuild(ctx, db.Views()); err != nil {
		return 0, err
	}
	return db.Size(ctx)
}

func rebuildPostgres(ctx context.Context, url string, now func() time.Time) (records int64, err error) {
	db, err := postgres.Open(ctx, url, postgres.Options{Now: now})
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // What was rebuilt is committed.
	if err := notInUse(ctx, db); err != nil {
		return 0, err
	}
	if err := rebuild(ctx, db.Views()); err != nil {
		return 0, err
	}
	return db.Size(ctx)
}

// notInUse refuses a database that a replica may be using: the leader would go on projecting from where it was, or begin
// anew itself, and both would do the work twice.
func notInUse(ctx context.Context, db *postgres.DB) error {
	replicas, err := db.Replicas(ctx)
	if err != nil {
		return err
	}
	for _, r := range replicas {
		if r.Left.IsZero() && r.Fenced.IsZero() && db.Now().Sub(r.Seen) < postgres.DefaultLease {
			return signalbox.Errorf(signalbox.CodeConflict, "Replica %s serves this database.", r.ID).WithField("database").
				WithRemedy("Stop every replica; one that was killed counts as running for " + postgres.DefaultLease.String() + ".")
		}
	}
	return nil
}

// rebuildable is what a store has of projections.
type rebuildable interface {
	projection.Log
	projection.Store
}

func rebuild(ctx context.Context, v rebuildable) error {
	return projection.New(v, v, projection.Options{Decode: audit.Decode}).Rebuild(ctx)
}
