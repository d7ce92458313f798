package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// explained is a policy with something of everything.
func explained(t *testing.T) *policy.Policy {
	strict := may(permission("files.stat", "r", "*"))
	strict.RequiresApproval = true
	return compile(t, policy.Config{
		Servers: files(),
		Agents: []policy.Agent{
			{ID: "a", Permissions: may(permission("files.*", "rd", "docs/**"), permission("files.write_file", "w", "*"))},
			{ID: "m", Permissions: &signalbox.Permissions{Models: []string{"x"}}},
			{ID: "strict", Permissions: strict},
			{ID: "bare"},
		},
		Risk: []signalbox.RiskRule{{When: `operation == "read" && resources.exists(r, r.startsWith("docs/secret"))`, Level: "high", Source: "c:5"}},
		Cedar: []policy.File{{Name: "x.cedar", Text: `forbid (principal, action == Action::"delete", resource) when { context.target like "docs/keep/*" };
forbid (principal, action == Action::"use", resource == Model::"banned");
forbid (principal, action == Action::"use", resource == Model::"odd") when { 9223372036854775807 + (if context.run like "*" then 1 else 0) > 0 };
forbid (principal, action == Action::"delete", resource) when { context.target like "docs/odd" && 9223372036854775807 + (if context.run like "*" then 1 else 0) > 0 };`}},
	})
}

func TestExplanations(t *testing.T) {
	p := explained(t)
	cases := []struct {
		name    string
		request policy.Request
		allowed bool
		message string   // A part.
		want    []string // Parts of the sentences, in order.
	}{
		{"passes", toolCall("a", "files", "read_text_file", `{"path":"docs/a"}`), true, "", nil},
		{
			"resource", toolCall("a", "files", "read_text_file", `{"path":"etc/x[1]"}`), false, `Agent "a" may not read "etc/x[1]" with files.read_text_file: no permission in agents.a.permissions permits it.`,
			[]string{`Add "etc/x\\[1\\]" to the resources of agents.a.permissions.tools[0].`},
		},
		{"operation", toolCall("a", "files", "move_file", `{"destination":"docs/a"}`), false, "may not write", []string{`Add "write" to the operations of agents.a.permissions.tools[0].`}},
		{"tool", toolCall("strict", "files", "write_file", `{"path":"a"}`), false, "may not write", []string{
			`Add {name: files.write_file, operations: [write], resources: ["a"]} to the tools of agents.strict.permissions.`,
		}},
		{"several", toolCall("a", "files", "move_file", `{"source":"x","destination":"docs/a"}`), false, `delete "x"`, []string{`Add "x" to the resources`, `Add "write" to the operations`}},
		{"nothing declared", toolCall("a", "raw", "do", `{}`), false, `may not write with raw.do`, []string{`{name: raw.do, operations: [write], resources: ["*"]}`, "mcp_servers.raw.tools.do"}},
		{"agent that is not declared", toolCall("ghost", "files", "stat", `{}`), false, `agent "ghost" has no permissions.`, []string{`Declare the agent "ghost" under agents`}},
		{"agent without permissions", toolCall("bare", "files", "stat", `{}`), false, `agent "bare" has no permissions.`, []string{"to the tools of agents.bare.permissions."}},
		{"no agent", toolCall("", "files", "stat", `{}`), false, "A call without an agent", []string{"X-Signalbox-Agent"}},
		{"forbid", toolCall("a", "files", "remove", `{"paths":["docs/keep/a"]}`), false, "the rule x.cedar:1:1 forbids it", []string{"The forbid at x.cedar:1:1 stands in the way"}},
		{"rule that fails", toolCall("a", "files", "remove", `{"paths":["docs/odd"]}`), false, "could not be evaluated", []string{"Correct the rule in Cedar"}},
		{"one of two forbidden", toolCall("a", "files", "remove", `{"paths":["docs/a", "docs/keep/a"]}`), false, "forbids it", []string{"The forbid at x.cedar:1:1"}},
		{"kind", policy.Request{Kind: signalbox.KindEgress}, false, "kind egress", []string{"Call a model or a tool."}},
		{"waits", toolCall("a", "files", "write_file", `{"path":"docs/a"}`), true, "", []string{`{agent: "a", tool: files.write_file, approvers: 0}`}},
		{"waits always", toolCall("a", "files", "remove", `{"paths":["docs/a"]}`), true, "", []string{"keeps at least one approver"}},
		{"waits by a risk rule", toolCall("a", "files", "read_text_file", `{"path":"docs/secret"}`), true, "", []string{"approvers: 0", "Without the risk rule c:5: "}},
		{"waits because the agent must", toolCall("strict", "files", "stat", `{}`), true, "", []string{"Without requires_approval"}},
		{"model", modelCall("m", "y", "y"), false, `Agent "m" may not use the model "y": it is not among agents.m.permissions.models.`, []string{`add "y" to the models of agents.m.permissions`}},
		{"model that is forbidden", modelCall("a", "banned", "banned"), false, "the rule x.cedar:2:1 forbids it", []string{"The forbid at x.cedar:2:1"}},
		{"model with a rule that fails", modelCall("a", "odd", "odd"), false, "could not be evaluated", []string{"Correct the rule in Cedar"}},
		{"model among others", modelCall("a", "banned", "banned", "x"), true, "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := p.Explain(c.request)
			if e.Allowed != c.allowed || !strings.Contains(e.Message, c.message) {
				t.Errorf("got %v %q, want %v %q", e.Allowed, e.Message, c.allowed, c.message)
			}
			fits := len(e.WouldChange) == len(c.want)
			for i := range min(len(e.WouldChange), len(c.want)) {
				fits = fits && strings.Contains(e.WouldChange[i], c.want[i])
			}
			if !fits {
				t.Errorf("would change: got %q, want %q", e.WouldChange, c.want)
			}
			if len(e.Rules) != len(e.Accesses) {
				t.Errorf("%d rules for %d accesses", len(e.Rules), len(e.Accesses))
			}
		})
	}
}

