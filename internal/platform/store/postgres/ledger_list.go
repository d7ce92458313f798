package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// selectAccounts adds up the shares of accounts; a sum that does not fit is the largest amount.
const selectAccounts = "SELECT account, " + sumOf + "(granted)" + sumEnd + ", " + sumOf + "(settled)" + sumEnd + ", " +
	sumOf + "(held)" + sumEnd + ", coalesce((SELECT closed FROM ledger_accounts a WHERE a.account = s.account), false) " +
	"FROM ledger_shares s"

const selectSettled = "SELECT account, " + sumOf + "(settled)" + sumEnd + " FROM ledger_shares WHERE account = ANY ($1) GROUP BY account"

const (
	sumOf  = "least(greatest(sum"
	sumEnd = ", -9223372036854775807), 9223372036854775807)::bigint"
)

// Accounts gives a page of accounts in the order of their identities, and the cursor of the next page, "" at the end.
func (d *DB) Accounts(ctx context.Context, f signalbox.AccountFilter) ([]signalbox.AccountView, string, error) {
	limit, err := store.PageLimit(f.Limit)
	if err != nil {
		return nil, "", err
	}
	ranges, err := store.AccountRanges(f)
	if err != nil {
		return nil, "", err
	}
	var views []signalbox.AccountView
	for _, r := range ranges {
		if len(views) > limit {
			break
		}
		w := accountConditions(f, r)
		more, err := collect(ctx, d.readers, "list accounts", scanAccount,
			selectAccounts+w.String()+" GROUP BY account ORDER BY account LIMIT "+w.arg(limit+1-len(views)), w.args...)
		if err != nil {
			return nil, "", err
		}
		views = append(views, more...)
	}
	if len(views) <= limit {
		return views, "", nil
	}
	return views[:limit], views[limit-1].Account.String(), nil
}

// Settled gives what is settled in accounts over all replicas, by their identities. Those that nobody has used are left
// out.
func (d *DB) Settled(ctx context.Context, accounts []string) (map[string]int64, error) {
	rows, err := d.readers.Query(ctx, selectSettled, list(accounts, func(a *string) string { return text(*a) }))
	if err != nil {
		return nil, explain("read what accounts come to", err)
	}
	settled := make(map[string]int64, len(accounts))
	var account string
	var sum int64
	_, err = pgx.ForEachRow(rows, []any{&account, &sum}, func() error {
		settled[account] = sum
		return nil
	})
	return settled, explain("read what accounts come to", err)
}

func accountConditions(f signalbox.AccountFilter, r store.Range) *conditions {
	w := &conditions{}
	w.and("account >= ? AND account < ?", text(r.From), text(r.To))
	if f.Run != "" {
		w.and("split_part(account, ' ', 3) = ?", text(f.Run))
	}
	if !f.Since.IsZero() {
		w.and("(right(account, 2) = ' -' OR right(account, 20) >= ?)", ceiling(f.Since).Format(time.RFC3339))
	}
	return w
}

// ceiling rounds up to whole seconds, in which windows begin.
func ceiling(t time.Time) time.Time { return t.UTC().Add(time.Second - 1).Truncate(time.Second) }

func scanAccount(row pgx.CollectableRow) (v signalbox.AccountView, err error) {
	var account string
	if err := row.Scan(&account, &v.Granted, &v.Settled, &v.Held, &v.Closed); err != nil {
		return v, err
	}
	v.Account, err = signalbox.ParseAccount(account)
	return v, err
}

const (
	// selectOld leaves out the accounts whose window began too late to have ended.
	selectOld = "SELECT account, max(granted), bool_or(held <> 0), max(touched) FROM ledger_shares " +
		"WHERE account > $1 AND (right(account, 2) = ' -' OR right(account, 20) < $2) GROUP BY account ORDER BY account LIMIT 1000"
	lockShares     = "SELECT 1 FROM ledger_shares WHERE account = ANY ($1) ORDER BY account, replica FOR UPDATE"
	selectAgain    = "SELECT account, max(granted), bool_or(held <> 0), max(touched) FROM ledger_shares WHERE account = ANY ($1) GROUP BY account"
	deleteShares   = "DELETE FROM ledger_shares WHERE account = ANY ($1)"
	deleteAccounts = "DELETE FROM ledger_accounts WHERE account = ANY ($1)"
	deleteDeserted = "DELETE FROM ledger_accounts WHERE account IN (SELECT account FROM ledger_accounts a WHERE NOT closed AND " +
		"NOT EXISTS (SELECT 1 FROM ledger_shares s WHERE s.account = a.account) LIMIT $1 FOR UPDATE SKIP LOCKED)"
)

// ForgetAccounts deletes up to limit accounts that were over before that time, and gives how many it deleted: accounts
// whose window had ended, and accounts without a window that nothing was posted to since. It never deletes one of which
// something is held, nor one of a run that is open. It looks through all accounts before it takes any lock. Accounts of
// which no replica has a share, because every draw found no room, go besides; drawing makes them anew.
func (d *DB) ForgetAccounts(ctx context.Context, before time.Time, limit int) (int, error) {
	open, err := d.openRunKeys(ctx)
	if err != nil {
		return 0, err
	}
	f := &forgetting{before: before, open: open}
	accounts, err := f.find(ctx, d.pool, limit)
	if err != nil {
		return 0, err
	}
	if len(accounts) > 0 {
		err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
			accounts, err = f.forget(ctx, tx, accounts)
			return err
		})
	}
	if err == nil {
		_, err = d.pool.Exec(ctx, deleteDeserted, limit)
	}
	return len(accounts), explain("forget old accounts", err)
}

// forgetting is what decides about old accounts.
type forgetting struct {
	before time.Time
	open   map[store.RunKey]bool
}

// find pages through all accounts for those that are over.
func (f *forgetting) find(ctx context.Context, q querier, limit int) (accounts []string, err error) {
	last := ""
	for len(accounts) < limit {
		page, err := collect(ctx, q, "look for old accounts", scanOld, selectOld, last, f.before.UTC().Format(time.RFC3339))
		if err != nil || len(page) == 0 {
			return accounts, err
		}
		last = page[len(page)-1].account
		over, err := f.over(page)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, over[:min(len(over), limit-len(accounts))]...)
	}
	return accounts, nil
}

// forget looks at the accounts again under the locks of a draw and of commits, and deletes those that are still over.
func (f *forgetting) forget(ctx context.Context, tx pgx.Tx, accounts []string) ([]string, error) {
	for _, lock := range []string{lockAccounts, lockShares} {
		if _, err := tx.Exec(ctx, lock, accounts); err != nil {
			return nil, err
		}
	}
	again, err := collect(ctx, tx, "look at old accounts again", scanOld, selectAgain, accounts)
	if err != nil {
		return nil, err
	}
	if accounts, err = f.over(again); err != nil {
		return nil, err
	}
	for _, query := range []string{deleteShares, deleteAccounts} {
		if _, err := tx.Exec(ctx, query, accounts); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

func (f *forgetting) over(list []oldAccount) (accounts []string, err error) {
	for _, o := range list {
		a, err := signalbox.ParseAccount(o.account)
		if err != nil {
			return nil, err
		}
		if !o.held && store.Forgettable(a, f.before, time.Unix(o.touched, 0), o.granted, f.open) {
			accounts = append(accounts, o.account)
		}
	}
	return accounts, nil
}

type oldAccount struct {
	account string
	granted int64 // The most of any replica.
	held    bool
	touched int64
}

func scanOld(row pgx.CollectableRow) (o oldAccount, err error) {
	return o, row.Scan(&o.account, &o.granted, &o.held, &o.touched)
}
