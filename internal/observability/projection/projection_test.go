package projection_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables is everything that the projections hold.
type tables struct {
	Calls    []signalbox.CallView
	Rollups  []signalbox.Rollup
	Latency  []signalbox.LatencyRollup
	Runs     []signalbox.RunView
	Facets   signalbox.Facets
	Progress signalbox.Progress
}

func dump(t failer, l *log) tables {
	t.Helper()
	ctx := context.Background()
	v := l.Views()
	calls, next, err1 := v.ListCalls(ctx, signalbox.CallFilter{Limit: signalbox.MaxPage})
	rollups, err2 := v.Rollups(ctx, signalbox.CostQuery{})
	latency, err3 := v.Latencies(ctx, signalbox.CostQuery{})
	runs, _, err4 := v.Runs(ctx, signalbox.RunFilter{})
	facets, err5 := v.Facets(ctx, nil)
	progress, err6 := v.Progress(ctx)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil || next != "" {
		t.Fatal(err, next)
	}
	return tables{calls, rollups, latency, runs, facets, progress}
}

func projector(l *log, batch int) *projection.Projector {
	return projection.New(l, l.Views(), projection.Options{Decode: decode, Batch: batch})
}

// TestAnySplitGivesTheSameTables projects random histories while they are written, in random batches, and compares with
// rebuilt tables, and those with what the records say when they are counted one by one.
func TestAnySplitGivesTheSameTables(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		fresh := openAt(rt, filepath.Join(dir, strconv.Itoa(n)))
		defer func() {
			if err := fresh.Close(); err != nil {
				rt.Fatal(err)
			}
		}()
		records := history(rt)
		p := projector(fresh, rapid.IntRange(1, 9).Draw(rt, "batch"))
		for rest := records; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "commit")
			fresh.append(rt, rest[:n]...)
			if rest = rest[n:]; rapid.Bool().Draw(rt, "project") || len(rest) == 0 {
				if err := p.CatchUp(context.Background()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		live := dump(rt, fresh)
		if err := projector(fresh, rapid.IntRange(1, 99).Draw(rt, "rebuild batch")).Rebuild(context.Background()); err != nil {
			rt.Fatal(err)
		}
		if rebuilt := dump(rt, fresh); !reflect.DeepEqual(live, rebuilt) {
			rt.Fatalf("live and rebuilt tables differ:\n%+v\n%+v", live, rebuilt)
		}
		checkAgainstRecords(rt, live, records)
	})
}

// checkAgainstRecords counts the records themselves.
func checkAgainstRecords(t *rapid.T, got tables, records []signalbox.Record) {
	var want signalbox.Totals
	ids, done, inRuns := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range records {
		if r.Call == "" {
			continue
		}
		ids[r.Call] = true
		if r.Context.RunID != "" {
			inRuns[r.Who.TenantID+"/"+r.Context.RunID] = true
		}
		if r.Type != signalbox.RecordOutcome || done[r.Call] {
			continue
		}
		done[r.Call] = true
		want = want.Plus(countOne(r))
	}
	var sum signalbox.Totals
	for _, r := range got.Rollups {
		sum = sum.Plus(r.Totals)
	}
	if sum != want {
		t.Fatalf("rollups add up to %+v, the records to %+v", sum, want)
	}
	running := 0
	for _, v := range got.Calls {
		if v.Outcome == signalbox.OutcomeRunning {
			running++
		}
	}
	if len(got.Calls) != len(ids) || running != len(ids)-len(done) || len(got.Runs) != len(inRuns) {
		t.Fatalf("%d calls, %d running, %d runs; want %d, %d, %d",
			len(got.Calls), running, len(got.Runs), len(ids), len(ids)-len(done), len(inRuns))
	}
}

func countOne(r signalbox.Record) signalbox.Totals {
	t := signalbox.Totals{Calls: 1}
	if slices.Contains([]signalbox.Outcome{signalbox.OutcomeFailed, signalbox.OutcomeUnknown}, r.Outcome) {
		t.Failures = 1
	}
	if slices.Contains([]signalbox.Outcome{signalbox.OutcomeDenied, signalbox.OutcomeBlocked}, r.Outcome) {
		t.Refusals = 1
	}
	for _, a := range r.Attempts {
		if a.Usage != nil {
			t.InputTokens, t.OutputTokens = t.InputTokens+a.Usage.Input, t.OutputTokens+a.Usage.Output
			t.CacheReadTokens += a.Usage.CacheRead
		}
		if a.Cost == nil {
			t.Unpriced = 1
		} else {
			t.Cost = t.Cost.Plus(*a.Cost)
		}
	}
	return t
}

