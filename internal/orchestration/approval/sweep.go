package approval

import (
	"context"
	"errors"

	"github.com/signalbox/signalbox"
)

// Sweep ends what has expired or become stale and escalates what nobody decides. One process calls it, each second or so;
// if two do, nothing happens twice. What somebody is changing at this moment is left for the next time. It goes on after
// errors and gives all of them.
func (k *Keeper) Sweep(ctx context.Context) error {
	list, err := k.o.Store.PendingApprovals(ctx)
	if err != nil {
		return err
	}
	k.recount(list)
	failed := []error{k.Release(ctx)}
	for _, a := range list {
		if ctx.Err() != nil {
			return errors.Join(append(failed, ctx.Err())...)
		}
		if k.due(a) == nil {
			continue
		}
		if err := k.settle(ctx, a.ID); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// due gives what is to happen to a pending approval by itself; nil for nothing.
func (k *Keeper) due(a signalbox.Approval) Event {
	if e := k.lapse(a); e != nil {
		return e
	}
	if now := k.now(); !a.Escalate.IsZero() && !now.Before(a.Escalate) {
		return Escalate{At: now}
	}
	return nil
}

// settle lets happen what is due, unless somebody else is changing the approval.
func (k *Keeper) settle(ctx context.Context, id string) error {
	release, ok, err := k.take(ctx, signalbox.Approval{ID: id}.ClaimKey())
	if !ok {
		return err
	}
	defer release()
	a, err := k.o.Store.Approval(ctx, id)
	if err != nil || a.State != signalbox.ApprovalPending {
		return err
	}
	e := k.due(a)
	if e == nil {
		return nil
	}
	result, err := Decide(a, e)
	if err != nil {
		return err
	}
	action := signalbox.ActionApprovalEnded
	if result.State == signalbox.ApprovalPending {
		action = signalbox.ActionApprovalEscalated
	}
	if err := k.put(ctx, k.record(result, action, signalbox.Who{}), result); err != nil {
		return err
	}
	if action == signalbox.ActionApprovalEscalated {
		k.o.Escalated(result)
	}
	return nil
}
