package audit

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// world is a written log, its key, and a checkpoint that somebody kept.
type world struct {
	log   *memory
	key   *Key
	saved []byte // Of the log at half its size.
	old   *memory
}

const worldCalls = 140 // 280 records: a full tile and a partial one.

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{log: &memory{}, key: someKey(t, "example.com/log")}
	s := NewSequencer(Tree{})
	write(t, w.log, s, someCalls(0, worldCalls/2)...)
	w.sign(t, s)
	w.old = w.log.clone()
	write(t, w.log, s, someCalls(worldCalls/2, worldCalls-worldCalls/2)...)
	w.sign(t, s)
	w.saved = w.log.checkpoints[0]
	return w
}

func (w world) sign(t testing.TB, s *Sequencer) {
	t.Helper()
	signed, err := w.key.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	w.log.checkpoints = append(w.log.checkpoints, signed)
}

func (w world) verify(t testing.TB, src LogSource) Report {
	t.Helper()
	r, err := Verify(t.Context(), src, Options{Verifier: w.key.Verifier(), Saved: w.saved, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerifyOfAGoodLog(t *testing.T) {
	w := newWorld(t)
	got := w.verify(t, w.log)
	if !got.OK() {
		t.Fatalf("findings: %+v", got.Findings)
	}
	tree, err := Restore(t.Context(), w.log)
	if err != nil || got.Root != tree.Root() || got.Size != 2*worldCalls || got.Tiles != 1 || got.Calls != worldCalls ||
		got.Open != 0 || got.Unsigned != 0 || got.Checkpoint.Size != 2*worldCalls || got.Saved.Size != worldCalls {
		t.Fatalf("got %+v (%v)", got, err)
	}
}

func TestVerifyOfAnEmptyLog(t *testing.T) {
	w := newWorld(t)
	r, err := Verify(t.Context(), &memory{}, Options{Verifier: w.key.Verifier()})
	if err != nil || !r.OK() || r.Size != 0 || r.Root != (Tree{}).Root() {
		t.Fatalf("got %+v (%v)", r, err)
	}
}

func TestVerifyOfTilesOnTwoLevels(t *testing.T) {
	m, s := largeLog(t)
	k := someKey(t, "example.com/log")
	signed, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	opts := Options{Verifier: k.Verifier(), Saved: signed}
	r, err := Verify(t.Context(), m, opts)
	if err != nil || !r.OK() || r.Tiles != 66_000/256+1 {
		t.Fatalf("%d tiles, findings %+v (%v)", r.Tiles, r.Findings, err)
	}
	i := slices.IndexFunc(m.tiles, func(t signalbox.Tile) bool { return t.Level == 1 })
	m.tiles[i].Hashes[tlog.HashSize*3]++
	r, err = Verify(t.Context(), m, opts)
	if err != nil || len(r.Findings) != 1 || r.Findings[0].Check != CheckTile || r.Findings[0].Index != 3*TileWidth {
		t.Fatalf("findings %+v (%v), want the tile of level 1 at record %d", r.Findings, err, 3*TileWidth)
	}
}

// rehash makes the entry's leaf fit its columns again, as somebody would who covers his traces.
func rehash(t testing.TB, e *signalbox.Entry) {
	t.Helper()
	leaf, err := Leaf(*e)
	if err != nil {
		t.Fatal(err)
	}
	e.Leaf = leaf
}

// rebuild recomputes all leaves and tiles, so that only a signature can tell.
func rebuild(t testing.TB, m *memory) {
	t.Helper()
	s := NewSequencer(Tree{})
	b, err := s.Sequence(m.entries)
	if err != nil {
		t.Fatal(err)
	}
	m.tiles = b.Tiles
}

// tamperings are what somebody with full access to the database, but without the key, can do.
var tamperings = []struct {
	name string
	do   func(t testing.TB, r *rand.Rand, w world, m *memory)
}{
	{"flip a bit of a column", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		e := &m.entries[r.IntN(len(m.entries))]
		switch r.IntN(6) {
		case 0:
			e.Content[r.IntN(len(e.Content))] ^= 1 << r.IntN(8)
		case 1:
			e.Leaf[r.IntN(32)] ^= 1 << r.IntN(8)
		case 2:
			e.Time = e.Time.Add(time.Duration(1+r.IntN(1000)) * time.Microsecond)
		case 3:
			e.Tenant = flip(r, e.Tenant)
		case 4:
			e.Call = flip(r, e.Call)
		case 5:
			e.Type = signalbox.RecordType(flip(r, string(e.Type)))
		}
	}},
	{"delete a record", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		i := r.IntN(len(m.entries))
		m.entries = slices.Delete(m.entries, i, i+1)
	}},
	{"delete a record and close the gap", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		i := r.IntN(len(m.entries))
		m.entries = slices.Delete(m.entries, i, i+1)
		rebuild(t, m)
	}},
	{"insert a record", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		i := r.IntN(len(m.entries) + 1)
		e, _ := Encode(someRecord(signalbox.RecordOutcome, 100_000+r.IntN(1000)))
		m.entries = slices.Insert(m.entries, i, e)
		rebuild(t, m)
	}},
	{"insert a record beside another", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		e, _ := Encode(someRecord(signalbox.RecordOutcome, 100_000+r.IntN(1000)))
		e.Index = int64(r.IntN(len(m.entries)))
		rehash(t, &e)
		m.entries = append(m.entries, e)
	}},
	{"insert a record before the first", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		e, _ := Encode(someRecord(signalbox.RecordOutcome, 100_000))
		e.Index = -1 - r.Int64N(100)
		m.entries = append(m.entries, e)
	}},
	{"swap two records", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		i := r.IntN(len(m.entries) - 1)
		j := i + 1 + r.IntN(len(m.entries)-1-i)
		a, b := &m.entries[i], &m.entries[j]
		*a, *b = *b, *a
		a.Index, b.Index = b.Index, a.Index
		if r.IntN(2) == 0 {
			rehash(t, a)
			rehash(t, b)
		}
	}},
	{"truncate", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		m.entries = m.entries[:r.IntN(len(m.entries))]
	}},
	{"truncate with tiles", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		m.entries = m.entries[:r.IntN(len(m.entries))]
		rebuild(t, m)
	}},
	{"duplicate a record", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		m.entries = append(m.entries, m.entries[r.IntN(len(m.entries))])
	}},
	{"replace content and re-hash the leaf", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		e := &m.entries[r.IntN(len(m.entries))]
		e.Content = []byte(strings.Replace(string(e.Content), "researcher", "nobody", 1))
		rehash(t, e)
	}},
	{"replace content and rebuild the tree", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		e := &m.entries[r.IntN(len(m.entries))]
		e.Content = []byte(strings.Replace(string(e.Content), "researcher", "nobody", 1))
		rebuild(t, m)
	}},
	{"rebuild and sign with another key", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		m.entries[r.IntN(len(m.entries))].Tenant = "other"
		rebuild(t, m)
		tree, err := Restore(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := someKey(t, "example.com/log2").Sign(tree)
		if err != nil {
			t.Fatal(err)
		}
		m.checkpoints = append(m.checkpoints, signed)
	}},
	{"rebuild and drop the checkpoints", func(t testing.TB, r *rand.Rand, _ world, m *memory) {
		m.entries[r.IntN(worldCalls)].Tenant = "other" // Under the saved checkpoint.
		rebuild(t, m)
		m.checkpoints = nil
	}},
	{"flip a bit of a tile", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		tile := m.tiles[r.IntN(len(m.tiles))]
		tile.Hashes[r.IntN(len(tile.Hashes))] ^= 1 << r.IntN(8)
	}},
	{"delete a tile", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		i := r.IntN(len(m.tiles))
		m.tiles = slices.Delete(m.tiles, i, i+1)
	}},
	{"shorten a tile", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		tile := &m.tiles[r.IntN(len(m.tiles))]
		tile.Hashes = tile.Hashes[:r.IntN(len(tile.Hashes))]
	}},
	{"add a tile", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		m.tiles = append(m.tiles, signalbox.Tile{Level: r.IntN(3), N: r.Int64N(1000), Hashes: make([]byte, 8192)})
	}},
	{"flip a bit of the checkpoint", func(_ testing.TB, r *rand.Rand, _ world, m *memory) {
		last := slices.Clone(m.checkpoints[len(m.checkpoints)-1])
		// The end of the last line's base64 has bits that no decoder looks at.
		last[r.IntN(len(last)-8)] ^= 1 << r.IntN(7)
		m.checkpoints = append(m.checkpoints, last)
	}},
	{"restore an older copy", func(_ testing.TB, _ *rand.Rand, w world, m *memory) {
		older := w.old.clone()
		older.entries = older.entries[:len(older.entries)-2]
		older.checkpoints = nil
		m.entries, m.tiles, m.checkpoints = older.entries, older.tiles, older.checkpoints
	}},
	{"write the second half anew", func(t testing.TB, r *rand.Rand, w world, m *memory) {
		m.entries = append(slices.Clone(w.old.entries[:worldCalls-2]), m.entries[worldCalls:]...)
		rebuild(t, m)
		m.checkpoints = nil
		_ = r
	}},
}

