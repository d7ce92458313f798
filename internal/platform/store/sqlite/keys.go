package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
)

const selectKeys = "SELECT id, hash, hint, tenant, team, agent, user, role, limits, created, revoked FROM keys "

// Keys gives the keys that were created at run time, revoked ones too, oldest first.
func (d *DB) Keys(ctx context.Context) ([]signalbox.Key, error) {
	return collect(ctx, d.readers, "read keys", scanKey, selectKeys+"ORDER BY created, id")
}

// KeyByHash gives the key whose secret has that SHA-256. A hash that no key has is an error of code not_found.
func (d *DB) KeyByHash(ctx context.Context, hash [32]byte) (signalbox.Key, error) {
	keys, err := collect(ctx, d.readers, "read a key", scanKey, selectKeys+"WHERE hash = ?", hash[:])
	if err != nil {
		return signalbox.Key{}, err
	}
	if len(keys) == 0 {
		return signalbox.Key{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no such key.").
			WithField("key").WithRemedy("Check the key, or have an administrator create one.")
	}
	return keys[0], nil
}

func scanKey(r *sql.Rows) (k signalbox.Key, err error) {
	var secret sql.RawBytes
	var budgets string
	var created int64
	var revoked sql.NullInt64
	err = r.Scan(&k.ID, &secret, &k.Hint, &k.Tenant, &k.Team, &k.Agent, &k.User, &k.Role, &budgets, &created, &revoked)
	if err != nil {
		return k, err
	}
	k.Created = time.UnixMicro(created).UTC()
	if revoked.Valid {
		k.Revoked = time.UnixMicro(revoked.Int64).UTC()
	}
	if k.Hash, err = hash(secret); err != nil {
		return k, err
	}
	k.Budgets, err = decodeBudgets(budgets)
	return k, err
}
