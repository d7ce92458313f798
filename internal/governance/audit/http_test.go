package audit

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

func serve(t *testing.T, src LogSource) func(path string) (int, []byte) {
	t.Helper()
	s := httptest.NewServer(Handler(src, func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), signalbox.CodeOf(err).Status())
	}))
	t.Cleanup(s.Close)
	return func(path string) (int, []byte) {
		resp, err := s.Client().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
}

// overHTTP reads tiles as any C2SP client does.
type overHTTP struct {
	t   *testing.T
	get func(string) (int, []byte)
}

func (o overHTTP) Height() int { return TileHeight }

func (o overHTTP) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		status, body := o.get("/audit/" + TilePathOf(tile))
		if status != http.StatusOK {
			o.t.Errorf("%s: status %d: %s", TilePathOf(tile), status, body)
		}
		data[i] = body
	}
	return data, nil
}

func (o overHTTP) SaveTiles([]tlog.Tile, [][]byte) {}

// tlog's own client checks every tile that it gets against the signed root.
func TestTilesOverHTTPAreCheckedByTlog(t *testing.T) {
	m, s := largeLog(t)
	k := someKey(t, "example.com/log")
	signed, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	get := serve(t, m)
	status, body := get(CheckpointPath)
	v, err := note.NewVerifier(k.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	c, _, _, err := log.ParseCheckpoint(body, "example.com/log", v)
	if status != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v", status, err)
	}
	tree := tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Hash)}
	r := tlog.TileHashReader(tree, overHTTP{t, get})
	for _, index := range []int64{0, 300, 65_535, 65_999} {
		p, err := tlog.ProveRecord(tree.N, index, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, tree.N, tree.Hash, index, leafOverHTTP(t, get, tree.N, index)); err != nil {
			t.Errorf("record %d: %v", index, err)
		}
	}
}

// leafOverHTTP hashes the leaf data in the bundle of entries that has the record.
func leafOverHTTP(t *testing.T, get func(string) (int, []byte), size, index int64) tlog.Hash {
	t.Helper()
	tile := tlog.Tile{H: TileHeight, L: -1, N: index / TileWidth}
	tile.W = int(min(TileWidth, size-tile.N*TileWidth))
	status, b := get("/audit/" + TilePathOf(tile))
	if status != http.StatusOK {
		t.Fatalf("%s: status %d", TilePathOf(tile), status)
	}
	for i := range tile.W {
		n := int(binary.BigEndian.Uint16(b))
		if int64(i) == index%TileWidth {
			return tlog.RecordHash(b[2 : 2+n])
		}
		b = b[2+n:]
	}
	t.Fatal("the bundle is too short")
	return tlog.Hash{}
}

func TestHandlerRefuses(t *testing.T) {
	m, s := &memory{}, NewSequencer(Tree{})
	write(t, m, s, someCalls(0, 150)...)
	get := serve(t, m)
	tests := map[string]int{
		"/audit/checkpoint":                               404, // None signed yet.
		"/audit/tile/0/000":                               200,
		"/audit/tile/0/001.p/44":                          200,
		"/audit/tile/1/000.p/1":                           200,
		"/audit/tile/entries/001.p/44":                    200,
		"/audit/tile/0/001":                               404, // Not full yet.
		"/audit/tile/0/001.p/45":                          404, // Not that wide yet.
		"/audit/tile/1/000.p/2":                           404,
		"/audit/tile/0/002.p/1":                           404,
		"/audit/tile/entries/001":                         404,
		"/audit/tile/0/0":                                 404, // Not a path of C2SP.
		"/audit/tile/0/000.p/256":                         404,
		"/audit/tile/0/x000/000":                          404,
		"/audit/tile/00/000":                              404,
		"/audit/tile/-1/000":                              404,
		"/audit/tile/data/000":                            404,
		"/audit/tile/8/0/000":                             404, // Go's own path, with the height.
		"/audit/tile/64/000.p/1":                          404,
		"/audit/tile/0/x999/x999/x999/x999/x999/x999/999": 404,
	}
	for path, want := range tests {
		if status, body := get(path); status != want {
			t.Errorf("%s: status %d, want %d: %s", path, status, want, body)
		}
	}
	m.fail = errors.New("broken disk")
	for _, path := range []string{"/audit/checkpoint", "/audit/tile/0/000"} {
		if status, _ := get(path); status != http.StatusInternalServerError {
			t.Errorf("%s: status %d of an unreadable log, want 500", path, status)
		}
	}
}

func TestBundleOfADamagedLog(t *testing.T) {
	m, s := &memory{}, NewSequencer(Tree{})
	write(t, m, s, someCalls(0, 150)...)
	m.entries = append(m.entries[:7], m.entries[8:]...)
	if status, _ := serve(t, m)("/audit/tile/entries/000"); status != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", status)
	}
}

func FuzzParseTilePath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/1/x001/234.p/7", "tile/entries/000", "tile/8/0/000", "tile//", ""} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := ParseTilePath(path); err == nil && TilePathOf(tile) != path {
			t.Errorf("%q is read as %+v, whose path is %q", path, tile, TilePathOf(tile))
		}
	})
}
