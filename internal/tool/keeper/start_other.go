//go:build !linux

package keeper

import (
	"errors"
	"os/exec"
)

// DefaultFiles is a limit of open files that suits most programs; 0 where there are no limits.
const DefaultFiles = 0

// system: nothing but the process is needed.
type system struct{}

// Start starts a child. An error means that there is none.
func Start(s Spec) (*Process, error) {
	if s.Limits != (Limits{}) {
		return nil, errors.New("limits of child processes are built for Linux only; remove them from the configuration")
	}
	path, err := s.program()
	if err != nil {
		return nil, err
	}
	p := &Process{ended: make(chan struct{}), exited: make(chan struct{})}
	p.cmd = &exec.Cmd{Path: path, Args: s.Command, Dir: s.Dir, Env: s.Env, Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr}
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // Ends with the child.
		p.reason = p.cmd.Wait()
		signalGroup(p.cmd.Process.Pid, true)
		close(p.ended)
		close(p.exited)
	}()
	return p, nil
}

// Terminate asks the child and its process group to end.
func (p *Process) Terminate() { signalGroup(p.cmd.Process.Pid, false) }

// Kill ends the child and its process group.
func (p *Process) Kill() { signalGroup(p.cmd.Process.Pid, true) }
