package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// Paths of the handler.
const (
	CheckpointPath = "/audit/checkpoint"
	TilePath       = "/audit/tile/"
	ProofPath      = "/audit/proof"
)

// entriesLevel stands for bundles of leaf data in a parsed path.
const entriesLevel = -1

// Handler serves a log in the paths of C2SP tlog-tiles, with /audit as its prefix:
//
//	/audit/checkpoint              the newest checkpoint
//	/audit/proof?index=<N>         a proof (C2SP tlog-proof) of record N under the newest checkpoint; its extra data is the leaf data
//	/audit/tile/<L>/<N>[.p/<W>]    hashes: a full tile, or the first W hashes of one that is not full
//	/audit/tile/entries/<N>[.p/<W>] leaf data, each with its length in two bytes before it
//
// Leaf data names tenants and call ids and has a hash of the content, no content. As long as content is not encrypted,
// somebody could guess it and compare, so that bundles of entries are for readers who may see every tenant's records. The
// handler asks nobody who he is: what is around it does.
// fail answers errors in the shape of the API around it.
func Handler(src LogSource, fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	h := &handler{src: src}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+CheckpointPath, func(w http.ResponseWriter, r *http.Request) {
		if err := h.checkpoint(w, r); err != nil {
			fail(w, r, err)
		}
	})
	mux.HandleFunc("GET "+ProofPath, func(w http.ResponseWriter, r *http.Request) {
		if err := h.proof(w, r); err != nil {
			fail(w, r, err)
		}
	})
	mux.HandleFunc("GET "+TilePath, func(w http.ResponseWriter, r *http.Request) {
		if err := h.tile(w, r); err != nil {
			fail(w, r, err)
		}
	})
	return mux
}

type handler struct{ src LogSource }

func (h *handler) checkpoint(w http.ResponseWriter, r *http.Request) error {
	signed, _, err := newestCheckpoint(r.Context(), h.src)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(signed)
	return nil
}

func (h *handler) proof(w http.ResponseWriter, r *http.Request) error {
	index, err := strconv.ParseInt(r.URL.Query().Get("index"), 10, 64)
	if err != nil || index < 0 {
		return signalbox.Errorf(signalbox.CodeInvalid, "The index is not the number of a record.").
			WithField("index").WithRemedy("Ask for " + ProofPath + "?index=, with a number from 0.")
	}
	p, err := ProveRecord(r.Context(), h.src, index)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache") // Under a newer checkpoint it is another one.
	w.Write(p.Marshal())
	return nil
}

func (h *handler) tile(w http.ResponseWriter, r *http.Request) error {
	t, err := ParseTilePath(strings.TrimPrefix(r.URL.Path, "/audit/"))
	if err != nil {
		return err
	}
	size, err := h.src.Size(r.Context())
	if err != nil {
		return err
	}
	if have := size >> (TileHeight * max(t.L, 0)); t.N > have>>TileHeight || t.N<<TileHeight+int64(t.W) > have {
		return signalbox.Errorf(signalbox.CodeNotFound, "The log is not large enough for that tile.").
			WithRemedy("Ask for the tiles of the newest checkpoint's size.")
	}
	data, err := h.data(r.Context(), t)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	w.Write(data)
	return nil
}

func (h *handler) data(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if t.L == entriesLevel {
		return h.bundle(ctx, t)
	}
	hashes, err := readTile(ctx, h.src, t.L, t.N, t.W)
	return join(hashes), err
}

func (h *handler) bundle(ctx context.Context, t tlog.Tile) ([]byte, error) {
	var b []byte
	n := 0
	for e, err := range h.src.Entries(ctx, t.N<<TileHeight) {
		if err != nil {
			return nil, err
		}
		if n == t.W {
			break
		}
		data, err := LeafData(e)
		if err != nil || len(data) > math.MaxUint16 || e.Index != t.N<<TileHeight+int64(n) {
			return nil, damaged("record %d is missing or can not be what was written", t.N<<TileHeight+int64(n))
		}
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
		n++
	}
	if n < t.W {
		return nil, damaged("record %d is missing", t.N<<TileHeight+int64(n))
	}
	return b, nil
}

// TilePathOf gives the C2SP path of a tile: tile/<L>/<N>, N in groups of three digits ("x001/x234/067"), and ".p/<W>"
// for a tile that is not full. Level -1 is the bundle of entries.
func TilePathOf(t tlog.Tile) string {
	// tlog puts the height before the level and calls entries data.
	_, rest, _ := strings.Cut(strings.TrimPrefix(t.Path(), "tile/"), "/")
	if name, ok := strings.CutPrefix(rest, "data/"); ok {
		rest = "entries/" + name
	}
	return "tile/" + rest
}

// ParseTilePath reads what [TilePathOf] writes, and nothing else: a tile has one path. The height is [TileHeight].
func ParseTilePath(path string) (tlog.Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if name, entries := strings.CutPrefix(rest, "entries/"); entries {
		rest = "data/" + name
	}
	t, err := tlog.ParseTilePath("tile/" + strconv.Itoa(TileHeight) + "/" + rest)
	if !ok || err != nil || TilePathOf(t) != path || t.L > 63/TileHeight || t.N > math.MaxInt64>>TileHeight {
		return tlog.Tile{}, signalbox.Errorf(signalbox.CodeNotFound, "%q is not the path of a tile.", path).
			WithRemedy("Use tile/<level>/<number> of C2SP tlog-tiles.").WithCause(errors.Unwrap(err))
	}
	return t, nil
}
