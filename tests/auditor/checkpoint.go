package auditor

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// publicKey is a key of the signed-note format: "name+hash+base64(0x01 | 32 bytes)".
type publicKey struct {
	name string
	id   []byte
	key  ed25519.PublicKey
}

var errKey = errors.New("this is no public key of a signed note")

func parseKey(text string) (publicKey, error) {
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	if len(parts) != 3 {
		return publicKey{}, errKey
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 1+ed25519.PublicKeySize || data[0] != 1 {
		return publicKey{}, errKey
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	if fmt.Sprintf("%08x", sum[:4]) != parts[1] {
		return publicKey{}, errKey
	}
	return publicKey{parts[0], sum[:4], data[1:]}, nil
}

// signed reports whether the note carries a good signature of the key, and gives its text.
func (k publicKey) signed(note []byte) (text string, good bool) {
	at := bytes.LastIndex(note, []byte("\n\n"))
	if at < 0 {
		return "", false
	}
	text = string(note[:at+1])
	for line := range strings.Lines(string(note[at+2:])) {
		data, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\u2014 "+k.name+" ")
		sig, err := base64.StdEncoding.DecodeString(data)
		if found && err == nil && len(sig) == 4+ed25519.SignatureSize && bytes.Equal(sig[:4], k.id) {
			return text, ed25519.Verify(k.key, []byte(text), sig[4:])
		}
	}
	return text, false
}

// checkpoint compares a checkpoint with the leaves, and gives its size.
func (r *Report) checkpoint(which string, key publicKey, note []byte, leaves []hash) int64 {
	text, good := key.signed(note)
	lines := strings.Split(text, "\n")
	if !good || len(lines) < 4 || lines[0] != key.name {
		r.found(-1, "the %s checkpoint is not signed by the key", which)
		return 0
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	switch {
	case err != nil || size < 0:
		r.found(-1, "the %s checkpoint has no size", which)
		return 0
	case size > int64(len(leaves)):
		r.found(int64(len(leaves)), "the %s checkpoint has %d records, the log ends before this one", which, size)
		return int64(len(leaves))
	}
	if want := root(leaves[:size]); base64.StdEncoding.EncodeToString(want[:]) != lines[2] {
		r.found(-1, "the %s checkpoint of %d records has another root", which, size)
	}
	return size
}

// newestCheckpoint gives the note; nil where there is none.
func newestCheckpoint(db *sql.DB) ([]byte, error) {
	var note []byte
	err := db.QueryRow("SELECT note FROM audit_checkpoints ORDER BY n DESC LIMIT 1").Scan(&note)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return note, err
}
