package audit

import (
	"bytes"
	"math"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// tilesAhead is how many tiles of a level are read at once.
const tilesAhead = 64

// tileRun is what is stored of the tiles of one level with from ≤ N < to, in order.
type tileRun struct {
	from, to int64
	tiles    []signalbox.Tile
}

// stored gives what is stored of one tile: nothing, it, or (in a store that was tampered with) several. Tiles are asked
// for in their order. Those of the records that are being read are all stored: each is written in the transaction of the
// record that completes it, and what comes later is not asked for.
func (v *verifier) stored(level int, n int64) ([]signalbox.Tile, error) {
	for level >= len(v.ahead) {
		v.ahead = append(v.ahead, tileRun{})
	}
	run := &v.ahead[level]
	if n < run.from || n >= run.to {
		tiles, err := v.src.Tiles(v.ctx, level, n, n+tilesAhead)
		if err != nil {
			return nil, err
		}
		*run = tileRun{from: n, to: n + tilesAhead, tiles: tiles}
	}
	begin := 0
	for begin < len(run.tiles) && run.tiles[begin].N < n {
		begin++
	}
	end := begin
	for end < len(run.tiles) && run.tiles[end].N == n {
		end++
	}
	found := run.tiles[begin:end]
	run.tiles = run.tiles[end:]
	return found, nil
}

// tile compares a tile of the recomputed tree with what is stored of it.
func (v *verifier) tile(want signalbox.Tile) error {
	v.report.Tiles++
	stored, err := v.stored(want.Level, want.N)
	if err != nil {
		return err
	}
	first := want.N << (TileHeight * (want.Level + 1)) // The first record under the tile.
	if len(stored) != 1 {
		v.found(CheckTile, first, "", "Tile %d of level %d, which begins with this record, is stored %d times.", want.N, want.Level, len(stored))
		return nil
	}
	got := stored[0].Hashes
	if bytes.Equal(got, want.Hashes) {
		return nil
	}
	if len(got) != len(want.Hashes) {
		v.found(CheckTile, first, "", "Tile %d of level %d, which begins with this record, has %d bytes instead of %d.", want.N, want.Level, len(got), len(want.Hashes))
		return nil
	}
	under := int64(1) << (TileHeight * want.Level)
	for i, h := range split(want.Hashes) {
		if !bytes.Equal(h[:], got[i*tlog.HashSize:][:tlog.HashSize]) {
			v.found(CheckTile, first+int64(i)*under, "", "Tile %d of level %d has another hash for the %d record(s) from here: the records or the tile were changed.", want.N, want.Level, under)
		}
	}
	return nil
}

// surplusTiles looks for tiles that a log of this size does not have. The log may have grown since its entries were
// read, so that its size is asked for again.
func (v *verifier) surplusTiles() error {
	size, err := v.src.Size(v.ctx)
	if err != nil {
		return err
	}
	size = max(size, v.tree.Size())
	for level := range TileHeight {
		tiles, err := v.src.Tiles(v.ctx, level, size>>(TileHeight*(level+1)), math.MaxInt64)
		if err != nil {
			return err
		}
		for _, tile := range tiles {
			v.found(CheckTile, -1, "", "Tile %d of level %d is stored, but the log is not that large.", tile.N, tile.Level)
		}
	}
	return nil
}
