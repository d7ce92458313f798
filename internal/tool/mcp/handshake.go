package mcp

import (
	"slices"
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// discoverTTL is how long callers may keep what we say of ourselves.
const discoverTTL = time.Minute

// discover answers a modern caller who asks what is here. It needs no upstream.
func (h *Handler) discover(x *exchange) json.Value {
	var o, meta object
	o.text("resultType", "complete")
	o.add("supportedVersions", texts(append([]string{modernVersion}, legacyVersions...)))
	o.add("capabilities", h.capabilities(true))
	cacheable(&o, discoverTTL)
	meta.add(metaServer, h.introduction(x.endpoint))
	o.add("_meta", meta.bytes())
	return o.bytes()
}

// initialize answers the handshake of a legacy caller. It needs no upstream.
func (h *Handler) initialize(x *exchange) (json.Value, error) {
	version, err := x.params.Get("protocolVersion").Text()
	if err != nil {
		return nil, invalid("params.protocolVersion", err)
	}
	if !slices.Contains(legacyVersions, version) {
		version = legacyVersion
	}
	h.beginSession(x.response.w, x)
	var o object
	o.text("protocolVersion", version)
	o.add("capabilities", h.capabilities(false))
	o.add("serverInfo", h.introduction(x.endpoint))
	return o.bytes(), nil
}

// capabilities are what every endpoint can do; a server that lacks one has empty lists.
func (h *Handler) capabilities(modern bool) json.Value {
	var o object
	o.add("tools", []byte(`{"listChanged":true}`))
	o.add("resources", []byte(`{"listChanged":true,"subscribe":true}`))
	o.add("prompts", []byte(`{"listChanged":true}`))
	o.add("completions", []byte("{}"))
	switch {
	case !modern:
		o.add("logging", []byte("{}"))
	case h.tasks != nil:
		o.add("extensions", []byte(`{"`+ExtensionTasks+`":{}}`))
	}
	return o.bytes()
}

// introduction is who we say we are.
func (h *Handler) introduction(e endpoint) json.Value {
	name := "signalbox"
	if !e.joint {
		name += "/" + e.servers[0].ID
	}
	var o object
	o.text("name", name)
	o.text("version", h.version)
	return o.bytes()
}

// cacheable adds how long a result may be kept, which is by its caller alone: what one may see another may not.
func cacheable(o *object, ttl time.Duration) {
	o.add("ttlMs", strconv.AppendInt(nil, ttl.Milliseconds(), 10))
	o.text("cacheScope", cacheScope)
}
