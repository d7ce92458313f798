package task

import (
	"context"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Room says whether a key can have one more task that a server works on.
func (k *Keeper) Room(ctx context.Context, who signalbox.Caller) (bool, error) {
	n, err := k.o.Store.OpenTasks(ctx, signalbox.TaskOfServer, who.Tenant, who.Key)
	return n < MaxRemote, err
}

// Accept gives the task of a call that its server has made a task of, and the effects that keep it. They belong into the
// transaction of the call's outcome: once that is durable the task is, and only then may anybody be told of it. The server
// says how long it lives (0: no end).
func (k *Keeper) Accept(
	c *signalbox.Call, who signalbox.Caller, remote signalbox.ServerTask, ttl time.Duration,
) (signalbox.Task, []signalbox.Effect, error) {
	if err := nameable(c.Tool.Server, remote); err != nil {
		return signalbox.Task{}, nil, err
	}
	now := k.now()
	t, err := Decide(signalbox.Task{}, Accept{At: now, Until: now.Add(Lifetime(ttl)), Task: signalbox.Task{
		ID: idOf(c.ID), Tenant: who.Tenant, Key: who.Key, Agent: who.Agent, Server: c.Tool.Server,
		Tool: c.Tool.ID(), Approval: c.Approval, Call: c.ID, Request: c.RequestID, Run: c.Claims.Run, Trace: c.Span.TraceID,
	}})
	if err != nil {
		return t, nil, err
	}
	effects, err := k.sealed(&t, signalbox.TaskContent{User: who.User, Subject: c.Claims.Subject, Remote: &remote})
	return t, append(effects, signalbox.PutTask{Task: t}), err
}

// Made gives the task that a server has made of a call, to whose call it was; to everybody else it is not found. Of calls of
// tasks of ours it is among the newest [MaxListed] of the key, or is not found either.
func (k *Keeper) Made(ctx context.Context, who signalbox.Caller, call string) (signalbox.Task, signalbox.TaskContent, error) {
	t, c, err := k.own(ctx, who, "", idOf(call))
	if signalbox.CodeOf(err) != signalbox.CodeNotFound {
		return t, c, err
	}
	// The call of a task of ours keeps that name, when its server makes a task of it.
	list, err := k.o.Store.TasksOf(ctx, signalbox.TaskOfServer, who.Tenant, who.Key, k.now(), MaxListed)
	if err != nil {
		return signalbox.Task{}, signalbox.TaskContent{}, err
	}
	for _, t := range list {
		if t.Call == call {
			return k.own(ctx, who, "", t.ID)
		}
	}
	return signalbox.Task{}, signalbox.TaskContent{}, notFound()
}

// idOf names the task that a server makes of a call: it makes one at most.
func idOf(call string) string {
	return signalbox.TaskPrefix + strings.TrimPrefix(call, signalbox.CallPrefix)
}

// nameable checks that a server calls its task something that it can be asked about by.
func nameable(server string, remote signalbox.ServerTask) error {
	if remote.ID != "" && len(remote.ID) <= MaxHandle {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The MCP server %q has made a task of the call, and calls it by no name of 1 to %d bytes.",
		server, MaxHandle).WithRemedy("Check the server; whether the tool acts is not known.")
}

// Finish notes that a server's task has ended, as who asked about it has learnt from the server. Why is what we say of one
// that failed without a word of the server's; nil leaves the last word to the server. One that has
// ended meanwhile stays as it was.
func (k *Keeper) Finish(
	ctx context.Context, who signalbox.Caller, t signalbox.Task, c signalbox.TaskContent, state signalbox.TaskState, why error,
) error {
	return k.retry(ctx, func() (bool, error) {
		release, ok, err := k.o.Approvals.Take(ctx, t.ClaimKey())
		if !ok {
			return false, err
		}
		defer release()
		now, err := k.o.Store.Task(ctx, t.ID)
		if err != nil || now.State.Final() {
			return true, err
		}
		return true, k.finish(ctx, who, now, c, state, why)
	})
}

// finish is Finish under the claim.
func (k *Keeper) finish(
	ctx context.Context, who signalbox.Caller, t signalbox.Task, c signalbox.TaskContent, state signalbox.TaskState, why error,
) error {
	n, err := Decide(t, End{State: state, At: k.now()})
	if err != nil {
		return err
	}
	effects, err := k.sealed(&n, final(c, "", why)) // Without a why, what it came to is the server's to say.
	if err != nil {
		return err
	}
	r := k.record(n, signalbox.ActionTaskEnded, by(who, c.Subject))
	if why != nil {
		r.What.Detail[DetailCode] = string(signalbox.CodeOf(why))
	}
	return k.put(ctx, r, n, effects...)
}

// List gives the tasks that servers work on, or have ended, for who made them, at one server ("": at any); the newest first.
func (k *Keeper) List(ctx context.Context, who signalbox.Caller, server string) ([]signalbox.Task, []signalbox.TaskContent, error) {
	found, err := k.o.Store.TasksOf(ctx, signalbox.TaskOfServer, who.Tenant, who.Key, k.now(), MaxListed)
	if err != nil {
		return nil, nil, err
	}
	var list []signalbox.Task
	var contents []signalbox.TaskContent
	for _, t := range found {
		c, kept, err := k.content(t)
		switch {
		case err != nil:
			return nil, nil, err
		case kept && owns(who, server, t) && c.User == who.User:
			list, contents = append(list, t), append(contents, c)
		}
	}
	return list, contents, nil
}

// owns reports whether a task is one that who asks has made at the server ("": at any), as far as its content does not say.
func owns(who signalbox.Caller, server string, t signalbox.Task) bool {
	return t.Tenant == who.Tenant && t.Key == who.Key && t.Agent == who.Agent && (server == "" || t.Server == server)
}
