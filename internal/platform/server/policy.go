package server

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// CompilePolicy makes the policy of a configuration, with what is probably not meant in it.
func CompilePolicy(c *config.Config) (*policy.Policy, []policy.Warning, error) {
	described, err := readAPIs(c)
	if err != nil {
		return nil, nil, err
	}
	return compilePolicy(c, described)
}

func compilePolicy(c *config.Config, described apis) (*policy.Policy, []policy.Warning, error) {
	o := policy.Config{Servers: map[string]policy.Server{}, Risk: c.Policy.Risk, Tiers: c.Approvals.Tiers, Rules: c.Approvals.Rules}
	for _, a := range c.Agents {
		o.Agents = append(o.Agents, policy.Agent{ID: a.ID, Role: a.Role, Permissions: a.Permissions})
	}
	for id, m := range c.MCPServers {
		s := policy.Server{Trusted: m.Trusted, Tools: map[string]signalbox.ToolMapping{}}
		for name, mapping := range described.mappings(id, m) {
			if mapping != nil {
				s.Tools[name] = *mapping
			}
		}
		o.Servers[id] = s
	}
	for _, f := range c.Policy.Cedar {
		o.Cedar = append(o.Cedar, policy.File{Name: f.Path, Text: f.Text})
	}
	p, warnings, err := policy.Compile(o)
	return p, append(described.warnings(), warnings...), err
}

// checkPolicy tells the check of configurations what compiling one finds.
func checkPolicy(c *config.Config) ([]config.Warning, error) {
	_, found, err := CompilePolicy(c)
	var list []config.Warning
	for _, w := range found {
		list = append(list, config.Warning{Text: w.Text, Source: w.Source})
	}
	return list, err
}

// permissions are the policy of one runtime.
type permissions struct {
	policy   *policy.Policy
	warnings []policy.Warning
	since    time.Time
}

func (s *Server) newPermissions(c *config.Config, described apis, before *runtime) (*permissions, error) {
	p, warnings, err := compilePolicy(c, described)
	if err != nil {
		return nil, err
	}
	since := s.options.Now().UTC()
	if before != nil && before.permissions.policy.Version() == p.Version() {
		since = before.permissions.since
	}
	return &permissions{policy: p, warnings: warnings, since: since}, nil
}

// startPolicy tells what the policy is.
func (s *Server) startPolicy(ctx context.Context) error {
	s.warn(ctx)
	return s.keepPolicy(ctx)
}

// policyStation decides by a runtime's policy and the grants in force.
func (s *Server) policyStation(p *permissions) call.Station {
	return policy.Station(policy.Options{Policy: func() *policy.Policy { return p.policy }, Grants: s.grants.of})
}

// visibleModel reports whether lists show a model to a caller.
func (s *Server) visibleModel(c signalbox.Caller, model string) (bool, string) {
	d := s.runtimes.current().permissions.policy.Decide(policy.Request{
		Caller: c, Kind: signalbox.KindModel, Model: model, Models: []string{model}, Grants: s.grants.of(c.Tenant, c.Agent),
	})
	return d.Allowed, d.Rule
}

// keepPolicy records the policy in force where it is another than the newest on record: what a version in a record stands
// for can be looked up for ever.
func (s *Server) keepPolicy(ctx context.Context) error {
	s.policies.Lock()
	defer s.policies.Unlock()
	p := s.runtimes.current().permissions
	newest, err := s.data.db.PolicyVersions(ctx, 1)
	if err != nil {
		return err
	}
	version := signalbox.PolicyVersion{Version: p.policy.Version(), Time: p.since, Text: p.policy.Text()}
	detail := map[string]string{"policy": version.Version}
	if len(newest) > 0 {
		if newest[0].Version == version.Version {
			return nil
		}
		detail["before"] = newest[0].Version
	}
	_, err = s.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: p.since, When: signalbox.When{Timestamp: p.since},
		What:    signalbox.What{Action: signalbox.ActionPolicyChanged, ResourceID: version.Version, Detail: detail},
		Context: signalbox.Context{PolicyVersion: version.Version, Replica: s.data.replica},
	}, signalbox.PutPolicyVersion{Version: version})
	return err
}

// policies gives the control API the policy.
type policies struct{ *Server }

