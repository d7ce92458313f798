package task

import (
	"time"

	"github.com/signalbox/signalbox"
)

// Event is something that happens to a task. The set is closed.
type Event interface {
	apply(t signalbox.Task) (signalbox.Task, error)
}

// Open makes a task of nothing: it waits from then on.
type Open struct {
	Task  signalbox.Task // With its id, tenant, server and approval; state and times are set here.
	At    time.Time
	Until time.Time // When nobody decides about the approval any more.
}

// Accept makes a task of nothing, of a call that was made and that its server has made a task of.
type Accept struct {
	Task  signalbox.Task // With its id, tenant, server and call; kind, state and times are set here.
	At    time.Time
	Until time.Time // When it fails unless it has ended.
}

// Hand says that the call of a task of ours was made, and that its server has made a task of it.
type Hand struct {
	At    time.Time
	Until time.Time // As for [Accept].
}

// Begin says that the call of the task is made: whoever writes it with the call's intent makes it.
type Begin struct {
	Call string // Its id.
	At   time.Time
}

// End ends a task.
type End struct {
	State signalbox.TaskState // A final one.
	At    time.Time
}

// Decide gives what becomes of a task by an event. It knows no clock and does no I/O. An error says why the event can not
// happen to it; then nothing has changed.
func Decide(t signalbox.Task, e Event) (signalbox.Task, error) { return e.apply(t) }

func (e Open) apply(t signalbox.Task) (signalbox.Task, error) {
	n := e.Task
	if t.ID != "" || n.ID == "" || n.Tenant == "" || n.Server == "" || n.Approval == "" {
		return t, impossible("A task needs an id, a tenant, a server and an approval, and is opened once.")
	}
	n.Kind = signalbox.TaskOfApproval
	n.State, n.Created, n.Updated, n.Expires = signalbox.TaskWaiting, e.At, e.At, later(e.At, e.Until).Add(Keep)
	n.Ended, n.Cancelled, n.Call = time.Time{}, time.Time{}, ""
	return n, nil
}

func (e Accept) apply(t signalbox.Task) (signalbox.Task, error) {
	n := e.Task
	if t.ID != "" || n.ID == "" || n.Tenant == "" || n.Server == "" || n.Call == "" {
		return t, impossible("A task of a server needs an id, a tenant, a server and a call, and is accepted once.")
	}
	n.Kind, n.State, n.Created, n.Updated, n.Expires = signalbox.TaskOfServer, signalbox.TaskRunning, e.At, e.At, later(e.At, e.Until)
	n.Ended, n.Cancelled = time.Time{}, time.Time{}
	return n, nil
}

func (e Hand) apply(t signalbox.Task) (signalbox.Task, error) {
	if t.Kind != signalbox.TaskOfApproval || t.State != signalbox.TaskRunning {
		return t, impossible("Only a task of ours whose call was made becomes its server's.")
	}
	t.Kind, t.Updated, t.Expires = signalbox.TaskOfServer, e.At, later(e.At, e.Until)
	return t, nil
}

func (e Begin) apply(t signalbox.Task) (signalbox.Task, error) {
	if t.State != signalbox.TaskWaiting || e.Call == "" {
		return t, impossible("Only the call of a task that waits is made, and it has an id.")
	}
	t.State, t.Call, t.Updated = signalbox.TaskRunning, e.Call, e.At
	return t, nil
}

