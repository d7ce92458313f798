package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/internal/platform/store/storetest"
)

func TestViews(t *testing.T) {
	storetest.RunViews(t, func(t *testing.T) storetest.Store {
		url := postgrestest.Database(t)
		var reopen func() storetest.Store
		reopen = func() storetest.Store {
			d := openViews(t, url)
			return storetest.Store{Log: placed{d: d}, Views: d.Views(), Reopen: reopen}
		}
		return reopen()
	})
}

// openViews opens a database for the length of a test.
func openViews(t testing.TB, url string) *DB {
	t.Helper()
	d, err := Open(t.Context(), url, Options{Now: time.Now, ReadTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// placed is a log whose entries have their places already, as if a leader had given them.
type placed struct {
	storetest.Log
	d *DB
}

func (p placed) Commit(ctx context.Context, b signalbox.Batch) error {
	for _, e := range b.Entries {
		_, err := p.d.pool.Exec(ctx, "INSERT INTO audit_records (seq, time, type, tenant, call, content, leaf) "+
			"VALUES ($1, $2, $3, $4, $5, $6, $7)", e.Index, e.Time.UnixMicro(), string(e.Type), e.Tenant, e.Call, e.Content, e.Leaf[:])
		if err != nil {
			return err
		}
	}
	return nil
}
