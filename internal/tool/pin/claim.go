package pin

import (
	"context"
	"maps"
	"time"

	"github.com/signalbox/signalbox"
)

// Times of claims.
const (
	ClaimWait   = 2 * time.Second       // For a server whose pins another process is changing.
	claimPause  = 20 * time.Millisecond // Between two tries to claim it.
	releaseWait = 5 * time.Second       // For the store to take a claim back.
)

// change claims a server, lets do change its pins as they are then, and gives the claim back.
func (k *Keeper) change(ctx context.Context, server string, do func(ctx context.Context, now map[string]signalbox.Pin) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := signalbox.PinClaim(server)
	if err := k.release(ctx); err != nil {
		return err
	}
	if err := k.claim(ctx, name); err != nil {
		return err
	}
	k.left = name
	defer k.release(ctx) //nolint:errcheck // It is tried again before the next change, and by Release.
	list, err := k.o.Store.Pins(ctx, server)
	if err != nil {
		return err
	}
	now := make(map[string]signalbox.Pin, len(list))
	for _, p := range list {
		now[p.Tool] = p
	}
	k.put(server, maps.Clone(now))
	return do(ctx, now)
}

// claim waits until the server is this process's, for a while.
func (k *Keeper) claim(ctx context.Context, name string) error {
	for waited := time.Duration(0); ; waited += claimPause {
		taken, err := k.o.Store.Claim(ctx, name, k.o.Holder)
		if err != nil {
			k.left = name // Perhaps it was taken, and only the answer was lost.
			return err
		}
		if taken {
			return nil
		}
		if waited >= ClaimWait {
			return signalbox.Errorf(signalbox.CodeUnavailable, "Another process is changing the pins of this server.").
				WithRemedy("Retry in a moment.").WithRetryAfter(time.Second)
		}
		pause := time.NewTimer(claimPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return signalbox.AsError(ctx.Err())
		}
	}
}

// release gives the last claim back, where the store still has it, also when whoever needed it has gone.
func (k *Keeper) release(ctx context.Context) error {
	if k.left == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWait)
	defer cancel()
	if err := k.o.Store.Unclaim(ctx, k.left, k.o.Holder); err != nil {
		return err
	}
	k.left = ""
	return nil
}

// Release gives back a claim that the store could not take back when it was due. Every process calls it now and then.
func (k *Keeper) Release(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.release(ctx)
}
