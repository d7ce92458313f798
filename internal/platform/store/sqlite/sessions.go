package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	insertSession  = "INSERT INTO sessions (id, hash, opened, expires, ended, doc) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
	endSession     = "UPDATE sessions SET ended = ? WHERE id = ? AND ended IS NULL"
	pruneSessions  = "DELETE FROM sessions WHERE expires < ?"
	selectSessions = "SELECT id, hash, opened, expires, ended, doc FROM sessions "
)

// putSession creates a session, and removes those that have expired [store.SessionGrace] before it was opened: they name
// people.
func putSession(t *transaction, s *signalbox.Session) error {
	doc, err := store.EncodeSession(s)
	if err != nil {
		return err
	}
	if err := t.exec(pruneSessions, s.Opened.Add(-store.SessionGrace).UnixMicro()); err != nil {
		return err
	}
	return t.exec(insertSession, s.ID, s.Hash[:], s.Opened.UnixMicro(), s.Expires.UnixMicro(), micros(s.Ended), doc)
}

// Session gives the session of a cookie's hash, one that has ended or expired too; false where there is none.
func (d *DB) Session(ctx context.Context, hash [32]byte) (signalbox.Session, bool, error) {
	found, err := collect(ctx, d.readers, "read a session", scanSession, selectSessions+"WHERE hash = ?", hash[:])
	if err != nil || len(found) == 0 {
		return signalbox.Session{}, false, err
	}
	return found[0], true, nil
}

// Sessions gives the sessions that are open and have not expired, newest first, up to [store.MaxSessions].
func (d *DB) Sessions(ctx context.Context) ([]signalbox.Session, error) {
	return collect(ctx, d.readers, "list sessions", scanSession, selectSessions+
		"WHERE ended IS NULL AND expires > ? ORDER BY opened DESC, id DESC LIMIT ?", d.options.Now().UnixMicro(), store.MaxSessions)
}

func scanSession(rows *sql.Rows) (s signalbox.Session, err error) {
	var sum, doc sql.RawBytes
	var opened, expires int64
	var ended sql.NullInt64
	if err := rows.Scan(&s.ID, &sum, &opened, &expires, &ended, &doc); err != nil {
		return s, err
	}
	s.Opened, s.Expires, s.Ended = time.UnixMicro(opened).UTC(), time.UnixMicro(expires).UTC(), timeOf(ended)
	if s.Hash, err = hash(sum); err != nil {
		return s, err
	}
	return s, store.DecodeSession(doc, &s)
}