func (e End) apply(t signalbox.Task) (signalbox.Task, error) {
	waits := t.State == signalbox.TaskWaiting
	if !e.State.Final() || !waits && t.State != signalbox.TaskRunning || waits && e.State == signalbox.TaskCompleted {
		return t, impossible("A task ends once, and is completed by its call alone.")
	}
	t.State, t.Ended, t.Updated, t.Expires = e.State, e.At, e.At, later(t.Expires, e.At.Add(Keep))
	return t, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Step is what is to be done about a task.
type Step int

// The steps.
const (
	Wait Step = iota // Nothing, now.
	Make             // Its call is to be made.
	Fail             // It is to end as failed.
)

// Next gives what is to be done about a task by who holds its claim, and why it fails. The approval is the task's; known is
// false where there is no such approval.
func Next(t signalbox.Task, a signalbox.Approval, known bool, now time.Time) (Step, error) {
	switch {
	case t.State.Final():
		return Wait, nil
	case t.Content == nil && t.Kind == signalbox.TaskOfServer:
		return Fail, Erased()
	case t.Kind == signalbox.TaskOfServer && !now.Before(t.Expires):
		return Fail, Expired()
	case t.Kind == signalbox.TaskOfServer:
		return Wait, nil // For the server, which its caller asks.
	case t.State == signalbox.TaskRunning:
		return Fail, Unknown()
	case t.Content == nil:
		return Fail, Erased()
	case !known:
		return Fail, signalbox.Errorf(signalbox.CodeConflict, "The call was not made: there is no approval %s any more.", t.Approval).
			WithRemedy("Make the call again to ask anew.")
	case a.State == signalbox.ApprovalPending:
		return Wait, nil
	case a.State != signalbox.ApprovalApproved:
		return Fail, a.Refusal()
	case !a.Used.IsZero():
		return Fail, signalbox.Errorf(signalbox.CodeConflict, "The call was not made: its approval %s was used by another call.", a.ID).
			WithRemedy("Make the call again to ask anew.")
	case !now.Before(a.UseBy):
		return Fail, signalbox.Errorf(signalbox.CodeConflict, "The call was not made: its approval %s was not used in time.", a.ID).
			WithRemedy("Make the call again to ask anew.")
	}
	return Make, nil
}

// Came gives what a task came to by the end of its call: its result and error are of the call, cancelled says that who made
// the task did not want it any more. An error is nil for a completed task only.
func Came(result []byte, err error, cancelled bool) (signalbox.TaskState, error) {
	switch {
	case err != nil && cancelled && signalbox.CodeOf(err) == signalbox.CodeCancelled:
		return signalbox.TaskCancelled, err
	case signalbox.CodeOf(err) == signalbox.CodeCancelled:
		return signalbox.TaskFailed, Unknown()
	case err != nil:
		return signalbox.TaskFailed, err
	case len(result) > MaxResult:
		return signalbox.TaskFailed, signalbox.Errorf(signalbox.CodeTooLarge,
			"The call was made, and its result can not be kept: it has %d bytes, and %d are kept at the most.", len(result), MaxResult).
			WithRemedy("Do not make the call again for its effect; ask the tool for less.")
	}
	return signalbox.TaskCompleted, nil
}

// Lifetime gives how long a server's task lives: as long as the server says, at the most [MaxLife]. 0 says that the server has
// set no end.
func Lifetime(ttl time.Duration) time.Duration {
	if ttl <= 0 || ttl > MaxLife {
		return MaxLife
	}
	return ttl
}

// Expired is the error of a server's task whose time is over before anybody has learnt of its end.
func Expired() error {
	return signalbox.Errorf(signalbox.CodeTimeout, "The time of the task is over: what the server has made of it is not known.").
		WithRemedy("Check with the server before the call is made again; ask for a task until it has ended.")
}

// Unknown is the error of a task whose call was begun and of which nobody knows what it came to.
func Unknown() error {
	return signalbox.Errorf(signalbox.CodeInternal, "The call was begun, and Signalbox stopped before its outcome was known: whether the tool has acted is not known.").
		WithRemedy("Check with the tool before the call is made again.")
}

// Erased is the error of a task of which nothing is kept any more.
func Erased() error {
	return signalbox.Errorf(signalbox.CodeConflict, "What is known of the person whom the task is about was erased, and the task with it.").
		WithRemedy("Check with the tool whether the call was made.")
}

func impossible(what string) error {
	return signalbox.Errorf(signalbox.CodeInternal, "%s", what).WithRemedy("Report this as a bug.")
}
