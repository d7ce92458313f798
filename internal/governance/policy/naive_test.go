package policy_test

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// The naive evaluator: what the documentation says, written again with loops, regular expressions and no library that
// the product decides with. Cedar files and conditions are kept as data beside their texts.

// rule is a rule of a Cedar file or a risk rule as data. An empty field fits all.
type rule struct {
	forbid                            bool
	agent, tool, operation, targeting string // targeting: a beginning of the resource.
	broken                            bool   // It can not be evaluated where all the rest fits.
	level                             signalbox.Risk
}

type naive struct {
	config policy.Config
	cedar  []rule
	risk   []rule
}

type plainCall struct {
	agent, server, tool string
	arguments           map[string][]string
	grant               string // Glob of the grant; "" is none.
}

type naiveDecision struct {
	allowed, invalid bool
	accesses         []signalbox.Access
	risk             signalbox.Risk
	approvers        int
	broken           bool // By break-glass.
}

// compiled are the regular expressions of globs, which are few.
var compiled = map[string]*regexp.Regexp{}

// naiveMatch translates a glob into a regular expression. The globs of these tests have stars only.
func naiveMatch(glob, text string, segments bool) bool {
	if glob == "*" || text == "" {
		return glob == "*"
	}
	star := `[^/]*`
	if !segments {
		star = `.*`
	}
	var b strings.Builder
	for i, part := range strings.Split(glob, "/") {
		switch {
		case part == "**" && segments && i == 0:
			b.WriteString(`(?:.*)`)
		case part == "**" && segments:
			b.WriteString(`(?:/.*)?`)
			continue
		default:
			if i > 0 {
				b.WriteString("/")
			}
			b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(part), `\*`, star))
		}
	}
	if compiled[b.String()] == nil {
		compiled[b.String()] = regexp.MustCompile(`^(?s:` + b.String() + `)$`)
	}
	return compiled[b.String()].MatchString(text)
}

// naiveClean takes the steps of a path one by one.
func naiveClean(p string) (string, bool) {
	if strings.ContainsAny(p, "\\\x00") {
		return "", false
	}
	var steps []string
	for _, s := range strings.Split(p, "/") {
		switch {
		case s == "" || s == ".":
		case s == ".." && len(steps) == 0:
			return "", false
		case s == "..":
			steps = steps[:len(steps)-1]
		default:
			steps = append(steps, s)
		}
	}
	clean := strings.Join(steps, "/")
	if strings.HasPrefix(p, "/") {
		return "/" + clean, true
	}
	return cmp.Or(clean, "."), true
}

func (n naive) accesses(c plainCall) (list []signalbox.Access, ok bool) {
	mapping := n.config.Servers[c.server].Tools[c.tool]
	own := cmp.Or(mapping.Operation, signalbox.OperationWrite)
	for _, r := range mapping.Resources {
		for _, value := range c.arguments[r.Argument] {
			clean, good := naiveClean(value)
			if !good {
				return nil, false
			}
			if a := (signalbox.Access{Operation: cmp.Or(r.Operation, own), Resource: clean}); !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	if len(list) == 0 {
		list = []signalbox.Access{{Operation: own}}
	}
	return list, true
}

func (r rule) fits(c plainCall, a signalbox.Access) bool {
	return (r.agent == "" || r.agent == c.agent) && (r.tool == "" || r.tool == c.server+"."+c.tool) &&
		(r.operation == "" || r.operation == string(a.Operation)) && strings.HasPrefix(a.Resource, r.targeting)
}

func (n naive) permissions(agent string) *signalbox.Permissions {
	for _, a := range n.config.Agents {
		if a.ID == agent {
			return a.Permissions
		}
	}
	return nil
}

// permitted says whether one access is permitted, and whether only by the grant.
func (n naive) permitted(c plainCall, a signalbox.Access) (allowed, byGrant bool) {
	for _, r := range n.cedar {
		allowed = allowed || r.fits(c, a)
	}
	for _, r := range n.cedar {
		if r.fits(c, a) && (r.broken || r.forbid) {
			return false, false
		}
	}
	if p := n.permissions(c.agent); p != nil {
		for _, t := range p.Tools {
			if !naiveMatch(t.Name, c.server+"."+c.tool, false) || !slices.Contains(t.Operations, a.Operation) {
				continue
			}
			for _, g := range t.Resources {
				allowed = allowed || naiveMatch(g, a.Resource, true)
			}
		}
	}
	grant := !allowed && naiveMatch(c.grant, c.server+"."+c.tool, false)
	return allowed || grant, grant
}

func (n naive) decide(c plainCall) naiveDecision {
	list, ok := n.accesses(c)
	if !ok {
		return naiveDecision{invalid: true}
	}
	d := naiveDecision{allowed: true, accesses: list}
	order := []signalbox.Operation{"read", "write", "delete"}
	top := 0
	for _, a := range list {
		allowed, byGrant := n.permitted(c, a)
		d.allowed, d.broken = d.allowed && allowed, d.broken || byGrant
		top = max(top, slices.Index(order, a.Operation))
	}
	level := top
	for _, r := range n.risk {
		if r.fits(c, signalbox.Access{Operation: order[top]}) {
			level = max(level, slices.Index([]signalbox.Risk{"low", "medium", "high"}, r.level))
		}
	}
	d.risk = []signalbox.Risk{"low", "medium", "high"}[level]
	tiers := map[signalbox.Risk]int{"low": 0, "medium": 1, "high": 2}
	for r, q := range n.config.Tiers {
		tiers[r] = q.Approvers
	}
	d.approvers = tiers[d.risk]
	for _, r := range n.config.Rules {
		if naiveMatch(r.Agent, c.agent, false) && naiveMatch(r.Tool, c.server+"."+c.tool, false) {
			d.approvers = r.Require.Approvers
			break
		}
	}
	if p := n.permissions(c.agent); p != nil && p.RequiresApproval {
		d.approvers = max(d.approvers, tiers["medium"], 1)
	}
	if naiveMatch(c.grant, c.server+"."+c.tool, false) && d.risk != "high" {
		d.broken, d.approvers = d.broken || d.approvers > 0, 0
	}
	if d.risk == "high" && top > 0 {
		d.approvers = max(d.approvers, 1)
	}
	return d
}
