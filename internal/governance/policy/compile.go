package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/signalbox/signalbox"
)

// Policy is all that decides, compiled. It never changes and is safe for concurrent use.
type Policy struct {
	agents  map[string]*agent
	nobody  *agent           // Every agent that is not declared, and calls without one.
	servers map[string]bool  // Whether each is trusted.
	tools   map[string]*tool // Those with a mapping, by id.
	files   []fileRule
	cedar   string // Hash of the files' rules.
	risks   []riskRule
	tiers   map[signalbox.Risk]signalbox.Requirement
	rules   []approvalRule

	speaksOfArguments bool // Some risk rule does.
	skipsCedar        bool // For calls of models that nothing restricts. Off only where a test compares.

	serverLines   map[string]string // Of the text, by id.
	tierNames     map[signalbox.Risk]string
	version, text string
}

// Version identifies the policy: "sha256:" and 16 hexadecimal digits of the hash of its text.
func (p *Policy) Version() string { return p.version }

// Text is all that decides, one line for each rule, sorted.
func (p *Policy) Text() string { return p.text }

// Compile checks a configuration and makes a policy of it. The error is a *signalbox.Error of code invalid that names the
// place and the remedy, or several of one Cedar file, joined. Warnings name what is probably not meant.
func Compile(c Config) (*Policy, []Warning, error) {
	p := &Policy{
		agents: map[string]*agent{}, servers: map[string]bool{}, tools: map[string]*tool{}, skipsCedar: true,
		serverLines: map[string]string{}, tierNames: map[signalbox.Risk]string{},
	}
	for _, step := range []func(Config) error{p.addAgents, p.addTools, p.addFiles, p.addRisks, p.addTiers, p.addRules} {
		if err := step(c); err != nil {
			return nil, nil, err
		}
	}
	p.write(c)
	return p, p.warnings(c), nil
}

func (p *Policy) addAgents(c Config) error {
	var err error
	p.nobody = must(newAgent(Agent{}))
	for _, declared := range c.Agents {
		switch _, twice := p.agents[declared.ID]; {
		case declared.ID == "":
			return invalid("agents", "", "An agent has no id.").WithRemedy("Give it one.")
		case twice:
			return invalid("agents", "", "The agent %q is declared twice.", declared.ID).WithRemedy("Leave one of them out.")
		}
		if p.agents[declared.ID], err = newAgent(declared); err != nil {
			return err
		}
	}
	return nil
}

// agent gives what is known of the caller's agent.
func (p *Policy) agent(id string) *agent {
	if a, ok := p.agents[id]; ok {
		return a
	}
	return p.nobody
}

func (p *Policy) addTools(c Config) error {
	for id, server := range c.Servers {
		p.servers[id], p.serverLines[id] = server.Trusted, serverLine(id, server.Trusted)
		for name, mapping := range server.Tools {
			if err := checkMapping(id+"."+name, mapping); err != nil {
				return err
			}
			t := &tool{
				id: id + "." + name, server: id, name: name, trusted: server.Trusted, declared: true, mapped: true, mapping: mapping,
				names: namesOf(mapping), serverOf: p.serverLines[id],
			}
			t.line = mappingLine(t)
			p.tools[t.id] = t
		}
	}
	return nil
}

// checkMapping checks what is declared of a tool.
func checkMapping(id string, m signalbox.ToolMapping) error {
	field := "mcp_servers." + strings.Replace(id, ".", ".tools.", 1)
	operations := []signalbox.Operation{m.Operation}
	for i, r := range m.Resources {
		kinds := []signalbox.ResourceKind{signalbox.ResourceName, signalbox.ResourcePath, signalbox.ResourceURL, signalbox.ResourceURI}
		switch at := fmt.Sprintf("%s.resources[%d]", field, i); {
		case r.Argument == "" || slices.Contains(strings.Split(r.Argument, "."), ""):
			return invalid(at, m.Source, "%q names no argument.", r.Argument).WithRemedy("Name one, or one in another: options.path.")
		case !slices.Contains(kinds, r.Kind):
			return invalid(at, m.Source, "There is no kind %q of resources.", r.Kind).WithRemedy("Write name, path, url or uri.")
		}
		operations = append(operations, r.Operation)
	}
	for _, op := range operations {
		if op != "" && !slices.Contains(signalbox.Operations(), op) {
			return invalid(field, m.Source, "There is no operation %q.", op).WithRemedy("Write read, write or delete.")
		}
	}
	return nil
}

