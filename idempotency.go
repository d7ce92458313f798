package signalbox

import (
	"encoding/hex"
	"strings"
	"time"
)

// MaxIdempotencyKey bounds an idempotency key, in characters.
const MaxIdempotencyKey = 255

// ValidIdempotencyKey reports whether a text can be an idempotency key: 1 to [MaxIdempotencyKey] visible characters of ASCII.
func ValidIdempotencyKey(s string) bool {
	return s != "" && len(s) <= MaxIdempotencyKey && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// IdempotencyState is what is known of the call that used an idempotency key.
type IdempotencyState string

// The states. All but running are final.
const (
	IdempotencyRunning IdempotencyState = "running"  // Its intent is durable, its outcome is not.
	IdempotencyKept    IdempotencyState = "kept"     // It has ended, and what it came to is kept.
	IdempotencyNotKept IdempotencyState = "not_kept" // It has ended, and its result is too large to be kept.
)

// Idempotency is the use of one idempotency key by one call. As long as it is kept there is no other call by that key.
type Idempotency struct {
	Slot     [32]byte // Names the key and whose it is, as a digest; see package idempotency.
	Tenant   string
	Hash     [32]byte // Of what was asked for; zero where the subject was erased.
	Call     string   // The id of the call.
	Approval string   // The approval to which that is bound, for the call of a task; "" for all others.
	State    IdempotencyState
	Begun    time.Time
	Ended    time.Time // Zero while it runs.
	Expires  time.Time // From then on the key can be used again.

	// Content is what the call came to, as [IdempotencyContent], sealed under the key of the call's data subject. Nil where
	// nothing is kept, or where the subject was erased.
	Content *Sealed
}

// IdempotencyContent is the sealed part of the use of a key: one of the two.
type IdempotencyContent struct {
	Result string       `json:"result,omitzero"` // The answer, byte for byte.
	Error  *TaskFailure `json:"error,omitzero"`  // What the call failed with.
}

// PutIdempotency notes the use of a key, or replaces what is kept of it. Whoever writes one holds its claim:
// [Idempotency.ClaimKey].
type PutIdempotency struct{ Idempotency Idempotency }

// DropIdempotency frees a key that this call has used, and no other one.
type DropIdempotency struct {
	Slot [32]byte
	Call string
}

func (PutIdempotency) isEffect()  {}
func (DropIdempotency) isEffect() {}

// ClaimKey names what must be claimed before a call uses the key, until its outcome is durable.
func (u Idempotency) ClaimKey() string { return "idempotency " + hex.EncodeToString(u.Slot[:]) }
