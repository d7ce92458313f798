package server

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/governance/policy"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Answer is an explanation of the policy in the control API's words.
func Answer(e policy.Explanation) api.PolicyAnswer {
	a := api.PolicyAnswer{
		Allowed: e.Allowed, Rule: e.Rule, Message: e.Message, WouldChange: append([]string{}, e.WouldChange...),
		Operation: api.OrNull(e.Operation), Accesses: []api.PolicyAccess{}, RiskLevel: e.Risk, RiskRule: api.OrNull(e.RiskRule),
		Approvers: e.Require.Approvers, WhyApproval: api.OrNull(e.Why), PolicyVersion: e.Version,
	}
	if e.Require.Approvers > 0 {
		a.Role = api.OrNull(e.Require.Role)
	}
	for i, x := range e.Accesses {
		row := api.PolicyAccess{Operation: x.Operation, Resource: x.Resource}
		if i < len(e.Rules) && e.Allowed {
			row.Rule = &e.Rules[i]
		}
		a.Accesses = append(a.Accesses, row)
	}
	switch {
	case a.Message != "":
	case e.Require.Approvers > 0:
		a.Message = "It is allowed, once it is approved."
	default:
		a.Message = "It is allowed."
	}
	return a
}

// callerOf gives who makes a call, as the gate would establish it.
func (s *Server) callerOf(c *signalbox.Call) (signalbox.Caller, error) {
	caller, err := gate.Caller(s.keys.ring, c)
	caller.AgentRole = s.runtimes.current().roles[caller.Agent]
	return caller, err
}
