package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

const (
	insertKey = `INSERT INTO keys (id, hash, hint, tenant, team, agent, "user", role, limits, created, revoked) ` +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING"
	revokeKey  = "UPDATE keys SET revoked = $2 WHERE id = $1 AND revoked IS NULL"
	selectKeys = `SELECT id, hash, hint, tenant, team, agent, "user", role, limits, created, revoked FROM keys `
)

// Keys gives the keys that were created at run time, revoked ones too, oldest first.
func (d *DB) Keys(ctx context.Context) ([]signalbox.Key, error) {
	return collect(ctx, d.pool, "read keys", scanKey, selectKeys+`ORDER BY created, id COLLATE "C"`)
}

// KeyByHash gives the key whose secret has that SHA-256. A hash that no key has is an error of code not_found.
func (d *DB) KeyByHash(ctx context.Context, hash [32]byte) (signalbox.Key, error) {
	keys, err := collect(ctx, d.pool, "read a key", scanKey, selectKeys+"WHERE hash = $1", hash[:])
	if err != nil {
		return signalbox.Key{}, err
	}
	if len(keys) == 0 {
		return signalbox.Key{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no such key.").
			WithField("key").WithRemedy("Check the key, or have an administrator create one.")
	}
	return keys[0], nil
}

func putKey(b *pgx.Batch, k signalbox.Key) error {
	budgets := k.Budgets
	if budgets == nil {
		budgets = []signalbox.Budget{}
	}
	limits, err := json.Marshal(budgets)
	if err != nil {
		return err
	}
	var revoked *int64
	if !k.Revoked.IsZero() {
		at := k.Revoked.UnixMicro()
		revoked = &at
	}
	b.Queue(insertKey, k.ID, k.Hash[:], text(k.Hint), text(k.Tenant), text(k.Team), text(k.Agent), text(k.User),
		string(k.Role), string(limits), k.Created.UnixMicro(), revoked)
	return nil
}

func scanKey(r pgx.CollectableRow) (k signalbox.Key, err error) {
	var secret []byte
	var budgets string
	var created int64
	var revoked *int64
	err = r.Scan(&k.ID, &secret, &k.Hint, &k.Tenant, &k.Team, &k.Agent, &k.User, &k.Role, &budgets, &created, &revoked)
	if err != nil {
		return k, err
	}
	k.Created = time.UnixMicro(created).UTC()
	if revoked != nil {
		k.Revoked = time.UnixMicro(*revoked).UTC()
	}
	if k.Hash, err = hash(secret); err != nil {
		return k, err
	}
	if err = json.Unmarshal([]byte(budgets), &k.Budgets); len(k.Budgets) == 0 {
		k.Budgets = nil
	}
	return k, err
}

// text makes a string that the database takes: it has no character 0, and one record must not fail its whole batch.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
