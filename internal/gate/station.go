package gate

import (
	"context"
	"io"
	"sync"
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

// Options of the station. Now and Keys are required.
type Options struct {
	Now          func() time.Time
	Keys         KeyFinder
	TenantLimits func(tenant string) []signalbox.Budget // Nil: tenants have no limits. Safe for concurrent use.
	Zone         func(tenant string) *time.Location     // Whose midnight begins a tenant's days; nil: UTC. The same value for the same tenant.
	AgentRole    func(agent string) string              // The role of a declared agent, "" for another; nil: none is declared.

	// MaxConcurrent bounds the calls in flight of the whole process; 0 is [DefaultMaxConcurrent].
	MaxConcurrent int64
}

// Station makes the gate's station. It sets [call.Track.Gate] and refuses with: the call's own Invalid error,
// unauthenticated (no key, or revoked since), forbidden (role, or a claim against the key's binding), rate_limited with
// RetryAfter, unavailable where the process is full.
func Station(o Options) call.Station {
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = DefaultMaxConcurrent
	}
	g := &gate{Options: o, limiter: newLimiter(o.MaxConcurrent)}
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			return g.serve(ctx, t, next)
		})
	}
}

type gate struct {
	Options
	limiter *limiter
}

func (g *gate) serve(ctx context.Context, t *call.Track, next call.Handler) (call.Answer, error) {
	t.Gate.Status = signalbox.StatusDenied
	bounds, err := g.admit(t)
	if err != nil {
		return nil, err
	}
	held, full := g.limiter.take(g.Now(), bounds)
	if full != nil {
		return nil, full
	}
	lease := sync.OnceFunc(func() { g.limiter.give(held) })
	t.Gate.Status = signalbox.StatusPassed
	return hold(ctx, t, next, lease)
}

// admit decides about everything but room.
func (g *gate) admit(t *call.Track) ([]bound, error) {
	if t.Call.Invalid != nil {
		return nil, t.Call.Invalid
	}
	key, err := g.key(t.Call.Caller.Key)
	if err != nil {
		return nil, err
	}
	caller, err := narrow(key, t.Call.Claims)
	if err != nil {
		return nil, err
	}
	if g.AgentRole != nil {
		caller.AgentRole = g.AgentRole(caller.Agent)
	}
	t.Gate.Caller, t.Gate.Run = caller, t.Call.Claims.Run
	return g.bounds(key)
}

// key gives the key as it is now: it may have been revoked while the body was read.
func (g *gate) key(id string) (signalbox.Key, error) {
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

// bounds gives the limits that a call with this key is under. A limit that nobody can keep is an error: ignoring it
// would let everything through.
func (g *gate) bounds(key signalbox.Key) ([]bound, error) {
	var tenant []rate
	if g.TenantLimits != nil {
		tenant = rates(g.TenantLimits(key.Tenant))
	}
	var zone *time.Location
	if g.Zone != nil {
		zone = g.Zone(key.Tenant)
	}
	own := rates(key.Budgets)
	all := make([]bound, 0, len(tenant)+len(own))
	for _, l := range tenant {
		all = append(all, bound{owner: account{"tenant", key.Tenant}, limit: l, zone: zone})
	}
	for _, l := range own {
		all = append(all, bound{owner: account{"key", key.ID}, limit: l, zone: zone})
	}
	if err := checkLimits(tenant); err != nil {
		return nil, internalLimit(err)
	}
	if err := checkLimits(own); err != nil {
		return nil, internalLimit(err)
	}
	return distinct(all), nil
}

func internalLimit(err error) error {
	return signalbox.Errorf(signalbox.CodeInternal, "A limit of this call is not valid; it was refused.").
		WithRemedy("Give the request id to the operator.").WithCause(err)
}

// hold serves the call and keeps its places until the answer is over.
func hold(ctx context.Context, t *call.Track, next call.Handler, release func()) (call.Answer, error) {
	served := false
	defer func() {
		if !served {
			release() // An error or a panic.
		}
	}()
	answer, err := next.Serve(ctx, t)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, signalbox.AsError(io.ErrUnexpectedEOF)
	}
	served = true
	return &held{Answer: answer, release: release}, nil
}

// held is an answer that gives the call's places back when it is over.
type held struct {
	call.Answer
	release func()
}

// Next gives the next part; after any error the answer is over.
func (h *held) Next(ctx context.Context) (call.Part, error) {
	over := true
	defer func() {
		if over {
			h.release()
		}
	}()
	part, err := h.Answer.Next(ctx)
	over = err != nil
	return part, err
}

// Close ends the answer.
func (h *held) Close() error {
	defer h.release()
	return h.Answer.Close()
}
