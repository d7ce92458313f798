package sqlite

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

const findAccounts = "SELECT a.account, s.granted, s.settled, s.held, a.closed FROM ledger_accounts a " +
	"JOIN ledger_shares s ON s.account = a.id WHERE a.account IN (SELECT value FROM json_each(?)) ORDER BY a.account"

// FindAccounts gives those of the named accounts that anything was granted of or posted to, in the order of their
// identities.
func (d *DB) FindAccounts(ctx context.Context, names []string) ([]signalbox.AccountView, error) {
	if len(names) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	rows, err := d.readers.QueryContext(ctx, findAccounts, string(list))
	if err != nil {
		return nil, explain("find accounts", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters.
	l := &accountList{limit: len(names)}
	for rows.Next() {
		if err := l.scan(rows); err != nil {
			return nil, explain("find accounts", err)
		}
	}
	return l.views, explain("find accounts", rows.Err())
}