// Current gives all that decides now.
func (x policies) Current(context.Context) (api.PolicyInForce, error) {
	r := x.runtimes.current()
	c, p := r.config, r.permissions
	view := api.PolicyInForce{
		Version: p.policy.Version(), Since: p.since, Agents: x.agents(c), Forbids: len(c.Policy.Cedar), Risk: c.Policy.Risk,
		Tiers: policy.DefaultTiers(), Rules: c.Approvals.Rules,
	}
	maps.Copy(view.Tiers, c.Approvals.Tiers)
	for _, server := range slices.Sorted(maps.Keys(c.MCPServers)) {
		tools := r.apis.mappings(server, c.MCPServers[server])
		for _, name := range slices.Sorted(maps.Keys(tools)) {
			view.Tools = append(view.Tools, api.ToolInForce{ID: server + "." + name, Server: server, Mapping: tools[name]})
		}
	}
	for _, w := range p.warnings {
		view.Warnings = append(view.Warnings, api.PolicyWarning{Text: w.Text, Source: w.Source})
	}
	return view, nil
}

// agents are those that are declared, then those that keys are bound to.
func (x policies) agents(c *config.Config) []api.AgentInForce {
	var list []api.AgentInForce
	known := map[string]bool{"": true}
	for _, a := range c.Agents {
		known[a.ID] = true
		list = append(list, api.AgentInForce{ID: a.ID, Role: a.Role, Declared: true, Permissions: a.Permissions})
	}
	var bound []string
	for _, k := range x.keys.ring.List() {
		if !known[k.Agent] {
			known[k.Agent] = true
			bound = append(bound, k.Agent)
		}
	}
	slices.Sort(bound)
	for _, id := range bound {
		list = append(list, api.AgentInForce{ID: id})
	}
	return list
}

// Explain says what would become of a call.
func (x policies) Explain(_ context.Context, q api.PolicyQuestion) (api.PolicyAnswer, error) {
	r := x.runtimes.current()
	e := r.permissions.policy.Explain(Question(q, r.roles[q.Agent], x.grants.of(q.Tenant, q.Agent)))
	if server, _, _ := strings.Cut(q.Tool, "."); q.Tool != "" && !r.config.ServesTo(server, q.Tenant) {
		return absent(e, server), nil
	}
	return Answer(e), nil
}

// absent is the answer about a server that does not exist for the tenant: resolve refuses before the policy is asked.
func absent(e policy.Explanation, server string) api.PolicyAnswer {
	err := upstream.Unknown(server)
	return Answer(policy.Explanation{Decision: policy.Decision{
		PolicyResult: call.PolicyResult{Version: e.Version, Risk: signalbox.RiskHigh, Rule: "the server is not there"}, Message: err.Message,
	}, WouldChange: []string{err.Remedy}})
}

// Question is a question of the control API as a request to the policy.
func Question(q api.PolicyQuestion, role string, grants []signalbox.Grant) policy.Request {
	r := policy.Request{
		Caller:  signalbox.Caller{Tenant: q.Tenant, Agent: q.Agent, AgentRole: role, Role: signalbox.RoleAgent},
		Purpose: q.Purpose, StepKind: q.StepKind, Kind: signalbox.KindModel, Model: q.Model, Grants: grants,
	}
	if q.Tool != "" {
		server, name, _ := strings.Cut(q.Tool, ".")
		r.Kind, r.Tool = signalbox.KindTool, &signalbox.ToolRequest{Server: server, Name: name, Arguments: q.Arguments}
		if len(q.Arguments) == 0 {
			r.Tool.Arguments = []byte("{}")
		}
	}
	return r
}

// Versions gives the policies that were in force.
func (x policies) Versions(ctx context.Context, limit int) ([]signalbox.PolicyVersion, error) {
	return x.data.db.PolicyVersions(ctx, limit)
}

// Version gives one.
func (x policies) Version(ctx context.Context, version string) (signalbox.PolicyVersion, error) {
	return x.data.db.PolicyVersion(ctx, version)
}

// warn shows the operator what is probably not meant in the policy in force.
func (s *Server) warn(ctx context.Context) {
	for _, w := range s.runtimes.current().permissions.warnings {
		s.options.Logger.WarnContext(ctx, "the policy may not be what is meant", "what", w.Text, "where", w.Source)
	}
}
