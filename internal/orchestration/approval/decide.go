package approval

import (
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// MaxReason bounds the reason of a verdict, in bytes.
const MaxReason = 2000

// Decide gives what becomes of an approval by an event. It knows no clock and does no I/O, and a is not changed. An
// error says why the event can not happen to it; then nothing has changed.
func Decide(a signalbox.Approval, e Event) (signalbox.Approval, error) { return e.apply(a) }

func (e Ask) apply(a signalbox.Approval) (signalbox.Approval, error) {
	n := e.Approval
	switch {
	case a.ID != "":
		return a, signalbox.Errorf(signalbox.CodeConflict, "The approval %s is there already.", a.ID).
			WithRemedy("Wait for its answer.")
	case n.ID == "" || n.Tenant == "" || n.Hash == [32]byte{} || n.Require.Approvers < 1 || e.Expire <= 0 || e.Escalate < 0:
		return a, signalbox.Errorf(signalbox.CodeInternal, "An approval needs an id, a tenant, a call, approvers and a time.").
			WithRemedy("Report this as a bug.")
	}
	n.State, n.Votes = signalbox.ApprovalPending, nil
	n.Asked, n.Expires = e.At, e.At.Add(e.Expire)
	n.Decided, n.UseBy, n.Used, n.UsedBy, n.Escalate = zero, zero, zero, "", zero
	if e.Escalate > 0 {
		n.Escalate = e.At.Add(e.Escalate)
	}
	return n, nil
}

func (e Vote) apply(a signalbox.Approval) (signalbox.Approval, error) {
	if err := e.allowed(a); err != nil {
		return a, err
	}
	n := a
	n.Votes = append(slices.Clone(a.Votes), signalbox.Vote{
		By: e.By.By, User: e.By.User, Role: e.By.Role, Verdict: e.Verdict, Reason: e.Reason, At: e.At, Via: e.Via,
	})
	switch {
	case e.Verdict == signalbox.VerdictDeny:
		n.State, n.Decided = signalbox.ApprovalDenied, e.At
	case approvals(n.Votes) >= a.Require.Approvers:
		n.State, n.Decided, n.UseBy = signalbox.ApprovalApproved, e.At, e.At.Add(e.UseWithin)
	}
	return n, nil
}

// allowed says why the vote does not count; nil where it does.
func (e Vote) allowed(a signalbox.Approval) error {
	if err := e.sane(); err != nil {
		return err
	}
	if a.ID == "" || e.By.Tenant != a.Tenant {
		return notFound(a.ID)
	}
	if err := pending(a); err != nil {
		return err
	}
	switch {
	case !e.At.Before(a.Expires):
		return overdue(a)
	case e.By.asked(a, e.User):
		return signalbox.Errorf(signalbox.CodeForbidden, "Who asks for an approval can not give it.").
			WithRemedy("Let somebody else decide; you can withdraw it.")
	case e.By.Role != role(a.Require) && e.By.Role != signalbox.RoleAdmin:
		return signalbox.Errorf(signalbox.CodeForbidden, "The approval needs the role %q; yours is %q.", role(a.Require), e.By.Role).
			WithRemedy("Let somebody with that role, or an admin, decide.")
	case slices.ContainsFunc(a.Votes, e.By.same):
		return signalbox.Errorf(signalbox.CodeConflict, "You have decided about this approval already.").
			WithRemedy("It waits for somebody else.")
	case e.Verdict == signalbox.VerdictApprove && e.By.User == "" && slices.ContainsFunc(a.Votes, nameless):
		return signalbox.Errorf(signalbox.CodeConflict, "A key or link without a user has approved already, and all of those count as one person.").
			WithRemedy("Let somebody approve who is known as a user: by a login, or by a key that has a user.")
	case e.Unseen && e.Verdict == signalbox.VerdictApprove:
		return signalbox.Errorf(signalbox.CodeConflict, "What would be done can not be shown any more, so it can not be approved.").
			WithRemedy("Deny it; the call can be asked for again.")
	}
	return nil
}

// sane checks what the voter has written.
func (e Vote) sane() error {
	switch {
	case e.Verdict != signalbox.VerdictApprove && e.Verdict != signalbox.VerdictDeny:
		return signalbox.Errorf(signalbox.CodeInvalid, "%q is not a verdict.", e.Verdict).WithField("verdict").
			WithRemedy("Say approve or deny.")
	case len(e.Reason) > MaxReason:
		return tooLong(e.Reason)
	case e.By.By == "" || e.UseWithin <= 0:
		return signalbox.Errorf(signalbox.CodeInternal, "A vote needs somebody who gives it, and a time.").
			WithRemedy("Report this as a bug.")
	}
	return nil
}

// role is the role that approvers need.
func role(r signalbox.Requirement) signalbox.Role {
	if r.Role == "" {
		return signalbox.RoleApprover
	}
	return r.Role
}

// approvals counts the people who have approved. Votes without a user count once together: one person may hold all those
// keys.
func approvals(votes []signalbox.Vote) int {
	n, nameless := 0, 0
	for _, v := range votes {
		switch {
		case v.Verdict != signalbox.VerdictApprove:
		case v.User == "":
			nameless = 1
		default:
			n++
		}
	}
	return n + nameless
}

// asked reports whether the voter is who has asked: by the same key, as the same user, or with a key of the agent's.
func (v Voter) asked(a signalbox.Approval, user string) bool {
	return sameName(v.Key, a.Key) || sameName(v.By, a.Key) || sameName(v.User, user) || sameName(v.Agent, a.Agent)
}

// same reports whether a vote is the voter's own.
func (v Voter) same(vote signalbox.Vote) bool { return v.By == vote.By || sameName(v.User, vote.User) }

// nameless reports whether nobody can tell whose vote it is.
func nameless(vote signalbox.Vote) bool { return vote.User == "" }

// sameName compares names of people; nobody is the same as nobody. E-mail addresses differ in case without being
// another's.
func sameName(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

func (e Withdraw) apply(a signalbox.Approval) (signalbox.Approval, error) {
	if a.ID == "" || e.By.Tenant != a.Tenant {
		return a, notFound(a.ID)
	}
	if !e.By.asked(a, e.User) && e.By.Role != signalbox.RoleAdmin {
		return a, signalbox.Errorf(signalbox.CodeForbidden, "Only who has asked for an approval, or an admin, can withdraw it.").
			WithRemedy("Deny it instead.")
	}
	if len(e.Reason) > MaxReason {
		return a, tooLong(e.Reason)
	}
	return end(a, signalbox.ApprovalWithdrawn, e.At)
}

func (e Expire) apply(a signalbox.Approval) (signalbox.Approval, error) {
	if e.At.Before(a.Expires) {
		return a, signalbox.Errorf(signalbox.CodeConflict, "The approval %s has not expired.", a.ID).WithRemedy("Wait.")
	}
	return end(a, signalbox.ApprovalExpired, e.At)
}

func (e Stale) apply(a signalbox.Approval) (signalbox.Approval, error) {
	return end(a, signalbox.ApprovalStale, e.At)
}

func (e Escalate) apply(a signalbox.Approval) (signalbox.Approval, error) {
	if err := pending(a); err != nil {
		return a, err
	}
	if a.Escalate.IsZero() || e.At.Before(a.Escalate) {
		return a, signalbox.Errorf(signalbox.CodeConflict, "The approval %s is not to be escalated now.", a.ID).WithRemedy("Wait.")
	}
	a.Escalate = zero
	return a, nil
}

func (e Use) apply(a signalbox.Approval) (signalbox.Approval, error) {
	switch {
	case a.ID == "" || e.Tenant != a.Tenant:
		return a, notFound(a.ID)
	case e.Hash != a.Hash:
		return a, unusable("The approval %s is about another call.", a.ID)
	case a.State != signalbox.ApprovalApproved:
		return a, unusable("The approval %s is %s, not approved.", a.ID, a.State)
	case !a.Used.IsZero():
		return a, unusable("The approval %s was used already.", a.ID)
	case !e.At.Before(a.UseBy):
		return a, unusable("The approval %s could be used until %s.", a.ID, a.UseBy.Format("2006-01-02T15:04:05Z07:00"))
	case e.Call == "":
		return a, unusable("The approval %s can not be used by a call without an id.", a.ID)
	}
	a.Used, a.UsedBy = e.At, e.Call
	return a, nil
}
