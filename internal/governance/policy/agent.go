package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/signalbox/signalbox"
)

// agent is an agent as decisions need it.
type agent struct {
	id, role string
	source   string
	declared bool                     // It has permissions of its own.
	approval bool                     // All its acts but calls of models wait for a person.
	models   []glob                   // Nil: all.
	exact    map[string][]*permission // Permissions by the tool's id, flattened, where they name one.
	patterns []*permission            // The others.
	all      []*permission            // All, best first: without limit, then with the highest.
	useModel *permission              // What permits its models.
	entity   cedar.Entity
	line     string // Of the policy's text.
}

// permission is a permission of an agent: a permit in Cedar, whose globs are matched here.
type permission struct {
	id         cedar.String
	path       string // In the configuration.
	source     string
	tool       glob
	operations []signalbox.Operation
	resources  []glob
	everything bool // One of the resources is the bare "*".
	limit      int64
	rank       int // 0 is the best.
	line       string
	policy     *cedar.Policy
	alone      cedar.Record // The context that says that only this one covers.
}

// name gives the permission's place, for people.
func (m *permission) name() string { return place(m.source, m.path) }

// where gives the place of the agent's permissions, for people.
func (a *agent) where() string { return place(a.source, "agents."+a.id+".permissions") }

// roleOf gives the agent's role: the declared one, else what the gate knows.
func (a *agent) roleOf(c signalbox.Caller) string { return cmp.Or(a.role, c.AgentRole) }

// covers reports whether the permission's globs match an access of its tool.
func (m *permission) covers(x signalbox.Access) bool {
	if !slices.Contains(m.operations, x.Operation) {
		return false
	}
	return m.everything || x.Resource != "" && anyMatches(m.resources, x.Resource)
}

// of gives the permissions for a tool, by its flattened id, in no order.
func (a *agent) of(tool string) []*permission {
	found := a.exact[tool]
	own := false
	for _, m := range a.patterns {
		if !m.tool.matches(tool) {
			continue
		}
		if !own {
			found, own = slices.Clone(found), true
		}
		found = append(found, m)
	}
	return found
}

// newAgent checks what is declared of an agent.
func newAgent(c Agent) (*agent, error) {
	a := &agent{id: c.ID, role: c.Role, exact: map[string][]*permission{}, line: fmt.Sprintf("agent %q has the role %q", c.ID, c.Role)}
	if err := suspicious(c.ID); err != nil {
		return nil, invalid("agents", "", "The id %q %v.", c.ID, err).WithRemedy("Write it in plain characters.")
	}
	path := "agents." + c.ID + ".permissions"
	a.useModel = &permission{id: cedar.String(path + ".models"), path: path + ".models"}
	if c.Permissions != nil {
		if err := a.permit(*c.Permissions, path); err != nil {
			return nil, err
		}
	}
	a.useModel.policy, a.useModel.alone = a.permitModels(), aloneIn(a.useModel)
	a.entity = agentEntity(a.id, a.role, a.declared)
	return a, nil
}

// permit takes over the agent's permissions.
func (a *agent) permit(p signalbox.Permissions, path string) error {
	a.declared, a.approval, a.source = true, p.RequiresApproval, p.Source
	a.useModel.source = p.Source
	if p.Models != nil {
		var err error
		a.useModel.line = fmt.Sprintf("agent %q may use the models %s", a.id, list(p.Models))
		if a.models, err = newGlobs(p.Models, newNameGlob); err != nil {
			return invalid(path+".models", p.Source, "%s.", sentence(err)).WithRemedy("Name models, or use * as wildcard.")
		}
	}
	for i, t := range p.Tools {
		m, err := a.newPermission(t, fmt.Sprintf("%s.tools[%d]", path, i))
		if err != nil {
			return err
		}
		a.all = append(a.all, m)
	}
	slices.SortStableFunc(a.all, better)
	for i, m := range a.all {
		m.rank = i
		if m.tool.kind == globLiteral {
			a.exact[m.tool.match] = append(a.exact[m.tool.match], m)
		} else {
			a.patterns = append(a.patterns, m)
		}
	}
	return nil
}

// better sorts permissions: those without a limit first, then the highest limit, then by what they say, so that the order
// in the configuration means nothing.
func better(a, b *permission) int {
	limit := func(m *permission) int64 {
		if m.limit == 0 {
			return -1 << 62
		}
		return -m.limit
	}
	return cmp.Or(cmp.Compare(limit(a), limit(b)), strings.Compare(a.line, b.line))
}

// newPermission checks a permission and compiles it.
func (a *agent) newPermission(t signalbox.ToolPermission, path string) (*permission, error) {
	name, err := newNameGlob(t.Name)
	if err != nil {
		return nil, invalid(path+".name", t.Source, "%s.", sentence(err)).WithRemedy("Write a tool's id, server.tool, or a pattern such as files.*.")
	}
	resources, err := newGlobs(t.Resources, newGlob)
	if err != nil {
		return nil, invalid(path+".resources", t.Source, "%s.", sentence(err)).WithRemedy(`Write patterns such as "docs/**", or "*" for everything.`)
	}
	switch {
	case len(resources) == 0:
		return nil, invalid(path+".resources", t.Source, "The permission names no resources.").WithRemedy(`Write patterns, or "*" for everything.`)
	case len(t.Operations) == 0:
		return nil, invalid(path+".operations", t.Source, "The permission names no operations.").WithRemedy("Write read, write or delete.")
	case t.MaxPerMinute < 0:
		return nil, invalid(path+".rate_limit", t.Source, "The limit is negative.").WithRemedy("Write a number of calls per minute, or leave it out.")
	}
	for _, op := range t.Operations {
		if !slices.Contains(signalbox.Operations(), op) {
			return nil, invalid(path+".operations", t.Source, "There is no operation %q.", op).WithRemedy("Write read, write or delete.")
		}
	}
	m := &permission{
		id: cedar.String(path), path: path, source: t.Source, tool: name, operations: t.Operations, resources: resources,
		everything: slices.Contains(t.Resources, "*"), limit: t.MaxPerMinute, line: permissionLine(a.id, t),
	}
	m.policy, m.alone = a.permitTool(m), aloneIn(m)
	return m, nil
}

func aloneIn(m *permission) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{"permissions": permissionSet([]*permission{m})})
}

// sentence begins an error's text as a sentence begins.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
