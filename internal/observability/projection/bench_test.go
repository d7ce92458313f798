package projection_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// traffic makes the records of n calls as a busy installation writes them: forty agents of five tenants, three models
// for each agent, runs of twenty calls, traces of five.
func traffic(r *rand.Rand, from, n int) []signalbox.Record {
	var records []signalbox.Record
	for i := from; i < from+n; i++ {
		at := start.Add(time.Duration(i) * 20 * time.Millisecond)
		agent := r.IntN(40)
		rec := signalbox.Record{
			Call: signalbox.NewID(signalbox.CallPrefix, at), Time: at,
			Who: signalbox.Who{
				TenantID: fmt.Sprintf("tenant-%d", agent%5), Team: "cs", KeyID: "key_support", UserID: "u1",
				AgentID: fmt.Sprintf("agent-%d", agent), AgentRole: "research", ParentAgentID: "planner",
			},
			What: signalbox.What{Action: signalbox.ActionModelCall, Kind: signalbox.KindModel, InputSummary: "512 bytes, 3 messages"},
			When: signalbox.When{Timestamp: at, TraceID: trace(i), SpanID: fmt.Sprintf("%016x", i)},
			Context: signalbox.Context{
				RequestID: signalbox.NewID(signalbox.RequestPrefix, at), RunID: fmt.Sprintf("run_%d", i/20),
				ModelName: fmt.Sprintf("model-%d", (agent+r.IntN(3))%30), Provider: "anthropic", Protocol: signalbox.ProtocolAnthropic,
			},
		}
		rec.Type = signalbox.RecordIntent
		records = append(records, rec, finished(r, rec))
	}
	return records
}

func finished(r *rand.Rand, rec signalbox.Record) signalbox.Record {
	cost := signalbox.Money(r.Int64N(1_000_000))
	usage := signalbox.Usage{Input: 800, Output: 150}
	rec.Type, rec.Outcome = signalbox.RecordOutcome, signalbox.OutcomeOK
	if r.IntN(200) == 0 {
		rec.Outcome, rec.Error = signalbox.OutcomeFailed, &signalbox.Failure{Code: signalbox.CodeUpstream}
	}
	rec.Time, rec.When.DurationMS = rec.Time.Add(5*time.Millisecond), r.Int64N(3000)
	rec.What.Tokens, rec.What.Cost, rec.What.CostBasis = &usage, &cost, signalbox.BasisReported
	rec.Attempts = []signalbox.Attempt{{
		N: 1, Name: rec.Context.ModelName, Provider: "anthropic", Upstream: "claude-haiku-4-5", Usage: &usage, Cost: &cost,
		Basis: signalbox.BasisReported,
	}}
	return rec
}

// trace gives the trace of a call; its ids are as random as real ones.
func trace(i int) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(i / 5)))
	return hex.EncodeToString(sum[:16])
}

// BenchmarkProject measures what a projected call costs, with decoding: where intent and outcome meet in a batch, and
// where each comes alone.
func BenchmarkProject(b *testing.B) {
	for name, batch := range map[string]int{"batches of 128": 128, "batches of 512": 512, "batches of 2048": 2048, "alone": 1} {
		b.Run(name, func(b *testing.B) { benchmarkProject(b, batch) })
	}
}

func benchmarkProject(b *testing.B, batch int) {
	l := open(b)
	r := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < b.N; {
		n := min(1000, b.N-done)
		l.append(b, traffic(r, done, n)...)
		done += n
	}
	p := projector(l, batch)
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if err := p.CatchUp(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/1000/float64(b.N), "cpu-µs/call")
}

// BenchmarkRead measures the console's queries over a million calls, which it builds once.
func BenchmarkRead(b *testing.B) {
	const calls = 1_000_000
	db, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "s.db"), sqlite.Options{Now: now})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}()
	l := &log{DB: db}
	r := rand.New(rand.NewPCG(1, 2))
	p := projector(l, 512)
	for done := 0; done < calls; done += 5000 {
		l.append(b, traffic(r, done, 5000)...)
		if err := p.CatchUp(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	v := db.Views()
	middle := start.Add(calls / 2 * 20 * time.Millisecond)
	for name, f := range map[string]signalbox.CallFilter{
		"newest":             {},
		"tenant":             {Tenants: []string{"tenant-3"}},
		"two tenants":        {Tenants: []string{"tenant-3", "tenant-4"}},
		"agent":              {Agent: "agent-7"},
		"agent and model":    {Agent: "agent-7", Model: "model-8"},
		"everything":         {Tenants: []string{"tenant-2"}, Agent: "agent-7", Model: "model-8", Outcome: signalbox.OutcomeFailed},
		"failed":             {Outcome: signalbox.OutcomeFailed},
		"run":                {Run: "run_25000"},
		"trace":              {Trace: trace(500_000)},
		"hour in the middle": {From: middle, To: middle.Add(time.Hour)},
		"agent in that hour": {From: middle, To: middle.Add(time.Hour), Agent: "agent-7"},
		"no such team":       {Tenants: []string{"tenant-3"}, Team: "none"},
	} {
		b.Run("list/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := v.ListCalls(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, read := range map[string]func(context.Context) error{
		"overview": func(ctx context.Context) error {
			_, err := projection.Overview(ctx, v, signalbox.CostQuery{})
			return err
		},
		"costs by model": func(ctx context.Context) error {
			_, err := v.Costs(ctx, signalbox.CostQuery{By: signalbox.FacetModel, Bucket: signalbox.BucketDay})
			return err
		},
		"facets": func(ctx context.Context) error { _, err := v.Facets(ctx, nil); return err },
		"runs":   func(ctx context.Context) error { _, _, err := v.Runs(ctx, signalbox.RunFilter{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
