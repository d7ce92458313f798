package config

import (
	"fmt"
	"maps"
	"slices"
)

// anyClient stands for the clients of a provider that have no entry of their own.
const anyClient = "*"

// callerFields are the keys of an identity provider that say whose tokens make calls.
func callerFields(o *OIDC) []field {
	return []field{
		key("clients", "Clients there whose tokens make calls of the MCP endpoints, by client id; * is every other one that people use.",
			dictOf(&o.Clients, claimValue, clientTable)),
		key("required_scopes", "Scopes that a token needs to make calls.", listOf(&o.RequiredScopes, func(s *string) value { return textInto(s, scopeText) })),
		key("revoked", "Subjects and client ids that are not let in, whatever their tokens say.", listOf(&o.Revoked, func(s *string) value { return textInto(s, label) })),
	}
}

func clientTable(name string, c *OIDCClient) value {
	return object{fields: []field{
		need("agent", "The agent that it is.", textInto(&c.Agent, idText)),
		key("people", "People use it: its tokens stand for them, with tenant, team and role of their claims.", boolean(&c.People)),
		key("tenant", "Its tenant, where that is not the provider's.", textInto(&c.Tenant, refers(aTenant))),
		key("team", "Team that its calls are accounted to.", textInto(&c.Team, label)),
		key("limits", "Request and concurrency limits of it.", limitListTable(&c.Limits)),
		key("budgets", "Budgets of it, or of each run under it (per: run).", budgetListTable(&c.Budgets)),
	}, check: func(s seen) {
		switch {
		case c.People:
			s.refuse("belongs to clients that work by themselves", "tenant", "team", "limits", "budgets")
		case name == anyClient:
			s.problem("people", "is not true, and * stands for clients that people use", "name each client that works by itself")
		}
	}}
}

// checkClients reports what clients need of their provider.
func checkClients(s seen, o *OIDC) {
	once(s, "required_scopes", o.RequiredScopes, "scope")
	once(s, "revoked", o.Revoked, "name")
	for _, name := range slices.Sorted(maps.Keys(o.Clients)) {
		if c := o.Clients[name]; !c.People && c.Tenant == "" && !s.has("tenant") {
			s.problem("clients", fmt.Sprintf("has %q without a tenant, and the provider has none", name), "name the tenant of one of them")
		}
	}
	if len(o.Clients) == 0 {
		s.refuse("belongs to clients", "required_scopes")
	}
}

// machines reports whether all clients of the provider work by themselves, so that nothing has to be said of people.
func (o OIDC) machines() bool {
	for _, c := range o.Clients {
		if c.People {
			return false
		}
	}
	return len(o.Clients) > 0
}
