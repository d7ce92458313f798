package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

const canary = "canary-7f3a"

// rawFiles counts the canary in what lies beside the database.
func rawFiles(t *testing.T, file string) (n int) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", sqlite.ViewsSuffix, sqlite.ViewsSuffix + "-wal"} {
		b, err := os.ReadFile(file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(b, []byte(canary))
	}
	return n
}

// secrets commits 300 records that hold the canary, from small ones to some of many pages, in ten transactions.
func secrets(t *testing.T, db *sqlite.DB) {
	t.Helper()
	for from := int64(0); from < 300; from += 30 {
		var b signalbox.Batch
		for i := from; i < from+30; i++ {
			b.Entries = append(b.Entries, signalbox.Entry{
				Index: i, Time: time.UnixMicro(i), Type: signalbox.RecordOutcome, Tenant: "acme",
				Content: []byte(canary + strings.Repeat(" "+canary, int(i%30*i%30)*100)),
			})
		}
		if err := db.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func destroyAll(t *testing.T, db *sqlite.DB) {
	t.Helper()
	err := db.Commit(t.Context(), signalbox.Batch{Entries: []signalbox.Entry{{
		Index: 300, Type: signalbox.RecordAdmin, Content: []byte("{}"),
		Effects: []signalbox.Effect{signalbox.DestroyContent{Tenant: "acme", From: 0, To: 300}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRawFilesHoldNothingThatWasDestroyed(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{WALPages: 64})
	defer closeDB(t, db)
	secrets(t, db)
	if rawFiles(t, file) == 0 {
		t.Fatal("the files do not hold what is looked for")
	}
	destroyAll(t, db)
	if err := db.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rawFiles(t, file); n != 0 {
		t.Fatalf("the raw files hold what was destroyed %d times", n)
	}
	write(t, db, 1)
}

func TestSweepWaitsForReaders(t *testing.T) {
	file := path(t)
	db := open(t, file, sqlite.Options{})
	defer closeDB(t, db)
	secrets(t, db)
	reader, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	tx, err := reader.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM audit_records").Scan(&n); err != nil {
		t.Fatal(err)
	}
	destroyAll(t, db)
	short, cancel := context.WithTimeout(t.Context(), 4*time.Second/10)
	defer cancel()
	if err := db.Sweep(short); signalbox.CodeOf(err) != signalbox.CodeTimeout {
		t.Fatalf("beside a reader of an old state: %v", err)
	}
	write(t, db, 1)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rawFiles(t, file); n != 0 {
		t.Fatalf("the raw files hold what was destroyed %d times", n)
	}
}

// A sync that fails when the emptied WAL is given its size again ends all writing, and is not tried a second time. It is
// another process, because a store that is broken keeps what it has open.
func TestSweepThatCanNotSyncBreaksTheStore(t *testing.T) {
	_, output := helper(t, "unsynced", path(t))
	want := []string{"swept <nil> 0", "swept true 1", "told true", "committed true", "swept true 0", "closed <nil>"}
	if got := lines(t, output, len(want)); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// helperUnsynced sweeps while the WAL's name leads to what can be written and not synced, like a file of a disk that fails.
func helperUnsynced(file string) {
	db, w := helperOpen(file)
	ctx := context.Background()
	if _, err := w.Append(ctx, someRecord()); err != nil {
		panic(err)
	}
	fmt.Println("swept", db.Sweep(ctx), len(db.Broken())) // All connections have the WAL open from here on.
	if err := errors.Join(os.Remove(file+"-wal"), os.Symlink(os.DevNull, file+"-wal")); err != nil {
		panic(err)
	}
	uncertain := func(err error) bool { return errors.Is(err, store.ErrUncertain) }
	fmt.Println("swept", uncertain(db.Sweep(ctx)), len(db.Broken()))
	select {
	case err := <-db.Broken():
		fmt.Println("told", uncertain(err))
	default:
		fmt.Println("told nothing")
	}
	_, err := w.Append(ctx, someRecord())
	fmt.Println("committed", uncertain(err))
	fmt.Println("swept", uncertain(db.Sweep(ctx)), len(db.Broken()))
	fmt.Println("closed", db.Close())
}
