package audit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sizes(t *testing.T, m *memory, k *Key) []int64 {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []int64{}
	for _, signed := range m.checkpoints {
		c, err := OpenCheckpoint(signed, k.Verifier())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Size)
	}
	return all
}

func wantSizes(t *testing.T, m *memory, k *Key, want ...int64) {
	t.Helper()
	got := sizes(t, m, k)
	if len(got) != len(want) {
		t.Fatalf("checkpoints of sizes %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("checkpoints of sizes %v, want %v", got, want)
		}
	}
}

func TestPublisherSignsWhenTheTreeHasGrown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
		p, err := StartPublisher(t.Context(), k, s.Tree, m, m, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		wantSizes(t, m, k) // Nothing to sign.
		write(t, m, s, someCalls(0, 3)...)
		time.Sleep(PublishInterval)
		synctest.Wait()
		wantSizes(t, m, k, 6)
		for i := range 10 { // Ten batches in one interval.
			write(t, m, s, someCalls(10+i, 1)...)
			time.Sleep(PublishInterval / 10)
		}
		synctest.Wait()
		if got := sizes(t, m, k); len(got) != 2 {
			t.Fatalf("checkpoints of sizes %v in one interval", got)
		}
		write(t, m, s, someCalls(30, 1)...)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := sizes(t, m, k); got[len(got)-1] != s.Tree().Size() {
			t.Fatalf("the last checkpoint is of size %v, want %d", got, s.Tree().Size())
		}
	})
}

// What is found unsigned at the start is signed at once when it may be, and not after an interval: lives that are shorter
// than one left a log of which nothing was ever signed.
func TestPublisherSignsAtOnceWhenNudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
		write(t, m, s, someCalls(0, 3)...)
		open := false
		tree := func() Tree {
			if !open {
				return Tree{}
			}
			return s.Tree()
		}
		p, err := StartPublisher(t.Context(), k, tree, m, m, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantSizes(t, m, k)
		open = true
		p.Nudge()
		synctest.Wait()
		wantSizes(t, m, k, 6)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPublisherSignsAgainAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
		failed := 0
		p, err := StartPublisher(t.Context(), k, s.Tree, m, m, func(error) { failed++ })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		write(t, m, s, someCalls(0, 1)...)
		m.mu.Lock()
		m.fail = errors.New("disk full")
		m.mu.Unlock()
		time.Sleep(3*PublishInterval + 1)
		synctest.Wait()
		m.mu.Lock()
		m.fail = nil
		m.mu.Unlock()
		time.Sleep(PublishInterval)
		synctest.Wait()
		if failed != 3 {
			t.Errorf("%d failures reported, want 3", failed)
		}
		wantSizes(t, m, k, 2)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPublisherContinuesItsOwnLogOnly(t *testing.T) {
	k := someKey(t, "example.com/log")
	build := func() (*memory, *Sequencer) {
		m, s := &memory{}, NewSequencer(Tree{})
		write(t, m, s, someCalls(0, 300)...)
		signed, err := k.Sign(s.Tree())
		if err != nil {
			t.Fatal(err)
		}
		m.checkpoints = [][]byte{signed}
		write(t, m, s, someCalls(300, 10)...)
		return m, s
	}
	tests := map[string]struct {
		change func(*memory)
		key    *Key
		want   signalbox.Code
	}{
		"the same log": {func(*memory) {}, k, ""},
		"another log":  {func(*memory) {}, someKey(t, "example.com/new"), signalbox.CodeInvalid},
		"another key":  {func(*memory) {}, otherKey(t, "example.com/log"), signalbox.CodeInvalid},
		"no note":      {func(m *memory) { m.checkpoints[0] = []byte("x") }, k, signalbox.CodeInvalid},
		"cut off":      {func(m *memory) { m.entries = m.entries[:520] }, k, signalbox.CodeConflict},
		"changed":      {func(m *memory) { m.entries[599].Leaf[0]++ }, k, signalbox.CodeConflict},
		"damaged":      {func(m *memory) { m.tiles = m.tiles[1:] }, k, signalbox.CodeInternal},
		"unreadable":   {func(m *memory) { m.fail = errors.New("broken") }, k, signalbox.CodeInternal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, s := build()
			test.change(m)
			p, err := StartPublisher(t.Context(), test.key, s.Tree, m, m, func(err error) { t.Error(err) })
			if signalbox.CodeOf(err) != test.want {
				t.Fatalf("got %v, want code %q", err, test.want)
			}
			if err != nil && len(m.checkpoints) != 1 {
				t.Errorf("%d checkpoints are stored after a start that failed", len(m.checkpoints))
			}
			if err == nil {
				if err := p.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantSizes(t, m, test.key, sizesAfter(t, m, test.key, s)...)
			}
		})
	}
}

// sizesAfter says that the newest checkpoint covers the whole tree.
func sizesAfter(t *testing.T, m *memory, k *Key, s *Sequencer) []int64 {
	t.Helper()
	last, err := OpenCheckpoint(m.checkpoints[len(m.checkpoints)-1], k.Verifier())
	if err != nil || last.Size != s.Tree().Size() {
		t.Fatalf("newest checkpoint of size %d (%v), want %d", last.Size, err, s.Tree().Size())
	}
	m.checkpoints = m.checkpoints[len(m.checkpoints)-1:]
	return []int64{last.Size}
}

// Under load there is a checkpoint at least every second, whatever the writer does.
func TestPublisherSignsEverySecondUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
		p, err := StartPublisher(t.Context(), k, s.Tree, m, m, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		written := []int64{} // Size of the log at the start of each second.
		for i := range 30 * 50 {
			if i%50 == 0 {
				written = append(written, s.Tree().Size())
			}
			write(t, m, s, someCalls(i, 1)...)
			time.Sleep(PublishInterval / 50)
		}
		synctest.Wait()
		signed := sizes(t, m, k)
		for second, size := range written[:len(written)-1] {
			if second+1 >= len(signed) || signed[second+1] < size {
				t.Fatalf("in second %d the newest of %d checkpoints does not cover %d records", second, len(signed), size)
			}
		}
		write(t, m, s, someCalls(9999, 1)...)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := sizes(t, m, k); got[len(got)-1] != s.Tree().Size() {
			t.Fatalf("the last checkpoint covers %d of %d records", got[len(got)-1], s.Tree().Size())
		}
	})
}

// hanging is a store whose PutCheckpoint waits for its context.
type hanging struct{ memory }

func (h *hanging) PutCheckpoint(ctx context.Context, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestPublisherStopsThoughTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := &hanging{}, NewSequencer(Tree{})
		p, err := StartPublisher(t.Context(), someKey(t, "x"), s.Tree, h, h, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		write(t, &h.memory, s, someCalls(0, 1)...)
		time.Sleep(2 * PublishInterval)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want deadline exceeded", err)
		}
	})
}
