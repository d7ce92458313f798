package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	guardDraw = "SELECT 1 FROM replicas WHERE id = $1 AND fenced IS NULL FOR SHARE"
	// From lockAccounts on nobody else grants room of these accounts. What others have settled and held may change, but
	// what their shares take changes only by a draw of theirs, which waits, or by an overrun.
	lockAccounts = "SELECT account, closed FROM ledger_accounts WHERE account = ANY ($1) ORDER BY account FOR UPDATE"
	// Our own row is locked too, so that nothing is given back that a commit under way is about to use.
	lockOwn       = "SELECT 1 FROM ledger_shares WHERE account = ANY ($1) AND replica = $2 ORDER BY account FOR UPDATE"
	readShares    = "SELECT account, replica, granted, settled, held FROM ledger_shares WHERE account = ANY ($1)"
	shareAccounts = "SELECT account, closed FROM ledger_accounts WHERE account = ANY ($1) ORDER BY account FOR SHARE"
	makeAccounts  = "INSERT INTO ledger_accounts (account, closed) SELECT a, false FROM unnest($1::text[]) a ORDER BY a ON CONFLICT DO NOTHING"
	upsertGranted = "INSERT INTO ledger_shares (account, replica, granted, settled, held, touched) " +
		"SELECT u.account, $2, u.granted, 0, 0, extract(epoch FROM clock_timestamp())::bigint FROM " +
		"unnest($1::text[], $3::bigint[]) AS u(account, granted) ORDER BY u.account " +
		"ON CONFLICT (account, replica) DO UPDATE SET granted = excluded.granted, touched = excluded.touched"
	wantRoom = "SELECT pg_notify('" + ledgerChannel + "', a) FROM unnest($1::text[]) a"
)

// drawTimeout bounds one try of a draw, most of which is waiting for others that draw from the same accounts.
const drawTimeout = 10 * time.Second

// maxPayload is the longest payload of a notification; one about a longer account is about any.
const maxPayload = 7999

// Draw decides the draws one after the other, each by itself, and gives the shares as they are then, in their order.
// What it changes is durable on return. After an error all or nothing of it may have been done; what the next draw gives
// is then the truth. Draws of one account by one replica must not overlap. A replica that is fenced or has not joined
// only reads. A draw that finds less room than it needs, while others have room that is free, tells them; see
// [DB.Watch].
func (d *DB) Draw(ctx context.Context, replica string, draws []signalbox.Draw) ([]signalbox.Share, error) {
	if len(draws) == 0 {
		return []signalbox.Share{}, nil
	}
	w := newWithdrawal(replica, draws)
	for try := 1; ; try++ {
		err := d.tryDraw(ctx, w)
		if errors.Is(err, errUnknown) { // A second try could give back twice.
			err := d.look(ctx, w)
			return w.shares, explain("find out what became of a draw", err)
		}
		if err == nil {
			return w.shares, nil
		}
		if try == commitTries || ctx.Err() != nil || !passing(err) && !errors.Is(err, errNewAccount) {
			return nil, explain("draw from the ledger", err)
		}
	}
}

func (d *DB) tryDraw(ctx context.Context, w *withdrawal) error {
	ctx, cancel := context.WithTimeout(ctx, drawTimeout)
	defer cancel()
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // One that is broken or inside of a transaction is closed.
	if store.OnlyRead(w.draws) {
		return d.read(ctx, c, w)
	}
	if err := w.lock(ctx, c); err != nil {
		d.rollback(c)
		return err
	}
	if !w.live {
		d.rollback(c)
		w.decide(true)
		return nil
	}
	if len(w.missing()) > 0 {
		d.rollback(c)
		if _, err := c.Exec(ctx, makeAccounts, w.missing()); err != nil {
			return err
		}
		return errNewAccount
	}
	w.decide(false)
	return d.settle(ctx, c, w)
}

// look finds out what became of draws whose connection broke.
func (d *DB) look(ctx context.Context, w *withdrawal) error {
	ctx, cancel := context.WithTimeout(ctx, drawTimeout)
	defer cancel()
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return d.read(ctx, c, w)
}

// read gives the shares without a change. It waits for draws under way, so that it does not miss one whose connection
// broke and whose transaction has not ended yet.
func (d *DB) read(ctx context.Context, c *pgxpool.Conn, w *withdrawal) error {
	w.reset()
	b := &pgx.Batch{}
	b.Queue("begin")
	b.Queue(shareAccounts, w.accounts).Query(w.scanAccounts)
	b.Queue(readShares, w.accounts).Query(w.scanShares)
	b.Queue("rollback")
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		d.rollback(c)
		return err
	}
	w.decide(true)
	return nil
}

