package server

import (
	"maps"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// toolServers gives the control API the MCP servers.
type toolServers struct{ *Server }

// List tells how it stands with each server.
func (x toolServers) List() []api.ServerState {
	r := x.runtimes.current()
	states := r.tools.servers.States()
	list := make([]api.ServerState, len(states))
	for i, s := range states {
		c := r.config.MCPServers[s.Server]
		list[i] = api.ServerState{
			ID: s.Server, Kind: kindOf(c), Connection: connectionOf(s.Connection), Failure: s.Failure, Breaker: string(s.Breaker), Failures: s.Failures,
			Until: s.Until, InFlight: s.InFlight, Places: s.Places, Declined: s.Declined, Sessions: s.Sessions, Protocol: s.Version, Modern: s.Modern,
			Credential: credentialOf(c), Price: api.OrNull(c.Price.PerCall),
		}
		if s.Listed >= 0 {
			list[i].Listed = &s.Listed
		}
	}
	return list
}

func kindOf(c config.MCPServer) api.ServerKind {
	switch {
	case len(c.Command) > 0:
		return api.ServerChild
	case c.OpenAPI.Path != "":
		return api.ServerOpenAPI
	}
	return api.ServerHTTP
}

func connectionOf(c upstream.Connection) api.ConnectionState {
	switch c {
	case upstream.Connected:
		return api.ConnectionReady
	case upstream.Connecting:
		return api.ConnectionConnecting
	case upstream.Broken:
		return api.ConnectionUnreachable
	case upstream.Idle:
	}
	return api.ConnectionIdle
}

// credentialOf says what is shown to a server, and nothing of it.
func credentialOf(c config.MCPServer) string {
	switch {
	case c.Credential != nil:
		return c.Credential.Grant
	case len(c.Headers) > 0:
		return "headers"
	}
	return "none"
}

// Declared names the tools of which the configuration or the description of an API says something.
func (x toolServers) Declared(server string) []string {
	r := x.runtimes.current()
	return slices.Collect(maps.Keys(r.apis.mappings(server, r.config.MCPServers[server])))
}

// Rules gives what decides about tools of a server.
func (x toolServers) Rules(server string) api.ToolJudge {
	r := x.runtimes.current()
	c, p := r.config.MCPServers[server], r.permissions.policy
	mappings, agents := r.apis.mappings(server, c), policies(x).agents(r.config)
	return func(tool string, a *signalbox.Annotations, who bool) api.ToolRules {
		rules := api.ToolRules{Mapping: mappings[tool], Operations: p.Operations(server, tool, a), Price: priceOf(c, tool)}
		if !who {
			return rules
		}
		for _, agent := range agents {
			caller := signalbox.Caller{Agent: agent.ID, AgentRole: r.roles[agent.ID], Role: signalbox.RoleAgent}
			if may, rule := p.Visible(caller, server, tool, a); may {
				rules.Agents = append(rules.Agents, api.ToolAgent{Agent: agent.ID, Rule: rule})
			} else {
				rules.Others++
			}
		}
		return rules
	}
}

// priceOf is what a call costs; nil where nobody has said. The server's price is not one of acts other than calls of tools.
func priceOf(c config.MCPServer, tool string) *signalbox.Money {
	if own := c.Tools[tool].Price; own != nil {
		return &own.PerCall
	}
	if rpc.Reserved(tool) {
		return nil
	}
	return api.OrNull(c.Price.PerCall)
}
