package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ call.Log = (*store.Writer)(nil)

// disk is a committer whose commits wait for a permit, and can be told to fail.
type disk struct {
	permits chan error // One for each commit: what it returns.
	mu      sync.Mutex
	stored  []signalbox.Entry
	batches []int
}

func newDisk() *disk { return &disk{permits: make(chan error, 1000)} }

func (d *disk) Commit(_ context.Context, b signalbox.Batch) error {
	err := <-d.permits
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batches = append(d.batches, len(b.Entries))
	if err == nil {
		d.stored = append(d.stored, b.Entries...)
	}
	return err
}

// calls gives the ids of the stored calls, sorted.
func (d *disk) calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for i, e := range d.stored {
		if e.Index != int64(i) {
			ids = append(ids, fmt.Sprintf("index %d at %d", e.Index, i))
		}
		ids = append(ids, e.Call)
	}
	slices.Sort(ids)
	return ids
}

// tree counts; it shows what a sequencer's user must keep to.
type tree struct {
	next, offered int64
	fail          error
}

var errEncode = signalbox.Errorf(signalbox.CodeTooLarge, "the record is too large").WithRemedy("Shorten it.")

func (*tree) Encode(r signalbox.Record) (signalbox.Entry, error) {
	if r.Call == "unencodable" {
		return signalbox.Entry{}, errEncode
	}
	return signalbox.Entry{Type: r.Type, Call: r.Call, Content: []byte(r.What.InputSummary)}, nil
}

func (t *tree) Sequence(entries []signalbox.Entry) (signalbox.Batch, error) {
	for i := range entries {
		entries[i].Index = t.next + int64(i)
	}
	t.offered = t.next + int64(len(entries))
	return signalbox.Batch{Entries: entries}, t.fail
}

func (t *tree) Committed(signalbox.Batch) { t.next = t.offered }

func record(id string) signalbox.Record {
	return signalbox.Record{Call: id, Type: signalbox.RecordOutcome}
}

// result is what one Append gave.
type result struct {
	index int64
	err   error
}

func appendAsync(ctx context.Context, w *store.Writer, r signalbox.Record) <-chan result {
	done := make(chan result, 1)
	go func() {
		index, err := w.Append(ctx, r)
		done <- result{index, err}
	}()
	return done
}

func closeWriter(t *testing.T, w *store.Writer) {
	t.Helper()
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWaitsIsOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		w := store.NewWriter(d, &tree{}, store.Options{MaxBatch: 4})
		var results []<-chan result
		for i := range 10 {
			results = append(results, appendAsync(t.Context(), w, record(fmt.Sprint(i))))
			synctest.Wait() // The first is being written, the others gather.
		}
		if s := w.Stats(); s.Depth != 10 || w.Depth() != 10 || s.Capacity != w.Capacity() {
			t.Fatalf("stats = %+v, want a depth of 10", s)
		}
		for range 4 {
			d.permits <- nil
		}
		for i, r := range results {
			if got := <-r; got.err != nil || got.index != int64(i) {
				t.Fatalf("record %d: %+v", i, got)
			}
		}
		if want := []int{1, 4, 4, 1}; !slices.Equal(d.batches, want) {
			t.Fatalf("batches %v, want %v", d.batches, want)
		}
		select {
		case <-w.Notify():
		default:
			t.Fatal("no signal after the commits")
		}
		closeWriter(t, w)
		s := w.Stats()
		if s.Accepted != 10 || s.Committed != 10 || s.Batches != 4 || s.Depth != 0 || s.Bytes != 0 || s.Failed != 0 {
			t.Fatalf("stats = %+v", s)
		}
	})
}

func TestFailedCommitFailsItsBatchAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, cause := newDisk(), errors.New("disk full")
		w := store.NewWriter(d, &tree{}, store.Options{})
		first := appendAsync(t.Context(), w, record("a"))
		synctest.Wait()
		second := []<-chan result{appendAsync(t.Context(), w, record("b")), appendAsync(t.Context(), w, record("c"))}
		synctest.Wait()
		d.permits <- nil
		synctest.Wait()
		d.permits <- cause
		for _, r := range second {
			got := <-r
			e := signalbox.AsError(got.err)
			if e.Code != signalbox.CodeUnavailable || !errors.Is(got.err, cause) || e.RetryAfter == 0 || e.Remedy == "" {
				t.Fatalf("got %+v, want unavailable with its cause", got)
			}
		}
		if got := <-first; got.err != nil || got.index != 0 {
			t.Fatalf("first = %+v", got)
		}
		third := appendAsync(t.Context(), w, record("e"))
		d.permits <- nil
		if got := <-third; got.err != nil || got.index != 1 {
			t.Fatalf("after the failure: %+v, want index 1", got)
		}
		closeWriter(t, w)
		if want := []string{"a", "e"}; !slices.Equal(d.calls(), want) {
			t.Fatalf("stored %v, want %v", d.calls(), want)
		}
	})
}

func TestErrorsBeforeTheCommit(t *testing.T) {
	d, s := newDisk(), &tree{}
	w := store.NewWriter(d, s, store.Options{})
	if _, err := w.Append(t.Context(), record("unencodable")); !errors.Is(err, errEncode) {
		t.Fatalf("got %v, want %v", err, errEncode)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Append(ctx, record("late")); signalbox.CodeOf(err) != signalbox.CodeCancelled {
		t.Fatalf("got %v, want cancelled", err)
	}
	closeWriter(t, w)
	s.fail = errors.New("no place")
	w = store.NewWriter(d, s, store.Options{})
	if _, err := w.Append(t.Context(), record("a")); !errors.Is(err, s.fail) {
		t.Fatalf("got %v, want %v", err, s.fail)
	}
	closeWriter(t, w)
}

func TestFullQueue(t *testing.T) {
	for name, c := range map[string]struct {
		options          store.Options
		outcomes, begins int // How many fit while one commit hangs.
	}{
		"entries": {store.Options{QueueEntries: 8}, 8, 6},
		"bytes":   {store.Options{QueueBytes: 4 * (256 + 100)}, 4, 3},
		"a record larger than all of it fits an empty queue": {store.Options{QueueBytes: 10}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for typ, want := range map[signalbox.RecordType]int{
				signalbox.RecordOutcome: c.outcomes, signalbox.RecordIntent: c.begins,
			} {
				synctest.Test(t, func(t *testing.T) { fill(t, c.options, typ, want) })
			}
		})
	}
}

func fill(t *testing.T, o store.Options, typ signalbox.RecordType, want int) {
	d := newDisk()
	w := store.NewWriter(d, &tree{}, o)
	r := record("a")
	r.Type, r.What.InputSummary = typ, string(make([]byte, 100))
	var accepted []<-chan result
	for range want {
		accepted = append(accepted, appendAsync(t.Context(), w, r))
		synctest.Wait()
	}
	_, err := w.Append(t.Context(), r)
	if e := signalbox.AsError(err); e.Code != signalbox.CodeUnavailable || e.RetryAfter != store.RetryAfter {
		t.Fatalf("record %d: %v, want unavailable with a time to retry", want+1, err)
	}
	for range want {
		d.permits <- nil
	}
	for i, got := range accepted {
		if r := <-got; r.err != nil {
			t.Fatalf("accepted record %d: %v", i, r.err)
		}
	}
	if s := w.Stats(); s.Refused != 1 || s.Accepted != int64(want) {
		t.Fatalf("stats = %+v, want %d accepted and 1 refused", s, want)
	}
	closeWriter(t, w)
}

func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		w := store.NewWriter(d, &tree{}, store.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		writing := appendAsync(ctx, w, record("being written"))
		synctest.Wait()
		waiting := appendAsync(ctx, w, record("waiting"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := <-waiting; signalbox.CodeOf(got.err) != signalbox.CodeTimeout {
			t.Fatalf("the one that waited: %+v, want timeout", got)
		}
		select {
		case got := <-writing:
			t.Fatalf("the one being written was told %+v before anybody could know", got)
		default:
		}
		d.permits <- nil
		if got := <-writing; got.err != nil {
			t.Fatalf("the one being written: %+v", got)
		}
		closeWriter(t, w)
		if want := []string{"being written"}; !slices.Equal(d.calls(), want) {
			t.Fatalf("stored %v, want %v", d.calls(), want)
		}
		if s := w.Stats(); s.Withdrawn != 1 || s.Depth != 0 || s.Bytes != 0 {
			t.Fatalf("stats = %+v, want one withdrawn", s)
		}
	})
}

func TestCloseWritesWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		w := store.NewWriter(d, &tree{}, store.Options{MaxBatch: 2})
		var results []<-chan result
		for i := range 5 {
			results = append(results, appendAsync(t.Context(), w, record(fmt.Sprint(i))))
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("close of a writer whose disk hangs: %v", err)
		}
		if _, err := w.Append(t.Context(), record("late")); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
			t.Fatalf("an append after close: %v", err)
		}
		for range 5 {
			d.permits <- nil
		}
		closeWriter(t, w)
		for i, r := range results {
			if got := <-r; got.err != nil {
				t.Fatalf("record %d: %v", i, got.err)
			}
		}
	})
}

func TestUncertainCommitEndsTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		w := store.NewWriter(d, &tree{}, store.Options{MaxBatch: 1})
		var results []<-chan result
		for i := range 4 {
			results = append(results, appendAsync(t.Context(), w, record(fmt.Sprint(i))))
			synctest.Wait()
		}
		d.permits <- nil
		d.permits <- fmt.Errorf("sync failed: %w", store.ErrUncertain)
		if err := <-w.Fatal(); !errors.Is(err, store.ErrUncertain) {
			t.Fatalf("fatal = %v", err)
		}
		if got := <-results[0]; got.err != nil {
			t.Fatalf("before the failure: %v", got.err)
		}
		for i, r := range results[1:] {
			if got := <-r; !errors.Is(got.err, store.ErrUncertain) || signalbox.CodeOf(got.err) != signalbox.CodeUnavailable {
				t.Fatalf("record %d: %v", i+1, got.err)
			}
		}
		if _, err := w.Append(t.Context(), record("late")); !errors.Is(err, store.ErrUncertain) {
			t.Fatalf("after the failure: %v", err)
		}
		closeWriter(t, w)
		if len(d.batches) != 2 {
			t.Fatalf("%d commits, want none after the uncertain one", len(d.batches))
		}
	})
}

// TestManyAppenders lets callers come, leave and fail at random times; what was acknowledged must be exactly what is
// stored, in the place that was told.
func TestManyAppenders(t *testing.T) {
	d := newDisk()
	w := store.NewWriter(d, &tree{}, store.Options{QueueEntries: 64, MaxBatch: 16})
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			var err error
			if i%7 == 3 {
				err = errors.New("now and then")
			}
			select {
			case d.permits <- err:
			case <-stop:
				close(d.permits)
				return
			}
		}
	}()
	var mu sync.Mutex
	told := map[string]int64{}
	var group sync.WaitGroup
	for g := range 50 {
		group.Go(func() {
			for i := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%5 == 0 {
					go func() { runtime.Gosched(); cancel() }()
				}
				id := fmt.Sprintf("%d/%d", g, i)
				if index, err := w.Append(ctx, record(id)); err == nil {
					mu.Lock()
					told[id] = index
					mu.Unlock()
				}
				cancel()
			}
		})
	}
	group.Wait()
	closeWriter(t, w)
	close(stop)
	if len(told) != len(d.stored) || len(told) == 0 {
		t.Fatalf("%d were acknowledged, %d are stored", len(told), len(d.stored))
	}
	for i, e := range d.stored {
		if index, ok := told[e.Call]; !ok || index != int64(i) {
			t.Fatalf("%s is stored at %d and was told %d (%v)", e.Call, i, index, ok)
		}
	}
}

