package sqlite_test

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite/sqlitetest"
	"github.com/signalbox/signalbox/internal/platform/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return reopenable(t, filepath.Join(t.TempDir(), "data dir", "100% #?.db"))
	})
}

func TestSubjects(t *testing.T) {
	storetest.RunSubjects(t, func(t *testing.T) storetest.Store {
		return reopenable(t, filepath.Join(t.TempDir(), "s.db"))
	})
}

func TestDecisions(t *testing.T) {
	storetest.RunDecisions(t, func(t *testing.T) storetest.Store {
		return reopenable(t, filepath.Join(t.TempDir(), "s.db"))
	})
}

func TestLedger(t *testing.T) {
	storetest.RunLedger(t, func(t *testing.T) storetest.Store {
		return reopenable(t, filepath.Join(t.TempDir(), "s.db"))
	})
}

// reopenable opens a file whose name holds every character that a URL could trip over.
func reopenable(t *testing.T, file string) storetest.Store {
	t.Helper()
	var current *sqlite.DB
	closeIt := func() {
		if err := current.Close(); err != nil {
			t.Error(err)
		}
	}
	sqlitetest.Prepare(t, file)
	var open func() storetest.Store
	open = func() storetest.Store {
		if current != nil {
			closeIt()
		}
		db, err := sqlite.Open(t.Context(), file, sqlite.Options{Now: time.Now, ReadTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		current = db
		raw := "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=busy_timeout(5000)"
		return storetest.Store{
			Log: db, Views: db.Views(), Ledger: db, Reopen: open,
			Raw: func(query string) error { return change(t, raw, query) },
		}
	}
	t.Cleanup(func() { closeIt(); goleak.VerifyNone(t) })
	return open()
}
