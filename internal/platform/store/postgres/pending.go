package postgres

import "context"

// PendingOf is the number of a replica's records that are durable and have no place yet.
func (d *DB) PendingOf(ctx context.Context, replica string) (n int64, err error) {
	err = d.control.QueryRow(ctx, "SELECT count(*) FROM audit_pending WHERE replica = $1", replica).Scan(&n)
	return n, explain("count a replica's pending records", err)
}
