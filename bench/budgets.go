package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// maxOnTop is what budgets and alerts may add to the CPU of a call of the earlier binary.
const maxOnTop = 0.10

// comparison is the same calls through several hops in turn, such as one binary with and without budgets.
type comparison struct {
	options options
	version string
	earlier string // What the earlier binary says of itself; "" where there is none.
	hops    []hop
	loads   []load          // By hop.
	rows    [][]measurement // By hop and round.
}

// runBudgets starts all hops behind one upstream, and measures them in turn.
func runBudgets(ctx context.Context, o options, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	upstream, err := startProcess(ctx, self, dir, "-role", "upstream")
	if err != nil {
		return err
	}
	defer upstream.stop()
	c := &comparison{options: o, version: version(ctx, o.binary)}
	defer func() {
		for _, h := range c.hops {
			h.process.stop()
		}
	}()
	if err := c.start(ctx, self, dir, upstream.url); err != nil {
		return err
	}
	for n := range o.rounds {
		if err := c.round(ctx, n); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "budgets: round %d of %d is done\n", n+1, o.rounds)
	}
	o.block(os.Stdout, "budgets", func() { c.print(os.Stdout) })
	if c.failed() > 0 {
		return errors.New("calls have failed; see the table")
	}
	return nil
}

func (c *comparison) add(h hop, l load) {
	c.hops, c.loads = append(c.hops, h), append(c.loads, l)
}

func (c *comparison) start(ctx context.Context, self, dir, upstream string) error {
	proxy, err := startProcess(ctx, self, dir, "-role", "proxy", "-target", upstream)
	if err != nil {
		return err
	}
	c.add(hop{"ReverseProxy", proxy, ""}, unary.load())
	if c.options.baseline != "" {
		c.earlier = version(ctx, c.options.baseline)
		if err := c.serve(ctx, c.options.baseline, "earlier binary", dir, upstream, limits); err != nil {
			return err
		}
	}
	if err := c.serve(ctx, c.options.binary, "without budgets and alerts", dir, upstream, neither); err != nil {
		return err
	}
	return c.serve(ctx, c.options.binary, "with budgets and alerts", dir, upstream, budgets)
}

func (c *comparison) serve(ctx context.Context, binary, name, dir, upstream string, s setting) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	config, err := writeConfig(dir, upstream, s)
	if err != nil {
		return err
	}
	p, err := startProcess(ctx, binary, dir, "serve", "--config", config)
	if err == nil {
		c.add(hop{name, p, benchKey}, unary.load())
	}
	return err
}

// round measures every hop once, in an order that turns with n.
func (c *comparison) round(ctx context.Context, n int) error {
	if c.rows == nil {
		c.rows = make([][]measurement, len(c.hops))
	}
	for i := range c.hops {
		h := (i + n) % len(c.hops)
		m, err := measure(ctx, c.hops[h], c.loads[h], c.options)
		if err != nil {
			return err
		}
		c.rows[h] = append(c.rows[h], m)
	}
	return nil
}

func (c *comparison) failed() (n int64) {
	for _, list := range c.rows {
		for _, m := range list {
			n += m.failed
		}
	}
	return n
}

// ratio is the CPU per call of one hop to that of another: the median of the rounds, the lowest and the highest.
func (c *comparison) ratio(hop, to int) (mid, least, most float64) {
	all := collect(c.options.rounds, func(i int) float64 {
		return float64(c.rows[hop][i].cpu) / float64(max(c.rows[to][i].cpu, 1))
	})
	return spread(all)
}

func (c *comparison) print(out io.Writer) {
	c.options.head(out, c.version)
	fmt.Fprintf(out, "Medians of %d rounds, and the lowest and highest; unary calls, %d connections at saturation, open loop at %d/s; %d calls are a run.\n",
		c.options.rounds, connections, rate, callsInRun)
	if c.earlier != "" {
		fmt.Fprintf(out, "The earlier binary, with limits of requests and concurrency: %s.\n", c.earlier)
	}
	fmt.Fprintln(out)
	var lines [][]string
	for h, hop := range c.hops {
		perSecond := middle(collect(len(c.rows[h]), func(i int) float64 { return c.rows[h][i].perSecond }))
		line := []string{hop.name, fmt.Sprintf("%.0f", perSecond), us(middle(c.each(h, func(m measurement) time.Duration { return m.cpu })))}
		for to := range len(c.hops) - 1 {
			line = append(line, ratioText(c.ratio(h, to)))
		}
		of := func(of func(measurement) time.Duration) string {
			if c.options.paced == 0 {
				return "–" // It was not measured.
			}
			return us(middle(c.each(h, of)))
		}
		lines = append(lines, append(line,
			of(func(m measurement) time.Duration { return m.p50 }), of(func(m measurement) time.Duration { return m.p99 })))
	}
	head := []string{"unary call", "calls/s", "CPU/call"}
	for _, hop := range c.hops[:len(c.hops)-1] {
		head = append(head, "× "+hop.name)
	}
	c.options.table(out, append(head, "p50", "p99"), lines)
	c.target(out)
}

func (c *comparison) each(hop int, of func(measurement) time.Duration) []time.Duration {
	return collect(len(c.rows[hop]), func(i int) time.Duration { return of(c.rows[hop][i]) })
}

// target says whether budgets cost too much, where there is an earlier binary to say it against.
func (c *comparison) target(out io.Writer) {
	if c.options.baseline == "" {
		return
	}
	const earlier = 1
	mid, _, _ := c.ratio(len(c.hops)-1, earlier)
	fmt.Fprintln(out)
	c.options.table(out, []string{"what", "target", "measured", ""}, [][]string{
		line("CPU per call, budgets and alerts on", fmt.Sprintf("%.2f × the earlier binary", 1+maxOnTop),
			fmt.Sprintf("%.2f × the earlier binary", mid), mid <= 1+maxOnTop),
	})
}

func spread(all []float64) (mid, least, most float64) {
	least, most = all[0], all[0]
	for _, n := range all {
		least, most = min(least, n), max(most, n)
	}
	return middle(all), least, most
}

func ratioText(mid, least, most float64) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", mid, least, most)
}
