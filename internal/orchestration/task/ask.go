package task

import (
	"context"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
)

// Open gives the task of a call that waits for an approval: the one that is there, or a new one, which is durable then. Who is
// the caller as the gate has established him. Errors are of code too_large, rate_limited (the tenant has [MaxOpen]) or
// conflict, besides those of the store and the log.
func (k *Keeper) Open(ctx context.Context, c *signalbox.Call, who signalbox.Caller, approval string) (t signalbox.Task, err error) {
	content, err := contentOf(c, who)
	if err != nil {
		return t, err
	}
	err = k.retry(ctx, func() (bool, error) {
		release, ok, err := k.o.Approvals.Take(ctx, "task of "+approval)
		if !ok {
			return false, err
		}
		defer release()
		t, err = k.open(ctx, c, who, approval, content)
		return true, err
	})
	if err == nil {
		k.Wake() // The approval may be decided already.
	}
	return t, err
}

// open is Open under the claim.
func (k *Keeper) open(
	ctx context.Context, c *signalbox.Call, who signalbox.Caller, approval string, content signalbox.TaskContent,
) (signalbox.Task, error) {
	old, found, err := k.o.Store.TaskOf(ctx, approval)
	if err != nil {
		return old, err
	}
	if found { // The same call was made again: its answer may have been lost.
		_, _, err = k.own(ctx, who, c.Tool.Server, old.ID)
		return old, err
	}
	if err := k.room(ctx, who.Tenant); err != nil {
		return old, err
	}
	a, err := k.o.Store.Approval(ctx, approval)
	if err != nil {
		return old, err
	}
	now := k.now()
	t, err := Decide(signalbox.Task{}, Open{At: now, Until: a.Expires, Task: signalbox.Task{
		ID: signalbox.NewID(signalbox.TaskPrefix, now), Tenant: who.Tenant, Key: who.Key, Agent: who.Agent, Server: c.Tool.Server,
		Tool: c.Tool.ID(), Approval: approval, Asked: c.ID, Request: c.RequestID, Run: c.Claims.Run, Trace: c.Span.TraceID,
	}})
	if err != nil {
		return t, err
	}
	effects, err := k.sealed(&t, content)
	if err != nil {
		return t, err
	}
	r := k.record(t, signalbox.ActionTaskOpened, by(who, content.Subject))
	r.Who.Source, r.When.SpanID = c.Source, c.Span.SpanID
	return t, k.put(ctx, r, t, effects...)
}

// room says whether the tenant can have one more.
func (k *Keeper) room(ctx context.Context, tenant string) error {
	n, err := k.o.Store.OpenTasks(ctx, signalbox.TaskOfApproval, tenant, "")
	if err != nil || n < MaxOpen {
		return err
	}
	return signalbox.Errorf(signalbox.CodeRateLimited, "%d tasks of the tenant have not ended; there is room for no more.", n).
		WithRemedy("Have some of their approvals decided, or cancel some.").WithRetryAfter(time.Minute)
}

// own gives a task to who made it, at the server ("": at any). To everybody else it is not there.
func (k *Keeper) own(ctx context.Context, who signalbox.Caller, server, id string) (signalbox.Task, signalbox.TaskContent, error) {
	t, err := k.o.Store.Task(ctx, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound || err == nil && !owns(who, server, t) {
		return signalbox.Task{}, signalbox.TaskContent{}, notFound()
	}
	if err != nil {
		return signalbox.Task{}, signalbox.TaskContent{}, err
	}
	c, kept, err := k.content(t)
	switch {
	case err != nil:
		return signalbox.Task{}, signalbox.TaskContent{}, err
	case kept && c.User != who.User:
		return signalbox.Task{}, signalbox.TaskContent{}, notFound()
	case !kept: // Whose it was is not known any more; nothing is left to tell but that.
		t.State, t.Content = signalbox.TaskFailed, nil
		c.Error = signalbox.Failed(Erased())
	}
	return t, c, nil
}

// notFound does not repeat the id, which may be anything.
func notFound() error {
	return signalbox.Errorf(signalbox.CodeNotFound, "There is no such task.").WithField("params.taskId").
		WithRemedy("Ask for a task by the id that your call was answered with, with the same key and at the same server.")
}

// Of gives the task of an approval that has not ended, if who asks has made it.
func (k *Keeper) Of(ctx context.Context, who signalbox.Caller, approval string) (signalbox.Task, bool, error) {
	t, found, err := k.o.Store.TaskOf(ctx, approval)
	if err != nil || !found {
		return signalbox.Task{}, false, err
	}
	t, _, err = k.own(ctx, who, "", t.ID)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return signalbox.Task{}, false, nil
	}
	return t, err == nil, err
}

