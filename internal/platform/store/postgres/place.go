package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// Bounds of one stretch of the log that is placed in one transaction.
const (
	placeRecords = 512
	placeBytes   = 16 << 20         // Of content, but for a single record.
	leadTimeout  = 10 * time.Second // Of one statement of the leader.
)

const (
	// One row at least, which has xmin: every transaction with a lower number has ended.
	selectPending = "SELECT pg_snapshot_xmin(s.now)::text::bigint, p.id, p.time, p.type, p.tenant, p.call, p.content " +
		"FROM (SELECT pg_current_snapshot() AS now) s LEFT JOIN LATERAL (" +
		"SELECT * FROM (SELECT b.*, sum(octet_length(content)) OVER (ORDER BY id) AS sum FROM (" +
		"SELECT * FROM audit_pending WHERE id > $1 ORDER BY id LIMIT $2) b) f " +
		"WHERE sum - octet_length(content) < $3) p ON true ORDER BY p.id"

	movePending = "WITH taken AS (DELETE FROM audit_pending WHERE id = ANY($1) " +
		"RETURNING id, time, type, tenant, call, content) " +
		"INSERT INTO audit_records (seq, time, type, tenant, call, content, leaf) " +
		"SELECT u.seq, t.time, t.type, t.tenant, t.call, t.content, u.leaf " +
		"FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS u(id, seq, leaf) JOIN taken t ON t.id = u.id"

	insertTiles = "INSERT INTO audit_tiles (level, n, hashes) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[])"
	nextIndex   = "SELECT coalesce(max(seq) + 1, 0) FROM audit_records"
	ownNumber   = "SELECT pg_current_xact_id()::text::bigint"
)

// floor is an id below which nothing can be pending any more. Rows that were deleted stay in the index until they are
// swept, and without a floor each look would step over all of them.
//
// An id is drawn by a transaction that has a number already (its guard has written). All transactions that have drawn an
// id up to the last one placed therefore have a lower number than the transaction that placed it, and once those have
// all ended, whatever they have left to see was seen.
type floor struct {
	id     int64
	next   int64 // The next floor, once all transactions below number have ended; 0 is none.
	number int64
}

// seen takes note of a snapshot in which all transactions below xmin have ended. What became visible with it was read
// with the old floor.
func (f *floor) seen(xmin int64) {
	if f.next > 0 && xmin >= f.number {
		f.id, f.next = f.next, 0
	}
}

// placed takes note of a transaction with that number that has placed the ids up to last.
func (f *floor) placed(last, number int64) {
	if f.next == 0 && last > f.id {
		f.next, f.number = last, number
	}
}

// place gives a stretch of pending records their places; more says that there may be others. After an error the
// connection is closed, so that nothing else runs in a transaction that was left open.
func (l *Leadership) place(ctx context.Context) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadTimeout)
	defer cancel()
	if more, err = l.placeNext(ctx); err != nil {
		hangUp(l.conn)
	}
	return more, err
}

func (l *Leadership) placeNext(ctx context.Context) (more bool, err error) {
	ids, entries, err := l.pending(ctx)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	b, err := l.sequencer.Sequence(entries)
	if err != nil {
		return false, err
	}
	number, err := l.move(ctx, ids, b)
	if err != nil {
		return false, err
	}
	l.sequencer.Committed(b)
	l.floor.placed(ids[len(ids)-1], number)
	return true, nil
}

// pending reads what is to be placed next, in the order of ids.
//
// The order is that in which things happened, as far as anybody can tell: whoever ends a call has been told before that
// its intent is durable, so the intent's transaction had ended before the outcome's id was drawn. The intent thus has the
// lower id, and every snapshot that shows the outcome shows the intent, if it was not placed before. Ids that become
// visible late, after higher ones were placed, belong to transactions that nobody had been told of.
func (l *Leadership) pending(ctx context.Context) (ids []int64, entries []signalbox.Entry, err error) {
	rows, err := l.conn.Query(ctx, selectPending, l.floor.id, placeRecords, placeBytes)
	if err != nil {
		return nil, nil, err
	}
	var xmin int64
	_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (struct{}, error) {
		var id, micros *int64
		var typ, tenant, call *string
		var content []byte
		if err := r.Scan(&xmin, &id, &micros, &typ, &tenant, &call, &content); err != nil || id == nil {
			return struct{}{}, err
		}
		ids = append(ids, *id)
		entries = append(entries, signalbox.Entry{
			Time: time.UnixMicro(*micros).UTC(), Type: signalbox.RecordType(*typ), Tenant: *tenant, Call: *call, Content: content,
		})
		return struct{}{}, nil
	})
	if err == nil {
		l.floor.seen(xmin)
	}
	return ids, entries, err
}

// move writes a sequenced batch to the log, over the connection that holds the lock: where it is lost, nothing was
// placed, or all of it, which the next leader sees. It gives the number of the transaction.
func (l *Leadership) move(ctx context.Context, ids []int64, b signalbox.Batch) (number int64, err error) {
	batch := &pgx.Batch{}
	batch.Queue("begin")
	var next, moved int64
	batch.Queue(nextIndex).QueryRow(func(r pgx.Row) error { return r.Scan(&next) })
	queueMove(batch, ids, b).Exec(func(tag commandTag) error {
		moved = tag.RowsAffected()
		return nil
	})
	batch.Queue(ownNumber).QueryRow(func(r pgx.Row) error { return r.Scan(&number) })
	if err := l.conn.SendBatch(ctx, batch).Close(); err != nil {
		return 0, err
	}
	if moved != int64(len(ids)) || !continues(next, b.Entries) {
		return 0, fmt.Errorf("records %d and on do not continue the log, whose next is %d (%d of %d are pending)",
			b.Entries[0].Index, next, moved, len(ids))
	}
	tag, err := l.conn.Exec(ctx, "commit")
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("the database answered %s to a COMMIT", tag)
	}
	return number, err
}

func queueMove(batch *pgx.Batch, ids []int64, b signalbox.Batch) *pgx.QueuedQuery {
	seqs, leaves := make([]int64, len(b.Entries)), make([][]byte, len(b.Entries))
	for i := range b.Entries {
		seqs[i], leaves[i] = b.Entries[i].Index, b.Entries[i].Leaf[:]
	}
	if n := len(b.Tiles); n > 0 {
		levels, numbers, hashes := make([]int32, n), make([]int64, n), make([][]byte, n)
		for i, t := range b.Tiles {
			levels[i], numbers[i], hashes[i] = int32(t.Level), t.N, t.Hashes
		}
		batch.Queue(insertTiles, levels, numbers, hashes)
	}
	return batch.Queue(movePending, ids, seqs, leaves)
}

func continues(next int64, entries []signalbox.Entry) bool {
	for i := range entries {
		if entries[i].Index != next+int64(i) {
			return false
		}
	}
	return true
}
