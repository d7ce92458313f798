package subjects

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/tests/harness"
)

// crowd is how many people there are: their keys take more than one batch of a rotation.
const crowd = 600

// masters counts the keys by the master key that wraps them.
func masters(t *testing.T, file string) map[string]int {
	t.Helper()
	db, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys, err := db.SubjectKeys(t.Context(), "", 2*crowd)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, k := range keys {
		counts[k.Master]++
	}
	return counts
}

// fill makes a call about each of the crowd.
func fill(t *testing.T, i *harness.Instance) {
	t.Helper()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := worker; n < crowd; n += 8 {
				body := `{"model":"sim","max_tokens":5,"messages":[{"role":"user","content":"` + annaCanary + `"}]}`
				a := i.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, body, "X-Signalbox-User", fmt.Sprintf("person-%d", n))
				if a.Status != http.StatusOK {
					t.Errorf("a call ends with %d: %s", a.Status, a.Body)
				}
			}
		})
	}
	all.Wait()
}

// TestMasterKeyIsRotatedOffline rotates while nobody serves, to and fro, is killed over it, and begins again.
func TestMasterKeyIsRotatedOffline(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	fill(t, i)
	i.Stop()
	kept, fresh := i.Database+".master", filepath.Join(i.Dir, "new.key")
	if r := rotate(t, i, kept, fresh); r.Code != 1 || !strings.Contains(r.Stderr, "new.key can not be read") {
		t.Errorf("without a new key: %d %s", r.Code, r.Stderr)
	}
	if r := rotate(t, i, kept, fresh, "--create"); r.Code != 0 {
		t.Fatalf("the rotation ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	cut := 0
	for round := range 6 {
		from, to := fresh, kept
		if round%2 == 1 {
			from, to = to, from
		}
		if killed(t, i, from, to, time.Duration(30+15*round)*time.Millisecond) {
			cut++
		}
		if r := rotate(t, i, from, to); r.Code != 0 {
			t.Fatalf("round %d: the rotation ends with %d: %s%s", round, r.Code, r.Stdout, r.Stderr)
		}
		if counts := masters(t, i.Database); len(counts) != 1 {
			t.Errorf("round %d: keys are wrapped by %v", round, counts)
		}
	}
	t.Logf("%d rotations were killed in the middle", cut)
	if _, err := harness.Launch(harness.Options{Dir: i.Dir}); err == nil || !strings.Contains(err.Error(), "audit.master_key") {
		t.Errorf("a start with the other key ends with %v", err)
	}
	if err := os.Rename(fresh, kept); err != nil {
		t.Fatal(err)
	}
	readable(t, harness.Start(t, harness.Options{Dir: i.Dir}))
}

func rotate(t *testing.T, i *harness.Instance, from, to string, more ...string) harness.Result {
	t.Helper()
	return harness.Run(t, i.Dir, nil, append([]string{
		"audit", "rotate-master", "--database", "sqlite:" + i.Database, "--old", from, "--new", to,
	}, more...)...)
}

// killed begins a rotation and kills it after that time. It reports whether some keys were wrapped anew, and not all.
func killed(t *testing.T, i *harness.Instance, from, to string, after time.Duration) bool {
	t.Helper()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "audit", "rotate-master", "--database", "sqlite:"+i.Database, "--old", from, "--new", to)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = command.Process.Kill() // It may have ended already.
	_ = command.Wait()         // As above.
	return len(masters(t, i.Database)) > 1
}

// readable checks that every text can be read, people are found by their names, and the log verifies.
func readable(t *testing.T, i *harness.Instance) {
	t.Helper()
	if got := len(holding(t, i, annaCanary)); got != 2*crowd {
		t.Errorf("%d records can be read, want %d", got, 2*crowd)
	}
	if records, _ := export(t, i, "person-7"); len(records) != 2 {
		t.Errorf("the export has %d records, want 2", len(records))
	}
	if done := erase(t, i, "person-8"); done.KeysDestroyed != 1 {
		t.Errorf("the erasure says %+v", done)
	}
	verified(t, i)
}

// TestMasterKeyIsRotatedOnline rotates by a configuration with both keys, and goes on without the old one.
func TestMasterKeyIsRotatedOnline(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	fill(t, i)
	i.Stop()
	old, fresh := i.Database+".master", filepath.Join(i.Dir, "new.key")
	other := harness.Start(t, harness.Options{}) // It makes a key of its own, for want of another way to make one.
	other.Stop()
	if err := os.Rename(other.Database+".master", fresh); err != nil {
		t.Fatal(err)
	}
	both := harness.Start(t, harness.Options{Dir: i.Dir, Config: harness.Simulated +
		fmt.Sprintf("audit: {master_key: %q, previous_master_keys: [%q]}\n", fresh, old)})
	harness.Eventually(t, func() error {
		for _, r := range both.Log(t) {
			if r.What.Action == signalbox.ActionMasterKeyRotated && r.What.Detail["complete"] == "true" {
				return nil
			}
		}
		return fmt.Errorf("no record says that all keys are wrapped anew")
	})
	both.Stop()
	if counts := masters(t, i.Database); len(counts) != 1 {
		t.Errorf("keys are wrapped by %v", counts)
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	alone := harness.Start(t, harness.Options{Dir: i.Dir, Config: harness.Simulated + fmt.Sprintf("audit: {master_key: %q}\n", fresh)})
	readable(t, alone)
}
