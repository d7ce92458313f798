package mcp

import (
	"context"
	"fmt"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// call answers tools/call: the stations decide and serve. A call that needs an approval becomes a task where its caller knows
// tasks. Else it waits here, outside of the stations and without a place in them, and is then presented once more.
func (h *Handler) call(ctx context.Context, x *exchange, req sdk.Request) (sdk.Result, error) {
	c := x.call
	data, err := h.present(ctx, x, c)
	e := signalbox.AsError(err)
	switch {
	case err == nil || e.Code != signalbox.CodeApprovalRequired || e.Approval == "":
	case x.task:
		return h.openTask(ctx, c, e.Approval)
	case h.waiter != nil:
		if err = h.await(ctx, x, req, e.Approval); err == nil {
			c = h.again(c)
			data, err = h.present(ctx, x, c)
		}
	}
	if err != nil {
		return nil, rpcFailure(c, err)
	}
	return &rawResult{data: data}, nil
}

// present sends a call through the stations, and notes what the head of the answer has to say of it.
func (h *Handler) present(ctx context.Context, x *exchange, c *signalbox.Call) ([]byte, error) {
	t := call.NewTrack(c)
	data, err := h.serve(ctx, t)
	said := &headline{call: c.ID}
	if cost, _ := t.Cost(); cost != nil && len(t.Attempts) > 0 {
		said.cost = cost
	}
	if err != nil {
		said.approval = signalbox.AsError(err).Approval
	}
	x.said.Store(said)
	return data, err
}

// again makes a new call of the same bytes, by the same caller with the same claims.
func (h *Handler) again(c *signalbox.Call) *signalbox.Call {
	now := h.servers.now().UTC()
	second := *c
	second.ID, second.Received = signalbox.NewID(signalbox.CallPrefix, now), now
	second.Span = c.Span.Child()
	second.Span.Parent = c.Span.Parent // A sibling: it is the caller's work as much as the first.
	return &second
}

// await waits until the approval is given. Its error is what to answer where it is not.
func (h *Handler) await(ctx context.Context, x *exchange, req sdk.Request, id string) error {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > MaxWaiting {
		return pending(id, h.wait, h.wait)
	}
	limited, cancel := context.WithTimeout(ctx, h.wait)
	defer cancel()
	stop := h.tellProgress(limited, x, req, id)
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
	return approval.Refusal()
}

// pending is the answer to a call whose approval nobody has decided yet. After says when to come back.
func pending(id string, wait, after time.Duration) error {
	e := signalbox.Errorf(signalbox.CodeApprovalRequired, "The call is pending: nobody has decided about its approval %s yet.", id).
		WithRemedy(fmt.Sprintf("Call the tool again with the same arguments: the call then waits for up to %s more.", wait)).
		WithRetryAfter(after)
	e.Approval = id
	return e
}

// tellProgress tells a caller who asked for progress that his call waits, at once and every [ProgressEvery], until the
// function that it returns is called. After that nothing more is told.
func (h *Handler) tellProgress(ctx context.Context, x *exchange, req sdk.Request, id string) (stop func()) {
	session, ok := req.GetSession().(*sdk.ServerSession)
	if !ok || x.progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(ProgressEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			err := session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
				ProgressToken: x.progress, Message: "Waiting for the approval " + id + ".",
				Progress: (time.Duration(n) * ProgressEvery).Seconds(), Total: h.wait.Seconds(),
			})
			if err != nil {
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
