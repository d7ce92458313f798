package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// fillers is how many records wait at once while the log is filled, so that batches are as large as they get.
const fillers = 1024

// sum adds up the times of single records.
func (p *payment) sum(times [][]time.Duration) {
	all := slices.Concat(times...)
	slices.Sort(all)
	p.calls = int64(len(all))
	if len(all) > 0 {
		p.p50, p.p99 = all[len(all)/2], all[len(all)*99/100]
	}
}

// fill writes the records and signs a checkpoint of all of them.
func (r *logReport) fill(ctx context.Context, file string) error {
	begun := time.Now()
	if err := writeLog(ctx, file, r.records); err != nil {
		return err
	}
	r.filled = time.Since(begun)
	fmt.Fprintf(os.Stderr, "audit: %d records are written\n", r.records)
	if err := signLog(ctx, file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	r.bytes = info.Size()
	return nil
}

// writeLog writes calls through a writer, each by one of the fillers, which writes its intent and its outcome in turn.
func writeLog(ctx context.Context, file string, records int64) error {
	w := &payer{payerOptions: payerOptions{store: file, accounts: 1}}
	defer w.stop()
	if err := w.start(ctx); err != nil {
		return err
	}
	var next atomic.Int64
	errs := make([]error, fillers)
	var wg sync.WaitGroup
	for i := range fillers {
		wg.Go(func() {
			for errs[i] == nil {
				n := next.Add(2) - 2
				if n >= records {
					return
				}
				for k := n; k < min(n+2, records) && errs[i] == nil; k++ {
					_, errs[i] = w.writer.Append(ctx, logRecord(int(k), time.Now()))
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// signLog signs a checkpoint of the whole log with a new key beside the file, as the server does.
func signLog(ctx context.Context, file string) (err error) {
	db, err := sqlite.Open(ctx, file, sqlite.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	key, _, err := audit.LoadOrCreateKey(file+server.AuditKeySuffix, config.DefaultAuditOrigin)
	if err != nil {
		return err
	}
	tree, err := audit.Restore(ctx, db)
	if err != nil {
		return err
	}
	signed, err := key.Sign(tree)
	if err != nil {
		return err
	}
	return db.PutCheckpoint(ctx, signed)
}

// logRecord is the record number n: the intent of a call if n is even, else the outcome of the same call. Both are as a
// model call of an agent has them; 2,000 agents of 20 tenants take turns.
func logRecord(n int, now time.Time) signalbox.Record {
	now = now.UTC().Truncate(time.Microsecond)
	callNumber, step := n/2, int64(n/2%20)
	price, held := signalbox.Money(1_234_500), signalbox.Money(9_000_000)
	used := signalbox.Usage{Input: 1_850, Output: 312, CacheRead: 1_024}
	r := signalbox.Record{
		Type: signalbox.RecordIntent, Call: fmt.Sprintf("call_%026d", callNumber), Time: now,
		Who: signalbox.Who{
			AgentID: agent(callNumber % 2_000), AgentRole: "support", UserID: fmt.Sprintf("user-%06d", callNumber%50_000),
			TenantID: fmt.Sprintf("tenant-%02d", callNumber%20), Team: "claims", KeyID: "key_support", Role: signalbox.RoleAgent, Source: "10.20.30.40",
		},
		What: signalbox.What{Action: signalbox.ActionModelCall, Kind: signalbox.KindModel, InputSummary: question},
		When: signalbox.When{Timestamp: now, TraceID: fmt.Sprintf("%032x", callNumber/20+1), SpanID: fmt.Sprintf("%016x", n+1)},
		Context: signalbox.Context{
			RequestID: fmt.Sprintf("req_%026d", callNumber), RunID: fmt.Sprintf("run_%026d", callNumber/20), StepIndex: &step, StepKind: "answer",
			Purpose: "answer a question about a claim", ModelName: "gpt-main", RequestedModel: "gpt-main", Provider: "openai", Route: "default",
			Protocol: signalbox.ProtocolOpenAIChat, Replica: signalbox.LocalReplica,
		},
		Attempts: []signalbox.Attempt{{
			N: 1, Name: "gpt-main", Provider: "openai", ProviderName: "openai", Upstream: "gpt-5.2", Format: signalbox.ProtocolOpenAIChat,
			SpanID: fmt.Sprintf("%016x", n+2), Started: now, Basis: signalbox.BasisNone, Held: &held, MaxOutput: 1024,
		}},
	}
	if n%2 == 0 {
		return r
	}
	r.Type, r.Outcome, r.When.DurationMS, r.When.FirstByteMS = signalbox.RecordOutcome, signalbox.OutcomeOK, 1_480, 310
	r.What.OutputSummary, r.What.Tokens, r.What.Cost, r.What.CostBasis = reply, &used, &price, signalbox.BasisReported
	r.Stations = &signalbox.Stations{
		Gate: signalbox.StatusPassed, Resolve: signalbox.StatusPassed, Policy: signalbox.StatusNotRun, GuardInput: signalbox.StatusPassed,
		GuardOutput: signalbox.StatusPassed, Approval: signalbox.StatusNotRun, Attempt: signalbox.StatusPassed,
	}
	a := &r.Attempts[0]
	a.DurationMS, a.FirstByteMS, a.HTTPStatus, a.Usage, a.Basis, a.Cost = 1_475, 305, 200, &used, signalbox.BasisReported, &price
	a.Rates = &signalbox.Rates{Input: 1_750_000_000, Output: 14_000_000_000}
	a.RateSource, a.RateDate, a.Finish, a.ResponseID, a.ResponseName = "config", "2026-01-01", "stop", "chatcmpl-000000000000", "gpt-5.2-2026"
	return r
}

var (
	question = strings.Repeat("Which documents does the insured person still have to send for the claim of [date]? ", 6)
	reply    = strings.Repeat("The invoice of the workshop and the report of the accident are still missing for claim [number]. ", 6)
)
