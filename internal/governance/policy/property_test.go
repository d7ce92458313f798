package policy_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// pairsDefault is how many pairs of a policy and a request are compared; SIGNALBOX_POLICY_PAIRS changes it.
const pairsDefault = 100_000

// perPolicy is how many requests are compared for each policy.
const perPolicy = 100

func pairs(t *testing.T) int {
	text := os.Getenv("SIGNALBOX_POLICY_PAIRS")
	if text == "" {
		return pairsDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_POLICY_PAIRS is %q; it must be a number from 1", text)
	}
	return n
}

var (
	agentNames = []string{"", "reader", "writer", "ghost"}
	toolNames  = []string{"files.read", "files.move", "files.purge", "raw.do", "raw.ns/do"}
	toolGlobs  = []string{"*", "files.*", "files.read", "files.move", "raw.*", "raw.do", "*.purge", "**.do", "other.x"}
	pathGlobs  = []string{"*", "**", "docs/*", "docs/**", "docs/a", "/etc/*", "*/a", "**/b", "d*s/*"}
	paths      = []string{"docs/a", "docs/a/b", "docs", "", "docs/../etc", "../x", "/etc/b", "x", "./docs//a", `docs\a`, "docs/x/../b"}
	grantGlobs = []string{"", "", "", "*", "files.*", "raw.do"}
	operations = []string{"read", "write", "delete"}
)

// draw makes a random policy and the naive evaluator of it.
func draw(t *rapid.T) naive {
	n := naive{config: policy.Config{Servers: map[string]policy.Server{"raw": {}, "files": {Tools: map[string]signalbox.ToolMapping{}}}}}
	op := rapid.SampledFrom([]signalbox.Operation{"", "read", "write", "delete"})
	for _, name := range []string{"read", "move", "purge"} {
		n.config.Servers["files"].Tools[name] = signalbox.ToolMapping{Operation: op.Draw(t, "operation"), Resources: []signalbox.ResourceArgument{
			path("from", op.Draw(t, "of from")), path("to", op.Draw(t, "of to")),
		}[:rapid.IntRange(0, 2).Draw(t, "resources")]}
	}
	for _, id := range []string{"reader", "writer"} {
		n.config.Agents = append(n.config.Agents, policy.Agent{ID: id, Permissions: drawPermissions(t)})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "cedar") {
		r := drawRule(t)
		n.cedar = append(n.cedar, r)
		n.config.Cedar = append(n.config.Cedar, policy.File{Name: fmt.Sprintf("f%d.cedar", i), Text: r.cedar()})
	}
	for range rapid.IntRange(0, 2).Draw(t, "risks") {
		r := drawRule(t)
		r.targeting = ""
		n.risk = append(n.risk, r)
		n.config.Risk = append(n.config.Risk, signalbox.RiskRule{When: r.cel(), Level: r.level})
	}
	drawApprovals(t, &n.config)
	return n
}

func drawPermissions(t *rapid.T) *signalbox.Permissions {
	if !rapid.Bool().Draw(t, "declared") {
		return nil
	}
	p := &signalbox.Permissions{RequiresApproval: rapid.IntRange(0, 3).Draw(t, "requires") == 0}
	for range rapid.IntRange(0, 4).Draw(t, "permissions") {
		p.Tools = append(p.Tools, permission(rapid.SampledFrom(toolGlobs).Draw(t, "tool"),
			rapid.SampledFrom([]string{"r", "w", "d", "rw", "rwd"}).Draw(t, "operations"),
			rapid.SliceOfN(rapid.SampledFrom(pathGlobs), 1, 2).Draw(t, "resources")...))
	}
	return p
}

func drawRule(t *rapid.T) rule {
	maybe := func(list []string, name string) string {
		return rapid.SampledFrom(append([]string{"", ""}, list...)).Draw(t, name)
	}
	return rule{
		forbid: rapid.Bool().Draw(t, "forbid"), agent: maybe(agentNames[1:], "rule's agent"), tool: maybe(toolNames, "rule's tool"),
		operation: maybe(operations, "rule's operation"), targeting: maybe([]string{"docs", "/etc", "docs/a"}, "target"),
		broken: rapid.IntRange(0, 4).Draw(t, "broken") == 0, level: rapid.SampledFrom(signalbox.Risks()).Draw(t, "level"),
	}
}

// cedar writes the rule in Cedar. A broken one adds up to more than a number can hold.
func (r rule) cedar() string {
	scope := func(variable, kind, id string) string {
		if id == "" {
			return variable
		}
		return fmt.Sprintf("%s == %s::%q", variable, kind, id)
	}
	effect := "permit"
	if r.forbid {
		effect = "forbid"
	}
	action := scope("action", "Action", r.operation)
	if r.operation == "" {
		action = `action in [Action::"read", Action::"write", Action::"delete"]`
	}
	when := fmt.Sprintf("context.target like %q", r.targeting+"*")
	if r.broken {
		when += " && 9223372036854775807 + (if context.target like \"*\" then 1 else 0) > 0"
	}
	return fmt.Sprintf("%s (%s, %s, %s) when { %s };", effect, scope("principal", "Agent", r.agent), action, scope("resource", "Tool", r.tool), when)
}