// Get gives a task, and what it came to once it is final, to who made it; to everybody else it is not found.
func (k *Keeper) Get(ctx context.Context, who signalbox.Caller, server, id string) (signalbox.Task, signalbox.TaskContent, error) {
	return k.own(ctx, who, server, id)
}

// Cancel ends a task for who made it. One that waits is never made then, and its approval is withdrawn; of one whose call is
// under way the call is given up, and what the tool has done by then is done. Of one that a server works on it only notes that
// it is not wanted: the server has to be told. Of one that has ended it changes nothing.
func (k *Keeper) Cancel(ctx context.Context, who signalbox.Caller, server, id string) error {
	t, c, err := k.own(ctx, who, server, id)
	if err != nil {
		return err
	}
	if t.Kind == signalbox.TaskOfServer && !t.State.Final() {
		return k.giveUp(ctx, t, who, c.Subject)
	}
	defer k.Wake()
	err = k.retry(ctx, func() (bool, error) {
		if t, err = k.o.Store.Task(ctx, t.ID); err != nil || t.State.Final() {
			return true, err
		}
		release, ok, err := k.o.Approvals.Take(ctx, t.ClaimKey())
		switch {
		case err != nil:
			return false, err
		case !ok && t.State == signalbox.TaskRunning:
			return true, k.giveUp(ctx, t, who, c.Subject)
		case !ok:
			return false, nil
		}
		defer release()
		t, err = k.cancel(ctx, t.ID, who, c)
		return true, err
	})
	if err != nil || t.State != signalbox.TaskCancelled {
		return err
	}
	return k.withdraw(ctx, t, who)
}

// cancel ends a task that waits, under its claim.
func (k *Keeper) cancel(ctx context.Context, id string, who signalbox.Caller, c signalbox.TaskContent) (signalbox.Task, error) {
	t, err := k.o.Store.Task(ctx, id)
	if err != nil || t.State != signalbox.TaskWaiting { // One that runs, and can be claimed, ends by itself.
		return t, err
	}
	n, err := Decide(t, End{State: signalbox.TaskCancelled, At: k.now()})
	if err != nil {
		return t, err
	}
	effects, err := k.sealed(&n, final(c, "", nil))
	if err != nil {
		return t, err
	}
	return n, k.put(ctx, k.record(n, signalbox.ActionTaskCancelled, by(who, c.Subject)), n, effects...)
}

// giveUp notes that the call of a task is not wanted any more, for who makes it.
func (k *Keeper) giveUp(ctx context.Context, t signalbox.Task, who signalbox.Caller, subject string) error {
	if !t.Cancelled.IsZero() {
		return nil
	}
	r := k.record(t, signalbox.ActionTaskCancelled, by(who, subject))
	_, err := k.o.Log.Append(ctx, r, signalbox.CancelTask{ID: t.ID, At: k.now()})
	return err
}

// withdraw takes back the question that nobody needs an answer to. That it is decided already changes nothing.
func (k *Keeper) withdraw(ctx context.Context, t signalbox.Task, who signalbox.Caller) error {
	_, err := k.o.Approvals.Withdraw(ctx, approval.Voter{
		By: who.Key, Key: who.Key, User: who.User, Agent: who.Agent, Role: who.Role, Tenant: who.Tenant,
	}, t.Approval, "the task was cancelled")
	if code := signalbox.CodeOf(err); code == signalbox.CodeConflict || code == signalbox.CodeNotFound {
		return nil
	}
	return err
}
