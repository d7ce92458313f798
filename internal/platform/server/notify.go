package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// The rules of alerts that are about people's decisions, and the types of what channels are sent about them.
const (
	ruleApproval   = "approval"
	ruleEscalation = "approval_escalated"
	ruleBreakGlass = "break_glass"

	payloadApproval   = "approval"
	payloadBreakGlass = "break_glass"
)

// ApprovalPayload is what a channel is sent about a call that waits for people. It says nothing of what the call would do to
// whom: who follows the link sees that.
type ApprovalPayload struct {
	Type      string              `json:"type"` // Always "approval".
	ID        string              `json:"id"`
	Escalated bool                `json:"escalated"`
	TenantID  string              `json:"tenant_id"`
	RunID     string              `json:"run_id,omitzero"`
	AgentID   string              `json:"agent_id,omitzero"`
	ToolName  string              `json:"tool_name"`
	Operation signalbox.Operation `json:"operation,omitzero"`
	Risk      signalbox.Risk      `json:"risk_level"`
	Approvers int                 `json:"approvers_required"`
	Expires   time.Time           `json:"expires"`
	Text      string              `json:"text"`
	URL       string              `json:"url"`  // The page of the approval, for who can log in.
	Link      string              `json:"link"` // The same without a login: whoever has it decides in the channel's name, once.
}

// GrantPayload is what a channel is sent about a break-glass grant.
type GrantPayload struct {
	Type     string    `json:"type"` // Always "break_glass".
	ID       string    `json:"id"`
	TenantID string    `json:"tenant_id"`
	AgentID  string    `json:"agent_id"`
	Tool     string    `json:"tool"`
	By       string    `json:"by"`
	Until    time.Time `json:"until"`
	Text     string    `json:"text"`
	URL      string    `json:"url"`
}

// asked tells the channels of a call that waits for people.
func (s *Server) asked(a signalbox.Approval) {
	s.tellApproval(a, ruleApproval, signalbox.AlertWarning, fmt.Sprintf("%s waits for %d approval(s): %s.", describe(a), a.Require.Approvers, strings.TrimSuffix(a.Rule, ".")))
}

// escalated tells them again.
func (s *Server) escalated(a signalbox.Approval) {
	s.tellApproval(a, ruleEscalation, signalbox.AlertCritical, fmt.Sprintf("Nobody has decided for %s: %s still waits for approval.",
		s.data.now().Sub(a.Asked).Truncate(time.Second), describe(a)))
}

// describe names a call that waits.
func describe(a signalbox.Approval) string {
	who := "A call"
	if a.Agent != "" {
		who = fmt.Sprintf("A call of agent %q", a.Agent)
	}
	return fmt.Sprintf("%s to %s (%s risk)", who, a.Tool, a.Risk)
}

func (s *Server) tellApproval(a signalbox.Approval, rule string, level signalbox.AlertLevel, text string) {
	channels := s.runtimes.current().config.Approvals.Channels
	s.alerts.Raise(alert.Raised{
		Alert: signalbox.Alert{
			ID: rule + "-" + a.ID, Rule: rule, Level: level, Action: actionOf(channels), Per: signalbox.AlertPerRequest,
			Tenant: a.Tenant, Run: a.Run, Agent: a.Agent, Call: a.Call, Raised: s.data.now().UTC(), Text: text,
		},
		Channels: channels,
		Payload: func(channel string) []byte {
			return payload(ApprovalPayload{
				Type: payloadApproval, ID: a.ID, Escalated: rule == ruleEscalation, TenantID: a.Tenant, RunID: a.Run,
				AgentID: a.Agent, ToolName: a.Tool, Operation: a.Does, Risk: a.Risk, Approvers: a.Require.Approvers,
				Expires: a.Expires, Text: text, URL: s.publicURL() + "/approvals/" + a.ID, Link: s.links.of(a, channel, s.publicURL()),
			})
		},
	})
}

// tellGrant tells the channels of a break-glass grant.
func (s *Server) tellGrant(g signalbox.Grant, level signalbox.AlertLevel, text string) {
	channels := s.runtimes.current().config.BreakGlass.Channels
	suffix := ""
	if !g.Overdue.IsZero() {
		suffix = "-overdue"
	}
	s.alerts.Raise(alert.Raised{
		Alert: signalbox.Alert{
			ID: ruleBreakGlass + "-" + g.ID + suffix, Rule: ruleBreakGlass, Level: level, Action: actionOf(channels),
			Per: signalbox.AlertPerRequest, Tenant: g.Tenant, Agent: g.Agent, Raised: s.data.now().UTC(), Text: text,
		},
		Channels: channels,
		Payload: func(string) []byte {
			return payload(GrantPayload{
				Type: payloadBreakGlass, ID: g.ID, TenantID: g.Tenant, AgentID: g.Agent, Tool: g.Tool, By: g.By, Until: g.Until,
				Text: text, URL: s.publicURL() + "/break-glass",
			})
		},
	})
}

// actionOf is that of an alert to those channels: without any, nobody is told.
func actionOf(channels []string) signalbox.AlertAction {
	if len(channels) == 0 {
		return signalbox.ActionLog
	}
	return signalbox.ActionNotify
}

// payload encodes what a channel is sent.
func payload(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // Only text that is not UTF-8 could do that, and none gets here.
		return []byte(`{}`)
	}
	return text
}

// publicURL is where people reach this instance, without a slash at the end.
func (s *Server) publicURL() string {
	if u := s.runtimes.current().config.PublicURL.Reveal(); u != "" {
		return strings.TrimSuffix(u, "/")
	}
	return s.URL()
}