// tool gives what is known of a tool.
func (p *Policy) tool(r signalbox.ToolRequest) *tool {
	if t, ok := p.tools[r.ID()]; ok && t.server == r.Server {
		return t
	}
	trusted, declared := p.servers[r.Server]
	t := &tool{id: r.ID(), server: r.Server, name: r.Name, trusted: trusted, declared: declared, serverOf: p.serverLines[r.Server]}
	if own, ok := methods[r.Name]; ok {
		t.mapped, t.mapping, t.names = true, own.mapping, own.names
	}
	return t
}

func (p *Policy) addFiles(c Config) error {
	hash := sha256.New()
	for _, f := range c.Cedar {
		rules, err := readFile(f)
		if err != nil {
			return err
		}
		p.files = append(p.files, rules...)
	}
	slices.SortStableFunc(p.files, func(a, b fileRule) int { return strings.Compare(a.line, b.line) })
	for _, rule := range p.files {
		hash.Write([]byte(rule.line + "\n"))
	}
	p.cedar = hex.EncodeToString(hash.Sum(nil))
	return nil
}

func (p *Policy) addRisks(c Config) error {
	for i, rule := range c.Risk {
		field := fmt.Sprintf("policy.risk[%d]", i)
		if !slices.Contains(signalbox.Risks(), rule.Level) {
			return invalid(field, rule.Source, "There is no level %q of risk.", rule.Level).WithRemedy("Write low, medium or high.")
		}
		condition, err := compileCEL(rule.When)
		if err != nil {
			return invalid(field, rule.Source, "The condition is not valid: %s.", oneLine(err.Error())).WithRemedy("Correct the expression.")
		}
		p.speaksOfArguments = p.speaksOfArguments || condition.arguments
		p.risks = append(p.risks, riskRule{rule, condition, riskLine(rule)})
	}
	return nil
}

func (p *Policy) addTiers(c Config) error {
	p.tiers = DefaultTiers()
	for level := range p.tiers {
		p.tierNames[level] = fmt.Sprintf("the tier of %s risk (approvals.tiers.%s)", level, level)
	}
	for level, q := range c.Tiers {
		field := "approvals.tiers." + string(level)
		if _, ok := p.tiers[level]; !ok {
			return invalid(field, "", "There is no level %q of risk.", level).WithRemedy("Write low, medium or high.")
		}
		var err error
		if p.tiers[level], err = checkRequirement(field, "", q); err != nil {
			return err
		}
	}
	return nil
}

// checkRequirement checks who must agree; without a role it is approvers.
func checkRequirement(field, source string, q signalbox.Requirement) (signalbox.Requirement, error) {
	switch {
	case q.Approvers < 0:
		return q, invalid(field, source, "The number of approvers is negative.").WithRemedy("Write 0 for nobody.")
	case q.Role == "":
		q.Role = signalbox.RoleApprover
	case !q.Role.Valid():
		return q, invalid(field, source, "There is no role %q.", q.Role).WithRemedy("Write approver, or another of the roles.")
	}
	return q, nil
}

func (p *Policy) addRules(c Config) error {
	for i, rule := range c.Rules {
		field := fmt.Sprintf("approvals.rules[%d]", i)
		globs, err := newGlobs([]string{rule.Agent, rule.Tool}, newNameGlob)
		if err != nil {
			return invalid(field, rule.Source, "%s.", sentence(err)).WithRemedy("Write ids of agents and tools, or * as wildcard.")
		}
		if rule.Require, err = checkRequirement(field, rule.Source, rule.Require); err != nil {
			return err
		}
		p.rules = append(p.rules, approvalRule{rule, globs[0], globs[1], fmt.Sprintf("approval rule %03d: agent %q, tool %q: %s",
			i, rule.Agent, rule.Tool, requirementText(rule.Require))})
	}
	return nil
}

// must is for what only a fault in this package can make fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// principal gives the agent's entity for a call.
func (a *agent) principal(c signalbox.Caller) cedar.Entity {
	if a.id != "" {
		return a.entity
	}
	return agentEntity(c.Agent, c.AgentRole, false)
}
