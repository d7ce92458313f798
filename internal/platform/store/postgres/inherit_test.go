package postgres_test

import (
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// No two replicas that live end the calls of one that is gone, whoever leads meanwhile.
func TestOneHeirAtATime(t *testing.T) {
	url := postgrestest.Database(t)
	dead := replica(t, url, postgres.Options{Replica: "dead"})
	one := replica(t, url, postgres.Options{Replica: "one"})
	two := replica(t, url, postgres.Options{Replica: "two"})
	inherits := func(db *postgres.DB, want bool) {
		t.Helper()
		if got, err := db.Inherit(t.Context(), "dead"); err != nil || got != want {
			t.Errorf("an heir: %v, %v; want %v", got, err, want)
		}
	}
	inherits(one, false) // It lives.
	if err := dead.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	inherits(one, true)
	inherits(one, true)
	inherits(two, false)
	if err := one.Renounce(t.Context()); err != nil {
		t.Fatal(err)
	}
	inherits(two, true)
	inherits(one, false)
	if err := two.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	inherits(one, true) // The heir is gone too.
	if err := one.Forget(t.Context(), "dead"); err != nil {
		t.Fatal(err)
	}
	inherits(one, false)
}

func TestPendingUpToAMark(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{Replica: "one"})
	w := newWriter(t, db)
	left := func(mark, want int64) {
		t.Helper()
		if got, err := db.PendingUpTo(t.Context(), mark); err != nil || got != want {
			t.Errorf("%d records, %v; want %d", got, err, want)
		}
	}
	appendCall(t, w, "call_1", signalbox.RecordIntent)
	mark, err := db.PendingMark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendCall(t, w, "call_2", signalbox.RecordIntent)
	left(mark, 1)
	stop := leads(t, db)
	defer stop()
	eventually(t, "the record is placed", func() bool {
		n, err := db.PendingUpTo(t.Context(), mark)
		return err == nil && n == 0
	})
}
