package console_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox/internal/platform/json"
)

var update = flag.Bool("update", false, "write src/lib/testdata/tlog.json anew")

const vectorsFile = "src/lib/testdata/tlog.json"

// vectors are what tlog and note say of one tree, for the console's own code in TypeScript to agree with. Record i of the
// tree is the text "record i".
type vectors struct {
	Roots       map[string]string   `json:"roots"` // By size.
	Inclusion   []inclusionVector   `json:"inclusion"`
	Consistency []consistencyVector `json:"consistency"`
	Tiles       []tileVector        `json:"tiles"`
	Note        noteVector          `json:"note"`
}

type inclusionVector struct {
	Size  int64    `json:"size"`
	Index int64    `json:"index"`
	Proof []string `json:"proof"`
}

type consistencyVector struct {
	Old   int64    `json:"old"`
	Size  int64    `json:"size"`
	Proof []string `json:"proof"`
}

type tileVector struct {
	Level  int    `json:"level"`
	N      int64  `json:"n"`
	Width  int    `json:"width"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // Of the tile's bytes, in hex; "" for a tile that the tree does not reach.
}

type noteVector struct {
	Key    string `json:"key"`
	Other  string `json:"other"` // A public key that has not signed.
	Signed string `json:"signed"`
}

// tree holds the stored hashes of the records.
type tree []tlog.Hash

func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = t[index]
	}
	return hashes, nil
}

const largest = 66_000 // More than one tile of level 1.

func growTree(t *testing.T) tree {
	t.Helper()
	var all tree
	for i := range int64(largest) {
		hashes, err := tlog.StoredHashes(i, []byte(fmt.Sprintf("record %d", i)), all)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hashes...)
	}
	return all
}

// The file in src/lib/testdata is what tlog and note say today.
func TestVectorsOfTheConsole(t *testing.T) {
	all := growTree(t)
	v := vectors{Roots: map[string]string{}, Tiles: tilesOf(t, all), Note: signedNote(t, all)}
	for _, size := range []int64{1, 2, 3, 7, 8, 255, 256, 257, 700, 65_536, largest} {
		root, err := tlog.TreeHash(size, all)
		if err != nil {
			t.Fatal(err)
		}
		v.Roots[fmt.Sprint(size)] = root.String()
	}
	for _, at := range [][2]int64{{1, 0}, {2, 1}, {3, 2}, {7, 4}, {8, 0}, {255, 254}, {256, 255}, {257, 256}, {700, 300}, {65_536, 65_535}, {largest, 0}, {largest, 65_999}} {
		proof, err := tlog.ProveRecord(at[0], at[1], all)
		if err != nil {
			t.Fatal(err)
		}
		v.Inclusion = append(v.Inclusion, inclusionVector{at[0], at[1], texts(proof)})
	}
	for _, at := range [][2]int64{{1, 2}, {2, 3}, {3, 7}, {7, 8}, {8, 255}, {255, 256}, {256, 257}, {257, 700}, {700, 700}, {700, largest}, {65_536, largest}} {
		proof, err := tlog.ProveTree(at[1], at[0], all)
		if err != nil {
			t.Fatal(err)
		}
		v.Consistency = append(v.Consistency, consistencyVector{at[0], at[1], texts(proof)})
	}
	compare(t, v)
}

func compare(t *testing.T, v vectors) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what tlog says: write it anew with -update", vectorsFile)
	}
}

func texts(hashes []tlog.Hash) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = h.String()
	}
	return all
}

func tilesOf(t *testing.T, all tree) []tileVector {
	t.Helper()
	var out []tileVector
	for _, tile := range []tlog.Tile{
		{H: 8, L: 0, N: 0, W: 256},
		{H: 8, L: 0, N: 2, W: 188},
		{H: 8, L: 1, N: 0, W: 2},
		{H: 8, L: 1, N: 1, W: 1},
		{H: 8, L: 2, N: 0, W: 1},
		{H: 8, L: 0, N: 1_234_067, W: 256},
		{H: 8, L: 1, N: 70_000, W: 17},
	} {
		v := tileVector{Level: tile.L, N: tile.N, Width: tile.W, Path: strings.Replace(tile.Path(), "tile/8/", "tile/", 1)}
		if tile.N < 1000 {
			data, err := tlog.ReadTileData(tile, all)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(data)
			v.SHA256 = hex.EncodeToString(sum[:])
		}
		out = append(out, v)
	}
	return out
}

// signedNote is a checkpoint of the tree by a key whose seed is fixed, with the signature of a stranger before its own.
func signedNote(t *testing.T, all tree) noteVector {
	t.Helper()
	root, err := tlog.TreeHash(700, all)
	if err != nil {
		t.Fatal(err)
	}
	key := func(seed byte) (note.Signer, string) {
		skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), "example.com/log")
		if err != nil {
			t.Fatal(err)
		}
		s, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		return s, vkey
	}
	own, vkey := key(1)
	stranger, _ := key(2)
	_, other := key(3)
	text := fmt.Sprintf("example.com/log\n700\n%s\n", base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, stranger, own)
	if err != nil {
		t.Fatal(err)
	}
	return noteVector{Key: vkey, Other: other, Signed: string(signed)}
}
