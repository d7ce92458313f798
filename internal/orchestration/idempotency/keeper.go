package idempotency

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// How the call of a task waits for a key that somebody else looks at.
const (
	ClaimWait  = 2 * time.Second
	ClaimPause = 20 * time.Millisecond
)

// Store is where the use of keys is kept. It is used from many goroutines. What it gives is the caller's own, and as new as
// the last record that was durable before it was asked. Its errors mean that it could not be asked.
type Store interface {
	// Idempotency gives the use of a key; false where none is kept.
	Idempotency(ctx context.Context, slot [32]byte) (signalbox.Idempotency, bool, error)
}

// Claims lets one at a time use a key, of package approval.
type Claims interface {
	// Take claims a name for this goroutine alone; false where somebody else has it. The claim of a process that is gone ends
	// when that can commit nothing any more. Release can be called from anywhere, once.
	Take(ctx context.Context, name string) (release func(), ok bool, err error)
}

// Sealer hides what is about people, under the key of a data subject: of package seal.
type Sealer interface {
	// SealBytes gives the sealed bytes, and the effects without which they could not be opened again.
	SealBytes(tenant, subject string, aad, plain []byte) (signalbox.Sealed, []signalbox.Effect, error)
	// OpenBytes opens them, or says why that can not be.
	OpenBytes(tenant string, s signalbox.Sealed, aad []byte) ([]byte, signalbox.ContentState, error)
}

// Options of [New]. All are required.
type Options struct {
	Store  Store
	Claims Claims
	Sealer Sealer
	Now    func() time.Time
	// Keep gives for how long a key makes no other call.
	Keep func() time.Duration
	// Asks reports whether the result of a call that has ended well is a question to its caller.
	Asks func(t *call.Track) bool
	// Report tells the operator what has gone wrong.
	Report func(err error)
}

// Keeper keeps the use of keys. It is safe for concurrent use, and owns no goroutine.
type Keeper struct{ o Options }

// New makes a keeper.
func New(o Options) *Keeper { return &Keeper{o} }

// now is the time as stores keep it.
func (k *Keeper) now() time.Time { return k.o.Now().UTC().Truncate(time.Microsecond) }

// ended gives the effects of the outcome of a call that uses a key.
func (k *Keeper) ended(t *call.Track, u signalbox.Idempotency, c Course, result []byte) []signalbox.Effect {
	fate := Came(c)
	switch fate {
	case Nothing:
		return nil
	case Free:
		return []signalbox.Effect{signalbox.DropIdempotency{Slot: u.Slot, Call: u.Call}}
	case Keep, Discard:
	}
	n, err := Decide(u, End{Call: t.Call.ID, Kept: fate == Keep, At: k.now(), Keep: k.o.Keep()})
	var effects []signalbox.Effect
	if err == nil && fate == Keep {
		effects, err = k.sealed(&n, cmp.Or(t.Call.Claims.Subject, t.Gate.Caller.User), result, c.Err)
	}
	if err != nil { // Its outcome is not known then to who presents the key again, and it is not made again.
		k.o.Report(fmt.Errorf("keep what the call %s came to: %w", t.Call.ID, err))
		return nil
	}
	return append(effects, signalbox.PutIdempotency{Idempotency: n})
}

// sealed hides what a call came to in the use of its key, and gives the effects that this needs.
func (k *Keeper) sealed(u *signalbox.Idempotency, subject string, result []byte, failed error) ([]signalbox.Effect, error) {
	c := signalbox.IdempotencyContent{Result: string(result)}
	if failed != nil {
		c = signalbox.IdempotencyContent{Error: signalbox.Failed(failed)}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	s, effects, err := k.o.Sealer.SealBytes(u.Tenant, subject, place(*u), text)
	u.Content = &s
	return effects, err
}

// opened gives what the call that used a key came to. An error says why that can not be given.
func (k *Keeper) opened(u signalbox.Idempotency) (c signalbox.IdempotencyContent, err error) {
	text, state, err := k.o.Sealer.OpenBytes(u.Tenant, *u.Content, place(u))
	switch {
	case err != nil:
		return c, err
	case state == signalbox.ContentErased:
		return c, erased(u)
	case state != signalbox.ContentOpen:
		return c, signalbox.Errorf(signalbox.CodeUnavailable, "What the call %s with this idempotency key came to can not be read.", u.Call).
			WithRemedy("Tell the operator: the master key is missing.")
	}
	if err = json.Unmarshal(text, &c); err == nil && c.Error != nil && c.Error.Code == signalbox.CodeCancelled {
		err = cancelled(u)
	}
	return c, err
}

// place is what the sealed content is bound to.
func place(u signalbox.Idempotency) []byte {
	return []byte("idempotency\n" + u.Tenant + "\n" + hex.EncodeToString(u.Slot[:]))
}

// left reports whether a call that has failed may have been carried out. A server that answers with a status of the class 4xx
// has not; it has only waited too long for the rest of the request where that is 408.
func left(err error) bool {
	var a *call.AttemptError
	if !errors.As(err, &a) {
		return true
	}
	refused := a.HTTPStatus >= 400 && a.HTTPStatus < 500 && a.HTTPStatus != http.StatusRequestTimeout
	return a.Sent && !a.Undone && !refused
}
