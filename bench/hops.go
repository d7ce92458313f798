package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The hops, in the order of the table's rows.
const (
	direct = iota
	proxied
	governed
	hopCount
)

// hop is one thing that is measured.
type hop struct {
	name    string
	process *process
	key     string
}

// bench is the processes that are measured.
type bench struct {
	dir    string
	binary string
	config string
	hops   [hopCount]hop
}

// start starts the processes, the others behind the same upstream.
func start(ctx context.Context, binary, dir string) (*bench, error) {
	b := &bench{dir: dir}
	self, err := os.Executable()
	if err != nil {
		return b, err
	}
	if b.binary, err = filepath.Abs(binary); err != nil {
		return b, err
	}
	upstream, err := startProcess(ctx, self, dir, "-role", "upstream")
	if err != nil {
		return b, err
	}
	b.hops[direct] = hop{"direct", upstream, ""}
	proxy, err := startProcess(ctx, self, dir, "-role", "proxy", "-target", upstream.url)
	if err != nil {
		return b, err
	}
	b.hops[proxied] = hop{"ReverseProxy", proxy, ""}
	if b.config, err = writeConfig(dir, upstream.url, budgets); err != nil {
		return b, err
	}
	return b, b.startSignalbox(ctx)
}

func (b *bench) startSignalbox(ctx context.Context) error {
	p, err := startProcess(ctx, b.binary, b.dir, "serve", "--config", b.config)
	if err == nil {
		b.hops[governed] = hop{"Signalbox", p, benchKey}
	}
	return err
}

func (b *bench) stop() {
	for i := len(b.hops) - 1; i >= 0; i-- {
		if p := b.hops[i].process; p != nil {
			p.stop()
		}
	}
}

// measureIdle notes what the processes take before any call. A second lets the start settle.
func (b *bench) measureIdle(ctx context.Context, r *report) error {
	r.startup = b.hops[governed].process.startup
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, h := range b.hops {
		r.idle[i] = h.process.anonymous()
	}
	return nil
}

// restart gives how long Signalbox takes to start with the records of the load.
func (b *bench) restart(ctx context.Context) (time.Duration, error) {
	b.hops[governed].process.stop()
	err := b.startSignalbox(ctx)
	return b.hops[governed].process.startup, err
}

// round measures every hop with both kinds of calls. The order of the hops turns with n.
func (b *bench) round(ctx context.Context, n int, r *report) error {
	s, err := measureSync(filepath.Join(b.dir, "sync"))
	if err != nil {
		return err
	}
	r.syncs = append(r.syncs, s)
	for k := range kindCount {
		for i := range hopCount {
			h := (i + n) % hopCount
			m, err := measure(ctx, b.hops[h], k.load(), r.options)
			if err != nil {
				return err
			}
			r.rows[k][h] = append(r.rows[k][h], m)
		}
	}
	return nil
}

// version is what the binary says of itself.
func version(ctx context.Context, binary string) string {
	if path, err := filepath.Abs(binary); err == nil {
		binary = path // Without a folder, it would be looked for where commands are.
	}
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "unknown version"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first
}
