package store

import (
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

type grantDocument struct {
	Agent    string    `json:"agent,omitzero"`
	Tool     string    `json:"tool,omitzero"`
	Reason   string    `json:"reason,omitzero"`
	By       string    `json:"by,omitzero"`
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	EndedBy  string    `json:"ended_by,omitzero"`
	Reviewed time.Time `json:"reviewed,omitzero"`
	Reviewer string    `json:"reviewer,omitzero"`
	Review   string    `json:"review,omitzero"`
	Overdue  time.Time `json:"overdue,omitzero"`
}

// EncodeGrant gives the document of a break-glass grant. ID and Tenant have columns.
func EncodeGrant(g *signalbox.Grant) (string, error) {
	return encode(grantDocument{
		Agent: valid(g.Agent), Tool: valid(g.Tool), Reason: valid(g.Reason), By: valid(g.By), From: instant(g.From),
		Until: instant(g.Until), Ended: instant(g.Ended), EndedBy: valid(g.EndedBy), Reviewed: instant(g.Reviewed),
		Reviewer: valid(g.Reviewer), Review: valid(g.Review), Overdue: instant(g.Overdue),
	})
}

// DecodeGrant fills in what [EncodeGrant] wrote.
func DecodeGrant(document []byte, g *signalbox.Grant) error {
	var d grantDocument
	err := json.UnmarshalKnown(document, &d)
	g.Agent, g.Tool, g.Reason, g.By, g.From, g.Until = d.Agent, d.Tool, d.Reason, d.By, d.From, d.Until
	g.Ended, g.EndedBy, g.Reviewed, g.Reviewer, g.Review, g.Overdue = d.Ended, d.EndedBy, d.Reviewed, d.Reviewer, d.Review, d.Overdue
	return err
}

type incidentDocument struct {
	Call       string         `json:"call,omitzero"`
	Run        string         `json:"run,omitzero"`
	Tool       string         `json:"tool,omitzero"`
	Agent      string         `json:"agent,omitzero"`
	Write      bool           `json:"write,omitzero"`
	Severity   signalbox.Risk `json:"severity,omitzero"`
	Text       string         `json:"text,omitzero"`
	Opened     time.Time      `json:"opened,omitzero"`
	OpenedBy   string         `json:"opened_by,omitzero"`
	ClosedBy   string         `json:"closed_by,omitzero"`
	Resolution string         `json:"resolution,omitzero"`
}

// EncodeIncident gives the document of an incident. ID, Tenant and Closed have columns.
func EncodeIncident(i *signalbox.Incident) (string, error) {
	return encode(incidentDocument{
		Call: valid(i.Call), Run: valid(i.Run), Tool: valid(i.Tool), Agent: valid(i.Agent), Write: i.Write, Severity: i.Severity,
		Text: valid(i.Text), Opened: instant(i.Opened), OpenedBy: valid(i.OpenedBy), ClosedBy: valid(i.ClosedBy),
		Resolution: valid(i.Resolution),
	})
}

// DecodeIncident fills in what [EncodeIncident] wrote.
func DecodeIncident(document []byte, i *signalbox.Incident) error {
	var d incidentDocument
	err := json.UnmarshalKnown(document, &d)
	i.Call, i.Run, i.Tool, i.Agent, i.Write, i.Severity = d.Call, d.Run, d.Tool, d.Agent, d.Write, d.Severity
	i.Text, i.Opened, i.OpenedBy, i.ClosedBy, i.Resolution = d.Text, d.Opened, d.OpenedBy, d.ClosedBy, d.Resolution
	return err
}
