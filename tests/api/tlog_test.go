package api

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox/tests/harness"
)

// tiles reads the log's tiles over HTTP as C2SP tlog-tiles has it.
type tiles struct {
	i *harness.Instance
}

const height = 8

func (tiles) Height() int { return height }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles asks for each tile under its path, which has no height.
func (r tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range list {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		b, err := r.get("/audit/" + path)
		if err != nil {
			return nil, err
		}
		data = append(data, []byte(b))
	}
	return data, nil
}

func (r tiles) get(path string) (string, error) {
	a, err := r.i.TrySend(http.MethodGet, path, harness.Auditor, "")
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("GET %s answers %d: %s", path, a.Status, a.Body)
	}
	return a.Body, err
}

// checkpoint opens the newest checkpoint of at least that size with the key from the process's log.
func (r tiles) checkpoint(t *testing.T, verifier note.Verifier, least int64) tlog.Tree {
	t.Helper()
	var tree tlog.Tree
	harness.Eventually(t, func() error {
		signed, err := r.get("/audit/checkpoint")
		if err != nil {
			return err
		}
		point, _, _, err := log.ParseCheckpoint([]byte(signed), verifier.Name(), verifier)
		if err != nil {
			t.Fatalf("%v:\n%s", err, signed)
		}
		tree = tlog.Tree{N: int64(point.Size), Hash: tlog.Hash(point.Hash)}
		if tree.N < least {
			return fmt.Errorf("it covers %d of %d records", tree.N, least)
		}
		return nil
	})
	return tree
}

// leaves gives the leaf data of all records of a tree, out of bundles with a length before each.
func (r tiles) leaves(t *testing.T, n int64) [][]byte {
	t.Helper()
	var all [][]byte
	for bundle := int64(0); bundle*256 < n; bundle++ {
		path := fmt.Sprintf("/audit/tile/entries/%03d", bundle)
		if w := n - bundle*256; w < 256 {
			path += fmt.Sprintf(".p/%d", w)
		}
		b, err := r.get(path)
		if err != nil {
			t.Fatal(err)
		}
		for rest := []byte(b); len(rest) > 0; {
			size := int(binary.BigEndian.Uint16(rest))
			all = append(all, rest[2:2+size])
			rest = rest[2+size:]
		}
	}
	return all
}

// TestLogIsATransparencyLog checks the log with nothing but public tools: the signature, every leaf, the root, and that a
// later log continues an earlier one.
func TestLogIsATransparencyLog(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	key := regexp.MustCompile(`public_key=(\S+)`).FindStringSubmatch(i.Stderr())
	if key == nil {
		t.Fatalf("the log of the process does not name the public key:\n%s", i.Stderr())
	}
	verifier, err := note.NewVerifier(strings.Trim(key[1], `"`))
	if err != nil {
		t.Fatal(err)
	}
	reader := tiles{i}
	calls(t, i, 60)
	first := reader.checkpoint(t, verifier, 121)
	calls(t, i, 240)
	second := reader.checkpoint(t, verifier, 601)
	hashes := tlog.TileHashReader(second, reader)
	leaves := reader.leaves(t, second.N)
	if int64(len(leaves)) != second.N {
		t.Fatalf("%d leaves of %d", len(leaves), second.N)
	}
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(list []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(list))
		for n, index := range list {
			if index >= int64(len(stored)) {
				return nil, errors.New("not stored yet")
			}
			found[n] = stored[index]
		}
		return found, nil
	})
	for n, leaf := range leaves {
		more, err := tlog.StoredHashes(int64(n), leaf, own)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	if root, err := tlog.TreeHash(second.N, own); err != nil || root != second.Hash {
		t.Errorf("the leaves give the root %s (%v), the checkpoint has %s", root, err, second.Hash)
	}
	if root, err := tlog.TreeHash(first.N, own); err != nil || root != first.Hash {
		t.Errorf("the first %d leaves give the root %s (%v), the checkpoint had %s", first.N, root, err, first.Hash)
	}
	proof, err := tlog.ProveTree(second.N, first.N, hashes)
	if err == nil {
		err = tlog.CheckTree(proof, second.N, second.Hash, first.N, first.Hash)
	}
	if err != nil {
		t.Errorf("the log does not continue the one before: %v", err)
	}
	for _, n := range []int64{0, 255, 256, second.N - 1} {
		proof, err := tlog.ProveRecord(second.N, n, hashes)
		if err == nil {
			err = tlog.CheckRecord(proof, second.N, second.Hash, n, tlog.RecordHash(leaves[n]))
		}
		if err != nil {
			t.Errorf("record %d is not proven: %v", n, err)
		}
	}
	if sum := sha256.Sum256(append([]byte{0}, leaves[0]...)); tlog.Hash(sum) != stored[0] {
		t.Error("a leaf's hash is not that of RFC 6962")
	}
}

// calls makes so many calls.
func calls(t *testing.T, i *harness.Instance, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range n / 8 {
				if a, err := i.TrySend(http.MethodPost, chatPath, harness.Agent, ask("sim", false)); err != nil || a.Status != http.StatusOK {
					t.Errorf("%d %v", a.Status, err)
				}
			}
		})
	}
	all.Wait()
	for range n % 8 {
		i.Send(t, http.MethodPost, chatPath, harness.Agent, ask("sim", false))
	}
}

// The log is for those who may read every tenant's records, and paths that are no tiles are errors in our shape.
func TestWhoReadsTheLog(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	for _, path := range []string{"/audit/checkpoint", "/audit/tile/0/000.p/1", "/audit/tile/entries/000.p/1"} {
		harness.Eventually(t, func() error {
			_, err := tiles{i}.get(path)
			return err
		})
		for key, status := range map[string]int{harness.Agent: 403, harness.Other: 403, "": 401, harness.Operator: 200, harness.Admin: 200} {
			if a := i.Send(t, http.MethodGet, path, key, ""); a.Status != status {
				t.Errorf("%s answers %q with %d: %s", path, key, a.Status, a.Body)
			}
		}
	}
	for _, path := range []string{
		"/audit/tile/0/001", "/audit/tile/0/000", "/audit/tile/0/000.p/0", "/audit/tile/0/000.p/256", "/audit/tile/x/000", "/audit/tile/0/0",
		"/audit/tile/64/000.p/1", "/audit/tile/0/-01.p/1", "/audit/nothing", "/audit/",
	} {
		if a := i.Send(t, http.MethodGet, path, harness.Auditor, ""); a.Status != http.StatusNotFound || !strings.Contains(a.Body, `"code":"not_found"`) {
			t.Errorf("%s answers %d: %.200s", path, a.Status, a.Body)
		}
	}
}
