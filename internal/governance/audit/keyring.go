package audit

import (
	"context"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/signalbox/signalbox"
)

// Keyring signs checkpoints with the active key and, for as long as they are configured, with the keys before it: whoever
// has the public key of either can check every new checkpoint. All keys of a ring have one name, the log's origin.
type Keyring struct {
	active   *Key
	previous []PreviousKey
}

// PreviousKey is a key that was active once. Without its secret part (a lost key, or one that must not sign any more) it
// only makes the checkpoints it has signed acceptable.
type PreviousKey struct {
	verifier string
	signer   note.Signer // Nil where only the public key is known.
}

// KeyInfo describes a key of a ring.
type KeyInfo struct {
	Name   string // The log's origin.
	ID     string // The key's hash in the note format, 8 hex digits.
	Active bool
	Signs  bool // Whether new checkpoints carry its signature.
}

// ParsePreviousKey reads a signer key or a public key in the note format.
func ParsePreviousKey(text string) (PreviousKey, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, signerPrefix) {
		k, err := ParseKey(text)
		if err != nil {
			return PreviousKey{}, err
		}
		return PreviousKey{verifier: k.verifier, signer: k.signer}, nil
	}
	if _, err := note.NewVerifier(text); err != nil {
		return PreviousKey{}, badKey("the previous key is neither a signer key (PRIVATE+KEY+name+hash+data) nor a public key (name+hash+data)")
	}
	return PreviousKey{verifier: text}, nil
}

// LoadPreviousKey reads such a key out of a file; the mode of one with a signer key is checked like that of the active key.
func LoadPreviousKey(path string) (PreviousKey, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return PreviousKey{}, err
	}
	return ParsePreviousKey(text)
}

// NewKeyring makes a ring. The previous keys must be other keys of the same origin.
func NewKeyring(active *Key, previous ...PreviousKey) (*Keyring, error) {
	seen := map[string]bool{active.verifier: true}
	for _, p := range previous {
		if name, _, _ := strings.Cut(p.verifier, "+"); name != active.Origin() {
			return nil, signalbox.Errorf(signalbox.CodeInvalid, "The previous audit key %s is of the log %q, the active one is of %q.", keyHint(p.verifier), name, active.Origin()).
				WithField("audit.previous_keys").WithRemedy("Make the new key under the same name: a log keeps its origin.")
		}
		if seen[p.verifier] {
			return nil, signalbox.Errorf(signalbox.CodeInvalid, "The audit key %s is configured twice.", keyHint(p.verifier)).
				WithField("audit.previous_keys").WithRemedy("Name each key once; the active one belongs in audit.key only.")
		}
		seen[p.verifier] = true
	}
	return &Keyring{active, previous}, nil
}

// Origin is the log's name.
func (k *Keyring) Origin() string { return k.active.Origin() }

// Active is the public key of the active key.
func (k *Keyring) Active() string { return k.active.verifier }

// Verifier gives the public keys, one a line, the active one first: a checkpoint of the log is signed by one of them.
func (k *Keyring) Verifier() string { return publicKeys(k.active.verifier, k.previous) }

// PublicKeys gives the public keys of previous keys, one a line.
func PublicKeys(previous []PreviousKey) string { return publicKeys("", previous) }

func publicKeys(first string, previous []PreviousKey) string {
	var lines []string
	if first != "" {
		lines = append(lines, first)
	}
	for _, p := range previous {
		lines = append(lines, p.verifier)
	}
	return strings.Join(lines, "\n")
}

// Sign gives the signed note of the tree's root, with a signature of every key that can sign.
func (k *Keyring) Sign(t Tree) ([]byte, error) {
	signers := []note.Signer{k.active.signer}
	for _, p := range k.previous {
		if p.signer != nil {
			signers = append(signers, p.signer)
		}
	}
	return signTree(t, signers...)
}

// Keys describes the keys, the active one first.
func (k *Keyring) Keys() []KeyInfo {
	info := func(verifier string, active, signs bool) KeyInfo {
		name, id, _ := strings.Cut(keyHint(verifier), "+")
		return KeyInfo{Name: name, ID: id, Active: active, Signs: signs}
	}
	list := []KeyInfo{info(k.active.verifier, true, true)}
	for _, p := range k.previous {
		list = append(list, info(p.verifier, false, p.signer != nil))
	}
	return list
}

// Signer signs checkpoints: a [Key] or a [Keyring].
type Signer interface {
	Origin() string
	Sign(t Tree) ([]byte, error)
	Verifier() string // The public keys of which one has signed every checkpoint of the log, one a line.
}

// CheckpointReader gives the newest stored checkpoint, nil where there is none.
type CheckpointReader interface {
	LatestCheckpoint(ctx context.Context) ([]byte, error)
}

// CheckSigner says whether the keys are those of the stored log and whether that is the log they have signed; nothing is
// changed. It gives the size of the newest stored checkpoint, or -1, and the checkpoint as stored. A key of another log, or
// one that has signed nothing of this one, is an error of code invalid; another history than the one signed is a conflict.
func CheckSigner(ctx context.Context, signer Signer, src HashSource, store CheckpointReader) (int64, []byte, error) {
	stored, err := store.LatestCheckpoint(ctx)
	if err != nil || stored == nil {
		return -1, nil, err
	}
	c, err := OpenCheckpoint(stored, signer.Verifier())
	if err != nil {
		return -1, nil, foreign(stored, signer, err)
	}
	root, err := RootAt(ctx, src, c.Size)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound || (err == nil && root != c.Root) {
		return -1, nil, signalbox.Errorf(signalbox.CodeConflict,
			"The stored log is not the one whose checkpoint of size %d this key has signed.", c.Size).
			WithField("audit.key").WithRemedy("Run `signalbox audit verify`; restore the newest backup.").WithCause(err)
	}
	return c.Size, stored, err
}

// foreign says why a stored checkpoint is none of the keys'.
func foreign(stored []byte, signer Signer, cause error) error {
	origin, by := unverified(stored)
	switch {
	case origin == "":
		return signalbox.Errorf(signalbox.CodeInvalid, "The newest stored checkpoint is no signed note: it was changed.").
			WithField("audit.key").WithRemedy("Run `signalbox audit verify`; restore the newest backup.").WithCause(cause)
	case origin != signer.Origin():
		return signalbox.Errorf(signalbox.CodeInvalid, "The stored log is %q, the audit key is of the log %q.", origin, signer.Origin()).
			WithField("audit.key").WithRemedy("Use the key of this log, or another database.").WithCause(cause)
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "The audit key does not match the stored log: its newest checkpoint is signed by %s, not by %s.", by, keyHints(signer.Verifier())).
		WithField("audit.key").
		WithRemedy("Restore the key that signed it. To go on with a new key, name the old one, or its public key where it is lost, in audit.previous_keys.").
		WithCause(cause)
}

// SignedBy reports whether the checkpoint carries a good signature of the public key.
func SignedBy(signed []byte, verifier string) bool {
	_, err := OpenCheckpoint(signed, verifier)
	return err == nil
}
