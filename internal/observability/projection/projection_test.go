package projection_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables is everything that the projections hold.
type tables struct {
	Calls    []signalbox.CallView
	Rollups  []signalbox.Rollup
	Latency  []signalbox.LatencyRollup
	Runs     []signalbox.RunView
	RunCosts []signalbox.RunCost
	Facets   signalbox.Facets
	Progress signalbox.Progress
}

func dump(t failer, v storetest.Views) tables {
	t.Helper()
	ctx := context.Background()
	calls, next, err1 := v.ListCalls(ctx, signalbox.CallFilter{Limit: signalbox.MaxPage})
	rollups, err2 := v.Rollups(ctx, signalbox.CostQuery{})
	latency, err3 := v.Latencies(ctx, signalbox.CostQuery{})
	tools, err8 := v.Latencies(ctx, signalbox.CostQuery{Server: "files"}) // Of which all tools of histories are.
	latency = append(latency, tools...)
	runs, _, err4 := v.Runs(ctx, signalbox.RunFilter{})
	facets, err5 := v.Facets(ctx, nil)
	progress, err6 := v.Progress(ctx)
	costs, more, err7 := v.RunCosts(ctx, signalbox.RunCostQuery{Limit: signalbox.MaxPage})
	if len(costs) == 0 {
		costs = nil
	}
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil || next+more != "" {
		t.Fatal(err, next, more)
	}
	return tables{calls, rollups, latency, runs, costs, facets, progress}
}

func projector(l *log, batch int) *projection.Projector {
	return projection.New(l.Views(), l.Views(), projection.Options{Decode: decode, Batch: batch})
}

// TestAnySplitGivesTheSameTables projects random histories in random batches, compares with the tables of one batch and
// of single records, and with what the records say when they are counted one by one.
func TestAnySplitGivesTheSameTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := history(t)
		m := newMemory()
		m.entries = entriesOf(t, 0, records)
		project := func(batch int) tables {
			if err := projection.New(m, m, projection.Options{Decode: decode, Batch: batch}).Rebuild(context.Background()); err != nil {
				t.Fatal(err)
			}
			return m.tables()
		}
		want := project(1)
		for _, batch := range []int{rapid.IntRange(2, 20).Draw(t, "batch"), len(records)} {
			if got := project(batch); !reflect.DeepEqual(got, want) {
				t.Fatalf("in batches of %d: %+v\none by one: %+v", batch, got, want)
			}
		}
		checkAgainstRecords(t, want, records)
	})
}

// TestLiveEqualsRebuilt projects histories on the real store while they are written, and again from the beginning.
func TestLiveEqualsRebuilt(t *testing.T) {
	for seed := range 8 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			l, m := open(t), newMemory()
			records := rapid.Custom(history).Example(seed)
			p := projector(l, 1+seed)
			for rest := records; len(rest) > 0; {
				n := min(1+seed*2, len(rest))
				l.append(t, rest[:n]...)
				rest = rest[n:]
				if err := p.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			live := dump(t, l.Views())
			if err := projector(l, 100).Rebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rebuilt := dump(t, l.Views()); !reflect.DeepEqual(live, rebuilt) {
				t.Fatalf("live and rebuilt tables differ:\n%+v\n%+v", live, rebuilt)
			}
			m.entries = entriesOf(t, 0, records)
			if err := projection.New(m, m, projection.Options{Decode: decode}).CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := m.tables(); !reflect.DeepEqual(live, want) {
				t.Fatalf("the store has\n%+v\nwant\n%+v", live, want)
			}
		})
	}
}

// TestErrorsAreKept breaks each method of the store in turn; the projector reports it, changes nothing and goes on when
// it works again.
func TestErrorsAreKept(t *testing.T) {
	records := rapid.Custom(history).Example(5)
	for _, method := range []string{"Page", "Progress", "State", "Apply", "Reset", "Running", "DeleteCalls"} {
		t.Run(method, func(t *testing.T) {
			m := newMemory()
			m.entries = entriesOf(t, 0, records)
			p := projection.New(m, m, projection.Options{Decode: decode})
			m.broken[method] = true
			err := p.CatchUp(t.Context())
			if !errors.Is(p.Status().Err, err) {
				t.Fatalf("status = %+v, want %v", p.Status(), err)
			}
			_, err1 := p.Running(t.Context())
			_, err2 := p.Expire(t.Context(), m, start)
			if err := errors.Join(err, err1, err2, p.Rebuild(t.Context())); !errors.Is(err, errBroken) {
				t.Fatalf("got %v, want %v", err, errBroken)
			}
			m.broken[method] = false
			if err := p.CatchUp(t.Context()); err != nil || p.Status().Err != nil || m.cursor != int64(len(records)) {
				t.Fatalf("afterwards: %v, cursor %d, want %d", err, m.cursor, len(records))
			}
		})
	}
}

