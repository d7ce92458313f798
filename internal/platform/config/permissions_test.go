package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func goodFile(t *testing.T, name string) *Config {
	t.Helper()
	c, err := parseFile(t, filepath.Join("testdata", name+".good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func number(n int64) *int64 { return &n }

// The two agents of the requirements, field by field.
func TestSeedAgents(t *testing.T) {
	c := goodFile(t, "seed_agents")
	const read, write = signalbox.OperationRead, signalbox.OperationWrite
	equal(t, "researcher", *c.Agents[0].Permissions, signalbox.Permissions{
		Tools: []signalbox.ToolPermission{
			{
				Name: "search.web_search", Operations: []signalbox.Operation{read}, Resources: []string{"*"}, MaxPerMinute: 30,
				Source: "agents[0].permissions.tools[0] (seed_agents.good.yml:6)",
			},
			{
				Name: "database.database_query", Operations: []signalbox.Operation{read}, Resources: []string{"public.*"},
				Source: "agents[0].permissions.tools[1] (seed_agents.good.yml:7)",
			},
		},
		Data: signalbox.DataPermission{
			Tables: []string{"documents", "knowledge_base"}, Columns: []string{"*"}, MaxRows: 100,
			Source: "agents[0].permissions.data (seed_agents.good.yml:8)",
		},
		Network: signalbox.NetworkPermission{
			Allow: []string{"api.search.com", "docs.internal.com"}, Block: []string{"*.payment.*"}, MaxPerMinute: number(60),
			Source: "agents[0].permissions.network (seed_agents.good.yml:9)",
		},
		MaxTokens: 50_000, Source: "agents[0].permissions (seed_agents.good.yml:5)",
	})
	equal(t, "writer", *c.Agents[1].Permissions, signalbox.Permissions{
		Tools: []signalbox.ToolPermission{
			{
				Name: "database.database_query", Operations: []signalbox.Operation{read, write}, Resources: []string{"drafts/*"},
				Source: "agents[1].permissions.tools[0] (seed_agents.good.yml:15)",
			},
			{
				Name: "site.publish", Operations: []signalbox.Operation{write}, Resources: []string{"content/*"},
				Source: "agents[1].permissions.tools[1] (seed_agents.good.yml:16)",
			},
		},
		Data: signalbox.DataPermission{
			Tables: []string{"drafts", "content"}, Columns: []string{"*"}, RowFilter: "tenant_id = :current_tenant", MaxRows: 10,
			Source: "agents[1].permissions.data (seed_agents.good.yml:17)",
		},
		Network: signalbox.NetworkPermission{
			Allow: []string{}, Block: []string{"*"}, MaxPerMinute: number(0),
			Source: "agents[1].permissions.network (seed_agents.good.yml:18)",
		},
		MaxTokens: 30_000, RequiresApproval: true, Source: "agents[1].permissions (seed_agents.good.yml:14)",
	})
}

func TestPermissions(t *testing.T) {
	c := goodFile(t, "permissions")
	agent := map[string]*signalbox.Permissions{}
	for _, a := range c.Agents {
		agent[a.ID] = a.Permissions
	}
	equal(t, "none", agent["plain"], (*signalbox.Permissions)(nil))
	equal(t, "a section without a value", agent["empty"], (*signalbox.Permissions)(nil))
	equal(t, "no models", agent["nothing"].Models, []string{})
	equal(t, "all models", agent["everything"].Models, []string(nil))
	equal(t, "nothing said of data", agent["everything"].Data, signalbox.DataPermission{})
	equal(t, "nothing said of the network", agent["everything"].Network, signalbox.NetworkPermission{})
	equal(t, "a tier without a value", c.Approvals.Tiers[signalbox.RiskHigh], DefaultApprovals().Tiers[signalbox.RiskHigh])
	equal(t, "the role of a tier", c.Approvals.Tiers[signalbox.RiskLow], signalbox.Requirement{Approvers: 1, Role: signalbox.RoleApprover})
	equal(t, "a single resource", agent["everything"].Tools[0].Resources, []string{"*"})
	equal(t, "models", agent["patterns"].Models, []string{"small", "s*", "auto"})
	equal(t, "form NFC", agent["patterns"].Tools[0].Resources[4], "보고서/*")
	equal(t, "from a variable", agent["patterns"].Tools[2].Resources[0], "9090/*")
	equal(t, "hosts in small letters", agent["patterns"].Network.Allow[0], "api.example.com")
	equal(t, "no limit of the network", agent["patterns"].Network.MaxPerMinute, (*int64)(nil))
}

// A pattern that was typed in another form of Unicode matches what is in the form NFC.
func TestPatternsAreNormalised(t *testing.T) {
	const decomposed = "cafe\u0301/*"
	c := mustParse(t, "agents: [{id: a, permissions: {tools: [{name: '*', operations: [read], resources: '"+decomposed+"'}]}}]\nmcp_servers: {s: {command: [x]}}")
	equal(t, "resource", c.Agents[0].Permissions.Tools[0].Resources[0], "caf\u00e9/*")
}

func TestToolMappings(t *testing.T) {
	c := goodFile(t, "permissions")
	files := c.MCPServers["files"]
	equal(t, "untrusted", files.Trusted, false)
	equal(t, "trusted", c.MCPServers["search"].Trusted, true)
	move := files.Tools["move_file"]
	equal(t, "price of a move", *move.Price, ToolPrice{*dollars(t, "0.01")})
	equal(t, "a move", *move.Mapping, signalbox.ToolMapping{
		Operation: signalbox.OperationWrite,
		Resources: []signalbox.ResourceArgument{
			{Argument: "source", Kind: signalbox.ResourcePath, Operation: signalbox.OperationDelete},
			{Argument: "destination", Kind: signalbox.ResourcePath},
		},
		Source: "mcp_servers.files.tools.move_file (permissions.good.yml:37)",
	})
	equal(t, "resources without an operation", files.Tools["fetch"].Mapping.Operation, signalbox.Operation(""))
	equal(t, "a way into an object", files.Tools["fetch"].Mapping.Resources[0].Argument, "request.url")
	equal(t, "a price alone", files.Tools["priced"].Mapping, (*signalbox.ToolMapping)(nil))
	equal(t, "nothing said", files.Tools["nothing"], Tool{})
}

// globText draws patterns and texts out of few signs, so that they often match.
func globText(signs string) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune(signs)), 0, 12, -1)
}

