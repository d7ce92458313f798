package replicas

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox/tests/fleet"
)

// projected are the tables that are made from the log, without the mark of how far it was read.
var projected = []string{"calls", "rollups", "rollup_days", "latencies", "run_totals", "run_hours", "facets"}

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) }) // It is the end of the test.
	return c
}

// dump reads the projections as sorted lines.
func dump(t *testing.T, database string) map[string][]string {
	t.Helper()
	c, tables := connect(t, database), map[string][]string{}
	for _, name := range projected {
		rows, err := c.Query(t.Context(), "SELECT x::text FROM signalbox."+name+" x ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		if tables[name], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"calls", "rollups", "run_totals"} {
		if len(tables[name]) == 0 {
			t.Fatalf("%s is empty: the comparison would compare nothing", name)
		}
	}
	return tables
}

// leader gives the slot of the replica that leads, and its term. Who a replica is, its own records say.
func leader(t *testing.T, c *pgx.Conn, names map[string]int) (slot int, term int64) {
	t.Helper()
	var id string
	if err := c.QueryRow(t.Context(), "SELECT replica, term FROM signalbox.leader").Scan(&id, &term); err != nil {
		t.Fatal(err)
	}
	slot, known := names[id]
	if !known {
		return -1, term
	}
	return slot, term
}

// name notes which replica a process is.
func name(t *testing.T, f *fleet.Fleet, slot int, names map[string]int) {
	t.Helper()
	answer := fleet.Ask{Prompt: "out=1"}.Send(t, f.At(slot))
	id := answer.Header.Get("X-Signalbox-Call")
	f.At(slot).Call(t, id)
	for _, r := range f.Records(t) {
		if r.Call == id {
			names[r.Context.Replica] = slot
			return
		}
	}
	t.Fatalf("the call of process %d (status %d) is not in the log", slot, answer.Status)
}
