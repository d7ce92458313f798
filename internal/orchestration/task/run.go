package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// errUnwanted ends a call whose task was cancelled, errStopping one whose process stops.
var (
	errUnwanted = signalbox.Errorf(signalbox.CodeCancelled, "The task was cancelled while its call was under way: whether the tool has acted is not known.")
	errStopping = signalbox.Errorf(signalbox.CodeCancelled, "Signalbox stopped while the call was under way.")
)

// Run makes the calls of tasks whose approvals were given, and ends those that are over, until ctx ends. Calls under way
// then go on until [Keeper.Stop].
func (k *Keeper) Run(ctx context.Context) {
	changed, cancel := k.o.Approvals.Subscribe()
	defer cancel()
	poll := time.NewTicker(PollEvery)
	defer poll.Stop()
	for all := true; ctx.Err() == nil; {
		if err := k.round(ctx, all); err != nil && ctx.Err() == nil {
			k.o.Report(fmt.Errorf("look for tasks: %w", err))
		}
		all = false
		select {
		case <-ctx.Done():
		case <-changed:
		case <-k.wake:
		case <-poll.C:
			all = true
		}
	}
}

// Stop lets no call begin any more, and waits for those under way. Those that are not over when ctx ends are given up.
func (k *Keeper) Stop(ctx context.Context) {
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	done := make(chan struct{})
	go func() { k.work.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	k.mu.Lock()
	for _, cancel := range k.made {
		cancel(errStopping)
	}
	k.mu.Unlock()
	<-done
}

// round does what is to be done, as far as there is room. Those that run are somebody's, mostly: whether he is gone is only
// looked at where all are.
func (k *Keeper) round(ctx context.Context, all bool) error {
	list, err := k.o.Store.DueTasks(ctx, k.now(), maxDue)
	if err != nil {
		return err
	}
	for _, t := range list {
		switch ours, room := k.mine(t); {
		case ours || t.State == signalbox.TaskRunning && !all:
		case !room:
			return nil // Who ends wakes us.
		default:
			k.begin(ctx, t.ID)
		}
	}
	return nil
}

// mine reports whether somebody here is doing something about the task, and lets him give it up where it is not wanted any
// more. Room says whether there is any for another.
func (k *Keeper) mine(t signalbox.Task) (ours, room bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	cancel := k.made[t.ID]
	if cancel != nil && !t.Cancelled.IsZero() {
		cancel(errUnwanted)
	}
	return cancel != nil, len(k.made) < MaxMade
}

// begin does what is to be done about a task, beside.
func (k *Keeper) begin(ctx context.Context, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	k.made[id] = cancel
	k.work.Go(func() {
		done, err := k.settle(ctx, id)
		k.mu.Lock()
		delete(k.made, id)
		k.mu.Unlock()
		cancel(nil)
		if err != nil {
			k.o.Report(fmt.Errorf("task %s: %w", id, err))
		}
		if done {
			k.Wake() // There is room for another.
		}
	})
}

// settle does what is to be done about a task, under its claim. Done says that it has changed something.
func (k *Keeper) settle(ctx context.Context, id string) (done bool, err error) {
	release, ok, err := k.o.Approvals.Take(ctx, signalbox.Task{ID: id}.ClaimKey())
	if !ok {
		return false, err
	}
	defer release()
	t, err := k.o.Store.Task(ctx, id)
	if err != nil {
		return false, err
	}
	a, err := k.o.Store.Approval(ctx, t.Approval)
	known := signalbox.CodeOf(err) != signalbox.CodeNotFound
	if err != nil && known {
		return false, err
	}
	c, kept, err := k.content(t)
	if err != nil {
		return false, err
	}
	if !kept {
		t.Content = nil
	}
	switch step, why := Next(t, a, known, k.now()); step {
	case Make:
		err = k.make(ctx, t, c)
	case Fail:
		err = k.fail(ctx, t, c, why)
	case Wait:
		return false, nil
	}
	return err == nil, err
}

// fail ends a task without an outcome of its call.
func (k *Keeper) fail(ctx context.Context, t signalbox.Task, c signalbox.TaskContent, why error) error {
	n, err := Decide(t, End{State: signalbox.TaskFailed, At: k.now()})
	if err != nil {
		return err
	}
	var effects []signalbox.Effect
	if t.Content != nil {
		if effects, err = k.sealed(&n, final(c, "", why)); err != nil {
			return err
		}
	}
	r := k.record(n, signalbox.ActionTaskEnded, signalbox.Who{SubjectID: c.Subject, UserID: c.User, AgentID: n.Agent, KeyID: n.Key})
	r.What.Detail[DetailCode] = string(signalbox.CodeOf(why))
	return k.put(ctx, r, n, effects...)
}

// make makes the call of a task that waits, once, and returns when it is over and what it came to is durable. What could
// not be made durable is found by whoever claims the task next.
func (k *Keeper) make(ctx context.Context, t signalbox.Task, content signalbox.TaskContent) error {
	c, err := k.call(t, content)
	if err != nil {
		return k.fail(ctx, t, content, err)
	}
	track := call.NewTrack(c)
	now := t
	track.Begun = func() []signalbox.Effect {
		if now, err = Decide(t, Begin{Call: c.ID, At: k.now()}); err != nil {
			panic(err) // It waits, and nobody else has its claim.
		}
		return []signalbox.Effect{signalbox.PutTask{Task: now}}
	}
	track.Ended = func(result []byte, err error) []signalbox.Effect { return k.ended(ctx, now, content, result, err) }
	served := k.o.Serve(ctx, track)
	return k.check(ctx, t.ID, served)
}

// ended gives the effects of the outcome of a task's call: what it came to.
func (k *Keeper) ended(ctx context.Context, t signalbox.Task, c signalbox.TaskContent, result []byte, err error) []signalbox.Effect {
	cause, waits := context.Cause(ctx), t.State == signalbox.TaskWaiting
	if waits && errors.Is(cause, errStopping) {
		return nil // Nothing has happened: another process makes it.
	}
	if remote, ttl, ok := k.o.Handed(result); ok && err == nil {
		if err = nameable(t.Server, remote); err == nil {
			return k.handed(t, c, remote, ttl)
		}
	}
	state, why := Came(result, err, errors.Is(cause, errUnwanted))
	if state == signalbox.TaskCancelled {
		if why = errUnwanted; waits {
			why = nil
		}
	}
	if state != signalbox.TaskCompleted {
		result = nil
	}
	n, err := Decide(t, End{State: state, At: k.now()})
	if err != nil {
		k.o.Report(fmt.Errorf("task %s: %w", t.ID, err))
		return nil
	}
	effects, err := k.sealed(&n, final(c, string(result), why))
	if err != nil { // It ends once it is looked at again.
		k.o.Report(fmt.Errorf("task %s: %w", t.ID, err))
		return nil
	}
	return append(effects, signalbox.PutTask{Task: n})
}

// handed gives the effects of the outcome of a task's call that its server has made a task of: from then on it is the
// server's.
func (k *Keeper) handed(t signalbox.Task, c signalbox.TaskContent, remote signalbox.ServerTask, ttl time.Duration) []signalbox.Effect {
	now := k.now()
	n, err := Decide(t, Hand{At: now, Until: now.Add(Lifetime(ttl))})
	var effects []signalbox.Effect
	if err == nil {
		f := final(c, "", nil)
		f.Remote = &remote
		effects, err = k.sealed(&n, f)
	}
	if err != nil { // It ends once it is looked at again.
		k.o.Report(fmt.Errorf("task %s: %w", t.ID, err))
		return nil
	}
	return append(effects, signalbox.PutTask{Task: n})
}

// check ends a task whose call is over, and of which nothing could be kept with its outcome. One that still waits was not
// begun: nothing about the call could be written, and it is tried again.
func (k *Keeper) check(ctx context.Context, id string, served error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndWait)
	defer cancel()
	t, err := k.o.Store.Task(ctx, id)
	switch {
	case err != nil:
		return err
	case t.State == signalbox.TaskWaiting:
		return served
	case t.State.Final(), t.Kind == signalbox.TaskOfServer:
		return nil
	}
	c, kept, err := k.content(t)
	if err != nil {
		return err
	}
	if !kept {
		t.Content = nil
	}
	return k.fail(ctx, t, c, Unknown())
}

// call is the call of a task: a new one of the same caller, with the same bytes, which its approval alone admits.
func (k *Keeper) call(t signalbox.Task, c signalbox.TaskContent) (*signalbox.Call, error) {
	tool, err := k.o.Parse(t.Server, []byte(c.Body))
	if err != nil {
		return nil, err
	}
	now := k.o.Now().UTC()
	span := signalbox.Span{
		TraceID: t.Trace, Flags: c.Span.Flags, State: c.Span.State, Baggage: c.Span.Baggage,
	}.Child()
	span.Parent = c.Span.Parent // It is the caller's work as much as the call that was refused.
	made := &signalbox.Call{
		ID: signalbox.NewID(signalbox.CallPrefix, now), RequestID: t.Request, Kind: signalbox.KindTool,
		Protocol: signalbox.ProtocolMCP, Caller: c.Caller, Claims: c.Claims, Span: span, Received: now, Source: c.Source,
		Body: []byte(c.Body), Tool: tool, Approval: t.Approval,
		IdempotencyKey: c.IdempotencyKey,
	}
	if c.Guest != nil && k.o.Again != nil {
		made.Bearer = k.o.Again(*c.Guest)
	}
	return made, nil
}
