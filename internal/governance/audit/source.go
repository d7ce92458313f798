package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// HashSource gives the stored hashes of a log. It is safe for concurrent use. Any error means that nothing is known; a
// part of what was asked for is never returned without one.
type HashSource interface {
	// Size is the number of durable entries: the highest index plus one, 0 for an empty log.
	Size(ctx context.Context) (int64, error)
	// Leaves gives the stored leaf hashes of the entries with from ≤ index < to, in order.
	Leaves(ctx context.Context, from, to int64) ([][32]byte, error)
	// Tiles gives the stored full tiles of a level with from ≤ N < to, in order; those that are not stored are left out.
	Tiles(ctx context.Context, level int, from, to int64) ([]signalbox.Tile, error)
}

// LogSource gives a whole stored log.
type LogSource interface {
	HashSource
	// Entries gives every stored entry with an index ≥ from, in order of the index, duplicates included, of one point
	// in time. It ends after the first error.
	Entries(ctx context.Context, from int64) iter.Seq2[signalbox.Entry, error]
	// LatestCheckpoint gives the newest stored checkpoint, a signed note; nil where none is stored.
	LatestCheckpoint(ctx context.Context) ([]byte, error)
}

// SignedSize is the size of the newest stored checkpoint; 0 where none is stored.
func SignedSize(ctx context.Context, src CheckpointReader) (int64, error) {
	signed, err := src.LatestCheckpoint(ctx)
	if err != nil || signed == nil {
		return 0, err
	}
	c, err := readCheckpoint(signed)
	if err != nil {
		return 0, damaged("the newest checkpoint can not be read")
	}
	return c.Size, nil
}

// ContentDigest is the SHA-256 of an entry's content, also where that was destroyed.
func ContentDigest(e signalbox.Entry) [32]byte {
	if e.Destroyed() {
		return e.Digest
	}
	return sha256.Sum256(e.Content)
}

// Restore reads the tree of a stored log: the leaves and tiles that make its right edge. It trusts what it reads;
// [Verify] does not.
func Restore(ctx context.Context, src HashSource) (Tree, error) {
	size, err := src.Size(ctx)
	if err != nil {
		return Tree{}, err
	}
	return restoreAt(ctx, src, size)
}

func restoreAt(ctx context.Context, src HashSource, size int64) (Tree, error) {
	t := Tree{size: size}
	for level := 0; size>>(TileHeight*level) > 0; level++ {
		n := size >> (TileHeight * level)
		hashes, err := readTile(ctx, src, level, n>>TileHeight, int(n%TileWidth))
		if err != nil {
			return Tree{}, err
		}
		t.edge = append(t.edge, hashes)
	}
	return t, nil
}

// readTile gives the first width hashes of a tile; a full tile is read as stored, a partial one is made out of what is
// one level below. The caller has made sure that the log is large enough.
func readTile(ctx context.Context, src HashSource, level int, n int64, width int) ([]tlog.Hash, error) {
	from, to := n<<TileHeight, n<<TileHeight+int64(width)
	switch {
	case width == 0:
		return nil, nil
	case width == TileWidth:
		tiles, err := storedTiles(ctx, src, level, n, n+1)
		if err != nil {
			return nil, err
		}
		return split(tiles[0].Hashes), nil
	case level == 0:
		return storedLeaves(ctx, src, from, to)
	}
	children, err := storedTiles(ctx, src, level-1, from, to)
	if err != nil {
		return nil, err
	}
	hashes := make([]tlog.Hash, width)
	for i, child := range children {
		hashes[i] = foldTile(split(child.Hashes))
	}
	return hashes, nil
}

func storedLeaves(ctx context.Context, src HashSource, from, to int64) ([]tlog.Hash, error) {
	leaves, err := src.Leaves(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if int64(len(leaves)) != to-from {
		return nil, damaged("records %d to %d: %d of %d are stored", from, to-1, len(leaves), to-from)
	}
	hashes := make([]tlog.Hash, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = leaf
	}
	return hashes, nil
}

func storedTiles(ctx context.Context, src HashSource, level int, from, to int64) ([]signalbox.Tile, error) {
	tiles, err := src.Tiles(ctx, level, from, to)
	if err != nil {
		return nil, err
	}
	if int64(len(tiles)) != to-from {
		return nil, damaged("tiles %d to %d of level %d: %d of %d are stored", from, to-1, level, len(tiles), to-from)
	}
	for i, tile := range tiles {
		if tile.N != from+int64(i) || len(tile.Hashes) != TileWidth*tlog.HashSize {
			return nil, damaged("tile %d of level %d is missing or has the wrong length", from+int64(i), level)
		}
	}
	return tiles, nil
}

func damaged(format string, args ...any) error {
	return signalbox.Errorf(signalbox.CodeInternal, "The stored log is damaged: %s.", fmt.Sprintf(format, args...)).
		WithRemedy("Run `signalbox audit verify` and restore the database from a backup.")
}
