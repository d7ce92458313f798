package server

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// keyStore is a database of which only the keys are used; its log is one record for each batch.
type keyStore struct {
	*sqlite.DB
	t       *testing.T
	next    int64
	records []signalbox.Record
	fails   int // Appends that work before one fails; negative: none fails.
}

var errCut = errors.New("cut off")

func (k *keyStore) append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	if k.fails == 0 {
		return 0, errCut
	}
	k.fails--
	k.records = append(k.records, r)
	k.next++
	return k.next - 1, k.Commit(ctx, signalbox.Batch{Entries: []signalbox.Entry{{
		Index: k.next - 1, Time: r.Time, Type: r.Type, Content: []byte("{}"), Leaf: [32]byte{1}, Effects: effects,
	}}})
}

func (k *keyStore) masters() map[string]int {
	k.t.Helper()
	keys, err := k.SubjectKeys(k.t.Context(), "", 10_000)
	if err != nil {
		k.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, key := range keys {
		if key.Wrapped != nil {
			counts[key.Master]++
		}
	}
	return counts
}

func newMaster(t *testing.T, b byte) *seal.Master {
	t.Helper()
	m, err := seal.NewMaster([seal.KeySize]byte{b})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (k *keyStore) vault(master *seal.Master, previous ...*seal.Master) *seal.Vault {
	k.t.Helper()
	v, err := seal.Open(k.t.Context(), seal.Options{Master: master, Previous: previous, Keys: k, Now: time.Now})
	if err != nil {
		k.t.Fatal(err)
	}
	return v
}

// TestARotationThatIsCutOffGoesOn fails in the middle of a rotation, and once more, and checks that the keys open what
// they have sealed, whichever master key wraps them, and that a destroyed key stays so.
func TestARotationThatIsCutOffGoesOn(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	k, first, second := &keyStore{DB: db, t: t, fails: -1}, newMaster(t, 1), newMaster(t, 2)
	old := k.vault(first)
	const people = 2*rewrapBatch + 10
	var sealed []signalbox.Entry
	for n := range people {
		r := signalbox.Record{Type: signalbox.RecordIntent, Call: "call", Time: time.Now(), Who: signalbox.Who{
			TenantID: "acme", UserID: string(rune('a'+n%26)) + time.Duration(n).String(),
		}}
		e, err := old.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.append(t.Context(), r, e.Effects...); err != nil {
			t.Fatal(err)
		}
		old.Committed(signalbox.Batch{Entries: []signalbox.Entry{e}})
		sealed = append(sealed, e)
	}
	gone := signalbox.DestroySubject{Tenant: "acme", Subject: old.Subject("acme", "a0s"), At: time.Now()}
	if _, err := k.append(t.Context(), signalbox.Record{}, gone); err != nil {
		t.Fatal(err)
	}
	for _, want := range []map[string]int{
		// The index key is one more, and of the first batch one is destroyed.
		{first.ID(): people - rewrapBatch + 1, second.ID(): rewrapBatch - 1},
		{first.ID(): people - 2*rewrapBatch + 1, second.ID(): 2*rewrapBatch - 1},
		{second.ID(): people},
	} {
		k.fails, k.records = 1, nil
		if want[first.ID()] == 0 {
			k.fails = -1
		}
		done, err := rotation{k, k.vault(second, first), k.append, time.Now, "local"}.run(t.Context())
		if (k.fails == 0) != errors.Is(err, errCut) {
			t.Fatalf("the rotation ends with %v after %+v", err, done)
		}
		if got := k.masters(); got[first.ID()] != want[first.ID()] || got[second.ID()] != want[second.ID()] {
			t.Errorf("keys are wrapped by %v, want %v", got, want)
		}
	}
	last := k.records[len(k.records)-1].What
	if last.Action != signalbox.ActionMasterKeyRotated || last.Detail["complete"] != "true" || last.Detail["master"] != second.ID() {
		t.Errorf("the last record says %+v", last)
	}
	fresh := k.vault(second)
	for n, e := range sealed {
		r, err := fresh.Decode(e)
		if err != nil || (r.Content == signalbox.ContentErased) != (n == 0) || (r.Who.UserID == "") != (n == 0) {
			t.Fatalf("record %d is %+v, %v", n, r, err)
		}
	}
	k.records = nil
	if done, err := (rotation{k, fresh, k.append, time.Now, "local"}).run(t.Context()); err != nil || done.Keys != 0 || len(k.records) != 0 {
		t.Errorf("once more gives %+v, %v and %d records", done, err, len(k.records))
	}
}
