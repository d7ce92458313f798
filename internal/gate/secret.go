package gate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// SecretPrefix begins every secret that Signalbox makes, so that scanners for leaked secrets can find it.
const SecretPrefix = "sb_"

// Bounds of secrets, in bytes.
const (
	MinSecret = 16  // The shortest static secret; what Signalbox makes has 55.
	MaxSecret = 512 // Longer ones are refused without being hashed.
)

// hintLength is how many characters of a secret are kept to tell keys apart: the prefix and five more, which leaves
// 231 unknown bits.
const hintLength = len(SecretPrefix) + 5

var secretEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewSecret makes a secret of 256 random bits.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // It never fails.
	return SecretPrefix + secretEncoding.EncodeToString(b[:])
}

// HashSecret is what is kept of a secret. A plain hash is enough for what Signalbox makes: nobody can try 2^256 secrets.
// Static secrets are as good as their authors made them, which is why they have a minimum length.
func HashSecret(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// StaticKey completes a key of the configuration file: k has everything but the secret. The error is of code invalid
// and names the field.
func StaticKey(k signalbox.Key, secret string) (signalbox.Key, error) {
	if len(secret) < MinSecret || len(secret) > MaxSecret {
		return k, signalbox.Errorf(signalbox.CodeInvalid, "The secret of key %q has %d characters; %d to %d are allowed.",
			k.ID, len(secret), MinSecret, MaxSecret).WithField("secret").
			WithRemedy("Use a long random string, such as the output of `openssl rand -base64 32`.")
	}
	if strings.TrimSpace(secret) != secret || !printable(secret) {
		return k, signalbox.Errorf(signalbox.CodeInvalid, "The secret of key %q has spaces around it or control characters.",
			k.ID).WithField("secret").WithRemedy("Remove them: no HTTP client could send this secret.")
	}
	if err := checkKey(k); err != nil {
		return k, err
	}
	k.Hash, k.Hint, k.Static, k.Revoked = HashSecret(secret), "", true, time.Time{}
	return k, nil
}

// checkKey looks at what a key is bound to.
func checkKey(k signalbox.Key) error {
	fields := []struct {
		name, value string
		optional    bool
	}{
		{"id", k.ID, false},
		{"tenant", k.Tenant, false},
		{"team", k.Team, true},
		{"agent", k.Agent, true},
		{"user", k.User, true},
	}
	for _, f := range fields {
		if f.value == "" && f.optional {
			continue
		}
		if !signalbox.ValidID(f.value) {
			return signalbox.Errorf(signalbox.CodeInvalid, "%q is not a valid %s.", clip(f.value), f.name).
				WithField(f.name).WithRemedy(idRemedy)
		}
	}
	if !k.Role.Valid() {
		return signalbox.Errorf(signalbox.CodeInvalid, "%q is not a role.", clip(string(k.Role))).WithField("role").
			WithRemedy("Use one of " + roleNames() + ".")
	}
	return nil
}

const idRemedy = `Use 1 to 128 letters, digits and "-_.:@/+=".`

func roleNames() string {
	names := make([]string, 0, len(signalbox.Roles()))
	for _, r := range signalbox.Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// printable reports whether s is free of control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// clip shortens what came from outside for an error message.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}
