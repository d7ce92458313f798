package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertApproval = "INSERT INTO approvals (id, tenant, hash, state, used, run, agent, tool, sealed_by, content, doc) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, " +
		"state = excluded.state, used = excluded.used, run = excluded.run, agent = excluded.agent, tool = excluded.tool, " +
		"doc = excluded.doc, " + unlessErased
	// What was erased meanwhile does not come back with who has read it before.
	unlessErased = "hash = CASE WHEN approvals.content IS NULL THEN approvals.hash ELSE excluded.hash END, " +
		"sealed_by = CASE WHEN approvals.content IS NULL THEN '' ELSE excluded.sealed_by END, " +
		"content = CASE WHEN approvals.content IS NULL THEN NULL ELSE excluded.content END"
	// The hash goes too: whoever can guess what was in the call could find out by it.
	eraseApprovals = "UPDATE approvals SET sealed_by = '', content = NULL, hash = decode(repeat('00', 32), 'hex') WHERE sealed_by <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE tenant = $1 AND subject = $2)"
	selectApprovals = "SELECT n, id, tenant, hash, state, used, run, agent, tool, sealed_by, content, doc FROM approvals"

	isPending = "state = 'pending'" // As the partial index says it.
)

func putApproval(b *pgx.Batch, a *signalbox.Approval) error {
	doc, err := store.EncodeApproval(a)
	if err != nil {
		return err
	}
	sealedBy, content := "", []byte(nil)
	if a.Content != nil {
		sealedBy, content = a.Content.Key, a.Content.Data
	}
	b.Queue(upsertApproval, text(a.ID), text(a.Tenant), a.Hash[:], string(a.State), micros(a.Used), text(a.Run), text(a.Agent),
		text(a.Tool), text(sealedBy), content, doc)
	return nil
}

// destroySubjectKeys destroys a subject's keys, and what they seal beside the log. The subject is only known as a hash:
// people's names in votes, grants, incidents and sessions can not be found by it, and stay.
func destroySubjectKeys(b *pgx.Batch, e signalbox.DestroySubject) {
	b.Queue(destroySubject, text(e.Tenant), e.Subject[:], e.At.UnixMicro())
	b.Queue(eraseApprovals, text(e.Tenant), e.Subject[:])
	b.Queue(eraseTasks, text(e.Tenant), e.Subject[:])
	b.Queue(eraseIdempotency, text(e.Tenant), e.Subject[:])
}

// Approval gives one approval; not_found where there is none of that id.
func (d *DB) Approval(ctx context.Context, id string) (signalbox.Approval, error) {
	found, err := approvals(ctx, d.pool, " WHERE id = $1", text(id))
	a, err := store.One(found, err, store.NoApproval)
	return a.Approval, err
}

// ApprovalOf gives the newest approval of a call's hash, whatever became of it; false where there is none. An erased one
// has no hash.
func (d *DB) ApprovalOf(ctx context.Context, tenant string, hash [32]byte) (signalbox.Approval, bool, error) {
	found, err := approvals(ctx, d.pool, " WHERE hash = $1 AND tenant = $2 ORDER BY n DESC LIMIT 1", hash[:], text(tenant))
	if err != nil || len(found) == 0 {
		return signalbox.Approval{}, false, err
	}
	return found[0].Approval, true, nil
}

// PendingApprovals gives the pending approvals of all tenants, oldest first, up to [store.MaxPendingApprovals].
func (d *DB) PendingApprovals(ctx context.Context) ([]signalbox.Approval, error) {
	found, err := approvals(ctx, d.pool, " WHERE "+isPending+" ORDER BY n LIMIT $1", store.MaxPendingApprovals)
	return list(found, func(a *storedApproval) signalbox.Approval { return a.Approval }), err
}

// Approvals gives a page of approvals, newest first, and the cursor of the next page, "" at the end.
func (d *DB) Approvals(ctx context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	w, err := approvalConditions(f)
	if err != nil {
		return nil, "", err
	}
	rows, err := approvals(ctx, d.readers, w.String()+" ORDER BY n DESC LIMIT "+w.arg(limit+1), w.args...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].n, 10)
	}
	return list(rows, func(a *storedApproval) signalbox.Approval { return a.Approval }), next, nil
}

func approvalConditions(f signalbox.ApprovalFilter) (*conditions, error) {
	w := &conditions{}
	if f.Run != "" {
		w.and("run = ? AND run <> ''", text(f.Run)) // The second half is what the partial index asks for.
	}
	if len(f.States) == 1 && f.States[0] == signalbox.ApprovalPending {
		w.and(isPending)
	} else if f.States != nil {
		w.and("state = ANY (?)", list(f.States, func(s *signalbox.ApprovalState) string { return text(string(*s)) }))
	}
	if f.Agent != "" {
		w.and("agent = ?", text(f.Agent))
	}
	if f.Tool != "" {
		w.and("tool = ?", text(f.Tool))
	}
	w.tenants(f.Tenants)
	return w, w.before(f.Cursor)
}

// tenants restricts to tenants; nil does not restrict.
func (w *conditions) tenants(names []string) {
	if names != nil {
		w.and("tenant = ANY (?)", list(names, func(t *string) string { return text(*t) }))
	}
}

// before restricts to what comes after a cursor of a list that is ordered by n, newest first.
func (w *conditions) before(cursor string) error {
	if cursor == "" {
		return nil
	}
	n, err := store.ParseCursor(cursor)
	if err != nil {
		return err
	}
	w.and("n < ?", n)
	return nil
}

type storedApproval struct {
	n int64
	signalbox.Approval
}

func approvals(ctx context.Context, q querier, rest string, args ...any) ([]storedApproval, error) {
	return collect(ctx, q, "read approvals", scanApproval, selectApprovals+rest, args...)
}

func scanApproval(row pgx.CollectableRow) (a storedApproval, err error) {
	var sum, doc []byte
	var used *int64
	var sealed signalbox.Sealed
	err = row.Scan(&a.n, &a.ID, &a.Tenant, &sum, &a.State, &used, &a.Run, &a.Agent, &a.Tool, &sealed.Key, &sealed.Data, &doc)
	if err != nil {
		return a, err
	}
	if a.Hash, err = hash(sum); err != nil {
		return a, err
	}
	if a.Used = timeOf(used); sealed.Data != nil {
		a.Content = &sealed
	}
	return a, store.DecodeApproval(doc, &a.Approval)
}
