package toolfaults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// KillsVariable sets how many children are killed in the long form; defaultKills is the short one.
const (
	KillsVariable = "SIGNALBOX_TOOL_KILLS"
	defaultKills  = 25
)

const (
	killServers = 16 // Children at once, each with a descendant that escapes.
	killClients = 8
)

func kills(t *testing.T) (n int, pace time.Duration) {
	t.Helper()
	text := os.Getenv(KillsVariable)
	if text == "" {
		return defaultKills, 80 * time.Millisecond
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of kills", KillsVariable, text)
	}
	return n, 800 * time.Millisecond // A child that dies more often than every ten seconds is made to wait by its backoff.
}

// tally is what callers saw.
type tally struct {
	mu     sync.Mutex
	seen   map[string]signalbox.Code // By call.
	served atomic.Int64
	failed atomic.Int64
}

// Children are killed under load: the child, its keeper, or what the child has started. Each call has one answer and one outcome,
// the same; afterwards as many processes, files and goroutines are there as before; and when Signalbox itself is killed, nobody is.
func TestKillsOfChildrenUnderLoad(t *testing.T) {
	n, pace := kills(t)
	mark := "kills-" + signalbox.NewID("m", time.Now())
	text := harness.Simulated + base
	for s := range killServers {
		text += fmt.Sprintf("  child%d: {command: [%q], env: {GORACE: \"atexit_sleep_ms=0\", %s: %s, %s: %q, DESCEND: \"yes\"}, price: {per_call: %s}, timeouts: {connect: 2m, total: 2m}, breaker: {failures: 0}}\n",
			s, os.Args[0], roleVariable, roleSteady, markVariable, mark, price)
	}
	dir := t.TempDir()
	w := world{Instance: harness.Start(t, harness.Options{Config: text, Dir: dir})}
	l := tally{seen: map[string]signalbox.Code{}}
	w.all(t)
	l.load(t, w, func() { time.Sleep(time.Second) }) // So that all pools are as full as they get.
	before := w.census(t, mark, nil)
	victims := map[string]int{}
	l.load(t, w, func() {
		for range n {
			time.Sleep(pace)
			victims[killOne(t, mark)]++
		}
	})
	w.all(t)
	after := w.census(t, mark, &before)
	t.Logf("%d kills (%v), %d calls served, %d failed; %s before, %s after", n, victims, l.served.Load(), l.failed.Load(), before, after)
	if l.served.Load() == 0 || l.failed.Load() == 0 {
		t.Error("the kills hit nothing, or everything: the test proves nothing")
	}
	w.Complete(t)
	l.check(t, w)

	w.Kill()
	harness.Eventually(t, func() error {
		if left := marked(mark); len(left) > 0 {
			return fmt.Errorf("%d processes outlive a killed Signalbox: %v", len(left), left)
		}
		return nil
	})
}

// all calls every server until it works.
func (w world) all(t *testing.T) {
	t.Helper()
	var group sync.WaitGroup
	for s := range killServers {
		group.Go(func() { w.recovers(t, fmt.Sprintf("child%d", s)) })
	}
	group.Wait()
}

// load calls servers while something is done.
func (l *tally) load(t *testing.T, w world, do func()) {
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range killClients {
		clients.Go(func() { l.run(t, w, stop) })
	}
	do()
	close(stop)
	clients.Wait()
}

// run calls servers until it is told to stop, and notes each answer.
func (l *tally) run(t *testing.T, w world, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		r, err := w.use(fmt.Sprintf("child%d", rand.IntN(killServers)), toolGood)
		if err != nil {
			t.Error(err)
			return
		}
		if r.code == "" {
			l.served.Add(1)
		} else {
			l.failed.Add(1)
			time.Sleep(50 * time.Millisecond) // A server in a pause refuses as fast as it is asked.
		}
		l.mu.Lock()
		l.seen[r.call()] = r.code
		l.mu.Unlock()
	}
}

// check finds each answer in the log.
func (l *tally) check(t *testing.T, w world) {
	t.Helper()
	for _, r := range w.Log(t) {
		if r.CallID == nil || r.Type != signalbox.RecordOutcome {
			continue
		}
		code, ours := l.seen[*r.CallID]
		if !ours {
			continue
		}
		delete(l.seen, *r.CallID)
		if r.Outcome == nil || (*r.Outcome == signalbox.OutcomeOK) != (code == "") {
			t.Errorf("call %s: the caller got %q, the record says %v", *r.CallID, code, r.Outcome)
		}
	}
	if len(l.seen) > 0 {
		t.Errorf("%d calls that were answered have no outcome", len(l.seen))
	}
}

// killOne kills a process of one of the children's, and says what it was: mostly the child itself.
func killOne(t *testing.T, mark string) string {
	t.Helper()
	kind := []string{roleSteady, roleSteady, roleSteady, nameKeeper, nameKeeper, roleDescendant}[rand.IntN(6)]
	for range 3000 {
		var of []process
		for _, p := range marked(mark) {
			if p.kind() == kind {
				of = append(of, p)
			}
		}
		if len(of) == 0 {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err := syscall.Kill(of[rand.IntN(len(of))].pid, syscall.SIGKILL); err == nil {
			return kind
		} else if !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
	t.Error("there is nobody to kill")
	return ""
}

// census is how much of everything there is.
type census struct {
	Keepers, Children int
	Files, Goroutines float64
}

func (c census) String() string {
	return fmt.Sprintf("%d keepers, %d children, %.0f files, %.0f goroutines", c.Keepers, c.Children, c.Files, c.Goroutines)
}

// slack is how many more files and goroutines there may be: pools of connections grow and shrink by themselves. One that is left
// at every kill is more.
const slack = 12

// census counts once everything has settled: one keeper and one child for each server, and no more files and goroutines than
// there were before, if that is given.
func (w world) census(t *testing.T, mark string, most *census) (c census) {
	t.Helper()
	harness.Eventually(t, func() error {
		harness.Disconnect()
		c = census{}
		for _, p := range marked(mark) {
			switch p.kind() {
			case nameKeeper:
				c.Keepers++
			case roleSteady:
				c.Children++
			}
		}
		c.Files, c.Goroutines = w.Metric(t, "process_open_fds"), w.Metric(t, "go_goroutines")
		if c.Keepers != killServers || c.Children != killServers {
			return fmt.Errorf("there are %s, want %d of each", c, killServers)
		}
		if most != nil && (c.Files > most.Files+slack || c.Goroutines > most.Goroutines+slack) {
			return fmt.Errorf("there are %s, and there were %s", c, most)
		}
		if a := w.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusOK {
			return fmt.Errorf("/readyz answers %d", a.Status)
		}
		return nil
	})
	return c
}
