package audit

import (
	"time"

	"github.com/signalbox/signalbox"
)

// Filter chooses records. An empty field chooses all; what is given must be met at once, and exactly.
type Filter struct {
	Tenant  string    `json:"tenant,omitzero"`
	User    string    `json:"user,omitzero"`    // Of records that can be opened; what is sealed or erased names no user.
	Subject string    `json:"subject,omitzero"` // The same.
	Agent   string    `json:"agent,omitzero"`
	Action  string    `json:"action,omitzero"`
	Risk    string    `json:"risk,omitzero"`
	Run     string    `json:"run,omitzero"`
	Call    string    `json:"call,omitzero"`
	From    time.Time `json:"from,omitzero"` // The first instant.
	To      time.Time `json:"to,omitzero"`   // The instant after the last.
}

// Header reports whether the columns of an entry are those of a chosen one, so that its content has to be looked at.
func (f *Filter) Header(e *signalbox.Entry) bool {
	return either(f.Tenant, e.Tenant) && either(f.Call, e.Call) &&
		(f.From.IsZero() || !e.Time.Before(f.From)) && (f.To.IsZero() || e.Time.Before(f.To))
}

// Record reports whether the content of a record is that of a chosen one.
func (f *Filter) Record(r *signalbox.Record) bool {
	return either(f.User, r.Who.UserID) && either(f.Subject, r.Who.SubjectID) && either(f.Agent, r.Who.AgentID) &&
		either(f.Action, r.What.Action) && either(f.Risk, r.Context.RiskLevel) && either(f.Run, r.Context.RunID)
}

// All reports whether it chooses everything.
func (f *Filter) All() bool { return *f == Filter{} }

func either(want, got string) bool { return want == "" || want == got }
