package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/internal/platform/store/storetest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == helperLead {
		lead(os.Args[2], os.Args[3])
		return
	}
	goleak.VerifyTestMain(m)
}

// A schema for each test is much cheaper than a database.
func TestStore(t *testing.T) { storetest.Run(t, schemas(t)) }

func TestSubjects(t *testing.T) { storetest.RunSubjects(t, schemas(t)) }

func TestDecisions(t *testing.T) { storetest.RunDecisions(t, schemas(t)) }

// schemas gives what opens one empty store after another.
func schemas(t *testing.T) func(t *testing.T) storetest.Store {
	t.Helper()
	database, n := postgrestest.Database(t), 0
	return func(t *testing.T) storetest.Store {
		t.Helper()
		n++
		schema := fmt.Sprintf("test_%d", n)
		if err := admin(t, database, "CREATE SCHEMA "+schema); err != nil {
			t.Fatal(err)
		}
		return reopenable(t, changed(t, database, func(u *url.URL) { u.RawQuery = "search_path=" + schema }))
	}
}

// placed commits and places at once.
type placed struct{ *postgres.DB }

func (p placed) Commit(ctx context.Context, b signalbox.Batch) error { return p.CommitPlaced(ctx, b) }

func reopenable(t *testing.T, url string) storetest.Store {
	t.Helper()
	var current *postgres.DB
	t.Cleanup(func() { closeDB(t, current) })
	var open func() storetest.Store
	open = func() storetest.Store {
		if current != nil {
			closeDB(t, current)
		}
		current = joined(t, url, postgres.Options{ReadTimeout: time.Minute})
		return storetest.Store{
			Log: placed{current}, Views: current.Views(), Reopen: open,
			Raw: func(query string) error { return admin(t, url, query) },
		}
	}
	return open()
}

// opened opens a database as a new replica that has not joined. The caller closes it.
func opened(t *testing.T, url string, o postgres.Options) *postgres.DB {
	t.Helper()
	if o.Replica == "" {
		o.Replica = "replica_" + strings.ToLower(rand.Text()[:8])
	}
	o.Now = time.Now
	db, err := postgres.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func joined(t *testing.T, url string, o postgres.Options) *postgres.DB {
	t.Helper()
	db := opened(t, url, o)
	if err := db.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t *testing.T, db *postgres.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := db.Leave(ctx); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// replica is a joined one that is closed with the test.
func replica(t *testing.T, url string, o postgres.Options) *postgres.DB {
	t.Helper()
	db := joined(t, url, o)
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

// admin runs SQL behind the store's back.
func admin(t *testing.T, url, query string, args ...any) error {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	_, err = c.Exec(t.Context(), query, args...)
	return err
}

// session is a connection that is closed with the test.
func session(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func scalar[T any](t *testing.T, url, query string, args ...any) (v T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// eventually waits until a condition holds; the limit only says that it never will.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
