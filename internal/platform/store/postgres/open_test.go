package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// Replicas that start on an empty database at once wait for the one that makes the schema.
func TestOpenAtOnce(t *testing.T) {
	url := postgrestest.Database(t)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := postgres.Open(t.Context(), url, postgres.Options{Now: time.Now})
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := db.Size(t.Context()); n != 0 || err != nil {
				t.Errorf("size %d, %v", n, err)
			}
			closeDB(t, db)
		})
	}
	group.Wait()
	if n := scalar[int](t, url, "SELECT count(*) FROM signalbox.signalbox_schema"); n != postgres.SchemaVersions {
		t.Errorf("%d migrations are noted, want %d", n, postgres.SchemaVersions)
	}
}

func refuses(t *testing.T, url string, code signalbox.Code, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := postgres.Open(ctx, url, postgres.Options{Now: time.Now})
	if err == nil {
		closeDB(t, db)
		t.Fatal("it was opened")
	}
	checkError(t, err, code, text)
}

func checkError(t *testing.T, err error, code signalbox.Code, text string) {
	t.Helper()
	e := signalbox.AsError(err)
	if e.Code != code || !strings.Contains(e.Message, text) || e.Remedy == "" || e.Field != "database" {
		t.Fatalf("got %q (remedy %q, field %q), want code %q and %q", err, e.Remedy, e.Field, code, text)
	}
	if strings.Contains(err.Error()+e.Remedy, secret) {
		t.Fatalf("the error tells the password: %v", err)
	}
}

const secret = "s3cr3t-w0rd"

// changed gives a URL with something changed in it.
func changed(t *testing.T, text string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

func TestOpenRefuses(t *testing.T) {
	server := postgrestest.Database(t)
	silent := listener(t)
	closed := listener(t)
	closed.Close()
	for name, c := range map[string]struct {
		url  string
		code signalbox.Code
		text string
	}{
		"no such database": {
			changed(t, server, func(u *url.URL) { u.Path = "/nowhere" }), signalbox.CodeInvalid, "does not exist",
		},
		"no such role": {
			changed(t, server, func(u *url.URL) { u.User = url.UserPassword("nobody", secret) }), signalbox.CodeInvalid, "role",
		},
		"nobody listens": {
			"postgres://u:" + secret + "@" + closed.Addr().String() + "/d", signalbox.CodeUnavailable, "can not be reached",
		},
		"a server that says nothing": {
			"postgres://u:" + secret + "@" + silent.Addr().String() + "/d?connect_timeout=1&sslmode=disable",
			signalbox.CodeUnavailable, "can not be reached",
		},
		"another scheme": {"mysql://u:" + secret + "@h/d", signalbox.CodeInvalid, "can not be read"},
		"no URL":         {"postgres://u:" + secret + "@[/d", signalbox.CodeInvalid, "can not be read"},
		"bad option": {
			"postgres://u:" + secret + "@h/d?sslmode=perhaps", signalbox.CodeInvalid, "can not be read",
		},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.url, c.code, c.text) })
	}
}