func flip(r *rand.Rand, s string) string {
	b := []byte(s)
	b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	return string(b)
}

func TestEveryTamperingIsDetected(t *testing.T) {
	w := newWorld(t)
	const rounds = 50 // Of each kind: 1,050 in all.
	for _, tampering := range tamperings {
		t.Run(tampering.name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				m := w.log.clone()
				tampering.do(t, rand.New(rand.NewPCG(seed, 1)), w, m)
				if r := w.verify(t, m); r.OK() {
					t.Errorf("seed %d: not detected", seed)
				}
			}
		})
	}
	if n := len(tamperings) * rounds; n < 1000 {
		t.Errorf("%d tamperings, want at least 1000", n)
	}
	if r := w.verify(t, w.log); !r.OK() {
		t.Errorf("the log itself is not good any more: %+v", r.Findings)
	}
}

// What a finding says must lead to the record.
func TestFindingsNameTheRecord(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		change func(m *memory)
		want   Finding
	}{
		"content": {func(m *memory) { m.entries[121].Content[3] ^= 1 }, Finding{CheckLeaf, 121, "", "do not give its leaf hash"}},
		"nanoseconds": {
			func(m *memory) { m.entries[5].Time = m.entries[5].Time.Add(1) },
			Finding{CheckLeaf, 5, "", "whole microseconds"},
		},
		"re-hashed": {func(m *memory) {
			m.entries[200].Tenant = "other"
			rehash(t, &m.entries[200])
		}, Finding{CheckTile, 200, "", "Tile 0 of level 0 has another hash"}},
		"missing":  {func(m *memory) { m.entries = slices.Delete(m.entries, 10, 13) }, Finding{CheckSequence, 10, "", "3 records are missing"}},
		"far away": {func(m *memory) { m.entries[279].Index = 1 << 40 }, Finding{CheckSequence, 279, "", "records are missing"}},
		"twice":    {func(m *memory) { m.entries = append(m.entries, m.entries[40]) }, Finding{CheckSequence, 40, "", "more than one record"}},
		"cut off":  {func(m *memory) { m.entries = m.entries[:278] }, Finding{CheckRoot, 278, "", "ends before this record"}},
		"no tile":  {func(m *memory) { m.tiles = m.tiles[1:] }, Finding{CheckTile, 0, "", "stored 0 times"}},
		"tenant": {func(m *memory) {
			m.entries[1].Tenant = "other"
			rebuild(t, m)
		}, Finding{CheckContent, 1, "", `of tenant "acme", its column of "other"`}},
		"saved": {func(m *memory) {
			m.entries[1].Time = m.entries[1].Time.Add(time.Millisecond)
			rebuild(t, m)
		}, Finding{CheckSaved, -1, "", "has another root"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := w.log.clone()
			test.change(m)
			r := w.verify(t, m)
			found := slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Check == test.want.Check && f.Index == test.want.Index && strings.Contains(f.What, test.want.What)
			})
			if !found {
				t.Fatalf("got %+v\nwant %+v", r.Findings, test.want)
			}
		})
	}
}

