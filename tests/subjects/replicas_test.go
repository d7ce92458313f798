package subjects

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

const replicas = `tenants:
  - id: acme
` + harness.Simulated

// forgetting is how long another replica may still show what was erased.
const forgetting = 2 * time.Second

// TestReplicasForget erases somebody on one of two replicas that share a PostgreSQL. Both have made keys and have read
// what they sealed.
func TestReplicasForget(t *testing.T) {
	f := fleet.Launch(t, fleet.Base+replicas, postgrestest.Database(t), 2)
	about(t, f, 20, "X-Signalbox-User", anna, annaCanary)
	about(t, f, 20, "X-Signalbox-Subject", ben, benCanary)
	for n := range f.Size() {
		harness.Eventually(t, func() error { return says(t, f.At(n), annaCanary, 40) })
		harness.Eventually(t, func() error {
			if all := users(t, f.At(n)); len(all) != 40 {
				return fmt.Errorf("%d calls are listed", len(all))
			}
			return nil
		})
	}
	done, since := erase(t, f.At(0), anna), time.Now()
	if done.KeysDestroyed == 0 || !done.Complete || done.Record == nil {
		t.Errorf("the erasure says %+v", done)
	}
	harness.Eventually(t, func() error { return says(t, f.At(1), annaCanary, 0) })
	if took := time.Since(since); took > forgetting {
		t.Errorf("the other replica has forgotten after %s, want %s", took, forgetting)
	}
	for n := range f.Size() {
		i := f.At(n)
		for _, err := range []error{says(t, i, annaCanary, 0), says(t, i, anna, 0), says(t, i, benCanary, 40)} {
			if err != nil {
				t.Errorf("replica %d: %v", n, err)
			}
		}
		for id, user := range users(t, i) {
			if user == anna {
				t.Errorf("replica %d lists call %s with the name of the erased", n, id)
			}
		}
		if records, total := export(t, i, anna); len(records) != 0 || len(total.Evidence) != 1 {
			t.Errorf("replica %d: the export has %d records and ends with %+v", n, len(records), total)
		}
		if records, _ := export(t, i, ben); len(records) != 40 {
			t.Errorf("replica %d: the export has %d records, want 40", n, len(records))
		}
	}
	about(t, f, 4, "X-Signalbox-User", anna, "back-again")
	for n := range f.Size() {
		harness.Eventually(t, func() error { return says(t, f.At(n), "back-again", 8) })
	}
	if again := erase(t, f.At(1), anna); again.KeysDestroyed == 0 {
		t.Errorf("what came after the erasure was not erased by the next: %+v", again)
	}
	verified(t, f.At(1))
}

// says counts the records that hold the text and are no evidence.
func says(t *testing.T, i *harness.Instance, text string, want int) error {
	t.Helper()
	n := 0
	for _, r := range holding(t, i, text) {
		if r.Type != signalbox.RecordAdmin {
			n++
		}
	}
	if n != want {
		return fmt.Errorf("%d records say %s, want %d", n, text, want)
	}
	return nil
}
