package upstream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Servers are the MCP servers of one configuration. The set never changes; one of its servers can be in several. It is a
// [call.Backend] and a [call.Resolver], and safe for concurrent use.
type Servers struct {
	byID   map[string]*Server
	ids    []string
	prices map[string]Config // By id, for what calls cost: that is the set's, while a server can be in several.
	clock  func() time.Time
	closed chan struct{}
	once   sync.Once
}

// New makes the servers; none is connected or started before its first use. Those of Options.Before that are unchanged go on
// in the new set too, as they are. Errors are of code invalid and name the field; then nothing was made or taken over.
func New(o Options) (*Servers, error) {
	configs, err := check(o.Servers)
	if err != nil {
		return nil, err
	}
	s := &Servers{byID: make(map[string]*Server, len(configs)), prices: make(map[string]Config, len(configs)), clock: o.Now, closed: make(chan struct{})}
	for _, c := range configs {
		s.ids = append(s.ids, c.ID)
		s.prices[c.ID] = Config{Price: c.Price, ToolPrices: c.ToolPrices}
		s.byID[c.ID] = o.server(c)
	}
	slices.Sort(s.ids)
	return s, nil
}

// server gives the server that goes on, or makes one.
func (o Options) server(c Config) *Server {
	if o.Before != nil && o.Unchanged(c.ID) {
		if u := o.Before.byID[c.ID]; u != nil && u.take() {
			if c.Authorizer != nil { // It has one.
				c.Authorizer.Close()
			}
			return u
		}
	}
	return newServer(c, o)
}

// check checks and completes the configuration of all servers.
func check(list []Config) ([]Config, error) {
	var configs []Config
	ids := map[string]bool{}
	begins := map[string]string{} // Ids, by how their joint names begin.
	for _, server := range list {
		complete, err := server.complete()
		if err != nil {
			return nil, err
		}
		if ids[server.ID] {
			return nil, signalbox.Errorf(signalbox.CodeInvalid, "Two MCP servers have the id %q.", server.ID).
				WithField("mcp_servers." + server.ID).WithRemedy("Rename one of them.")
		}
		begin := jointBegin(server.ID)
		if other := begins[begin]; other != "" { // Else a tool of one could be made to be called by a name of the other's.
			return nil, signalbox.Errorf(signalbox.CodeInvalid, "The MCP servers %q and %q have ids that agree in all that joint names have of them.", other, server.ID).
				WithField("mcp_servers." + server.ID).WithRemedy("Give one of them a shorter id.")
		}
		ids[server.ID], begins[begin] = true, server.ID
		configs = append(configs, complete)
	}
	return configs, nil
}

// Current gives the set itself: one that nothing replaces is always the one in force.
func (s *Servers) Current() *Servers { return s }

// IDs lists the servers' ids.
func (s *Servers) IDs() []string { return slices.Clone(s.ids) }

// All gives the servers in the order of their ids.
func (s *Servers) All() []*Server {
	list := make([]*Server, 0, len(s.ids))
	for _, id := range s.ids {
		list = append(list, s.byID[id])
	}
	return list
}

// Now gives the time, by the clock of the options.
func (s *Servers) Now() time.Time { return s.clock() }

// Closing is closed when Close is called. Servers of the set can go on in another one.
func (s *Servers) Closing() <-chan struct{} { return s.closed }

// Close ends the connections and children of those servers that are in no other set, and returns when they have ended. Their
// calls that are under way fail.
func (s *Servers) Close() {
	s.once.Do(func() {
		close(s.closed)
		var wg sync.WaitGroup
		for _, u := range s.byID {
			wg.Go(u.release)
		}
		wg.Wait()
	})
}

// Backends gives the backend of each server's id, which is the candidates' provider.
func (s *Servers) Backends() map[string]call.Backend {
	backends := make(map[string]call.Backend, len(s.byID))
	for id := range s.byID {
		backends[id] = s
	}
	return backends
}

// Resolve gives the one candidate for a call of kind tool, and no route. Errors: not_found, upstream or timeout where the
// server's tools can not be known, cancelled. That the tool is held is a refusal of the candidate. What tools there are is not said: it is for the policy to say who may know.
func (s *Servers) Resolve(ctx context.Context, t *call.Track) (string, []signalbox.Candidate, error) {
	tool := t.Call.Tool
	u, err := s.Find(tool.Server)
	if err != nil {
		return "", nil, err
	}
	if rpc.Reserved(tool.Name) {
		return "", []signalbox.Candidate{{
			Name: tool.ID(), Provider: u.ID, ProviderName: u.ID, Format: signalbox.ProtocolMCP, Upstream: tool.Name, Price: s.prices[u.ID].priceOf(tool.Name),
		}}, nil
	}
	list, err := u.Tools(ctx)
	if err != nil {
		return "", nil, err
	}
	listed, ok := list.find(tool.Name)
	if !ok {
		return "", nil, signalbox.Errorf(signalbox.CodeNotFound, "The MCP server %q has no tool %q.", u.ID, rpc.Clip(tool.Name)).
			WithField("name").WithRemedy("Use one of the names that tools/list gives, exactly as they are written there.")
	}
	return "", []signalbox.Candidate{{
		Name: tool.ID(), Provider: u.ID, ProviderName: u.ID, Format: signalbox.ProtocolMCP, Upstream: tool.Name,
		Price: s.prices[u.ID].priceOf(tool.Name), Annotations: listed.Annotations, Schema: listed.schema,
		Refusal: u.refusal(ctx, &listed, tool),
	}}, nil
}

// refusal is why a call can not be made, where that is known before it is sent. Who may not make it does not learn it: the
// policy is asked first.
func (u *Server) refusal(ctx context.Context, t *Tool, r *signalbox.ToolRequest) *signalbox.Error {
	if err := u.withheld(t); err != nil {
		return signalbox.AsError(err)
	}
	if u.API != nil && u.API.Tool(r.Name) != nil {
		return u.API.Tool(r.Name).Refuse(r.Arguments)
	}
	return mismatch(ctx, t, r)
}

// Find gives the server of an id, or the error of [Unknown].
func (s *Servers) Find(id string) (*Server, error) {
	if u := s.byID[id]; u != nil {
		return u, nil
	}
	return nil, Unknown(id)
}

// Unknown is the error, of code not_found, for a server that is not there. Which others there are is not said: it is for the
// policy to say who may know.
func Unknown(id string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeNotFound, "There is no MCP server %q.", rpc.Clip(id)).WithField("server").
		WithRemedy("Use the id of a server exactly as the operator has written it in mcp_servers.")
}
