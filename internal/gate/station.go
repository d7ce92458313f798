package gate

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// DefaultMaxConcurrent is how many calls a process serves at once unless the configuration says otherwise. One call
// costs two goroutines, its body and its buffers: some 100 kB.
const DefaultMaxConcurrent = 4096

// KeyFinder gives a key by its id; [Keyring] is one. It is safe for concurrent use.
type KeyFinder interface {
	Key(id string) (signalbox.Key, bool)
}

// Brakes stop what an alert or an operator has stopped. It is safe for concurrent use.
type Brakes interface {
	// Enter refuses a call of a halted run or tenant with code frozen. Otherwise the context it returns ends, with the
	// *signalbox.Error to show as its cause, when a halt comes while the call is under way; leave must be called once it is
	// over.
	Enter(ctx context.Context, t *call.Track) (_ context.Context, leave func(), _ error)
}

// Options of the station. Now and Keys are required.
type Options struct {
	Now       func() time.Time
	Keys      KeyFinder
	Ledger    call.Ledger               // Nil: nothing is limited, and nothing is paid for.
	Brakes    Brakes                    // Nil: nothing can be halted.
	Secrets   Secrets                   // Nil: names are not looked at.
	AnyRole   bool                      // Whoever decides may make calls too: those that he has changed himself.
	AgentRole func(agent string) string // The role of a declared agent, "" for another; nil: none is declared.

	// MaxConcurrent gives the bound of the calls in flight of the whole process; nil or 0 is [DefaultMaxConcurrent].
	MaxConcurrent func() int64
}

// Station makes the gate's station. It sets [call.Track.Gate] and Tab and refuses with: the call's own Invalid error,
// unauthenticated (no key, or revoked since; a token that has expired since), forbidden (role, or a claim against the key's binding), invalid (a secret in
// place of a name), frozen (halted), unavailable where the process is full, and what [call.Ledger.Open] refuses with.
func Station(o Options) call.Station {
	g := &gate{Options: o}
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			return g.serve(ctx, t, next)
		})
	}
}

type gate struct {
	Options
	inFlight atomic.Int64
}

func (g *gate) serve(ctx context.Context, t *call.Track, next call.Handler) (call.Answer, error) {
	t.Gate.Status = signalbox.StatusDenied
	if err := g.admit(t); err != nil {
		return nil, err
	}
	v := &visit{ctx: ctx, entered: ctx}
	if err := g.enter(v, t); err != nil {
		v.leave()
		return nil, err
	}
	t.Gate.Status = signalbox.StatusPassed
	return v.serve(t, next)
}

// admit decides about everything but room. A call that is invalid is refused as just that, but the record says who made it
// where that can be established.
func (g *gate) admit(t *call.Track) error {
	caller, err := g.caller(t.Call)
	if t.Call.Invalid != nil {
		if err == nil && named(g.Secrets, t.Call) == nil {
			t.Gate.Caller, t.Gate.Run = caller, t.Call.Claims.Run
		}
		return t.Call.Invalid
	}
	if err != nil {
		return err
	}
	t.Gate.Caller, t.Gate.Run = caller, t.Call.Claims.Run
	if err := named(g.Secrets, t.Call); err != nil {
		return err
	}
	return nil
}

// caller establishes who makes a call.
func (g *gate) caller(c *signalbox.Call) (signalbox.Caller, error) {
	key, err := g.key(c)
	if err != nil {
		return signalbox.Caller{}, err
	}
	caller, err := narrow(key, c.Claims, g.AnyRole)
	if err == nil && g.AgentRole != nil {
		caller.AgentRole = g.AgentRole(caller.Agent)
	}
	return caller, err
}

// enter takes the call's place in the process, checks that nobody has halted what it belongs to, and opens its tab.
func (g *gate) enter(v *visit, t *call.Track) error {
	if err := g.room(v); err != nil {
		return err
	}
	if g.Brakes != nil {
		entered, leave, err := g.Brakes.Enter(v.ctx, t)
		if err != nil {
			return err
		}
		v.entered = entered
		v.leaves = append(v.leaves, leave)
	}
	if g.Ledger == nil {
		return nil
	}
	tab, err := g.Ledger.Open(v.entered, t)
	if err != nil {
		return v.reason(err)
	}
	t.Tab = tab
	v.leaves = append(v.leaves, tab.Leave)
	return nil
}

func (g *gate) room(v *visit) error {
	most := int64(DefaultMaxConcurrent)
	if g.MaxConcurrent != nil {
		most = cmp.Or(g.MaxConcurrent(), most)
	}
	v.leaves = append(v.leaves, func() { g.inFlight.Add(-1) })
	if g.inFlight.Add(1) > most {
		return signalbox.Errorf(signalbox.CodeUnavailable, "Signalbox is serving %d calls at once, which is its limit.", most).
			WithRemedy("Retry shortly; the operator can raise limits.max_concurrent_calls.").WithRetryAfter(time.Second)
	}
	return nil
}

// key gives the key as it is now: it may have been revoked while the body was read. A token may have expired.
func (g *gate) key(c *signalbox.Call) (signalbox.Key, error) {
	if c.Bearer != nil {
		return c.Bearer.Key()
	}
	id := c.Caller.Key
	if id == "" {
		return signalbox.Key{}, errNoKey()
	}
	key, ok := g.Keys.Key(id)
	if !ok {
		return signalbox.Key{}, errUnknownKey()
	}
	if !key.Revoked.IsZero() {
		return signalbox.Key{}, errRevokedKey(key)
	}
	return key, nil
}
