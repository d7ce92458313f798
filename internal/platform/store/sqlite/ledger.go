package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// Sums saturate, as integers: SQLite makes a number with a point of a sum that does not fit, and then the table would
// refuse it, and with it the whole batch.
const (
	upsertShare = "INSERT INTO ledger_shares (account, replica, granted, settled, held, touched) VALUES (?, ?, 0, ?, ?, ?) " +
		"ON CONFLICT DO UPDATE SET " +
		"settled = max(-9223372036854775807, min(9223372036854775807, settled + excluded.settled)), " +
		"held = max(-9223372036854775807, min(9223372036854775807, held + excluded.held)), touched = excluded.touched"
	upsertGranted = "INSERT INTO ledger_shares (account, replica, granted, settled, held, touched) VALUES (?, ?, ?, 0, 0, ?) " +
		"ON CONFLICT DO UPDATE SET granted = excluded.granted, touched = excluded.touched"
	selectAccount = "SELECT id, closed FROM ledger_accounts WHERE account = ?"
	insertAccount = "INSERT INTO ledger_accounts (account, closed) VALUES (?, 0)"
	setClosed     = "UPDATE ledger_accounts SET closed = ? WHERE id = ?"
	selectShares  = "SELECT replica, granted, settled, held FROM ledger_shares WHERE account = ?"
)

const (
	shareBytes = 60     // About what a share's row takes.
	maxIDs     = 16_384 // Accounts of which the ids are remembered.
)

// accountIDs remembers the ids of accounts that were posted on lately. It belongs to whoever has the writer.
type accountIDs map[string]int64

// of gives the id of an account, which it makes if need be.
func (ids accountIDs) of(t *transaction, account string) (int64, error) {
	if id, known := ids[account]; known {
		return id, nil
	}
	id, _, err := findAccount(t, account)
	if err == nil && id == 0 {
		if err = t.exec(insertAccount, account); err == nil {
			id, _, err = findAccount(t, account)
		}
	}
	if err != nil {
		return 0, err
	}
	if len(ids) >= maxIDs {
		clear(ids)
	}
	ids[account] = id
	return id, nil
}

// findAccount gives the id of an account, 0 where there is no such account.
func findAccount(t *transaction, account string) (id int64, closed bool, err error) {
	err = t.query(selectAccount, func(row []driver.Value) error {
		id, closed = integer(row[0]), integer(row[1]) != 0
		return nil
	}, account)
	return id, closed, err
}

// book writes what the effects of a batch change in shares and accounts, each row once.
func (d *DB) book(t *transaction, entries []signalbox.Entry) error {
	p := store.Gather(entries)
	for _, door := range p.Doors() {
		if err := d.setDoor(t, door); err != nil {
			return err
		}
	}
	for _, row := range p.Rows() {
		id, err := d.ids.of(t, row.Account)
		if err != nil {
			return err
		}
		if err := t.exec(upsertShare, id, row.Replica, row.Settled, row.Held, row.Time.Unix()); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) setDoor(t *transaction, door store.Door) error {
	id, err := d.ids.of(t, door.Account)
	if err != nil {
		return err
	}
	closed := int64(0)
	if door.Closed {
		closed = 1
	}
	return t.exec(setClosed, closed, id)
}

// Draw decides the draws one after the other, each by itself, and gives the shares as they are then, in their order.
// What it changes is durable on return; an error means that nothing is given. Draws that only read do not wait for the
// writer.
func (d *DB) Draw(_ context.Context, replica string, draws []signalbox.Draw) ([]signalbox.Share, error) {
	shares := make([]signalbox.Share, len(draws))
	all := func(t *transaction) (err error) {
		for i := range draws {
			if shares[i], err = d.draw(t, replica, &draws[i]); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	if store.OnlyRead(draws) {
		err = d.shares.alone(all)
	} else {
		err = d.writer.write(int64(len(draws))*shareBytes, all)
	}
	if err != nil {
		return nil, explain("draw from the ledger", err)
	}
	return shares, nil
}

func (d *DB) draw(t *transaction, replica string, draw *signalbox.Draw) (signalbox.Share, error) {
	standing, err := readStanding(t, replica, draw.Account)
	if err != nil {
		return signalbox.Share{}, err
	}
	if standing.Draw(*draw).Changed {
		id, err := d.ids.of(t, draw.Account)
		if err != nil {
			return signalbox.Share{}, err
		}
		if err := t.exec(upsertGranted, id, replica, standing.Mine.Granted, d.options.Now().Unix()); err != nil {
			return signalbox.Share{}, err
		}
	}
	return standing.Share(draw.Account), nil
}

func readStanding(t *transaction, replica, account string) (s store.Standing, err error) {
	id, closed, err := findAccount(t, account)
	if err != nil || id == 0 {
		return s, err
	}
	s.Closed = closed
	return s, t.query(selectShares, func(row []driver.Value) error {
		g := store.Grant{Granted: integer(row[1]), Settled: integer(row[2]), Held: integer(row[3])}
		if text(row[0]) == replica {
			s.Mine = g
		} else {
			s.Other(g)
		}
		return nil
	}, id)
}

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
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	l := &accountList{filter: f, limit: limit}
	for _, r := range ranges {
		if err := l.read(ctx, d.readers, r); err != nil {
			return nil, "", explain("list accounts", err)
		}
	}
	page, next := l.page()
	return page, next, nil
}

// accountList gathers one account more than a page has, which tells that there is a next page.
type accountList struct {
	filter signalbox.AccountFilter
	limit  int
	views  []signalbox.AccountView
	texts  []string
	sums   store.Standing // Of the last account.
}

const selectAccounts = "SELECT a.account, s.granted, s.settled, s.held, a.closed FROM ledger_accounts a " +
	"JOIN ledger_shares s ON s.account = a.id WHERE a.account >= ? AND a.account < ? ORDER BY a.account"

func (l *accountList) read(ctx context.Context, db querier, r store.Range) error {
	if len(l.views) > l.limit {
		return nil
	}
	rows, err := db.QueryContext(ctx, selectAccounts, r.From, r.To)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters.
	for rows.Next() && len(l.views) <= l.limit {
		if err := l.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (l *accountList) scan(rows *sql.Rows) error {
	var account string
	var g store.Grant
	var closed bool
	if err := rows.Scan(&account, &g.Granted, &g.Settled, &g.Held, &closed); err != nil {
		return err
	}
	if n := len(l.texts); n == 0 || l.texts[n-1] != account {
		a, err := signalbox.ParseAccount(account)
		if err != nil {
			return err
		}
		if !store.AccountMatches(l.filter, a) {
			return nil
		}
		l.views = append(l.views, signalbox.AccountView{Account: a, Closed: closed})
		l.texts = append(l.texts, account)
		l.sums = store.Standing{}
	}
	l.sums.Other(g)
	s := l.sums.Share(account)
	v := &l.views[len(l.views)-1]
	v.Granted, v.Settled, v.Held = s.AllGranted, s.AllSettled, s.AllHeld
	return nil
}

func (l *accountList) page() ([]signalbox.AccountView, string) {
	if len(l.views) <= l.limit {
		return l.views, ""
	}
	return l.views[:l.limit], l.texts[l.limit-1]
}

// micros gives a time as it is stored; a zero time is NULL.
func micros(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// timeOf reads what micros gave.
func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
