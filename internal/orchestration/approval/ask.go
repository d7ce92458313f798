package approval

import (
	"context"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// create makes the approval of a call, under the claim of its hash, and returns when it is durable.
func (k *Keeper) create(ctx context.Context, t *call.Track, hash [32]byte) (signalbox.Approval, error) {
	content, err := contentOf(t)
	if err != nil {
		return signalbox.Approval{}, err
	}
	if err := k.room(ctx, t.Gate.Caller.Tenant); err != nil {
		return signalbox.Approval{}, err
	}
	a, err := k.describe(ctx, t, hash)
	if err != nil {
		return a, err
	}
	effects, err := k.sealed(&a, content)
	if err != nil {
		return a, err
	}
	settings := k.o.Settings()
	a, err = Decide(signalbox.Approval{}, Ask{Approval: a, At: k.now(), Expire: settings.ExpireAfter, Escalate: settings.EscalateAfter})
	if err != nil {
		return a, err
	}
	_, err = k.o.Log.Append(ctx, k.asked(t, a), append(effects, signalbox.PutApproval{Approval: a})...)
	if err != nil {
		return a, err
	}
	k.add(a.Tenant, 1)
	k.Changed()
	k.o.Asked(a)
	return a, nil
}

// describe gives what the approval says of the call.
func (k *Keeper) describe(ctx context.Context, t *call.Track, hash [32]byte) (signalbox.Approval, error) {
	c, who, p := t.Call, t.Gate.Caller, t.Policy
	a := signalbox.Approval{
		ID: signalbox.NewID(signalbox.ApprovalPrefix, k.now()), Tenant: who.Tenant, Hash: hash, Call: c.ID, Trace: c.Span.TraceID,
		Run: t.Gate.Run, Agent: who.Agent, Key: who.Key, Kind: c.Kind, Tool: toolName(c), Does: p.Operation, Risk: p.Risk,
		Require: p.Require, Policy: p.Version, Rule: p.Why, Bound: k.o.Bound(t), Edited: c.Edits,
	}
	if a.Rule == "" {
		a.Rule = "the policy requires it"
	}
	a.Require.Role = role(a.Require)
	var err error
	a.Previous, err = k.previous(ctx, a)
	return a, err
}

// previous gives the last approval of the same tool and agent that was given.
func (k *Keeper) previous(ctx context.Context, a signalbox.Approval) (string, error) {
	f := signalbox.ApprovalFilter{
		Tenants: []string{a.Tenant}, States: []signalbox.ApprovalState{signalbox.ApprovalApproved}, Agent: a.Agent, Tool: a.Tool, Limit: 1,
	}
	if a.Agent == "" { // Which a filter can not ask for.
		f.Limit = lookback
	}
	list, _, err := k.o.Store.Approvals(ctx, f)
	for _, p := range list {
		if p.Agent == a.Agent && p.Kind == a.Kind && p.Tool == a.Tool && p.Tenant == a.Tenant {
			return p.ID, err
		}
	}
	return "", err
}

// contentOf gives what of the call is about people.
func contentOf(t *call.Track) (signalbox.ApprovalContent, error) {
	sent := t.Call.Body
	if t.Call.Tool != nil {
		sent = t.Tool().Arguments
	}
	if len(sent) > MaxArguments {
		return signalbox.ApprovalContent{}, signalbox.Errorf(signalbox.CodeTooLarge,
			"A call that waits for approval can have %d bytes at the most, since people are to read it; it has %d.", MaxArguments, len(sent)).
			WithRemedy("Send less, or in several calls.")
	}
	c := signalbox.ApprovalContent{User: t.Gate.Caller.User, Subject: t.Call.Claims.Subject, Arguments: string(sent)}
	for _, access := range t.Policy.Accesses {
		c.Resources = append(c.Resources, access.Resource)
	}
	return c, nil
}

// room says whether the tenant can ask for one more. The bound keeps one caller from burying all others' questions.
func (k *Keeper) room(ctx context.Context, tenant string) error {
	n, fresh := k.pendingOf(tenant)
	if !fresh {
		list, err := k.o.Store.PendingApprovals(ctx)
		if err != nil {
			return err
		}
		k.recount(list)
		n, _ = k.pendingOf(tenant)
	}
	if n < MaxPending {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeRateLimited, "%d calls of the tenant wait for approval; there is room for no more.", n).
		WithRemedy("Have some of them decided or withdrawn.").WithRetryAfter(time.Minute)
}

func (k *Keeper) pendingOf(tenant string) (n int, fresh bool) {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count[tenant], k.count != nil && now.Sub(k.counted).Abs() < countFor
}

func (k *Keeper) recount(pending []signalbox.Approval) {
	count, now := map[string]int{}, k.now()
	for _, a := range pending {
		count[a.Tenant]++
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count, k.counted = count, now
}

// add corrects the count until the next look.
func (k *Keeper) add(tenant string, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.count != nil {
		k.count[tenant] += n
	}
}
