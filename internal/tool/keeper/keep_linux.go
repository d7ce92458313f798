package keeper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// countEvery is how often the processes of a tree are counted where their number is limited.
const countEvery = time.Second

// init turns the process into a keeper or launcher where it was started as one.
func init() {
	if len(os.Args) < 4 {
		return
	}
	switch os.Args[0] {
	case nameKeeper:
		keep(os.Args[2], os.Args[3], os.Args[4:])
		os.Exit(0) //nolint:forbidigo // A keeper is a program of its own.
	case nameLauncher:
		launch(os.Args[1], os.Args[2], os.Args[3:])
		os.Exit(127) //nolint:forbidigo // As above; a shell says so of a program that it can not execute.
	}
}

// keeper is what a keeper knows.
type keeper struct {
	child  int // Its process id.
	limits orders
	status *os.File
	once   sync.Once

	mu    sync.Mutex
	cause string // Why the child was killed; "" if not by a limit of the keeper's.
}

// keep is the whole life of a keeper.
func keep(text, path string, command []string) {
	// The child dies with the thread that has started it, so this one must live as long as the process.
	runtime.LockOSThread()
	unix.CloseOnExec(fdLifeline)
	unix.CloseOnExec(fdStatus)
	k := &keeper{status: os.NewFile(fdStatus, "status")}
	lifeline := os.NewFile(fdLifeline, "lifeline")
	signal.Ignore(unix.SIGINT, unix.SIGHUP, unix.SIGPIPE)
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, unix.SIGTERM)
	var err error
	if k.limits, err = parseOrders(text); err == nil {
		err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	if err == nil {
		err = k.start(text, path, command)
	}
	if err != nil {
		k.say(sayFailed, err.Error())
		k.say(sayEnded, "")
		return
	}
	go k.forward(terminate)
	go func() { // A lifeline that can not be read has ended.
		_, _ = io.Copy(io.Discard, lifeline)
		k.sweep()
	}()
	if k.limits.Processes > 0 {
		go k.count(k.limits.Processes)
	}
	k.wait()
}

// start starts the launcher, which becomes the child, and lets go of the child's files.
func (k *keeper) start(orders, path string, command []string) error {
	args := append([]string{nameLauncher, orders, path}, command...)
	pid, err := syscall.ForkExec(self, args, &syscall.ProcAttr{ //nolint:gosec // What to run is the operator's configuration.
		Env: os.Environ(), Files: []uintptr{0, 1, 2, fdStatus},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("start the launcher: %w", err)
	}
	k.child = pid
	k.say(sayStarted, fmt.Sprint(pid))
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		null = fdLifeline // Anything but the child's pipes: else nobody would see that the child has closed them.
	}
	for fd := range 3 {
		_ = unix.Dup3(null, fd, 0) // It can not fail for open files.
	}
	return nil
}

// wait reaps until there is no descendant any more.
func (k *keeper) wait() {
	how := ""
	for {
		var status unix.WaitStatus
		var used unix.Rusage
		pid, err := unix.Wait4(-1, &status, 0, &used)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // ECHILD: nobody is left.
			k.say(sayEnded, how)
			return
		case pid == k.child:
			how = k.how(status, used)
			go k.sweep() // What it leaves behind would hold its pipes and live on.
		}
	}
}

// how says in words how the child ended.
func (k *keeper) how(s unix.WaitStatus, used unix.Rusage) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	switch {
	case k.cause != "":
		return k.cause
	case s.Signaled() && k.limits.CPU > 0 && cpu >= k.limits.CPU:
		return fmt.Sprintf("it has used up its %s of CPU time", k.limits.CPU)
	case s.Signaled():
		return "signal: " + s.Signal().String()
	case s.ExitStatus() != 0:
		return fmt.Sprintf("exit status %d", s.ExitStatus())
	}
	return ""
}

// sweep kills all descendants, again and again: some may be about to have children. It ends with the process.
func (k *keeper) sweep() {
	k.once.Do(func() {
		for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
			for _, pid := range descendants() {
				_ = unix.Kill(pid, unix.SIGKILL) // ESRCH: it is gone.
			}
			time.Sleep(pause)
		}
	})
}

// forward hands the request to end on to the child's group.
func (k *keeper) forward(terminate <-chan os.Signal) {
	for range terminate {
		_ = unix.Kill(-k.child, unix.SIGTERM) // As above.
	}
}

// count kills a tree that has grown too large.
func (k *keeper) count(most int64) {
	for {
		time.Sleep(countEvery)
		if n := len(descendants()); int64(n) > most {
			k.mu.Lock()
			k.cause = fmt.Sprintf("it had %d processes, and may have %d", n, most)
			k.mu.Unlock()
			k.sweep()
		}
	}
}

// say tells Signalbox, if it is still there.
func (k *keeper) say(what, text string) { fmt.Fprintln(k.status, what+text) }
