// Command bench measures Signalbox against two things in the same run on the same machine: the upstream called directly,
// and a bare httputil.ReverseProxy before it. It prints one table.
//
// # Method
//
// The upstream, the proxy and Signalbox are processes of their own on loopback; the load comes from this one. Saturation
// is closed-loop with [connections] connections; CPU is what the kernel booked to the process in that time, divided by
// the calls. Latency is open-loop at a fixed rate (vegeta), so that a slow answer delays no later request; what a hop adds
// is its quantile minus the direct one. The time of a disk sync is measured beside the database. With two cores all share
// them: compare ratios, not absolute figures.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// The shape of the load.
const (
	connections = 32
	rate        = 1000 // Calls per second of the open-loop measurement, unary.
	streamRate  = 200  // The same for streams.
	chunks      = 40   // Events of content in a stream.
)

func main() {
	role := flag.String("role", "", "upstream or proxy: run as that (used by the benchmark itself)")
	target := flag.String("target", "", "of the proxy")
	binary := flag.String("signalbox", "bin/signalbox", "the binary to measure")
	length := flag.Duration("duration", 10*time.Second, "of each measurement")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch *role {
	case "upstream":
		err = serveUpstream(ctx)
	case "proxy":
		err = serveProxy(ctx, *target)
	default:
		err = run(ctx, *binary, *length)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// hop is one thing that is measured.
type hop struct {
	name    string
	url     string
	process *process
	key     string
}

func run(ctx context.Context, binary string, length time.Duration) error {
	dir, err := os.MkdirTemp("", "signalbox-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // It is temporary.
	hops, stop, err := start(ctx, binary, dir)
	if err != nil {
		return err
	}
	defer stop()
	t := &table{}
	for _, h := range hops {
		t.idle = append(t.idle, h.process.anonymous())
	}
	if t.syncs, err = measureSync(filepath.Join(dir, "sync")); err != nil {
		return err
	}
	for _, stream := range []bool{false, true} {
		for _, h := range hops {
			r, err := measure(ctx, h, stream, length)
			if err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
			t.rows = append(t.rows, r)
		}
	}
	t.print(os.Stdout, hops)
	return nil
}

// start starts the processes, each behind the same upstream.
func start(ctx context.Context, binary, dir string) (hops []hop, stop func(), err error) {
	var started []*process
	stop = func() {
		for i := len(started) - 1; i >= 0; i-- {
			started[i].stop()
		}
	}
	launch := func(name string, args ...string) (*process, error) {
		p, err := startProcess(ctx, name, dir, args...)
		if err == nil {
			started = append(started, p)
		}
		return p, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, stop, err
	}
	upstream, err := launch(self, "-role", "upstream")
	if err != nil {
		return nil, stop, err
	}
	proxy, err := launch(self, "-role", "proxy", "-target", upstream.url)
	if err != nil {
		return nil, stop, err
	}
	config, err := writeConfig(dir, upstream.url)
	if err != nil {
		return nil, stop, err
	}
	path, err := filepath.Abs(binary)
	if err != nil {
		return nil, stop, err
	}
	box, err := launch(path, "serve", "--config", config)
	if err != nil {
		return nil, stop, err
	}
	return []hop{
		{"direct", upstream.url, upstream, ""}, {"ReverseProxy", proxy.url, proxy, ""}, {"Signalbox", box.url, box, benchKey},
	}, stop, nil
}
