package approval

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// bound reports whether a call is bound to an approval that is not this one, or does not admit the call: who makes a call
// for somebody who is not there asks people for nothing else.
func (k *Keeper) bound(t *call.Track, a signalbox.Approval, hash [32]byte) bool {
	return t.Call.Approval != "" && (a.ID != t.Call.Approval || !k.usable(a, hash))
}

// unbound says why the approval to which a call is bound does not admit it.
func (k *Keeper) unbound(ctx context.Context, t *call.Track) error {
	a, err := k.read(ctx, t.Gate.Caller.Tenant, t.Call.Approval)
	if err != nil {
		return err
	}
	t.Approval = call.ApprovalResult{Status: signalbox.StatusDenied, ID: a.ID, State: a.State}
	switch {
	case a.State == signalbox.ApprovalPending:
		return refuse(t, a)
	case a.State != signalbox.ApprovalApproved:
		return a.Refusal()
	case !a.Used.IsZero():
		return unusable("The call was not made: its approval %s was used by another call.", a.ID)
	case !k.now().Before(a.UseBy):
		return unusable("The call was not made: its approval %s was not used in time.", a.ID)
	}
	a.State = signalbox.ApprovalStale // Another hash: what would be done is not what was approved.
	return a.Refusal()
}

// Take claims a name for this goroutine alone, until release is called; false where somebody else has it, here or in another
// process.
func (k *Keeper) Take(ctx context.Context, name string) (release func(), ok bool, err error) {
	return k.take(ctx, name)
}
