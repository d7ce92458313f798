package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

func TestBadConfigurations(t *testing.T) {
	agent := func(p signalbox.Permissions) policy.Config {
		return policy.Config{Agents: []policy.Agent{{ID: "a", Permissions: &p}}}
	}
	tool := func(tp signalbox.ToolPermission) policy.Config {
		tp.Source = "c.yml:7"
		return agent(signalbox.Permissions{Tools: []signalbox.ToolPermission{tp}})
	}
	mapped := func(m signalbox.ToolMapping) policy.Config {
		return policy.Config{Servers: map[string]policy.Server{"s": {Tools: map[string]signalbox.ToolMapping{"t": m}}}}
	}
	text := func(s string) policy.Config { return policy.Config{Cedar: []policy.File{{Name: "x.cedar", Text: s}}} }
	risk := func(when string, level signalbox.Risk) policy.Config {
		return policy.Config{Risk: []signalbox.RiskRule{{When: when, Level: level, Source: "c.yml:9"}}}
	}
	approval := func(r signalbox.ApprovalRule) policy.Config {
		r.Source = "c.yml:11"
		return policy.Config{Rules: []signalbox.ApprovalRule{r}}
	}
	argument := func(r signalbox.ResourceArgument) policy.Config {
		return mapped(signalbox.ToolMapping{Resources: []signalbox.ResourceArgument{r}})
	}
	cases := []struct {
		name    string
		config  policy.Config
		field   string
		message string
	}{
		{"agent without id", policy.Config{Agents: []policy.Agent{{}}}, "agents", "no id"},
		{"agent twice", policy.Config{Agents: []policy.Agent{{ID: "a"}, {ID: "a"}}}, "agents", "twice"},
		{"invisible id", policy.Config{Agents: []policy.Agent{{ID: "a\u200b"}}}, "agents", "invisible"},
		{"bad glob of models", agent(signalbox.Permissions{Models: []string{"["}}), "agents.a.permissions.models", "not a pattern"},
		{"bad glob of tools", tool(permission("[", "r", "*")), "agents.a.permissions.tools[0].name", "c.yml:7: "},
		{"empty glob", tool(permission("", "r", "*")), "agents.a.permissions.tools[0].name", "empty"},
		{"long glob", tool(permission(strings.Repeat("a", policy.MaxGlob+1), "r", "*")), "agents.a.permissions.tools[0].name", "longer"},
		{"invisible glob", tool(permission("a\u202e", "r", "*")), "agents.a.permissions.tools[0].name", "invisible"},
		{"bad glob of resources", tool(permission("t", "r", "a[")), "agents.a.permissions.tools[0].resources", "not a pattern"},
		{"no resources", tool(permission("t", "r")), "agents.a.permissions.tools[0].resources", "no resources"},
		{"no operations", tool(permission("t", "", "*")), "agents.a.permissions.tools[0].operations", "no operations"},
		{"unknown operation", tool(signalbox.ToolPermission{Name: "t", Operations: []signalbox.Operation{"own"}, Resources: []string{"*"}}), "agents.a.permissions.tools[0].operations", `"own"`},
		{"negative limit", tool(limited(permission("t", "r", "*"), -1)), "agents.a.permissions.tools[0].rate_limit", "negative"},
		{"mapping without argument", argument(signalbox.ResourceArgument{Kind: "path"}), "mcp_servers.s.tools.t.resources[0]", "argument"},
		{"mapping with an empty step", argument(path("a..b", "")), "mcp_servers.s.tools.t.resources[0]", "argument"},
		{"mapping of unknown kind", argument(signalbox.ResourceArgument{Argument: "a", Kind: "table"}), "mcp_servers.s.tools.t.resources[0]", `"table"`},
		{"mapping of unknown operation", argument(path("a", "own")), "mcp_servers.s.tools.t", `"own"`},
		{"Cedar that is none", text("permit (principal"), "policy.cedar", "x.cedar: The file is not Cedar"},
		{"Cedar that does not fit", text("\nforbid (principal, action, resource) when { context.nothing };"), "policy.cedar", "x.cedar:2: The rule does not fit"},
		{"Cedar about an unknown entity", text(`permit (principal == Person::"x", action, resource);`), "policy.cedar", "x.cedar:1: "},
		{"condition that is none", risk("1 +", "high"), "policy.risk[0]", "c.yml:9: "},
		{"condition of another type", risk("1 + 1", "high"), "policy.risk[0]", "int"},
		{"condition about the unknown", risk("budget > 1", "high"), "policy.risk[0]", "budget"},
		{"empty condition", risk(" ", "high"), "policy.risk[0]", "empty"},
		{"long condition", risk(strings.Repeat("!", policy.MaxCondition)+"true", "high"), "policy.risk[0]", "longer"},
		{"unknown level", risk("true", "extreme"), "policy.risk[0]", `"extreme"`},
		{"unknown tier", policy.Config{Tiers: map[signalbox.Risk]signalbox.Requirement{"extreme": {}}}, "approvals.tiers.extreme", "level"},
		{"negative approvers", policy.Config{Tiers: map[signalbox.Risk]signalbox.Requirement{"low": {Approvers: -1}}}, "approvals.tiers.low", "negative"},
		{"unknown role", approval(signalbox.ApprovalRule{Agent: "*", Tool: "*", Require: signalbox.Requirement{Approvers: 1, Role: "boss"}}), "approvals.rules[0]", `"boss"`},
		{"bad glob of a rule", approval(signalbox.ApprovalRule{Agent: "*", Tool: "{"}), "approvals.rules[0]", "c.yml:11: "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := policy.Compile(c.config)
			var e *signalbox.Error
			if !errors.As(err, &e) {
				t.Fatalf("Compile: got %v, want an error", err)
			}
			if e.Code != signalbox.CodeInvalid || e.Field != c.field || !strings.Contains(e.Message, c.message) || e.Remedy == "" {
				t.Errorf("got %+v, want field %q and %q", e, c.field, c.message)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	servers := func() map[string]policy.Server {
		return map[string]policy.Server{
			"files": files()["files"], "raw": {}, "trusted": {Trusted: true, Tools: map[string]signalbox.ToolMapping{"x": {}}},
			"odd": {Tools: map[string]signalbox.ToolMapping{"t": {Operation: "delete", Source: "c:3", Resources: []signalbox.ResourceArgument{path("a", "read")}}}},
		}
	}
	delete0 := func(s map[string]policy.Server, id string) map[string]policy.Server { delete(s, id); return s }
	quiet := func() policy.Config { return policy.Config{Servers: delete0(servers(), "odd")} }
	tools := func(list ...signalbox.ToolPermission) policy.Config {
		c := quiet()
		c.Agents = []policy.Agent{{ID: "a", Permissions: may(list...)}}
		return c
	}
	with := func(change func(*policy.Config)) policy.Config {
		c := quiet()
		c.Agents = []policy.Agent{{ID: "a"}}
		change(&c)
		return c
	}
	rules := func(list ...signalbox.ApprovalRule) policy.Config {
		return with(func(c *policy.Config) { c.Rules = list })
	}
	cedar := func(text string) policy.Config {
		return with(func(c *policy.Config) { c.Cedar = []policy.File{{Name: "x.cedar", Text: text}} })
	}
	risk := func(when string, level signalbox.Risk) policy.Config {
		return with(func(c *policy.Config) { c.Risk = []signalbox.RiskRule{{When: when, Level: level}} })
	}
	only := func(p signalbox.ToolPermission) policy.Config {
		c := tools(p)
		c.Servers = delete0(c.Servers, "raw")
		return c
	}
	cases := []struct {
		name   string
		config policy.Config
		want   string // "" is none; else a part of the only one.
	}{
		{"nothing wrong", tools(permission("files.*", "r", "docs/*"), permission("raw.*", "w", "*"), permission("*", "d", "*"), permission("trusted.x", "r", "*")), ""},
		{"no tool's id", tools(permission("web_search", "r", "*")), "agents.a.permissions.tools[0]: The permission for \"web_search\" can never match: a tool's id is server.tool."},
		{"unknown server", tools(permission("mail.send", "w", "*")), `there is no MCP server "mail"`},
		{"unknown server by glob", tools(permission("mail.*", "w", "*")), `there is no MCP server "mail"`},
		{"unknown tool", tools(permission("files.copy", "w", "*")), "not declared under mcp_servers.files.tools"},
		{"unknown tool that can not be read", tools(permission("files.copy", "r", "*")), "can never match: nothing is declared"},
		{"methods beside tools", tools(permission("raw.resources/read", "r", "file:///a"), permission("files.prompts/get", "rw", "x"), permission("raw.completion/complete", "r", "x"), permission("files.roots/list", "r", "*")), ""},
		{"operation that a method never has", tools(permission("raw.resources/read", "w", "*")), "can never match: resources/read has none"},
		{"resource that a method never has", tools(permission("raw.elicitation/create", "w", "x")), "can never match: elicitation/create has none"},
		{"glob that matches none", tools(permission("files.x*", "r", "*")), "matches no tool that is declared"},
		{"glob over servers that matches none", only(permission("*.nothing", "r", "*")), "matches no tool that is declared"},
		{"glob over servers that could match", tools(permission("*.nothing", "w", "*")), ""},
		{"operation that the tool never has", tools(permission("files.stat", "w", "*")), "can never match: what is declared"},
		{"resource that the tool never has", tools(permission("files.stat", "r", "docs/*")), "can never match: what is declared"},
		{"resource of a tool that is not declared", tools(permission("raw.do", "w", "docs/*")), "nothing is declared of the tool under mcp_servers.raw.tools.do"},
		{"glob over tools that never do it", tools(permission("files.read*", "d", "*")), "can never match: what is declared"},
		{"equal", tools(permission("files.stat", "r", "*"), permission("files.stat", "r", "*")), "shadowed"},
		{"covered", tools(permission("files.*", "rw", "*"), permission("files.stat", "r", "*")), "all that it permits, agents.a.permissions.tools[0] permits too"},
		{"covered but for the limit", tools(limited(permission("files.*", "rw", "*"), 5), permission("files.stat", "r", "*")), ""},
		{"covered but for a resource", tools(permission("files.*", "rw", "docs/*"), permission("files.*", "r", "docs/*", "x")), ""},
		{"covered but for an operation", tools(permission("files.*", "r", "*"), permission("files.*", "rw", "x")), ""},
		{"operation that no call has", policy.Config{Servers: servers()}, "c:3: The tool odd.t is declared to delete"},
		{"risk that changes nothing", risk("true", "low"), "policy.risk[0]: The rule changes nothing"},
		{"risk that is never", risk("false", "high"), "always false"},
		{"risk that needs an argument", risk("arguments.a > 1", "high"), "then counts as true"},
		{"risk that asks first", risk("has(arguments.a) && arguments.a > 1", "high"), ""},
		{"approval rule for an unknown agent", rules(signalbox.ApprovalRule{Agent: "b", Tool: "*"}), `the agent "b"`},
		{"approval rule for an unknown server", rules(signalbox.ApprovalRule{Agent: "a", Tool: "mail.*"}), `approval rule for "mail.*" can never match`},
		{"approval rule behind another", rules(signalbox.ApprovalRule{Agent: "*", Tool: "*"}, signalbox.ApprovalRule{Agent: "a", Tool: "files.*"}), "never counts: approvals.rules[0] fits first"},
		{"approval rule beside another", rules(signalbox.ApprovalRule{Agent: "a", Tool: "files.*"}, signalbox.ApprovalRule{Agent: "*", Tool: "*"}), ""},
		{"Cedar about an unknown agent", cedar(`forbid (principal == Agent::"b", action, resource);`), `x.cedar:1:1: The rule is about the agent "b"`},
		{"Cedar about an unknown server", cedar(`forbid (principal, action, resource == Tool::"mail.x");`), `no MCP server "mail"`},
		{"Cedar about what is there", cedar(`forbid (principal == Agent::"a", action, resource == Tool::"files.x"); permit (principal, action, resource == Model::"m");`), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := policy.Compile(c.config)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range warnings {
				got = append(got, w.String())
			}
			if len(got) != count(c.want != "") || c.want != "" && !strings.Contains(got[0], c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestManyPermissionsAreNotCompared(t *testing.T) {
	var list []signalbox.ToolPermission
	for range policy.MaxCompared + 1 {
		list = append(list, permission("raw.do", "w", "*"))
	}
	_, warnings, err := policy.Compile(policy.Config{Servers: files(), Agents: []policy.Agent{{ID: "a", Permissions: may(list...)}}})
	if err != nil || len(warnings) != 0 {
		t.Errorf("got %d warnings and %v", len(warnings), err)
	}
	if w := (policy.Warning{Text: "x"}); w.String() != "x" {
		t.Errorf("String: got %q", w)
	}
}

func TestTextAndVersion(t *testing.T) {
	per := int64(0)
	config := func(turned bool) policy.Config {
		first, second := permission("files.*", "rw", "b", "a"), limited(permission("raw.do", "w", "*"), 30)
		p := may(first, second)
		if turned {
			p = may(second, permission("files.*", "wr", "a", "b"))
		}
		p.Models, p.RequiresApproval, p.MaxTokens = []string{"m*"}, true, 50_000
		p.Data = signalbox.DataPermission{Tables: []string{"t"}, RowFilter: "x = 1", MaxRows: 5}
		p.Network = signalbox.NetworkPermission{Allow: []string{"h"}, MaxPerMinute: &per}
		other := &signalbox.Permissions{Network: signalbox.NetworkPermission{Block: []string{"*"}}}
		c := policy.Config{
			Servers: files(), Agents: []policy.Agent{{ID: "a", Role: "r", Permissions: p}, {ID: "b", Permissions: other}},
			Risk:  []signalbox.RiskRule{{When: "true", Level: "high"}, {When: "true ||\n false", Level: "low"}},
			Rules: []signalbox.ApprovalRule{{Agent: "*", Tool: "*"}},
			Cedar: []policy.File{{Name: "1", Text: "permit (principal,\n action, resource) when { context.run == \"a\\nb  c\" };"}, {Name: "2", Text: "forbid (principal, action, resource) when { false };"}},
		}
		if turned {
			c.Agents[0], c.Agents[1] = c.Agents[1], c.Agents[0]
			c.Cedar[0], c.Cedar[1] = c.Cedar[1], c.Cedar[0]
		}
		return c
	}
	p, turned := compile(t, config(false)), compile(t, config(true))
	if p.Version() != turned.Version() || p.Text() != turned.Text() {
		t.Errorf("the order changes the version:\n%s\n%s", p.Text(), turned.Text())
	}
	for _, want := range []string{
		`agent "a" has the role "r"`, `agent "a" may read, write ["a" "b"] by tool "files.*"`, `agent "a" may write ["*"] by tool "raw.do", 30 per minute`,
		`agent "a" may use the models ["m*"]`, `agent "a" requires approval`, `agent "a" has at most 50000 tokens in a run`,
		`agent "a" has data: tables ["t"], columns [], rows "x = 1", at most 5`, `agent "a" has network: allowed ["h"], blocked [], 0 per minute`,
		`agent "b" has network: allowed [], blocked ["*"], without limit`, `server "trusted": its annotations are trusted`, `server "raw": its annotations are not trusted`,
		`tool "files.move_file" does "write", "delete" to the path in "source", "" to the path in "destination"`, `tool "files.stat" does "read"`,
		`risk is high when true`, `risk is low when "true ||\n false"`, `tier high: 2 of role approver`, `tier low: nobody`,
		`approval rule 000: agent "*", tool "*": nobody`, `cedar permit ( principal, action, resource ) when { context.run == "a\nb  c" };`,
	} {
		if !strings.Contains("\n"+p.Text(), "\n"+want+"\n") {
			t.Errorf("the text has no line %q:\n%s", want, p.Text())
		}
	}
	if !strings.HasPrefix(p.Version(), "sha256:") || len(p.Version()) != len("sha256:")+16 {
		t.Errorf("version: got %q", p.Version())
	}
	if policy.CheckCEL(`tool.id == "x"`) != nil || policy.CheckCEL("x") == nil || policy.Variables()["resources"] != "list(string)" || !strings.Contains(policy.Schema(), "entity Tool") {
		t.Error("conditions and the schema are not what they should be")
	}
}
