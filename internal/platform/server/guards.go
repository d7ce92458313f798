package server

import (
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// Guards are what the guard does, by server and tool.
type Guards map[string]serverGuard

// serverGuard is what the guard does about calls of one server.
type serverGuard struct {
	own   *guard.Rules
	tools map[string]*guard.Rules // That differ.
}

// NewGuards makes the rules of a configuration.
func NewGuards(c *config.Config) Guards {
	g := Guards{}
	for id, server := range c.MCPServers {
		s := serverGuard{own: guard.NewRules(server.Guard), tools: map[string]*guard.Rules{}}
		for name := range server.Tools {
			s.tools[name] = guard.NewRules(server.GuardOf(name))
		}
		g[id] = s
	}
	return g
}

// Rules gives those for a tool of a server; nil: nobody looks.
func (g Guards) Rules(server, tool string) *guard.Rules {
	s := g[server]
	if rules, differs := s.tools[tool]; differs {
		return rules
	}
	return s.own
}

// guardStation looks at what goes to tool servers and comes back. What the policy of the same runtime has permitted must
// stay what the call acts on.
func guardStation(c *config.Config, p *permissions) call.Station {
	return guard.Station(guard.Options{
		Rules: NewGuards(c).Rules,
		Same: func(t *call.Track, arguments []byte) bool {
			var annotations *signalbox.Annotations
			if len(t.Resolve.Candidates) > 0 {
				annotations = t.Resolve.Candidates[0].Annotations
			}
			edited := *t.Call.Tool
			edited.Arguments = arguments
			accesses, err := p.policy.Accesses(edited, annotations)
			return err == nil && slices.Equal(accesses, t.Policy.Accesses)
		},
	})
}
