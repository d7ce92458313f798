package storetest

import (
	"crypto/sha256"
	"reflect"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

// mixed commits ten records of two tenants in turn: those of acme are the even ones.
func mixed(t *testing.T, s Store) []signalbox.Entry {
	t.Helper()
	all := entries(0, 10)
	for i := range all {
		if i%2 == 1 {
			all[i].Tenant = "globex"
		}
	}
	ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: all, Tiles: []signalbox.Tile{tile(0, 0)}}))
	ok(t, s.Log.PutCheckpoint(t.Context(), []byte("note")))
	return all
}

// destroyed is how an entry is read once its content is gone.
func destroyed(e signalbox.Entry) signalbox.Entry {
	e.Digest, e.Content = sha256.Sum256(e.Content), nil
	return e
}

// evidence is the record that comes with the destruction of content.
func evidence(index int64, effects ...signalbox.Effect) signalbox.Entry {
	e := entries(index, 1)[0]
	e.Type, e.Tenant, e.Call, e.Effects = signalbox.RecordAdmin, "", "", effects
	return e
}

func checkLog(t *testing.T, s Store, want []signalbox.Entry) {
	t.Helper()
	for i := range want {
		want[i].Effects = nil
	}
	if got := must[[]signalbox.Entry](t)(s.Log.Page(t.Context(), 0, 100)); !reflect.DeepEqual(got, want) {
		t.Fatalf("the log is\n%v, want\n%v", got, want)
	}
	if got := must[[]signalbox.Entry](t)(s.Views.Page(t.Context(), 0, 100)); !reflect.DeepEqual(got, want) {
		t.Fatalf("the projector reads\n%v, want\n%v", got, want)
	}
	var all []signalbox.Entry
	for e, err := range s.Log.Entries(t.Context(), 0) {
		ok(t, err)
		all = append(all, e)
	}
	if !reflect.DeepEqual(all, want) {
		t.Fatalf("whoever reads all reads\n%v, want\n%v", all, want)
	}
}

// checkHeaders reads what there is without content.
func checkHeaders(t *testing.T, s Store, all []signalbox.Entry, from int64, n int) {
	t.Helper()
	var want []signalbox.Entry
	for _, e := range all[from:][:n] {
		want = append(want, signalbox.Entry{Index: e.Index, Time: e.Time, Tenant: e.Tenant, Digest: e.Digest})
	}
	if got := must[[]signalbox.Entry](t)(s.Log.Headers(t.Context(), from, n)); !reflect.DeepEqual(got, want) {
		t.Fatalf("the headers are\n%v, want\n%v", got, want)
	}
}

