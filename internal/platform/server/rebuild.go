package server

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// RebuildProjections drops the projections of a database that no server uses and builds them anew. It gives the number
// of records. With PostgreSQL it fails with conflict while a replica is heard of.
func RebuildProjections(ctx context.Context, where config.Database, o VaultOptions) (records int64, err error) {
	if where.Kind == config.DatabasePostgres {
		return rebuildPostgres(ctx, where.URL.Reveal(), o)
	}
	o.Beside = where.Path
	db, err := sqlite.Open(ctx, where.Path, sqlite.Options{Now: o.Now})
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // What was rebuilt is committed.
	if err := rebuild(ctx, db, db.Views(), o); err != nil {
		return 0, err
	}
	return db.Size(ctx)
}

func rebuildPostgres(ctx context.Context, url string, o VaultOptions) (records int64, err error) {
	db, err := postgres.Open(ctx, url, postgres.Options{Now: o.Now})
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // What was rebuilt is committed.
	if err := notInUse(ctx, db); err != nil {
		return 0, err
	}
	if err := rebuild(ctx, db, db.Views(), o); err != nil {
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

func rebuild(ctx context.Context, db seal.Keys, v rebuildable, o VaultOptions) error {
	decode, err := Decoder(ctx, db, o)
	if err != nil {
		return err
	}
	return projection.New(v, v, projection.Options{Decode: decode}).Rebuild(ctx)
}
