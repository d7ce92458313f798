package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/registry"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// SearchWait is how long a search waits for servers to list their tools. One that comes later is in the next search.
const SearchWait = 2 * time.Second

// maxDescription is how many characters a search shows of what a server says of a tool.
const maxDescription = 1000

// search looks for words in the tools that a caller could use, and in the agents of his tenant.
func (s *Server) search(ctx context.Context, c signalbox.Caller, words string) ([]api.Found, []api.Missing) {
	r := s.runtimes.enter()
	defer r.leave()
	c.AgentRole = r.roles[c.Agent]
	found, missing := s.searchTools(ctx, r, c)
	found = append(found, s.agents(r.config, c)...)
	entries, byID := make([]registry.Entry, 0, len(found)), map[registry.Place]*api.Found{}
	for i := range found {
		f := &found[i]
		e := registry.Entry{Kind: f.Kind, ID: f.ID, Names: []string{f.Name}}
		if f.Title != nil {
			e.Names = append(e.Names, *f.Title)
		}
		if f.Description != nil {
			e.Text = *f.Description
		}
		entries = append(entries, e)
		byID[registry.Place{Kind: f.Kind, ID: f.ID}] = f
	}
	var hits []api.Found
	for _, hit := range registry.Search(words, entries) {
		f := *byID[registry.Place{Kind: hit.Kind, ID: hit.ID}]
		f.Place = hit.Place()
		hits = append(hits, f)
	}
	return hits, missing
}

// searchTools gives the tools that a caller could use, and who could not be asked in time.
func (s *Server) searchTools(ctx context.Context, r *runtime, c signalbox.Caller) ([]api.Found, []api.Missing) {
	servers := s.reachable(c)
	lists, errs := make([][]upstream.Offer, len(servers)), make([]error, len(servers))
	ctx, cancel := context.WithTimeout(ctx, SearchWait)
	defer cancel()
	var wg sync.WaitGroup
	for i, one := range servers {
		wg.Go(func() { lists[i], errs[i] = r.tools.servers.Offers(upstream.ForCaller(ctx, SearchWait), one.ID) })
	}
	wg.Wait()
	var found []api.Found
	var missing []api.Missing
	for i, one := range servers {
		if errs[i] != nil {
			s.options.Logger.WarnContext(ctx, "an MCP server could not be searched", "server", one.ID, "error", errs[i])
			missing = append(missing, api.Missing{Server: one.ID, Code: signalbox.CodeOf(errs[i])})
		}
		for j := range lists[i] {
			if shown, _ := s.visible(c, one.ID, lists[i][j].Name, lists[i][j].Annotations); shown {
				found = append(found, foundTool(r, one.ID, &lists[i][j]))
			}
		}
	}
	return found, missing
}

func foundTool(r *runtime, server string, t *upstream.Offer) api.Found {
	f := api.Found{
		Kind: registry.KindTool, ID: server + "." + t.Name, Server: &server, Name: t.Name, Title: api.OrNull(clipText(t.Title)),
		Description: api.OrNull(clipText(t.Description)), Held: &t.Held,
	}
	f.Operation = api.OrNull(r.permissions.policy.Operation(server, t.Name, t.Annotations))
	if t.Price != nil {
		f.Price = api.OrNull(t.Price.PerCall.String())
	}
	return f
}

func clipText(text string) string {
	letters := []rune(text)
	return string(letters[:min(len(letters), maxDescription)])
}

// agents are those of the configuration as which callers of the tenant may act: one that a key is bound to or, where a key
// is bound to none, all. Who sees all tenants sees all agents.
func (s *Server) agents(conf *config.Config, c signalbox.Caller) []api.Found {
	bound, free := s.boundAgents(conf, c.Tenant)
	free = free || slices.Contains([]signalbox.Role{signalbox.RoleAuditor, signalbox.RoleOperator, signalbox.RoleAdmin}, c.Role)
	var found []api.Found
	for _, a := range conf.Agents {
		if free || bound[a.ID] {
			name := a.Name
			if name == "" {
				name = a.ID
			}
			found = append(found, api.Found{Kind: registry.KindAgent, ID: a.ID, Name: name, Description: api.OrNull(a.Role)})
		}
	}
	return found
}

// boundAgents gives the agents that keys of a tenant and clients of its identity providers are bound to, and whether some
// may act as any agent.
func (s *Server) boundAgents(conf *config.Config, tenant string) (bound map[string]bool, free bool) {
	bound = map[string]bool{}
	for _, k := range s.keys.ring.List() {
		if k.Tenant == tenant && k.Role != signalbox.RoleApprover && k.Role != signalbox.RoleAuditor && k.Revoked.IsZero() {
			bound[k.Agent] = true
		}
	}
	for _, p := range conf.OIDC {
		for _, client := range p.Clients {
			if at := client.Tenant; at == tenant || at == "" && (p.Tenant == tenant || p.TenantClaim != "") {
				bound[client.Agent] = true
			}
		}
	}
	return bound, bound[""]
}
