package mcp

import (
	"slices"

	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// endpoint is the servers behind one of our paths.
type endpoint struct {
	servers []*upstream.Server // In the order of their ids.
	joint   bool
}

// endpoint gives the servers behind the path with that id, of those that exist for the tenant; "" is the path of all servers.
func (h *Handler) endpoint(id, tenant string) (endpoint, error) {
	if id == "" {
		others := func(u *upstream.Server) bool { return !h.exists(u.ID, tenant) }
		return endpoint{servers: slices.DeleteFunc(h.servers.All(), others), joint: true}, nil
	}
	u, err := h.servers.Find(id)
	if err == nil && !h.exists(id, tenant) {
		err = upstream.Unknown(id)
	}
	return endpoint{servers: []*upstream.Server{u}}, err
}

// exists reports whether a server is there for a tenant.
func (h *Handler) exists(server, tenant string) bool {
	return h.servesTo == nil || h.servesTo(server, tenant)
}