// What braces stand for is what doublestar takes them for.
func TestAlternativesMatchTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := globText("ab/{},*[]").Draw(t, "pattern")
		text := globText("ab/").Draw(t, "text")
		if globFault(pattern) != (fault{}) {
			return
		}
		want, err := doublestar.Match(pattern, text)
		if err != nil {
			t.Fatalf("%q was taken: %v", pattern, err)
		}
		all, _ := alternatives(pattern)
		got := false
		for _, one := range all {
			matches, err := doublestar.Match(one, text)
			if err != nil {
				t.Fatalf("%q of %q: %v", one, pattern, err)
			}
			got = got || matches
		}
		if got != want {
			t.Fatalf("%q on %q: got %v, want %v; alternatives %q", pattern, text, got, want, all)
		}
	})
}

// A pattern that a tool of a configured server matches is never called one of an unknown server.
func TestServersAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := globText("ab.*?").Draw(t, "pattern")
		server := rapid.StringMatching(`[ab]{1,3}`).Draw(t, "server")
		tool := rapid.StringMatching(`[ab.]{1,3}`).Draw(t, "tool")
		if matches, err := doublestar.Match(pattern, server+"."+tool); err != nil || !matches {
			return
		}
		if wrong := toolFault(pattern); wrong != (fault{}) {
			t.Fatalf("%q matches %s.%s: %v", pattern, server, tool, wrong)
		}
		if _, found := serverFor(pattern, []string{"other", server}); !found {
			t.Fatalf("%q matches %s.%s, and no server was found", pattern, server, tool)
		}
	})
}

var quotedSQL = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// A filter that is taken can neither end the parentheses around it nor begin a comment or another statement.
func TestRowFiltersStayInTheirParentheses(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		parts := []string{"a", " ", "=", "'", `"`, "(", ")", ";", "-", "/", "*", ":", "$", `\`, ":current_user", "1"}
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts"), "")
		if rowFilterFault(text) != (fault{}) {
			return
		}
		taken++
		bare := quotedSQL.ReplaceAllString(text, "x")
		for _, bad := range []string{";", "--", "/*", "$", `\`, "'", `"`} {
			if strings.Contains(bare, bad) {
				t.Fatalf("%q has %s outside of quotes", text, bad)
			}
		}
		depth := 0
		for _, c := range bare {
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth < 0 {
				t.Fatalf("%q ends the parentheses around it", text)
			}
		}
		if depth != 0 {
			t.Fatalf("%q leaves %d parentheses open", text, depth)
		}
	})
	if taken == 0 {
		t.Error("no filter was taken: the test has shown nothing")
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What the documentation shows of servers that fail says the defaults, but for the limits.
func TestDocumentedProtection(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## Servers that fail\n")
	block := yamlBlock.FindStringSubmatch(rest)
	if block == nil {
		t.Fatal("found no example")
	}
	servers := mustParse(t, block[1]).MCPServers
	got := servers["search"]
	got.URL = Endpoint{}
	equal(t, "defaults", got, MCPServer{Timeouts: DefaultToolTimeouts(), MaxCalls: DefaultToolCalls, Breaker: DefaultBreaker(), Pins: DefaultPins()})
	equal(t, "limits", servers["files"].Limits, ChildLimits{CPU: 10 * time.Minute, Memory: 1 << 30, Files: 256, Processes: 32})
}

// What the documentation shows of permissions, policy, approvals and logins is one good configuration.
func TestDocumentedPolicy(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## Permissions\n")
	part, _, found := strings.Cut(rest, "\n## Retention of content\n")
	blocks := yamlBlock.FindAllStringSubmatch(part, -1)
	if !found || len(blocks) != 9 {
		t.Fatalf("found %d examples, want 9", len(blocks))
	}
	const base = "tenants: [{id: acme}]\nchannels: {ops: {kind: webhook, url: 'https://h', secret: 0123456789abcdef}}\n"
	text := base
	for _, b := range blocks {
		if section, _, _ := strings.Cut(b[1], "\n"); !strings.Contains(text, "\n"+section+"\n") {
			text += b[1]
			continue
		}
		if _, err := Parse("more.yml", []byte(base+b[1]), func(string) (string, bool) { return "x", true }, testOptions); err != nil {
			t.Errorf("another example of a section: %v", err)
		}
	}
	o := testOptions
	o.ReadFile = func(string) ([]byte, error) { return []byte(someCedar), nil }
	c, err := Parse("docs.yml", []byte(text), func(string) (string, bool) { return "x", true }, o)
	if err != nil {
		t.Fatal(err)
	}
	for risk, want := range DefaultApprovals().Tiers {
		equal(t, "the default tier "+string(risk), c.Approvals.Tiers[risk], want)
	}
	equal(t, "identity provider", c.OIDC[0].ID, "corp")
}
