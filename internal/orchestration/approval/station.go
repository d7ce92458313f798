package approval

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Station is the approval station. A call for which the policy requires nobody passes it untouched. Another is admitted
// where it was approved, and else refused with code approval_required and the id of the approval to wait for.
func (k *Keeper) Station() call.Station {
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			if t.Policy.Require.Approvers < 1 {
				return next.Serve(ctx, t)
			}
			return k.serve(ctx, t, next)
		})
	}
}

// serve admits or asks. Where somebody else is changing the approval of this call, it looks again.
func (k *Keeper) serve(ctx context.Context, t *call.Track, next call.Handler) (answer call.Answer, err error) {
	t.Approval.Status = signalbox.StatusDenied
	hash, err := Hash(t)
	if err != nil {
		return nil, err
	}
	err = k.retry(ctx, func() (done bool, err error) {
		a, found, err := k.o.Store.ApprovalOf(ctx, t.Gate.Caller.Tenant, hash)
		switch {
		case err != nil:
			return false, err
		case k.bound(t, a, hash):
			return false, k.unbound(ctx, t)
		case found && k.usable(a, hash):
			answer, done, err = k.admit(ctx, t, a, hash, next)
			return done, err
		case found && k.open(a, hash):
			return false, refuse(t, a)
		case found && k.paused(a, hash):
			return false, k.refuseAgain(t, a)
		}
		return k.ask(ctx, t, hash)
	})
	if code := signalbox.CodeOf(err); t.Approval.ID == "" && (code == signalbox.CodeInternal || code == signalbox.CodeUnavailable) {
		t.Approval.Status = signalbox.StatusFailed
	}
	return answer, err
}

// usable reports whether an approval admits the call now. It is asked again under the claim, by [Decide].
func (k *Keeper) usable(a signalbox.Approval, hash [32]byte) bool {
	return a.State == signalbox.ApprovalApproved && a.Hash == hash && a.Used.IsZero() && k.now().Before(a.UseBy)
}

// open reports whether an approval can still be given.
func (k *Keeper) open(a signalbox.Approval, hash [32]byte) bool {
	return a.State == signalbox.ApprovalPending && a.Hash == hash && k.now().Before(a.Expires)
}

// paused reports whether the call was denied so lately that nobody is asked again.
func (k *Keeper) paused(a signalbox.Approval, hash [32]byte) bool {
	return a.State == signalbox.ApprovalDenied && a.Hash == hash && k.now().Before(k.askAgain(a))
}

// askAgain is when people can be asked again about a call that was denied.
func (k *Keeper) askAgain(a signalbox.Approval) time.Time {
	return a.Decided.Add(k.o.Settings().DeniedFor)
}

// admit serves the call by an approval, under its claim. It is not done where somebody else has the claim, or where the
// approval is not what it was.
func (k *Keeper) admit(
	ctx context.Context, t *call.Track, a signalbox.Approval, hash [32]byte, next call.Handler,
) (call.Answer, bool, error) {
	release, ok, err := k.take(ctx, a.ClaimKey())
	if !ok {
		return nil, false, err
	}
	// Serve returns once the answer begins, and the intent is durable by then: others need not wait for the answer.
	defer release()
	if a, err = k.o.Store.Approval(ctx, a.ID); err != nil {
		return nil, false, err
	}
	used, err := Decide(a, Use{Call: t.Call.ID, Tenant: t.Gate.Caller.Tenant, Hash: hash, At: k.now()})
	if err != nil { // It was used, or its time was over, between the look and the claim.
		return nil, false, nil
	}
	t.Approval = call.ApprovalResult{
		Status: signalbox.StatusPassed, ID: a.ID, State: a.State, By: approvers(a),
		Effects: []signalbox.Effect{signalbox.PutApproval{Approval: used}},
	}
	answer, err := next.Serve(ctx, t)
	if len(t.Attempts) > 0 { // The intent is durable.
		k.Changed()
	}
	return answer, true, err
}

// approvers names who has approved, by key or by issuer and subject.
func approvers(a signalbox.Approval) string {
	var list []string
	for _, v := range a.Votes {
		if v.Verdict == signalbox.VerdictApprove {
			list = append(list, v.By)
		}
	}
	return strings.Join(list, ",")
}

// refuse refuses the call until the approval is given.
func refuse(t *call.Track, a signalbox.Approval) error {
	t.Approval = call.ApprovalResult{Status: signalbox.StatusDenied, ID: a.ID, State: a.State}
	err := signalbox.Errorf(signalbox.CodeApprovalRequired, "The call waits for approval: %s.", strings.TrimSuffix(a.Rule, ".")).
		WithRemedy("Wait for " + a.ID + " to be approved and make the same call again; any change to it is another call.")
	err.Approval = a.ID
	return err
}

// refuseAgain refuses a call that was denied a moment ago, in the words of who has denied it. It asks and tells nobody.
func (k *Keeper) refuseAgain(t *call.Track, a signalbox.Approval) error {
	t.Approval = call.ApprovalResult{Status: signalbox.StatusDenied, ID: a.ID, State: a.State}
	again, e := k.askAgain(a), signalbox.AsError(a.Refusal())
	return e.WithRemedy(e.Remedy + " People can be asked about it again from " + again.Format(time.RFC3339) + " on.").
		WithRetryAfter(again.Sub(k.now()))
}

// ask asks people about the call, unless somebody has meanwhile. On success it refuses the call.
func (k *Keeper) ask(ctx context.Context, t *call.Track, hash [32]byte) (bool, error) {
	release, ok, err := k.take(ctx, hashKey(hash))
	if !ok {
		return false, err
	}
	defer release()
	old, found, err := k.o.Store.ApprovalOf(ctx, t.Gate.Caller.Tenant, hash)
	switch {
	case err != nil:
		return false, err
	case found && (k.usable(old, hash) || k.open(old, hash) || k.paused(old, hash)):
		return false, nil
	case found && old.State == signalbox.ApprovalPending: // It is over, and nobody has said so yet.
		return false, k.settle(ctx, old.ID)
	}
	a, err := k.create(ctx, t, hash)
	if err != nil {
		return false, err
	}
	return false, refuse(t, a)
}

// hashKey names what must be claimed before an approval of the hash is made.
func hashKey(hash [32]byte) string { return "approval of " + hex.EncodeToString(hash[:]) }
