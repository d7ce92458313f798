package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresVariable holds the URL of a server on which databases can be made.
const postgresVariable = "SIGNALBOX_TEST_POSTGRES"

// scene is one arrangement in which the ledger is measured. A file of SQLite belongs to one process.
type scene struct {
	postgres            bool
	processes, accounts int
}

var scenes = []scene{
	{false, 1, 1}, {false, 1, 10_000}, {true, 1, 1}, {true, 1, 10_000}, {true, 3, 1}, {true, 3, 10_000},
}

func (s scene) store() string {
	if s.postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// payment is what the payers of a scene did in one measurement, together. Quantiles are the middle one's of the payers.
type payment struct {
	calls    int64
	took     time.Duration // Of the slowest.
	cpu      time.Duration // Of all of them; that of PostgreSQL's server is not in it.
	p50, p99 time.Duration // Of a call: both of its records, with its hold and settlement or without.
}

func (p payment) perSecond() float64        { return float64(p.calls) / p.took.Seconds() }
func (p payment) cpuPerCall() time.Duration { return p.cpu / time.Duration(max(p.calls, 1)) }

// pair is a round: the same payers, over the same database, with entries of the ledger in their records and without.
type pair struct{ with, without payment }

// runLedger measures scene by scene, in all rounds of which the two ways take turns.
func runLedger(ctx context.Context, o options, dir string) error {
	var lines [][]string
	for i, s := range scenes {
		rounds, err := s.measure(ctx, o, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return fmt.Errorf("%s, %d processes, %d accounts: %w", s.store(), s.processes, s.accounts, err)
		}
		lines = append(lines, s.line(rounds))
		fmt.Fprintf(os.Stderr, "ledger: scene %d of %d is done\n", i+1, len(scenes))
	}
	o.block(os.Stdout, "ledger", func() {
		o.head(os.Stdout, version(ctx, o.binary))
		fmt.Fprintf(os.Stdout, "Medians of %d rounds; %d callers in each process; each call is a hold and a settlement in two records, both durable.\n\n",
			o.rounds, callers)
		o.table(os.Stdout, []string{
			"store", "processes", "accounts", "calls/s", "without ledger", "ratio", "CPU/call", "× without", "p50", "p99", "added p50", "added p99",
		}, lines)
	})
	return nil
}

func (s scene) line(rounds []pair) []string {
	each := func(of func(pair) float64) []float64 {
		return collect(len(rounds), func(i int) float64 { return of(rounds[i]) })
	}
	times := func(of func(pair) time.Duration) string {
		return us(middle(collect(len(rounds), func(i int) time.Duration { return of(rounds[i]) })))
	}
	number := func(of func(pair) float64) string { return fmt.Sprintf("%.0f", middle(each(of))) }
	ratio := func(of func(pair) float64) string { return ratioText(spread(each(of))) }
	return []string{
		s.store(), strconv.Itoa(s.processes), strconv.Itoa(s.accounts),
		number(func(p pair) float64 { return p.with.perSecond() }), number(func(p pair) float64 { return p.without.perSecond() }),
		ratio(func(p pair) float64 { return p.with.perSecond() / p.without.perSecond() }),
		times(func(p pair) time.Duration { return p.with.cpuPerCall() }),
		ratio(func(p pair) float64 { return float64(p.with.cpuPerCall()) / float64(max(p.without.cpuPerCall(), 1)) }),
		times(func(p pair) time.Duration { return p.with.p50 }), times(func(p pair) time.Duration { return p.with.p99 }),
		times(func(p pair) time.Duration { return p.with.p50 - p.without.p50 }),
		times(func(p pair) time.Duration { return p.with.p99 - p.without.p99 }),
	}
}

func (s scene) measure(ctx context.Context, o options, file string) ([]pair, error) {
	if s.postgres {
		var drop func()
		var err error
		if file, drop, err = newDatabase(ctx); err != nil {
			return nil, err
		}
		defer drop()
	}
	var crew crew
	defer crew.stop()
	for range s.processes {
		if err := crew.hire(ctx, file, s.accounts); err != nil {
			return nil, err
		}
	}
	if err := crew.ready(); err != nil {
		return nil, err
	}
	rounds := make([]pair, o.rounds)
	for n := range rounds {
		ways := []struct {
			name string
			into *payment
		}{{"with", &rounds[n].with}, {"without", &rounds[n].without}}
		for i := range ways {
			w := ways[(i+n)%len(ways)]
			var err error
			if *w.into, err = crew.pay(w.name, o.saturated); err != nil {
				return nil, err
			}
		}
	}
	return rounds, nil
}

// crew is the processes of a scene.
type crew []*worker

type worker struct {
	command *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Scanner
}

func (c *crew) hire(ctx context.Context, store string, accounts int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	w := &worker{command: exec.CommandContext(ctx, self, "-role", "payer", "-store", store, "-accounts", strconv.Itoa(accounts))}
	w.command.Stderr = os.Stderr
	if w.orders, err = w.command.StdinPipe(); err != nil {
		return err
	}
	out, err := w.command.StdoutPipe()
	if err != nil {
		return err
	}
	w.answers = bufio.NewScanner(out)
	if err := w.command.Start(); err != nil {
		return err
	}
	*c = append(*c, w)
	return nil
}

// ready waits until all have started.
func (c crew) ready() error {
	for _, w := range c {
		if _, err := w.answer(); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) answer() (string, error) {
	if !w.answers.Scan() {
		return "", errors.Join(errors.New("a payer has ended early"), w.answers.Err())
	}
	return w.answers.Text(), nil
}

// pay lets all of them pay for that long.
func (c crew) pay(how string, length time.Duration) (p payment, err error) {
	for _, w := range c {
		if _, err := fmt.Fprintln(w.orders, how, length); err != nil {
			return p, err
		}
	}
	var p50, p99 []time.Duration
	for _, w := range c {
		text, err := w.answer()
		if err != nil {
			return p, err
		}
		var calls, took, cpu, mid, tail int64
		if _, err := fmt.Sscan(text, &calls, &took, &cpu, &mid, &tail); err != nil {
			return p, fmt.Errorf("%q: %w", text, err)
		}
		p.calls, p.took, p.cpu = p.calls+calls, max(p.took, time.Duration(took)), p.cpu+time.Duration(cpu)
		p50, p99 = append(p50, time.Duration(mid)), append(p99, time.Duration(tail))
	}
	p.p50, p.p99 = middle(p50), middle(p99)
	return p, nil
}

func (c crew) stop() {
	for _, w := range c {
		w.orders.Close()
		w.command.Wait() //nolint:errcheck // How it ends does not matter.
	}
}

// newDatabase makes an empty database on the server of the tests.
func newDatabase(ctx context.Context) (address string, drop func(), err error) {
	server := os.Getenv(postgresVariable)
	if server == "" {
		return "", nil, fmt.Errorf("%s is not set: use make bench, or eval \"$(scripts/postgres.sh start)\", or leave out the part ledger",
			postgresVariable)
	}
	name := "bench_" + strings.ToLower(rand.Text()[:16])
	if err := execute(ctx, server, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() {
		if err := execute(context.WithoutCancel(ctx), server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}, nil
}

func execute(ctx context.Context, server, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // It was used once.
	_, err = c.Exec(ctx, statement)
	return err
}
