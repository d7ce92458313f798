package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	expast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/signalbox/signalbox"
)

// MaxCompared bounds how many permissions of one agent are compared with each other for the warning that one shadows
// another.
const MaxCompared = 500

// warner collects warnings.
type warner struct {
	*Policy
	mapped map[string]bool // Servers that have a declared tool.
	ids    []string        // Of declared tools, sorted.
	found  []Warning
}

func (w *warner) warn(source, format string, args ...any) {
	w.found = append(w.found, Warning{Text: fmt.Sprintf(format, args...), Source: source})
}

func (p *Policy) warnings(c Config) []Warning {
	w := &warner{Policy: p, mapped: map[string]bool{}, ids: slices.Sorted(maps.Keys(p.tools))}
	for _, t := range p.tools {
		w.mapped[t.server] = true
	}
	for _, id := range w.ids {
		w.mapping(p.tools[id])
	}
	for _, declared := range c.Agents {
		w.agent(p.agents[declared.ID])
	}
	w.risks()
	w.rules()
	for _, rule := range p.files {
		w.file(rule)
	}
	return w.found
}

// mapping warns of an operation that no call has: each resource has its own.
func (w *warner) mapping(t *tool) {
	own := t.mapping.Operation
	if own == "" || len(t.mapping.Resources) == 0 || t.mapping.Path != "" {
		return
	}
	for _, r := range t.mapping.Resources {
		if operationOf(r, own) == own {
			return
		}
	}
	w.warn(t.mapping.Source, "The tool %s is declared to %s, but each of its resources has another operation: only calls that name none of them %s.",
		t.id, own, own)
}

// agent warns of permissions that match nothing, or that another makes needless.
func (w *warner) agent(a *agent) {
	for i, m := range a.all {
		w.permission(m)
		if len(a.all) > MaxCompared {
			continue
		}
		// Those before it in the order have no lower limit.
		for k, other := range a.all {
			if k != i && other.shadows(m) && (k < i || !m.shadows(other)) {
				w.warn(m.name(), "The permission for %q is shadowed: all that it permits, %s permits too.", m.tool.text, other.name())
				break
			}
		}
	}
}

// shadows reports whether the permission permits all that another does, as often.
func (m *permission) shadows(other *permission) bool {
	for _, op := range other.operations {
		if !slices.Contains(m.operations, op) {
			return false
		}
	}
	if m.limit != 0 && (other.limit == 0 || other.limit > m.limit) || !m.tool.includes(other.tool) {
		return false
	}
	for _, r := range other.resources {
		if !slices.ContainsFunc(m.resources, func(g glob) bool { return g.includes(r) }) {
			return false
		}
	}
	return true
}

// includes reports whether a glob surely matches all that another does.
func (g glob) includes(other glob) bool {
	return g.kind == globAny || g.match == other.match || other.kind == globLiteral && g.matches(other.match)
}

// permission warns of one that can not match.
func (w *warner) permission(m *permission) {
	if w.toolGlob(m.tool, m.name(), "permission") || m.tool.kind == globAny {
		return
	}
	possible, none := false, true
	for _, id := range w.matching(m.tool) {
		possible, none = possible || m.possible(w.tools[id]), false
	}
	server, name, _ := strings.Cut(m.tool.text, ".")
	if own, ok := methods[name]; ok && none {
		if !m.possible(&tool{mapping: own.mapping}) {
			w.warn(m.name(), "The permission for %q can never match: %s has none of its operations and resources.", m.tool.text, name)
		}
		return
	}
	switch {
	case !none && !possible && (m.tool.kind == globLiteral || !w.unmapped(m.tool)):
		w.warn(m.name(), "The permission for %q can never match: what is declared of the tool has none of its operations and resources.", m.tool.text)
	case none && m.tool.kind == globLiteral && !m.possible(&tool{trusted: w.servers[server]}):
		w.warn(m.name(), "The permission for %q can never match: nothing is declared of the tool under mcp_servers.%s.tools.%s, so that its calls write to what nothing names.",
			m.tool.text, server, name)
	case none && m.tool.kind == globLiteral && w.mapped[server]:
		w.warn(m.name(), "The permission for %q is about a tool that is not declared under mcp_servers.%s.tools, as others are.", m.tool.text, server)
	}
}

