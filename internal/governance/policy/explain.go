package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// Explanation is a decision with what would change it.
type Explanation struct {
	Decision
	WouldChange []string // Sentences for the operator; empty where the call passes and nobody must agree.
}

// Explain decides as [Policy.Decide] does and says what would change the decision.
func (p *Policy) Explain(r Request) Explanation {
	j := p.judge(r)
	e := Explanation{Decision: j.Decision}
	switch {
	case j.Allowed:
		e.WouldChange = j.relax()
	case j.Code != signalbox.CodeForbidden || len(j.verdicts) == 0:
		e.WouldChange = []string{j.Remedy}
	case r.Kind == signalbox.KindModel:
		e.WouldChange = j.changeModels()
	default:
		for i := range j.verdicts {
			e.WouldChange = append(e.WouldChange, j.change(i)...)
		}
	}
	e.WouldChange = unique(e.WouldChange)
	return e
}

// who begins a sentence about the caller.
func (j *judgement) who() string {
	if j.r.Caller.Agent == "" {
		return "A call without an agent"
	}
	return fmt.Sprintf("Agent %q", j.r.Caller.Agent)
}

// because says why, by the first verdict that does not allow.
func (j *judgement) because(verdicts []verdict) string {
	at := slices.IndexFunc(verdicts, func(v verdict) bool { return !v.allows() })
	switch {
	case at < 0:
		return "nothing could serve it"
	case verdicts[at].outcome == forbidden:
		return "the rule " + verdicts[at].rule + " forbids it"
	case verdicts[at].outcome == failed:
		return "a rule could not be evaluated, which means no: " + verdicts[at].rule
	case verdicts[at].rule == j.agent.useModel.name():
		return "it is not among " + verdicts[at].rule
	}
	return verdicts[at].rule + " permits it"
}

// accessDenied says which access is not permitted, and what to do about it.
func (j *judgement) accessDenied(at int) {
	why := j.because(j.verdicts)
	if j.verdicts[at].outcome == missing && !j.agent.declared {
		why = j.verdicts[at].rule
	}
	message := fmt.Sprintf("%s may not %s: %s.", j.who(), j.act(j.Accesses[at]), why)
	remedies := j.change(at)
	j.deny(signalbox.CodeForbidden, "", message, remedies[0])
}

// act names an access.
func (j *judgement) act(x signalbox.Access) string {
	if x.Resource == "" {
		return fmt.Sprintf("%s with %s", x.Operation, j.tool.id)
	}
	return fmt.Sprintf("%s %q with %s", x.Operation, x.Resource, j.tool.id)
}

// change says what would allow an access; nothing for one that is allowed.
func (j *judgement) change(at int) []string {
	switch v := j.verdicts[at]; v.outcome {
	case forbidden:
		return []string{"The forbid at " + v.rule + " stands in the way: no permission and no break-glass grant lifts it."}
	case failed:
		return []string{"Correct the rule in Cedar, so that it can be evaluated for this call: " + v.rule + "."}
	case missing:
	case permitted, granted:
		return nil
	}
	x := j.Accesses[at]
	sentences := j.widen(x)
	if len(sentences) == 0 {
		sentences = []string{j.permissionToAdd(x)}
	}
	if !j.tool.mapped {
		sentences = append(sentences, fmt.Sprintf("Declare what the tool does under mcp_servers.%s.tools.%s (operation and resources): "+
			"without that its calls %s what nothing names, which only the resource pattern \"*\" covers.", j.tool.server, j.tool.name, x.Operation))
	}
	return sentences
}

// widen says which permissions of the agent for this tool nearly cover an access.
func (j *judgement) widen(x signalbox.Access) []string {
	var sentences []string
	for _, m := range j.agent.of(flatten(j.tool.id)) {
		operation := slices.Contains(m.operations, x.Operation)
		resource := m.covers(signalbox.Access{Operation: m.operations[0], Resource: x.Resource})
		switch {
		case operation:
			sentences = append(sentences, fmt.Sprintf("Add %q to the resources of %s.", pattern(x.Resource), m.name()))
		case resource:
			sentences = append(sentences, fmt.Sprintf("Add %q to the operations of %s.", x.Operation, m.name()))
		}
	}
	return sentences
}

// permissionToAdd writes the permission that would cover an access and no more.
func (j *judgement) permissionToAdd(x signalbox.Access) string {
	permission := fmt.Sprintf("{name: %s, operations: [%s], resources: [%q]}", j.tool.id, x.Operation, pattern(x.Resource))
	switch {
	case j.r.Caller.Agent == "":
		return "Bind the key to an agent, or name one in X-Signalbox-Agent, that has the permission " + permission + " under agents[].permissions.tools."
	case j.agent == j.policy.nobody:
		return fmt.Sprintf("Declare the agent %q under agents, with the permission %s under permissions.tools.", j.r.Caller.Agent, permission)
	}
	return fmt.Sprintf("Add %s to the tools of %s.", permission, j.agent.where())
}

// pattern is the glob that matches a resource alone.
func pattern(resource string) string {
	if resource == "" {
		return "*"
	}
	var b strings.Builder
	for _, r := range resource {
		if strings.ContainsRune(meta+"]}", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// changeModels says what would permit a model.
func (j *judgement) changeModels() []string {
	var sentences []string
	for _, v := range j.verdicts {
		switch v.outcome {
		case forbidden:
			sentences = append(sentences, "The forbid at "+v.rule+" stands in the way: no permission lifts it.")
		case failed:
			sentences = append(sentences, "Correct the rule in Cedar, so that it can be evaluated for this call: "+v.rule+".")
		case missing:
			sentences = append(sentences, j.Remedy)
		case permitted, granted:
		}
	}
	return sentences
}

// relax says what would let a permitted call pass without people.
func (j *judgement) relax() []string {
	if j.Require.Approvers == 0 {
		return nil
	}
	var sentences []string
	harmful := j.Operation == signalbox.OperationWrite || j.Operation == signalbox.OperationDelete
	switch {
	case j.Risk == signalbox.RiskHigh && harmful:
		sentences = append(sentences, "It keeps at least one approver while its risk is high; a declared operation that does less would lower it.")
	case j.agent.approval && j.r.Kind != signalbox.KindModel:
		sentences = append(sentences, "Without requires_approval in "+j.agent.where()+" the tier of its risk would count.")
	case j.r.Kind != signalbox.KindModel:
		sentences = append(sentences, fmt.Sprintf("A rule {agent: %q, tool: %s, approvers: 0} under approvals.rules, before others that fit, would let it pass.",
			j.r.Caller.Agent, j.tool.id))
	}
	if j.RiskRule != "" {
		sentences = append(sentences, "Without the risk rule "+j.RiskRule+" its risk would be lower.")
	}
	return sentences
}