func TestVerifyFollowsCalls(t *testing.T) {
	admin := signalbox.Record{Type: signalbox.RecordAdmin, Time: start, Who: signalbox.Who{TenantID: "acme"}}
	withCall := admin
	withCall.Call = "call_1"
	refused := someRecord(signalbox.RecordOutcome, 1)
	refused.Outcome, refused.Attempts = signalbox.OutcomeDenied, nil
	unintended := someRecord(signalbox.RecordOutcome, 1)
	unintended.Outcome, unintended.Attempts = signalbox.OutcomeOK, nil
	again := unintended
	again.Context.ReplayOf = "call_0"
	silent := someRecord(signalbox.RecordOutcome, 1)
	silent.Outcome = ""
	nameless := someRecord(signalbox.RecordIntent, 1)
	nameless.Call = ""
	foreign := someRecord(signalbox.RecordOutcome, 1)
	foreign.Who.TenantID = "other"
	foreignAttempt := someRecord(signalbox.RecordAttempt, 1)
	foreignAttempt.Who.TenantID = "other"
	odd := admin
	odd.Type = "odd"
	intent, attempt, outcome := someRecord(signalbox.RecordIntent, 1), someRecord(signalbox.RecordAttempt, 1), someRecord(signalbox.RecordOutcome, 1)
	tests := map[string]struct {
		records []signalbox.Record
		want    string
		index   int64
	}{
		"whole call":              {[]signalbox.Record{admin, intent, attempt, outcome}, "", 0},
		"refused":                 {[]signalbox.Record{refused}, "", 0},
		"second outcome":          {[]signalbox.Record{intent, outcome, refused}, "second outcome; the first is record 1", 2},
		"second intent":           {[]signalbox.Record{intent, intent, outcome}, "second intent; the first is record 0", 1},
		"no outcome":              {[]signalbox.Record{admin, intent}, "no outcome", 1},
		"intent after outcome":    {[]signalbox.Record{refused, intent}, "after an outcome", 1},
		"given again":             {[]signalbox.Record{again}, "", 0},
		"good without intent":     {[]signalbox.Record{unintended}, "no intent before", 0},
		"outcome without intent":  {[]signalbox.Record{outcome}, "no intent before", 0},
		"attempt without intent":  {[]signalbox.Record{attempt}, "no call of its tenant", 0},
		"attempt of another":      {[]signalbox.Record{intent, foreignAttempt, outcome}, "no call of its tenant", 1},
		"outcome of another":      {[]signalbox.Record{intent, foreign}, `of tenant "other"`, 1},
		"outcome without outcome": {[]signalbox.Record{intent, silent}, "does not say how", 1},
		"intent without call":     {[]signalbox.Record{nameless}, "names no call", 0},
		"admin with call":         {[]signalbox.Record{withCall}, "admin record names a call", 0},
		"unknown type":            {[]signalbox.Record{odd}, `"odd" is unknown`, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "x")
			write(t, m, s, test.records...)
			r, err := Verify(t.Context(), m, Options{Verifier: k.Verifier(), Complete: true})
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if !r.OK() {
					t.Fatalf("findings: %+v", r.Findings)
				}
				return
			}
			if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].What, test.want) || r.Findings[0].Index != test.index {
				t.Fatalf("got %+v, want %q at %d", r.Findings, test.want, test.index)
			}
		})
	}
}

