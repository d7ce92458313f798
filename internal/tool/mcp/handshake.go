package mcp

import (
	"slices"
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// discoverTTL is how long callers may keep what we say of ourselves.
const discoverTTL = time.Minute

// discover answers a modern caller who asks what is here. It needs no upstream.
func (h *Handler) discover(x *exchange) json.Value {
	var o, meta rpc.Object
	o.Text("resultType", "complete")
	o.Add("supportedVersions", rpc.Texts(rpc.Versions()))
	o.Add("capabilities", h.capabilities(rpc.ModernVersion))
	cacheable(&o, discoverTTL)
	meta.Add(rpc.MetaServer, h.introduction(x.endpoint))
	o.Add("_meta", meta.Bytes())
	return o.Bytes()
}

// initialize answers the handshake of a legacy caller. It needs no upstream.
func (h *Handler) initialize(x *exchange) (json.Value, error) {
	version, err := x.params.Get("protocolVersion").Text()
	if err != nil {
		return nil, invalid("params.protocolVersion", err)
	}
	if !slices.Contains(rpc.LegacyVersions, version) {
		version = rpc.LegacyVersion
	}
	h.beginSession(x.response.w, x)
	var o rpc.Object
	o.Text("protocolVersion", version)
	o.Add("capabilities", h.capabilities(version))
	o.Add("serverInfo", h.introduction(x.endpoint))
	return o.Bytes(), nil
}

// capabilities are what every endpoint can do; a server that lacks one has empty lists.
func (h *Handler) capabilities(version string) json.Value {
	var o rpc.Object
	o.Add("tools", []byte(`{"listChanged":true}`))
	o.Add("resources", []byte(`{"listChanged":true,"subscribe":true}`))
	o.Add("prompts", []byte(`{"listChanged":true}`))
	o.Add("completions", []byte("{}"))
	if version < rpc.ModernVersion {
		o.Add("logging", []byte("{}"))
	}
	switch {
	case h.tasks == nil:
	case version == rpc.ModernVersion:
		o.Add("extensions", []byte(`{"`+rpc.ExtensionTasks+`":{}}`))
	case version == rpc.LegacyVersion:
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
