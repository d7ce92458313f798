// Command bench measures Signalbox against other things in the same run on the same machine, and prints tables and
// whether each target is met. It has five parts:
//
//   - calls: against the upstream called directly, and a bare httputil.ReverseProxy before it;
//   - tools: the same for calls of a tool by MCP, and the memory of sessions and of calls that wait for people;
//   - budgets: what budgets and alerts cost, against the same binary without any and, with -baseline, an earlier binary;
//   - ledger: holds and settlements per second, without HTTP, against the same records without entries of the ledger;
//   - audit: records per second that the log takes, and how fast a log of a million records is verified and opened.
//
// # Method
//
// The upstream, the proxy and Signalbox are processes of their own on loopback; the load comes from this one. Saturation
// is closed-loop with [connections] connections; CPU is what the kernel booked to the process in that time, divided by
// the calls. Latency is open-loop at a fixed rate (vegeta), so that a slow answer delays no later request; what a hop adds
// is its quantile minus the direct one. The time of a disk sync is measured beside the database in every round.
//
// The payers of the ledger's part are processes too, with real stores, ledgers and writers; each keeps [callers] calls
// under way. In each round they do the same with and without entries of the ledger, over the same database.
//
// # Rounds
//
// Everything is measured once per round, one hop after the other, and the order of the hops turns from round to round.
// What is compared is compared within a round; the table shows the medians of the rounds. So a machine that is busy with
// other things for a while spoils one round and not the comparison. Still: with two cores all share them, so read
// ratios, and absolute figures only of a quiet machine.
//
// # Failures
//
// A call that fails is counted, shown in the row of its hop with the first error, and makes the command fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// The shape of the load.
const (
	connections = 32
	rate        = 1000       // Calls per second of the open-loop measurement, unary.
	streamRate  = 200        // The same for streams.
	chunks      = 40         // Events of content in a stream.
	events      = chunks + 4 // With those of the role, the finish reason, the usage and the end.
	eventPause  = 5 * time.Millisecond
	callsInRun  = 20
)

// options are the command's flags.
type options struct {
	binary    string
	rounds    int
	saturated time.Duration // At saturation, per hop, kind and round.
	paced     time.Duration // At the fixed rate, the same.
	markdown  bool
	parts     string // Which of calls, tools, budgets, ledger and audit, with commas.
	baseline  string // A binary to compare with; "" for none.
	records   int    // In the log that is verified and opened.
}

func main() {
	var o options
	var l payerOptions
	role := flag.String("role", "", "upstream, proxy or payer: run as that (used by the benchmark itself)")
	target := flag.String("target", "", "of the proxy")
	flag.StringVar(&l.store, "store", "", "of the payer: the file or URL of its database")
	flag.IntVar(&l.accounts, "accounts", 1, "of the payer: how many accounts its calls spread over")
	flag.StringVar(&o.parts, "parts", "calls,tools,budgets,ledger,audit", "what is measured")
	flag.IntVar(&o.records, "records", targetRecords, "of the part audit: records in the log that is verified and opened")
	flag.StringVar(&o.baseline, "baseline", "", "an earlier binary, which the costs of budgets are compared with")
	flag.StringVar(&o.binary, "signalbox", "bin/signalbox", "the binary to measure")
	flag.IntVar(&o.rounds, "rounds", 5, "how often everything is measured; the table shows medians")
	flag.DurationVar(&o.saturated, "duration", 3*time.Second, "of one measurement at saturation")
	flag.DurationVar(&o.paced, "paced", 3*time.Second, "of one measurement at a fixed rate; 0 leaves latency out")
	flag.BoolVar(&o.markdown, "markdown", false, "print the table as docs/performance.md has it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch *role {
	case "upstream":
		err = serveUpstream(ctx)
	case "proxy":
		err = serveProxy(ctx, *target)
	case "payer":
		err = pay(ctx, l)
	default:
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "signalbox-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // It is temporary.
	parts := map[string]func(context.Context, options, string) error{"calls": runCalls, "tools": runTools, "budgets": runBudgets, "ledger": runLedger, "audit": runAudit}
	for name := range strings.SplitSeq(o.parts, ",") {
		part, ok := parts[name]
		if !ok {
			return fmt.Errorf("there is no part %q; use calls, tools, budgets, ledger or audit", name)
		}
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := part(ctx, o, folder); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func runCalls(ctx context.Context, o options, dir string) error {
	b, err := start(ctx, o.binary, dir)
	defer b.stop()
	if err != nil {
		return err
	}
	r := &report{options: o, version: version(ctx, o.binary)}
	if err := b.measureIdle(ctx, r); err != nil {
		return err
	}
	for n := range o.rounds {
		if err := b.round(ctx, n, r); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "calls: round %d of %d is done\n", n+1, o.rounds)
	}
	if r.restart, err = b.restart(ctx); err != nil {
		return err
	}
	r.print(os.Stdout)
	if r.failed() > 0 {
		return errors.New("calls have failed; see the table")
	}
	return nil
}
