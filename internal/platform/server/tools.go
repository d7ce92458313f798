package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/credential"
	"github.com/signalbox/signalbox/internal/tool/openapi"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// tools are the parts of the tool layer.
type tools struct {
	servers *upstream.Servers
}

// tenantTools are the servers as the callers of each tenant know them.
type tenantTools struct {
	servers *upstream.Servers
	config  *config.Config
}

// Resolve gives the candidate of a call. A server that does not exist for the caller's tenant is refused like one that nobody
// has configured.
func (t tenantTools) Resolve(ctx context.Context, track *call.Track) (string, []signalbox.Candidate, error) {
	if server := track.Call.Tool.Server; !t.config.ServesTo(server, track.Gate.Caller.Tenant) {
		return "", nil, upstream.Unknown(server)
	}
	return t.servers.Resolve(ctx, track)
}

// newTools makes the tool layer of a configuration. Servers that the runtime before has, and whose connections are configured
// alike, go on as they are.
func (s *Server) newTools(c *config.Config, described apis, before *runtime) (*tools, error) {
	o := upstream.Options{Version: s.options.Version, Logger: s.options.Logger, Now: s.options.Now, Pins: s.pins, MayAsk: s.mayAsk}
	if before != nil {
		o.Before = before.tools.servers
		o.Unchanged = func(id string) bool { return config.SameConnection(before.config.MCPServers[id], c.MCPServers[id]) }
	}
	for _, id := range slices.Sorted(maps.Keys(c.MCPServers)) {
		one := toolServer(id, c.MCPServers[id], described[id])
		if c := c.MCPServers[id].Credential; c != nil {
			one.Authorizer = credential.New(s.credential(one, *c))
		}
		o.Servers = append(o.Servers, one)
	}
	servers, err := upstream.New(o)
	if err != nil {
		return nil, err
	}
	return &tools{servers}, nil
}

// mayAsk reports whether a server may ask some agent something, such as to elicit input of its user.
func (s *Server) mayAsk(server, method string) bool {
	r := s.runtimes.current()
	return slices.ContainsFunc(r.config.Agents, func(a config.Agent) bool {
		ok, _ := r.permissions.policy.Visible(signalbox.Caller{Agent: a.ID}, server, method, nil)
		return ok
	})
}

func toolServer(id string, c config.MCPServer, api *openapi.API) upstream.Config {
	out := upstream.Config{
		ID: id, URL: c.URL.Reveal(), Card: c.Card.Reveal(), CardOrigins: c.CardOrigins, API: api, Headers: reveal(c.Headers), Command: c.Command, Env: reveal(c.Env), Asks: c.Asks,
		ConnectTimeout: c.Timeouts.Connect, CallTimeout: c.Timeouts.Total, PlaceWait: c.Timeouts.Place,
		Baggage: c.Baggage, IdempotencyHeader: c.IdempotencyHeader, MaxCalls: int(c.MaxCalls), Breaker: upstream.DefaultBreaker(), Limits: upstream.Limits(c.Limits),
	}
	out.Breaker.Failures, out.Breaker.Within, out.Breaker.Pause = int(c.Breaker.Failures), c.Breaker.Within, c.Breaker.Pause
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

// credential says how the tokens for a server are got.
func (s *Server) credential(server upstream.Config, c config.Credential) credential.Config {
	return credential.Config{
		Server: server.ID, URL: server.URL, Grant: credential.Grant(c.Grant), TokenURL: c.TokenURL.Reveal(), Issuer: c.Issuer.Reveal(),
		ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), Auth: credential.Auth(c.Auth), Scopes: c.Scopes,
		Resource: c.Resource, Audience: c.Audience, SubjectToken: c.SubjectToken.Reveal(), Now: s.options.Now,
	}
}

// health says how it stands with the servers. They are connected when they are first used, and asked nothing for this.
func (t *tools) health() []api.Component {
	var list []api.Component
	for _, state := range t.servers.States() {
		list = append(list, toolHealth(state))
	}
	return list
}

// toolHealth is down where calls are refused at once, and degraded where the next one may fail or have to wait.
func toolHealth(s upstream.State) api.Component {
	c := api.Component{Name: "mcp " + s.Server, Status: statusOK, Server: s.Server}
	detail := []string{connectionText(s)}
	if s.InFlight > 0 {
		detail = append(detail, fmt.Sprintf("%d of %d calls in flight", s.InFlight, s.Places))
	}
	if s.Failures > 0 {
		detail = append(detail, fmt.Sprintf("the last %d calls failed", s.Failures))
	}
	switch s.Breaker {
	case breaker.Open:
		c.Status = statusDown
		detail = append(detail, "calls are refused for a while")
	case breaker.HalfOpen:
		c.Status = statusDegraded
		detail = append(detail, "the next call is a probe")
	case breaker.Closed:
		if s.Connection == upstream.Broken || s.InFlight == s.Places {
			c.Status = statusDegraded
		}
	}
	c.Detail = strings.Join(detail, "; ")
	return c
}

func connectionText(s upstream.State) string {
	switch s.Connection {
	case upstream.Connected, upstream.Connecting:
		return string(s.Connection)
	case upstream.Broken:
		return "not connected: " + s.Failure
	case upstream.Idle:
	}
	return "configured, not connected yet"
}

// toolMetrics shows the state of the servers, of the configuration that is in force.
func (s *Server) toolMetrics() error {
	states := func() []upstream.State { return s.runtimes.current().tools.servers.States() }
	gauge := func(name, description string, value func(upstream.State) int64) error {
		return s.telemetry.GaugeBy("signalbox.mcp."+name, description, "server", func(show func(string, int64)) {
			for _, state := range states() {
				show(state.Server, value(state))
			}
		})
	}
	steps := map[breaker.State]int64{breaker.Closed: 0, breaker.HalfOpen: 1, breaker.Open: 2}
	return errors.Join(
		gauge("connected", "1 where there is a session with the MCP server.", func(s upstream.State) int64 {
			if s.Connection == upstream.Connected {
				return 1
			}
			return 0
		}),
		gauge("breaker", "Of an MCP server's calls: 0 closed, 1 half open, 2 open.", func(s upstream.State) int64 { return steps[s.Breaker] }),
		gauge("in_flight", "Calls of an MCP server under way.", func(s upstream.State) int64 { return int64(s.InFlight) }),
		gauge("places", "Calls of an MCP server that may be under way.", func(s upstream.State) int64 { return int64(s.Places) }),
		gauge("declined", "Calls of an MCP server turned away, for want of a place or in a pause, since it was configured.", func(s upstream.State) int64 { return s.Declined }),
		gauge("asking", "Calls of an MCP server that are held open while their callers are asked.", func(state upstream.State) int64 { return int64(s.held.Held()[state.Server]) }),
		gauge("sessions", "Sessions begun with an MCP server since it was configured; with a command, starts of it.", func(s upstream.State) int64 { return s.Sessions }),
	)
}
