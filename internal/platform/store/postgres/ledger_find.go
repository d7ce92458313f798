package postgres

import (
	"context"

	"github.com/signalbox/signalbox"
)

// FindAccounts gives those of the named accounts that anything was granted of or posted to, in the order of their
// identities.
func (d *DB) FindAccounts(ctx context.Context, names []string) ([]signalbox.AccountView, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return collect(ctx, d.readers, "find accounts", scanAccount,
		selectAccounts+" WHERE account = ANY ($1) GROUP BY account ORDER BY account", names)
}
