package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertGrant = "INSERT INTO grants (id, tenant, doc) VALUES ($1, $2, $3) " +
		"ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, doc = excluded.doc"
	selectGrants = "SELECT id, tenant, doc FROM grants"
)

// isDecision reports whether an effect is one of what people decide: approvals, grants, policies, incidents, sessions,
// tasks that wait for them, pins of tools, and the use of idempotency keys.
func isDecision(effect signalbox.Effect) bool {
	switch effect.(type) {
	case signalbox.PutApproval, signalbox.PutGrant, signalbox.PutPolicyVersion, signalbox.PutIncident, signalbox.PutSession,
		signalbox.EndSession, signalbox.PutTask, signalbox.CancelTask, signalbox.PutPins,
		signalbox.PutIdempotency, signalbox.DropIdempotency:
		return true
	}
	return false
}

func queueDecision(b *pgx.Batch, effect signalbox.Effect) error {
	switch e := effect.(type) {
	case signalbox.PutApproval:
		return putApproval(b, &e.Approval)
	case signalbox.PutGrant:
		return putGrant(b, &e.Grant)
	case signalbox.PutPolicyVersion:
		b.Queue(insertPolicy, text(e.Version.Version), e.Version.Time.UnixMicro(), text(e.Version.Text))
	case signalbox.PutIncident:
		return putIncident(b, &e.Incident)
	case signalbox.PutSession:
		return putSession(b, &e.Session)
	case signalbox.EndSession:
		b.Queue(endSession, text(e.ID), e.At.UnixMicro())
	case signalbox.PutTask:
		return putTask(b, &e.Task)
	case signalbox.CancelTask:
		b.Queue(cancelTask, text(e.ID), e.At.UnixMicro())
	case signalbox.PutPins:
		return putPins(b, e.Pins)
	case signalbox.PutIdempotency:
		putIdempotency(b, &e.Idempotency)
	case signalbox.DropIdempotency:
		b.Queue(dropIdempotency, e.Slot[:], text(e.Call))
	}
	return nil
}

func decisionTopics(effect signalbox.Effect) []string {
	switch effect.(type) {
	case signalbox.PutApproval:
		return []string{TopicApprovals}
	case signalbox.PutGrant:
		return []string{TopicGrants}
	case signalbox.PutSession, signalbox.EndSession:
		return []string{TopicSessions}
	case signalbox.CancelTask:
		return []string{TopicTasks}
	case signalbox.PutPins:
		return []string{TopicPins}
	}
	return nil
}

func putGrant(b *pgx.Batch, g *signalbox.Grant) error {
	doc, err := store.EncodeGrant(g)
	b.Queue(upsertGrant, text(g.ID), text(g.Tenant), doc)
	return err
}

// Grant gives one break-glass grant; not_found where there is none of that id.
func (d *DB) Grant(ctx context.Context, id string) (signalbox.Grant, error) {
	found, err := collect(ctx, d.pool, "read a grant", scanGrant, selectGrants+" WHERE id = $1", text(id))
	return store.One(found, err, store.NoGrant)
}

// Grants gives up to limit break-glass grants, those that are over too, newest first. Nil tenants are all.
func (d *DB) Grants(ctx context.Context, tenants []string, limit int) ([]signalbox.Grant, error) {
	limit, err := store.PageLimit(limit)
	if err != nil {
		return nil, err
	}
	w := &conditions{}
	w.tenants(tenants)
	return collect(ctx, d.pool, "list grants", scanGrant, selectGrants+w.String()+" ORDER BY n DESC LIMIT "+w.arg(limit), w.args...)
}

func scanGrant(row pgx.CollectableRow) (g signalbox.Grant, err error) {
	var doc []byte
	if err := row.Scan(&g.ID, &g.Tenant, &doc); err != nil {
		return g, err
	}
	return g, store.DecodeGrant(doc, &g)
}
