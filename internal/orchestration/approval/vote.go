package approval

import (
	"context"
	"strconv"

	"github.com/signalbox/signalbox"
)

// Vote takes the verdict of a person, and returns when it is durable. It fails with not_found for an approval that is not
// there or another tenant's, with forbidden for somebody who can not decide, with conflict where nothing is left to decide
// or somebody else is deciding at this moment.
func (k *Keeper) Vote(
	ctx context.Context, v Voter, id string, verdict signalbox.Verdict, reason, via string,
) (signalbox.Approval, error) {
	var result signalbox.Approval
	err := k.change(ctx, v.Tenant, id, func(a signalbox.Approval) error {
		c, state, err := k.content(a)
		if err != nil {
			return err
		}
		if err := k.lapsed(ctx, a); err != nil {
			return err
		}
		result, err = Decide(a, Vote{
			By: v, Verdict: verdict, Reason: k.o.Masker.Mask(reason), Via: via, At: k.now(), UseWithin: k.o.Settings().UseWithin,
			User: c.User, Unseen: state != signalbox.ContentOpen,
		})
		if err != nil {
			return err
		}
		return k.put(ctx, k.voted(result, v, c.Subject), result)
	})
	return result, err
}

// lapsed ends a pending approval whose time is over or whose rules have changed, and says so; nil for any other.
func (k *Keeper) lapsed(ctx context.Context, a signalbox.Approval) error {
	e := k.lapse(a)
	if e == nil || a.State != signalbox.ApprovalPending {
		return nil
	}
	ended, err := Decide(a, e)
	if err != nil {
		return err
	}
	if err := k.put(ctx, k.record(ended, signalbox.ActionApprovalEnded, signalbox.Who{}), ended); err != nil {
		return err
	}
	return pending(ended)
}

// lapse gives the event that ends a pending approval by itself; nil where none does.
func (k *Keeper) lapse(a signalbox.Approval) Event {
	now := k.now()
	switch {
	case !now.Before(a.Expires):
		return Expire{At: now}
	case !k.o.Current(a):
		return Stale{At: now}
	}
	return nil
}

// voted is the record of the last vote.
func (k *Keeper) voted(a signalbox.Approval, v Voter, subject string) signalbox.Record {
	r := k.record(a, signalbox.ActionApprovalVoted, by(v, subject))
	vote, d := a.Votes[len(a.Votes)-1], r.What.Detail
	d[DetailVerdict], d[DetailVia] = string(vote.Verdict), vote.Via
	d[DetailApprovals], d[DetailApprovers] = strconv.Itoa(approvals(a.Votes)), strconv.Itoa(a.Require.Approvers)
	if vote.Reason != "" {
		d[DetailReason] = vote.Reason
	}
	return r
}

// Withdraw ends a pending approval for who has asked for it, or an admin of the tenant. The reason, which may be "", is in
// the record. Errors are those of [Keeper.Vote].
func (k *Keeper) Withdraw(ctx context.Context, v Voter, id, reason string) (signalbox.Approval, error) {
	var result signalbox.Approval
	err := k.change(ctx, v.Tenant, id, func(a signalbox.Approval) error {
		c, _, err := k.content(a)
		if err != nil {
			return err
		}
		if result, err = Decide(a, Withdraw{By: v, Reason: reason, At: k.now(), User: c.User}); err != nil {
			return err
		}
		r := k.record(result, signalbox.ActionApprovalEnded, by(v, c.Subject))
		if reason != "" {
			r.What.Detail[DetailReason] = k.o.Masker.Mask(reason)
		}
		return k.put(ctx, r, result)
	})
	return result, err
}
