package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// ledgerSchema is what the ledger keeps, and what is kept beside it. Identities of accounts compare as bytes, in which
// order everybody takes locks.
const ledgerSchema = `
-- What each replica may use of each account and what it has used, at the identity of the account. It is the sum of the
-- entries of the log's records, besides what is granted. A replica's commits touch its own rows only, and no indexed
-- column, so that an account on which all replicas post is not one hot row. touched is when something was posted, in
-- seconds since 1970.
CREATE TABLE ledger_shares (
    account text COLLATE "C" NOT NULL,
    replica text COLLATE "C" NOT NULL,
    granted bigint NOT NULL,
    settled bigint NOT NULL,
    held    bigint NOT NULL,
    touched bigint NOT NULL,
    PRIMARY KEY (account, replica)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- One row per account that was drawn from or closed. Whoever grants room of an account holds its row.
CREATE TABLE ledger_accounts (
    account text COLLATE "C" PRIMARY KEY,
    closed  boolean NOT NULL
);

-- Runs that were opened with a budget. plan is JSON. Times are microseconds since 1970, UTC, here and below; NULL is
-- none. idle is in microseconds.
CREATE TABLE opened_runs (
    tenant text   NOT NULL,
    id     text   NOT NULL,
    team   text   NOT NULL,
    key_id text   NOT NULL,
    plan   text   NOT NULL,
    state  text   NOT NULL,
    opened bigint NOT NULL,
    ended  bigint,
    idle   bigint NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX opened_runs_open ON opened_runs (opened) WHERE state IN ('running', 'halted');

-- Alerts in the order in which they were stored.
CREATE TABLE alerts (
    n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text   NOT NULL UNIQUE,
    rule      text   NOT NULL,
    level     text   NOT NULL,
    action    text   NOT NULL,
    per       text   NOT NULL,
    tenant    text   NOT NULL,
    run       text   NOT NULL,
    agent     text   NOT NULL,
    call      text   NOT NULL,
    account   text   NOT NULL,
    threshold bigint NOT NULL,
    value     bigint NOT NULL,
    raised    bigint NOT NULL,
    text      text   NOT NULL
);
CREATE INDEX alerts_tenant ON alerts (tenant, n);
CREATE INDEX alerts_run ON alerts (run, n) WHERE run <> '';

CREATE TABLE brakes (
    id        text   PRIMARY KEY,
    kind      text   NOT NULL,
    tenant    text   NOT NULL,
    run       text   NOT NULL,
    reason    text   NOT NULL,
    since     bigint NOT NULL,
    until     bigint,
    lifted    bigint,
    lifted_by text   NOT NULL
);
CREATE INDEX brakes_on ON brakes (since) WHERE lifted IS NULL;

CREATE TABLE notifications (
    id      text COLLATE "C" PRIMARY KEY,
    alert   text    NOT NULL,
    channel text    NOT NULL,
    payload bytea   NOT NULL,
    created bigint  NOT NULL,
    tries   bigint  NOT NULL,
    due     bigint, -- When it is tried next; NULL once it is over.
    done    bigint,
    failed  boolean NOT NULL,
    note    text    NOT NULL
);
CREATE INDEX notifications_due ON notifications (due) WHERE due IS NOT NULL;
CREATE INDEX notifications_alert ON notifications (alert);
`

// Sums saturate: one that does not fit would be an error, and with it the whole batch. Rows are written in the order of
// the arrays, which is that of accounts and replicas.
const (
	upsertDoors = "INSERT INTO ledger_accounts (account, closed) SELECT u.account, u.closed FROM " +
		"unnest($1::text[], $2::boolean[]) WITH ORDINALITY AS u(account, closed, n) ORDER BY u.n " +
		"ON CONFLICT (account) DO UPDATE SET closed = excluded.closed"
	upsertShares = "INSERT INTO ledger_shares AS s (account, replica, granted, settled, held, touched) " +
		"SELECT u.account, u.replica, 0, u.settled, u.held, u.touched FROM " +
		"unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) " +
		"WITH ORDINALITY AS u(account, replica, settled, held, touched, n) ORDER BY u.n " +
		"ON CONFLICT (account, replica) DO UPDATE SET settled = " + saturated + "(s.settled::numeric + excluded.settled" +
		saturatedEnd + ", held = " + saturated + "(s.held::numeric + excluded.held" + saturatedEnd +
		", touched = excluded.touched"
	saturated    = "least(greatest("
	saturatedEnd = "), -9223372036854775807), 9223372036854775807)::bigint"
)

