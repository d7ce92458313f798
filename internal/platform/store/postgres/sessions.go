package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	insertSession = "INSERT INTO sessions (id, hash, opened, expires, ended, doc) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
	endSession    = "UPDATE sessions SET ended = $2 WHERE id = $1 AND ended IS NULL"
	// Replicas that prune at once do not wait for each other.
	pruneSessions = "DELETE FROM sessions WHERE id IN " +
		"(SELECT id FROM sessions WHERE expires < $1 ORDER BY id FOR UPDATE SKIP LOCKED)"
	selectSessions = "SELECT id, hash, opened, expires, ended, doc FROM sessions "
)

// putSession creates a session, and removes those that have expired [store.SessionGrace] before it was opened: they name
// people.
func putSession(b *pgx.Batch, s *signalbox.Session) error {
	doc, err := store.EncodeSession(s)
	b.Queue(pruneSessions, s.Opened.Add(-store.SessionGrace).UnixMicro())
	b.Queue(insertSession, text(s.ID), s.Hash[:], s.Opened.UnixMicro(), s.Expires.UnixMicro(), micros(s.Ended), doc)
	return err
}

// Session gives the session of a cookie's hash, one that has ended or expired too; false where there is none.
func (d *DB) Session(ctx context.Context, hash [32]byte) (signalbox.Session, bool, error) {
	found, err := collect(ctx, d.pool, "read a session", scanSession, selectSessions+"WHERE hash = $1", hash[:])
	if err != nil || len(found) == 0 {
		return signalbox.Session{}, false, err
	}
	return found[0], true, nil
}

// Sessions gives the sessions that are open and have not expired, newest first, up to [store.MaxSessions].
func (d *DB) Sessions(ctx context.Context) ([]signalbox.Session, error) {
	return collect(ctx, d.pool, "list sessions", scanSession, selectSessions+
		"WHERE ended IS NULL AND expires > $1 ORDER BY opened DESC, id DESC LIMIT $2", d.Now().UnixMicro(), store.MaxSessions)
}

func scanSession(row pgx.CollectableRow) (s signalbox.Session, err error) {
	var sum, doc []byte
	var opened, expires int64
	var ended *int64
	if err := row.Scan(&s.ID, &sum, &opened, &expires, &ended, &doc); err != nil {
		return s, err
	}
	s.Opened, s.Expires, s.Ended = time.UnixMicro(opened).UTC(), time.UnixMicro(expires).UTC(), timeOf(ended)
	if s.Hash, err = hash(sum); err != nil {
		return s, err
	}
	return s, store.DecodeSession(doc, &s)
}
