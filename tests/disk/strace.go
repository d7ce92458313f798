package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long strace may take to attach itself on a busy machine.
const patience = 30 * time.Second

// goodBye is how long strace may take to let a process go.
const goodBye = 2 * time.Second

// Fault says which system calls of a process fail, and how.
type Fault struct {
	Calls string // By name, with commas between them, such as "fsync,fdatasync".
	How   string // As strace's -e inject has it after the colon, such as "error=EIO" or "delay_enter=3000000".
	Path  string // Only calls on this file; "" is all of them.
}

// Injection is a fault in force.
type Injection struct {
	t       testing.TB
	command *exec.Cmd
	log     string
	stderr  *text
	done    chan struct{}
	once    sync.Once
}

// text collects what a process writes.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to it.
func (o *text) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String gives all of it so far.
func (o *text) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Strace gives the path of strace, or ends the test with what to do.
func Strace(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("strace is missing (%v): run `make setup` as root, or install the package strace", err)
	}
	return path
}

// Inject puts a fault in force in a running process, in all of its threads. It is over with [Injection.End], at the
// latest at the end of the test.
func Inject(t testing.TB, pid int, f Fault) *Injection {
	t.Helper()
	i := &Injection{t: t, log: filepath.Join(t.TempDir(), "strace"), stderr: &text{}, done: make(chan struct{})}
	args := []string{"-f", "-o", i.log, "-e", "trace=" + f.Calls, "-e", "inject=" + f.Calls + ":" + f.How}
	if f.Path != "" {
		args = append(args, "-P", f.Path)
	}
	i.command = exec.Command(Strace(t), append(args, "-p", strconv.Itoa(pid))...)
	i.command.Stderr = i.stderr
	if err := i.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(i.done)
		i.command.Wait() // How it ended is no matter of the test.
	}()
	t.Cleanup(i.End)
	for begin := time.Now(); !strings.Contains(i.stderr.String(), "attached"); time.Sleep(5 * time.Millisecond) {
		select {
		case <-i.done:
			t.Fatalf("strace can not attach itself: %s; run the tests as root, in a container with the capability SYS_PTRACE", i.stderr)
		default:
		}
		if time.Since(begin) > patience {
			t.Fatalf("strace did not attach itself: %s", i.stderr)
		}
	}
	return i
}

// End lets the process go on without the fault.
func (i *Injection) End() {
	i.once.Do(func() {
		i.command.Process.Signal(syscall.SIGINT) // It may have ended with the process.
		select {
		case <-i.done:
		case <-time.After(goodBye): // It can miss the end of a process that it has killed itself.
			i.command.Process.Kill() // As above.
			<-i.done
		}
	})
}

// Calls gives the calls that were traced so far, one line each, in order. Threads that the end of the process met in a call
// which strace could not name any more ("???") did not get to make it.
func (i *Injection) Calls() []string {
	i.t.Helper()
	b, err := os.ReadFile(i.log)
	if err != nil {
		i.t.Fatal(err)
	}
	var calls []string
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "(") && !strings.Contains(line, "resumed>") && !strings.Contains(line, "???(") {
			calls = append(calls, strings.TrimSpace(line))
		}
	}
	return calls
}
