package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for what it shows in /proc.
const ticksPerSecond = 100

// process is a child that serves HTTP.
type process struct {
	command *exec.Cmd
	url     string
	startup time.Duration // From its start until it says that it serves.
	said    lastWords
}

// lastWords keeps the end of what a process writes to its standard error, for when it fails.
type lastWords struct{ text []byte }

const maxLastWords = 4 << 10

// Write keeps the end.
func (w *lastWords) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-maxLastWords):]
	return len(p), nil
}

var serves = regexp.MustCompile(`serves (http://[0-9.:]+)`)

func startProcess(ctx context.Context, name, dir string, args ...string) (*process, error) {
	p := &process{command: exec.CommandContext(ctx, name, args...)}
	p.command.Dir, p.command.Stderr = dir, &p.said
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := serves.FindStringSubmatch(lines.Text()); m != nil {
			p.url, p.startup = m[1], time.Since(begun)
			go io.Copy(io.Discard, out) //nolint:errcheck // It ends with the process.
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s does not say where it serves", name), p.command.Wait(), errors.New(string(p.said.text)))
}

func (p *process) stop() {
	p.command.Process.Signal(syscall.SIGTERM) //nolint:errcheck // It may have ended.
	p.command.Wait()                          //nolint:errcheck // How it ends does not matter.
}

// settled waits until the process has done what its calls have left to do, such as projecting them, and gives its CPU time
// then: work that is put off is counted, and does not disturb what is measured next.
func (p *process) settled(ctx context.Context) (time.Duration, error) {
	used, err := p.cpu()
	for deadline := time.Now().Add(settleWait); err == nil && ctx.Err() == nil && time.Now().Before(deadline); {
		time.Sleep(settlePause)
		before := used
		if used, err = p.cpu(); used-before <= time.Second/ticksPerSecond {
			break
		}
	}
	return used, err
}

// How long, and how often, a process is asked whether it has settled.
const (
	settleWait  = 20 * time.Second
	settlePause = 250 * time.Millisecond
)

// cpu is the time the kernel has booked to the process.
func (p *process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime.
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// anonymous is the process's anonymous memory in KiB, 0 where it can not be read.
func (p *process) anonymous() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// syncs is how long the disk takes to make one small write durable.
type syncs struct{ p50, p99 time.Duration }

// measureSync appends records of a call's size to a file and syncs each.
func measureSync(path string) (syncs, error) {
	f, err := os.Create(path)
	if err != nil {
		return syncs{}, err
	}
	defer f.Close()
	var times []time.Duration
	for range 500 {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return syncs{}, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return syncs{}, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return syncs{times[len(times)/2], times[len(times)*99/100]}, nil
}

// loadAverage is the machine's over the last minute: it says whether anything else was running.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