func TestVerifyCountsWhatIsOpenAndUnsigned(t *testing.T) {
	w := newWorld(t)
	tree, err := Restore(t.Context(), w.log)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.log, NewSequencer(tree), someRecord(signalbox.RecordIntent, 7777), someRecord(signalbox.RecordIntent, 7778))
	r, err := Verify(t.Context(), w.log, Options{Verifier: w.key.Verifier()})
	if err != nil || !r.OK() || r.Open != 2 || r.Unsigned != 2 {
		t.Fatalf("got %+v (%v), want 2 open and 2 unsigned", r, err)
	}
}

func TestVerifyMissesOldSignatures(t *testing.T) {
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "x")
	write(t, m, s, someRecord(signalbox.RecordIntent, 1), someRecord(signalbox.RecordOutcome, int(MaxUnsigned/time.Millisecond)+2))
	r, err := Verify(t.Context(), m, Options{Verifier: k.Verifier()})
	if err != nil || !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Check == CheckRoot }) {
		t.Fatalf("got %+v (%v)", r.Findings, err)
	}
}

func TestVerifyWithoutKeySaysSo(t *testing.T) {
	w := newWorld(t)
	r, err := Verify(t.Context(), w.log, Options{})
	if err != nil || len(r.Findings) != 1 || r.Findings[0].Check != CheckSignature {
		t.Fatalf("got %+v (%v)", r.Findings, err)
	}
}

