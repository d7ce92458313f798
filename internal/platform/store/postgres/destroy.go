package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// Both find the same range: that of the records that have a place, as far as the effect wants it.
const (
	insertDestroyed = "INSERT INTO audit_destroyed (tenant, first, until, time) " +
		"SELECT $1, $2::bigint, u.until, $4::bigint FROM " +
		"(SELECT least($3::bigint, (SELECT coalesce(max(seq) + 1, 0) FROM audit_records)) AS until) u WHERE u.until > $2::bigint"
	updateDestroyed = "UPDATE audit_records SET content = NULL, digest = sha256(content) " +
		"WHERE tenant = $1 AND seq >= $2 AND seq < $3 AND content IS NOT NULL " +
		"AND EXISTS (SELECT FROM audit_destroyed WHERE tx = pg_current_xact_id() AND tenant = $1 AND first <= seq AND seq < until)"
)

// destroyContent queues the destruction of content. It happens when the record that says so is committed, and not when
// the leader places that record: what is durable is done, and whoever reads the log until then sees destroyed content
// whose evidence is still to come, for about as long as any record waits for its place. The evidence's index is not known
// here, so that the row in audit_destroyed has its time instead. Records that have no place yet can not be named by a
// range of indexes, and are not touched.
func destroyContent(b *pgx.Batch, entry *signalbox.Entry, d signalbox.DestroyContent) {
	first := max(d.From, 0)
	b.Queue(insertDestroyed, d.Tenant, first, d.To, entry.Time.UnixMicro())
	b.Queue(updateDestroyed, d.Tenant, first, d.To)
}

// sweepTables are those from which something about people is ever removed.
const sweepTables = "audit_records, audit_pending, subject_keys, calls, approvals, tasks, idempotency, sessions"

// Sweep gives back the room of what was removed or destroyed before it was called, but for rows that an older
// transaction may still see, so that it is written over; it is a VACUUM. PostgreSQL does not overwrite by itself: until
// their room is used again the bytes are still in the tables' files, and for as long as those are kept, in its WAL and in
// backups. Whoever needs them gone at once runs VACUUM FULL, which holds up every call meanwhile.
func (d *DB) Sweep(ctx context.Context) error {
	_, err := d.pool.Exec(ctx, "VACUUM "+sweepTables)
	return explain("sweep the database", err)
}

// Headers gives index, time and tenant of up to limit entries with an index ≥ from, in order, and the digest of those
// whose content was destroyed. It reads no content.
func (d *DB) Headers(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error) {
	return collect(ctx, d.readers, "read the log's headers", func(r pgx.CollectableRow) (e signalbox.Entry, err error) {
		var micros int64
		var digest []byte
		if err := r.Scan(&e.Index, &micros, &e.Tenant, &digest); err != nil {
			return e, err
		}
		e.Time = time.UnixMicro(micros).UTC()
		if digest != nil {
			e.Digest, err = hash(digest)
		}
		return e, err
	}, "SELECT seq, time, tenant, digest FROM audit_records WHERE seq >= $1 ORDER BY seq LIMIT $2", from, limit)
}

// DestroyedUntil gives the end of what was destroyed of a tenant; 0 where nothing was.
func (d *DB) DestroyedUntil(ctx context.Context, tenant string) (until int64, err error) {
	err = d.readers.QueryRow(ctx, "SELECT coalesce(max(until), 0) FROM audit_destroyed WHERE tenant = $1", tenant).Scan(&until)
	return until, explain("read what was destroyed", err)
}
