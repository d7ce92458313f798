package audit

import (
	"encoding/base64"
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
func (k *Key) Sign(t Tree) ([]byte, error) {
	c := Checkpoint{Origin: k.Origin(), Size: t.Size(), Root: t.Root()}
	return note.Sign(&note.Note{Text: c.Text()}, k.signer)
}

// OpenCheckpoint checks the signature of a signed note with the public key and reads its checkpoint. Errors are of code
// invalid. Signatures by other keys are ignored, as the note format wants; lines after the third are too.
func OpenCheckpoint(signed []byte, verifier string) (Checkpoint, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Checkpoint{}, badKey("the key is no public key in the note format (name+hash+data)")
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, badCheckpoint("it is not signed by the key %s", keyHint(verifier)).WithCause(err)
	}
	return parseCheckpoint(n.Text, v.Name())
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
