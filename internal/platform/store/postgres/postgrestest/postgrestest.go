// Package postgrestest gives tests databases on a real PostgreSQL server.
package postgrestest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable holds the URL of a server on which databases can be created, such as
// postgres://postgres@127.0.0.1:5432/postgres. `make test` starts one and sets it.
const Variable = "SIGNALBOX_TEST_POSTGRES"

// patience bounds the making and dropping of a database on a busy machine.
const patience = 60 * time.Second

// Database makes an empty database and gives its URL. It is dropped at the end of the test, with whoever still uses it.
func Database(t testing.TB) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		t.Fatalf("%s is not set: run `make test`, or `eval \"$(scripts/postgres.sh start)\"` before go test", Variable)
	}
	name := "sb_" + strings.ToLower(rand.Text()[:16])
	run(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func run(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to the PostgreSQL server of the tests: %v", err)
	}
	defer c.Close(ctx) //nolint:errcheck // It was used once.
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
