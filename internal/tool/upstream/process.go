package upstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/tool/keeper"
)

// Bounds of what a child's standard error leaves in our log: lines a minute, and bytes of a line.
const (
	MaxStderrLines = 60
	MaxStderrLine  = 1024
)

// stopGrace is how long a child has to end after its input was closed, and again after it was asked to.
const stopGrace = 2 * time.Second

// exitGrace is how long a child whose output has ended has to end too, for its end to be named as the reason.
const exitGrace = 500 * time.Millisecond

// inherited are the names of our environment that a child sees.
var inherited = []string{"PATH", "HOME", "LANG", "TMPDIR"}

// process is a running child.
type process struct {
	child  *keeper.Process
	stdin  *os.File
	stdout *os.File
	wg     sync.WaitGroup
}

// start starts the child of a server.
func start(s Config, logger *slog.Logger, now func() time.Time) (*process, error) {
	p := &process{}
	var child [3]*os.File
	var stderr *os.File
	err := errors.Join(pipe(&child[0], &p.stdin), pipe(&p.stdout, &child[1]), pipe(&stderr, &child[2]))
	if err == nil {
		p.child, err = keeper.Start(keeper.Spec{
			Name: s.ID, Command: s.Command, Dir: s.Dir, Env: environment(s.Env), Limits: s.Limits,
			Stdin: child[0], Stdout: child[1], Stderr: child[2],
		})
	}
	closeFiles(child[:]...) // The child has its own.
	if err != nil {
		closeFiles(p.stdin, p.stdout, stderr)
		return nil, fmt.Errorf("start %s: %w", s.Command[0], err)
	}
	p.wg.Go(func() { logLines(stderr, logger.With("server", s.ID), now) })
	return p, nil
}

// environment is what a child sees: nothing of ours but what it needs to run, for our own environment holds keys.
func environment(more map[string]string) []string {
	env := []string{}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range more {
		env = append(env, name+"="+value)
	}
	return env
}

// pipe opens a pipe: what is written to w is read from r.
func pipe(r, w **os.File) error {
	var err error
	*r, *w, err = os.Pipe()
	return err
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// stop ends the child: by closing its input, by asking it, by force. It returns when nothing is left of it.
func (p *process) stop() {
	p.stdin.Close()
	for _, end := range []func(){p.child.Terminate, p.child.Kill} {
		if within(stopGrace, p.child.Exited()) {
			break
		}
		end()
	}
	<-p.child.Exited()
	p.wg.Wait()
	p.stdout.Close()
}

// reason says why there is nothing more to read: how the child has ended, if it does so now, else that its output has ended.
func (p *process) reason(err error) error {
	switch {
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return said(err, "its output can not be read")
	case !within(exitGrace, p.child.Ended()):
		return said(err, "it has closed its output")
	case p.child.Reason() == nil:
		return said(err, "its process has ended")
	}
	return said(err, "its process has ended: %s", p.child.Reason())
}

// within reports whether something happens within the time.
func within(d time.Duration, happens <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-happens:
		return true
	case <-timer.C:
		return false
	}
}

// logLines logs what a child writes to its standard error. It reads all of it, so that the child never waits, and logs a
// bounded part.
func logLines(stderr *os.File, logger *slog.Logger, now func() time.Time) {
	defer stderr.Close()
	r := bufio.NewReaderSize(stderr, MaxStderrLine)
	var minute time.Time
	lines, dropped := 0, 0
	for {
		line, err := r.ReadSlice('\n')
		if m := now().Truncate(time.Minute); !m.Equal(minute) {
			if dropped > 0 {
				logger.Warn("the server wrote more than is logged", "lines_dropped", dropped)
			}
			minute, lines, dropped = m, 0, 0
		}
		if len(line) > 0 {
			if lines++; lines <= MaxStderrLines {
				logger.Info("the server wrote to its standard error", "text", string(trimEnd(line)))
			} else {
				dropped++
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = skipLine(r)
		}
		if err != nil {
			return
		}
	}
}

func skipLine(r *bufio.Reader) error {
	for {
		_, err := r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}
