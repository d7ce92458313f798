package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertApproval = "INSERT INTO approvals (id, tenant, hash, state, used, run, agent, tool, sealed_by, content, doc) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, " +
		"state = excluded.state, used = excluded.used, run = excluded.run, agent = excluded.agent, tool = excluded.tool, " +
		"doc = excluded.doc, " + unlessErased
	// What was erased meanwhile does not come back with who has read it before.
	unlessErased = "hash = CASE WHEN approvals.content IS NULL THEN approvals.hash ELSE excluded.hash END, " +
		"sealed_by = CASE WHEN approvals.content IS NULL THEN '' ELSE excluded.sealed_by END, " +
		"content = CASE WHEN approvals.content IS NULL THEN NULL ELSE excluded.content END"
	// The hash goes too: whoever can guess what was in the call could find out by it.
	eraseApprovals = "UPDATE approvals SET sealed_by = '', content = NULL, hash = zeroblob(32) WHERE sealed_by <> '' " +
		"AND sealed_by IN (SELECT id FROM subject_keys WHERE tenant = ? AND subject = ?)"
	selectApprovals = "SELECT n, id, tenant, hash, state, used, run, agent, tool, sealed_by, content, doc FROM approvals"

	isPending = "state = 'pending'" // As the partial index says it.
)

func putApproval(t *transaction, a *signalbox.Approval) error {
	doc, err := store.EncodeApproval(a)
	if err != nil {
		return err
	}
	sealedBy, content := "", any(nil)
	if a.Content != nil {
		sealedBy, content = a.Content.Key, a.Content.Data
	}
	return t.exec(upsertApproval, a.ID, a.Tenant, a.Hash[:], string(a.State), micros(a.Used), a.Run, a.Agent, a.Tool, sealedBy,
		content, doc)
}

// destroySubjectKeys destroys a subject's keys, and what they seal beside the log. The subject is only known as a hash:
// people's names in votes, grants, incidents and sessions can not be found by it, and stay.
func destroySubjectKeys(t *transaction, e signalbox.DestroySubject) error {
	if err := t.exec(destroySubject, e.At.UnixMicro(), e.Tenant, e.Subject[:]); err != nil {
		return err
	}
	if err := t.exec(eraseApprovals, e.Tenant, e.Subject[:]); err != nil {
		return err
	}
	if err := t.exec(eraseTasks, e.Tenant, e.Subject[:]); err != nil {
		return err
	}
	return t.exec(eraseIdempotency, e.Tenant, e.Subject[:])
}

// Approval gives one approval; not_found where there is none of that id.
func (d *DB) Approval(ctx context.Context, id string) (signalbox.Approval, error) {
	found, err := d.approvals(ctx, " WHERE id = ?", id)
	a, err := store.One(found, err, store.NoApproval)
	return a.Approval, err
}

// ApprovalOf gives the newest approval of a call's hash, whatever became of it; false where there is none. An erased one
// has no hash.
func (d *DB) ApprovalOf(ctx context.Context, tenant string, hash [32]byte) (signalbox.Approval, bool, error) {
	found, err := d.approvals(ctx, " WHERE hash = ? AND tenant = ? ORDER BY n DESC LIMIT 1", hash[:], tenant)
	if err != nil || len(found) == 0 {
		return signalbox.Approval{}, false, err
	}
	return found[0].Approval, true, nil
}

// PendingApprovals gives the pending approvals of all tenants, oldest first, up to [store.MaxPendingApprovals].
func (d *DB) PendingApprovals(ctx context.Context) ([]signalbox.Approval, error) {
	found, err := d.approvals(ctx, " WHERE "+isPending+" ORDER BY n LIMIT ?", store.MaxPendingApprovals)
	return approvalsOf(found), err
}

// Approvals gives a page of approvals, newest first, and the cursor of the next page, "" at the end.
func (d *DB) Approvals(ctx context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	w, err := approvalFilter(f)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	rows, err := d.approvals(ctx, w.String()+" ORDER BY n DESC LIMIT ?", append(w.args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].n, 10)
	}
	return approvalsOf(rows), next, nil
}

func approvalFilter(f signalbox.ApprovalFilter) (*where, error) {
	w := &where{}
	if f.Run != "" {
		w.and("run = ? AND run <> ''", f.Run) // The second half is what the partial index asks for.
	}
	tenant := "tenant"
	if len(f.States) == 1 && f.States[0] == signalbox.ApprovalPending {
		w.and(isPending)
		tenant = "+tenant" // Few are pending: all of them are read rather than all that the tenants ever had.
	} else {
		w.in("state", texts(f.States))
	}
	if f.Agent != "" {
		w.and("agent = ?", f.Agent)
	}
	if f.Tool != "" {
		w.and("tool = ?", f.Tool)
	}
	w.in(tenant, f.Tenants)
	return w, w.before(f.Cursor)
}

// before restricts to what comes after a cursor of a list that is ordered by n, newest first.
func (w *where) before(text string) error {
	if text == "" {
		return nil
	}
	n, err := cursor(text)
	if err != nil {
		return err
	}
	w.and("n < ?", n)
	return nil
}

// texts gives values of a type of words; nil stays nil.
func texts[T ~string](values []T) []string {
	if values == nil {
		return nil
	}
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

type storedApproval struct {
	n int64
	signalbox.Approval
}

func approvalsOf(rows []storedApproval) []signalbox.Approval {
	all := make([]signalbox.Approval, len(rows))
	for i := range rows {
		all[i] = rows[i].Approval
	}
	return all
}

func (d *DB) approvals(ctx context.Context, rest string, args ...any) ([]storedApproval, error) {
	return collect(ctx, d.readers, "read approvals", scanApproval, selectApprovals+rest, args...)
}

func scanApproval(rows *sql.Rows) (a storedApproval, err error) {
	var sum, doc sql.RawBytes
	var used sql.NullInt64
	var sealed signalbox.Sealed
	err = rows.Scan(&a.n, &a.ID, &a.Tenant, &sum, &a.State, &used, &a.Run, &a.Agent, &a.Tool, &sealed.Key, &sealed.Data, &doc)
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
