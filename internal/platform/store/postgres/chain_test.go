package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
)

// tileWidth is how many leaves make a tile.
const tileWidth = 256

// chain is a sequencer with leaves and tiles of one level. It keeps the leaves that no tile holds yet, as a tree does.
type chain struct {
	next  int64
	edge  [][32]byte
	after [][32]byte // The edge after the batch that was sequenced last.
}

// restore reads it from what is stored.
func restore(ctx context.Context, db *postgres.DB) (store.Sequencer, error) {
	size, err := db.Size(ctx)
	if err != nil {
		return nil, err
	}
	edge, err := db.Leaves(ctx, size-size%tileWidth, size)
	if err == nil && int64(len(edge)) != size%tileWidth {
		err = fmt.Errorf("%d leaves of an edge of %d", len(edge), size%tileWidth)
	}
	return &chain{next: size, edge: edge}, err
}

func (*chain) Encode(r signalbox.Record) (signalbox.Entry, error) { return encode(r) }

func encode(r signalbox.Record) (signalbox.Entry, error) {
	return signalbox.Entry{
		Time: r.Time.UTC().Truncate(time.Microsecond), Type: r.Type, Tenant: r.Who.TenantID, Call: r.Call, Content: []byte(r.Call),
	}, nil
}

// leaf commits to everything that is stored of an entry.
func leaf(e signalbox.Entry) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %d %q %q %q %q", e.Index, e.Time.UnixMicro(), e.Type, e.Tenant, e.Call, e.Content))
}

func (c *chain) Sequence(entries []signalbox.Entry) (signalbox.Batch, error) {
	b := signalbox.Batch{Entries: entries}
	edge := slices.Clone(c.edge)
	for i := range entries {
		entries[i].Index = c.next + int64(i)
		entries[i].Leaf = leaf(entries[i])
		if edge = append(edge, entries[i].Leaf); len(edge) == tileWidth {
			b.Tiles = append(b.Tiles, signalbox.Tile{N: entries[i].Index / tileWidth, Hashes: join(edge)})
			edge = edge[:0]
		}
	}
	c.after = edge
	return b, nil
}

func (c *chain) Committed(b signalbox.Batch) {
	c.next, c.edge = c.next+int64(len(b.Entries)), c.after
}

func join(leaves [][32]byte) (all []byte) {
	for _, l := range leaves {
		all = append(all, l[:]...)
	}
	return all
}

// verified reads the whole log, checks leaves and tiles, and gives type and call of each record in order.
func verified(t *testing.T, db *postgres.DB) (list []string) {
	t.Helper()
	var leaves [][32]byte
	for e, err := range db.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Index != int64(len(list)) || e.Leaf != leaf(e) {
			t.Fatalf("record %d is stored at %d with leaf %x, want %x", e.Index, len(list), e.Leaf, leaf(e))
		}
		leaves = append(leaves, e.Leaf)
		list = append(list, string(e.Type)+" "+e.Call)
	}
	tiles, err := db.Tiles(t.Context(), 0, 0, int64(len(leaves)))
	if err != nil || len(tiles) != len(leaves)/tileWidth {
		t.Fatalf("%d tiles of %d leaves, %v", len(tiles), len(leaves), err)
	}
	for i, tile := range tiles {
		if want := join(leaves[i*tileWidth : (i+1)*tileWidth]); tile.N != int64(i) || !bytes.Equal(tile.Hashes, want) {
			t.Errorf("tile %d at %d does not hold its leaves", tile.N, i)
		}
	}
	return list
}
