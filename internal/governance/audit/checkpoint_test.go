package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/signalbox/signalbox"
)

func someKey(t testing.TB, origin string) *Key {
	t.Helper()
	k, _, err := GenerateKey(origin, strings.NewReader(strings.Repeat(origin+"0123456789", 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The check is not ours: it is the transparency ecosystem's own parser.
func TestCheckpointIsReadByOthers(t *testing.T) {
	k := someKey(t, "example.com/log")
	tree, _ := Tree{}.Append(someLeaves(1000, 1))
	signed, err := k.Sign(tree)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(k.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	got, rest, n, err := log.ParseCheckpoint(signed, "example.com/log", v)
	if err != nil || len(rest) != 0 || len(n.Sigs) != 1 {
		t.Fatalf("%v, rest %q", err, rest)
	}
	root := tree.Root()
	if got.Origin != "example.com/log" || got.Size != 1000 || !bytes.Equal(got.Hash, root[:]) {
		t.Fatalf("got %+v", got)
	}
	ours, err := OpenCheckpoint(signed, k.Verifier())
	if want := (Checkpoint{"example.com/log", 1000, root}); err != nil || ours != want {
		t.Fatalf("got %+v (%v), want %+v", ours, err, want)
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	k, other := someKey(t, "example.com/log"), someKey(t, "example.com/other")
	sign := func(text string) []byte {
		signed, err := note.Sign(&note.Note{Text: text}, k.signer)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	hash := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
	good := sign("example.com/log\n0\n" + hash)
	if _, err := OpenCheckpoint(good, k.Verifier()); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		signed   []byte
		verifier string
		want     string
	}{
		"other key":      {good, other.Verifier(), "not signed by the key example.com/other+"},
		"changed":        {bytes.Replace(good, []byte("\n0\n"), []byte("\n1\n"), 1), k.Verifier(), "not signed"},
		"unsigned":       {[]byte("example.com/log\n0\n" + hash), k.Verifier(), "not signed"},
		"empty":          {[]byte{}, k.Verifier(), "not signed"},
		"no key":         {good, "nonsense", "no public key"},
		"two lines":      {sign("example.com/log\n0\n"), k.Verifier(), "fewer than three lines"},
		"leading zero":   {sign("example.com/log\n01\n" + hash), k.Verifier(), "not a size"},
		"negative":       {sign("example.com/log\n-1\n" + hash), k.Verifier(), "not a size"},
		"short root":     {sign("example.com/log\n1\nAAAA\n"), k.Verifier(), "not a root hash"},
		"another origin": {sign("example.com/x\n1\n" + hash), k.Verifier(), `of the log "example.com/x"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := OpenCheckpoint(test.signed, test.verifier)
			if signalbox.CodeOf(err) != signalbox.CodeInvalid || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(test.want)) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	first, created, err := LoadOrCreateKey(path, "")
	if err != nil || !created || !strings.HasPrefix(first.Origin(), "signalbox/") {
		t.Fatalf("origin %q, created %v (%v)", first.Origin(), created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v (%v), want 0600", info.Mode(), err)
	}
	second, created, err := LoadOrCreateKey(path, first.Origin())
	if err != nil || created || second.Verifier() != first.Verifier() {
		t.Fatalf("created %v (%v)", created, err)
	}
	for _, file := range []string{path, path + ".pub"} {
		if got, err := ReadVerifier(file); err != nil || got != first.Verifier() {
			t.Errorf("%s: got %q (%v)", file, got, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".audit-key-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v (%v)", left, err)
	}
}

func TestKeyIsMadeOnceByMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	var mu sync.Mutex
	made, seen := 0, map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			k, created, err := LoadOrCreateKey(path, "")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			seen[k.Verifier()] = true
			if created {
				made++
			}
		})
	}
	wg.Wait()
	if made != 1 || len(seen) != 1 {
		t.Fatalf("made %d times, %d keys, want 1 and 1", made, len(seen))
	}
}

func TestKeyFileRefused(t *testing.T) {
	good := func(t *testing.T, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "audit.key")
		if _, _, err := LoadOrCreateKey(path, "example.com/log"); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), "audit.key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		path   string
		origin string
		want   string
	}{
		"world-readable": {good(t, 0o644), "", "chmod 600"},
		"group-writable": {good(t, 0o660), "", "chmod 600"},
		"other origin":   {good(t, 0o600), "example.com/other", "audit.origin"},
		"empty":          {write(t, ""), "", "not a signer key"},
		"public key":     {write(t, someKey(t, "x").Verifier()), "", "not a signer key"},
		"bad new origin": {filepath.Join(t.TempDir(), "k"), "with space", "can not be the name"},
		"no directory":   {filepath.Join(t.TempDir(), "none", "k"), "", "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := LoadOrCreateKey(test.path, test.origin)
			if err == nil {
				t.Fatal("no error")
			}
			if text := fmt.Sprint(err, signalbox.AsError(err).Remedy); !strings.Contains(text, test.want) {
				t.Fatalf("got %q, want %q", text, test.want)
			}
		})
	}
	if path := good(t, 0o640); true {
		if _, _, err := LoadOrCreateKey(path, ""); err != nil {
			t.Errorf("a file that its group may read is refused: %v", err)
		}
	}
}

func TestKeyNeverPrintsItsSecret(t *testing.T) {
	k, secret, err := GenerateKey("example.com/log", strings.NewReader(strings.Repeat("z", 256)))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k)} {
		if strings.Contains(text, "PRIVATE") || strings.Contains(text, secret[len(secret)-20:]) {
			t.Errorf("printed: %s", text)
		}
	}
	_, err = ParseKey(secret[:len(secret)-4])
	if err == nil || strings.Contains(err.Error(), secret[40:60]) {
		t.Errorf("got %v", err)
	}
}

func TestReadVerifierRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := ReadVerifier(path); err == nil {
		t.Error("a missing file gives no error")
	}
	for _, text := range []string{"nonsense", "PRIVATE+KEY+x"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadVerifier(path); signalbox.CodeOf(err) != signalbox.CodeInvalid {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := someKey(b, "example.com/log")
	tree, _ := Tree{}.Append(someLeaves(255, 1))
	for b.Loop() {
		if _, err := k.Sign(tree); err != nil {
			b.Fatal(err)
		}
	}
}
