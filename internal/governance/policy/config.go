package policy

import (
	"fmt"

	"github.com/signalbox/signalbox"
)

// Config is all that decides.
type Config struct {
	Agents  []Agent
	Servers map[string]Server // By id.
	Cedar   []File
	Risk    []signalbox.RiskRule
	Tiers   map[signalbox.Risk]signalbox.Requirement // A level that is missing has its default, see [DefaultTiers].
	Rules   []signalbox.ApprovalRule                 // The first that fits counts.
}

// Agent is an agent that is declared.
type Agent struct {
	ID, Role    string
	Permissions *signalbox.Permissions // Nil: models, and no tools.
}

// Server is an MCP server.
type Server struct {
	Trusted bool                             // What it says of its tools is believed.
	Tools   map[string]signalbox.ToolMapping // By the name the server gives them; those that are declared.
}

// File is a file of rules in the language of Cedar.
type File struct{ Name, Text string }

// Warning is something in the configuration that is probably not meant.
type Warning struct {
	Text   string
	Source string // Where it is written; "" where that is not known.
}

// String gives the warning with its place.
func (w Warning) String() string {
	if w.Source == "" {
		return w.Text
	}
	return w.Source + ": " + w.Text
}

// DefaultTiers are the tiers that are not configured: nobody for low, one approver for medium, two for high risk.
func DefaultTiers() map[signalbox.Risk]signalbox.Requirement {
	return map[signalbox.Risk]signalbox.Requirement{
		signalbox.RiskLow:    {},
		signalbox.RiskMedium: {Approvers: 1, Role: signalbox.RoleApprover},
		signalbox.RiskHigh:   {Approvers: 2, Role: signalbox.RoleApprover},
	}
}

// Request is a call as far as policies can see it.
type Request struct {
	Caller      signalbox.Caller
	Run         string
	Purpose     string
	StepKind    string
	Kind        signalbox.Kind
	Tool        *signalbox.ToolRequest // Of a call of a tool.
	Annotations *signalbox.Annotations // What the server says of the tool; nil where it does not say.
	Model       string                 // As the caller wrote it.
	Route       string                 // The route that chose the models; "" where the caller named one.
	Models      []string               // Names of what could serve a call of a model, in order; nil: Model alone.
	Grants      []signalbox.Grant      // Those in force for the caller's tenant and agent.
}

// invalid is an error in the configuration.
func invalid(field, source, format string, args ...any) *signalbox.Error {
	message := fmt.Sprintf(format, args...)
	if source != "" {
		message = source + ": " + message
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "%s", message).WithField(field)
}

// place is where something is written: its source if that is known, else its path in the configuration.
func place(source, path string) string {
	if source != "" {
		return source
	}
	return path
}
