package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	// selectOld leaves out the accounts whose window began too late to have ended.
	selectOld = "SELECT a.account, s.granted, s.held, s.touched FROM ledger_accounts a JOIN ledger_shares s ON s.account = a.id " +
		"WHERE substr(a.account, -2) = ' -' OR substr(a.account, -20) < ? ORDER BY a.account"
	deleteShares = "DELETE FROM ledger_shares WHERE account = ?1 AND " +
		"NOT EXISTS (SELECT 1 FROM ledger_shares WHERE account = ?1 AND (held <> 0 OR touched > ?2))"
	deleteAccount = "DELETE FROM ledger_accounts WHERE id = ?"
)

// ForgetAccounts deletes up to limit accounts that were over before that time, and gives how many it deleted: accounts
// whose window had ended, and accounts without a window that nothing was posted to since. It never deletes one of which
// something is held, nor one of a run that is open. It looks through all accounts, beside the commits and not in them.
func (d *DB) ForgetAccounts(ctx context.Context, before time.Time, limit int) (int, error) {
	open, err := d.openRunKeys(ctx)
	if err != nil {
		return 0, err
	}
	f := &forgetting{before: before, open: open, touched: map[string]int64{}}
	if err := f.find(ctx, d.readers, limit); err != nil {
		return 0, explain("look for old accounts", err)
	}
	if len(f.accounts) == 0 {
		return 0, nil
	}
	deleted := 0
	err = d.writer.write(int64(len(f.accounts))*shareBytes, func(t *transaction) error {
		for _, account := range f.accounts {
			n, err := d.forget(t, account, f.touched[account])
			if err != nil {
				return err
			}
			deleted += n
		}
		return nil
	})
	return deleted, explain("forget old accounts", err)
}

// forgetting gathers the accounts that can be forgotten.
type forgetting struct {
	before   time.Time
	open     map[store.RunKey]bool
	accounts []string
	touched  map[string]int64 // Of each account, as it was looked at.
	last     string           // The account of the row before.
}

func (f *forgetting) find(ctx context.Context, db querier, limit int) error {
	rows, err := db.QueryContext(ctx, selectOld, f.before.UTC().Format(time.RFC3339))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters.
	for rows.Next() {
		if err := f.look(rows); err != nil {
			return err
		}
		if len(f.accounts) > limit { // The last one is not complete.
			f.accounts = f.accounts[:limit]
			return nil
		}
	}
	return rows.Err()
}

// look adds the account of a row, or takes it out again where one of its replicas still needs it.
func (f *forgetting) look(rows *sql.Rows) error {
	var account string
	var granted, held, touched int64
	if err := rows.Scan(&account, &granted, &held, &touched); err != nil {
		return err
	}
	a, err := signalbox.ParseAccount(account)
	if err != nil {
		return err
	}
	n := len(f.accounts)
	listed := n > 0 && f.accounts[n-1] == account
	switch over := held == 0 && store.Forgettable(a, f.before, time.Unix(touched, 0), granted, f.open); {
	case !over && listed:
		f.accounts = f.accounts[:n-1]
	case over && account != f.last:
		f.accounts = append(f.accounts, account)
	}
	f.last = account
	f.touched[account] = max(f.touched[account], touched)
	return nil
}

// forget deletes an account, unless it was touched since it was looked at.
func (d *DB) forget(t *transaction, account string, touched int64) (n int, err error) {
	id, err := d.ids.of(t, account)
	if err != nil {
		return 0, err
	}
	if err := t.exec(deleteShares, id, touched); err != nil {
		return 0, err
	}
	if err := t.query("SELECT changes()", func(row []driver.Value) error {
		n = int(min(integer(row[0]), 1)) // One account, of however many replicas.
		return nil
	}); err != nil || n == 0 {
		return 0, err
	}
	delete(d.ids, account)
	return n, t.exec(deleteAccount, id)
}
