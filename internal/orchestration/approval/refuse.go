package approval

import (
	"time"

	"github.com/signalbox/signalbox"
)

var zero time.Time

// end moves a pending approval to a final state.
func end(a signalbox.Approval, to signalbox.ApprovalState, at time.Time) (signalbox.Approval, error) {
	if err := pending(a); err != nil {
		return a, err
	}
	a.State, a.Decided = to, at
	return a, nil
}

// pending says why an approval can not be decided; nil where it can.
func pending(a signalbox.Approval) error {
	switch {
	case a.ID == "":
		return notFound(a.ID)
	case a.State != signalbox.ApprovalPending:
		return signalbox.Errorf(signalbox.CodeConflict, "The approval %s is %s; that is final.", a.ID, a.State).
			WithRemedy("Make the call again to ask anew.")
	}
	return nil
}

func overdue(a signalbox.Approval) error {
	return signalbox.Errorf(signalbox.CodeConflict, "The approval %s has expired.", a.ID).
		WithRemedy("Make the call again to ask anew.")
}

// notFound is the same for what is not there and what belongs to another tenant.
func notFound(id string) error {
	return signalbox.Errorf(signalbox.CodeNotFound, "There is no approval %q.", id).WithField("id").
		WithRemedy("List the approvals of your tenant.")
}

func unusable(format string, args ...any) error {
	return signalbox.Errorf(signalbox.CodeConflict, format, args...).WithRemedy("Make the call again to ask anew.")
}

func tooLong(reason string) error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The reason has %d bytes; at most %d are kept.", len(reason), MaxReason).
		WithField("reason").WithRemedy("Shorten it.")
}
