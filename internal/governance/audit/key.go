package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/signalbox/signalbox"
)

// Key signs checkpoints. Its name is the log's origin.
type Key struct {
	signer   note.Signer
	verifier string
}

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 4096

// signerPrefix begins a signer key in the note format.
const signerPrefix = "PRIVATE+KEY+"

// GenerateKey makes a key for the origin; "" gives "signalbox/" and 16 random hex digits.
func GenerateKey(origin string, random io.Reader) (*Key, string, error) {
	if origin == "" {
		var b [8]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, "", err
		}
		origin = "signalbox/" + hex.EncodeToString(b[:])
	}
	secret, _, err := note.GenerateKey(random, origin)
	if err != nil {
		return nil, "", err
	}
	k, err := ParseKey(secret)
	return k, secret, err
}

// ParseKey reads a signer key in the note format: PRIVATE+KEY+name+hash+data. The error does not show the text.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, badKey("the audit key is not a signer key in the note format (PRIVATE+KEY+name+hash+data)")
	}
	// The name and the hash have no plus; the data, which is base64, may have some.
	data, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return nil, badKey("the audit key is not an Ed25519 key")
	}
	public, ok := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return nil, badKey("the audit key is not an Ed25519 key")
	}
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return nil, badKey("the audit key has no valid name")
	}
	return &Key{signer: signer, verifier: verifier}, nil
}

func badKey(message string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "%s", strings.ToUpper(message[:1])+message[1:]+".").
		WithField("audit.key").
		WithRemedy("Restore the key from a backup. Where it is lost, use a new one, and name the public key of the old one in audit.previous_keys.")
}

// Origin is the log's name, the first line of each checkpoint.
func (k *Key) Origin() string { return k.signer.Name() }

// Verifier is the public key in the note format (name+hash+data): what everybody may have and an auditor should keep.
func (k *Key) Verifier() string { return k.verifier }

// String shows the public key, so that a printed key gives nothing away.
func (k *Key) String() string { return k.verifier }

// GoString is String.
func (k *Key) GoString() string { return k.verifier }

// LoadOrCreateKey reads the signer key in the file, or makes one (mode 0600) where there is no file; created says which.
// The public key of a created key is written beside it, with the suffix ".pub". A file that others can read, or that its
// group can change, is refused. An origin that is not "" must be the key's.
func LoadOrCreateKey(path, origin string) (k *Key, created bool, err error) {
	k, err = loadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		k, err = createKey(path, origin)
		if errors.Is(err, fs.ErrExist) { // Another process was faster.
			k, err = loadKey(path)
		} else {
			created = err == nil
		}
	}
	if err != nil {
		return nil, false, err
	}
	if origin != "" && k.Origin() != origin {
		return nil, false, signalbox.Errorf(signalbox.CodeInvalid, "The audit key in %s is for the log %q, not %q.", path, k.Origin(), origin).
			WithField("audit.origin").WithRemedy("Set audit.origin to the key's name, or name another key file.")
	}
	return k, created, nil
}

func loadKey(path string) (*Key, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	return ParseKey(text)
}

// readKeyFile gives the text of a key file. One with a signer key must be its owner's alone, or its group's to read; one
// with a public key may be anybody's to read.
func readKeyFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("audit key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("audit key: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return "", fmt.Errorf("audit key: %w", err)
	}
	if _, err := verifiers(string(text)); err == nil {
		return string(text), nil
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "The audit key file %s has mode %04o: others can read it or change it.", path, mode).
			WithField("audit.key").WithRemedy("Run: chmod 600 " + path)
	}
	return string(text), nil
}

// createKey writes the key whole or not at all, and never over another.
func createKey(path, origin string) (*Key, error) {
	k, secret, err := GenerateKey(origin, rand.Reader)
	if err != nil {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "%q can not be the name of a log.", origin).
			WithField("audit.origin").WithRemedy("Use a name without white space and plus, such as signalbox.example.com/log.").WithCause(err)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".audit-key-*") // Mode 0600.
	if err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // What is left over is a name only; the key has another.
	_, err = f.WriteString(secret + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	if err := os.WriteFile(path+".pub", []byte(k.Verifier()+"\n"), 0o644); err != nil { //nolint:gosec // It is public.
		return nil, fmt.Errorf("audit key: %w", err)
	}
	return k, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("audit key: %w", err)
	}
	defer d.Close()
	return d.Sync()
}

// ReadVerifier reads the public key out of a file that holds it, or that holds the signer key. A file with several public
// keys, one a line, is that of a log whose key was changed: all of them are given, as [OpenCheckpoint] takes them.
func ReadVerifier(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("audit key: %w", err)
	}
	line := strings.TrimSpace(string(text))
	if strings.HasPrefix(line, signerPrefix) {
		k, err := ParseKey(line)
		if err != nil {
			return "", err
		}
		return k.Verifier(), nil
	}
	if _, err := verifiers(line); err != nil {
		return "", badKey("the file holds no public key in the note format (name+hash+data)")
	}
	return line, nil
}
