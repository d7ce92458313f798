package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

// place is an anchor in memory.
type place struct {
	mu    sync.Mutex
	got   []int64
	tries int
	fail  error
	hang  bool
	slow  time.Duration
}

func (p *place) Put(ctx context.Context, signed []byte) ([]byte, error) {
	p.mu.Lock()
	p.tries++
	slow, fail, hang := p.slow, p.fail, p.hang
	p.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(slow)
	c, err := readCheckpoint(signed)
	if err = errors.Join(err, fail); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, c.Size)
	return nil, nil
}

func (p *place) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *place) last() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		return -1
	}
	return p.got[len(p.got)-1]
}

func anchored(t *testing.T, m *memory, s *Sequencer, report func(AnchorState), targets ...AnchorTarget) (*Anchors, *Publisher) {
	t.Helper()
	p, err := StartPublisher(t.Context(), someKey(t, "example.com/log"), s.Tree, m, m, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	a := StartAnchors(t.Context(), targets, AnchorOptions{Now: time.Now, Report: report, Rand: func(n int64) int64 { return n - 1 }})
	a.Follow(p)
	return a, p
}

func ended(t *testing.T, a *Anchors, p *Publisher) {
	t.Helper()
	if err := errors.Join(p.Stop(t.Context()), a.Stop(t.Context())); err != nil {
		t.Error(err)
	}
}

// Every target gets every checkpoint it has time for; a slow one gets the newest, one that fails is tried again ever more
// rarely, one that hangs holds up nobody, and the last checkpoint is brought before the stop.
func TestAnchors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := &memory{}, NewSequencer(Tree{})
		quick, slow, broken, hung := &place{}, &place{slow: 3500 * time.Millisecond}, &place{fail: errors.New("no")}, &place{hang: true}
		var reports []string
		a, p := anchored(t, m, s, func(s AnchorState) { reports = append(reports, s.Target) },
			AnchorTarget{AnchorFile, "quick", quick}, AnchorTarget{AnchorFile, "slow", slow},
			AnchorTarget{AnchorWebhook, "broken", broken}, AnchorTarget{AnchorWitness, "hung", hung})
		time.Sleep(PublishInterval / 2) // Between two checkpoints.
		for i := range 60 {
			write(t, m, s, someCalls(i, 1)...)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(quick.got) < 59 || len(slow.got) < 15 || len(slow.got) > 18 || slow.last() < 110 {
			t.Errorf("quick got %v, slow got %v", quick.got, slow.got)
		}
		if broken.tries < 5 || broken.tries > 7 || hung.tries != 1 { // At 0, 1, 3, 7, 15, 31 seconds.
			t.Errorf("the broken one was tried %d times, the one that hangs %d times", broken.tries, hung.tries)
		}
		if states := a.States(); states[0].Size < 118 || states[2].Size != -1 || states[2].Err == nil || states[0].Err != nil || states[0].Time.IsZero() {
			t.Errorf("states %+v", states)
		}
		broken.set(func() { broken.fail = nil })
		time.Sleep(AnchorRetryCap)
		synctest.Wait()
		if broken.last() != 120 || len(broken.got) != 1 || strings.Join(reports, " ") != "broken broken" {
			t.Errorf("after it works again the broken one got %v; reported: %v", broken.got, reports)
		}
		write(t, m, s, someCalls(100, 1)...)
		slow.set(func() { slow.slow = 0 })
		began := time.Now()
		ended(t, a, p)
		if quick.last() != 122 || slow.last() != 122 || broken.last() != 122 {
			t.Errorf("the last checkpoint of 122 came to %d, %d and %d", quick.last(), slow.last(), broken.last())
		}
		if took := time.Since(began); took > AnchorStopWait {
			t.Errorf("the stop took %v", took)
		}
	})
}

// A process that does not lead any more anchors nothing more, and begins again when it leads again.
func TestAnchorsOfAFormerLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := &memory{}, NewSequencer(Tree{})
		there := &place{fail: errors.New("no")}
		a, p := anchored(t, m, s, nil, AnchorTarget{AnchorFile, "there", there})
		write(t, m, s, someCalls(0, 1)...)
		time.Sleep(2 * time.Second)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.Release(t.Context())
		there.set(func() { there.fail = nil })
		time.Sleep(time.Hour)
		if there.last() != -1 {
			t.Fatal("a checkpoint was anchored after the release")
		}
		next, err := StartPublisher(t.Context(), someKey(t, "example.com/log"), s.Tree, m, m, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		a.Follow(next)
		time.Sleep(AnchorRetryCap)
		synctest.Wait()
		if there.last() != 2 {
			t.Errorf("the checkpoint that was there is not anchored: %d", there.last())
		}
		ended(t, a, next)
	})
}

