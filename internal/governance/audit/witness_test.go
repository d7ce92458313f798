package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/formats/log"
	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// witnessServer is a witness as C2SP tlog-witness describes it. None of its code is ours: the checkpoint is parsed and
// cosigned by transparency-dev/formats, the proof is checked by x/mod.
type witnessServer struct {
	*httptest.Server
	vkey string

	signer *cosign.Signer
	logKey note.Verifier
	mu     sync.Mutex
	tree   tlog.Tree
	asked  []string         // The first line of each request.
	answer http.HandlerFunc // Instead, where it is set.
}

func newWitnessServer(t *testing.T, logKey string) *witnessServer {
	t.Helper()
	name := "witness.example/w1"
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(raw []byte) []byte { h := sha256.Sum256(append([]byte(name+"\n"), raw...)); return h[:4] }
	secret := append([]byte{1}, private.Seed()...)
	plain := append([]byte{1}, public...)
	signer, err := cosign.NewSignerForCosignatureV1(fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", name, hash(plain), base64.StdEncoding.EncodeToString(secret)))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := cosign.VKeyToCosignatureV1(fmt.Sprintf("%s+%x+%s", name, hash(plain), base64.StdEncoding.EncodeToString(plain)))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(logKey)
	if err != nil {
		t.Fatal(err)
	}
	w := &witnessServer{vkey: vkey, signer: signer, logKey: v}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *witnessServer) serve(res http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil || req.URL.Path != "/prefix/add-checkpoint" || req.Method != http.MethodPost {
		http.Error(res, "no", http.StatusNotFound)
		return
	}
	head, signed, _ := bytes.Cut(body, []byte("\n\n"))
	lines := bufio.NewScanner(bytes.NewReader(head))
	lines.Scan()
	w.asked = append(w.asked, lines.Text())
	if w.answer != nil {
		w.answer(res, req)
		return
	}
	old, err := strconv.ParseInt(strings.TrimPrefix(lines.Text(), "old "), 10, 64)
	if err != nil {
		http.Error(res, "old", http.StatusBadRequest)
		return
	}
	var proof tlog.TreeProof
	for lines.Scan() {
		h, err := tlog.ParseHash(lines.Text())
		if err != nil {
			http.Error(res, "proof", http.StatusBadRequest)
			return
		}
		proof = append(proof, h)
	}
	w.cosign(res, signed, old, proof)
}

func (w *witnessServer) cosign(res http.ResponseWriter, signed []byte, old int64, proof tlog.TreeProof) {
	point, _, n, err := log.ParseCheckpoint(signed, w.logKey.Name(), w.logKey)
	if err != nil {
		http.Error(res, "signature", http.StatusForbidden)
		return
	}
	size, root := int64(point.Size), tlog.Hash(point.Hash)
	switch {
	case old > size || len(proof) > 63 || old == 0 && len(proof) > 0:
		http.Error(res, "old", http.StatusBadRequest)
		return
	case old != w.tree.N || size == old && root != w.tree.Hash:
		res.Header().Set("Content-Type", "text/x.tlog.size")
		res.WriteHeader(http.StatusConflict)
		fmt.Fprintf(res, "%d\n", w.tree.N)
		return
	case old > 0 && size > old && tlog.CheckTree(proof, size, root, old, w.tree.Hash) != nil:
		http.Error(res, "proof", http.StatusUnprocessableEntity)
		return
	}
	w.tree = tlog.Tree{N: size, Hash: root}
	out, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		http.Error(res, err.Error(), http.StatusInternalServerError)
		return
	}
	_, cosignature, _ := bytes.Cut(out, []byte("\n\n"))
	fmt.Fprintf(res, "— stranger.example AAAAAAA=\n%s", cosignature)
}

func (w *witnessServer) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

// cosignedBy checks a cosigned checkpoint with code that is not ours.
func cosignedBy(t *testing.T, signed []byte, w *witnessServer) bool {
	t.Helper()
	v, err := cosign.NewVerifierForCosignatureV1(w.vkey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(w.logKey, v))
	return err == nil && len(n.Sigs) == 2
}