// checkAgainstRecords counts the records themselves.
func checkAgainstRecords(t *rapid.T, got tables, records []signalbox.Record) {
	var want signalbox.Totals
	ids, done, inRuns := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range records {
		if r.Call == "" {
			if r.Context.RunID != "" {
				inRuns[r.Who.TenantID+"/"+r.Context.RunID] = true
			}
			want = want.Plus(corrected(r))
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
	byRun := signalbox.Totals{}
	for _, r := range got.RunCosts {
		byRun = byRun.Plus(r.Totals)
	}
	if byRun != want {
		t.Fatalf("the costs of runs add up to %+v, the records to %+v", byRun, want)
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

// corrected is what a correction adds to the totals.
func corrected(r signalbox.Record) (t signalbox.Totals) {
	if r.What.Action != signalbox.ActionCostReconciled {
		return t
	}
	t.Cost = *r.What.Cost
	if _, priced := r.What.Detail["was_usd"]; !priced {
		t.Unpriced = -1
	}
	return t
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
	p := projection.New(l.Views(), l.Views(), projection.Options{Decode: decode, Wake: wake, Delay: time.Millisecond, Poll: time.Hour})
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

func TestUndecodableRecordsAreCounted(t *testing.T) {
	one, two := signalbox.Record{Call: "call_1", Type: signalbox.RecordIntent}, signalbox.Record{Call: "call_2", Type: signalbox.RecordIntent}
	end := signalbox.Record{Call: "call_1", Type: signalbox.RecordOutcome, Outcome: signalbox.OutcomeOK}
	m := newMemory()
	m.entries = entriesOf(t, 0, []signalbox.Record{one, two, end})
	m.entries[1].Content, m.entries[2].Content = []byte("{"), nil
	p := projection.New(m, m, projection.Options{Decode: decode})
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.Status(); s.Undecodable != 2 || s.Projected != 3 || len(m.calls) != 1 {
		t.Fatalf("status = %+v and %d calls, want two undecodable of three and one call", s, len(m.calls))
	}
}

// A record that can not be opened because the store of the keys does not answer is tried again, not passed over.
func TestRecordsWaitForTheirKeys(t *testing.T) {
	for _, typ := range []signalbox.RecordType{signalbox.RecordIntent, signalbox.RecordOutcome} {
		down := true
		m := newMemory()
		m.entries = entriesOf(t, 0, []signalbox.Record{{Call: "call_1", Type: typ, Outcome: signalbox.OutcomeOK}})
		p := projection.New(m, m, projection.Options{Decode: func(e signalbox.Entry) (signalbox.Record, error) {
			if down {
				return signalbox.Record{}, signalbox.Errorf(signalbox.CodeUnavailable, "The keys can not be read.")
			}
			return decode(e)
		}})
		if err := p.CatchUp(t.Context()); signalbox.CodeOf(err) != signalbox.CodeUnavailable || m.cursor != 0 {
			t.Errorf("%s: got %v, and the cursor is at %d", typ, err, m.cursor)
		}
		down = false
		if err := p.CatchUp(t.Context()); err != nil || len(m.calls) != 1 || p.Status().Undecodable != 0 {
			t.Errorf("%s: got %v, %d calls and %+v", typ, err, len(m.calls), p.Status())
		}
	}
}

// TestOddHistories folds what no gateway writes.
func TestOddHistories(t *testing.T) {
	rec := func(typ signalbox.RecordType, o signalbox.Outcome) signalbox.Record {
		return signalbox.Record{Call: "call_1", Type: typ, Outcome: o, When: signalbox.When{Timestamp: start}}
	}
	intent, retry := rec(signalbox.RecordIntent, ""), rec(signalbox.RecordAttempt, "")
	for name, c := range map[string]struct {
		records []signalbox.Record
		want    []signalbox.Outcome
	}{
		"two intents":               {[]signalbox.Record{intent, intent}, []signalbox.Outcome{signalbox.OutcomeRunning}},
		"an attempt of no call":     {[]signalbox.Record{retry}, nil},
		"an attempt after the end":  {[]signalbox.Record{rec(signalbox.RecordOutcome, signalbox.OutcomeDenied), retry}, []signalbox.Outcome{signalbox.OutcomeDenied}},
		"an intent after the end":   {[]signalbox.Record{rec(signalbox.RecordOutcome, signalbox.OutcomeDenied), intent}, []signalbox.Outcome{signalbox.OutcomeDenied}},
		"an admin record of a call": {[]signalbox.Record{rec(signalbox.RecordAdmin, "")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.entries = entriesOf(t, 0, c.records)
			if err := projection.New(m, m, projection.Options{Decode: decode}).CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []signalbox.Outcome
			for _, v := range m.tables().Calls {
				got = append(got, v.Outcome)
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("outcomes %v, want %v", got, c.want)
			}
		})
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
	before := dump(t, l.Views())
	n, err := p.Expire(t.Context(), l.Views(), start.Add(100*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	after := dump(t, l.Views())
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
	all := dump(t, l.Views())
	for _, r := range all.Rollups {
		want = want.Plus(r.Totals)
	}
	for _, v := range all.Calls {
		if v.Outcome == signalbox.OutcomeRunning {
			running++
		}
		if v.Outcome == signalbox.OutcomeOK || v.Outcome == signalbox.OutcomeFailed {
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

func TestRecordsAboutNoCallChangeNothing(t *testing.T) {
	items := []projection.Item{{Record: signalbox.Record{Type: signalbox.RecordAdmin}}}
	if n := projection.NeedsOf(items); len(n.Calls)+len(n.Latency) != 0 {
		t.Fatalf("needs = %+v", n)
	}
	got, err := projection.Fold(signalbox.ViewState{}, items)
	if err != nil || !reflect.DeepEqual(got, signalbox.Changes{}) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestCatchUpEndsWithItsContext(t *testing.T) {
	m := newMemory()
	m.entries = entriesOf(t, 0, rapid.Custom(history).Example(5))
	ctx, cancel := context.WithCancel(t.Context())
	p := projection.New(m, m, projection.Options{Batch: 1, Decode: func(e signalbox.Entry) (signalbox.Record, error) {
		cancel()
		return decode(e)
	}})
	if err := p.CatchUp(ctx); !errors.Is(err, context.Canceled) || p.Status().Err != nil {
		t.Fatalf("got %v and status %+v, want cancelled and no fault", err, p.Status())
	}
	if m.cursor == 0 || m.cursor == int64(len(m.entries)) {
		t.Fatalf("cursor = %d of %d, want a part", m.cursor, len(m.entries))
	}
}
