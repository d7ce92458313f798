package policy_test

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

func TestRiskAndApprovers(t *testing.T) {
	everything := may(permission("*", "rwd", "*"))
	strict := may(permission("*", "rwd", "*"))
	strict.RequiresApproval = true
	nobody := map[signalbox.Risk]signalbox.Requirement{signalbox.RiskLow: {}, signalbox.RiskMedium: {}, signalbox.RiskHigh: {}}
	three := signalbox.Requirement{Approvers: 3, Role: signalbox.RoleOperator}
	read, write, remove := `{"path":"a"}`, `{"path":"a"}`, `{"paths":["a"]}`
	grant := []signalbox.Grant{{ID: "grant_1", Tenant: "acme", Agent: "any", Tool: "files.*"}, {ID: "grant_2", Tenant: "acme", Agent: "bare", Tool: "*"}}
	of := func(agent, tool, arguments string) policy.Request { return toolCall(agent, "files", tool, arguments) }
	broken := func(agent, tool, arguments string) policy.Request {
		r := of(agent, tool, arguments)
		r.Grants = grant
		return r
	}
	raise := func(level signalbox.Risk, when string) []signalbox.RiskRule {
		return []signalbox.RiskRule{{When: when, Level: level, Source: "f:1"}}
	}
	relax := []signalbox.ApprovalRule{{Agent: "*", Tool: "*", Source: "f:9"}}
	cases := []struct {
		name      string
		config    policy.Config
		request   policy.Request
		risk      signalbox.Risk
		approvers int
		why       string // A part of it.
		grant     string
	}{
		{"read", policy.Config{}, of("any", "read_text_file", read), "low", 0, "", ""},
		{"write", policy.Config{}, of("any", "write_file", write), "medium", 1, "approvals.tiers.medium", ""},
		{"delete", policy.Config{}, of("any", "remove", remove), "high", 2, "approvals.tiers.high", ""},
		{"the worst of several", policy.Config{}, of("any", "move_file", `{"source":"a","destination":"b"}`), "high", 2, "tiers.high", ""},
		{"raised", policy.Config{Risk: raise("high", `resources.exists(r, r.startsWith("a"))`)}, of("any", "read_text_file", read), "high", 2, "tiers.high", ""},
		{"never lowered", policy.Config{Risk: raise("low", "true")}, of("any", "remove", remove), "high", 2, "tiers.high", ""},
		{"not raised", policy.Config{Risk: raise("high", `tool.name == "other" && arguments.amount > 1`)}, of("any", "write_file", write), "medium", 1, "medium", ""},
		{"model, whose messages are no arguments", policy.Config{Risk: raise("high", `size(arguments) > 0 || has(arguments.messages) || size(resources) > 0`)}, modelCall("any", "x", "x"), "low", 0, "", ""},
		{"condition about absent arguments", policy.Config{Risk: raise("high", "arguments.amount > 1000")}, of("any", "read_text_file", read), "high", 2, "high", ""},
		{"condition about a fraction", policy.Config{Risk: raise("high", "arguments.amount > 1000")}, of("any", "stat", `{"amount":1000.5}`), "high", 2, "high", ""},
		{"condition about whole numbers", policy.Config{Risk: raise("high", "arguments.amount > 1000")}, of("any", "stat", `{"amount":1000}`), "low", 0, "", ""},
		{
			"condition about what lies deep",
			policy.Config{Risk: raise("high", `arguments.a[0].b == "x" && arguments.a[1] && arguments.a[2] == null`)},
			of("any", "stat", `{"a":[{"b":"x"},true,null]}`), "high", 2, "high", "",
		},
		{"arguments that are no object", policy.Config{Risk: raise("high", `arguments.a == 1`)}, of("any", "stat", `[]`), "high", 2, "high", ""},
		{
			"a rule",
			policy.Config{Rules: []signalbox.ApprovalRule{{Agent: "other", Tool: "*", Require: three}, {Agent: "a*", Tool: "files.*", Require: three}}},
			of("any", "read_text_file", read), "low", 3, "approvals.rules[1]", "",
		},
		{"relaxed", policy.Config{Rules: relax}, of("any", "write_file", write), "medium", 0, "", ""},
		{"a deletion is never relaxed by a rule", policy.Config{Rules: relax}, of("any", "remove", remove), "high", 1, "whatever is relaxed", ""},
		{"nor by the tiers", policy.Config{Tiers: nobody}, of("any", "remove", remove), "high", 1, "whatever is relaxed", ""},
		{"a read of high risk is relaxed", policy.Config{Rules: relax, Risk: raise("high", "true")}, of("any", "stat", "{}"), "high", 0, "", ""},
		{"a write of high risk is not", policy.Config{Rules: relax, Risk: raise("high", "true")}, of("any", "write_file", write), "high", 1, "whatever is relaxed", ""},
		{"agent that requires it reads", policy.Config{}, of("strict", "read_text_file", read), "low", 1, "requires_approval", ""},
		{"agent that requires it is not relaxed", policy.Config{Rules: relax, Tiers: nobody}, of("strict", "read_text_file", read), "low", 1, "requires_approval", ""},
		{"agent that requires it deletes", policy.Config{}, of("strict", "remove", remove), "high", 2, "tiers.high", ""},
		{"model of an agent that requires it", policy.Config{}, modelCall("strict", "m"), "low", 0, "", ""},
		{"model of raised risk", policy.Config{Risk: raise("medium", `call.kind == "model"`)}, modelCall("any", "m"), "medium", 1, "tiers.medium", ""},
		{"rules are about tools", policy.Config{Rules: []signalbox.ApprovalRule{{Agent: "*", Tool: "*", Require: three}}}, modelCall("any", "m"), "low", 0, "", ""},
		{"a grant lifts medium", policy.Config{}, broken("any", "write_file", write), "medium", 0, "", "grant_1"},
		{"a grant that was not needed", policy.Config{}, broken("any", "read_text_file", read), "low", 0, "", ""},
		{"a grant lifts no deletion", policy.Config{}, broken("any", "remove", remove), "high", 2, "tiers.high", ""},
		{"a grant for what nothing permits", policy.Config{}, broken("bare", "remove", remove), "high", 2, "tiers.high", "grant_2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.config.Servers = files()
			c.config.Agents = []policy.Agent{{ID: "any", Permissions: everything}, {ID: "strict", Permissions: strict}, {ID: "bare"}}
			d := compile(t, c.config).Decide(c.request)
			if !d.Allowed {
				t.Fatalf("denied: %s", d.Message)
			}
			if d.Risk != c.risk || d.Require.Approvers != c.approvers || d.BreakGlass != c.grant {
				t.Errorf("got risk %s, %d approvers, grant %q; want %s, %d, %q", d.Risk, d.Require.Approvers, d.BreakGlass, c.risk, c.approvers, c.grant)
			}
			if !strings.Contains(d.Why, c.why) || (d.Why == "") != (c.approvers == 0) || (d.Require.Role == "") != (c.approvers == 0) {
				t.Errorf("got %q by role %q, want %q", d.Why, d.Require.Role, c.why)
			}
			if (d.Part == [32]byte{}) != (d.Operation == "" && c.approvers == 0) {
				t.Errorf("part: got %x", d.Part)
			}
		})
	}
}