func witnessed(t *testing.T) (*memory, *Sequencer, *Key, *witnessServer, *Witness) {
	t.Helper()
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
	server := newWitnessServer(t, k.Verifier())
	w, err := NewWitness(server.URL+"/prefix/", server.vkey, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return m, s, k, server, w
}

func signedTree(t *testing.T, k *Key, tree Tree) []byte {
	t.Helper()
	signed, err := k.Sign(tree)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestWitnessCosigns(t *testing.T) {
	m, s, k, server, w := witnessed(t)
	put := func(w *Witness) []byte {
		t.Helper()
		signed := signedTree(t, k, s.Tree())
		line, err := w.Put(t.Context(), signed)
		if err != nil {
			t.Fatal(err)
		}
		signed = append(signed, line...)
		if !cosignedBy(t, signed, server) {
			t.Fatalf("not cosigned:\n%s", signed)
		}
		return signed
	}
	want := func(want ...string) {
		t.Helper()
		if got := server.requests(); strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
	write(t, m, s, someCalls(0, 3)...)
	put(w)
	want("old 0")
	write(t, m, s, someCalls(3, 400)...)
	put(w)
	want("old 6")
	write(t, m, s, someCalls(500, 1)...)
	again, err := NewWitness(server.URL+"/prefix", server.vkey, m) // As after a restart: nothing is remembered.
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	signed := put(again)
	want("old 0", "old 806")
	if line, err := again.Put(t.Context(), signed); err != nil || line != nil {
		t.Errorf("what is cosigned is asked for again: %q, %v", line, err)
	}
	want()
	put(w) // It thinks that the witness is at 806.
	want("old 806", "old 808")
}

func TestWitnessNoticesAnotherHistory(t *testing.T) {
	build := func(m *memory, s *Sequencer, from, n int) { write(t, m, s, someCalls(from, n)...) }
	for name, test := range map[string]struct {
		rewrite func(m *memory, s *Sequencer)
		want    string
	}{
		"cut off":              {func(m *memory, s *Sequencer) { build(m, s, 0, 3) }, "has seen this log at size 20; the checkpoint is of size 6"},
		"rewritten, same size": {func(m *memory, s *Sequencer) { build(m, s, 100, 10) }, "has seen another history of this log at size 20"},
		"rewritten and larger": {func(m *memory, s *Sequencer) { build(m, s, 100, 20) }, "422: the log of size 40 does not continue the one it has seen at size 20"},
	} {
		t.Run(name, func(t *testing.T) {
			m, s, k, server, w := witnessed(t)
			build(m, s, 0, 10)
			if _, err := w.Put(t.Context(), signedTree(t, k, s.Tree())); err != nil {
				t.Fatal(err)
			}
			m2, s2 := &memory{}, NewSequencer(Tree{})
			test.rewrite(m2, s2)
			w2, err := NewWitness(server.URL+"/prefix", server.vkey, m2)
			if err != nil {
				t.Fatal(err)
			}
			defer w2.Close()
			_, err = w2.Put(t.Context(), signedTree(t, k, s2.Tree()))
			if e := signalbox.AsError(err); !strings.Contains(e.Message, test.want) || e.Field != "audit.anchor" || e.Remedy == "" {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAnswersOfWitnesses(t *testing.T) {
	m, s, k, server, w := witnessed(t)
	write(t, m, s, someCalls(0, 10)...)
	other := newWitnessServer(t, k.Verifier())
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"unknown log":     {404, "", "answered 404: it does not know the log"},
		"unknown key":     {403, "", "answered 403: it does not know the log"},
		"broken":          {500, "", "answered 500"},
		"redirect":        {307, "", "answered 307"},
		"no signature":    {200, "", "no good cosignature"},
		"a page":          {200, "<html>\n\n", "no good cosignature"},
		"a bad signature": {200, "— witness.example/w1 " + base64.StdEncoding.EncodeToString(make([]byte, 76)) + "\n", "no good cosignature"},
		"a huge answer":   {200, strings.Repeat("x", 1<<20), "no good cosignature"},
		"no size":         {409, "soon\n", "409 without the size"},
		"a negative size": {409, "-1\n", "409 without the size"},
		"a moving size":   {409, "move", "was told of other checkpoints each time"},
	} {
		t.Run(name, func(t *testing.T) {
			moving := 0
			server.answer = func(res http.ResponseWriter, _ *http.Request) {
				body := test.body
				if body == "move" {
					moving++
					body = fmt.Sprintf("%d\n", moving)
				}
				res.Header().Set("Location", other.URL)
				res.WriteHeader(test.status)
				io.WriteString(res, body)
			}
			_, err := w.Put(t.Context(), signedTree(t, k, s.Tree()))
			if e := signalbox.AsError(err); !strings.Contains(e.Message, test.want) || e.Remedy == "" || strings.Contains(e.Message, server.URL) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if got := other.requests(); got != nil {
		t.Errorf("a redirect was followed: %q", got)
	}
	server.Close()
	if _, err := w.Put(t.Context(), signedTree(t, k, s.Tree())); err == nil || strings.Contains(err.Error(), "add-checkpoint") {
		t.Errorf("a witness that is down gives %v", err)
	}
}

func TestWitnessesThatCanNotBe(t *testing.T) {
	k := someKey(t, "example.com/log")
	good := newWitnessServer(t, k.Verifier()).vkey
	for name, test := range map[string]struct{ url, key, field string }{
		"no URL":          {"", good, "witness"},
		"another scheme":  {"ftp://host/", good, "witness"},
		"no key":          {"http://host", "", "key"},
		"a log's key":     {"http://host", k.Verifier(), "key"},
		"a changed key":   {"http://host", strings.Replace(good, "w1+", "w2+", 1), "key"},
		"a cut off key":   {"http://host", good[:len(good)-4], "key"},
		"a key of a name": {"http://host", "name", "key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewWitness(test.url, test.key, &memory{})
			if e := signalbox.AsError(err); e.Code != signalbox.CodeInvalid || e.Field != test.field || e.Remedy == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}