// The cosignature of a witness is stored with the checkpoint, and a newer checkpoint stays the newest.
func TestCosignaturesAreStored(t *testing.T) {
	m, s, k, server, w := witnessed(t)
	p, err := StartPublisher(t.Context(), k, s.Tree, m, m, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	a := StartAnchors(t.Context(), []AnchorTarget{{AnchorWitness, "w1", w}}, AnchorOptions{Now: time.Now})
	a.Follow(p)
	write(t, m, s, someCalls(0, 3)...)
	ended(t, a, p)
	stored, err := m.LatestCheckpoint(t.Context())
	if err != nil || !cosignedBy(t, stored, server) {
		t.Fatalf("stored is %q (%v), %+v", stored, err, a.States())
	}
	if c, err := OpenCheckpoint(stored, k.Verifier()); err != nil || c.Size != 6 {
		t.Errorf("got %+v, %v", c, err)
	}
	old := stored
	write(t, m, s, someCalls(3, 1)...)
	p, err = StartPublisher(t.Context(), k, s.Tree, m, m, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, lines, _ := strings.Cut(string(old), "\n\n")
	own, cosignature, _ := strings.Cut(lines, "\n")
	for range 2 { // Once more it replaces itself.
		if err := p.Cosign(t.Context(), []byte(text+"\n\n"+own+"\n"), []byte(cosignature)); err != nil {
			t.Fatal(err)
		}
		stored, _ = m.LatestCheckpoint(t.Context())
		if c, err := OpenCheckpoint(stored, k.Verifier()); err != nil || c.Size != 8 {
			t.Errorf("a late cosignature makes the newest checkpoint one of size %d (%v)", c.Size, err)
		}
	}
	line, err := w.Put(t.Context(), stored)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Cosign(t.Context(), stored, line); err != nil {
			t.Fatal(err)
		}
	}
	if stored, _ = m.LatestCheckpoint(t.Context()); !cosignedBy(t, stored, server) || strings.Count(string(stored), signatureMark) != 2 {
		t.Errorf("cosigned twice:\n%s", stored)
	}
}

func TestFileAnchor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoints")
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
	a := NewFileAnchor(path)
	if err := a.Check(t.Context(), k, m); err != nil {
		t.Fatal("a file that is not there:", err)
	}
	want := ""
	for i := range 3 {
		write(t, m, s, someCalls(i, 200)...)
		signed := signedTree(t, k, s.Tree())
		for range 2 { // The second time it is there already.
			if _, err := a.Put(t.Context(), signed); err != nil {
				t.Fatal(err)
			}
		}
		if want != "" {
			want += "\n"
		}
		want += string(signed)
		last, err := ReadCheckpoint(path)
		if err != nil || string(last) != string(signed) {
			t.Fatalf("the last one is %q (%v)", last, err)
		}
		if err := NewFileAnchor(path).Check(t.Context(), k, m); err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	report, err := Verify(t.Context(), m, Options{Verifier: k.Verifier(), Saved: LastCheckpoint([]byte(want))})
	if err != nil || report.Saved == nil || report.Saved.Size != s.Tree().Size() {
		t.Errorf("it can not be verified against: %+v, %v", report, err)
	}
}

// Wherever an append is cut off, what was whole before it and what comes after it can be read.
func TestFileAnchorAfterATornAppend(t *testing.T) {
	k := someKey(t, "example.com/log")
	grow := func(n int) []byte {
		tree, _ := Tree{}.Append(someLeaves(n, 1))
		return signedTree(t, k, tree)
	}
	first, second, third := string(grow(1)), string(grow(2)), string(grow(3))
	path := filepath.Join(t.TempDir(), "checkpoints")
	for cut := range len(second) + 1 {
		torn := "\n" + second
		if err := os.WriteFile(path, []byte(first+torn[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		if last, err := ReadCheckpoint(path); err != nil || string(last) != first {
			t.Fatalf("cut at %d the last one is %q (%v)", cut, last, err)
		}
		if _, err := NewFileAnchor(path).Put(t.Context(), []byte(third)); err != nil {
			t.Fatal(err)
		}
		if last, err := ReadCheckpoint(path); err != nil || string(last) != third {
			t.Fatalf("cut at %d and gone on the last one is %q (%v)", cut, last, err)
		}
	}
}

func TestFileAnchorOfAnotherLog(t *testing.T) {
	k := someKey(t, "example.com/log")
	path := filepath.Join(t.TempDir(), "checkpoints")
	m, s := &memory{}, NewSequencer(Tree{})
	write(t, m, s, someCalls(0, 300)...)
	if _, err := NewFileAnchor(path).Put(t.Context(), signedTree(t, k, s.Tree())); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(m *memory)
		key    *Key
		want   string
	}{
		"rolled back": {func(m *memory) { m.entries = m.entries[:590] }, k, "is of size 600, the log is shorter"},
		"rewritten":   {func(m *memory) { m.entries[598].Leaf[0]++ }, k, "had another root at size 600"},
		"another key": {func(*memory) {}, otherKey(t, "example.com/log"), "not signed by a key of this log"},
	} {
		t.Run(name, func(t *testing.T) {
			c := m.clone()
			test.change(c)
			err := NewFileAnchor(path).Check(t.Context(), test.key, c)
			if e := signalbox.AsError(err); e.Code != signalbox.CodeConflict || !strings.Contains(e.Message, test.want) || e.Field != "audit.anchor" || e.Remedy == "" {
				t.Errorf("got %v", err)
			}
		})
	}
	small, _ := Tree{}.Append(someLeaves(10, 1))
	if _, err := NewFileAnchor(path).Put(t.Context(), signedTree(t, k, small)); signalbox.CodeOf(err) != signalbox.CodeConflict {
		t.Errorf("a smaller checkpoint gives %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed: %v", err)
	}
	if _, err := NewFileAnchor(filepath.Join(path, "x")).Put(t.Context(), before); signalbox.AsError(err).Remedy == "" {
		t.Errorf("a path below a file gives %v", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("no checkpoint"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadCheckpoint(other); err != nil || string(got) != "no checkpoint" {
		t.Errorf("a file without a checkpoint gives %q, %v", got, err)
	}
}

func FuzzLastCheckpoint(f *testing.F) {
	k := someKey(f, "example.com/log")
	tree, _ := Tree{}.Append(someLeaves(3, 1))
	signed, err := k.Sign(tree)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("a\n\n— b c\n\n\n— d"))
	f.Fuzz(func(t *testing.T, before []byte) {
		if got := LastCheckpoint(append(append(before[:len(before):len(before)], "\n\n"...), signed...)); string(got) != string(signed) {
			t.Errorf("behind %q the last one is %q", before, got)
		}
	})
}
