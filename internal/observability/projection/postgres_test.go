package projection_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// TestLiveEqualsRebuiltOnPostgres projects histories on PostgreSQL while they are written, and again from the beginning,
// and compares with what maps hold.
func TestLiveEqualsRebuiltOnPostgres(t *testing.T) {
	for seed := range 4 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			url := postgrestest.Database(t)
			db, err := postgres.Open(t.Context(), url, postgres.Options{Now: now, ReadTimeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() }) // The database is dropped next.
			v, m := db.Views(), newMemory()
			m.entries = entriesOf(t, 0, rapid.Custom(history).Example(seed))
			for rest := m.entries; len(rest) > 0; {
				n := min(1+seed*3, len(rest))
				place(t, url, rest[:n])
				rest = rest[n:]
				if err := projection.New(v, v, projection.Options{Decode: decode, Batch: 1 + seed}).CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			live := dump(t, v)
			if err := projection.New(v, v, projection.Options{Decode: decode}).Rebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rebuilt := dump(t, v); !reflect.DeepEqual(live, rebuilt) {
				t.Fatalf("live and rebuilt tables differ:\n%+v\n%+v", live, rebuilt)
			}
			if err := projection.New(m, m, projection.Options{Decode: decode}).CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := m.tables(); !reflect.DeepEqual(live, want) {
				t.Fatalf("the store has\n%+v\nwant\n%+v", live, want)
			}
		})
	}
}

// place puts entries into the log as a leader does.
func place(t *testing.T, url string, entries []signalbox.Entry) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	b := &pgx.Batch{}
	for _, e := range entries {
		b.Queue("INSERT INTO signalbox.audit_records (seq, time, type, tenant, call, content, leaf) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			e.Index, e.Time.UnixMicro(), string(e.Type), e.Tenant, e.Call, e.Content, e.Leaf[:])
	}
	if err := c.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
}
