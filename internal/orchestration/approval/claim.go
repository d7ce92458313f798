package approval

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// take claims a name, once. The claim is this goroutine's own: neither another of this process nor another process has
// it. False means that somebody else has.
func (k *Keeper) take(ctx context.Context, name string) (release func(), ok bool, err error) {
	if ok, err = k.reserve(ctx, name); !ok {
		return nil, false, err
	}
	if ok, err = k.o.Store.Claim(ctx, name, k.o.Holder); err != nil {
		k.release(ctx, name) // Perhaps it was taken, and only the answer was lost.
		return nil, false, err
	}
	if !ok {
		k.forget(name, false)
		return nil, false, nil
	}
	return func() { k.release(ctx, name) }, true, nil
}

// reserve takes a name within this process. A claim that could not be given back before is given back first.
func (k *Keeper) reserve(ctx context.Context, name string) (bool, error) {
	k.mu.Lock()
	_, taken := k.held[name]
	_, left := k.left[name]
	if !taken {
		k.held[name] = struct{}{}
	}
	k.mu.Unlock()
	if taken || !left {
		return !taken, nil
	}
	err := k.o.Store.Unclaim(ctx, name, k.o.Holder)
	if err != nil {
		k.forget(name, true)
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.left, name)
	return true, nil
}

// forget ends a claim within this process; left says that the store still has it.
func (k *Keeper) forget(name string, left bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.held, name)
	if left {
		k.left[name] = struct{}{}
	}
}

// release gives a claim back, also when whoever needed it has gone. What the store does not take back now it is given
// by whoever needs the name next here, or by [Keeper.Release].
func (k *Keeper) release(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ReleaseWait)
	defer cancel()
	k.forget(name, k.o.Store.Unclaim(ctx, name, k.o.Holder) != nil)
}

// Release gives back claims that the store could not take back when they were due. Every process calls it now and then; one
// that sweeps need not. It stops at the first error.
func (k *Keeper) Release(ctx context.Context) error {
	k.mu.Lock()
	names := slices.Collect(maps.Keys(k.left))
	k.mu.Unlock()
	for _, name := range names {
		ok, err := k.reserve(ctx, name)
		if err != nil {
			return err
		}
		if ok {
			k.forget(name, false)
		}
	}
	return nil
}

// retry calls try until it is done or fails, for [ClaimWait]: somebody else holds what it needs, for a moment.
func (k *Keeper) retry(ctx context.Context, try func() (done bool, err error)) error {
	waited, wait := time.Duration(0), ClaimPause
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		if waited >= ClaimWait {
			return signalbox.Errorf(signalbox.CodeConflict, "Somebody else is changing this approval.").
				WithRemedy("Try again in a moment.")
		}
		k.pause(ctx, wait)
		if ctx.Err() != nil {
			return signalbox.AsError(ctx.Err())
		}
		waited, wait = waited+wait, min(2*wait, MaxPause)
	}
}

// change claims the approval of the tenant, lets do change it as it is then, and gives the claim back.
func (k *Keeper) change(ctx context.Context, tenant, id string, do func(a signalbox.Approval) error) error {
	if _, err := k.read(ctx, tenant, id); err != nil { // Nobody claims what is not his.
		return err
	}
	return k.retry(ctx, func() (bool, error) {
		release, ok, err := k.take(ctx, signalbox.Approval{ID: id}.ClaimKey())
		if !ok {
			return false, err
		}
		defer release()
		a, err := k.read(ctx, tenant, id)
		if err != nil {
			return false, err
		}
		return true, do(a)
	})
}

// read gives an approval of the tenant.
func (k *Keeper) read(ctx context.Context, tenant, id string) (signalbox.Approval, error) {
	a, err := k.o.Store.Approval(ctx, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound || err == nil && a.Tenant != tenant {
		return signalbox.Approval{}, notFound(id)
	}
	return a, err
}
