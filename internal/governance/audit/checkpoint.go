package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// Checkpoint says that the log named Origin had that root when it had that size (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Text is the checkpoint's text: three lines, origin, size, and root in base64.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Sign gives the signed note of the tree's root under the key's origin.
func (k *Key) Sign(t Tree) ([]byte, error) { return signTree(t, k.signer) }

func signTree(t Tree, signers ...note.Signer) ([]byte, error) {
	c := Checkpoint{Origin: signers[0].Name(), Size: t.Size(), Root: t.Root()}
	return note.Sign(&note.Note{Text: c.Text()}, signers...)
}

// OpenCheckpoint checks the signature of a signed note and reads its checkpoint. The verifier is the log's public key; or
// several of them, one a line, of which one must have signed: those of a log whose key was changed. Errors are of code
// invalid. Signatures by other keys are ignored, as the note format wants; lines after the third are too.
func OpenCheckpoint(signed []byte, verifier string) (Checkpoint, error) {
	known, err := verifiers(verifier)
	if err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return Checkpoint{}, badCheckpoint("it is not signed by the key %s", keyHints(verifier)).WithCause(err)
	}
	return parseCheckpoint(n.Text, n.Sigs[0].Name)
}

// readCheckpoint reads a checkpoint of our own, whose signatures are known to be good.
func readCheckpoint(signed []byte) (Checkpoint, error) {
	origin, _, _ := strings.Cut(string(signed), "\n")
	return parseCheckpoint(textOf(signed)+"\n", origin)
}

// verifiers reads public keys, one a line.
func verifiers(text string) ([]note.Verifier, error) {
	var known []note.Verifier
	for _, line := range strings.Fields(text) {
		v, err := note.NewVerifier(line)
		if err != nil {
			return nil, badKey("the key is no public key in the note format (name+hash+data)")
		}
		known = append(known, v)
	}
	if known == nil {
		return nil, badKey("the key is no public key in the note format (name+hash+data)")
	}
	return known, nil
}

// unverified reads a signed note without a key: its first line and who is said to have signed it. Both are "" where it is
// no signed note.
func unverified(signed []byte) (origin, signers string) {
	_, err := note.Open(signed, note.VerifierList())
	var u *note.UnverifiedNoteError
	if !errors.As(err, &u) {
		return "", ""
	}
	origin, _, _ = strings.Cut(u.Note.Text, "\n")
	var names []string
	for _, s := range u.Note.UnverifiedSigs {
		names = append(names, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	return origin, strings.Join(names, ", ")
}

func parseCheckpoint(text, origin string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return Checkpoint{}, badCheckpoint("it has fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, badCheckpoint("its second line is not a size")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, badCheckpoint("its third line is not a root hash")
	}
	if lines[0] != origin {
		return Checkpoint{}, badCheckpoint("it is of the log %q, the key is of %q", lines[0], origin)
	}
	return Checkpoint{Origin: origin, Size: size, Root: root}, nil
}

func badCheckpoint(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The checkpoint can not be used: %s.", fmt.Sprintf(format, args...)).
		WithField("checkpoint").WithRemedy("Use a checkpoint as /audit/checkpoint gave it, and the public key of that log.")
}

// keyHint names a public key without its data: name and hash.
func keyHint(verifier string) string {
	name, rest, _ := strings.Cut(verifier, "+")
	hash, _, _ := strings.Cut(rest, "+")
	return name + "+" + hash
}

// keyHints names several.
func keyHints(verifiers string) string {
	hints := strings.Fields(verifiers)
	for i, v := range hints {
		hints[i] = keyHint(v)
	}
	return strings.Join(hints, " or ")
}
