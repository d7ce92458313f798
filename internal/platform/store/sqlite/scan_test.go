package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

const scanned = 6000 // Records of the log in the tests: a page, many ranges, and a last part of one.

// writeLog makes a log of so many records with the same content, and gives its file.
func writeLog(t *testing.T, records int64, content string) string {
	t.Helper()
	file := path(t)
	db := openFile(t, file)
	defer closeDB(t, db)
	var b signalbox.Batch
	for i := range records {
		b.Entries = append(b.Entries, signalbox.Entry{
			Index: i, Time: time.UnixMicro(i).UTC(), Type: signalbox.RecordIntent, Tenant: "acme", Call: fmt.Sprint(i), Content: []byte(content), Leaf: [32]byte{1},
		})
	}
	if err := db.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return file
}

// openWithout opens a copy of a log, and removes the records of the condition, as somebody with the file could.
func openWithout(t *testing.T, log, without string) *sqlite.DB {
	t.Helper()
	content, err := os.ReadFile(log)
	file := path(t)
	if err != nil || os.WriteFile(file, content, 0o600) != nil {
		t.Fatalf("copy %s to %s: %v", log, file, err)
	}
	db := openFile(t, file)
	t.Cleanup(func() { closeDB(t, db) })
	if without == "" {
		return db
	}
	raw, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, s := range []string{
		"DROP TRIGGER audit_records_no_delete",
		"DELETE FROM audit_records WHERE " + without,
	} {
		if _, err := raw.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// The whole log comes in order, each record once, whatever is missing of it, and whoever reads it.
func TestEntriesOfEveryLog(t *testing.T) {
	tests := map[string]struct {
		without string
		missing func(i int64) bool
	}{
		"whole":                  {"", func(int64) bool { return false }},
		"one in a range":         {"seq = 3000", func(i int64) bool { return i == 3000 }},
		"one in the first page":  {"seq = 30", func(i int64) bool { return i == 30 }},
		"a range and more":       {"seq BETWEEN 1100 AND 4200", func(i int64) bool { return i >= 1100 && i <= 4200 }},
		"the beginning":          {"seq < 2000", func(i int64) bool { return i < 2000 }},
		"every third":            {"seq % 3 = 0", func(i int64) bool { return i%3 == 0 }},
		"one of some hundred":    {"seq % 700 = 650", func(i int64) bool { return i%700 == 650 }},
		"all but the last":       {"seq < 5999", func(i int64) bool { return i < 5999 }},
		"the last but one range": {"seq BETWEEN 5700 AND 5990", func(i int64) bool { return i >= 5700 && i <= 5990 }},
	}
	log := writeLog(t, scanned, "{}")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			db := openWithout(t, log, test.without)
			reader, err := sqlite.OpenReadOnly(t.Context(), db.File())
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			var want []int64
			for i := range int64(scanned) {
				if !test.missing(i) {
					want = append(want, i)
				}
			}
			for who, db := range map[string]*sqlite.DB{"server": db, "reader": reader} {
				var got []int64
				for e, err := range db.Entries(t.Context(), -5) {
					if err != nil || e.Call != fmt.Sprint(e.Index) || string(e.Content) != "{}" || !e.Time.Equal(time.UnixMicro(e.Index)) {
						t.Fatalf("%s: got %+v (%v)", who, e, err)
					}
					got = append(got, e.Index)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: got %d records, want %d", who, len(got), len(want))
				}
			}
		})
	}
}

// Ranges of large records are cut short, and nothing of them is left out.
func TestEntriesOfLargeRecords(t *testing.T) {
	const records, size = 2000, 20_000
	db := openWithout(t, writeLog(t, records, strings.Repeat("x", size)), "")
	var n int64
	for e, err := range db.Entries(t.Context(), 0) {
		if err != nil || e.Index != n || len(e.Content) != size {
			t.Fatalf("record %d: got %d (%v)", n, e.Index, err)
		}
		n++
	}
	if n != records {
		t.Errorf("got %d records, want %d", n, records)
	}
}

// Who has enough leaves nothing running, and a context that ends ends the reading.
func TestEntriesEndWhereTheyAreLeft(t *testing.T) {
	db := openWithout(t, writeLog(t, scanned, "{}"), "")
	running := goleak.IgnoreCurrent()
	for _, last := range []int64{0, 999, 1000, 2023, 2024, 4000} {
		for e, err := range db.Entries(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Index == last {
				break
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var end error
	for e, err := range db.Entries(ctx, 0) {
		if end = err; e.Index == 2000 {
			cancel()
		}
	}
	if !errors.Is(end, context.Canceled) {
		t.Errorf("got %v", end)
	}
	goleak.VerifyNone(t, running)
}
