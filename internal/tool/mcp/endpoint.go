package mcp

import (
	"slices"

	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// endpoint is the servers behind one of our paths.
type endpoint struct {
	servers []*upstream.Server // In the order of their ids.
	joint   bool
	of      *upstream.Servers // The set that they are from.
}

// endpoint gives the servers behind the path with that id, of those that exist for the tenant; "" is the path of all servers.
func (h *Handler) endpoint(id, tenant string) (endpoint, error) {
	set := h.servers.Current()
	if id == "" {
		others := func(u *upstream.Server) bool { return !h.exists(u.ID, tenant) }
		return endpoint{servers: slices.DeleteFunc(set.All(), others), joint: true, of: set}, nil
	}
	u, err := set.Find(id)
	if err == nil && !h.exists(id, tenant) {
		err = upstream.Unknown(id)
	}
	return endpoint{servers: []*upstream.Server{u}, of: set}, err
}

// closing is closed when the servers end, or when others may have come in their place ([Handler.stays]).
func (e endpoint) closing() <-chan struct{} {
	if e.joint {
		return e.of.Closing()
	}
	return e.servers[0].Closing()
}

// stays reports whether the set in force has the very same servers as the one that has ended. It takes its place then.
func (h *Handler) stays(e *endpoint) bool {
	set := h.servers.Current()
	if !e.joint || set == e.of || !slices.Equal(set.All(), e.of.All()) {
		return false
	}
	e.of = set
	return true
}

// exists reports whether a server is there for a tenant.
func (h *Handler) exists(server, tenant string) bool {
	return h.servesTo == nil || h.servesTo(server, tenant)
}
