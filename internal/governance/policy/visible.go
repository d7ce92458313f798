package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/signalbox/signalbox"
)

// Visible reports whether a list of tools shows this one to a caller, and by which rule: it does where some call of the
// tool could be permitted. That a tool is visible permits nothing.
func (p *Policy) Visible(c signalbox.Caller, server, name string, a *signalbox.Annotations, grants ...signalbox.Grant) (bool, string) {
	j := &judgement{policy: p, agent: p.agent(c.Agent), r: Request{Caller: c, Grants: grants}}
	j.tool = p.tool(signalbox.ToolRequest{Server: server, Name: name})
	if err := deceptive(j.tool.id); err != nil {
		return false, fmt.Sprintf("the name of the tool %v", err)
	}
	reason := j.agent.lack(c)
	for _, op := range j.tool.operations(a) {
		visible, rule := j.visible(op)
		if visible {
			return true, rule
		}
		if rule != "" {
			reason = rule
		}
	}
	return false, reason
}

// Operations are those that calls of a tool can have, the most usual one first.
func (p *Policy) Operations(server, name string, a *signalbox.Annotations) []signalbox.Operation {
	return p.tool(signalbox.ToolRequest{Server: server, Name: name}).operations(a)
}

// Operation is the most that a call of the tool does.
func (p *Policy) Operation(server, name string, a *signalbox.Annotations) signalbox.Operation {
	all := signalbox.Operations()
	return slices.MaxFunc(p.tool(signalbox.ToolRequest{Server: server, Name: name}).operations(a), func(x, y signalbox.Operation) int {
		return slices.Index(all, x) - slices.Index(all, y)
	})
}

// Reaches reports whether some permission of the caller's agent is about the server, or a break-glass grant is. Rules of
// Cedar files do not count.
func (p *Policy) Reaches(c signalbox.Caller, server string, grants ...signalbox.Grant) bool {
	about := func(pattern string) bool {
		return slices.ContainsFunc(choices(pattern), func(one string) bool { return aboutServer(one, server) })
	}
	for _, g := range grants {
		if g.Agent == c.Agent && g.Tenant == c.Tenant && about(g.Tool) {
			return true
		}
	}
	return slices.ContainsFunc(p.agent(c.Agent).all, func(m *permission) bool { return about(m.tool.text) })
}

// aboutServer reports whether a pattern over ids of tools, in which there are no choices, can match one of the server's.
func aboutServer(pattern, server string) bool {
	whole, err := newNameGlob(pattern)
	if err != nil {
		return false
	}
	id, _, named := strings.Cut(pattern, ".")
	own, err := newNameGlob(id)
	return whole.matches(server+".x") || named && err == nil && own.matches(server)
}

// maxChoices bounds what a pattern is written out to. Those of the configuration have no more; of a grant's with more than
// that, the rest does not count.
const maxChoices = 64

// choices writes out what a pattern lets choose: "{a.x,b.y}" is "a.x" and "b.y".
func choices(pattern string) []string {
	var plain []string
	for open := []string{pattern}; len(open) > 0 && len(plain) < maxChoices; {
		next := open[len(open)-1]
		open = open[:len(open)-1]
		if split := firstChoice(next); split == nil {
			plain = append(plain, next)
		} else {
			open = append(open, split...)
		}
	}
	return plain
}

// firstChoice writes out the first pair of braces of a pattern; nil where there is none.
func firstChoice(pattern string) (all []string) {
	first, depth, within := 0, 0, false // Where a choice begins, how many braces are open, and whether a class is.
	var ends []int
	for i, r := range pattern {
		switch {
		case within:
			within = r != ']'
		case r == '[':
			within = true
		case r == '{':
			if depth++; depth == 1 {
				first, ends = i, nil
			}
		case depth == 1 && r == ',':
			ends = append(ends, i)
		case depth == 1 && r == '}':
			from := first + 1
			for _, to := range append(ends, i) {
				all = append(all, pattern[:first]+pattern[from:to]+pattern[i+1:])
				from = to + 1
			}
			return all
		case depth > 0 && r == '}':
			depth--
		}
	}
	return nil
}

// visible asks whether an operation could be permitted on some resource. Rules of Cedar files count by their scopes:
// conditions are about a call, and there is none yet.
func (j *judgement) visible(op signalbox.Operation) (bool, string) {
	q := question{files: j.policy.files, scopes: true, agent: j.agent.principal(j.r.Caller), resource: j.tool.entities()}
	for _, m := range j.agent.of(flatten(j.tool.id)) {
		if slices.Contains(m.operations, op) && (m.everything || j.tool.namesResources()) {
			q.permissions = append(q.permissions, m)
		}
	}
	a := q.ask(cedar.String(op), lean(q.permissions))
	switch {
	case a.allowed && len(q.permissions) > 0:
		return true, slices.MinFunc(q.permissions, func(a, b *permission) int { return a.rank - b.rank }).name()
	case a.allowed:
		return true, string(a.by[0])
	case len(a.by) > 0:
		return false, "the rule " + string(a.by[0]) + " forbids it"
	}
	if grant := j.grant(); grant != "" {
		return true, "break-glass grant " + grant
	}
	return false, ""
}
