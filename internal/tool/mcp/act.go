package mcp

import (
	"context"
	"errors"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// toolName is what the stations know the act by: the name of a tool, or the method of all else.
func (r request) toolName() string {
	if r.act() && r.method != rpc.MethodCallTool {
		return r.method
	}
	return r.name
}

// act has the stations decide about a request that acts on a server, and serve it.
func (h *Handler) act(ctx context.Context, x *exchange) (json.Value, error) {
	if err := h.locate(ctx, x); err != nil {
		x.call.Invalid = signalbox.AsError(err)
		return nil, h.refuse(ctx, x.call)
	}
	if err := h.prepare(x); err != nil {
		x.call.Invalid = signalbox.AsError(err)
		return nil, h.refuse(ctx, x.call)
	}
	x.call.Tool.Inputs = x.inputs.responses
	if x.ticket != "" {
		return h.resume(ctx, x)
	}
	if err := h.offerTask(ctx, x); err != nil {
		x.call.Invalid = signalbox.AsError(err)
		return nil, h.refuse(ctx, x.call)
	}
	if h.mayBeHeld(x) {
		return h.hold(ctx, x)
	}
	return h.finish(upstream.WithCaller(ctx, line{x: x}), x)
}

// finish has an act served, and hands on what its server asks before.
func (h *Handler) finish(ctx context.Context, x *exchange) (json.Value, error) {
	data, err := h.attend(ctx, x)
	if err != nil {
		return h.sendToURL(ctx, x, err)
	}
	if err := h.findHanded(ctx, x, data); err != nil {
		return nil, err
	}
	if x.handed != nil {
		return x.handOver(data)
	}
	if rpc.ResultType(data) == rpc.TypeInputRequired {
		return h.askCaller(ctx, x, data)
	}
	return x.complete(data)
}

// prepare finds out what the server of an act may ask of the caller, and opens what the caller answers to.
func (h *Handler) prepare(x *exchange) error {
	who, err := h.who(x.call)
	if err != nil {
		x.permitted = rpc.NoCapabilities
		return nil //nolint:nilerr // The gate will say so, with a record.
	}
	h.clientCapabilities(who, x)
	return h.openInputs(who, x)
}

// refuse sends a call that can not be served through the stations, so that its refusal is recorded, and gives the error.
func (h *Handler) refuse(ctx context.Context, c *signalbox.Call) error {
	answer, err := h.next.Serve(ctx, call.NewTrack(c))
	if err != nil {
		return err
	}
	return errors.Join(errors.New("a call that can not be served was served"), answer.Close())
}

func (h *Handler) serve(ctx context.Context, t *call.Track) ([]byte, error) {
	answer, err := h.next.Serve(ctx, t)
	if err != nil {
		return nil, err
	}
	return call.ReadAll(ctx, answer)
}
