package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// TestProjectionsWithoutRunHoursAreFoldedAnew opens projections as an earlier version left them.
func TestProjectionsWithoutRunHoursAreFoldedAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signalbox.db")
	db := openFile(t, file)
	entry := signalbox.Entry{Time: time.Unix(1, 0), Type: signalbox.RecordAdmin, Leaf: [32]byte{7}, Content: []byte("{}")}
	changes := signalbox.Changes{
		To: 1, AsOf: entry.Time, Leaf: entry.Leaf, Runs: []signalbox.RunView{{ID: "r", Tenant: "acme", Started: entry.Time, Last: entry.Time}},
	}
	for _, err := range []error{
		db.Commit(t.Context(), signalbox.Batch{Entries: []signalbox.Entry{entry}}), db.Views().Apply(t.Context(), changes), db.Close(),
		older(file + sqlite.ViewsSuffix),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db = openFile(t, file)
	defer func() { _ = db.Close() }() // The test is over.
	progress, err := db.Views().Progress(t.Context())
	if err != nil || progress.Cursor != 0 || progress.Size != 1 {
		t.Errorf("progress is %+v, %v; want the beginning of one record", progress, err)
	}
	if runs, _, err := db.Views().Runs(t.Context(), signalbox.RunFilter{}); err != nil || len(runs) != 0 {
		t.Errorf("runs %+v, %v; want none", runs, err)
	}
}

func openFile(t *testing.T, file string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), file, sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// older takes the migrations after the first one back.
func older(file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("DROP TABLE run_hours; DROP TABLE subject_blocks; ALTER TABLE calls DROP COLUMN sealed_by; DELETE FROM schema_version WHERE version > 1")
	return err
}
