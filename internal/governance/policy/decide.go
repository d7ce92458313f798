package policy

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Decision is what the policy says about a call.
type Decision struct {
	call.PolicyResult // As it goes into the track.

	Allowed  bool
	Code     signalbox.Code // Of a denial: forbidden, or invalid where the call can not be understood.
	Field    string         // Of a denial: what of the request is to blame.
	Message  string         // Of a denial.
	Remedy   string         // Of a denial: what would have to change.
	Models   []string       // Of a call of a model: the names that are permitted, in order.
	Rules    []string       // What permits or denies each of Accesses, for people.
	RiskRule string         // What raised the risk, for people; "" where nothing did.
}

// judgement is a decision under way.
type judgement struct {
	Decision
	policy   *Policy
	r        Request
	agent    *agent
	tool     *tool // Of a call of a tool.
	verdicts []verdict
	parts    []string // Lines of the policy that decided.
}

// outcome is what was found about one access, or one model.
type outcome int

const (
	missing   outcome = iota // Nothing permits it.
	permitted                // A permission or a rule in Cedar does.
	granted                  // Only a break-glass grant does.
	forbidden                // A rule in Cedar forbids it.
	failed                   // A rule in Cedar could not be evaluated.
)

// verdict is what was found about one access, or one model, and by which rule.
type verdict struct {
	outcome    outcome
	permission *permission // The best that covers it; nil where none does.
	rule       string
}

// allows reports whether the access may be.
func (v verdict) allows() bool { return v.outcome == permitted || v.outcome == granted }

// Decide says whether the call may be made, what it does, and who must agree to it. It never fails: what it can not
// understand it denies. Safe for concurrent use.
func (p *Policy) Decide(r Request) Decision { return p.judge(r).Decision }

func (p *Policy) judge(r Request) *judgement {
	j := &judgement{policy: p, r: r, agent: p.agent(r.Caller.Agent)}
	j.Version, j.Risk, j.Status = p.version, signalbox.RiskHigh, signalbox.StatusDenied
	switch {
	case r.Kind == signalbox.KindModel:
		j.judgeModels()
	case r.Kind == signalbox.KindTool && r.Tool != nil:
		j.tool = p.tool(*r.Tool)
		j.judgeTool()
	default:
		j.deny(signalbox.CodeForbidden, "", "No rule permits calls of kind "+string(r.Kind)+".", "Call a model or a tool.")
		j.Rule = "nothing permits calls of this kind"
	}
	return j
}

func (j *judgement) deny(code signalbox.Code, field, message, remedy string) {
	j.Code, j.Field, j.Message, j.Remedy = code, field, message, remedy
}

// Accesses gives what a call of a tool would act on; the error is of code invalid where that can not be told. Nothing is
// decided by it. Safe for concurrent use.
func (p *Policy) Accesses(r signalbox.ToolRequest, a *signalbox.Annotations) ([]signalbox.Access, error) {
	return p.tool(r).accesses(r.Arguments, a)
}

// judgeTool decides about a call of a tool.
func (j *judgement) judgeTool() {
	j.Operation = j.tool.operation(j.r.Annotations)
	if err := deceptive(j.tool.id); err != nil {
		j.Rule = "names of tools must be what they seem"
		j.deny(signalbox.CodeInvalid, "name", fmt.Sprintf("The name of the tool %v.", err), "Use the name as the list of tools has it.")
		return
	}
	accesses, err := j.tool.accesses(j.r.Tool.Arguments, j.r.Annotations)
	if err != nil {
		e := signalbox.AsError(err)
		j.Rule = "arguments must show what a call acts on"
		j.deny(e.Code, e.Field, e.Message, e.Remedy)
		return
	}
	j.Accesses, j.Operation = accesses, worst(accesses)
	j.findRisk()
	j.judgeAccesses()
	j.conclude()
}

func (j *judgement) findRisk() {
	var rule *riskRule
	j.Risk, rule, j.RiskRule = j.policy.risk(&j.r, j.agent, j.Operation, j.Accesses)
	if rule != nil {
		j.parts = append(j.parts, rule.line)
	}
}

// judgeAccesses asks about each access.
func (j *judgement) judgeAccesses() {
	permissions := j.agent.of(flatten(j.tool.id))
	q := question{files: j.policy.files, agent: cedar.Entity{UID: j.agent.principalUID(j.r.Caller)}}
	q.resource[0].UID = cedar.NewEntityUID(typeTool, cedar.String(j.tool.id))
	if len(j.policy.files) > 0 {
		q.agent, q.resource = j.agent.principal(j.r.Caller), j.tool.entities()
	}
	grant := j.grant()
	for _, x := range j.Accesses {
		v := j.judgeAccess(&q, permissions, x)
		if v.outcome == missing && grant != "" {
			v = verdict{outcome: granted, rule: "break-glass grant " + grant}
		}
		j.verdicts = append(j.verdicts, v)
		j.Rules = append(j.Rules, v.rule)
	}
}

