package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/internal/platform/store/storetest"
)

func TestLedger(t *testing.T) {
	storetest.RunLedger(t, func(t *testing.T) storetest.Store {
		url := postgrestest.Database(t)
		s := withLedger(reopenable(t, url))
		enrol(t, url, "a", "b", "c", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7")
		return s
	})
}

func withLedger(s storetest.Store) storetest.Store {
	s.Ledger = s.Log.(placed).DB
	reopen := s.Reopen
	s.Reopen = func() storetest.Store { return withLedger(reopen()) }
	return s
}

// enrol makes replicas that no process is.
func enrol(t *testing.T, url string, replicas ...string) {
	t.Helper()
	for _, r := range replicas {
		if err := admin(t, url, "INSERT INTO signalbox.replicas (id, started) VALUES ($1, now())", r); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	budget     = "tenant acme - - usd day 2026-11-22T00:00:00Z"
	concurrent = "tenant acme - - concurrent - -"
)

func drawn(t *testing.T, db *postgres.DB, replica string, d signalbox.Draw) signalbox.Share {
	t.Helper()
	if d.Account == "" {
		d.Account = budget
	}
	shares, err := db.Draw(t.Context(), replica, []signalbox.Draw{d})
	if err != nil {
		t.Fatal(err)
	}
	return shares[0]
}

// booked commits one record of a replica with entries.
func booked(t *testing.T, db *postgres.DB, replica string, entries ...signalbox.LedgerEntry) {
	t.Helper()
	if err := commitEntries(t.Context(), db, replica, entries...); err != nil {
		t.Fatal(err)
	}
}

func commitEntries(ctx context.Context, db *postgres.DB, replica string, entries ...signalbox.LedgerEntry) error {
	return db.Commit(ctx, signalbox.Batch{Entries: []signalbox.Entry{{
		Time: time.Now(), Type: signalbox.RecordOutcome, Content: []byte("{}"),
		Effects: []signalbox.Effect{signalbox.Post{Replica: replica, Entries: entries}},
	}}})
}

// A replica that is fenced is given nothing more; what it has not used comes back, that of concurrency later.
func TestSharesOfAFencedReplica(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	enrol(t, url, "dead", "live")
	drawn(t, db, "dead", signalbox.Draw{Cap: 100, Most: 80})
	drawn(t, db, "dead", signalbox.Draw{Account: concurrent, Cap: 8, Most: 8})
	booked(t, db, "dead", signalbox.LedgerEntry{Account: budget, Held: 20, Settled: 10})
	for _, some := range []bool{false, true} {
		if err := db.ReturnShares(t.Context(), "dead", some); signalbox.CodeOf(err) != signalbox.CodeConflict {
			t.Fatalf("a live replica lost its shares: %v", err)
		}
	}
	if err := admin(t, url, "UPDATE signalbox.replicas SET fenced = now() WHERE id = 'dead'"); err != nil {
		t.Fatal(err)
	}
	for _, d := range []signalbox.Draw{{Cap: 100, Most: 20}, {Cap: 100, Most: -5}} {
		if got := drawn(t, db, "dead", d); got.Granted != 80 || got.AllHeld != 20 {
			t.Fatalf("%+v of a fenced replica gave %+v", d, got)
		}
	}
	if got := drawn(t, db, "stranger", signalbox.Draw{Cap: 100, Most: 20}); got.Granted != 0 {
		t.Fatalf("a replica that has not joined was given %+v", got)
	}
	for range 2 {
		if err := db.ReturnShares(t.Context(), "dead", false); err != nil {
			t.Fatal(err)
		}
	}
	if got := drawn(t, db, "live", signalbox.Draw{Cap: 100, Most: 100}); got.Granted != 70 || got.AllGranted != 100 {
		t.Fatalf("after the return, a draw gave %+v", got)
	}
	if got := drawn(t, db, "live", signalbox.Draw{Account: concurrent, Cap: 8, Most: 8}); got.Granted != 0 {
		t.Fatalf("places of calls that may still run were given away: %+v", got)
	}
	if err := db.ReturnShares(t.Context(), "dead", true); err != nil {
		t.Fatal(err)
	}
	if got := drawn(t, db, "live", signalbox.Draw{Account: concurrent, Cap: 8, Most: 8}); got.Granted != 8 {
		t.Fatalf("the places did not come back: %+v", got)
	}
}

// A draw that falls short tells the others, if they have room to give back; any other draw tells nobody.
func TestDrawTellsOthers(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	enrol(t, url, "a", "b")
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "LISTEN signalbox_ledger"); err != nil {
		t.Fatal(err)
	}
	drawn(t, db, "a", signalbox.Draw{Cap: 100, Most: 100})
	drawn(t, db, "b", signalbox.Draw{Cap: 100, Most: 1})           // Takes what there is.
	drawn(t, db, "b", signalbox.Draw{Cap: 100, Least: 1, Most: 1}) // Falls short.
	booked(t, db, "a", signalbox.LedgerEntry{Account: budget, Settled: 100})
	drawn(t, db, "b", signalbox.Draw{Cap: 100, Least: 1, Most: 1}) // Nobody has room.
	drawn(t, db, "a", signalbox.Draw{Account: concurrent, Cap: 1, Most: 1})
	drawn(t, db, "b", signalbox.Draw{Account: concurrent, Cap: 1, Least: 1, Most: 1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, want := range []string{budget, concurrent} {
		n, err := c.WaitForNotification(ctx)
		if err != nil || n.Payload != want {
			t.Fatalf("got %+v (%v), want one about %s", n, err, want)
		}
	}
}

// Commits of replicas that share accounts, and their draws, neither wait for each other for good nor lose anything.
func TestReplicasOnTheSameAccounts(t *testing.T) {
	url := postgrestest.Database(t)
	const replicas, rounds, limit = 3, 30, 500
	accounts := make([]string, 5)
	for i := range accounts {
		accounts[i] = fmt.Sprintf("key acme key_%d - usd day 2026-11-22T00:00:00Z", i)
	}
	var group sync.WaitGroup
	all := make([]*postgres.DB, replicas)
	for i := range all {
		id := fmt.Sprint("replica_", i)
		all[i] = replica(t, url, postgres.Options{Replica: id})
		group.Go(func() { drawAndBook(t, all[i], id, accounts, i, rounds, limit) })
		group.Go(func() {
			for n := range rounds {
				d := signalbox.Draw{Account: accounts[(n+i)%len(accounts)], Cap: limit, Least: int64(n % 3), Most: int64(n%40 - 10)}
				if _, err := all[i].Draw(t.Context(), id, []signalbox.Draw{d}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	for _, a := range accounts {
		taken := scalar[int64](t, url, "SELECT sum(greatest(granted, settled + held))::bigint FROM signalbox.ledger_shares WHERE account = $1", a)
		settled := scalar[int64](t, url, "SELECT sum(settled)::bigint FROM signalbox.ledger_shares WHERE account = $1", a)
		if taken > limit || settled == 0 {
			t.Errorf("the shares of %s take %d of %d, %d are settled", a, taken, limit, settled)
		}
		if held := scalar[int64](t, url, "SELECT sum(held)::bigint FROM signalbox.ledger_shares WHERE account = $1", a); held != 0 {
			t.Errorf("%d are held of %s after all was settled", held, a)
		}
	}
}

// drawAndBook makes sure of room for one of each account, holds it, and settles it with the next record.
func drawAndBook(t *testing.T, db *postgres.DB, id string, accounts []string, turn, rounds int, limit int64) {
	var open []signalbox.LedgerEntry
	for n := range rounds {
		entries := open
		open = nil
		for i := range accounts {
			a := accounts[(i*turn+n)%len(accounts)] // In any order.
			shares, err := db.Draw(t.Context(), id, []signalbox.Draw{{Account: a, Cap: limit, Least: 1, Most: 5}})
			if err != nil {
				t.Error(err)
				return
			}
			if s := shares[0]; s.Granted-s.Settled-s.Held < int64(2*len(accounts)) {
				continue // Others give back in between.
			}
			entries = append(entries, signalbox.LedgerEntry{Account: a, Held: 1})
			open = append(open, signalbox.LedgerEntry{Account: a, Held: -1, Settled: 1})
		}
		if err := commitEntries(t.Context(), db, id, entries...); err != nil {
			t.Error(err)
			return
		}
	}
	if err := commitEntries(t.Context(), db, id, open...); err != nil {
		t.Error(err)
	}
}

// What is settled in an account is the sum over all replicas, those that are gone included.
func TestSettledOverReplicas(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	enrol(t, url, "a", "b")
	booked(t, db, "a", signalbox.LedgerEntry{Account: budget, Settled: 30, Held: 5})
	booked(t, db, "b", signalbox.LedgerEntry{Account: budget, Settled: 12})
	if err := admin(t, url, "UPDATE signalbox.replicas SET fenced = now() WHERE id = 'b'"); err != nil {
		t.Fatal(err)
	}
	got, err := db.Settled(t.Context(), []string{budget, concurrent})
	if err != nil || len(got) != 1 || got[budget] != 42 {
		t.Errorf("settled are %v (%v)", got, err)
	}
}