// cel writes the rule as a condition. A broken one speaks of an argument that is never there.
func (r rule) cel() string {
	parts := []string{"true"}
	for _, p := range [][2]string{{"agent.id", r.agent}, {"tool.id", r.tool}, {"operation", r.operation}} {
		if p[1] != "" {
			parts = append(parts, fmt.Sprintf("%s == %q", p[0], p[1]))
		}
	}
	if r.broken {
		parts = append(parts, "arguments.absent > 1")
	}
	return strings.Join(parts, " && ")
}

func drawApprovals(t *rapid.T, c *policy.Config) {
	approvers := rapid.IntRange(0, 3)
	for _, level := range signalbox.Risks() {
		if rapid.IntRange(0, 3).Draw(t, "tier") == 0 {
			if c.Tiers == nil {
				c.Tiers = map[signalbox.Risk]signalbox.Requirement{}
			}
			c.Tiers[level] = signalbox.Requirement{Approvers: approvers.Draw(t, "approvers")}
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		c.Rules = append(c.Rules, signalbox.ApprovalRule{
			Agent: rapid.SampledFrom([]string{"*", "reader", "w*"}).Draw(t, "whose"), Tool: rapid.SampledFrom(toolGlobs).Draw(t, "which"),
			Require: signalbox.Requirement{Approvers: approvers.Draw(t, "approvers")},
		})
	}
}

// randomCall makes a call of any of the tools by any of the agents.
func randomCall(r *rand.Rand) plainCall {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	server, tool, _ := strings.Cut(pick(toolNames), ".")
	c := plainCall{agent: pick(agentNames), server: server, tool: tool, arguments: map[string][]string{}, grant: pick(grantGlobs)}
	for _, name := range []string{"from", "to"} {
		for range r.IntN(3) {
			c.arguments[name] = append(c.arguments[name], pick(paths))
		}
	}
	return c
}

func (c plainCall) request() policy.Request {
	var members []string
	for name, values := range c.arguments {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = strconv.Quote(v)
		}
		members = append(members, fmt.Sprintf("%q:[%s]", name, strings.Join(quoted, ",")))
	}
	r := toolCall(c.agent, c.server, c.tool, "{"+strings.Join(members, ",")+"}")
	if c.grant != "" {
		r.Grants = []signalbox.Grant{{ID: "grant_1", Tenant: "acme", Agent: c.agent, Tool: c.grant}}
	}
	return r
}

func TestDecisionsAreThoseOfTheNaiveEvaluator(t *testing.T) {
	want, compared, allowed, invalid, granted := pairs(t), 0, 0, 0, 0
	for compared < want {
		rapid.Check(t, func(t *rapid.T) {
			n := draw(t)
			p := compile2(t, n.config)
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			for range perPolicy {
				c := randomCall(random)
				naive, d := n.decide(c), p.Decide(c.request())
				compared++
				if problem := differs(naive, d); problem != "" {
					t.Fatalf("%+v: %s\n%s\npolicy:\n%s%v", c, problem, d.Message, p.Text(), n.config.Cedar)
				}
				allowed, invalid, granted = allowed+count(d.Allowed), invalid+count(naive.invalid), granted+count(d.BreakGlass != "")
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d pairs: %d allowed, %d invalid, %d by break-glass", compared, allowed, invalid, granted)
	if min(allowed, invalid, granted, compared-allowed) < compared/100 {
		t.Errorf("the pairs are one-sided: %d of %d allowed, %d invalid, %d by break-glass", allowed, compared, invalid, granted)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compile2(t *rapid.T, c policy.Config) *policy.Policy {
	p, _, err := policy.Compile(c)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return p
}

// differs names a difference between what the naive evaluator and the policy say.
func differs(n naiveDecision, d policy.Decision) string {
	switch {
	case n.invalid != (d.Code == signalbox.CodeInvalid):
		return fmt.Sprintf("invalid: want %v, got %q", n.invalid, d.Code)
	case n.invalid:
		return ""
	case !slices.Equal(n.accesses, d.Accesses):
		return fmt.Sprintf("accesses: want %v, got %v", n.accesses, d.Accesses)
	case n.allowed != d.Allowed:
		return fmt.Sprintf("allowed: want %v, got %v by %s", n.allowed, d.Allowed, d.Rule)
	case n.risk != d.Risk:
		return fmt.Sprintf("risk: want %s, got %s", n.risk, d.Risk)
	case !n.allowed:
		return ""
	case n.approvers != d.Require.Approvers:
		return fmt.Sprintf("approvers: want %d, got %d by %s", n.approvers, d.Require.Approvers, d.Why)
	case n.broken != (d.BreakGlass != ""):
		return fmt.Sprintf("break-glass: want %v, got %q", n.broken, d.BreakGlass)
	}
	return ""
}
