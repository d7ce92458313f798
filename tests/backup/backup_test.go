// Package backup is the drill: databases are backed up while they are served, restored elsewhere, verified, and served
// again. What must not work is tried too: restoring what is damaged, overwriting what is there, and putting an old copy in
// the place of a newer database unnoticed.
package backup

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const body = `{"model":"sim","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`

// cutOff is what the verifier says about a log that is older than a checkpoint.
const cutOff = "the log ends before this record: records were cut off"

// sender is where calls go: an instance, or a fleet of them.
type sender interface {
	Send(t testing.TB, method, path, key, body string, header ...string) harness.Answer
}

// call makes a call that must be served, and gives its id.
func call(t testing.TB, s sender) string {
	t.Helper()
	a := s.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, body)
	if a.Status != http.StatusOK {
		t.Fatalf("a call ends with %d: %s", a.Status, a.Body)
	}
	return a.Header.Get("X-Signalbox-Call")
}

// load is callers that go on until they are told to end.
type load struct {
	served, failed atomic.Int64
	quit           chan struct{}
	all            sync.WaitGroup
}

func startLoad(i *harness.Instance) *load {
	l := &load{quit: make(chan struct{})}
	for range 4 {
		l.all.Go(func() {
			for {
				select {
				case <-l.quit:
					return
				default:
				}
				if a, err := i.TrySend(http.MethodPost, "/v1/chat/completions", harness.Agent, body); err == nil && a.Status == http.StatusOK {
					l.served.Add(1)
				} else {
					l.failed.Add(1)
				}
			}
		})
	}
	return l
}

// more waits until that many further calls have been served.
func (l *load) more(t testing.TB, n int64) {
	t.Helper()
	want := l.served.Load() + n
	harness.Eventually(t, func() error {
		if got := l.served.Load(); got < want {
			return fmt.Errorf("%d calls were served, want %d", got, want)
		}
		return nil
	})
}

func (l *load) end(t testing.TB) {
	t.Helper()
	close(l.quit)
	l.all.Wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d calls failed beside the backup", n, n+l.served.Load())
	}
}

// yes runs a command that must end well, and gives what it prints.
func yes(t testing.TB, dir string, args ...string) string {
	t.Helper()
	r := harness.Run(t, dir, nil, args...)
	if r.Code != 0 {
		t.Fatalf("signalbox %s ends with %d: %s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// no runs a command that must end with a code and say why.
func no(t testing.TB, code int, why string, args ...string) {
	t.Helper()
	r := harness.Run(t, t.TempDir(), nil, args...)
	if r.Code != code || !strings.Contains(r.Stdout+r.Stderr, why) {
		t.Errorf("signalbox %s ends with %d, want %d and %q: %s%s", strings.Join(args, " "), r.Code, code, why, r.Stdout, r.Stderr)
	}
}

// newestCheckpoint saves the newest checkpoint once it covers the whole log, as an outsider would.
func newestCheckpoint(t testing.TB, i *harness.Instance) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "checkpoint")
	size := int64(len(i.Log(t)))
	harness.Eventually(t, func() error {
		a, err := i.TrySend(http.MethodGet, "/audit/checkpoint", harness.Auditor, "")
		if err != nil {
			return err
		}
		var origin string
		var covered int64
		if _, err := fmt.Sscanf(a.Body, "%s\n%d\n", &origin, &covered); err != nil {
			return err
		}
		if covered < size {
			return fmt.Errorf("the checkpoint covers %d of %d records", covered, size)
		}
		return os.WriteFile(name, []byte(a.Body), 0o600)
	})
	return name
}

// keys copies what is beside a database and not in a backup: its keys.
func keys(t testing.TB, from, to string) {
	t.Helper()
	names, err := filepath.Glob(from + ".*")
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	for _, name := range names {
		suffix := strings.TrimPrefix(name, from)
		if strings.HasPrefix(suffix, ".views") || suffix == ".lock" {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
		copied++
	}
	if copied < 2 {
		t.Fatalf("there are no keys beside %s: %v", filepath.Base(from), names)
	}
}

// continues makes calls on a restored copy and checks that they continue its tree: what the backup held is there, what
// came is there, and all of it verifies.
func continues(t testing.TB, i *harness.Instance, before, after string) {
	t.Helper()
	last := call(t, i)
	harness.Eventually(t, func() error {
		var o api.Overview
		if err := i.TryGet("/overview", nil, &o); err != nil {
			return err
		}
		if o.Running > 0 {
			return fmt.Errorf("%d calls that were under way at the backup have no end yet", o.Running)
		}
		return nil
	})
	i.Complete(t)
	found := map[string]bool{}
	for _, r := range i.Log(t) {
		if r.CallID != nil && r.Type == signalbox.RecordOutcome {
			found[*r.CallID] = true
		}
	}
	if !found[before] || found[after] || !found[last] {
		t.Errorf("the copy has the call before the backup: %t, the one after it: %t, the one since: %t", found[before], found[after], found[last])
	}
}

// leftNothing checks that a refused copy has left no file.
func leftNothing(t testing.TB, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) > 0 {
		t.Errorf("there are files left: %v (%v)", names, err)
	}
}