func TestVisible(t *testing.T) {
	yes := isTrue()
	p := compile(t, policy.Config{
		Servers: files(),
		Agents: []policy.Agent{
			{ID: "a", Permissions: may(permission("files.*", "r", "docs/**"), permission("files.move_file", "d", "in/*"), limited(permission("files.read_text_file", "r", "*"), 5), permission("raw.*", "w", "docs/*"))},
			{ID: "all", Permissions: may(permission("*", "rwd", "*"))},
			{ID: "reader", Permissions: may(permission("*", "r", "*"))},
		},
		Cedar: []policy.File{{Name: "x.cedar", Text: `forbid (principal, action, resource == Tool::"files.write_file");
forbid (principal == Agent::"all", action, resource) when { context.risk == "high" };
permit (principal == Agent::"guest", action == Action::"read", resource) when { context.purpose == "audit" };`}},
	})
	cases := []struct {
		name, agent, server, tool string
		annotations               *signalbox.Annotations
		want                      bool
		rule                      string
	}{
		{"permitted", "a", "files", "read_text_file", nil, true, "agents.a.permissions.tools[0]"},
		{"by one of its operations", "a", "files", "move_file", nil, true, "agents.a.permissions.tools[1]"},
		{"without the operation", "a", "files", "remove", nil, false, "no permission in agents.a.permissions"},
		{"resource that it never names", "a", "files", "stat", nil, false, "no permission in agents.a.permissions"},
		{"resource that nothing declares", "a", "raw", "do", nil, false, "no permission in agents.a.permissions"},
		{"everything", "all", "raw", "do", nil, true, "agents.all.permissions.tools[0]"},
		{"forbidden", "all", "files", "write_file", nil, false, "the rule x.cedar:1:1 forbids it"},
		{"read by what a trusted server says", "reader", "trusted", "x", &signalbox.Annotations{ReadOnly: yes}, true, "agents.reader.permissions.tools[0]"},
		{"read by what another server says", "reader", "raw", "x", &signalbox.Annotations{ReadOnly: yes}, false, "no permission in agents.reader.permissions"},
		{"permitted by a condition", "guest", "files", "stat", nil, true, "x.cedar:3:1"},
		{"not declared", "ghost", "files", "stat", nil, false, `agent "ghost" has no permissions`},
		{"deceptive", "all", "files", "st\u200bat", nil, false, "the name of the tool has the invisible character U+200B"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, rule := p.Visible(signalbox.Caller{Tenant: "acme", Agent: c.agent}, c.server, c.tool, c.annotations)
			if got != c.want || rule != c.rule {
				t.Errorf("got %v by %q, want %v by %q", got, rule, c.want, c.rule)
			}
		})
	}
}

