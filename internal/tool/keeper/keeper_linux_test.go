package keeper

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// role makes the test binary play a child instead of running tests.
const role = "SIGNALBOX_TEST_ROLE"

func TestMain(m *testing.M) {
	if r := os.Getenv(role); r != "" {
		play(r)
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // Else every child with the race detector takes a second to end.
	goleak.VerifyTestMain(m)
}

func play(name string) {
	switch name {
	case "spin":
		for n := 0; n >= 0; n = (n + 1) & 0xff { // Until it is killed.
		}
	case "eat":
		var all [][]byte
		for range 4096 {
			all = append(all, bytes.Repeat([]byte{1}, 1<<20))
		}
		runtime.KeepAlive(all)
	case "open":
		n := 0
		for {
			if _, err := os.Open(os.DevNull); err != nil {
				break
			}
			n++
		}
		fmt.Println(n)
	case "fork":
		for range 20 {
			again("sleep", nil)
		}
		forever()
	case "escape": // A descendant in a session of its own, whose parent ends at once, and that ignores every polite signal.
		again("stubborn", &syscall.SysProcAttr{Setsid: true})
		if os.Getenv("STAY") != "" {
			forever()
		}
	case "stubborn":
		ignoreAll()
		writePID()
		forever()
	case "own": // Plays Signalbox.
		p := mustStart(nil, "escape", Limits{}, "STAY=1")
		fmt.Println(p.cmd.Process.Pid)
		forever()
	default:
		forever()
	}
}

// forever never returns. A runtime without cgo would take a bare select for a deadlock and end the child.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

// again starts the test binary in another role.
func again(r string, attr *syscall.SysProcAttr) {
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), role+"="+r), attr
	if err := cmd.Start(); err != nil {
		os.Exit(4)
	}
}

func writePID() {
	file := os.Getenv("PID_FILE")
	if err := os.WriteFile(file+".new", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		os.Exit(5)
	}
	if err := os.Rename(file+".new", file); err != nil {
		os.Exit(6)
	}
}

// mustStart starts the test binary as a child.
func mustStart(out *os.File, r string, l Limits, env ...string) *Process {
	p, err := Start(Spec{
		Name: "test", Command: []string{os.Args[0], "an argument"}, Limits: l, Stdout: out,
		Env: append(append(os.Environ(), env...), role+"="+r),
	})
	if err != nil {
		panic(err)
	}
	return p
}

// ends waits for the end of a child.
func ends(t *testing.T, p *Process) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(time.Minute):
		p.Kill()
		t.Fatal("the child does not end")
	}
}

func TestLimits(t *testing.T) {
	cases := []struct {
		role   string
		limits Limits
		reason string
	}{
		{"spin", Limits{CPU: time.Second}, "it has used up its 1s of CPU time"},
		{"eat", Limits{Memory: 512 << 20}, "exit status"},
		{"fork", Limits{Processes: 10}, "processes, and may have 10"},
	}
	for _, c := range cases {
		t.Run(c.role, func(t *testing.T) {
			t.Parallel()
			p := mustStart(nil, c.role, c.limits)
			ends(t, p)
			if p.Reason() == nil || !strings.Contains(p.Reason().Error(), c.reason) {
				t.Errorf("got %v, want %q", p.Reason(), c.reason)
			}
		})
	}
	t.Run("files", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := mustStart(w, "open", Limits{Files: 40})
		w.Close()
		text, err := io.ReadAll(r)
		r.Close()
		ends(t, p)
		n, errNumber := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || errNumber != nil || n < 20 || n > 40 || p.Reason() != nil {
			t.Errorf("opened %q files (%v, %v), ended by %v", text, err, errNumber, p.Reason())
		}
	})
}

func TestLimitsAreLoweredOnly(t *testing.T) {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	if err := lower(syscall.RLIMIT_NOFILE, now.Max+1, now.Max+1); err != nil {
		t.Fatal(err)
	}
	var then syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &then); err != nil || then.Max != now.Max {
		t.Errorf("got %+v (%v), want the hard limit %d", then, err, now.Max)
	}
}

func TestHowAChildEnds(t *testing.T) {
	t.Run("a program that is none", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(file, []byte("no program"), 0o700); err != nil {
			t.Fatal(err)
		}
		p, err := Start(Spec{Name: "test", Command: []string{file}})
		if err != nil {
			t.Fatal(err)
		}
		ends(t, p)
		if p.Reason() == nil || !strings.Contains(p.Reason().Error(), "exec format error") {
			t.Errorf("got %v", p.Reason())
		}
	})
	t.Run("a program that nobody has", func(t *testing.T) {
		if _, err := Start(Spec{Name: "test", Command: []string{"signalbox-no-such-program"}}); err == nil {
			t.Error("it was started")
		}
	})
	t.Run("terminated", func(t *testing.T) {
		p := mustStart(nil, "sleep", Limits{})
		for range 500 { // A keeper that has not begun yet may miss one.
			p.Terminate()
			select {
			case <-p.Exited():
			case <-time.After(20 * time.Millisecond):
				continue
			}
			break
		}
		ends(t, p)
		if p.Reason() == nil {
			t.Error("it ended by itself")
		}
	})
	t.Run("killed", func(t *testing.T) {
		p := mustStart(nil, "sleep", Limits{})
		p.Kill()
		p.Kill() // Twice is fine.
		ends(t, p)
	})
}

// A descendant that has left the child's session, and lost its parent, is gone with the child, however the child ends.
func TestNobodyEscapes(t *testing.T) {
	for name, end := range map[string]func(p *Process){
		"when the child ends by itself": func(*Process) {},
		"when it is killed":             func(p *Process) { p.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			env := []string{"PID_FILE=" + file}
			if name == "when it is killed" {
				env = append(env, "STAY=1")
			}
			p := mustStart(nil, "escape", Limits{}, env...)
			if len(env) > 1 {
				readPID(t, file)
			}
			end(p)
			ends(t, p)
			if data, err := os.ReadFile(file); err == nil {
				pid, _ := strconv.Atoi(string(data))
				mustBeGone(t, pid)
			}
		})
	}
	t.Run("when the keeper is killed", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "pid")
		p := mustStart(nil, "escape", Limits{}, "PID_FILE="+file, "STAY=1")
		grandchild := readPID(t, file)
		if err := syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		ends(t, p)
		if p.Reason() == nil || !strings.Contains(p.Reason().Error(), "keeper") {
			t.Errorf("got %v", p.Reason())
		}
		mustBeGone(t, grandchild)
	})
}

// When Signalbox is killed, so is everything that it has started.
func TestNobodyOutlivesSignalbox(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"=own", "PID_FILE="+file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var keeper int
	if _, err := fmt.Fscan(out, &keeper); err != nil {
		t.Fatal(err)
	}
	escaped := readPID(t, file)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // It was killed.
	mustBeGone(t, escaped)
	mustBeGone(t, keeper)
}

func readPID(t *testing.T, file string) int {
	t.Helper()
	for range 3000 {
		if data, err := os.ReadFile(file); err == nil {
			pid, err := strconv.Atoi(string(data))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the descendant does not start")
	return 0
}

// mustBeGone waits for the end of a process; an orphan that nobody has reaped yet has ended.
func mustBeGone(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		if _, over, ok := parentOf(pid); !ok || over {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the process %d lives on", pid)
}

func ignoreAll() { signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) }