func (j *judgement) judgeAccess(q *question, permissions []*permission, x signalbox.Access) verdict {
	q.permissions = q.permissions[:0]
	var best *permission
	for _, m := range permissions {
		if m.covers(x) {
			q.permissions = append(q.permissions, m)
			if best == nil || m.rank < best.rank {
				best = m
			}
		}
	}
	if len(q.permissions) == 0 && len(q.files) == 0 {
		return verdict{rule: j.agent.lack(j.r.Caller)}
	}
	return j.verdict(q.ask(cedar.String(x.Operation), j.context(q.permissions, x)), best)
}

// context is what rules see of an access. Permissions see only which of them cover it.
func (j *judgement) context(permissions []*permission, x signalbox.Access) cedar.Record {
	if len(j.policy.files) == 0 {
		return lean(permissions)
	}
	m := j.r.context(j.Risk, permissions)
	m["target"], m["targets"] = cedar.String(x.Resource), set(j.Accesses)
	return cedar.NewRecord(m)
}

// lean is a context for permissions alone, which see nothing else.
func lean(permissions []*permission) cedar.Record {
	if len(permissions) == 1 {
		return permissions[0].alone
	}
	return cedar.NewRecord(cedar.RecordMap{"permissions": permissionSet(permissions)})
}

// verdict reads Cedar's answer.
func (j *judgement) verdict(a answer, best *permission) verdict {
	switch {
	case len(a.errors) > 0:
		return verdict{outcome: failed, rule: strings.Join(a.errors, ", ")}
	case a.allowed && best != nil:
		return verdict{outcome: permitted, permission: best, rule: best.name()}
	case a.allowed:
		return verdict{outcome: permitted, rule: string(a.by[0])}
	case len(a.by) > 0:
		return verdict{outcome: forbidden, permission: best, rule: string(a.by[0])}
	}
	return verdict{rule: j.agent.lack(j.r.Caller)}
}

// lack says in a few words that nothing permits what the agent asks for.
func (a *agent) lack(c signalbox.Caller) string {
	switch {
	case c.Agent == "":
		return "calls without an agent have no permissions"
	case !a.declared:
		return fmt.Sprintf("agent %q has no permissions", c.Agent)
	}
	return "no permission in " + a.where()
}

// grant gives the id of the break-glass grant that covers the tool, "" where none does.
func (j *judgement) grant() string {
	for _, g := range j.r.Grants {
		pattern, err := newNameGlob(g.Tool)
		if err == nil && g.Agent == j.r.Caller.Agent && g.Tenant == j.r.Caller.Tenant && pattern.matches(flatten(j.tool.id)) {
			return g.ID
		}
	}
	return ""
}

// conclude adds up the verdicts: all must allow.
func (j *judgement) conclude() {
	if at := slices.IndexFunc(j.verdicts, func(v verdict) bool { return !v.allows() }); at >= 0 {
		j.Rule = j.verdicts[at].rule
		j.accessDenied(at)
		return
	}
	j.Allowed, j.Status = true, signalbox.StatusPassed
	grant := ""
	for _, v := range j.verdicts {
		j.add(v)
		if v.outcome == granted {
			grant = j.grant()
		}
	}
	j.Rule = strings.Join(unique(j.Rules), "; ")
	j.demand(grant)
}

// add notes what an access was permitted by.
func (j *judgement) add(v verdict) {
	if v.permission == nil {
		j.parts = append(j.parts, v.rule)
		return
	}
	j.parts = append(j.parts, v.permission.line)
	if limit := v.permission.limit; limit > 0 && (j.RateLimit == nil || limit < j.RateLimit.Max) {
		j.RateLimit = &call.RateLimit{Name: v.permission.tool.text, Max: limit, Source: v.permission.name()}
	}
}

// demand says who must agree, and binds approvals to what decided.
func (j *judgement) demand(grant string) {
	lifting := ""
	if j.tool != nil {
		lifting = j.grant()
	}
	q, lifted := j.policy.require(&j.r, j.agent, j.Operation, j.Risk, lifting != "")
	if lifted {
		grant = lifting
	}
	j.Require, j.Why, j.BreakGlass = q.Requirement, q.why, grant
	if j.tool != nil {
		j.parts = append(j.parts, j.tool.serverOf, j.tool.line, string(j.Operation))
	}
	if j.tool != nil || q.Approvers > 0 {
		j.Part = part(append(j.parts, j.policy.cedar, string(j.Risk), requirementText(q.Requirement), grant))
	}
}

// part hashes the lines that decided; their order means nothing.
func part(lines []string) [32]byte {
	slices.Sort(lines)
	text := make([]byte, 0, 512)
	for _, line := range slices.Compact(lines) {
		text = append(append(text, line...), '\n')
	}
	return sha256.Sum256(text)
}

// unique leaves the first of equal texts, in order.
func unique(list []string) []string {
	var out []string
	for _, text := range list {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}
