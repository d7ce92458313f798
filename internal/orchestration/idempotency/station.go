package idempotency

import (
	"context"
	"io"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Station is the station that knows which keys are used. A call without one passes it untouched. Errors are of code conflict,
// or those with which the first call of the key has failed, besides those of the store.
func (k *Keeper) Station() call.Station {
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			if t.Call.IdempotencyKey == "" || t.Call.Tool == nil {
				return next.Serve(ctx, t)
			}
			return k.serve(ctx, t, next)
		})
	}
}

func (k *Keeper) serve(ctx context.Context, t *call.Track, next call.Handler) (call.Answer, error) {
	slot := Slot(t.Gate.Caller, t.Call.IdempotencyKey)
	hash, err := Hash(t, slot)
	if err != nil {
		return nil, err
	}
	l, err := k.look(ctx, t, slot)
	if err != nil {
		return nil, err
	}
	step, why := Next(l.use, hash, l.alone, k.now())
	if step == Make {
		return k.make(ctx, t, next, signalbox.Idempotency{
			Slot: slot, Tenant: t.Gate.Caller.Tenant, Hash: hash, Call: t.Call.ID, Approval: t.Call.Approval,
		}, l.release)
	}
	l.release()
	if step == Replay {
		return k.replay(t, l.use)
	}
	return nil, why
}

// looked is what is known of a key.
type looked struct {
	use     signalbox.Idempotency
	alone   bool   // The claim is held.
	release func() // Gives it back.
}

// look claims a key, if nobody else has, and reads its use. The call of a task is not refused because somebody else looks at
// this moment: nobody would send it again.
func (k *Keeper) look(ctx context.Context, t *call.Track, slot [32]byte) (looked, error) {
	for waited := time.Duration(0); ; waited += ClaimPause {
		// The claim comes first: what is read after it is final, unless another one has it.
		release, alone, err := k.o.Claims.Take(ctx, signalbox.Idempotency{Slot: slot}.ClaimKey())
		if err != nil {
			return looked{}, err
		}
		if !alone {
			release = func() {}
		}
		u, _, err := k.o.Store.Idempotency(ctx, slot)
		if err != nil {
			release()
			return looked{}, err
		}
		if alone || !free(u, k.now()) || t.Call.Approval == "" || waited >= ClaimWait {
			return looked{u, alone, release}, nil
		}
		select {
		case <-ctx.Done():
			return looked{}, signalbox.AsError(ctx.Err())
		case <-time.After(ClaimPause):
		}
	}
}

// make lets the call go on. It uses the key with its intent, and the claim is given back when its outcome is durable.
func (k *Keeper) make(
	ctx context.Context, t *call.Track, next call.Handler, u signalbox.Idempotency, release func(),
) (call.Answer, error) {
	begun, ended, over := t.Begun, t.Ended, t.Over
	course := Course{Left: true} // Unless it is known otherwise.
	t.Begun = func() []signalbox.Effect {
		now, err := Decide(signalbox.Idempotency{}, Begin{Use: u, At: k.now(), Keep: k.o.Keep()})
		if err != nil {
			panic(err) // It has all that it needs.
		}
		u = now
		return append(effectsOf(begun), signalbox.PutIdempotency{Idempotency: u})
	}
	t.Ended = func(result []byte, err error) []signalbox.Effect {
		c := course
		c.Begun, c.Err, c.Size = len(t.Attempts) > 0, err, len(result)
		c.Asks = err == nil && k.o.Asks(t)
		effects := k.ended(t, u, c, result)
		if ended != nil {
			effects = append(effects, ended(result, err)...)
		}
		return effects
	}
	t.Over = func() {
		release()
		if over != nil {
			over()
		}
	}
	t.Idempotency.Forward = Forward(u.Hash)
	answer, err := next.Serve(ctx, t)
	course.Left = err == nil || left(err)
	return answer, err
}

func effectsOf(f func() []signalbox.Effect) []signalbox.Effect {
	if f == nil {
		return nil
	}
	return f()
}

// replay gives again what the call that used the key came to. The call of a task is not answered so: what it comes to is kept
// with an outcome of its own, and this one has none.
func (k *Keeper) replay(t *call.Track, u signalbox.Idempotency) (call.Answer, error) {
	if t.Call.Approval != "" {
		return nil, elsewhere(u)
	}
	c, err := k.opened(u)
	if err != nil {
		return nil, err
	}
	t.Idempotency.ReplayOf = u.Call
	if c.Error != nil {
		return nil, again(u, c.Error)
	}
	return &replayed{data: []byte(c.Result)}, nil
}

// replayed is the answer of a call that was not made again: one terminal part.
type replayed struct {
	data  []byte
	given bool
}

// Head describes the answer.
func (r *replayed) Head() call.Head { return call.Head{ContentType: "application/json"} }

// Next gives the result, once.
func (r *replayed) Next(context.Context) (call.Part, error) {
	if r.given {
		return call.Part{}, io.EOF
	}
	r.given = true
	return call.Part{Data: r.data, Terminal: true}, nil
}

// Close does nothing: the result is here.
func (r *replayed) Close() error { return nil }
