package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
)

const (
	insertSubjectKey = "INSERT INTO subject_keys (id, tenant, subject, wrapped, master, created, gone) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
	destroySubject    = "UPDATE subject_keys SET wrapped = NULL, gone = ? WHERE tenant = ? AND subject = ? AND wrapped IS NOT NULL"
	rewrapSubjectKey  = "UPDATE subject_keys SET wrapped = ?, master = ? WHERE id = ? AND wrapped IS NOT NULL"
	selectSubjectKeys = "SELECT id, tenant, subject, wrapped, master, created, gone FROM subject_keys "
	countSubjectKeys  = "SELECT count(*) - count(gone), count(gone) FROM subject_keys WHERE id <> 'index'" // That is nobody's.
)

// SubjectKey gives one key, which may be destroyed. An id that no key has is an error of code not_found.
func (d *DB) SubjectKey(ctx context.Context, id string) (signalbox.SubjectKey, error) {
	keys, err := collect(ctx, d.readers, "read a subject's key", scanSubjectKey, selectSubjectKeys+"WHERE id = ?", id)
	if err != nil {
		return signalbox.SubjectKey{}, err
	}
	if len(keys) == 0 {
		return signalbox.SubjectKey{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no such key of a data subject.").
			WithField("sealed.key").WithRemedy("Check the id; keys are never removed, only emptied.")
	}
	return keys[0], nil
}

// SubjectKeysOf gives all keys of a subject, destroyed ones too, oldest first.
func (d *DB) SubjectKeysOf(ctx context.Context, tenant string, subject [32]byte) ([]signalbox.SubjectKey, error) {
	return collect(ctx, d.readers, "read a subject's keys", scanSubjectKey,
		selectSubjectKeys+"WHERE tenant = ? AND subject = ? ORDER BY created, id", tenant, subject[:])
}

// SubjectKeys gives up to limit keys whose ids come after that one, in the order of ids.
func (d *DB) SubjectKeys(ctx context.Context, after string, limit int) ([]signalbox.SubjectKey, error) {
	return collect(ctx, d.readers, "read subjects' keys", scanSubjectKey,
		selectSubjectKeys+"WHERE id > ? ORDER BY id LIMIT ?", after, limit)
}

// CountSubjectKeys counts the keys of data subjects that are there and those that were destroyed. It reads them all.
func (d *DB) CountSubjectKeys(ctx context.Context) (open, destroyed int64, err error) {
	err = d.readers.QueryRowContext(ctx, countSubjectKeys).Scan(&open, &destroyed)
	return open, destroyed, explain("count subjects' keys", err)
}

func scanSubjectKey(r *sql.Rows) (k signalbox.SubjectKey, err error) {
	var subject sql.RawBytes
	var created int64
	var gone sql.NullInt64
	if err := r.Scan(&k.ID, &k.Tenant, &subject, &k.Wrapped, &k.Master, &created, &gone); err != nil {
		return k, err
	}
	k.Created = time.UnixMicro(created).UTC()
	if gone.Valid {
		k.Gone = time.UnixMicro(gone.Int64).UTC()
	}
	k.Subject, err = hash(subject)
	return k, err
}

func putSubjectKey(t *transaction, k signalbox.SubjectKey) error {
	var wrapped, gone any
	if k.Wrapped != nil {
		wrapped = k.Wrapped
	}
	if !k.Gone.IsZero() {
		gone = k.Gone.UnixMicro()
	}
	return t.exec(insertSubjectKey, k.ID, k.Tenant, k.Subject[:], wrapped, k.Master, k.Created.UnixMicro(), gone)
}
