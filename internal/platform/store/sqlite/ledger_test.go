package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"reflect"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// firstVersion makes a file as the first version of the schema had it, with one record and keys with limits.
func firstVersion(t *testing.T, file string) {
	t.Helper()
	script, err := os.ReadFile("migrations/log/0001_log.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	const key = "INSERT INTO keys VALUES (?, randomblob(32), 'sb_abc', 'acme', '', '', '', 'agent', ?, ?, NULL)"
	for _, step := range []struct {
		query string
		args  []any
	}{
		{"PRAGMA application_id = 1396854616", nil},
		{"CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT", nil},
		{string(script), nil},
		{"INSERT INTO schema_version VALUES (1, 0)", nil},
		{"INSERT INTO audit_records VALUES (0, 1, 'admin', '', '', x'7b7d', zeroblob(32), NULL)", nil},
		{key, []any{"key_1", `[{"unit":"requests","per_ms":60000,"max":600},{"unit":"concurrent","per_ms":0,"max":8}]`, 1}},
		{key, []any{"key_2", `[]`, 2}},
		{key, []any{"key_3", `[{"unit":"requests","per_ms":1000,"max":1},{"unit":"requests","per_ms":3600000,"max":0},` +
			`{"unit":"requests","per_ms":86400000,"max":2147483647},{"unit":"requests","per_ms":86400001,"max":7},` +
			`{"unit":"requests","per_ms":2592000000,"max":9}]`, 3}},
	} {
		if _, err := db.ExecContext(t.Context(), step.query, step.args...); err != nil {
			t.Fatal(errors.Join(err, db.Close()))
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUpgradeOfTheFirstVersion(t *testing.T) {
	file := path(t)
	firstVersion(t, file)
	db := open(t, file, sqlite.Options{})
	requests := func(per signalbox.Window, n int64) signalbox.Budget {
		return signalbox.Budget{Unit: signalbox.UnitRequests, Per: per, Max: n}
	}
	want := [][]signalbox.Budget{
		{requests(signalbox.WindowMinute, 600), {Unit: signalbox.UnitConcurrent, Max: 8}},
		nil,
		{
			requests(signalbox.WindowSecond, 1), requests(signalbox.WindowHour, 0), requests(signalbox.WindowDay, 2147483647),
			requests(signalbox.WindowWeek, 7), requests(signalbox.WindowMonth, 9),
		},
	}
	for range 2 { // Opening again must not convert again.
		keys, err := db.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got [][]signalbox.Budget
		for _, k := range keys {
			got = append(got, k.Budgets)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		closeDB(t, db)
		db = open(t, file, sqlite.Options{})
	}
	defer closeDB(t, db)
	if size, err := db.Size(t.Context()); size != 1 || err != nil {
		t.Fatalf("size = %d, %v", size, err)
	}
	shares, err := db.Draw(t.Context(), signalbox.LocalReplica, []signalbox.Draw{{Account: "tenant acme - - usd day -", Cap: 5, Most: 5}})
	if err != nil || shares[0].Granted != 5 {
		t.Fatalf("got %+v, %v", shares, err)
	}
}

// A draw that changes nothing must not wait for the disk: it leaves the WAL as it is.
func TestDrawThatChangesNothing(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{})
	defer closeDB(t, db)
	wal := func() []byte {
		b, err := os.ReadFile(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	draw := func(d signalbox.Draw) {
		d.Account = "tenant acme - - usd day -"
		if _, err := db.Draw(t.Context(), signalbox.LocalReplica, []signalbox.Draw{d}); err != nil {
			t.Fatal(err)
		}
	}
	empty := wal()
	draw(signalbox.Draw{Cap: 5, Most: 5})
	before := wal()
	if bytes.Equal(empty, before) {
		t.Fatal("a draw was not written")
	}
	for _, d := range []signalbox.Draw{
		{Cap: 5, Most: 5}, {Cap: 5, Least: 1, Most: 5}, {Cap: 5}, {Cap: signalbox.NoCap, Most: 5}, {Cap: 4, Most: 1},
	} {
		draw(d)
	}
	if !bytes.Equal(before, wal()) {
		t.Fatal("a draw that changed nothing was written")
	}
}

// What was drawn and posted is there after the process was killed, as is every record.
func TestLedgerAfterAKill(t *testing.T) {
	file := path(t)
	cmd, out := helper(t, "ledger", file)
	lines(t, out, 40)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
	db := open(t, file, sqlite.Options{})
	defer closeDB(t, db)
	size, err := db.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shares, err := db.Draw(t.Context(), signalbox.LocalReplica, []signalbox.Draw{{Account: helperAccount, Cap: signalbox.NoCap}})
	if err != nil {
		t.Fatal(err)
	}
	// Every record settles one, under a grant that was drawn before it.
	if s := shares[0]; size < 40 || s.Settled != size || s.Granted < s.Settled || s.Granted > s.Settled+1 {
		t.Fatalf("%d records, and %+v", size, s)
	}
}
