package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

func isTrue() *bool { yes := true; return &yes }

func TestToolsAreDeniedUnlessPermitted(t *testing.T) {
	c := policy.Config{
		Servers: files(),
		Agents: []policy.Agent{
			{ID: "reader", Permissions: may(permission("files.*", "r", "docs/**"))},
			{ID: "mover", Permissions: may(permission("files.move_file", "d", "in/*"), permission("files.move_file", "w", "out/*"))},
			{ID: "all", Permissions: may(permission("*", "rwd", "*"))},
			{ID: "stars", Permissions: may(permission("*", "rwd", "**"))},
			{ID: "bare"},
		},
	}
	p := compile(t, c)
	cases := []struct {
		name    string
		request policy.Request
		allowed bool
		rule    string
	}{
		{"read in the folder", toolCall("reader", "files", "read_text_file", `{"path":"docs/a/b"}`), true, "agents.reader.permissions.tools[0]"},
		{"read elsewhere", toolCall("reader", "files", "read_text_file", `{"path":"etc/passwd"}`), false, "no permission in agents.reader.permissions"},
		{"read by a detour", toolCall("reader", "files", "read_text_file", `{"path":"docs/../etc/passwd"}`), false, "no permission in agents.reader.permissions"},
		{"write in the folder", toolCall("reader", "files", "write_file", `{"path":"docs/a"}`), false, "no permission in agents.reader.permissions"},
		{"no argument", toolCall("reader", "files", "read_text_file", `{}`), false, "no permission in agents.reader.permissions"},
		{"null argument", toolCall("reader", "files", "read_text_file", `{"path":null}`), false, "no permission in agents.reader.permissions"},
		{"tool without declaration", toolCall("reader", "files", "other", `{"path":"docs/a"}`), false, "no permission in agents.reader.permissions"},
		{
			"each access by its own permission", toolCall("mover", "files", "move_file", `{"source":"in/a","destination":"out/a"}`), true,
			"agents.mover.permissions.tools[0]; agents.mover.permissions.tools[1]",
		},
		{"one access of two", toolCall("mover", "files", "move_file", `{"source":"in/a","destination":"in/b"}`), false, "no permission in agents.mover.permissions"},
		{"one resource of a list", toolCall("reader", "files", "remove", `{"paths":["docs/a","x"]}`), false, "no permission in agents.reader.permissions"},
		{"everything", toolCall("all", "raw", "anything", `{"x":1}`), true, "agents.all.permissions.tools[0]"},
		{"everything that has a name", toolCall("stars", "raw", "anything", `{"x":1}`), false, "no permission in agents.stars.permissions"},
		{"agent without permissions", toolCall("bare", "files", "stat", `{}`), false, `agent "bare" has no permissions`},
		{"agent that is not declared", toolCall("ghost", "files", "stat", `{}`), false, `agent "ghost" has no permissions`},
		{"no agent", toolCall("", "files", "stat", `{}`), false, "calls without an agent have no permissions"},
		{"kind that is not built", policy.Request{Kind: signalbox.KindQuery}, false, "nothing permits calls of this kind"},
		{"tool call without a tool", policy.Request{Kind: signalbox.KindTool}, false, "nothing permits calls of this kind"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := p.Decide(c.request)
			if d.Allowed != c.allowed || d.Rule != c.rule {
				t.Errorf("Decide: got %v by %q, want %v by %q", d.Allowed, d.Rule, c.allowed, c.rule)
			}
			if d.Version != p.Version() || (d.Status == signalbox.StatusPassed) != c.allowed {
				t.Errorf("got version %q and status %q", d.Version, d.Status)
			}
			if !c.allowed && (d.Code != signalbox.CodeForbidden || d.Message == "" || d.Remedy == "") {
				t.Errorf("the denial is incomplete: %q %q %q", d.Code, d.Message, d.Remedy)
			}
		})
	}
}

func TestOperationsWithoutDeclaration(t *testing.T) {
	p := compile(t, policy.Config{Servers: files()})
	yes, no := isTrue(), new(bool)
	cases := []struct {
		name, server string
		annotations  *signalbox.Annotations
		want         signalbox.Operation
	}{
		{"untrusted says read", "raw", &signalbox.Annotations{ReadOnly: yes}, signalbox.OperationWrite},
		{"unknown server", "other", &signalbox.Annotations{ReadOnly: yes}, signalbox.OperationWrite},
		{"trusted says read", "trusted", &signalbox.Annotations{ReadOnly: yes}, signalbox.OperationRead},
		{"trusted says destructive", "trusted", &signalbox.Annotations{Destructive: yes}, signalbox.OperationDelete},
		{"trusted says both", "trusted", &signalbox.Annotations{ReadOnly: yes, Destructive: yes}, signalbox.OperationDelete},
		{"trusted says neither", "trusted", &signalbox.Annotations{ReadOnly: no, Destructive: no}, signalbox.OperationWrite},
		{"trusted says nothing", "trusted", nil, signalbox.OperationWrite},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := toolCall("a", c.server, "x", "{}")
			r.Annotations = c.annotations
			if got := p.Decide(r).Operation; got != c.want {
				t.Errorf("operation: got %s, want %s", got, c.want)
			}
		})
	}
}

