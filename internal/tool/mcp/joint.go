package mcp

import (
	"context"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// locate finds the server that an act is meant for, and calls things by that server's names. On a path of one server
// there is nothing to find.
func (h *Handler) locate(ctx context.Context, x *exchange) error {
	if !x.endpoint.joint {
		return nil
	}
	if x.method == rpc.MethodReadResource || (x.method == rpc.MethodComplete && x.refKind() == refResource) {
		return h.locateResource(ctx, x)
	}
	for _, u := range x.endpoint.servers {
		if !u.MayOwn(x.name) {
			continue
		}
		names, err := u.JointNames(ctx, x.method)
		if err != nil {
			return err
		}
		name, ok := names.Find(x.name)
		switch {
		case ok && names.Imitated(name):
			x.call.Tool.Server = u.ID
			return signalbox.Errorf(signalbox.CodeConflict, "The MCP server %q has several names that are easily taken for %q.", u.ID, rpc.Clip(name)).
				WithField("name").WithRemedy("Use the path of that server, /mcp/" + u.ID + ", where names are its own.")
		case ok:
			x.address(u.ID, name)
			return nil
		}
	}
	return signalbox.Errorf(signalbox.CodeNotFound, "No MCP server has what is called %q here.", rpc.Clip(x.name)).WithField("name").
		WithRemedy("Use one of the names that the lists of this path give, exactly as they are written there.")
}

// refKind is what the argument to complete belongs to.
func (r request) refKind() string {
	ref, err := r.params.Get("ref").Object()
	if err != nil {
		return ""
	}
	kind, _ := ref.Get("type").Text()
	return kind
}

// address makes the act one of the server, about what that server calls so.
func (x *exchange) address(server, name string) {
	t := x.call.Tool
	t.Server = server
	switch x.method {
	case rpc.MethodCallTool:
		t.Name = name
		params := rpc.Renamed(x.params.Node().Bytes(), "name", name)
		x.call.Body = rpc.Replaced(x.call.Body, "params", params) // As it would have come in on the server's own path.
	case rpc.MethodGetPrompt:
		t.Arguments = rpc.Renamed(t.Arguments, "name", name)
	case rpc.MethodComplete:
		if ref := x.params.Get("ref"); x.refKind() == refPrompt {
			t.Arguments = rpc.Replaced(t.Arguments, "ref", rpc.Renamed(ref.Bytes(), "name", name))
		}
	}
}

// locateResource finds the server that lists the resource, or has a template that it fits. Of servers that the caller may
// not read it from, nothing is said.
func (h *Handler) locateResource(ctx context.Context, x *exchange) error {
	caller, err := h.who(x.call)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	permitted := slices.DeleteFunc(slices.Clone(x.endpoint.servers), func(u *upstream.Server) bool {
		ok, _ := h.asks(caller, u.ID, x)
		return !ok
	})
	has, failed := upstream.WhoHas(upstream.ForCaller(ctx, JointListWait), permitted, x.name)
	switch {
	case len(has) == 1:
		x.address(has[0], "")
		return nil
	case len(has) > 1:
		return signalbox.Errorf(signalbox.CodeConflict, "Several MCP servers have the resource: %s.", strings.Join(has, ", ")).WithField("uri").
			WithRemedy("Ask one of them on its own path, such as /mcp/" + has[0] + ".")
	case failed != nil:
		return failed
	}
	return signalbox.Errorf(signalbox.CodeNotFound, "No MCP server lists the resource, or none that you may read it from.").
		WithField("uri").WithRemedy("Use one of the URIs that resources/list gives, or one that a template allows.")
}

// asks asks the policy about the act as it would be on one server.
func (h *Handler) asks(caller signalbox.Caller, server string, x *exchange) (bool, string) {
	if h.permits == nil {
		return true, ""
	}
	return h.permits(caller, server, x.method, x.call.Tool.Arguments)
}