var destroyTests = map[string]func(*testing.T, Store){
	"the content of a tenant's range, and nothing else": func(t *testing.T, s Store) {
		want := mixed(t, s)
		e := evidence(10, signalbox.DestroyContent{Tenant: "acme", From: 2, To: 7})
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: []signalbox.Entry{e}}))
		for _, i := range []int{2, 4, 6} {
			want[i] = destroyed(want[i])
			if !want[i].Destroyed() {
				t.Fatal("a destroyed entry does not say so")
			}
		}
		want = append(want, e)
		checkLog(t, s, want)
		checkHeaders(t, s, want, 2, 7)
		for tenant, end := range map[string]int64{"acme": 7, "globex": 0} {
			if until := must[int64](t)(s.Log.DestroyedUntil(t.Context(), tenant)); until != end {
				t.Fatalf("%s is destroyed until %d, want %d", tenant, until, end)
			}
		}
		checkLog(t, s.Reopen(), want)
	},
	"again changes nothing, nor does a range without records": func(t *testing.T, s Store) {
		want := mixed(t, s)
		for i := range int64(2) {
			e := evidence(10+i, signalbox.DestroyContent{Tenant: "acme", From: -5, To: 3},
				signalbox.DestroyContent{Tenant: "initech", From: 0, To: 10}, signalbox.DestroyContent{Tenant: "acme", From: 4, To: 4})
			ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: []signalbox.Entry{e}}))
			want = append(want, e)
		}
		want[0], want[2] = destroyed(want[0]), destroyed(want[2])
		checkLog(t, s, want)
	},
	"what comes after the evidence is not touched": func(t *testing.T, s Store) {
		want := mixed(t, s)
		e, later := evidence(10, signalbox.DestroyContent{Tenant: "acme", From: 8, To: 1 << 40}), entries(11, 2)
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: append([]signalbox.Entry{e}, later...)}))
		want[8] = destroyed(want[8])
		checkLog(t, s, append(append(want, e), later...))
	},
	"nothing is destroyed where the batch fails": func(t *testing.T, s Store) {
		want := mixed(t, s)
		e := evidence(10, signalbox.DestroyContent{Tenant: "acme", From: 0, To: 10})
		if s.Log.Commit(t.Context(), signalbox.Batch{Entries: []signalbox.Entry{e}, Tiles: []signalbox.Tile{tile(0, 0)}}) == nil {
			t.Fatal("a tile was written twice")
		}
		checkLog(t, s, want)
	},
	"the store is swept": func(t *testing.T, s Store) {
		want := mixed(t, s)
		e := evidence(10, signalbox.DestroyContent{Tenant: "globex", From: 0, To: 10})
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: []signalbox.Entry{e}}))
		ok(t, s.Log.Sweep(t.Context()))
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(11, 1)}))
		for i := 1; i < 10; i += 2 {
			want[i] = destroyed(want[i])
		}
		checkLog(t, s.Reopen(), append(append(want, e), entries(11, 1)...))
	},
	"every other change is changes": func(t *testing.T, s Store) {
		want := mixed(t, s)
		e := evidence(10, signalbox.DestroyContent{Tenant: "acme", From: 0, To: 4})
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: append([]signalbox.Entry{e}, entries(11, 1)...)}))
		want[0], want[2] = destroyed(want[0]), destroyed(want[2])
		want = append(append(want, e), entries(11, 1)...)
		for _, query := range forbidden {
			if err := s.Raw(query); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", query, err)
			}
		}
		checkLog(t, s, want)
		if note := must[[]byte](t)(s.Log.LatestCheckpoint(t.Context())); string(note) != "note" {
			t.Fatalf("the checkpoint is %q", note)
		}
	},
}

// forbidden is what nobody may do with SQL, in what both stores understand. Record 1 is of globex; of acme, those below 4
// are destroyed.
var forbidden = []string{
	"UPDATE audit_records SET seq = 100 WHERE seq = 5",
	"UPDATE audit_records SET time = time + 1 WHERE seq = 5",
	"UPDATE audit_records SET type = 'admin' WHERE seq = 5",
	"UPDATE audit_records SET tenant = 'acme' WHERE seq = 5",
	"UPDATE audit_records SET call = 'other' WHERE seq = 5",
	"UPDATE audit_records SET content = leaf WHERE seq = 5",
	"UPDATE audit_records SET leaf = content WHERE seq = 5",
	"UPDATE audit_records SET digest = leaf WHERE seq = 5",
	"UPDATE audit_records SET content = NULL WHERE seq = 5",
	"UPDATE audit_records SET content = NULL, digest = leaf WHERE seq = 1", // Of another tenant.
	"UPDATE audit_records SET content = NULL, digest = leaf WHERE seq = 4", // Not of the range.
	"UPDATE audit_records SET content = NULL, digest = leaf WHERE seq = 5", // No evidence at all.
	"UPDATE audit_records SET content = leaf, digest = NULL WHERE seq = 0", // Back again.
	"UPDATE audit_records SET digest = leaf WHERE seq = 0",
	"UPDATE audit_records SET time = time WHERE seq = 0",
	"DELETE FROM audit_records WHERE seq = 0",
	"DELETE FROM audit_records WHERE seq = 11",
	"DELETE FROM audit_records",
	"UPDATE audit_destroyed SET until = 100",
	"UPDATE audit_destroyed SET tenant = 'globex'",
	"DELETE FROM audit_destroyed",
	"UPDATE audit_tiles SET n = 7",
	"UPDATE audit_tiles SET hashes = NULL",
	"DELETE FROM audit_tiles",
	"UPDATE audit_checkpoints SET note = NULL",
	"DELETE FROM audit_checkpoints",
}
