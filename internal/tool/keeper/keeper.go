package keeper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Limits of a child. Zero is no limit.
type Limits struct {
	CPU       time.Duration // That each process may use in its life; counted in seconds, begun ones in full.
	Memory    int64         // Bytes of private memory that each process may have.
	Files     int64         // That each process may have open.
	Processes int64         // Of the whole tree, the child included; looked at once a second.
}

// Spec says what to start.
type Spec struct {
	Name    string   // For lists of processes; no secret.
	Command []string // Program and arguments. A program without a slash is looked for in our PATH.
	Dir     string   // "" is ours.
	Env     []string // All of it.
	Limits  Limits

	Stdin, Stdout, Stderr *os.File // The child's ends; they stay the caller's to close.
}

// program gives the file of the program.
func (s Spec) program() (string, error) {
	name := s.Command[0]
	if filepath.Base(name) != name {
		return name, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find the program: %w", err)
	}
	return path, nil
}

// Process is a child that was started. Its methods may be called by several goroutines.
type Process struct {
	cmd    *exec.Cmd
	ended  chan struct{}
	exited chan struct{}
	reason error // Set before ended is closed.
	system       // What the operating system needs besides.
}

// Ended is closed when it is known how the child has ended, and nothing is left of it.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Exited is closed a moment after Ended, when nothing is left of its keeper either.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Reason says how the child ended, nil for an exit with status 0. It may be asked once Ended is closed.
func (p *Process) Reason() error { return p.reason }
