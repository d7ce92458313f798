package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/signalbox/signalbox"
)

// otherKey is a second key of the same name.
func otherKey(t testing.TB, origin string) *Key {
	t.Helper()
	k, _, err := GenerateKey(origin, strings.NewReader(strings.Repeat("other"+origin, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func secretOf(t testing.TB, seed string) string {
	t.Helper()
	_, secret, err := GenerateKey("example.com/log", strings.NewReader(strings.Repeat(seed, 256)))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// While an old key is configured, every new checkpoint carries both signatures, and whoever has either public key can check
// it with code that is not ours.
func TestRotationSignsWithBothKeys(t *testing.T) {
	previous, err := ParsePreviousKey(secretOf(t, "old"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := ParseKey(secretOf(t, "new"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := NewKeyring(next, previous)
	if err != nil {
		t.Fatal(err)
	}
	tree, _ := Tree{}.Append(someLeaves(10, 1))
	signed, err := ring.Sign(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, verifier := range strings.Fields(ring.Verifier()) {
		v, err := note.NewVerifier(verifier)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(signed, note.VerifierList(v))
		if err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 1 {
			t.Errorf("%s: %v", keyHint(verifier), err)
		}
		if c, err := OpenCheckpoint(signed, verifier); err != nil || c.Origin != "example.com/log" || c.Size != 10 {
			t.Errorf("%s: %+v, %v", keyHint(verifier), c, err)
		}
	}
	old, err := ParseKey(secretOf(t, "old"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := old.Sign(tree)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoint(before, ring.Verifier()); err != nil {
		t.Errorf("a checkpoint from before the change: %v", err)
	}
	if SignedBy(before, ring.Active()) || !SignedBy(signed, ring.Active()) {
		t.Error("who has signed is not told apart")
	}
	keys := ring.Keys()
	if len(keys) != 2 || !keys[0].Active || keys[1].Active || !keys[1].Signs || keys[0].ID == keys[1].ID || keys[1].Name != "example.com/log" {
		t.Errorf("got %+v", keys)
	}
}

// A lost key is replaced by naming its public key: what it has signed stays good, and it signs no more.
func TestLostKeyIsReplaced(t *testing.T) {
	lost, next := someKey(t, "example.com/log"), otherKey(t, "example.com/log")
	m, s := &memory{}, NewSequencer(Tree{})
	write(t, m, s, someCalls(0, 10)...)
	signed, err := lost.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	path := filepath.Join(t.TempDir(), "old.pub")
	if err := os.WriteFile(path, []byte(lost.Verifier()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	previous, err := LoadPreviousKey(path)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := NewKeyring(next, previous)
	if err != nil {
		t.Fatal(err)
	}
	if size, stored, err := CheckSigner(t.Context(), ring, m, m); err != nil || size != 20 || string(stored) != string(signed) {
		t.Fatalf("size %d: %v", size, err)
	}
	both, err := ring.Sign(s.Tree())
	if err != nil || SignedBy(both, lost.Verifier()) || !SignedBy(both, next.Verifier()) || ring.Keys()[1].Signs {
		t.Errorf("signed by the wrong keys: %v\n%s", err, both)
	}
}

func TestKeysThatDoNotMatch(t *testing.T) {
	k := someKey(t, "example.com/log")
	m, s := &memory{}, NewSequencer(Tree{})
	write(t, m, s, someCalls(0, 10)...)
	signed, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	for name, test := range map[string]struct {
		key  *Key
		want string
	}{
		"another key of the log": {otherKey(t, "example.com/log"), "does not match the stored log: its newest checkpoint is signed by " + keyHint(k.Verifier())},
		"key of another log":     {someKey(t, "example.com/other"), `The stored log is "example.com/log", the audit key is of the log "example.com/other"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := CheckSigner(t.Context(), test.key, m, m)
			e := signalbox.AsError(err)
			if e.Code != signalbox.CodeInvalid || !strings.Contains(e.Message, test.want) || e.Field != "audit.key" || e.Remedy == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestKeyringsThatCanNotBe(t *testing.T) {
	k := someKey(t, "example.com/log")
	public := func(k *Key) PreviousKey {
		p, err := ParsePreviousKey(k.Verifier())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	old := public(otherKey(t, "example.com/log"))
	for name, previous := range map[string][]PreviousKey{
		"of another log": {public(someKey(t, "example.com/other"))},
		"the active one": {public(k)},
		"twice":          {old, old},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKeyring(k, previous...)
			if e := signalbox.AsError(err); e.Code != signalbox.CodeInvalid || e.Field != "audit.previous_keys" || e.Remedy == "" {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, text := range map[string]string{"nothing": "", "nonsense": "x", "a broken signer": "PRIVATE+KEY+a+b+c"} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParsePreviousKey(text); signalbox.CodeOf(err) != signalbox.CodeInvalid {
				t.Errorf("got %v", err)
			}
		})
	}
	open := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(open, []byte(secretOf(t, "old")), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPreviousKey(open); err == nil || !strings.Contains(signalbox.AsError(err).Remedy, "chmod 600") {
		t.Errorf("a world-readable signer key gives %v", err)
	}
	if _, err := LoadPreviousKey(open + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file gives %v", err)
	}
}
