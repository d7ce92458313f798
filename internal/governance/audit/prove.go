package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// Prove gives the proof that the log of the given size holds the entry with the index; tlog.CheckRecord checks it
// against a root and a leaf hash. An index or size that the log does not have is an error of code not_found.
func Prove(ctx context.Context, src HashSource, size, index int64) (tlog.RecordProof, error) {
	if err := within(ctx, src, size); err != nil {
		return nil, err
	}
	if index < 0 || index >= size {
		return nil, signalbox.Errorf(signalbox.CodeNotFound, "The log of size %d has no record %d.", size, index).
			WithField("index").WithRemedy("Ask for an index below the checkpoint's size.")
	}
	return tlog.ProveRecord(size, index, hashReader(ctx, src, size))
}

// ProveConsistency gives the proof that the log of size new begins with the log of size old; tlog.CheckTree checks it.
func ProveConsistency(ctx context.Context, src HashSource, newSize, oldSize int64) (tlog.TreeProof, error) {
	if err := within(ctx, src, newSize); err != nil {
		return nil, err
	}
	if oldSize < 1 || oldSize > newSize {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "%d is not between 1 and %d.", oldSize, newSize).
			WithField("old").WithRemedy("Give the size of an earlier checkpoint.")
	}
	return tlog.ProveTree(newSize, oldSize, hashReader(ctx, src, newSize))
}

// RootAt gives the root that the stored log had when it had that size.
func RootAt(ctx context.Context, src HashSource, size int64) (tlog.Hash, error) {
	if err := within(ctx, src, size); err != nil {
		return tlog.Hash{}, err
	}
	t, err := restoreAt(ctx, src, size)
	return t.Root(), err
}

func within(ctx context.Context, src HashSource, size int64) error {
	have, err := src.Size(ctx)
	if err != nil {
		return err
	}
	if size < 0 || size > have {
		return signalbox.Errorf(signalbox.CodeNotFound, "The log has %d records, not %d.", have, size).
			WithField("size").WithRemedy("Ask for a size up to that of the newest checkpoint.")
	}
	return nil
}

// maxCachedTiles bounds the tiles that a [hashReader] keeps, 8 KiB each.
const maxCachedTiles = 256

// hashReader reads single hashes of the tree of that size out of tiles, each of them once, or a few times more where many
// proofs are made.
func hashReader(ctx context.Context, src HashSource, size int64) tlog.HashReader {
	type place struct {
		level int
		n     int64
	}
	cache := map[place][]byte{}
	read := func(index int64) (tlog.Hash, error) {
		t := tlog.TileForIndex(TileHeight, index)
		t.W = int(min(size>>(TileHeight*t.L)-t.N<<TileHeight, TileWidth))
		at := place{t.L, t.N}
		if _, ok := cache[at]; !ok {
			hashes, err := readTile(ctx, src, t.L, t.N, t.W)
			if err != nil {
				return tlog.Hash{}, err
			}
			if len(cache) >= maxCachedTiles {
				clear(cache)
			}
			cache[at] = join(hashes)
		}
		return tlog.HashFromTile(t, cache[at], index)
	}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			var err error
			if hashes[i], err = read(index); err != nil {
				return nil, err
			}
		}
		return hashes, nil
	})
}
