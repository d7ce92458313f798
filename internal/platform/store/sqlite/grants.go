package sqlite

import (
	"context"
	"database/sql"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertGrant = "INSERT INTO grants (id, tenant, doc) VALUES (?, ?, ?) " +
		"ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, doc = excluded.doc"
	selectGrants = "SELECT id, tenant, doc FROM grants"
)

// applyDecision applies the effects of what people decide: approvals, grants, policies, incidents, sessions, tasks
// that wait for them, pins of tools, and the use of idempotency keys. It is false where the effect is none of them.
func applyDecision(t *transaction, effect signalbox.Effect) (bool, error) {
	switch e := effect.(type) {
	case signalbox.PutApproval:
		return true, putApproval(t, &e.Approval)
	case signalbox.PutGrant:
		return true, putGrant(t, &e.Grant)
	case signalbox.PutPolicyVersion:
		return true, t.exec(insertPolicy, e.Version.Version, e.Version.Time.UnixMicro(), e.Version.Text)
	case signalbox.PutIncident:
		return true, putIncident(t, &e.Incident)
	case signalbox.PutSession:
		return true, putSession(t, &e.Session)
	case signalbox.EndSession:
		return true, t.exec(endSession, e.At.UnixMicro(), e.ID)
	case signalbox.PutTask:
		return true, putTask(t, &e.Task)
	case signalbox.CancelTask:
		return true, t.exec(cancelTask, e.At.UnixMicro(), e.ID)
	case signalbox.PutPins:
		return true, putPins(t, e.Pins)
	case signalbox.PutIdempotency:
		return true, putIdempotency(t, &e.Idempotency)
	case signalbox.DropIdempotency:
		return true, t.exec(dropIdempotency, e.Slot[:], e.Call)
	}
	return false, nil
}

func putGrant(t *transaction, g *signalbox.Grant) error {
	doc, err := store.EncodeGrant(g)
	if err != nil {
		return err
	}
	return t.exec(upsertGrant, g.ID, g.Tenant, doc)
}

// Grant gives one break-glass grant; not_found where there is none of that id.
func (d *DB) Grant(ctx context.Context, id string) (signalbox.Grant, error) {
	found, err := collect(ctx, d.readers, "read a grant", scanGrant, selectGrants+" WHERE id = ?", id)
	return store.One(found, err, store.NoGrant)
}

// Grants gives up to limit break-glass grants, those that are over too, newest first. Nil tenants are all.
func (d *DB) Grants(ctx context.Context, tenants []string, limit int) ([]signalbox.Grant, error) {
	limit, err := store.PageLimit(limit)
	if err != nil {
		return nil, err
	}
	w := &where{}
	w.in("tenant", tenants)
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	return collect(ctx, d.readers, "list grants", scanGrant, selectGrants+w.String()+" ORDER BY n DESC LIMIT ?", append(w.args, limit)...)
}

func scanGrant(rows *sql.Rows) (g signalbox.Grant, err error) {
	var doc sql.RawBytes
	if err := rows.Scan(&g.ID, &g.Tenant, &doc); err != nil {
		return g, err
	}
	return g, store.DecodeGrant(doc, &g)
}