// possible reports whether some call of the tool could match the permission.
func (m *permission) possible(t *tool) bool {
	operations := t.operations(nil)
	if t.trusted && t.mapping.Operation == "" {
		operations = signalbox.Operations()
	}
	return (m.everything || t.namesResources()) &&
		slices.ContainsFunc(operations, func(op signalbox.Operation) bool { return slices.Contains(m.operations, op) })
}

// toolGlob warns of a pattern over tools that names a server or a tool that is not declared.
func (w *warner) toolGlob(g glob, source, what string) bool {
	server, _, divided := strings.Cut(g.text, ".")
	_, declared := w.servers[server]
	switch {
	case g.kind == globAny:
		return false
	case !divided && g.kind == globLiteral:
		w.warn(source, "The %s for %q can never match: a tool's id is server.tool.", what, g.text)
	case !strings.ContainsAny(server, meta) && !declared:
		w.warn(source, "The %s for %q can never match: there is no MCP server %q.", what, g.text, server)
	case len(w.matching(g)) == 0 && !w.unmapped(g):
		w.warn(source, "The %s for %q matches no tool that is declared.", what, g.text)
	default:
		return false
	}
	return true
}

// matching gives the ids of declared tools that a glob matches.
func (w *warner) matching(g glob) []string {
	if g.kind == globLiteral {
		if _, ok := w.tools[g.text]; ok {
			return []string{g.text}
		}
		return nil
	}
	var ids []string
	for _, id := range w.ids {
		if g.matches(flatten(id)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// unmapped reports whether a glob could match a tool of which nothing is declared: one that is named, or one of a server
// without any declared tool.
func (w *warner) unmapped(g glob) bool {
	server, _, _ := strings.Cut(g.text, ".")
	if g.kind == globLiteral {
		return true
	}
	if !strings.ContainsAny(server, meta) {
		return !w.mapped[server]
	}
	for id := range w.servers {
		if !w.mapped[id] {
			return true
		}
	}
	return false
}

func (w *warner) risks() {
	for i := range w.Policy.risks {
		rule := &w.Policy.risks[i]
		source := place(rule.Source, fmt.Sprintf("policy.risk[%d]", i))
		_, _, err := rule.program.Eval(w.values(&Request{Kind: signalbox.KindModel}, w.nobody, "", nil))
		switch {
		case rule.Level == signalbox.RiskLow:
			w.warn(source, "The rule changes nothing: no risk is lower than low, and rules never lower it.")
		case rule.never:
			w.warn(source, "The rule can never match: its condition is always false.")
		case err != nil:
			w.warn(source, "The condition can not be evaluated for a call without the arguments it speaks of, and then counts as true: "+
				"begin it with the tool it is about, or with has(…).")
		}
	}
}

// rules warns of approval rules that never count.
func (w *warner) rules() {
	for i, rule := range w.Policy.rules {
		source := place(rule.Source, fmt.Sprintf("approvals.rules[%d]", i))
		w.toolGlob(rule.tool, source, "approval rule")
		if _, declared := w.agents[rule.Agent]; rule.agent.kind == globLiteral && !declared {
			w.warn(source, "The approval rule is about the agent %q, which is not declared.", rule.Agent)
		}
		for k, earlier := range w.Policy.rules[:i] {
			if earlier.agent.includes(rule.agent) && earlier.tool.includes(rule.tool) {
				w.warn(source, "The approval rule never counts: %s fits first.", place(earlier.Source, fmt.Sprintf("approvals.rules[%d]", k)))
				break
			}
		}
	}
}

// file warns of a rule in Cedar about an agent or a tool's server that is not declared.
func (w *warner) file(rule fileRule) {
	policy := (*expast.Policy)(rule.policy.AST())
	if s, ok := policy.Principal.(expast.ScopeTypeEq); ok && s.Entity.ID != "" && w.agents[string(s.Entity.ID)] == nil {
		w.warn(string(rule.id), "The rule is about the agent %q, which is not declared.", s.Entity.ID)
	}
	s, ok := policy.Resource.(expast.ScopeTypeEq)
	if !ok || s.Entity.Type != typeTool {
		return
	}
	server, _, _ := strings.Cut(string(s.Entity.ID), ".")
	if _, declared := w.servers[server]; !declared {
		w.warn(string(rule.id), "The rule can never match: there is no MCP server %q.", server)
	}
}
