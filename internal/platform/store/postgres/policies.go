package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const insertPolicy = "INSERT INTO policy_versions (version, time, text) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING"

// PolicyVersion gives a policy that was in force; not_found where there was none of that version.
func (d *DB) PolicyVersion(ctx context.Context, version string) (signalbox.PolicyVersion, error) {
	found, err := collect(ctx, d.readers, "read a policy", scanPolicy,
		"SELECT version, time, text FROM policy_versions WHERE version = $1", text(version))
	return store.One(found, err, store.NoPolicyVersion)
}

// PolicyVersions gives up to limit policies that were in force, without their texts: the one that was first in force last
// comes first.
func (d *DB) PolicyVersions(ctx context.Context, limit int) ([]signalbox.PolicyVersion, error) {
	limit, err := store.PageLimit(limit)
	if err != nil {
		return nil, err
	}
	return collect(ctx, d.readers, "list policies", scanPolicy,
		"SELECT version, time, '' FROM policy_versions ORDER BY n DESC LIMIT $1", limit)
}

func scanPolicy(row pgx.CollectableRow) (v signalbox.PolicyVersion, err error) {
	var micros int64
	err = row.Scan(&v.Version, &micros, &v.Text)
	v.Time = time.UnixMicro(micros).UTC()
	return v, err
}
