package sqlite

import (
	"database/sql/driver"
	"path/filepath"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// What records are written with must be synced, whatever was drawn before, between and at the same time.
func TestOnlyDrawsAreRelaxed(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	const normal, full = 1, 2
	level := func(of func(int64, func(*transaction) error) error) (level int64) {
		if err := of(0, func(x *transaction) error {
			return x.query("PRAGMA synchronous", func(row []driver.Value) error {
				level = integer(row[0])
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		return level
	}
	for cap := range int64(3) {
		if got := level(db.writer.write); got != full {
			t.Fatalf("records are written at level %d", got)
		}
		draws := []signalbox.Draw{{Account: "tenant acme - - usd day -", Cap: cap + 1, Most: 1}}
		if shares, err := db.Draw(t.Context(), signalbox.LocalReplica, draws); err != nil || shares[0].Granted != cap+1 {
			t.Fatalf("got %+v, %v", shares, err)
		}
		if got := level(db.writer.relaxed); got != normal {
			t.Fatalf("draws are written at level %d", got)
		}
	}
}
