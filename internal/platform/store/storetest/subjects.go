package storetest

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// Subjects is the part of a store that keeps the keys of data subjects. The log's Commit writes it.
type Subjects interface {
	SubjectKey(ctx context.Context, id string) (signalbox.SubjectKey, error)
	SubjectKeysOf(ctx context.Context, tenant string, subject [32]byte) ([]signalbox.SubjectKey, error)
	SubjectKeys(ctx context.Context, after string, limit int) ([]signalbox.SubjectKey, error)
	CountSubjectKeys(ctx context.Context) (open, destroyed int64, err error)
}

// RunSubjects tests the keys of data subjects, which Run does not touch. The store's Log has to be [Subjects] too.
func RunSubjects(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runGroups(t, open, []group{{"subjects", subjectTests}})
}

func subjects(t *testing.T, s Store) Subjects {
	t.Helper()
	keys, ok := s.Log.(Subjects)
	if !ok {
		t.Fatalf("%T keeps no keys of data subjects", s.Log)
	}
	return keys
}

// subject is the hash of a data subject's name.
func subject(n byte) [32]byte { return [32]byte{0: n, 31: 0xff} }

func subjectKey(id, tenant string, of byte, second int) signalbox.SubjectKey {
	return signalbox.SubjectKey{
		ID: id, Tenant: tenant, Subject: subject(of), Wrapped: fmt.Appendf([]byte{0, 0xff}, "wrapped %s", id), Master: "0123456789abcdef",
		Created: start.Add(time.Duration(second) * time.Second),
	}
}

func checkKeys(t *testing.T, got []signalbox.SubjectKey, want ...signalbox.SubjectKey) {
	t.Helper()
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

var subjectTests = map[string]func(*testing.T, Store){
	"stored and found": func(t *testing.T, s Store) {
		a, b, c := subjectKey("sk_b", "acme", 1, 0), subjectKey("sk_a", "acme", 1, 1), subjectKey("sk_c", "globex", 1, 2)
		index := subjectKey("index", "", 0, 0)
		index.Subject = [32]byte{}
		act(t, s, 0, signalbox.PutSubjectKey{Key: index}, signalbox.PutSubjectKey{Key: b}, signalbox.PutSubjectKey{Key: a})
		act(t, s, 1, signalbox.PutSubjectKey{Key: c})
		s = s.Reopen()
		keys := subjects(t, s)
		for _, want := range []signalbox.SubjectKey{a, b, c, index} {
			if got := must[signalbox.SubjectKey](t)(keys.SubjectKey(t.Context(), want.ID)); !reflect.DeepEqual(got, want) {
				t.Fatalf("got  %+v\nwant %+v", got, want)
			}
		}
		_, err := keys.SubjectKey(t.Context(), "sk_d")
		refuses(t, err, signalbox.CodeNotFound)
		list := must[[]signalbox.SubjectKey](t)
		checkKeys(t, list(keys.SubjectKeysOf(t.Context(), "acme", subject(1))), a, b) // The oldest first.
		checkKeys(t, list(keys.SubjectKeysOf(t.Context(), "acme", subject(2))))
		checkKeys(t, list(keys.SubjectKeysOf(t.Context(), "initech", subject(1))))
		checkKeys(t, list(keys.SubjectKeys(t.Context(), "", 3)), index, b, a)
		checkKeys(t, list(keys.SubjectKeys(t.Context(), "sk_b", 3)), c)
	},
	"counted": func(t *testing.T, s Store) {
		check := func(open, destroyed int64) {
			t.Helper()
			if o, d, err := subjects(t, s).CountSubjectKeys(t.Context()); err != nil || o != open || d != destroyed {
				t.Fatalf("%d open, %d destroyed (%v), want %d and %d", o, d, err, open, destroyed)
			}
		}
		check(0, 0)
		act(t, s, 0, signalbox.PutSubjectKey{Key: subjectKey("index", "", 0, 0)}, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)},
			signalbox.PutSubjectKey{Key: subjectKey("sk_2", "acme", 1, 1)}, signalbox.PutSubjectKey{Key: subjectKey("sk_3", "acme", 2, 1)})
		check(3, 0)
		act(t, s, 1, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		check(1, 2)
	},
	"putting a key again changes nothing, even one that was destroyed": func(t *testing.T, s Store) {
		k := subjectKey("sk_1", "acme", 1, 0)
		other := k
		other.Wrapped, other.Tenant = []byte("other"), "globex"
		act(t, s, 0, signalbox.PutSubjectKey{Key: k}, signalbox.PutSubjectKey{Key: other})
		keys := subjects(t, s)
		checkKeys(t, must[[]signalbox.SubjectKey](t)(keys.SubjectKeys(t.Context(), "", 9)), k)
		act(t, s, 1, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		act(t, s, 2, signalbox.PutSubjectKey{Key: k})
		k.Wrapped, k.Gone = nil, start
		checkKeys(t, must[[]signalbox.SubjectKey](t)(keys.SubjectKeys(t.Context(), "", 9)), k)
	},
	"destroyed once, and nobody else": func(t *testing.T, s Store) {
		a, b := subjectKey("sk_1", "acme", 1, 0), subjectKey("sk_2", "acme", 1, 1)
		c, d := subjectKey("sk_3", "acme", 2, 2), subjectKey("sk_4", "globex", 1, 3)
		act(t, s, 0, signalbox.PutSubjectKey{Key: a}, signalbox.PutSubjectKey{Key: b}, signalbox.PutSubjectKey{Key: c}, signalbox.PutSubjectKey{Key: d})
		act(t, s, 1, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start.Add(time.Hour)})
		act(t, s, 2, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start.Add(2 * time.Hour)})
		a.Wrapped, a.Gone, b.Wrapped, b.Gone = nil, start.Add(time.Hour), nil, start.Add(time.Hour)
		s = s.Reopen()
		checkKeys(t, must[[]signalbox.SubjectKey](t)(subjects(t, s).SubjectKeys(t.Context(), "", 9)), a, b, c, d)
	},
	"wrapped anew, but not what was destroyed": func(t *testing.T, s Store) {
		a, b := subjectKey("sk_1", "acme", 1, 0), subjectKey("sk_2", "acme", 2, 1)
		act(t, s, 0, signalbox.PutSubjectKey{Key: a}, signalbox.PutSubjectKey{Key: b},
			signalbox.DestroySubject{Tenant: "acme", Subject: subject(2), At: start})
		wrapped := bytes.Repeat([]byte{7}, 60)
		for i, id := range []string{"sk_1", "sk_2", "sk_3"} {
			act(t, s, int64(1+i), signalbox.RewrapSubjectKey{ID: id, Wrapped: wrapped, Master: "fedcba9876543210"})
		}
		a.Wrapped, a.Master, b.Wrapped, b.Gone = wrapped, "fedcba9876543210", nil, start
		checkKeys(t, must[[]signalbox.SubjectKey](t)(subjects(t, s).SubjectKeys(t.Context(), "", 9)), a, b)
	},
	"a batch that fails leaves no key": func(t *testing.T, s Store) {
		act(t, s, 0)
		e := entries(1, 1)
		e[0].Effects = []signalbox.Effect{signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)}}
		tiles := []signalbox.Tile{tile(0, 0), tile(0, 0)}
		if err := s.Log.Commit(t.Context(), signalbox.Batch{Entries: e, Tiles: tiles}); err == nil {
			t.Fatal("a tile was written twice")
		}
		_, err := subjects(t, s).SubjectKey(t.Context(), "sk_1")
		refuses(t, err, signalbox.CodeNotFound)
	},
}
