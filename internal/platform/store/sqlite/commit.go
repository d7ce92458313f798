package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

const (
	insertRecord = "INSERT INTO audit_records (seq, time, type, tenant, call, content, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)"
	// Of a record whose content was destroyed before it came here.
	insertDestroyedRecord = "INSERT INTO audit_records (seq, time, type, tenant, call, digest, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)"

	insertTile = "INSERT INTO audit_tiles (level, n, hashes) VALUES (?, ?, ?)"
	insertKey  = "INSERT INTO keys (id, hash, hint, tenant, team, agent, user, role, limits, created, revoked) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
	revokeKey = "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL"
	rowBytes  = 160 // Of a record's row besides its content.
)

// Commit stores a batch, all of it or nothing. It is called by one goroutine at a time, the log's writer, and does not
// watch ctx: a commit that is cut off would be uncertain. A batch that does not continue the log is an error.
func (d *DB) Commit(_ context.Context, b signalbox.Batch) error {
	size, err := d.continues(b)
	if err != nil {
		return err
	}
	err = d.writer.write(size, func(t *transaction) error { return d.insert(t, b) })
	if err != nil {
		return explain("commit", err)
	}
	d.next += int64(len(b.Entries))
	if destroys(b.Entries) {
		d.tail.forget()
	}
	d.tail.add(b.Entries)
	return nil
}

// continues checks the indexes of a batch and gives its size in bytes.
func (d *DB) continues(b signalbox.Batch) (int64, error) {
	var size int64
	for i, e := range b.Entries {
		if e.Index != d.next+int64(i) {
			return 0, signalbox.AsError(fmt.Errorf("record %d does not continue the log, whose next is %d", e.Index, d.next+int64(i)))
		}
		size += int64(len(e.Content) + rowBytes)
	}
	for _, tile := range b.Tiles {
		size += int64(len(tile.Hashes))
	}
	return size, nil
}

func (d *DB) insert(t *transaction, b signalbox.Batch) error {
	for i := range b.Entries {
		e := &b.Entries[i]
		if err := insertEntry(t, e); err != nil {
			return err
		}
		for _, effect := range e.Effects {
			if err := apply(t, e, effect); err != nil {
				return err
			}
		}
	}
	if err := d.book(t, b.Entries); err != nil {
		return err
	}
	for _, tile := range b.Tiles {
		if err := t.exec(insertTile, int64(tile.Level), tile.N, tile.Hashes); err != nil {
			return err
		}
	}
	return nil
}

// insertEntry inserts a record; one of an archive may have lost its content before it came there.
func insertEntry(t *transaction, e *signalbox.Entry) error {
	values := []driver.Value{e.Index, e.Time.UnixMicro(), string(e.Type), e.Tenant, e.Call, e.Content, e.Leaf[:]}
	if !e.Destroyed() {
		return t.exec(insertRecord, values...)
	}
	values[5] = e.Digest[:]
	return t.exec(insertDestroyedRecord, values...)
}

func apply(t *transaction, entry *signalbox.Entry, effect signalbox.Effect) error {
	switch e := effect.(type) {
	case signalbox.PutKey:
		return putKey(t, e.Key)
	case signalbox.RevokeKey:
		return t.exec(revokeKey, e.At.UnixMicro(), e.ID)
	case signalbox.PutRun:
		return putRun(t, e.Run)
	case signalbox.PutAlert:
		return putAlert(t, e)
	case signalbox.LiftBrake:
		return t.exec(liftBrake, e.At.UnixMicro(), e.By, e.ID)
	case signalbox.PutSubjectKey:
		return putSubjectKey(t, e.Key)
	case signalbox.DestroySubject:
		return destroySubjectKeys(t, e)
	case signalbox.RewrapSubjectKey:
		return t.exec(rewrapSubjectKey, e.Wrapped, e.Master, e.ID)
	case signalbox.DestroyContent:
		return destroyContent(t, entry, e)
	case signalbox.Post, signalbox.OpenAccount:
		return nil // All of the batch are booked together.
	}
	if known, err := applyDecision(t, effect); known {
		return err
	}
	return fmt.Errorf("the store does not know the effect %T", effect)
}

func putKey(t *transaction, k signalbox.Key) error {
	budgets, err := encodeBudgets(k.Budgets)
	if err != nil {
		return err
	}
	var revoked any
	if !k.Revoked.IsZero() {
		revoked = k.Revoked.UnixMicro()
	}
	return t.exec(insertKey, k.ID, k.Hash[:], k.Hint, k.Tenant, k.Team, k.Agent, k.User, string(k.Role), budgets,
		k.Created.UnixMicro(), revoked)
}

// encodeBudgets gives the budgets as the column limits holds them.
func encodeBudgets(budgets []signalbox.Budget) (string, error) {
	if budgets == nil {
		budgets = []signalbox.Budget{}
	}
	b, err := json.Marshal(budgets)
	return string(b), err
}

func decodeBudgets(s string) (budgets []signalbox.Budget, err error) {
	if err := json.Unmarshal([]byte(s), &budgets); err != nil || len(budgets) == 0 {
		return nil, err
	}
	return budgets, nil
}
