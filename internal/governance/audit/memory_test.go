package audit

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// memory is a log in memory: a store without rules, so that tests can break it.
type memory struct {
	mu          sync.Mutex
	entries     []signalbox.Entry
	tiles       []signalbox.Tile
	checkpoints [][]byte
	fail        error
}

func (m *memory) commit(b signalbox.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, b.Entries...)
	m.tiles = append(m.tiles, b.Tiles...)
}

func (m *memory) Size(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := int64(0)
	for _, e := range m.entries {
		size = max(size, e.Index+1)
	}
	return size, m.fail
}

func (m *memory) Leaves(_ context.Context, from, to int64) ([][32]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var leaves [][32]byte
	for _, e := range m.entries {
		if from <= e.Index && e.Index < to {
			leaves = append(leaves, e.Leaf)
		}
	}
	return leaves, m.fail
}

func (m *memory) Tiles(_ context.Context, level int, from, to int64) ([]signalbox.Tile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var tiles []signalbox.Tile
	for _, t := range m.tiles {
		if t.Level == level && from <= t.N && t.N < to {
			tiles = append(tiles, t)
		}
	}
	slices.SortStableFunc(tiles, func(a, b signalbox.Tile) int { return cmp.Compare(a.N, b.N) })
	return tiles, m.fail
}

func (m *memory) Entries(_ context.Context, from int64) iter.Seq2[signalbox.Entry, error] {
	m.mu.Lock()
	entries := slices.Clone(m.entries)
	m.mu.Unlock()
	slices.SortStableFunc(entries, func(a, b signalbox.Entry) int { return cmp.Compare(a.Index, b.Index) })
	return func(yield func(signalbox.Entry, error) bool) {
		for _, e := range entries {
			if e.Index >= from && !yield(e, nil) {
				return
			}
		}
		if m.fail != nil {
			yield(signalbox.Entry{}, m.fail)
		}
	}
}

func (m *memory) LatestCheckpoint(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.checkpoints) == 0 {
		return nil, m.fail
	}
	return m.checkpoints[len(m.checkpoints)-1], m.fail
}

func (m *memory) PutCheckpoint(_ context.Context, note []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.checkpoints = append(m.checkpoints, note)
	}
	return m.fail
}

func (m *memory) clone() *memory {
	c := &memory{checkpoints: slices.Clone(m.checkpoints)}
	for _, e := range m.entries {
		e.Content = slices.Clone(e.Content)
		c.entries = append(c.entries, e)
	}
	for _, t := range m.tiles {
		t.Hashes = slices.Clone(t.Hashes)
		c.tiles = append(c.tiles, t)
	}
	return c
}

var start = time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)

func someRecord(typ signalbox.RecordType, call int) signalbox.Record {
	money := signalbox.Money(12_500)
	r := signalbox.Record{
		Type: typ, Call: "call_" + strconv.Itoa(call), Time: start.Add(time.Duration(call) * time.Millisecond),
		Who:  signalbox.Who{TenantID: "acme", AgentID: "researcher", KeyID: "support", Role: signalbox.RoleAgent},
		What: signalbox.What{Action: signalbox.ActionModelCall, Kind: signalbox.KindModel, InputSummary: "Hello, who is [email]?"},
		When: signalbox.When{Timestamp: start, DurationMS: 12, TraceID: "0af7651916cd43dd8448eb211c80319c", SpanID: "b7ad6b7169203331"},
		Context: signalbox.Context{
			RequestID: "req_1", ModelName: "claude-haiku", Provider: "anthropic", Protocol: signalbox.ProtocolAnthropic,
		},
	}
	if typ == signalbox.RecordOutcome {
		r.Outcome, r.What.Cost, r.What.CostBasis = signalbox.OutcomeOK, &money, signalbox.BasisReported
		r.What.Tokens = &signalbox.Usage{Input: 100, Output: 20}
		r.Attempts = []signalbox.Attempt{{N: 1, Name: "claude-haiku", Provider: "anthropic", Basis: signalbox.BasisReported}}
	}
	return r
}

// write puts records through a sequencer into the log, in batches of seven.
func write(t testing.TB, m *memory, s *Sequencer, records ...signalbox.Record) {
	t.Helper()
	for batch := range slices.Chunk(records, 7) {
		var entries []signalbox.Entry
		for _, r := range batch {
			e, err := s.Encode(r)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		b, err := s.Sequence(entries)
		if err != nil {
			t.Fatal(err)
		}
		m.commit(b)
		s.Committed(b)
	}
}

// someCalls gives intent and outcome of n calls.
func someCalls(from, n int) []signalbox.Record {
	var records []signalbox.Record
	for i := from; i < from+n; i++ {
		records = append(records, someRecord(signalbox.RecordIntent, i), someRecord(signalbox.RecordOutcome, i))
	}
	return records
}

// largeCalls is enough for tiles on two levels.
const largeCalls = 33_000

var large struct {
	sync.Mutex
	log  *memory
	tree Tree
}

// largeLog gives a log of largeCalls calls, of the caller's own, and its sequencer.
func largeLog(t testing.TB) (*memory, *Sequencer) {
	t.Helper()
	large.Lock()
	defer large.Unlock()
	if large.log == nil {
		s := NewSequencer(Tree{})
		large.log = &memory{}
		for i := range largeCalls {
			r := signalbox.Record{
				Type: signalbox.RecordIntent, Call: "call_" + strconv.Itoa(i), Time: start, Who: signalbox.Who{TenantID: "acme"},
			}
			end := r
			end.Type, end.Outcome = signalbox.RecordOutcome, signalbox.OutcomeDenied
			write(t, large.log, s, r, end)
		}
		large.tree = s.Tree()
	}
	return large.log.clone(), NewSequencer(large.tree)
}
