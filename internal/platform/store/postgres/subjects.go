package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

const (
	insertSubjectKey = "INSERT INTO subject_keys (id, tenant, subject, wrapped, master, created, gone) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING"
	destroySubject = "UPDATE subject_keys SET wrapped = NULL, gone = $3 WHERE tenant = $1 AND subject = $2 AND wrapped IS NOT NULL"
	rewrapKey      = "UPDATE subject_keys SET wrapped = $2, master = $3 WHERE id = $1 AND wrapped IS NOT NULL"

	selectSubjectKeys = "SELECT id, tenant, subject, wrapped, master, created, gone FROM subject_keys "
	countSubjectKeys  = "SELECT count(*) - count(gone), count(gone) FROM subject_keys WHERE id <> 'index'" // That is nobody's.
)

// SubjectKey gives one key, which may be destroyed. An id that no key has is an error of code not_found.
func (d *DB) SubjectKey(ctx context.Context, id string) (signalbox.SubjectKey, error) {
	keys, err := collect(ctx, d.pool, "read a subject's key", scanSubjectKey, selectSubjectKeys+"WHERE id = $1", text(id))
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
	return collect(ctx, d.pool, "read a subject's keys", scanSubjectKey,
		selectSubjectKeys+"WHERE tenant = $1 AND subject = $2 ORDER BY created, id", text(tenant), subject[:])
}

// SubjectKeys gives up to limit keys whose ids come after that one, in the order of ids.
func (d *DB) SubjectKeys(ctx context.Context, after string, limit int) ([]signalbox.SubjectKey, error) {
	return collect(ctx, d.pool, "read subjects' keys", scanSubjectKey,
		selectSubjectKeys+"WHERE id > $1 ORDER BY id LIMIT $2", text(after), limit)
}

// CountSubjectKeys counts the keys of data subjects that are there and those that were destroyed. It reads them all.
func (d *DB) CountSubjectKeys(ctx context.Context) (open, destroyed int64, err error) {
	err = d.readers.QueryRow(ctx, countSubjectKeys).Scan(&open, &destroyed)
	return open, destroyed, explain("count subjects' keys", err)
}

func scanSubjectKey(r pgx.CollectableRow) (k signalbox.SubjectKey, err error) {
	var subject []byte
	var created int64
	var gone *int64
	if err := r.Scan(&k.ID, &k.Tenant, &subject, &k.Wrapped, &k.Master, &created, &gone); err != nil {
		return k, err
	}
	k.Created = time.UnixMicro(created).UTC()
	if gone != nil {
		k.Gone = time.UnixMicro(*gone).UTC()
	}
	k.Subject, err = hash(subject)
	return k, err
}

func putSubjectKey(b *pgx.Batch, k signalbox.SubjectKey) {
	var gone *int64
	if !k.Gone.IsZero() {
		at := k.Gone.UnixMicro()
		gone = &at
	}
	b.Queue(insertSubjectKey, k.ID, text(k.Tenant), k.Subject[:], k.Wrapped, k.Master, k.Created.UnixMicro(), gone)
}