// TestTheSeedsAgents are the two samples of the requirements, as a table of decisions.
func TestTheSeedsAgents(t *testing.T) {
	table := func(op signalbox.Operation) signalbox.ToolMapping {
		return signalbox.ToolMapping{Operation: op, Resources: []signalbox.ResourceArgument{{Argument: "table", Kind: signalbox.ResourceName}}}
	}
	none := int64(0)
	writer := may(permission("database.query", "rw", "drafts/*"), permission("database.change", "rw", "drafts/*"), permission("cms.publish", "w", "content/*"))
	writer.RequiresApproval, writer.MaxTokens, writer.Network = true, 30_000, signalbox.NetworkPermission{Block: []string{"*"}, MaxPerMinute: &none}
	p := compile(t, policy.Config{
		Servers: map[string]policy.Server{
			"search":   {Tools: map[string]signalbox.ToolMapping{"web_search": {Operation: signalbox.OperationRead}}},
			"database": {Tools: map[string]signalbox.ToolMapping{"query": table("read"), "change": table("write"), "drop": table("delete")}},
			"cms":      {Tools: map[string]signalbox.ToolMapping{"publish": {Operation: signalbox.OperationWrite, Resources: []signalbox.ResourceArgument{path("path", "")}}}},
		},
		Agents: []policy.Agent{
			{ID: "researcher", Role: "research", Permissions: may(limited(permission("search.web_search", "r", "*"), 30), permission("database.query", "r", "public.*"))},
			{ID: "writer", Role: "write", Permissions: writer},
		},
	})
	cases := []struct {
		agent, tool, arguments string
		allowed                bool
		approvers              int
	}{
		{"researcher", "search.web_search", `{"query":"x"}`, true, 0},
		{"researcher", "database.query", `{"table":"public.documents"}`, true, 0},
		{"researcher", "database.query", `{"table":"private.salaries"}`, false, 0},
		{"researcher", "database.query", `{"table":["public.documents","private.salaries"]}`, false, 0},
		{"researcher", "database.query", `{}`, false, 0},
		{"researcher", "database.change", `{"table":"public.documents"}`, false, 0},
		{"researcher", "cms.publish", `{"path":"content/a"}`, false, 0},
		{"writer", "search.web_search", `{"query":"x"}`, false, 0},
		{"writer", "database.query", `{"table":"drafts/one"}`, true, 1},
		{"writer", "database.change", `{"table":"drafts/one"}`, true, 1},
		{"writer", "database.drop", `{"table":"drafts/one"}`, false, 0},
		{"writer", "database.query", `{"table":"drafts/one/two"}`, false, 0},
		{"writer", "cms.publish", `{"path":"content/a"}`, true, 1},
		{"writer", "cms.publish", `{"path":"content/../drafts/a"}`, false, 0},
	}
	for _, c := range cases {
		t.Run(c.agent+" "+c.tool+" "+c.arguments, func(t *testing.T) {
			server, tool, _ := strings.Cut(c.tool, ".")
			d := p.Decide(toolCall(c.agent, server, tool, c.arguments))
			if d.Allowed != c.allowed || d.Require.Approvers != c.approvers {
				t.Errorf("got %v with %d approvers (%s)", d.Allowed, d.Require.Approvers, d.Message)
			}
			if limit := d.RateLimit; (limit != nil && limit.Max == 30) != (c.tool == "search.web_search" && c.allowed) {
				t.Errorf("limit: got %v", limit)
			}
		})
	}
	if d := p.Decide(modelCall("writer", "any", "any")); !d.Allowed || d.Require.Approvers != 0 || !slices.Equal(d.Models, []string{"any"}) {
		t.Errorf("the writer's models: got %+v", d)
	}
}