func TestArgumentsThatCanNotBeRead(t *testing.T) {
	servers := files()
	servers["deep"] = policy.Server{Tools: map[string]signalbox.ToolMapping{
		"x": {Resources: []signalbox.ResourceArgument{path("options.path", signalbox.OperationRead), path("options.to", signalbox.OperationRead), path("name", signalbox.OperationRead)}},
	}}
	p := compile(t, policy.Config{Servers: servers, Agents: []policy.Agent{{ID: "all", Permissions: may(permission("*", "rwd", "*"))}}})
	cases := []struct {
		name    string
		request policy.Request
		field   string
	}{
		{"not JSON", toolCall("all", "files", "read_text_file", `{"path":`), "arguments"},
		{"number for a path", toolCall("all", "files", "read_text_file", `{"path":7}`), "arguments.path"},
		{"object for a path", toolCall("all", "files", "read_text_file", `{"path":{"a":"b"}}`), "arguments.path"},
		{"number in a list", toolCall("all", "files", "remove", `{"paths":["a",7]}`), "arguments.paths"},
		{"null in a list", toolCall("all", "files", "remove", `{"paths":[null]}`), "arguments.paths"},
		{"list in a list", toolCall("all", "files", "remove", `{"paths":[["a"]]}`), "arguments.paths"},
		{"twice", toolCall("all", "files", "read_text_file", `{"path":"a","path":"b"}`), "arguments"},
		{"other case", toolCall("all", "files", "move_file", `{"source":"a","Destination":"b"}`), "arguments"},
		{"other case deeper", toolCall("all", "deep", "x", `{"options":{"path":"a","To":"b"}}`), "arguments"},
		{"other case in a list", toolCall("all", "deep", "x", `{"options":[{"path":"a"},{"To":"b"}]}`), "arguments"},
		{"no object on the way", toolCall("all", "deep", "x", `{"options":"a"}`), "arguments.options.path"},
		{"out of the root", toolCall("all", "files", "read_text_file", `{"path":"a/../../b"}`), "arguments.path"},
		{"out of the root, deeper", toolCall("all", "deep", "x", `{"options":{"path":".."}}`), "arguments.options.path"},
		{"too many", toolCall("all", "files", "remove", `{"paths":["`+strings.Join(numbered(policy.MaxAccesses+1), `","`)+`"]}`), "arguments.paths"},
		{"invisible character in the tool's name", toolCall("all", "raw", "re\u200bad", `{}`), "name"},
		{"mixed scripts in the tool's name", toolCall("all", "raw", "re\u0430d", `{}`), "name"},
		{"full-width tool", toolCall("all", "raw", "\uff52ead", `{}`), "name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := p.Decide(c.request)
			if d.Allowed || d.Code != signalbox.CodeInvalid || d.Field != c.field || d.Remedy == "" {
				t.Errorf("got %v %q field %q %q, want invalid field %q", d.Allowed, d.Code, d.Field, d.Message, c.field)
			}
			if e := p.Explain(c.request); len(e.WouldChange) != 1 || e.WouldChange[0] != d.Remedy {
				t.Errorf("WouldChange: got %q, want the remedy", e.WouldChange)
			}
		})
	}
	t.Run("tool with a Korean name", func(t *testing.T) {
		if d := p.Decide(toolCall("all", "raw", "읽기", "{}")); !d.Allowed {
			t.Errorf("denied: %s", d.Message)
		}
	})
	t.Run("lists of objects", func(t *testing.T) {
		d := p.Decide(toolCall("all", "deep", "x", `{"options":[{"path":"a"},{"path":"b/./c","to":"a"}],"name":"a"}`))
		want := []signalbox.Access{{Operation: "read", Resource: "a"}, {Operation: "read", Resource: "b/c"}}
		if !d.Allowed || !slices.Equal(d.Accesses, want) {
			t.Errorf("got %v %v %s, want %v", d.Allowed, d.Accesses, d.Message, want)
		}
	})
}

func numbered(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.Repeat("x", i+1)
	}
	return list
}