func TestVerifyBoundsItsFindings(t *testing.T) {
	w := newWorld(t)
	for i := range w.log.entries {
		w.log.entries[i].Tenant = "other"
	}
	r := w.verify(t, w.log)
	if len(r.Findings) != MaxFindings || r.More == 0 || r.OK() {
		t.Fatalf("%d findings and %d more", len(r.Findings), r.More)
	}
}

func TestVerifyReportsReadErrors(t *testing.T) {
	w := newWorld(t)
	w.log.fail = errors.New("broken disk")
	if _, err := Verify(t.Context(), w.log, Options{Verifier: w.key.Verifier()}); !errors.Is(err, w.log.fail) {
		t.Fatalf("got %v", err)
	}
	w.log.fail = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, w.log, Options{Verifier: w.key.Verifier()}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestProofsAreCheckedByTlog(t *testing.T) {
	m, s := largeLog(t)
	ctx, size := t.Context(), s.Tree().Size()
	for _, index := range []int64{0, 255, 256, 65_535, 65_536, size - 1} {
		p, err := Prove(ctx, m, size, index)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, size, s.Tree().Root(), index, m.entries[index].Leaf); err != nil {
			t.Errorf("record %d: %v", index, err)
		}
	}
	for _, old := range []int64{1, 255, 256, 257, 40_000, 65_536, size} {
		p, err := ProveConsistency(ctx, m, size, old)
		if err != nil {
			t.Fatal(err)
		}
		root, err := RootAt(ctx, m, old)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(p, size, s.Tree().Root(), old, root); err != nil {
			t.Errorf("size %d: %v", old, err)
		}
	}
}

func TestProofsOfWhatIsNotThere(t *testing.T) {
	m, s := &memory{}, NewSequencer(Tree{})
	write(t, m, s, someCalls(0, 5)...)
	for _, at := range []struct{ size, index int64 }{{10, 10}, {10, -1}, {11, 3}, {-1, 0}} {
		if _, err := Prove(t.Context(), m, at.size, at.index); signalbox.CodeOf(err) != signalbox.CodeNotFound {
			t.Errorf("%+v: got %v", at, err)
		}
	}
	if _, err := ProveConsistency(t.Context(), m, 10, 0); signalbox.CodeOf(err) != signalbox.CodeInvalid {
		t.Errorf("got %v", err)
	}
	m.entries = m.entries[:3:3]
	m.entries = append(m.entries, signalbox.Entry{Index: 9})
	if _, err := Prove(t.Context(), m, 10, 2); signalbox.CodeOf(err) != signalbox.CodeInternal {
		t.Errorf("got %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(b, "x")
	write(b, m, s, someCalls(0, 10_000)...)
	for b.Loop() {
		r, err := Verify(b.Context(), m, Options{Verifier: k.Verifier()})
		if err != nil || !r.OK() {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(20_000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
