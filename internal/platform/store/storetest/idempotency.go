package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// Idempotency is the part of a store that keeps which calls have used idempotency keys. The log's Commit writes it.
type Idempotency interface {
	Idempotency(ctx context.Context, slot [32]byte) (signalbox.Idempotency, bool, error)
	ForgetIdempotency(ctx context.Context, before time.Time, limit int) (int, error)
}

func idempotency(t *testing.T, s Store) Idempotency {
	t.Helper()
	d, ok := s.Log.(Idempotency)
	if !ok {
		t.Fatalf("%T keeps no idempotency keys", s.Log)
	}
	return d
}

// used is the use of a key with every field set.
func used(n int) signalbox.Idempotency {
	return signalbox.Idempotency{
		Slot: [32]byte{byte(n), 0, 0xff}, Tenant: "acme", Hash: [32]byte{byte(n), 31: 0xff}, Call: "call_1", Approval: "appr_1",
		State: signalbox.IdempotencyKept, Begun: at(n), Ended: at(n + 1), Expires: at(n + 100),
		Content: &signalbox.Sealed{Key: "sk_1", Data: []byte{0, 0xff, '{', byte(n)}},
	}
}

// using is a use whose call has not ended.
func using(n int) signalbox.Idempotency {
	u := used(n)
	u.State, u.Ended, u.Approval, u.Content = signalbox.IdempotencyRunning, time.Time{}, "", nil
	return u
}

func putUses(t *testing.T, s Store, all ...signalbox.Idempotency) {
	t.Helper()
	for _, u := range all {
		commit(t, s, signalbox.PutIdempotency{Idempotency: u})
	}
}

func checkUse(t *testing.T, s Store, want signalbox.Idempotency) {
	t.Helper()
	got, found, err := idempotency(t, s).Idempotency(t.Context(), want.Slot)
	if ok(t, err); !found {
		t.Fatalf("the use of %x is not there", want.Slot[:3])
	}
	same(t, got, want)
}

func checkFree(t *testing.T, s Store, n int) {
	t.Helper()
	got, found, err := idempotency(t, s).Idempotency(t.Context(), used(n).Slot)
	if ok(t, err); found {
		t.Fatalf("got %+v, want a key that is free", got)
	}
}

var idempotencyTests = map[string]func(*testing.T, Store){
	"kept whole, found, replaced": func(t *testing.T, s Store) {
		complete(t, used(1))
		commit(t, s, signalbox.PutIdempotency{Idempotency: used(1)}, signalbox.PutIdempotency{Idempotency: using(2)})
		s = s.Reopen()
		checkUse(t, s, used(1))
		checkUse(t, s, using(2))
		checkFree(t, s, 3)
		putUses(t, s, used(2), using(1))
		checkUse(t, s, using(1))
		checkUse(t, s, used(2))
	},
	"one transaction can begin and end it": func(t *testing.T, s Store) {
		commit(t, s, signalbox.PutIdempotency{Idempotency: using(1)}, signalbox.PutIdempotency{Idempotency: used(1)},
			signalbox.PutIdempotency{Idempotency: using(2)}, signalbox.DropIdempotency{Slot: using(2).Slot, Call: "call_1"})
		checkUse(t, s, used(1))
		checkFree(t, s, 2)
	},
	"only the call that uses it frees it": func(t *testing.T, s Store) {
		putUses(t, s, using(1))
		commit(t, s, signalbox.DropIdempotency{Slot: using(1).Slot, Call: "call_2"}, signalbox.DropIdempotency{Slot: using(2).Slot, Call: "call_1"})
		checkUse(t, s, using(1))
		commit(t, s, signalbox.DropIdempotency{Slot: using(1).Slot, Call: "call_1"})
		checkFree(t, s, 1)
	},
	"times are whole microseconds": func(t *testing.T, s Store) {
		u := used(1)
		u.Begun = at(1).Add(999).In(time.FixedZone("there", 3600))
		putUses(t, s, u)
		checkUse(t, s, used(1))
	},
	"those that have expired are forgotten": func(t *testing.T, s Store) {
		forget := func(before time.Time, limit, want int) {
			t.Helper()
			same(t, must[int](t)(idempotency(t, s).ForgetIdempotency(t.Context(), before, limit)), want)
		}
		putUses(t, s, used(1), using(2), used(3))
		forget(at(101), 10, 0)
		forget(at(103), 1, 1)
		forget(at(103), 10, 1)
		forget(at(103), 10, 0)
		checkUse(t, s, used(3))
		checkFree(t, s, 1)
		checkFree(t, s, 2)
	},
	"what an erased subject's keys seal is removed, and what was asked for with it": func(t *testing.T, s Store) {
		commit(t, s, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)}, signalbox.PutSubjectKey{Key: subjectKey("sk_2", "acme", 2, 1)})
		ended, other := used(1), used(2)
		other.Content.Key = "sk_2"
		putUses(t, s, ended, other, using(3))
		commit(t, s, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		s = s.Reopen()
		ended.Content, ended.Hash = nil, [32]byte{}
		for _, u := range []signalbox.Idempotency{ended, other, using(3)} {
			checkUse(t, s, u)
		}
	},
}
