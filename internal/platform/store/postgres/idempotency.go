package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// idempotencySchema is the use of idempotency keys by calls.
const idempotencySchema = `
-- slot names the key and whose it is, call the call that has used it. content is what that came to, sealed under the
-- subject's key sealed_by, and removed with that key. Times are in microseconds since 1970, UTC; NULL is none. From expires
-- on a key can be used again.
CREATE TABLE idempotency (
    slot      bytea PRIMARY KEY CHECK (octet_length(slot) = 32),
    tenant    text  NOT NULL,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
    call      text  NOT NULL,
    approval  text  NOT NULL,
    state     text  NOT NULL,
    begun     bigint,
    ended     bigint,
    expires   bigint,
    sealed_by text  NOT NULL,
    content   bytea
);
CREATE INDEX idempotency_over ON idempotency (expires);
CREATE INDEX idempotency_sealed ON idempotency (sealed_by) WHERE sealed_by <> '';
`

const (
	upsertIdempotency = "INSERT INTO idempotency (slot, tenant, hash, call, approval, state, begun, ended, expires, sealed_by, content) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (slot) DO UPDATE SET tenant = excluded.tenant, " +
		"hash = excluded.hash, call = excluded.call, approval = excluded.approval, state = excluded.state, begun = excluded.begun, " +
		"ended = excluded.ended, expires = excluded.expires, sealed_by = excluded.sealed_by, content = excluded.content"
	dropIdempotency = "DELETE FROM idempotency WHERE slot = $1 AND call = $2"
	// The hash goes too: whoever can guess what was in the call, and knows the key, could find out by it.
	eraseIdempotency = "UPDATE idempotency SET sealed_by = '', content = NULL, hash = decode(repeat('00', 32), 'hex') WHERE sealed_by <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE tenant = $1 AND subject = $2)"
	forgetIdempotency = "DELETE FROM idempotency WHERE slot IN (SELECT slot FROM idempotency WHERE expires < $1 LIMIT $2)"
	selectIdempotency = "SELECT slot, tenant, hash, call, approval, state, begun, ended, expires, sealed_by, content FROM idempotency WHERE slot = $1"
)

func putIdempotency(b *pgx.Batch, u *signalbox.Idempotency) {
	sealedBy, content := "", []byte(nil)
	if u.Content != nil {
		sealedBy, content = u.Content.Key, u.Content.Data
	}
	b.Queue(upsertIdempotency, u.Slot[:], text(u.Tenant), u.Hash[:], text(u.Call), text(u.Approval), string(u.State), micros(u.Begun),
		micros(u.Ended), micros(u.Expires), text(sealedBy), content)
}

// Idempotency gives the use of a key; false where it is not used, or was forgotten.
func (d *DB) Idempotency(ctx context.Context, slot [32]byte) (signalbox.Idempotency, bool, error) {
	found, err := collect(ctx, d.pool, "read the use of an idempotency key", scanIdempotency, selectIdempotency, slot[:])
	if err != nil || len(found) == 0 {
		return signalbox.Idempotency{}, false, err
	}
	return found[0], true, nil
}

// ForgetIdempotency deletes up to limit uses of keys that have expired before that time, and gives how many.
func (d *DB) ForgetIdempotency(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := d.pool.Exec(ctx, forgetIdempotency, before.UnixMicro(), limit)
	return int(tag.RowsAffected()), explain("forget old idempotency keys", err)
}

func scanIdempotency(row pgx.CollectableRow) (u signalbox.Idempotency, err error) {
	var slot, digest []byte
	var begun, ended, expires *int64
	var sealed signalbox.Sealed
	err = row.Scan(&slot, &u.Tenant, &digest, &u.Call, &u.Approval, &u.State, &begun, &ended, &expires, &sealed.Key, &sealed.Data)
	if err != nil {
		return u, err
	}
	u.Begun, u.Ended, u.Expires = timeOf(begun), timeOf(ended), timeOf(expires)
	if sealed.Data != nil {
		u.Content = &sealed
	}
	if u.Slot, err = hash(slot); err != nil {
		return u, err
	}
	u.Hash, err = hash(digest)
	return u, err
}
