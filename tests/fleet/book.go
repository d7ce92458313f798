package fleet

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// reader is a database of either kind.
type reader interface {
	Entries(ctx context.Context, from int64) iter.Seq2[signalbox.Entry, error]
	Accounts(ctx context.Context, f signalbox.AccountFilter) ([]signalbox.AccountView, string, error)
	Close() error
}

func (f *Fleet) open(t testing.TB) reader {
	t.Helper()
	var db reader
	var err error
	if file, found := strings.CutPrefix(f.Database, "sqlite:"); found {
		db, err = sqlite.OpenReadOnly(t.Context(), file)
	} else {
		db, err = postgres.OpenReadOnly(t.Context(), f.Database)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) // It was only read.
	return db
}

// Records gives the whole log, oldest first, with everything that is in it.
func (f *Fleet) Records(t testing.TB) []signalbox.Record {
	t.Helper()
	var all []signalbox.Record
	f.EachRecord(t, func(r signalbox.Record) { all = append(all, r) })
	return all
}

// EachRecord is Records for logs that do not fit into memory.
func (f *Fleet) EachRecord(t testing.TB, visit func(signalbox.Record)) {
	t.Helper()
	db := f.open(t)
	for e, err := range db.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := audit.Decode(e)
		if err != nil {
			t.Fatal(err)
		}
		visit(r)
	}
}

// Account is an account of the ledger, over all replicas.
type Account struct{ Settled, Held int64 }

// Accounts reads the ledger, by the accounts' names ([signalbox.Account.String]).
func (f *Fleet) Accounts(t testing.TB) map[string]signalbox.AccountView {
	t.Helper()
	db, all := f.open(t), map[string]signalbox.AccountView{}
	filter := signalbox.AccountFilter{Limit: 500}
	for {
		page, next, err := db.Accounts(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			all[a.Account.String()] = a
		}
		if next == "" {
			return all
		}
		filter.Cursor = next
	}
}

// SameAsLedger adds up the entries of all records and fails where the ledger says anything else: an account that one of
// them has and the other has not, a nano-dollar of difference, or something held though no call is open.
func (f *Fleet) SameAsLedger(t testing.TB) {
	t.Helper()
	sums := map[string]Account{}
	f.EachRecord(t, func(r signalbox.Record) {
		for _, e := range r.Ledger {
			s := sums[e.Account]
			sums[e.Account] = Account{s.Settled + e.Settled, s.Held + e.Held}
		}
	})
	accounts := f.Accounts(t)
	for name, a := range accounts {
		if a.Account.Unit == signalbox.UnitConcurrent {
			continue // It lives with the processes.
		}
		if s := sums[name]; s.Settled != a.Settled || s.Held != a.Held {
			t.Errorf("%s: the ledger has settled %d and held %d, its records add up to %d and %d", name, a.Settled, a.Held, s.Settled, s.Held)
		}
		if a.Held != 0 {
			t.Errorf("%s: %d is held, and no call is open", name, a.Held)
		}
	}
	for name, s := range sums {
		if _, found := accounts[name]; !found && s != (Account{}) {
			t.Errorf("%s is in records and not in the ledger", name)
		}
	}
}

// Outcomes checks as [Fleet.EachOutcome] does, and gives the outcomes by call.
func (f *Fleet) Outcomes(t testing.TB) map[string]signalbox.Record {
	t.Helper()
	all := map[string]signalbox.Record{}
	f.EachOutcome(t, func(r signalbox.Record) { all[r.Call] = r })
	return all
}

// EachOutcome visits the outcome of every call, and checks that each has at most one intent and exactly one outcome.
func (f *Fleet) EachOutcome(t testing.TB, visit func(signalbox.Record)) {
	t.Helper()
	intents, outcomes := map[string]int{}, map[string]int{}
	f.EachRecord(t, func(r signalbox.Record) {
		switch r.Type {
		case signalbox.RecordIntent:
			intents[r.Call]++
		case signalbox.RecordOutcome:
			outcomes[r.Call]++
			visit(r)
		case signalbox.RecordAttempt, signalbox.RecordAdmin:
		}
	})
	for id, n := range intents {
		if n > 1 || outcomes[id] != 1 {
			t.Errorf("call %s has %d intents and %d outcomes", id, n, outcomes[id])
		}
	}
	for id, n := range outcomes {
		if n != 1 {
			t.Errorf("call %s has %d outcomes", id, n)
		}
	}
}
