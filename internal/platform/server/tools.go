package server

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/mcp"
)

// tools are the parts of the tool layer.
type tools struct {
	servers *mcp.Servers
	users   atomic.Int64 // Runtimes.
}

// release ends the servers with the last runtime that uses them.
func (t *tools) release() {
	if t.users.Add(-1) == 0 {
		t.servers.Close()
	}
}

func (s *Server) newTools(c *config.Config, before *runtime) (*tools, error) {
	if before != nil && config.SameServers(before.config.MCPServers, c.MCPServers) {
		before.tools.users.Add(1)
		return before.tools, nil
	}
	o := mcp.Options{Version: s.options.Version, Logger: s.options.Logger, Now: s.options.Now}
	for _, id := range slices.Sorted(maps.Keys(c.MCPServers)) {
		o.Servers = append(o.Servers, toolServer(id, c.MCPServers[id]))
	}
	servers, err := mcp.New(o)
	if err != nil {
		return nil, err
	}
	t := &tools{servers: servers}
	t.users.Store(1)
	return t, nil
}

func toolServer(id string, c config.MCPServer) mcp.Server {
	out := mcp.Server{
		ID: id, URL: c.URL.Reveal(), Headers: reveal(c.Headers), Command: c.Command, Env: reveal(c.Env),
		ConnectTimeout: c.Timeouts.Connect, CallTimeout: c.Timeouts.Total,
	}
	if c.Price.PerCall > 0 {
		out.Price = &signalbox.Price{Rates: signalbox.Rates{PerCall: c.Price.PerCall}, Source: "config"}
	}
	for name, tool := range c.Tools {
		if tool.Price == nil {
			continue
		}
		if out.ToolPrices == nil {
			out.ToolPrices = map[string]signalbox.Money{}
		}
		out.ToolPrices[name] = tool.Price.PerCall
	}
	return out
}

// health names the servers. They are connected when they are first used, and asked nothing before.
func (t *tools) health() []api.Component {
	var list []api.Component
	for _, id := range t.servers.IDs() {
		list = append(list, api.Component{Name: "mcp " + id, Status: statusOK, Detail: "configured"})
	}
	return list
}
