package keeper

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// self is our own program, also after another one was put in its place.
const self = "/proc/self/exe"

// The names by which the binary is started in its other roles.
const (
	nameKeeper   = "signalbox-keeper"
	nameLauncher = "signalbox-launcher"
)

// DefaultFiles is a limit of open files that suits most programs; 0 where there are no limits.
const DefaultFiles = 1024

// Files of a keeper besides the standard ones.
const (
	fdLifeline = 3 // To read: ends when the child must.
	fdStatus   = 4 // To write: what a keeper says, a line each.
)

// What a keeper says, each with a text behind it.
const (
	sayStarted = "started " // The child's process id.
	sayFailed  = "failed "  // Why there is no child.
	sayEnded   = "ended "   // How it ended; nothing behind it for an exit with status 0.
)

// system is what belongs to a process on Linux.
type system struct {
	once     sync.Once
	lifeline *os.File // Our end.
	status   *os.File // Our end.
	mark     uint64
}

// Start starts a child. An error means that there is none; that its program can not be executed is known later, as the
// reason for its end.
func Start(s Spec) (*Process, error) {
	path, err := s.program()
	if err != nil {
		return nil, err
	}
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	status, theirs, err := os.Pipe()
	if err != nil {
		lifeline.Close()
		ours.Close()
		return nil, err
	}
	p := &Process{ended: make(chan struct{}), exited: make(chan struct{}), system: system{lifeline: ours, status: status, mark: newMark()}}
	orders := orders{s.Limits, p.mark}
	p.cmd = &exec.Cmd{
		Path: self, Args: append([]string{nameKeeper, s.Name, orders.text(), path}, s.Command...), Dir: s.Dir, Env: s.Env,
		Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, ExtraFiles: []*os.File{lifeline, theirs},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}, // A Ctrl-C in our terminal is ours alone.
	}
	err = p.cmd.Start()
	lifeline.Close() // The keeper has its own.
	theirs.Close()
	if err != nil {
		ours.Close()
		status.Close()
		return nil, err
	}
	go p.follow() // Ends with the keeper.
	return p, nil
}

// follow listens to the keeper until it ends.
func (p *Process) follow() {
	child, told := p.listen()
	_ = p.cmd.Wait() // What matters it has said.
	if !told {
		if child != 0 {
			_ = syscall.Kill(-child, syscall.SIGKILL) // ESRCH: nobody is left.
		}
		sweepMarked(p.mark)
		p.reason = errors.New("its keeper was killed")
		close(p.ended)
	}
	p.status.Close()
	p.Kill()
	close(p.exited)
}

// listen hears what the keeper says, and reports whether it has told how the child ended.
func (p *Process) listen() (child int, told bool) {
	lines := bufio.NewScanner(p.status)
	for lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), sayStarted); ok {
			child, _ = strconv.Atoi(pid) // Our own writing.
		} else if text, ok := strings.CutPrefix(lines.Text(), sayFailed); ok {
			p.reason = errors.New(text)
		} else if text, ok := strings.CutPrefix(lines.Text(), sayEnded); ok && !told {
			if p.reason == nil && text != "" {
				p.reason = errors.New(text)
			}
			close(p.ended)
			told = true
		}
	}
	return child, told
}

// Terminate asks the child and its process group to end.
func (p *Process) Terminate() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // It is gone already.
}

// Kill ends the child and all its descendants.
func (p *Process) Kill() { p.once.Do(func() { p.lifeline.Close() }) }

// orders are what a keeper and a launcher are told on their command line.
type orders struct {
	Limits
	mark uint64
}

func (o orders) text() string {
	return fmt.Sprintf("%d,%d,%d,%d,%d", int64(o.CPU), o.Memory, o.Files, o.Processes, o.mark)
}

func parseOrders(text string) (o orders, err error) {
	_, err = fmt.Sscanf(text, "%d,%d,%d,%d,%d", (*int64)(&o.CPU), &o.Memory, &o.Files, &o.Processes, &o.mark)
	return o, err
}
