package postgres

import "context"

// The open calls of a replica that is gone are ended by its heir. There is one at a time: leadership may change hands while
// calls are being ended, and no call may be ended twice.
const (
	inherit = "UPDATE replicas d SET heir = $2 WHERE id = $1 AND fenced IS NOT NULL AND (heir IS NULL OR heir = $2 OR " +
		"NOT EXISTS (SELECT 1 FROM replicas h WHERE h.id = d.heir AND h.fenced IS NULL))"
	renounce     = "UPDATE replicas SET heir = NULL WHERE heir = $1"
	markPending  = "SELECT coalesce(max(id), 0) FROM audit_pending"
	countPending = "SELECT count(*) FROM audit_pending WHERE id <= $1"
)

// Inherit makes this replica the heir of one that is fenced, until [DB.Renounce]; false where another one is that lives.
// Whatever the replica, or an heir before this one, has written is durable when it returns, but may have no place in the
// log yet (see [DB.PendingMark]).
func (d *DB) Inherit(ctx context.Context, replica string) (bool, error) {
	tag, err := d.control.Exec(ctx, inherit, replica, d.options.Replica)
	return err == nil && tag.RowsAffected() == 1, explain("inherit from a replica", err)
}

// Renounce ends all that [DB.Inherit] began.
func (d *DB) Renounce(ctx context.Context) error {
	_, err := d.control.Exec(ctx, renounce, d.options.Replica)
	return explain("renounce", err)
}

// PendingMark stands for the records that are durable now: [DB.PendingUpTo] says how many of them have no place yet.
func (d *DB) PendingMark(ctx context.Context) (mark int64, err error) {
	err = d.control.QueryRow(ctx, markPending).Scan(&mark)
	return mark, explain("look for pending records", err)
}

// PendingUpTo is the number of records that are still to be placed of those that a mark stands for.
func (d *DB) PendingUpTo(ctx context.Context, mark int64) (n int64, err error) {
	err = d.control.QueryRow(ctx, countPending, mark).Scan(&n)
	return n, explain("count pending records", err)
}
