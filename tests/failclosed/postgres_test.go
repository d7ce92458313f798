package failclosed

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/disk"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// lease is the shortest that there is: a replica whose heartbeats do not come back would end within a test.
const lease = 5 * time.Second

const config = fleet.Base + "tenants: [{id: acme}]\ncluster: {lease: 5s, longest_call: 15m}\n" + harness.Simulated

// connect gives a connection of an administrator: to a database, or to the server's own where that is "".
func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	if database == "" {
		database = os.Getenv(postgrestest.Variable)
	}
	c, err := pgx.Connect(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) }) // It is the end of the test.
	return c
}

func exec(t *testing.T, c *pgx.Conn, format string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*harness.Patience)
	defer cancel()
	if _, err := c.Exec(ctx, fmt.Sprintf(format, args...)); err != nil {
		t.Fatalf(format+": %v", append(args, err)...)
	}
}

// name is the name of a database in its address.
func name(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

func TestFullDiskOfPostgres(t *testing.T) {
	database := postgrestest.Database(t)
	server := connect(t, "")
	var data string
	if err := server.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(data)
	if err != nil {
		t.Fatalf("the data of the PostgreSQL server is not on this machine, so its disk can not be filled: %v", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("the owner of a folder can not be read")
	}
	dir := disk.Small(t, 24<<10, int(owner.Uid))
	space, db := "full_"+name(t, database), name(t, database)
	exec(t, server, "CREATE TABLESPACE %s LOCATION '%s'", space, dir)
	t.Cleanup(func() { exec(t, server, "DROP TABLESPACE %s", space) })
	exec(t, server, "ALTER DATABASE %s SET TABLESPACE %s", db, space)
	t.Cleanup(func() {
		exec(t, server, "DROP DATABASE %s WITH (FORCE)", db)
		exec(t, server, "CREATE DATABASE %s", db)
	})

	f := fleet.Launch(t, config, database, 1)
	c := &caller{i: f.At(0)}
	c.served(t, 20)
	free := disk.Fill(t, dir)
	c.untilRefused(t) // What room the files had of their own is used first.
	c.stopsServing(t, 20)
	if h := logHealth(t, c.i); !strings.HasPrefix(h, "down: ") || !strings.Contains(h, "disk of the database server is full") {
		t.Errorf("the health report says %q", h)
	}
	free()
	c.recovers(t)
	f.Settled(t)
	c.complete(t)
}

func TestReadOnlyPostgres(t *testing.T) {
	database := postgrestest.Database(t)
	f := fleet.Launch(t, config, database, 1)
	c := &caller{i: f.At(0)}
	c.served(t, 20)
	server, db := connect(t, ""), name(t, database)
	exec(t, server, "ALTER DATABASE %s SET default_transaction_read_only = on", db)
	exec(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", db)
	c.untilRefused(t)
	c.refused(t, 20)
	if h := logHealth(t, c.i); !strings.HasPrefix(h, "down: ") || !strings.Contains(h, "takes no writes") {
		t.Errorf("the health report says %q", h)
	}
	exec(t, server, "ALTER DATABASE %s RESET default_transaction_read_only", db)
	c.recovers(t)
	time.Sleep(lease * 3 / 2) // Its heartbeats must have come back too.
	c.served(t, 1)
	f.Settled(t)
	c.complete(t)
}

func TestSlowCommitOfPostgres(t *testing.T) {
	database := postgrestest.Database(t)
	f := fleet.Launch(t, config, database, 1)
	c := &caller{i: f.At(0)}
	c.served(t, 10)
	other := connect(t, database)
	exec(t, other, "BEGIN")
	exec(t, other, "LOCK TABLE signalbox.audit_pending IN ACCESS EXCLUSIVE MODE")
	waiting := make(chan harness.Answer, 1)
	go func() {
		a, _ := c.call() // A broken connection has no status, which is checked.
		waiting <- a
	}()
	time.Sleep(slow)
	c.refused(t, 20)
	exec(t, other, "ROLLBACK")
	if a := <-waiting; a.Status != 200 {
		t.Errorf("the call whose commit took long ends with %d: %s", a.Status, a.Body)
	}
	c.recovers(t)
	f.Settled(t)
	c.complete(t)
}