// post applies the effects of a batch on the ledger and beside it, in the transaction of its records.
func post(ctx context.Context, tx pgx.Tx, entries []signalbox.Entry) error {
	b := &pgx.Batch{}
	if err := queuePost(b, entries); err != nil || b.Len() == 0 {
		return err
	}
	return tx.SendBatch(ctx, b).Close()
}

// queuePost queues what post does. Locks are taken in one order by all replicas: accounts, then shares, then the rest,
// each by its key.
func queuePost(b *pgx.Batch, entries []signalbox.Entry) error {
	p := store.Gather(entries)
	queueDoors(b, p.Doors())
	queueShares(b, p.Rows())
	if err := queueOpened(b, entries); err != nil {
		return err
	}
	queueAlerts(b, entries)
	return nil
}

func queueDoors(b *pgx.Batch, doors []store.Door) {
	if len(doors) == 0 {
		return
	}
	b.Queue(upsertDoors, list(doors, func(d *store.Door) string { return text(d.Account) }),
		list(doors, func(d *store.Door) bool { return d.Closed }))
}

func queueShares(b *pgx.Batch, rows []store.Posting) {
	if len(rows) == 0 {
		return
	}
	b.Queue(upsertShares, list(rows, func(r *store.Posting) string { return text(r.Account) }),
		list(rows, func(r *store.Posting) string { return r.Replica }),
		list(rows, func(r *store.Posting) int64 { return r.Settled }), list(rows, func(r *store.Posting) int64 { return r.Held }),
		list(rows, func(r *store.Posting) int64 { return r.Time.Unix() }))
}

// effectsOf gives the effects of one type in the order of their keys; those of the same key stay in their order.
func effectsOf[E signalbox.Effect](entries []signalbox.Entry, key func(E) string) []E {
	var all []E
	for i := range entries {
		for _, effect := range entries[i].Effects {
			if e, ok := effect.(E); ok {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b E) int { return cmp.Compare(key(a), key(b)) })
	return all
}

// ReturnShares gives back what a fenced replica was granted and has not used: of all accounts but those of concurrency,
// or of those, whose calls may run on for a while after the fencing. It may be repeated. A replica that is not fenced is
// an error of code conflict.
func (d *DB) ReturnShares(ctx context.Context, replica string, concurrent bool) error {
	fenced := false
	err := d.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM replicas WHERE id = $1 AND fenced IS NOT NULL)", replica).Scan(&fenced)
	if err != nil {
		return explain("return shares", err)
	}
	if !fenced { // Fencing is for ever, so that this can not change before the next statement.
		return signalbox.Errorf(signalbox.CodeConflict, "The replica %s is not fenced.", replica).
			WithField("replica").WithRemedy("Fence it first: it may still be using its shares.")
	}
	query := returnShares
	if concurrent {
		query = returnConcurrent
	}
	_, err = d.pool.Exec(ctx, query, replica)
	return explain("return shares", err)
}

const (
	unitOf       = "split_part(account, ' ', 5)"
	returnShares = "WITH old AS (SELECT account, replica FROM ledger_shares WHERE replica = $1 AND " + unitOf +
		" <> 'concurrent' AND granted > settled::numeric + held ORDER BY account FOR UPDATE) " +
		"UPDATE ledger_shares s SET granted = (s.settled::numeric + s.held)::bigint FROM old " +
		"WHERE s.account = old.account AND s.replica = old.replica AND s.granted > s.settled::numeric + s.held"
	returnConcurrent = "DELETE FROM ledger_shares WHERE replica = $1 AND " + unitOf + " = 'concurrent'"
)
