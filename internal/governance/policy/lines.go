package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// write makes the policy's text and its version.
func (p *Policy) write(c Config) {
	lines := []string{}
	for _, declared := range c.Agents {
		lines = append(lines, p.agents[declared.ID].line)
		if declared.Permissions != nil {
			lines = append(lines, agentLines(declared.ID, *declared.Permissions)...)
		}
		for _, m := range p.agents[declared.ID].all {
			lines = append(lines, m.line)
		}
	}
	for _, line := range p.serverLines {
		lines = append(lines, line)
	}
	for _, t := range p.tools {
		lines = append(lines, t.line)
	}
	for _, rule := range p.files {
		lines = append(lines, rule.line)
	}
	for _, rule := range p.risks {
		lines = append(lines, rule.line)
	}
	for level, q := range p.tiers {
		lines = append(lines, fmt.Sprintf("tier %s: %s", level, requirementText(q)))
	}
	for _, rule := range p.rules {
		lines = append(lines, rule.line)
	}
	slices.Sort(lines)
	p.text = strings.Join(lines, "\n") + "\n"
	hash := sha256.Sum256([]byte(p.text))
	p.version = "sha256:" + hex.EncodeToString(hash[:8])
}

func serverLine(id string, trusted bool) string {
	if trusted {
		return fmt.Sprintf("server %q: its annotations are trusted", id)
	}
	return fmt.Sprintf("server %q: its annotations are not trusted", id)
}

func requirementText(q signalbox.Requirement) string {
	if q.Approvers == 0 {
		return "nobody"
	}
	return fmt.Sprintf("%d of role %s", q.Approvers, q.Role)
}

func permissionLine(agent string, t signalbox.ToolPermission) string {
	var operations []string
	for _, op := range signalbox.Operations() {
		if slices.Contains(t.Operations, op) {
			operations = append(operations, string(op))
		}
	}
	line := fmt.Sprintf("agent %q may %s %s by tool %q", agent, strings.Join(operations, ", "), list(t.Resources), t.Name)
	if t.MaxPerMinute > 0 {
		line += fmt.Sprintf(", %d per minute", t.MaxPerMinute)
	}
	return line
}

// list gives texts quoted and sorted, so that their order means nothing.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	slices.Sort(quoted)
	return "[" + strings.Join(quoted, " ") + "]"
}

// agentLines says what else is permitted or demanded.
func agentLines(id string, p signalbox.Permissions) []string {
	lines := []string{}
	add := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("agent %q ", id)+fmt.Sprintf(format, args...))
	}
	if p.Models != nil {
		add("may use the models %s", list(p.Models))
	}
	if p.RequiresApproval {
		add("requires approval")
	}
	if p.MaxTokens > 0 {
		add("has at most %d tokens in a run", p.MaxTokens)
	}
	if d := p.Data; len(d.Tables)+len(d.Columns) > 0 || d.RowFilter != "" || d.MaxRows > 0 {
		add("has data: tables %s, columns %s, rows %q, at most %d", list(d.Tables), list(d.Columns), d.RowFilter, d.MaxRows)
	}
	if n := p.Network; len(n.Allow)+len(n.Block) > 0 || n.MaxPerMinute != nil {
		limit := "without limit"
		if n.MaxPerMinute != nil {
			limit = fmt.Sprintf("%d per minute", *n.MaxPerMinute)
		}
		add("has network: allowed %s, blocked %s, %s", list(n.Allow), list(n.Block), limit)
	}
	return lines
}

func mappingLine(t *tool) string {
	line := fmt.Sprintf("tool %q does %q", t.id, t.mapping.Operation)
	if t.mapping.Path != "" {
		line += fmt.Sprintf(" to the path %q", string(t.mapping.Path))
	}
	for _, r := range t.mapping.Resources {
		line += fmt.Sprintf(", %q to the %s in %q", r.Operation, r.Kind, r.Argument)
	}
	return line
}

func riskLine(rule signalbox.RiskRule) string {
	if strings.Contains(rule.When, "\n") {
		return fmt.Sprintf("risk is %s when %q", rule.Level, rule.When)
	}
	return fmt.Sprintf("risk is %s when %s", rule.Level, rule.When)
}
