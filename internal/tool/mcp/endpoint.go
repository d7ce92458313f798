package mcp

import "github.com/signalbox/signalbox/internal/tool/upstream"

// endpoint is the servers behind one of our paths.
type endpoint struct {
	servers []*upstream.Server // In the order of their ids.
	joint   bool
}

// endpoint gives the servers behind the path with that id; "" is the path of all servers.
func (h *Handler) endpoint(id string) (endpoint, error) {
	if id == "" {
		return endpoint{servers: h.servers.All(), joint: true}, nil
	}
	u, err := h.servers.Find(id)
	return endpoint{servers: []*upstream.Server{u}}, err
}