// Who watches learns once that commits fail, and once that they work again.
func TestFailingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, cause := newDisk(), errors.New("disk full")
		var told []error
		w := store.NewWriter(d, &tree{}, store.Options{Changed: func(reason error) { told = append(told, reason) }})
		for i, err := range []error{nil, cause, cause, nil, nil} {
			d.permits <- err
			<-appendAsync(t.Context(), w, record("a"))
			if got := w.Failing(); (got != nil) != (err != nil) || err != nil && !errors.Is(got, cause) {
				t.Errorf("after commit %d: failing = %v, want %v", i, got, err)
			}
		}
		closeWriter(t, w)
		if len(told) != 2 || !errors.Is(told[0], cause) || told[1] != nil {
			t.Errorf("told %v, want the cause and then nil", told)
		}
	})
}

// What has not begun does not wait behind a slow commit; what has, does. A call that came between two slow commits ran
// into its own deadline before, which told its caller nothing of the log.
func TestSlowCommitRefusesWhatWaitsToBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		w := store.NewWriter(d, &tree{}, store.Options{})
		under := appendAsync(t.Context(), w, record("under way"))
		synctest.Wait()
		outcome := appendAsync(t.Context(), w, record("outcome"))
		intent := appendAsync(t.Context(), w, signalbox.Record{Call: "waits", Type: signalbox.RecordIntent})
		time.Sleep(store.SlowCommit + time.Millisecond)
		late := appendAsync(t.Context(), w, signalbox.Record{Call: "late", Type: signalbox.RecordIntent})
		for _, r := range []<-chan result{intent, late} {
			if e := signalbox.AsError((<-r).err); e.Code != signalbox.CodeUnavailable || e.RetryAfter == 0 {
				t.Fatalf("refused with %v", e)
			}
		}
		d.permits <- nil
		d.permits <- nil
		for _, r := range []<-chan result{under, outcome} {
			if got := <-r; got.err != nil {
				t.Fatal(got.err)
			}
		}
		d.permits <- nil
		if got := <-appendAsync(t.Context(), w, signalbox.Record{Call: "after", Type: signalbox.RecordIntent}); got.err != nil {
			t.Fatalf("after the slow commit: %v", got.err)
		}
		closeWriter(t, w)
		if got, want := d.calls(), []string{"after", "outcome", "under way"}; !slices.Equal(got, want) {
			t.Fatalf("stored %v, want %v", got, want)
		}
		if s := w.Stats(); s.Refused != 2 || s.Depth != 0 || s.Bytes != 0 {
			t.Fatalf("the counters are %+v", s)
		}
	})
}

func TestSlowCommitClosesTheGateUntilItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, cause := newDisk(), errors.New("disk full")
		var told []bool // Whether it was a reason.
		w := store.NewWriter(d, &tree{}, store.Options{Changed: func(err error) { told = append(told, err != nil) }})
		for _, verdict := range []error{nil, cause} {
			r := appendAsync(t.Context(), w, record("a"))
			time.Sleep(store.SlowCommit - time.Millisecond)
			if err := w.Closed(); err != nil {
				t.Fatalf("before its time: %v", err)
			}
			time.Sleep(2 * time.Millisecond)
			e := signalbox.AsError(w.Closed())
			if e.Code != signalbox.CodeUnavailable || e.RetryAfter == 0 || e.Remedy == "" || w.Failing() == nil {
				t.Fatalf("a slow commit gives %v (failing: %v)", e, w.Failing())
			}
			d.permits <- verdict
			if got := <-r; !errors.Is(got.err, verdict) {
				t.Fatalf("the slow commit gave %v, want %v", got.err, verdict)
			}
			if err := w.Closed(); err != nil {
				t.Fatalf("after it: %v", err)
			}
		}
		last := appendAsync(t.Context(), w, record("b"))
		d.permits <- nil
		if got := <-last; got.err != nil || w.Failing() != nil {
			t.Fatalf("at last: %v, failing: %v", got.err, w.Failing())
		}
		closeWriter(t, w)
		if want := []bool{true, false, true, true, false}; !slices.Equal(told, want) {
			t.Fatalf("told %v, want %v", told, want)
		}
		if s := w.Stats(); s.Refused != 2 {
			t.Fatalf("%d counted as refused, want 2", s.Refused)
		}
	})
}
