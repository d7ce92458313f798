package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

// naive is the whole list of stored hashes, as tlog itself lays it out.
type naive []tlog.Hash

func (n *naive) add(t testing.TB, index int64, leaf tlog.Hash) {
	t.Helper()
	hashes, err := tlog.StoredHashesForRecordHash(index, leaf, n)
	if err != nil {
		t.Fatal(err)
	}
	*n = append(*n, hashes...)
}

func (n *naive) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		hashes[i] = (*n)[x]
	}
	return hashes, nil
}

func naiveTree(t testing.TB, leaves []tlog.Hash) *naive {
	var n naive
	for i, leaf := range leaves {
		n.add(t, int64(i), leaf)
	}
	return &n
}

func someLeaves(n int, salt int64) []tlog.Hash {
	leaves := make([]tlog.Hash, n)
	for i := range leaves {
		leaves[i] = sha256.Sum256(fmt.Appendf(nil, "%d/%d", salt, i))
	}
	return leaves
}

func rootOf(t testing.TB, n *naive, size int64) tlog.Hash {
	t.Helper()
	root, err := tlog.TreeHash(size, n)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// appendInBatches adds the leaves in the batches' sizes, round and round.
func appendInBatches(leaves []tlog.Hash, sizes []int) (Tree, []signalbox.Tile) {
	var tree Tree
	var all []signalbox.Tile
	for i := 0; len(leaves) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(leaves))
		next, tiles := tree.Append(leaves[:n])
		tree, all, leaves = next, append(all, tiles...), leaves[n:]
	}
	return tree, all
}

func TestTreeEqualsTheFullList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		leaves := someLeaves(rapid.IntRange(0, 3000).Draw(rt, "size"), rapid.Int64().Draw(rt, "salt"))
		sizes := rapid.SliceOfN(rapid.IntRange(1, 700), 1, 6).Draw(rt, "batches")
		full := naiveTree(t, leaves)
		tree, tiles := appendInBatches(leaves, sizes)
		if got, want := tree.Root(), rootOf(t, full, int64(len(leaves))); got != want {
			rt.Fatalf("root = %v, want %v", got, want)
		}
		checkTiles(rt, full, int64(len(leaves)), tiles)
	})
}

// checkTiles compares tiles with those that tlog says a tree of that size has.
func checkTiles(t interface{ Fatalf(string, ...any) }, full *naive, size int64, tiles []signalbox.Tile) {
	want := 0
	for _, w := range tlog.NewTiles(TileHeight, 0, size) {
		if w.W != TileWidth {
			continue
		}
		want++
		data, err := tlog.ReadTileData(w, full)
		if err != nil {
			t.Fatalf("read tile: %v", err)
		}
		found := 0
		for _, got := range tiles {
			if got.Level == w.L && got.N == w.N && bytes.Equal(got.Hashes, data) {
				found++
			}
		}
		if found != 1 {
			t.Fatalf("tile %d of level %d was made %d times, want once", w.N, w.L, found)
		}
	}
	if len(tiles) != want {
		t.Fatalf("%d tiles, want %d", len(tiles), want)
	}
}

func TestTreeOfThreeLevels(t *testing.T) {
	const size = 1<<16 + 1<<8 + 3
	leaves := someLeaves(size, 1)
	full := naiveTree(t, leaves)
	tree, tiles := appendInBatches(leaves, []int{1000})
	if got, want := tree.Root(), rootOf(t, full, size); got != want {
		t.Fatalf("root = %v, want %v", got, want)
	}
	checkTiles(t, full, size, tiles)
	if tree.Size() != size || len(tree.edge) != 3 {
		t.Fatalf("size %d and %d levels, want %d and 3", tree.Size(), len(tree.edge), size)
	}
}

func TestAppendLeavesTheTreeAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, _ := Tree{}.Append(someLeaves(rapid.IntRange(0, 600).Draw(rt, "before"), 1))
		root := before.Root()
		lost := someLeaves(rapid.IntRange(1, 600).Draw(rt, "lost"), 2)
		kept := someLeaves(rapid.IntRange(1, 600).Draw(rt, "kept"), 3)
		before.Append(lost)
		if before.Root() != root {
			rt.Fatal("the tree changed under an append that was thrown away")
		}
		after, _ := before.Append(kept)
		afterRoot := after.Root()
		before.Append(lost)
		if after.Root() != afterRoot {
			rt.Fatal("two trees made from one share memory")
		}
	})
}

func TestEmptyTree(t *testing.T) {
	want, err := tlog.TreeHash(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := (Tree{}).Root(); got != want {
		t.Fatalf("root = %v, want %v", got, want)
	}
}

func BenchmarkTreeAppend(b *testing.B) {
	leaves := someLeaves(64, 1)
	var tree Tree
	for b.Loop() {
		tree, _ = tree.Append(leaves)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/leaf")
}