func TestModels(t *testing.T) {
	p := compile(t, policy.Config{Agents: []policy.Agent{
		{ID: "free", Permissions: &signalbox.Permissions{}},
		{ID: "narrow", Permissions: &signalbox.Permissions{Models: []string{"claude-*", "triage"}}},
		{ID: "none", Permissions: &signalbox.Permissions{Models: []string{}}},
	}})
	routed := modelCall("narrow", "auto", "gpt", "small")
	routed.Route = "triage"
	cases := []struct {
		name    string
		request policy.Request
		want    []string
		rule    string
	}{
		{"not restricted", modelCall("free", "a", "a", "b"), []string{"a", "b"}, "all models of the tenant"},
		{"not declared", modelCall("ghost", "a", "a"), []string{"a"}, "all models of the tenant"},
		{"no agent, and the name alone", modelCall("", "a"), []string{"a"}, "all models of the tenant"},
		{"narrowed", modelCall("narrow", "claude-x", "gpt", "claude-x", "vendor/claude-y"), []string{"claude-x"}, "agents.narrow.permissions.models"},
		{"by the route", routed, []string{"gpt", "small"}, "agents.narrow.permissions.models"},
		{"none fits", modelCall("narrow", "gpt", "gpt"), nil, "agents.narrow.permissions.models"},
		{"none at all", modelCall("none", "gpt", "gpt"), nil, "agents.none.permissions.models"},
		{"no candidate", modelCall("narrow", "gpt", []string{}...), nil, "nothing could serve the call"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := p.Decide(c.request)
			if !slices.Equal(d.Models, c.want) || d.Allowed != (c.want != nil) || d.Rule != c.rule {
				t.Errorf("got %v %v by %q, want %v by %q", d.Allowed, d.Models, d.Rule, c.want, c.rule)
			}
			if !d.Allowed && (d.Code != signalbox.CodeForbidden || d.Field != "model" || d.Remedy == "") {
				t.Errorf("the denial is incomplete: %q %q %q", d.Code, d.Message, d.Remedy)
			}
			if d.Allowed && (d.Risk != signalbox.RiskLow || d.Require.Approvers != 0) {
				t.Errorf("got risk %s and %d approvers", d.Risk, d.Require.Approvers)
			}
		})
	}
	empty := modelCall("free", "gpt")
	empty.Models = []string{}
	if d := p.Decide(empty); d.Allowed || d.Message == "" {
		t.Errorf("a call that nothing could serve is allowed")
	}
}

func TestLimits(t *testing.T) {
	p := compile(t, policy.Config{Servers: files(), Agents: []policy.Agent{{ID: "a", Permissions: may(
		limited(permission("files.*", "rwd", "in/*"), 5), limited(permission("files.move_file", "wd", "in/*"), 9),
		limited(permission("files.*", "w", "out/*"), 7), permission("files.*", "r", "in/free"),
	)}}})
	cases := []struct {
		name      string
		request   policy.Request
		limit     int64
		limitName string
	}{
		{"the highest of those that cover an access", toolCall("a", "files", "move_file", `{"source":"in/a"}`), 9, "files.move_file"},
		{"the lowest of several accesses", toolCall("a", "files", "move_file", `{"source":"in/a","destination":"out/a"}`), 7, "files.*"},
		{"one without limit", toolCall("a", "files", "read_text_file", `{"path":"in/free"}`), 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := p.Decide(c.request)
			var most int64
			name := ""
			if d.RateLimit != nil {
				most, name = d.RateLimit.Max, d.RateLimit.Name
			}
			if d.RateLimit != nil && !strings.HasPrefix(d.RateLimit.Source, "agents.a.permissions.tools[") {
				t.Errorf("got the place %q", d.RateLimit.Source)
			}
			if !d.Allowed || most != c.limit || name != c.limitName {
				t.Errorf("got %v %d by %q (%s), want %d by %q", d.Allowed, most, name, d.Message, c.limit, c.limitName)
			}
		})
	}
}

func TestRulesInCedarSeeWhomAndWhatTheyAreAbout(t *testing.T) {
	p := compile(t, policy.Config{
		Servers: files(),
		Agents:  []policy.Agent{{ID: "a", Role: "research"}},
		Cedar: []policy.File{{Name: "x.cedar", Text: `permit (principal, action == Action::"read", resource in Server::"trusted") when { principal.role == "research" && principal.id like "*" };
permit (principal == Agent::"guest", action, resource is Tool) when { !resource.mapped && resource.server == "raw" && !principal.declared && context.who.tenant == "acme" };
permit (principal == Agent::"batch", action, resource is Tool) when { context.targets.containsAll(["a", "b"]) && context.target == "a" || context.target == "b" };
permit (principal == Agent::"night", action == Action::"write", resource) when { context.purpose == "audit" && context.risk == "medium" };`}},
	})
	read := &signalbox.Annotations{ReadOnly: isTrue()}
	night := toolCall("night", "raw", "do", "{}")
	night.Purpose = "audit"
	cases := []struct {
		name        string
		request     policy.Request
		annotations *signalbox.Annotations
		allowed     bool
	}{
		{"parent of the tool and role of the agent", toolCall("a", "trusted", "x", "{}"), read, true},
		{"another parent", toolCall("a", "raw", "x", "{}"), read, false},
		{"another agent", toolCall("b", "trusted", "x", "{}"), read, false},
		{"what is declared", toolCall("guest", "raw", "x", "{}"), nil, true},
		{"what is declared otherwise", toolCall("guest", "files", "stat", "{}"), nil, false},
		{"all that the call acts on", toolCall("batch", "files", "remove", `{"paths":["a","b"]}`), nil, true},
		{"less than that", toolCall("batch", "files", "remove", `{"paths":["a"]}`), nil, false},
		{"purpose and risk", night, nil, true},
		{"another purpose", toolCall("night", "raw", "do", "{}"), nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.request.Annotations = c.annotations
			if d := p.Decide(c.request); d.Allowed != c.allowed {
				t.Errorf("got %v: %s", d.Allowed, d.Message)
			}
		})
	}
}