// listener accepts nobody, but the system does: connections are made and nothing is ever said.
func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestOpenRefusesWhatLosesCommits(t *testing.T) {
	url := postgrestest.Database(t)
	name := scalar[string](t, url, "SELECT current_database()::text")
	if err := admin(t, url, "ALTER DATABASE "+name+" SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	refuses(t, url, signalbox.CodeInvalid, "synchronous_commit = off")
	if n := scalar[int](t, url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'signalbox'"); n != 0 {
		t.Error("something was written to it all the same")
	}
}

func TestOpenRefusesOtherEncodings(t *testing.T) {
	server := postgrestest.Database(t)
	name := "sb_" + strings.ToLower(rand.Text()[:16])
	if err := admin(t, server, "CREATE DATABASE "+name+" ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := admin(t, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	}()
	refuses(t, changed(t, server, func(u *url.URL) { u.Path = "/" + name }), signalbox.CodeInvalid, "SQL_ASCII")
}

func TestNewerSchemaIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	url := postgrestest.Database(t)
	closeDB(t, opened(t, url, postgres.Options{}))
	if err := admin(t, url, "INSERT INTO signalbox.signalbox_schema VALUES (99, now())"); err != nil {
		t.Fatal(err)
	}
	if err := admin(t, url, "DROP TABLE signalbox.leader"); err != nil { // It must not come back.
		t.Fatal(err)
	}
	refuses(t, url, signalbox.CodeConflict, "99")
	if _, err := postgres.OpenReadOnly(t.Context(), url); signalbox.CodeOf(err) != signalbox.CodeConflict {
		t.Errorf("read-only: %v, want conflict", err)
	}
	if n := scalar[int](t, url, "SELECT count(*) FROM pg_tables WHERE tablename = 'leader'"); n != 0 {
		t.Error("something was written")
	}
}

func TestOpenReadOnly(t *testing.T) {
	url := postgrestest.Database(t)
	_, err := postgres.OpenReadOnly(t.Context(), url)
	if signalbox.CodeOf(err) != signalbox.CodeNotFound {
		t.Fatalf("an empty database: %v, want not_found", err)
	}
	db := replica(t, url, postgres.Options{})
	stopLead := leads(t, db)
	defer stopLead()
	w := newWriter(t, db)
	appendCall(t, w, "call_1", signalbox.RecordOutcome)
	eventually(t, "the record is placed", func() bool { n, err := db.Size(t.Context()); return n == 1 && err == nil })
	reader, err := postgres.OpenReadOnly(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, reader)
	if e, err := reader.Entry(t.Context(), 0); err != nil || e.Call != "call_1" {
		t.Errorf("got %v, %v", e, err)
	}
	if reader.Views() != nil {
		t.Error("a read-only database has projections")
	}
	if err := reader.PutCheckpoint(t.Context(), []byte("note")); err == nil {
		t.Error("a read-only database was written")
	}
}

func TestTheLogIsAppendOnly(t *testing.T) {
	url := postgrestest.Database(t)
	closeDB(t, opened(t, url, postgres.Options{}))
	for _, q := range []string{
		"UPDATE signalbox.audit_records SET tenant = 'x'", "DELETE FROM signalbox.audit_records",
		"TRUNCATE signalbox.audit_records", "UPDATE signalbox.audit_tiles SET n = 1", "DELETE FROM signalbox.audit_tiles",
		"TRUNCATE signalbox.audit_tiles", "UPDATE signalbox.audit_pending SET tenant = 'x'", "TRUNCATE signalbox.audit_pending",
	} {
		if err := admin(t, url, q); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// A search_path in the URL puts everything elsewhere.
func TestSchemaOfTheOperator(t *testing.T) {
	server := postgrestest.Database(t)
	if err := admin(t, server, "CREATE SCHEMA elsewhere"); err != nil {
		t.Fatal(err)
	}
	closeDB(t, opened(t, changed(t, server, func(u *url.URL) { u.RawQuery = "search_path=elsewhere" }), postgres.Options{}))
	if n := scalar[int](t, server, "SELECT count(*) FROM elsewhere.audit_records"); n != 0 {
		t.Errorf("%d records", n)
	}
}

// A role that may not create schemas is told so, or is given one.
func TestRoleWithoutRights(t *testing.T) {
	server := postgrestest.Database(t)
	role := "sb_" + strings.ToLower(rand.Text()[:16])
	for _, q := range []string{"CREATE ROLE " + role + " LOGIN PASSWORD '" + secret + "'", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"} {
		if err := admin(t, server, q); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, q := range []string{"DROP OWNED BY " + role + " CASCADE", "DROP ROLE " + role} {
			if err := admin(t, server, q); err != nil {
				t.Error(err)
			}
		}
	}()
	url := changed(t, server, func(u *url.URL) { u.User = url.UserPassword(role, secret) })
	refuses(t, url, signalbox.CodeForbidden, "lacks a permission")
	if err := admin(t, server, "CREATE SCHEMA signalbox AUTHORIZATION "+role); err != nil {
		t.Fatal(err)
	}
	db := joined(t, url, postgres.Options{})
	stop, leading := elects(t, db)
	eventually(t, "it leads", leading)
	appendCall(t, newWriter(t, db), "call", signalbox.RecordOutcome)
	stop()
	if n, err := db.Size(t.Context()); n != 1 || err != nil {
		t.Errorf("size %d, %v", n, err)
	}
	closeDB(t, db)
}

func TestCloseTwice(t *testing.T) {
	db := joined(t, postgrestest.Database(t), postgres.Options{})
	closeDB(t, db)
	if err := db.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
