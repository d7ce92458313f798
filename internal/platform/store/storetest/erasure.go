package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// sealedKey is a subject's key with that id.
func sealedKey(id string, subject byte) signalbox.SubjectKey {
	return signalbox.SubjectKey{
		ID: id, Tenant: "acme", Subject: [32]byte{subject}, Wrapped: []byte("wrapped " + id), Master: "m", Created: start,
	}
}

// sealedCall is a call whose row a key seals.
func sealedCall(index int64, key string) signalbox.CallView {
	v := ended(index)
	v.SealedBy = key
	return v
}

// commitEffects appends one record with effects, and gives its index.
func commitEffects(t *testing.T, s Store, effects ...signalbox.Effect) int64 {
	t.Helper()
	size := must[int64](t)(s.Log.Size(t.Context()))
	ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: entriesOf(size, effects...)}))
	return size
}

func destroy(subject byte) signalbox.DestroySubject {
	return signalbox.DestroySubject{Tenant: "acme", Subject: [32]byte{subject}, At: start.Add(time.Hour)}
}

func erased(subject byte) []signalbox.Erased {
	return []signalbox.Erased{{Tenant: "acme", Subject: [32]byte{subject}}}
}

func blocks(key string, of ...int64) (list []signalbox.SealedBlock) {
	for _, b := range of {
		list = append(list, signalbox.SealedBlock{Key: key, Block: b})
	}
	return list
}

// nobody is the call without its user.
func nobody(v signalbox.CallView) signalbox.CallView {
	v.User = ""
	return v
}

var erasureTests = map[string]func(*testing.T, Store){
	"rows of an erased subject name nobody, before it and after": func(t *testing.T, s Store) {
		commitEffects(t, s, signalbox.PutSubjectKey{Key: sealedKey("sk_1", 1)}, signalbox.PutSubjectKey{Key: sealedKey("sk_2", 1)},
			signalbox.PutSubjectKey{Key: sealedKey("sk_3", 2)})
		before := []signalbox.CallView{sealedCall(0, "sk_1"), sealedCall(1, "sk_2"), sealedCall(2, "sk_3"), ended(3)}
		project(t, s, signalbox.Changes{Calls: before, Sealed: slices.Concat(blocks("sk_1", 0), blocks("sk_2", 0), blocks("sk_3", 0))})
		commitEffects(t, s, destroy(1))
		commitEffects(t, s, signalbox.PutSubjectKey{Key: sealedKey("sk_4", 1)})
		project(t, s, signalbox.Changes{
			Calls: []signalbox.CallView{sealedCall(4, "sk_1"), sealedCall(5, "sk_3")}, Erased: erased(1),
			Sealed: slices.Concat(blocks("sk_1", 0), blocks("sk_3", 0)),
		})
		update := sealedCall(2, "sk_1") // Its outcome is sealed by another key than its intent.
		project(t, s, signalbox.Changes{
			Calls: []signalbox.CallView{sealedCall(6, "sk_2"), sealedCall(7, "sk_4")}, Updates: []signalbox.CallView{update},
			Sealed: slices.Concat(blocks("sk_2", 0), blocks("sk_4", 0), blocks("sk_1", 0)),
		})
		checkCalls(t, list(t, s, signalbox.CallFilter{}), sealedCall(7, "sk_4"), nobody(sealedCall(6, "sk_2")), sealedCall(5, "sk_3"),
			nobody(sealedCall(4, "sk_1")), ended(3), nobody(update), nobody(before[1]), nobody(before[0]))
	},
	"an erasure finds rows in later blocks": func(t *testing.T, s Store) {
		commitEffects(t, s, signalbox.PutSubjectKey{Key: sealedKey("sk_1", 1)}, signalbox.PutSubjectKey{Key: sealedKey("sk_2", 2)})
		calls := []signalbox.CallView{
			sealedCall(255, "sk_1"), sealedCall(256, "sk_1"), sealedCall(511, "sk_2"), sealedCall(512, "sk_1"), sealedCall(70_000, "sk_1"),
		}
		project(t, s, signalbox.Changes{Calls: calls, Sealed: append(blocks("sk_1", 0, 1, 2, 273), blocks("sk_2", 1)...)})
		commitEffects(t, s, destroy(1))
		project(t, s, signalbox.Changes{Erased: erased(1)})
		checkCalls(t, list(t, s, signalbox.CallFilter{}), nobody(calls[4]), nobody(calls[3]), calls[2], nobody(calls[1]), nobody(calls[0]))
	},
	"an erasure of nobody changes nothing": func(t *testing.T, s Store) {
		commitEffects(t, s, signalbox.PutSubjectKey{Key: sealedKey("sk_1", 1)})
		project(t, s, signalbox.Changes{Calls: []signalbox.CallView{sealedCall(0, "sk_1")}, Sealed: blocks("sk_1", 0)})
		project(t, s, signalbox.Changes{Erased: append(erased(1), erased(9)...)}) // Of 1, no key was destroyed.
		checkCalls(t, list(t, s, signalbox.CallFilter{}), sealedCall(0, "sk_1"))
	},
	"blocks are found by keys, in order and in pages": func(t *testing.T, s Store) {
		project(t, s, signalbox.Changes{Sealed: append(blocks("sk_1", 0, 1, 5, 9), blocks("sk_2", 1, 2)...)})
		project(t, s, signalbox.Changes{Sealed: append(blocks("sk_1", 9, 10), blocks("sk_3", 3)...)})
		for _, c := range []struct {
			keys  []string
			from  int64
			limit int
			want  []int64
		}{
			{[]string{"sk_1"}, 0, 10, []int64{0, 1, 5, 9, 10}},
			{[]string{"sk_1", "sk_2"}, 0, 10, []int64{0, 1, 2, 5, 9, 10}},
			{[]string{"sk_1", "sk_2"}, 1, 2, []int64{1, 2}},
			{[]string{"sk_1"}, 11, 10, nil},
			{[]string{"sk_9"}, 0, 10, nil},
			{nil, 0, 10, nil},
		} {
			if got := must[[]int64](t)(s.Views.SealedBlocks(t.Context(), c.keys, c.from, c.limit)); !slices.Equal(got, c.want) {
				t.Errorf("%v from %d: blocks %v, want %v", c.keys, c.from, got, c.want)
			}
		}
		ok(t, s.Views.Reset(t.Context()))
		if got := must[[]int64](t)(s.Views.SealedBlocks(t.Context(), []string{"sk_1"}, 0, 10)); len(got) != 0 {
			t.Errorf("blocks %v are left by a reset", got)
		}
	},
}
