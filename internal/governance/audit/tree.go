package audit

import (
	"crypto/sha256"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// TileHeight is the height of a tile, TileWidth the number of hashes in a full one (C2SP tlog-tiles).
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// Tree is the state of the log's tree: its size, and of each tile level the hashes that no full tile holds yet (fewer
// than [TileWidth]). The zero Tree is the empty one. A Tree is a value: no operation changes it, so a tree that was
// appended to in a transaction that failed is still the tree of before.
type Tree struct {
	size int64
	edge [][]tlog.Hash // Indexed by tile level; never written to once the Tree is made.
}

// Size is the number of leaves.
func (t Tree) Size() int64 { return t.size }

// Append gives the tree with the leaves added, and the tiles that became full, lower levels before higher ones.
func (t Tree) Append(leaves []tlog.Hash) (Tree, []signalbox.Tile) {
	next := Tree{size: t.size, edge: slices.Clone(t.edge)}
	own := make([]bool, 0, len(t.edge)+1) // Which levels are copies that we may write to.
	var tiles []signalbox.Tile
	for _, leaf := range leaves {
		tiles, own = next.add(leaf, tiles, own)
	}
	return next, tiles
}

// add adds one leaf, and the hash of each tile that it completes one level up.
func (t *Tree) add(h tlog.Hash, tiles []signalbox.Tile, own []bool) ([]signalbox.Tile, []bool) {
	t.size++
	for level := 0; ; level++ {
		if level == len(t.edge) {
			t.edge = append(t.edge, nil)
		}
		for level >= len(own) {
			own = append(own, false)
		}
		if !own[level] {
			t.edge[level] = append(make([]tlog.Hash, 0, TileWidth), t.edge[level]...)
			own[level] = true
		}
		t.edge[level] = append(t.edge[level], h)
		if len(t.edge[level]) < TileWidth {
			return tiles, own
		}
		n := t.size>>(TileHeight*(level+1)) - 1
		tiles = append(tiles, signalbox.Tile{Level: level, N: n, Hashes: join(t.edge[level])})
		h = foldTile(t.edge[level])
		t.edge[level] = t.edge[level][:0]
	}
}

// Root is the root hash, as RFC 6962 defines it.
func (t Tree) Root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	var root tlog.Hash
	have := false
	for _, hashes := range t.edge {
		// The partial tile is a row of perfect subtrees, the smallest at the right.
		for rest := hashes; len(rest) > 0; {
			cut := len(rest) - 1<<bits.TrailingZeros(uint(len(rest)))
			h := foldTile(rest[cut:])
			if have {
				h = tlog.NodeHash(h, root)
			}
			root, have, rest = h, true, rest[:cut]
		}
	}
	return root
}

// foldTile gives the root of the perfect subtree over the hashes, of which there are a power of two.
func foldTile(hashes []tlog.Hash) tlog.Hash {
	var buf [TileWidth]tlog.Hash
	row := buf[:copy(buf[:], hashes)]
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

func join(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

func split(b []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}
