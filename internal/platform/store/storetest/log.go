package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

var start = time.Date(2026, 11, 22, 10, 0, 0, 123_456_000, time.UTC)

// entries makes n entries from an index on, one a second. Their content is any bytes at all.
func entries(from int64, n int) []signalbox.Entry {
	list := make([]signalbox.Entry, n)
	for i := range list {
		index := from + int64(i)
		content := fmt.Appendf([]byte{0, 0xff}, "content %d \"한글\"", index)
		list[i] = signalbox.Entry{
			Index: index, Time: start.Add(time.Duration(index) * time.Second), Type: signalbox.RecordIntent,
			Tenant: "acme", Call: fmt.Sprintf("call_%d", index), Content: content, Leaf: sha256.Sum256(content),
		}
	}
	return list
}

func tile(level int, n int64) signalbox.Tile {
	return signalbox.Tile{Level: level, N: n, Hashes: bytes.Repeat([]byte{byte(level), byte(n)}, 4096)}
}

var logTests = map[string]func(*testing.T, Store){
	"empty": func(t *testing.T, s Store) {
		size := must[int64](t)(s.Log.Size(t.Context()))
		page := must[[]signalbox.Entry](t)(s.Log.Page(t.Context(), 0, 10))
		note := must[[]byte](t)(s.Log.LatestCheckpoint(t.Context()))
		if size != 0 || len(page) != 0 || note != nil {
			t.Fatalf("size %d, %d entries, checkpoint %q of an empty log", size, len(page), note)
		}
		for e, err := range s.Log.Entries(t.Context(), 0) {
			t.Fatalf("an empty log gives %v, %v", e, err)
		}
	},
	"what was committed is read back after a restart": func(t *testing.T, s Store) {
		want := entries(0, 5)
		want[3].Tenant, want[3].Call, want[3].Type, want[3].Content = "", "", signalbox.RecordAdmin, []byte("{}")
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: want[:2]}))
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: want[2:], Tiles: []signalbox.Tile{tile(0, 0), tile(1, 0)}}))
		s = s.Reopen()
		got := must[[]signalbox.Entry](t)(s.Log.Page(t.Context(), 0, 100))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		tiles := must[[]signalbox.Tile](t)(s.Log.Tiles(t.Context(), 0, 0, 10))
		if !reflect.DeepEqual(tiles, []signalbox.Tile{tile(0, 0)}) {
			t.Fatalf("got %d tiles, want the one that was stored", len(tiles))
		}
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(5, 1)}))
	},
	"reads by index": func(t *testing.T, s Store) {
		all := entries(0, 20)
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: all}))
		if got := must[signalbox.Entry](t)(s.Log.Entry(t.Context(), 7)); !reflect.DeepEqual(got, all[7]) {
			t.Fatalf("got %v, want %v", got, all[7])
		}
		_, err := s.Log.Entry(t.Context(), 20)
		refuses(t, err, signalbox.CodeNotFound)
		checkIndexes(t, must[[]signalbox.Entry](t)(s.Log.Page(t.Context(), 18, 5)), 18, 19)
		page := must[[]signalbox.Entry](t)(s.Views.Page(t.Context(), 2, 5))
		if !reflect.DeepEqual(page, all[2:7]) {
			t.Fatalf("the projector reads %v, want %v", page, all[2:7])
		}
		checkIndexes(t, must[[]signalbox.Entry](t)(s.Log.Page(t.Context(), 3, 2)), 3, 4)
		checkIndexes(t, must[[]signalbox.Entry](t)(s.Log.Newest(t.Context(), -1, 2)), 19, 18)
		checkIndexes(t, must[[]signalbox.Entry](t)(s.Log.Newest(t.Context(), 1, 2)), 0)
		leaves := must[[][32]byte](t)(s.Log.Leaves(t.Context(), 4, 6))
		if want := [][32]byte{all[4].Leaf, all[5].Leaf}; !reflect.DeepEqual(leaves, want) {
			t.Fatalf("leaves = %x, want %x", leaves, want)
		}
	},
	"a whole log in order": func(t *testing.T, s Store) {
		const n = 2500
		for from := int64(0); from < n; from += 500 {
			ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(from, 500)}))
		}
		want := int64(3)
		for e, err := range s.Log.Entries(t.Context(), 3) {
			ok(t, err)
			if e.Index != want {
				t.Fatalf("index %d, want %d", e.Index, want)
			}
			want++
		}
		if want != n {
			t.Fatalf("ended before %d, want %d", want, n)
		}
		for _, err := range s.Log.Entries(t.Context(), 0) {
			ok(t, err)
			break // Leaving early must not keep anything open.
		}
	},
	"a cancelled read says so": func(t *testing.T, s Store) {
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(0, 3)}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range s.Log.Entries(ctx, 0) {
			last = err
		}
		if last == nil {
			t.Fatal("a cancelled read ended like a whole one")
		}
	},
	"a gap is refused and nothing of the batch is stored": func(t *testing.T, s Store) {
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(0, 2)}))
		for name, b := range map[string][]signalbox.Entry{
			"gap": entries(3, 1), "again": entries(1, 1), "gap inside": append(entries(2, 1), entries(4, 1)...),
		} {
			if err := s.Log.Commit(t.Context(), signalbox.Batch{Entries: b}); err == nil {
				t.Fatalf("%s: stored", name)
			}
		}
		if size := must[int64](t)(s.Log.Size(t.Context())); size != 2 {
			t.Fatalf("size %d, want 2", size)
		}
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(2, 1)}))
	},
	"a batch that fails late leaves nothing": func(t *testing.T, s Store) {
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(0, 1), Tiles: []signalbox.Tile{tile(0, 0)}}))
		again := entries(1, 2)
		again[0].Effects = []signalbox.Effect{signalbox.PutKey{Key: key("key_1", 1)}}
		err := s.Log.Commit(t.Context(), signalbox.Batch{Entries: again, Tiles: []signalbox.Tile{tile(0, 0)}})
		if err == nil {
			t.Fatal("a tile was written twice")
		}
		keys := must[[]signalbox.Key](t)(s.Log.Keys(t.Context()))
		if size := must[int64](t)(s.Log.Size(t.Context())); size != 1 || len(keys) != 0 {
			t.Fatalf("size %d and %d keys, want 1 and none", size, len(keys))
		}
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entries(1, 2)}))
	},
	"checkpoints": func(t *testing.T, s Store) {
		for i := range 3 {
			ok(t, s.Log.PutCheckpoint(t.Context(), fmt.Appendf(nil, "note %d", i)))
		}
		s = s.Reopen()
		if got := must[[]byte](t)(s.Log.LatestCheckpoint(t.Context())); string(got) != "note 2" {
			t.Fatalf("latest = %q, want note 2", got)
		}
		got := must[[][]byte](t)(s.Log.Checkpoints(t.Context(), 2))
		if want := [][]byte{[]byte("note 2"), []byte("note 1")}; !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	},
}

