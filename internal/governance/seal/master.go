package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/signalbox/signalbox"
)

// Sizes, in bytes.
const (
	KeySize   = 32 // Of a master key and of a subject's key: AES-256.
	nonceSize = 12
	tagSize   = 16
)

// MasterPrefix begins the text of a master key.
const MasterPrefix = "signalbox-master-key-1:"

// indexInfo is what the index key is derived with.
const indexInfo = "signalbox subject index v1"

// Master wraps the keys of data subjects. It prints as its id only.
type Master struct {
	id    string
	aead  cipher.AEAD
	index [KeySize]byte // What the index key is where this is the first master key.
}

// NewMaster makes a master key of 32 bytes.
func NewMaster(key [KeySize]byte) (*Master, error) {
	index, err := hkdf.Key(sha256.New, key[:], nil, indexInfo, KeySize)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	aead, err := newAEAD(key[:])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key[:])
	return &Master{id: hex.EncodeToString(sum[:8]), aead: aead, index: [KeySize]byte(index)}, nil
}

// GenerateMaster makes a new master key, and its text, which is the only form that can be kept.
func GenerateMaster(random io.Reader) (m *Master, text string, err error) {
	var key [KeySize]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, "", fmt.Errorf("master key: %w", err)
	}
	m, err = NewMaster(key)
	return m, MasterPrefix + base64.StdEncoding.EncodeToString(key[:]), err
}

// ParseMaster reads the text of a master key, with white space around it. The error does not show the text; from says
// where it was found.
func ParseMaster(text, from string) (*Master, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), MasterPrefix)
	if !ok {
		return nil, badMaster("The master key in %s does not begin with %s.", from, MasterPrefix)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, badMaster("The master key in %s is not base64 after %s.", from, MasterPrefix)
	}
	if len(key) != KeySize {
		return nil, badMaster("The master key in %s has %d bytes, not %d.", from, len(key), KeySize)
	}
	return NewMaster([KeySize]byte(key))
}

func badMaster(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, format, args...).WithField("audit.master_key").
		WithRemedy("Restore the key from where it is kept; a new one is `" + MasterPrefix + "` and 32 random bytes in base64.")
}

// ID names the key without giving anything of it away: 16 hex digits.
func (m *Master) ID() string { return m.id }

// String is for people.
func (m *Master) String() string { return "master key " + m.id }

// Format prints the same for every verb.
func (m *Master) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) } // As fmt itself does.

// wrap encrypts a subject's key.
func (m *Master) wrap(random io.Reader, id, tenant string, key []byte) ([]byte, error) {
	return lock(m.aead, random, key, wrapData(id, tenant))
}

var errNotOurs = errors.New("the key is wrapped by another master key, or was changed")

// unwrap decrypts a subject's key.
func (m *Master) unwrap(k *signalbox.SubjectKey) ([]byte, error) {
	key, err := unlock(m.aead, k.Wrapped, wrapData(k.ID, k.Tenant))
	if err != nil || len(key) != KeySize {
		return nil, errNotOurs
	}
	return key, nil
}

func wrapData(id, tenant string) []byte { return []byte(id + "\n" + tenant) }

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCM(block)
}

// lock gives nonce, ciphertext and tag.
func lock(aead cipher.AEAD, random io.Reader, plain, data []byte) ([]byte, error) {
	out := make([]byte, nonceSize, nonceSize+len(plain)+tagSize)
	if _, err := io.ReadFull(random, out); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead.Seal(out, out, plain, data), nil
}

// unlock gives what lock has encrypted.
func unlock(aead cipher.AEAD, locked, data []byte) ([]byte, error) {
	if len(locked) < nonceSize+tagSize {
		return nil, errNotOurs
	}
	return aead.Open(nil, locked[:nonceSize], locked[nonceSize:], data)
}
