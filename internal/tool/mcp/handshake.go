package mcp

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// discoverTTL is how long callers may keep what we say of ourselves.
const discoverTTL = time.Minute

// greeting is what a path says of its server in the handshake.
type greeting struct {
	declared     *upstream.Declared // Nil where it is not known, and on the joint path: all that we carry is announced.
	instructions string
	ttl          time.Duration
}

// greet asks the server behind a path what it has to say. It waits no longer than a joint list does, and does not fail: a server that
// says nothing in time must not keep its callers from shaking hands with us. Of servers that are not for the caller nothing is told.
func (h *Handler) greet(ctx context.Context, x *exchange) greeting {
	caller, err := h.who(x.call)
	if x.endpoint.joint || err != nil { // What is wrong with the caller he hears when he asks for something.
		return greeting{ttl: discoverTTL}
	}
	u := x.endpoint.servers[0]
	if h.concerns != nil && !h.concerns(caller, u.ID) {
		return greeting{ttl: discoverTTL}
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	ctx = upstream.ForCaller(ctx, JointListWait)
	d, err := u.Declared(ctx)
	if err != nil {
		h.unlisted(ctx, x, u, err)
		return greeting{} // Who asks again may learn it.
	}
	g := greeting{declared: d, ttl: u.Fresh(d)}
	g.instructions, err = u.Instructions(ctx, d, func(list *upstream.ToolList) bool { return h.uses(caller, u, list) })
	if err != nil {
		h.unlisted(ctx, x, u, err)
		g.ttl = 0
	}
	return g
}

// uses reports whether the caller could use something of a server, which has those tools.
func (h *Handler) uses(caller signalbox.Caller, u *upstream.Server, list *upstream.ToolList) bool {
	for _, method := range []string{rpc.MethodReadResource, rpc.MethodGetPrompt, rpc.MethodComplete} {
		if shown, _ := h.sees(caller, u.ID, method, nil); shown {
			return true
		}
	}
	return slices.ContainsFunc(list.Tools, func(t upstream.Tool) bool {
		shown, _ := h.sees(caller, u.ID, t.Name, t.Annotations)
		return shown
	})
}

// instruct adds a server's instructions.
func (g *greeting) instruct(o *rpc.Object) {
	if g.instructions != "" {
		o.Text("instructions", g.instructions)
	}
}

// discover answers a modern caller who asks what is here.
func (h *Handler) discover(ctx context.Context, x *exchange) json.Value {
	g := h.greet(ctx, x)
	var o, meta rpc.Object
	o.Text("resultType", "complete")
	o.Add("supportedVersions", rpc.Texts(rpc.Versions()))
	o.Add("capabilities", h.capabilities(rpc.ModernVersion, g.declared))
	g.instruct(&o)
	cacheable(&o, g.ttl)
	meta.Add(rpc.MetaServer, h.introduction(x.endpoint))
	o.Add("_meta", meta.Bytes())
	return o.Bytes()
}

// initialize answers the handshake of a legacy caller.
func (h *Handler) initialize(ctx context.Context, x *exchange) (json.Value, error) {
	version, err := x.params.Get("protocolVersion").Text()
	if err != nil {
		return nil, invalid("params.protocolVersion", err)
	}
	if !slices.Contains(rpc.LegacyVersions, version) {
		version = rpc.LegacyVersion
	}
	g := h.greet(ctx, x)
	h.beginSession(x.response.w, x)
	var o rpc.Object
	o.Text("protocolVersion", version)
	o.Add("capabilities", h.capabilities(version, g.declared))
	o.Add("serverInfo", h.introduction(x.endpoint))
	g.instruct(&o)
	return o.Bytes(), nil
}

// capabilities are what we carry of what the server has declared. Tasks of the newest version we have ourselves, for calls that wait for
// people, whatever the server has.
func (h *Handler) capabilities(version string, d *upstream.Declared) json.Value {
	var o rpc.Object
	add := func(capability string, parts ...string) {
		if !d.Has(capability) {
			return
		}
		var own rpc.Object
		for _, part := range parts {
			if d.Has(capability, part) {
				own.Add(part, []byte("true"))
			}
		}
		o.Add(capability, own.Bytes())
	}
	add("tools", "listChanged")
	add("resources", "listChanged", "subscribe")
	add("prompts", "listChanged")
	add("completions")
	if version < rpc.ModernVersion {
		add("logging")
	}
	switch {
	case h.tasks == nil:
	case version == rpc.ModernVersion:
		o.Add("extensions", []byte(`{"`+rpc.ExtensionTasks+`":{}}`))
	case version == rpc.LegacyVersion && d.Tasks():
		o.Add("tasks", []byte(legacyTasks))
	}
	return o.Bytes()
}

// introduction is who we say we are.
func (h *Handler) introduction(e endpoint) json.Value {
	name := "signalbox"
	if !e.joint {
		name += "/" + e.servers[0].ID
	}
	var o rpc.Object
	o.Text("name", name)
	o.Text("version", h.version)
	return o.Bytes()
}

// cacheable adds how long a result may be kept, which is by its caller alone: what one may see another may not.
func cacheable(o *rpc.Object, ttl time.Duration) {
	o.Add("ttlMs", strconv.AppendInt(nil, ttl.Milliseconds(), 10))
	o.Text("cacheScope", cacheScope)
}