func TestRunFollowsTheLog(t *testing.T) {
	l := open(t)
	wake := make(chan struct{}, 1)
	p := projection.New(l, l.Views(), projection.Options{Decode: decode, Wake: wake, Delay: time.Millisecond, Poll: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	l.append(t, rapid.Custom(history).Example(1)...)
	wake <- struct{}{}
	for {
		progress, err := l.Views().Progress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if progress.Cursor == l.next {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	if s := p.Status(); s.Err != nil || s.Projected != l.next || s.Undecodable != 0 {
		t.Fatalf("status = %+v, want %d projected", s, l.next)
	}
}

func TestUndecodableRecordIsCounted(t *testing.T) {
	l := open(t)
	l.append(t, rapid.Custom(history).Example(2)...)
	bad := errors.New("broken")
	p := projection.New(l, l.Views(), projection.Options{Decode: func(e signalbox.Entry) (signalbox.Record, error) {
		if e.Index == 1 {
			return signalbox.Record{}, bad
		}
		return decode(e)
	}})
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.Status(); s.Undecodable != 1 || s.Projected != l.next {
		t.Fatalf("status = %+v, want one undecodable of %d", s, l.next)
	}
}

func TestFoldRefusesADamagedSketch(t *testing.T) {
	r := rapid.Custom(func(rt *rapid.T) signalbox.Record {
		return outcome(rt, call(rt, 1), 1, signalbox.OutcomeOK)
	}).Example(1)
	key := signalbox.LatencyKey{Hour: r.When.Timestamp.Truncate(time.Hour), Tenant: r.Who.TenantID}
	for name, b := range map[string][]byte{
		"version": {9, 0}, "no zeros": {1}, "cut in a step": {1, 0, 0x80}, "cut in a count": {1, 0, 2, 0x80},
	} {
		t.Run(name, func(t *testing.T) {
			state := signalbox.ViewState{Latency: []signalbox.LatencyRollup{{LatencyKey: key, Sketch: b}}}
			if _, err := projection.Fold(state, []projection.Item{{Record: r}}); err == nil {
				t.Fatal("folded on top of a damaged sketch")
			}
			if _, err := projection.Latency(state.Latency...); err == nil {
				t.Fatal("read a damaged sketch")
			}
		})
	}
}

func TestExpireKeepsTotalsAndRunningCalls(t *testing.T) {
	l := open(t)
	l.append(t, rapid.Custom(history).Example(3)...)
	p := projector(l, 7)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := dump(t, l)
	n, err := p.Expire(t.Context(), l.Views(), start.Add(100*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	after := dump(t, l)
	running, err := p.Running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 || len(after.Calls) != len(before.Calls)-n || len(after.Calls) != len(running) {
		t.Fatalf("%d of %d calls expired, %d are left, %d run", n, len(before.Calls), len(after.Calls), len(running))
	}
	if !reflect.DeepEqual(before.Rollups, after.Rollups) || !reflect.DeepEqual(before.Runs, after.Runs) {
		t.Fatal("totals changed")
	}
}

func TestOverview(t *testing.T) {
	l := open(t)
	l.append(t, rapid.Custom(history).Example(4)...)
	if err := projector(l, 50).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := projection.Overview(t.Context(), l.Views(), signalbox.CostQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var want signalbox.Totals
	running, timed := int64(0), int64(0)
	all := dump(t, l)
	for _, r := range all.Rollups {
		want = want.Plus(r.Totals)
	}
	for _, v := range all.Calls {
		switch v.Outcome {
		case signalbox.OutcomeRunning:
			running++
		case signalbox.OutcomeOK, signalbox.OutcomeFailed:
			timed++
		}
	}
	if o.Totals != want || o.Running != running || o.Latency.Count != timed || o.Progress.Cursor != l.next {
		t.Fatalf("overview = %+v, want totals %+v, %d running, %d timed", o, want, running, timed)
	}
}

func TestLatencyWithinOnePerCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(rapid.Int64Range(0, 10_000_000), 1, 200).Draw(t, "ms")
		var items []projection.Item
		for i, d := range ms {
			r := signalbox.Record{
				Type: signalbox.RecordOutcome, Call: "c" + string(rune('A'+i)), Outcome: signalbox.OutcomeOK,
				Attempts: []signalbox.Attempt{{N: 1}}, When: signalbox.When{Timestamp: start, DurationMS: d},
			}
			items = append(items, projection.Item{Index: int64(i), Record: r})
		}
		c, err := projection.Fold(signalbox.ViewState{}, items)
		if err != nil {
			t.Fatal(err)
		}
		got, err := projection.Latency(c.Latency...)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(ms)
		want := float64(ms[int(0.5*float64(len(ms)-1))])
		if got.Count != int64(len(ms)) || got.P50 < want*0.989 || got.P50 > want*1.011 {
			t.Fatalf("%+v, want the median %v of %d", got, want, len(ms))
		}
	})
}
