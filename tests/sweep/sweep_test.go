// Package sweep breaks one append of the real binary at every system call that it makes: the call fails with EIO or
// ENOSPC, or the process is killed as it enters it. After each, the log verifies and has everything that was acknowledged.
//
// strace counts calls by thread, so a point is tried with appends until it was hit.
package sweep

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/disk"
	"github.com/signalbox/signalbox/tests/harness"
)

// defaultPoints is the short form: how many calls of each kind are broken. SIGNALBOX_SWEEP sets another number for the
// long one; an append makes up to 16 writes.
const defaultPoints = 2

const (
	tries       = 30 // Appends until a point must have been hit.
	ackedBefore = 3  // Appends before each point.
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func points(t *testing.T) int {
	text := os.Getenv("SIGNALBOX_SWEEP")
	if text == "" {
		return defaultPoints
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_SWEEP=%q is not a number of system calls", text)
	}
	return n
}

// sweep is a log that outlives the processes that write it.
type sweep struct {
	options harness.Options
	i       *harness.Instance
	acked   []string
	deaths  int
}

func TestEveryCallOfAnAppend(t *testing.T) {
	s := &sweep{options: harness.Options{Dir: t.TempDir()}}
	t.Cleanup(func() {
		if s.i != nil {
			s.i.Kill()
		}
	})
	hit := 0
	for _, calls := range []string{"pwrite64", "fsync,fdatasync"} {
		for _, how := range []string{"error=EIO", "error=ENOSPC", "signal=KILL"} {
			for n := range points(t) {
				t.Run(fmt.Sprintf("%s %s %d", calls, how, n+1), func(t *testing.T) {
					s.point(t, calls, how, n+1)
					hit++
				})
			}
		}
	}
	s.start(t)
	s.i.Complete(t)
	s.kept(t)
	t.Logf("%d points, %d calls acknowledged, the process ended %d times", hit, len(s.acked), s.deaths)
}

func (s *sweep) start(t *testing.T) {
	t.Helper()
	if s.i != nil {
		select {
		case <-s.i.Exited():
		default:
			return
		}
	}
	var err error
	if s.i, err = harness.Launch(s.options); err != nil {
		t.Fatal(err)
	}
}

// point breaks one system call and checks what is left.
func (s *sweep) point(t *testing.T, calls, how string, n int) {
	t.Helper()
	s.start(t)
	for range ackedBefore {
		s.call(t)
	}
	fault := disk.Inject(t, s.i.PID(), disk.Fault{
		Calls: calls, How: how + ":when=" + strconv.Itoa(n), Path: filepath.Join(s.options.Dir, "signalbox.db-wal"),
	})
	s.append(t, fault, how)
	fault.End()
	syncs := calls != "pwrite64"
	if how == "signal=KILL" || syncs { // After a failed sync the process must not go on.
		harness.Eventually(t, func() error {
			select {
			case <-s.i.Exited():
				return nil
			default:
				return fmt.Errorf("the process goes on: %s", s.i.Stderr())
			}
		})
		s.deaths++
	}
	r := harness.Run(t, s.options.Dir, nil, "audit", "verify", "--database", "sqlite:"+filepath.Join(s.options.Dir, "signalbox.db"))
	if r.Code != 0 {
		t.Fatalf("the log does not verify (%d): %s%s", r.Code, r.Stdout, r.Stderr)
	}
	s.start(t)
	s.kept(t)
}

// append makes calls until the fault was met.
func (s *sweep) append(t *testing.T, fault *disk.Injection, how string) {
	t.Helper()
	for range tries {
		err := s.call(t)
		met := strings.Contains(strings.Join(fault.Calls(), "\n"), "(INJECTED)")
		if met || err != nil && how == "signal=KILL" {
			return
		}
		if err != nil {
			t.Fatalf("the connection broke: %v", err)
		}
	}
	t.Fatalf("the fault was never met in %d calls", tries)
}

// call makes a call, which is served or refused; an error is a connection that broke.
func (s *sweep) call(t *testing.T) error {
	t.Helper()
	a, err := s.i.TrySend(http.MethodPost, "/v1/chat/completions", harness.Agent,
		`{"model":"sim","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`)
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusOK && a.Broken == nil:
		s.acked = append(s.acked, a.Header.Get("X-Signalbox-Call"))
	case a.Status != http.StatusServiceUnavailable:
		t.Fatalf("a call ends with %d: %s", a.Status, a.Body)
	}
	return nil
}

// kept checks that everything that was acknowledged is in the log.
func (s *sweep) kept(t *testing.T) {
	t.Helper()
	found := map[string]bool{}
	for _, r := range s.i.Log(t) {
		if r.CallID != nil && r.Outcome != nil && *r.Outcome == signalbox.OutcomeOK {
			found[*r.CallID] = true
		}
	}
	for _, id := range s.acked {
		if !found[id] {
			t.Errorf("call %s was acknowledged and is lost", id)
		}
	}
}