// errNewAccount lets a draw begin again once its accounts have rows that can be locked.
var errNewAccount = errors.New("the account is new")

// settle writes what was decided. What changed nothing is not committed, which would wait for the disk.
func (d *DB) settle(ctx context.Context, c *pgxpool.Conn, w *withdrawal) error {
	b := &pgx.Batch{}
	if len(w.changed) == 0 {
		b.Queue("rollback")
	} else {
		granted := list(w.changed, func(a *string) int64 { return w.standings[*a].Mine.Granted })
		b.Queue(upsertGranted, w.changed, w.replica, granted)
	}
	if len(w.wanted) > 0 {
		b.Queue(wantRoom, w.wanted)
	}
	if len(w.changed) > 0 {
		b.Queue("commit")
	}
	err := c.SendBatch(ctx, b).Close()
	if err == nil {
		return nil
	}
	certain := sqlState(err) != "" && !c.Conn().IsClosed()
	d.rollback(c)
	if certain || len(w.changed) == 0 {
		return err
	}
	return fmt.Errorf("%w: %w", errUnknown, err)
}

// errUnknown is that of a draw whose connection broke at its COMMIT.
var errUnknown = errors.New("it is not known whether the draw was committed")

// withdrawal is the draws of one replica on their way.
type withdrawal struct {
	replica  string
	draws    []signalbox.Draw
	accounts []string // Of the draws, sorted, each once.

	live      bool // The replica has joined and is not fenced.
	known     map[string]bool
	standings map[string]*store.Standing
	shares    []signalbox.Share
	changed   []string // Accounts of which another amount is granted, sorted.
	wanted    []string // Accounts of which others are to give room back.
}

func newWithdrawal(replica string, draws []signalbox.Draw) *withdrawal {
	accounts := list(draws, func(d *signalbox.Draw) string { return text(d.Account) })
	slices.Sort(accounts)
	return &withdrawal{replica: replica, draws: draws, accounts: slices.Compact(accounts)}
}

func (w *withdrawal) reset() {
	w.live, w.known, w.standings = false, map[string]bool{}, map[string]*store.Standing{}
	for _, a := range w.accounts {
		w.standings[a] = &store.Standing{}
	}
}

// lock begins the transaction, takes the locks and reads the accounts, in one round trip. Each statement sees what was
// committed before the locks of the one before were granted.
func (w *withdrawal) lock(ctx context.Context, c *pgxpool.Conn) error {
	w.reset()
	b := &pgx.Batch{}
	b.Queue("begin")
	b.Queue(guardDraw, w.replica).Exec(func(tag commandTag) error {
		w.live = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(lockAccounts, w.accounts).Query(w.scanAccounts)
	b.Queue(lockOwn, w.accounts, w.replica)
	b.Queue(readShares, w.accounts).Query(w.scanShares)
	return c.SendBatch(ctx, b).Close()
}

func (w *withdrawal) scanAccounts(rows pgx.Rows) error {
	var account string
	var closed bool
	_, err := pgx.ForEachRow(rows, []any{&account, &closed}, func() error {
		w.known[account] = true
		w.standings[account].Closed = closed
		return nil
	})
	return err
}

func (w *withdrawal) scanShares(rows pgx.Rows) error {
	var account, replica string
	var g store.Grant
	_, err := pgx.ForEachRow(rows, []any{&account, &replica, &g.Granted, &g.Settled, &g.Held}, func() error {
		if replica == w.replica {
			w.standings[account].Mine = g
		} else {
			w.standings[account].Other(g)
		}
		return nil
	})
	return err
}

// missing gives the accounts that have no row to lock yet.
func (w *withdrawal) missing() []string {
	return slices.DeleteFunc(slices.Clone(w.accounts), func(a string) bool { return w.known[a] })
}

// decide gives the shares; readOnly leaves them as they are.
func (w *withdrawal) decide(readOnly bool) {
	w.shares, w.changed, w.wanted = make([]signalbox.Share, len(w.draws)), nil, nil
	for i, d := range w.draws {
		account := text(d.Account)
		standing := w.standings[account]
		if !readOnly {
			switch verdict := standing.Draw(d); {
			case verdict.Changed:
				w.changed = append(w.changed, account)
			case verdict.Wanted && len(account) > maxPayload:
				w.wanted = append(w.wanted, "")
			case verdict.Wanted:
				w.wanted = append(w.wanted, account)
			}
		}
		w.shares[i] = standing.Share(d.Account)
	}
	slices.Sort(w.changed)
	w.changed = slices.Compact(w.changed)
}