func TestGrantsOfOthers(t *testing.T) {
	p := compile(t, policy.Config{Servers: files(), Cedar: []policy.File{{Name: "f.cedar", Text: "forbid (principal, action == Action::\"delete\", resource);"}}})
	cases := []struct {
		name    string
		grant   signalbox.Grant
		tool    string
		allowed bool
	}{
		{"own", signalbox.Grant{ID: "g", Tenant: "acme", Agent: "x", Tool: "files.*"}, "stat", true},
		{"other tool", signalbox.Grant{ID: "g", Tenant: "acme", Agent: "x", Tool: "raw.*"}, "stat", false},
		{"other tenant", signalbox.Grant{ID: "g", Tenant: "other", Agent: "x", Tool: "*"}, "stat", false},
		{"other agent", signalbox.Grant{ID: "g", Tenant: "acme", Agent: "y", Tool: "*"}, "stat", false},
		{"bad pattern", signalbox.Grant{ID: "g", Tenant: "acme", Agent: "x", Tool: "["}, "stat", false},
		{"against a forbid", signalbox.Grant{ID: "g", Tenant: "acme", Agent: "x", Tool: "*"}, "remove", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := toolCall("x", "files", c.tool, "{}")
			r.Grants = []signalbox.Grant{c.grant}
			if d := p.Decide(r); d.Allowed != c.allowed || (d.BreakGlass != "") != c.allowed {
				t.Errorf("got %v by %q (%s)", d.Allowed, d.BreakGlass, d.Message)
			}
			if shown, rule := p.Visible(r.Caller, "files", c.tool, nil, c.grant); shown != c.allowed {
				t.Errorf("Visible: got %v by %q", shown, rule)
			}
		})
	}
}

func TestPartChangesWithWhatDecided(t *testing.T) {
	base := func() policy.Config {
		return policy.Config{Servers: files(), Agents: []policy.Agent{{ID: "a", Permissions: may(permission("files.*", "rwd", "docs/*"))}}}
	}
	r := toolCall("a", "files", "write_file", `{"path":"docs/a"}`)
	of := func(change func(*policy.Config)) ([32]byte, string) {
		c := base()
		change(&c)
		p := compile(t, c)
		return p.Decide(r).Part, p.Version()
	}
	part, version := of(func(*policy.Config) {})
	cases := []struct {
		name          string
		change        func(*policy.Config)
		part, version bool // Whether it differs.
	}{
		{"nothing", func(*policy.Config) {}, false, false},
		{"the place alone", func(c *policy.Config) { c.Agents[0].Permissions.Tools[0].Source = "f:7" }, false, false},
		{"another agent", func(c *policy.Config) { c.Agents = append(c.Agents, policy.Agent{ID: "b"}) }, false, true},
		{"the permission", func(c *policy.Config) { c.Agents[0].Permissions.Tools[0].Resources = []string{"docs/**"} }, true, true},
		{"the mapping", func(c *policy.Config) {
			c.Servers["files"].Tools["write_file"] = signalbox.ToolMapping{Operation: "delete", Resources: []signalbox.ResourceArgument{path("path", "")}}
		}, true, true},
		{"trust", func(c *policy.Config) {
			c.Servers["files"] = policy.Server{Trusted: true, Tools: c.Servers["files"].Tools}
		}, true, true},
		{"the tier", func(c *policy.Config) {
			c.Tiers = map[signalbox.Risk]signalbox.Requirement{"medium": {Approvers: 2}}
		}, true, true},
		{"another tier", func(c *policy.Config) { c.Tiers = map[signalbox.Risk]signalbox.Requirement{"low": {Approvers: 2}} }, false, true},
		{"a Cedar file", func(c *policy.Config) {
			c.Cedar = []policy.File{{Name: "x", Text: "permit (principal, action, resource);"}}
		}, true, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			gotPart, gotVersion := of(c.change)
			if (gotPart != part) != c.part || (gotVersion != version) != c.version {
				t.Errorf("part changed: %v, version changed: %v; want %v, %v", gotPart != part, gotVersion != version, c.part, c.version)
			}
		})
	}
}
