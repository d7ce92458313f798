package server

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/tool/openapi"
)

// apis are the HTTP APIs that stand for tool servers, compiled, by the servers' ids.
type apis map[string]*openapi.API

// readAPIs compiles the documents of a configuration. The error names the server.
func readAPIs(c *config.Config) (apis, error) {
	all := apis{}
	for _, id := range slices.Sorted(maps.Keys(c.MCPServers)) {
		m := c.MCPServers[id]
		if m.OpenAPI.Path == "" {
			continue
		}
		api, err := openapi.Read([]byte(m.OpenAPI.Text), fixed(m))
		if err != nil {
			return nil, signalbox.AsError(err).WithField("mcp_servers." + id + ".openapi")
		}
		for _, name := range slices.Sorted(maps.Keys(m.Tools)) {
			if api.Tool(name) == nil {
				return nil, signalbox.Errorf(signalbox.CodeInvalid, "The OpenAPI document of %q has no operation that makes a tool %q.", id, name).
					WithField("mcp_servers." + id + ".tools." + name).WithRemedy("Write one of: " + toolNames(api) + ".")
			}
		}
		all[id] = api
	}
	return all, nil
}

// fixed are the names that the configuration sends with each request.
func fixed(m config.MCPServer) openapi.Options {
	o := openapi.Options{Headers: slices.Sorted(maps.Keys(m.Headers))}
	if m.IdempotencyHeader {
		o.Headers = append(o.Headers, "Idempotency-Key")
	}
	if u, err := url.Parse(m.URL.Reveal()); err == nil {
		o.Query = slices.Sorted(maps.Keys(u.Query()))
	}
	return o
}

func toolNames(api *openapi.API) string {
	const most = 20
	var names []string
	for _, t := range api.Tools {
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// mappings gives what is known of the tools of a server: what is declared, and for an HTTP API what its methods and paths
// say where nothing else is declared. Nil is a tool of which only the price is.
func (a apis) mappings(id string, m config.MCPServer) map[string]*signalbox.ToolMapping {
	all := map[string]*signalbox.ToolMapping{}
	for name, tool := range m.Tools {
		all[name] = tool.Mapping
	}
	if a[id] == nil {
		return all
	}
	for _, t := range a[id].Tools {
		mapping := t.Mapping()
		mapping.Source = "mcp_servers." + id + ".openapi"
		if declared := all[t.Name]; declared != nil {
			mapping.Operation, mapping.Source = cmp.Or(declared.Operation, mapping.Operation), declared.Source
			if len(declared.Resources) > 0 {
				mapping.Path, mapping.Resources = "", declared.Resources
			}
		}
		all[t.Name] = &mapping
	}
	return all
}

// warnings are what of the documents is not built.
func (a apis) warnings() []policy.Warning {
	var list []policy.Warning
	for _, id := range slices.Sorted(maps.Keys(a)) {
		for _, text := range a[id].Warnings {
			list = append(list, policy.Warning{Text: text, Source: "mcp_servers." + id + ".openapi"})
		}
	}
	return list
}
