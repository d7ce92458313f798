package server

import (
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// guards are what the guard does, by server and tool.
type guards map[string]serverGuard

// serverGuard is what the guard does about calls of one server.
type serverGuard struct {
	own   *guard.Rules
	tools map[string]*guard.Rules // That differ.
}

// newGuards makes the rules of a configuration.
func newGuards(c *config.Config) guards {
	g := guards{}
	for id, server := range c.MCPServers {
		s := serverGuard{own: guard.NewRules(server.Guard), tools: map[string]*guard.Rules{}}
		for name := range server.Tools {
			s.tools[name] = guard.NewRules(server.GuardOf(name))
		}
		g[id] = s
	}
	return g
}

// rules gives those for a tool of a server; nil: nobody looks.
func (g guards) rules(server, tool string) *guard.Rules {
	s := g[server]
	if rules, differs := s.tools[tool]; differs {
		return rules
	}
	return s.own
}

// guardStation looks at what goes to tool servers and comes back. What the policy of the same runtime has permitted must
// stay what the call acts on.
func guardStation(g guards, p *permissions) call.Station {
	return guard.Station(guard.Options{
		Rules: g.rules,
		Same: func(t *call.Track, arguments []byte) bool {
			var annotations *signalbox.Annotations
			if len(t.Resolve.Candidates) > 0 {
				annotations = t.Resolve.Candidates[0].Annotations
			}
			return sameAccesses(p.policy, *t.Call.Tool, annotations, arguments, t.Policy.Accesses)
		},
	})
}

// sameAccesses reports whether a call of a tool with other arguments has these accesses.
func sameAccesses(p *policy.Policy, r signalbox.ToolRequest, a *signalbox.Annotations, arguments []byte, want []signalbox.Access) bool {
	r.Arguments = arguments
	got, err := p.Accesses(r, a)
	return err == nil && slices.Equal(got, want)
}

// GuardTrial is what the guard would do about a document.
type GuardTrial struct {
	Action   signalbox.GuardAction
	Findings []guard.Finding
	Passes   []byte // What would pass in its place.
	Err      error  // Of code blocked: why nothing would.
}

// TryGuard says what the guard of a configuration would do about the arguments of a tool, or about a result of it. The error
// is of code not_found where there is no such server.
func TryGuard(c *config.Config, tool signalbox.ToolRequest, result bool) (GuardTrial, error) {
	if _, known := c.MCPServers[tool.Server]; !known {
		return GuardTrial{}, signalbox.Errorf(signalbox.CodeNotFound, "The configuration has no MCP server %q.", tool.Server).
			WithField("tool").WithRemedy("Name one of mcp_servers, and its tool, as server.tool.")
	}
	p, _, err := CompilePolicy(c)
	if err != nil {
		return GuardTrial{}, err
	}
	rules := newGuards(c).rules(tool.Server, tool.Name)
	arguments, results := rules.Actions()
	if result {
		passes, done, err := rules.Result(tool.Server, tool.Arguments)
		return GuardTrial{results, done.Findings, passes, err}, nil
	}
	accesses, err := p.Accesses(tool, nil)
	if err != nil {
		return GuardTrial{}, err
	}
	passes, done, err := rules.Arguments(tool.Server, tool.Arguments, func(arguments []byte) bool {
		return sameAccesses(p, tool, nil, arguments, accesses)
	})
	return GuardTrial{arguments, done.Findings, passes, err}, nil
}
