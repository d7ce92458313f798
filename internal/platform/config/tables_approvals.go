package config

import (
	"fmt"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
)

// Bounds of approvals and break-glass grants.
const (
	MaxApprovers       = 5 // Of one call.
	MaxApprovalExpires = 30 * 24 * time.Hour
	MaxApprovalUse     = 24 * time.Hour
	MaxDeniedFor       = 24 * time.Hour
	MaxBreakGlass      = 7 * 24 * time.Hour
	MaxReviewWithin    = 30 * 24 * time.Hour
)

// DefaultApprovals is who must agree where the file says nothing: nobody to what has a low risk, one approver to what has a
// medium one, two to what has a high one.
func DefaultApprovals() Approvals {
	return Approvals{
		Tiers: map[signalbox.Risk]signalbox.Requirement{
			signalbox.RiskLow:    {},
			signalbox.RiskMedium: {Approvers: 1, Role: signalbox.RoleApprover},
			signalbox.RiskHigh:   {Approvers: 2, Role: signalbox.RoleApprover},
		},
		ExpireAfter: DefaultApprovalExpires, UseWithin: DefaultApprovalUse, DeniedFor: DefaultDeniedFor,
	}
}

// DefaultGrants is who may give break-glass grants where the file says nothing.
func DefaultGrants() BreakGlass {
	return BreakGlass{
		Roles:       []signalbox.Role{signalbox.RoleOperator, signalbox.RoleAdmin},
		MaxDuration: DefaultBreakGlassMax, ReviewWithin: DefaultReviewWithin,
	}
}

func approvalsTable(a *Approvals) value {
	*a = DefaultApprovals()
	return object{fields: []field{
		key("tiers", "How many must agree, by the risk of the call.", tiersTable(a.Tiers)),
		key("rules", "Exceptions for agents and tools; the first that fits takes the place of the tier. It can not relax writes and deletions of high risk.", listOf(&a.Rules, approvalRuleTable())),
		key("expire_after", "How long a call waits for an answer; then it is not made.", duration(&a.ExpireAfter, time.Second, MaxApprovalExpires)),
		key("use_within", "How long a call that was approved may still be made.", duration(&a.UseWithin, time.Second, MaxApprovalUse)),
		key("denied_for", "How long a call that was denied is refused without anybody being asked again; 0 is not at all.", duration(&a.DeniedFor, 0, MaxDeniedFor)),
		key("escalate_after", "When a call that waits is reported again; 0 is never.", duration(&a.EscalateAfter, 0, MaxApprovalExpires)),
		key("channels", "Channels that are told of new and escalated ones; without any, nobody is told.", channelsTable(&a.Channels)),
	}, check: func(s seen) {
		once(s, "channels", a.Channels, "channel")
		if a.EscalateAfter >= a.ExpireAfter {
			s.problem("escalate_after", fmt.Sprintf("is not shorter than expire_after, %s: it would never be", durationText(a.ExpireAfter)), "shorten it, or give 0")
		}
	}}
}

func channelsTable(into *[]string) value {
	return listOf(into, func(s *string) value { return textInto(s, refers(aChannel)) })
}

// tiersTable changes the tiers that the file names.
func tiersTable(tiers map[signalbox.Risk]signalbox.Requirement) value {
	var fields []field
	for _, risk := range signalbox.Risks() {
		q := tiers[risk]
		q.Approvers = max(1, q.Approvers) // Stays where the number can not be read.
		fields = append(fields, key(string(risk), fmt.Sprintf("Who must agree to calls of %s risk.", risk), given{object{fields: requirementFields(&q), check: func(s seen) {
			checkRequirement(s, &q)
			tiers[risk] = q
			if risk == signalbox.RiskHigh && q.Approvers == 0 {
				s.problem("approvers", "can not be 0 for high risk: a write or deletion of high risk never happens without a person", "give 1 or more; reads can be relaxed under approvals.rules")
			}
		}}}))
	}
	return object{fields: fields}
}

func requirementFields(q *signalbox.Requirement) []field {
	return []field{
		need("approvers", "How many; 0 is nobody.", approverCount(&q.Approvers)),
		key("role", "The role of each of them, where it is not admin; approver by default.", decider(&q.Role)),
	}
}

// approverCount is a number of people.
func approverCount(into *int) value {
	parse := func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		return n, within(int64(n), 0, MaxApprovers, err)
	}
	want := fmt.Sprintf("a whole number from 0 to %d", MaxApprovers)
	return parsed[int]{into, want, true, parse, func() *schemaNode { return integerSchema(0, MaxApprovers) }}
}

// checkRequirement fills in the role, which means nothing where nobody is asked.
func checkRequirement(s seen, q *signalbox.Requirement) {
	switch {
	case q.Approvers == 0 && s.has("approvers"):
		s.refuse("has no meaning where nobody is asked", "role")
		q.Role = ""
	case q.Role == "":
		q.Role = signalbox.RoleApprover
	}
}

// approvalRuleTable makes the table of one rule after another.
func approvalRuleTable() func(*signalbox.ApprovalRule) value {
	type scope struct{ agent, tool string }
	lines := map[scope]int{}
	return func(a *signalbox.ApprovalRule) value {
		a.Agent, a.Tool, a.Require.Approvers = "*", "*", 1
		return object{fields: append([]field{
			key("agent", "The agent, or a pattern; \"*\" by default, which is calls without an agent too.", textInto(&a.Agent, agentGlob)),
			key("tool", "The tool, such as files.delete_file, or a pattern; \"*\" by default.", textInto(&a.Tool, toolGlob)),
		}, requirementFields(&a.Require)...), check: func(s seen) {
			checkRequirement(s, &a.Require)
			first, found := lines[scope{a.Agent, a.Tool}]
			switch {
			case !s.has("agent") && !s.has("tool"):
				s.problem("tool", "is missing, and so is agent: the rule would replace all tiers", "name a tool or an agent, or change approvals.tiers")
			case found:
				s.r.problem(s.self, fmt.Sprintf("is for the same agent and tool as the rule on line %d, which comes first", first), "keep one")
			default:
				lines[scope{a.Agent, a.Tool}] = s.self.line
			}
			a.Source = s.source()
		}}
	}
}

func breakGlassTable(b *BreakGlass) value {
	*b = DefaultGrants()
	return object{fields: []field{
		key("roles", "Who may give a grant; [] is nobody.", given{listOf(&b.Roles, decider)}),
		key("max_duration", "The longest grant.", duration(&b.MaxDuration, time.Minute, MaxBreakGlass)),
		key("review_within", "How long after its end somebody else must have looked at it; then that is escalated.", duration(&b.ReviewWithin, time.Second, MaxReviewWithin)),
		key("channels", "Channels that are told of grants at once; without any, nobody is told.", channelsTable(&b.Channels)),
	}, check: func(s seen) {
		once(s, "roles", b.Roles, "role")
		once(s, "channels", b.Channels, "channel")
	}}
}
