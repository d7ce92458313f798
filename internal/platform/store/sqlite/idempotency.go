package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/signalbox/signalbox"
)

const (
	upsertIdempotency = "INSERT INTO idempotency (slot, tenant, hash, call, approval, state, begun, ended, expires, sealed_by, content) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (slot) DO UPDATE SET tenant = excluded.tenant, hash = excluded.hash, " +
		"call = excluded.call, approval = excluded.approval, state = excluded.state, begun = excluded.begun, ended = excluded.ended, " +
		"expires = excluded.expires, sealed_by = excluded.sealed_by, content = excluded.content"
	dropIdempotency = "DELETE FROM idempotency WHERE slot = ? AND call = ?"
	// The hash goes too: whoever can guess what was in the call, and knows the key, could find out by it.
	eraseIdempotency = "UPDATE idempotency SET sealed_by = '', content = NULL, hash = zeroblob(32) WHERE sealed_by <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE tenant = ? AND subject = ?)"
	forgetIdempotency = "DELETE FROM idempotency WHERE slot IN (SELECT slot FROM idempotency WHERE expires < ? LIMIT ?)"
	selectIdempotency = "SELECT slot, tenant, hash, call, approval, state, begun, ended, expires, sealed_by, content FROM idempotency WHERE slot = ?"

	idempotencyBytes = 500 // About what a row and its index entries take, but for its content.
)

func putIdempotency(t *transaction, u *signalbox.Idempotency) error {
	sealedBy, content := "", any(nil)
	if u.Content != nil {
		sealedBy, content = u.Content.Key, u.Content.Data
	}
	return t.exec(upsertIdempotency, u.Slot[:], u.Tenant, u.Hash[:], u.Call, u.Approval, string(u.State), micros(u.Begun),
		micros(u.Ended), micros(u.Expires), sealedBy, content)
}

// Idempotency gives the use of a key; false where it is not used, or was forgotten.
func (d *DB) Idempotency(ctx context.Context, slot [32]byte) (signalbox.Idempotency, bool, error) {
	found, err := collect(ctx, d.readers, "read the use of an idempotency key", scanIdempotency, selectIdempotency, slot[:])
	if err != nil || len(found) == 0 {
		return signalbox.Idempotency{}, false, err
	}
	return found[0], true, nil
}

// ForgetIdempotency deletes up to limit uses of keys that have expired before that time, and gives how many.
func (d *DB) ForgetIdempotency(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	err = d.writer.write(int64(limit)*idempotencyBytes, func(t *transaction) error {
		if err := t.exec(forgetIdempotency, before.UnixMicro(), int64(limit)); err != nil {
			return err
		}
		return t.query("SELECT changes()", func(row []driver.Value) error {
			deleted = int(integer(row[0]))
			return nil
		})
	})
	return deleted, explain("forget old idempotency keys", err)
}

func scanIdempotency(rows *sql.Rows) (u signalbox.Idempotency, err error) {
	var slot, digest sql.RawBytes
	var begun, ended, expires sql.NullInt64
	var sealed signalbox.Sealed
	err = rows.Scan(&slot, &u.Tenant, &digest, &u.Call, &u.Approval, &u.State, &begun, &ended, &expires, &sealed.Key, &sealed.Data)
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