func checkIndexes(t *testing.T, list []signalbox.Entry, want ...int64) {
	t.Helper()
	var got []int64
	for _, e := range list {
		got = append(got, e.Index)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("indexes %v, want %v", got, want)
	}
}

func key(id string, n byte) signalbox.Key {
	return signalbox.Key{
		ID: id, Hash: sha256.Sum256([]byte{n}), Hint: "sb_abc", Tenant: "acme", Team: "cs", Agent: "writer", User: "u1",
		Role: signalbox.RoleAgent, Created: start.Add(time.Duration(n) * time.Second),
		Budgets: []signalbox.Budget{
			{Unit: signalbox.UnitRequests, Per: signalbox.WindowMinute, Max: 600}, {Unit: signalbox.UnitConcurrent, Max: 8},
		},
	}
}

// act commits one admin record with effects.
func act(t *testing.T, s Store, index int64, effects ...signalbox.Effect) {
	t.Helper()
	e := entries(index, 1)
	e[0].Effects = effects
	ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: e}))
}

var keyTests = map[string]func(*testing.T, Store){
	"created, found, revoked once": func(t *testing.T, s Store) {
		one, two := key("key_1", 1), key("key_2", 2)
		two.Budgets, two.Team, two.Agent, two.User = nil, "", "", ""
		act(t, s, 0, signalbox.PutKey{Key: two}, signalbox.PutKey{Key: one})
		act(t, s, 1, signalbox.RevokeKey{ID: "key_1", At: start.Add(time.Hour)})
		act(t, s, 2, signalbox.RevokeKey{ID: "key_1", At: start.Add(2 * time.Hour)}, signalbox.RevokeKey{ID: "no such key", At: start})
		one.Revoked = start.Add(time.Hour)
		s = s.Reopen()
		if got := must[[]signalbox.Key](t)(s.Log.Keys(t.Context())); !reflect.DeepEqual(got, []signalbox.Key{one, two}) {
			t.Fatalf("got %+v, want %+v", got, []signalbox.Key{one, two})
		}
		if got := must[signalbox.Key](t)(s.Log.KeyByHash(t.Context(), two.Hash)); !reflect.DeepEqual(got, two) {
			t.Fatalf("got %+v, want %+v", got, two)
		}
		_, err := s.Log.KeyByHash(t.Context(), sha256.Sum256([]byte("other")))
		refuses(t, err, signalbox.CodeNotFound)
	},
	"putting a key again changes nothing": func(t *testing.T, s Store) {
		one := key("key_1", 1)
		act(t, s, 0, signalbox.PutKey{Key: one})
		other := one
		other.Tenant = "globex"
		act(t, s, 1, signalbox.PutKey{Key: other})
		if got := must[[]signalbox.Key](t)(s.Log.Keys(t.Context())); !reflect.DeepEqual(got, []signalbox.Key{one}) {
			t.Fatalf("got %+v, want the first", got)
		}
	},
}
