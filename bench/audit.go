package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/server"
)

// The targets of the log's part. Those of time are for [targetRecords] records, and are not judged with fewer.
const (
	targetRecords = 1_000_000
	maxVerify     = 10 * time.Second
	maxLogStart   = 2 * time.Second
)

// appenders is how many records wait at once while appends are measured, for SQLite and for PostgreSQL.
var appenders = []int{1, 32, 512}

// logReport is what was measured of the log.
type logReport struct {
	records  int64
	bytes    int64           // Of the database's file.
	filled   time.Duration   // All records, through the writer.
	verified []time.Duration // By round.
	resident int64           // The most memory of a verification, in KiB.
	first    time.Duration   // The start that projects all of them.
	started  []time.Duration // The starts after it, by round.
	lines    [][]string
}

// runAudit measures how fast the log takes records, is verified and is opened.
func runAudit(ctx context.Context, o options, dir string) error {
	r := &logReport{records: int64(o.records)}
	var err error
	if r.lines, err = measureAppends(ctx, o, dir); err != nil {
		return err
	}
	file := filepath.Join(dir, "signalbox.db")
	if err := r.fill(ctx, file); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	for n := range o.rounds {
		if err := r.verify(ctx, o.binary, file); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		fmt.Fprintf(os.Stderr, "audit: verification %d of %d is done\n", n+1, o.rounds)
	}
	if err := r.start(ctx, o, dir); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	o.block(os.Stdout, "audit", func() { r.print(o, version(ctx, o.binary)) })
	return nil
}

func (r *logReport) print(o options, version string) {
	o.head(os.Stdout, version)
	fmt.Fprintf(os.Stdout, "Medians of %d rounds. Records of %d bytes, intent and outcome in turn; an append has returned when its record is synced to the disk.\n\n",
		o.rounds, r.bytes/max(r.records, 1))
	o.table(os.Stdout, []string{"store", "at once", "records/s", "CPU/record", "p50", "p99"}, r.lines)
	fmt.Fprintln(os.Stdout)
	verified, started := middle(r.verified), middle(r.started)
	all := fmt.Sprintf("%d records", r.records)
	o.table(os.Stdout, []string{"what", "target", "measured", ""}, [][]string{
		r.judge(all+" (of "+mib(r.bytes>>10)+") verified on "+fmt.Sprint(runtime.NumCPU())+" cores", maxVerify, verified),
		r.judge("start-up with "+all, maxLogStart, started),
		{"memory of a verification", "–", mib(r.resident), "–"},
		{"first start, which projects them all", "–", ms(r.first), "–"},
		{"written through the writer", "–", fmt.Sprintf("%s, %.0f records/s", r.filled.Round(time.Second), float64(r.records)/r.filled.Seconds()), "–"},
	})
}

func (r *logReport) judge(what string, target, measured time.Duration) []string {
	if r.records < targetRecords {
		return []string{what, ms(target) + fmt.Sprintf(" for %d", targetRecords), ms(measured), "–"}
	}
	return line(what, ms(target), ms(measured), measured <= target)
}

// verify lets the binary verify the file, as an auditor would, without a server.
func (r *logReport) verify(ctx context.Context, binary, file string) error {
	command := exec.CommandContext(ctx, binary, "audit", "verify", "--database", "sqlite:"+file)
	begun := time.Now()
	out, err := command.CombinedOutput()
	r.verified = append(r.verified, time.Since(begun))
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d records", r.records)) {
		return errors.Join(fmt.Errorf("it says: %s", out), err)
	}
	if u, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.resident = max(r.resident, u.Maxrss)
	}
	return nil
}

// start starts the server with the filled database: once until everything is projected, then as often as there are rounds.
func (r *logReport) start(ctx context.Context, o options, dir string) error {
	config := filepath.Join(dir, "signalbox.yml")
	text := strings.NewReplacer("@DIR@", dir, "@URL@", "http://127.0.0.1:9").Replace(neither.text() + configText)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	// The payer that wrote the log has a key of zeros.
	master := seal.MasterPrefix + base64.StdEncoding.EncodeToString(make([]byte, seal.KeySize))
	if err := os.WriteFile(filepath.Join(dir, "signalbox.db"+server.MasterKeySuffix), []byte(master), 0o600); err != nil {
		return err
	}
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return err
	}
	for n := range o.rounds + 1 {
		p, err := startProcess(ctx, binary, dir, "serve", "--config", config)
		if err != nil {
			return err
		}
		if n == 0 {
			r.first = p.startup
		} else {
			r.started = append(r.started, p.startup)
		}
		p.stop()
	}
	return nil
}

// measureAppends measures each store with each number of records at once.
func measureAppends(ctx context.Context, o options, dir string) (lines [][]string, err error) {
	for _, postgres := range []bool{false, true} {
		for i, n := range appenders {
			s := scene{postgres: postgres}
			runs := make([]payment, 0, o.rounds)
			for round := range o.rounds {
				p, err := s.append(ctx, filepath.Join(dir, fmt.Sprintf("append-%d-%d", i, round)), n, o.saturated)
				if err != nil {
					return nil, fmt.Errorf("append to %s: %w", s.store(), err)
				}
				runs = append(runs, p)
			}
			lines = append(lines, appendLine(s, n, runs))
		}
		fmt.Fprintf(os.Stderr, "audit: appends to %s are measured\n", scene{postgres: postgres}.store())
	}
	return lines, nil
}

func appendLine(s scene, n int, runs []payment) []string {
	times := func(of func(payment) time.Duration) string {
		return us(middle(collect(len(runs), func(i int) time.Duration { return of(runs[i]) })))
	}
	perSecond := middle(collect(len(runs), func(i int) float64 { return runs[i].perSecond() }))
	return []string{
		s.store(), fmt.Sprint(n), fmt.Sprintf("%.0f", perSecond), times(payment.cpuPerCall),
		times(func(p payment) time.Duration { return p.p50 }), times(func(p payment) time.Duration { return p.p99 }),
	}
}

// append keeps that many records on their way for that long, in a new database; what it gives counts records.
func (s scene) append(ctx context.Context, file string, n int, length time.Duration) (p payment, err error) {
	if s.postgres {
		var drop func()
		if file, drop, err = newDatabase(ctx); err != nil {
			return p, err
		}
		defer drop()
	}
	w := &payer{payerOptions: payerOptions{store: file, accounts: 1}}
	defer w.stop()
	if err := w.start(ctx); err != nil {
		return p, err
	}
	times, errs := make([][]time.Duration, n), make([]error, n)
	var wg sync.WaitGroup
	before, begun := cpuTime(), time.Now()
	for i := range n {
		wg.Go(func() {
			for k := i; errs[i] == nil && time.Since(begun) < length; k += n {
				at := time.Now()
				_, errs[i] = w.writer.Append(ctx, logRecord(k, at))
				times[i] = append(times[i], time.Since(at))
			}
		})
	}
	wg.Wait()
	p.took, p.cpu = time.Since(begun), cpuTime()-before
	p.sum(times)
	return p, errors.Join(errs...)
}
