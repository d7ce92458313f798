package audit

import (
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// Sequencer gives entries their places in the log. The log's one writer calls Sequence and Committed in turn; Encode,
// Tree and Decode may be called by anybody at any time.
type Sequencer struct {
	mu      sync.Mutex
	tree    Tree // Of what is durable.
	next    Tree // After the batch that was sequenced last.
	leaves  []tlog.Hash
	scratch []byte
}

// NewSequencer continues the log whose durable entries make the tree; [Restore] reads it from a store.
func NewSequencer(tree Tree) *Sequencer { return &Sequencer{tree: tree, next: tree} }

// Encode is [Encode].
func (s *Sequencer) Encode(r signalbox.Record) (signalbox.Entry, error) { return Encode(r) }

// Sequence fills in Index and Leaf of the entries, in place, and adds the tiles that they complete. It does not advance:
// until [Sequencer.Committed], another call starts at the same index, so that a batch whose transaction failed has
// never been.
func (s *Sequencer) Sequence(entries []signalbox.Entry) (signalbox.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaves = slices.Grow(s.leaves[:0], len(entries))
	for i := range entries {
		entries[i].Index = s.tree.size + int64(i)
		data, err := appendLeafData(s.scratch[:0], entries[i])
		if err != nil {
			return signalbox.Batch{}, signalbox.AsError(err)
		}
		leaf := tlog.RecordHash(data)
		entries[i].Leaf, s.scratch, s.leaves = leaf, data, append(s.leaves, leaf)
	}
	next, tiles := s.tree.Append(s.leaves)
	s.next = next
	return signalbox.Batch{Entries: entries, Tiles: tiles}, nil
}

// Committed says that the batch of the last Sequence is durable. It panics for any other batch: the tree in memory would
// not be the tree of the stored log any more, and everything signed from then on would be wrong.
func (s *Sequencer) Committed(b signalbox.Batch) {
	if len(b.Entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first, end := b.Entries[0].Index, b.Entries[len(b.Entries)-1].Index+1
	if first != s.tree.size || end != s.next.size {
		panic("audit: the committed batch is not the one that was sequenced last")
	}
	s.tree = s.next
}

// Tree gives the tree of what is durable.
func (s *Sequencer) Tree() Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree
}
