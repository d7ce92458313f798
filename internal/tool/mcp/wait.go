package mcp

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// attend has the stations decide and serve. A call that needs an approval becomes a task where its caller knows tasks. Else
// it waits here, outside of the stations and without a place in them, and is then presented once more.
func (h *Handler) attend(ctx context.Context, x *exchange) (json.Value, error) {
	data, err := h.present(ctx, x)
	e := signalbox.AsError(err)
	switch {
	case err != nil && e.Code == signalbox.CodeConflict && e.Approval != "" && h.becomesTask(x): // Its key is used by a task.
		return h.sameTask(ctx, x, e)
	case err == nil || e.Code != signalbox.CodeApprovalRequired || e.Approval == "":
	case h.becomesTask(x):
		return h.openTask(ctx, x.call, e.Approval)
	case h.waiter != nil:
		if err = h.await(ctx, x, e.Approval); err == nil {
			x.call = h.again(x.call)
			data, err = h.present(ctx, x)
		}
	}
	return data, err
}

// present sends a call through the stations, and notes what the head of the answer has to say of it.
func (h *Handler) present(ctx context.Context, x *exchange) (json.Value, error) {
	t := call.NewTrack(x.call)
	t.Ended = func(_ []byte, err error) []signalbox.Effect { return h.keepTask(x, err) }
	data, err := h.serve(ctx, t)
	x.replayOf = t.Idempotency.ReplayOf
	said := &headline{call: x.call.ID, replayOf: x.replayOf}
	if cost, _ := t.Cost(); cost != nil && len(t.Attempts) > 0 {
		said.cost = cost
	}
	switch e := signalbox.AsError(err); {
	case err == nil:
	case e.Code == signalbox.CodeConflict:
		said.retry = e.RetryAfter
	default:
		said.approval = e.Approval
	}
	x.response.headline(said)
	return replayed(data, err, said.replayOf)
}

// again makes a new call of the same bytes, by the same caller with the same claims.
func (h *Handler) again(c *signalbox.Call) *signalbox.Call {
	now := h.servers.Current().Now().UTC()
	second := *c
	second.ID, second.Received = signalbox.NewID(signalbox.CallPrefix, now), now
	second.Span = c.Span.Child()
	second.Span.Parent = c.Span.Parent // A sibling: it is the caller's work as much as the first.
	return &second
}

// await waits until the approval is given. Its error is what to answer where it is not.
func (h *Handler) await(ctx context.Context, x *exchange, id string) error {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > MaxWaiting {
		return pending(id, h.wait, h.wait)
	}
	limited, cancel := context.WithTimeout(ctx, h.wait)
	defer cancel()
	stop := h.tellProgress(limited, x, id)
	approval, err := h.waiter.Wait(limited, id)
	stop()
	switch {
	case ctx.Err() != nil: // The approval stays as it is: the caller may come back.
		return ctx.Err()
	case err != nil && limited.Err() == nil:
		h.logger.WarnContext(ctx, "waiting for an approval failed", "approval", id, "error", err)
		return pending(id, h.wait, ProgressEvery)
	case err != nil || approval.State == signalbox.ApprovalPending:
		return pending(id, h.wait, time.Second)
	}
	return verdict(approval)
}

// pending is the answer to a call whose approval nobody has decided yet. After says when to come back.
func pending(id string, wait, after time.Duration) error {
	e := signalbox.Errorf(signalbox.CodeApprovalRequired, "The call is pending: nobody has decided about its approval %s yet.", id).
		WithRemedy(fmt.Sprintf("Call the tool again with the same arguments: the call then waits for up to %s more.", wait)).
		WithRetryAfter(after)
	e.Approval = id
	return e
}

// verdict is nil for an approval that was given, and else says what became of it.
func verdict(a signalbox.Approval) error {
	refuse := func(code signalbox.Code, what, remedy string) error {
		return signalbox.Errorf(code, "The call was not made: its approval %s %s.", a.ID, what).WithRemedy(remedy)
	}
	switch a.State {
	case signalbox.ApprovalApproved:
		return nil
	case signalbox.ApprovalDenied:
		return refuse(signalbox.CodeForbidden, "was denied"+because(a, signalbox.VerdictDeny), "Do not repeat the call; ask for something else.")
	case signalbox.ApprovalExpired:
		return refuse(signalbox.CodeConflict, "expired before enough people had agreed", "Make the call again to ask anew.")
	case signalbox.ApprovalStale:
		return refuse(signalbox.CodeConflict, "is void, because the policy or the tool has changed since it was asked for", "Make the call again to ask anew.")
	case signalbox.ApprovalWithdrawn:
		return refuse(signalbox.CodeConflict, "was withdrawn by whoever asked for it", "Make the call again if it is still wanted.")
	case signalbox.ApprovalPending:
	}
	return signalbox.Errorf(signalbox.CodeInternal, "The approval %s is in no state that is known.", a.ID).WithRemedy("Tell the operator.")
}

// because gives the last reason that goes with the verdict.
func because(a signalbox.Approval, v signalbox.Verdict) string {
	reason := ""
	for _, vote := range a.Votes {
		if vote.Verdict == v {
			reason = cmp.Or(vote.Reason, reason)
		}
	}
	if reason == "" {
		return ", without a reason"
	}
	return ": " + strings.TrimRight(rpc.Clip(reason), ".")
}

// tellProgress tells a caller who asked for progress that his call waits, at once and every [ProgressEvery], until the
// function that it returns is called. After that nothing more is told.
func (h *Handler) tellProgress(ctx context.Context, x *exchange, id string) (stop func()) {
	if x.progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(ProgressEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			if x.response.tell(waitingMessage(x.progress, id, time.Duration(n)*ProgressEvery, h.wait)) != nil {
				return // The caller is gone, or hears nothing more.
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); group.Wait() }
}

// waitingMessage says that a call waits for an approval, and since when.
func waitingMessage(token json.Value, id string, since, wait time.Duration) []byte {
	var params rpc.Object
	params.Add("progressToken", token)
	params.Text("message", "Waiting for the approval "+id+".")
	params.Add("progress", strconv.AppendFloat(nil, since.Seconds(), 'f', -1, 64))
	params.Add("total", strconv.AppendFloat(nil, wait.Seconds(), 'f', -1, 64))
	return rpc.Encode(0, rpc.MethodProgress, params.Bytes())
}
