package idempotency

import (
	"time"

	"github.com/signalbox/signalbox"
)

// MaxResult bounds the result that is kept, in bytes.
const MaxResult = 1 << 20

// Comeback is when a caller is told to come back whose call is under way.
const Comeback = time.Second

// Event is something that happens to the use of a key. The set is closed.
type Event interface {
	apply(u signalbox.Idempotency) (signalbox.Idempotency, error)
}

// Begin says that a call uses a key: whoever writes it with the call's intent makes the call.
type Begin struct {
	Use  signalbox.Idempotency // With its slot, tenant, hash and call; state and times are set here.
	At   time.Time
	Keep time.Duration // For how long the key is not used again.
}

// End says that the call has ended, and whether what it came to is kept.
type End struct {
	Call string
	Kept bool
	At   time.Time
	Keep time.Duration // From now on.
}

// Decide gives what becomes of the use of a key by an event; the use of a key that is free is zero. It knows no clock and
// does no I/O. An error says why the event can not happen to it; then nothing has changed.
func Decide(u signalbox.Idempotency, e Event) (signalbox.Idempotency, error) { return e.apply(u) }

func (e Begin) apply(u signalbox.Idempotency) (signalbox.Idempotency, error) {
	n := e.Use
	if n.Call == "" || n.Tenant == "" || n.Slot == [32]byte{} || n.Hash == [32]byte{} {
		return u, impossible("The use of an idempotency key needs a slot, a tenant, a hash and a call.")
	}
	if !free(u, e.At) {
		return u, impossible("Only an idempotency key that is free is used.")
	}
	n.State, n.Begun, n.Expires = signalbox.IdempotencyRunning, e.At, e.At.Add(e.Keep)
	n.Ended, n.Content = time.Time{}, nil
	return n, nil
}

func (e End) apply(u signalbox.Idempotency) (signalbox.Idempotency, error) {
	if u.State != signalbox.IdempotencyRunning || u.Call != e.Call {
		return u, impossible("Only the call that uses an idempotency key ends its use, once.")
	}
	u.State, u.Ended, u.Expires = signalbox.IdempotencyNotKept, e.At, e.At.Add(e.Keep)
	if e.Kept {
		u.State = signalbox.IdempotencyKept
	}
	return u, nil
}

// free reports whether a key can be used.
func free(u signalbox.Idempotency, now time.Time) bool { return u.Call == "" || !now.Before(u.Expires) }

// Step is what is to be done about a presentation.
type Step int

// The steps.
const (
	Refuse Step = iota // It is refused.
	Make               // The call goes on.
	Replay             // What the first call came to is given again.
)

// Next gives what is to be done when a key is presented to ask for what has that hash, and why it is refused. The use is
// zero where none is kept. Alone says that whoever asks holds the claim of the slot, and held it before he has read the use.
func Next(u signalbox.Idempotency, hash [32]byte, alone bool, now time.Time) (Step, error) {
	switch {
	case free(u, now) && alone:
		return Make, nil
	case free(u, now):
		return Refuse, underWay(signalbox.Idempotency{})
	case u.Hash == [32]byte{}:
		return Refuse, erased(u)
	case u.Hash != hash:
		return Refuse, other(u)
	case u.State == signalbox.IdempotencyRunning && !alone:
		return Refuse, underWay(u)
	case u.State == signalbox.IdempotencyRunning:
		return Refuse, unknown(u)
	case u.State == signalbox.IdempotencyNotKept:
		return Refuse, tooLarge(u)
	case u.Content == nil:
		return Refuse, erased(u)
	}
	return Replay, nil
}

// Course is what is known of a call once it has ended.
type Course struct {
	Begun bool // Its intent is durable.
	Left  bool // It may have been carried out, as far as that is known.
	Asks  bool // Its result is a question of the server to the caller: the call is not over.
	Size  int  // Of its result, in bytes.
	Err   error
}

// Fate is what becomes of the use of a key.
type Fate int

// The fates.
const (
	Nothing Fate = iota // It was not used.
	Free                // It can be used again.
	Keep                // What the call came to is kept.
	Discard             // The result is too large: that the call has ended is all that is kept.
)

// Came gives what the end of a call means for its key.
func Came(c Course) Fate {
	switch {
	case !c.Begun:
		return Nothing
	case c.Err != nil && !c.Left, c.Err == nil && c.Asks:
		return Free
	case c.Err == nil && c.Size > MaxResult:
		return Discard
	}
	return Keep
}
