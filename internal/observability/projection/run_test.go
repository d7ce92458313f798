package projection_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
)

// started runs a projector over a log of n intents that nobody waits for.
func started(t *testing.T, wake <-chan struct{}) (m *memory, grow func(n int), stop func()) {
	m = newMemory()
	grow = func(n int) {
		var records []signalbox.Record
		for range n {
			records = append(records, signalbox.Record{Call: "call_1", Type: signalbox.RecordIntent, When: signalbox.When{Timestamp: start}})
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.entries = append(m.entries, entriesOf(t, int64(len(m.entries)), records)...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	p := projection.New(m, m, projection.Options{Decode: decode, Wake: wake, Delay: 100 * time.Millisecond, Poll: time.Minute})
	go func() { p.Run(ctx); close(done) }()
	synctest.Wait()
	return m, grow, func() { cancel(); <-done }
}

// progress gives the cursor and the size of the log.
func progress(t *testing.T, m *memory) (cursor, size int64) {
	t.Helper()
	p, err := m.Progress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.Cursor, p.Size
}

func TestSignalsDoNotPutItOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		m, grow, stop := started(t, wake)
		for range 150 {
			grow(1)
			select {
			case wake <- struct{}{}:
			default:
			}
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if cursor, _ := progress(t, m); cursor < 90 {
			t.Fatalf("after 150 ms of signals %d records are projected, want those of the first 100 ms", cursor)
		}
		stop()
	})
}

func TestManyRecordsAreLeftToGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		m, grow, stop := started(t, wake)
		round := func(n int, want time.Duration) {
			t.Helper()
			grow(n)
			wake <- struct{}{}
			time.Sleep(want - time.Millisecond)
			synctest.Wait()
			if cursor, size := progress(t, m); cursor == size {
				t.Fatalf("%d records were projected before %v", n, want)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if cursor, size := progress(t, m); cursor != size {
				t.Fatalf("%d records were not projected after %v", n, want)
			}
		}
		round(1, 100*time.Millisecond)
		round(1000, 100*time.Millisecond)
		round(1, 500*time.Millisecond)
		round(1, 100*time.Millisecond)
		stop()
	})
}

func TestLogIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, grow, stop := started(t, nil)
		grow(3)
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		if cursor, _ := progress(t, m); cursor != 3 {
			t.Fatalf("cursor = %d without a signal, want 3", cursor)
		}
		stop()
		grow(1)
		time.Sleep(time.Hour)
		if cursor, _ := progress(t, m); cursor != 3 {
			t.Fatal("it projects after its end")
		}
	})
}
