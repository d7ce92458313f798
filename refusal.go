package signalbox

import (
	"cmp"
	"strings"
)

// maxShownReason bounds the reason of a denial in an error, in bytes.
const maxShownReason = 200

// Refusal is the error for who waited for an approval that was not given; nil where it was. One that is still pending, or in
// no state that is known, is an internal error.
func (a Approval) Refusal() error {
	refuse := func(code Code, what, remedy string) error {
		return Errorf(code, "The call was not made: its approval %s %s.", a.ID, what).WithRemedy(remedy)
	}
	switch a.State {
	case ApprovalApproved:
		return nil
	case ApprovalDenied:
		return refuse(CodeForbidden, "was denied"+a.because(VerdictDeny), "Do not repeat the call; ask for something else.")
	case ApprovalExpired:
		return refuse(CodeConflict, "expired before enough people had agreed", "Make the call again to ask anew.")
	case ApprovalStale:
		return refuse(CodeConflict, "is void, because the policy or the tool has changed since it was asked for", "Make the call again to ask anew.")
	case ApprovalWithdrawn:
		return refuse(CodeConflict, "was withdrawn by whoever asked for it", "Make the call again if it is still wanted.")
	case ApprovalPending:
	}
	return Errorf(CodeInternal, "The approval %s is in no state that is known.", a.ID).WithRemedy("Tell the operator.")
}

// because gives the last reason that goes with the verdict.
func (a Approval) because(v Verdict) string {
	reason := ""
	for _, vote := range a.Votes {
		if vote.Verdict == v {
			reason = cmp.Or(vote.Reason, reason)
		}
	}
	reason = strings.ToValidUTF8(reason, "?")
	if len(reason) > maxShownReason {
		reason = strings.ToValidUTF8(reason[:maxShownReason], "") + "…"
	}
	if reason == "" {
		return ", without a reason"
	}
	return ": " + strings.TrimRight(reason, ".")
}
