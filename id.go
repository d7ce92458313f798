package signalbox

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// Prefixes of our identifiers.
const (
	CallPrefix    = "call_"
	RequestPrefix = "req_"
	RunPrefix     = "run_"
	KeyPrefix     = "key_"

	ApprovalPrefix = "appr_"
	GrantPrefix    = "grant_"
	IncidentPrefix = "inc_"
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID makes an identifier that sorts by time: the prefix, then 26 characters of which the first ten are the time in
// milliseconds and the rest is random.
func NewID(prefix string, at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	rand.Read(b[6:])
	return prefix + idEncoding.EncodeToString(b[:])
}

// MaxIDLength bounds identifiers that come from outside: request, run, agent, user, step kind and the like.
const MaxIDLength = 128

// MaxProviderID bounds the id of an identity provider, in bytes. It leaves room, within [MaxIDLength], for the hash of a
// subject behind it.
const MaxProviderID = 48

// ValidID reports whether an identifier from outside can be taken as it is: 1 to [MaxIDLength] characters out of
// letters, digits and "-_.:@/+=".
func ValidID(s string) bool {
	if s == "" || len(s) > MaxIDLength {
		return false
	}
	for _, r := range s {
		alnum := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !alnum && !strings.ContainsRune("-_.:@/+=", r) {
			return false
		}
	}
	return true
}
