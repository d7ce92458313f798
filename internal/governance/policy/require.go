package policy

import (
	"fmt"

	"github.com/signalbox/signalbox"
)

// approvalRule is a rule that replaces a tier.
type approvalRule struct {
	signalbox.ApprovalRule
	agent, tool glob
	line        string
}

// requirement is who must agree, and why.
type requirement struct {
	signalbox.Requirement
	why string // "" where nobody must.
}

// atLeast raises the requirement to another one.
func (q requirement) atLeast(approvers int, role signalbox.Role, why string) requirement {
	if q.Approvers >= approvers {
		return q
	}
	return requirement{signalbox.Requirement{Approvers: approvers, Role: role}, why}
}

// require gives who must agree to a call that is permitted. lifted tells that a grant took a requirement away.
func (p *Policy) require(r *Request, a *agent, operation signalbox.Operation, risk signalbox.Risk, granted bool) (q requirement, lifted bool) {
	q = p.tier(risk)
	if rule, i := p.approvalRule(r); rule != nil {
		q = requirement{rule.Require, place(rule.Source, fmt.Sprintf("approvals.rules[%d]", i))}
	}
	if a.approval && r.Kind != signalbox.KindModel {
		medium := p.tiers[signalbox.RiskMedium]
		q = q.atLeast(max(1, medium.Approvers), medium.Role, a.where()+": requires_approval")
	}
	if granted && risk != signalbox.RiskHigh && q.Approvers > 0 {
		q, lifted = requirement{}, true
	}
	if risk == signalbox.RiskHigh && (operation == signalbox.OperationWrite || operation == signalbox.OperationDelete) {
		q = q.atLeast(1, p.tiers[signalbox.RiskHigh].Role, "a "+string(operation)+" of high risk keeps one approver, whatever is relaxed")
	}
	if q.Approvers == 0 {
		q = requirement{}
	}
	return q, lifted
}

func (p *Policy) tier(risk signalbox.Risk) requirement {
	return requirement{p.tiers[risk], p.tierNames[risk]}
}

// approvalRule gives the first rule that fits a call of a tool.
func (p *Policy) approvalRule(r *Request) (*approvalRule, int) {
	if r.Tool == nil {
		return nil, 0
	}
	id, name := flatten(r.Tool.ID()), flatten(r.Caller.Agent)
	for i := range p.rules {
		rule := &p.rules[i]
		if rule.agent.matches(name) && rule.tool.matches(id) {
			return rule, i
		}
	}
	return nil, 0
}
