package mcp

// endpoint is the servers behind one of our paths.
type endpoint struct {
	servers []*upstream // In the order of their ids.
	joint   bool
}

// endpoint gives the servers behind the path with that id; "" is the path of all servers.
func (h *Handler) endpoint(id string) (endpoint, error) {
	if id == "" {
		return endpoint{servers: h.servers.all(), joint: true}, nil
	}
	u, err := h.servers.upstream(id)
	return endpoint{servers: []*upstream{u}}, err
}
