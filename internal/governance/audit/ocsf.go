package audit

import (
	"strconv"

	"github.com/signalbox/signalbox"
)

// ocsfVersion is the version of the Open Cybersecurity Schema Framework whose classes are used.
const ocsfVersion = "1.3.0"

// The classes and categories of OCSF that records are mapped to.
const (
	ocsfIdentity       = 3 // Category Identity & Access Management.
	ocsfAuthentication = 3002
	ocsfEntity         = 3004 // Entity Management.
	ocsfApplication    = 6    // Category Application Activity.
	ocsfAPIActivity    = 6003
	ocsfOther          = 99 // Of an activity, a status or a severity that has no number.
)

// ocsf is an event. It has OCSF's names; what OCSF has no place for is in Unmapped under our names.
type ocsf struct {
	ActivityID  int               `json:"activity_id"`
	CategoryUID int               `json:"category_uid"`
	ClassUID    int               `json:"class_uid"`
	TypeUID     int               `json:"type_uid"`
	SeverityID  int               `json:"severity_id"`
	StatusID    int               `json:"status_id"`
	StatusCode  string            `json:"status_code,omitzero"`
	Message     string            `json:"message,omitzero"`
	Time        int64             `json:"time"` // Milliseconds since 1970.
	Duration    int64             `json:"duration,omitzero"`
	Metadata    ocsfMetadata      `json:"metadata"`
	Actor       ocsfActor         `json:"actor"`
	User        *ocsfUser         `json:"user,omitzero"`
	API         *ocsfAPI          `json:"api,omitzero"`
	Entity      *ocsfNamed        `json:"entity,omitzero"`
	Resources   []ocsfNamed       `json:"resources,omitzero"`
	Source      ocsfEndpoint      `json:"src_endpoint"`
	Unmapped    map[string]string `json:"unmapped"`
}

type ocsfMetadata struct {
	Version     string      `json:"version"`
	Product     ocsfProduct `json:"product"`
	UID         string      `json:"uid"`      // The record's index.
	Sequence    int64       `json:"sequence"` // The same.
	TenantUID   string      `json:"tenant_uid,omitzero"`
	Correlation string      `json:"correlation_uid,omitzero"` // The call, else the run.
}

type ocsfProduct struct {
	Name   string `json:"name"`
	Vendor string `json:"vendor_name"`
}

type ocsfUser struct {
	UID  string `json:"uid,omitzero"`
	Type string `json:"type,omitzero"`
}

type ocsfActor struct {
	User *ocsfUser `json:"user,omitzero"`
	App  string    `json:"app_uid,omitzero"` // The agent.
}

type ocsfAPI struct {
	Operation string      `json:"operation"`
	Service   ocsfNamed   `json:"service"`
	Request   ocsfRequest `json:"request"`
}

type ocsfRequest struct {
	UID string `json:"uid,omitzero"`
}

type ocsfNamed struct {
	Name string `json:"name,omitzero"`
	UID  string `json:"uid,omitzero"`
	Type string `json:"type,omitzero"`
}

type ocsfEndpoint struct {
	IP string `json:"ip,omitzero"`
}

// ocsfEvent is the event of a record: calls are API Activity, logins and logouts Authentication, all other acts Entity
// Management.
func ocsfEvent(e signalbox.Entry, r *signalbox.Record) ocsf {
	ev := ocsf{
		SeverityID: ocsfSeverity(r.Context.RiskLevel), StatusID: ocsfStatus(r), Time: e.Time.UnixMilli(), Duration: r.When.DurationMS,
		Metadata: ocsfMetadata{
			Version: ocsfVersion, Product: ocsfProduct{"Signalbox", "Signalbox"}, UID: strconv.FormatInt(e.Index, 10), Sequence: e.Index,
			TenantUID: e.Tenant, Correlation: firstOf(e.Call, r.Context.RunID),
		},
		Actor: ocsfActor{App: r.Who.AgentID}, Source: ocsfEndpoint{r.Who.Source}, Unmapped: ocsfUnmapped(e, r),
	}
	if uid := firstOf(r.Who.UserID, r.Who.KeyID); uid != "" {
		ev.Actor.User = &ocsfUser{uid, string(r.Who.Role)}
	}
	if r.Error != nil {
		ev.StatusCode, ev.Message = string(r.Error.Code), r.Error.Message
	}
	switch {
	case e.Type != signalbox.RecordAdmin:
		ev.call(r)
	case r.What.Action == signalbox.ActionLogin || r.What.Action == signalbox.ActionLogout:
		ev.class(ocsfIdentity, ocsfAuthentication, map[string]int{signalbox.ActionLogin: 1, signalbox.ActionLogout: 2}[r.What.Action])
		ev.User = ev.Actor.User
	default:
		ev.class(ocsfIdentity, ocsfEntity, ocsfManaged(r.What.Action))
		ev.Entity = &ocsfNamed{Name: r.What.Action, UID: firstOf(r.What.ResourceID, r.What.Detail["id"]), Type: r.What.Action}
	}
	return ev
}

func (ev *ocsf) call(r *signalbox.Record) {
	activity := ocsfOther
	switch r.What.Operation {
	case "read":
		activity = 2
	case "write":
		activity = 3
	case "delete":
		activity = 4
	}
	ev.class(ocsfApplication, ocsfAPIActivity, activity)
	ev.API = &ocsfAPI{
		Operation: firstOf(r.What.ToolName, r.What.Action), Service: ocsfNamed{Name: firstOf(r.Context.Provider, string(r.What.Kind))},
		Request: ocsfRequest{r.Context.RequestID},
	}
	for _, res := range []ocsfNamed{{UID: r.What.ResourceID, Type: "resource"}, {Name: r.Context.ModelName, Type: "model"}} {
		if res.Name != "" || res.UID != "" {
			ev.Resources = append(ev.Resources, res)
		}
	}
}

func (ev *ocsf) class(category, class, activity int) {
	ev.CategoryUID, ev.ClassUID, ev.ActivityID, ev.TypeUID = category, class, activity, class*100+activity
}

// ocsfManaged is the activity of an administrative act.
func ocsfManaged(action string) int {
	switch action {
	case signalbox.ActionKeyCreated, signalbox.ActionRunOpened:
		return 1 // Create.
	case signalbox.ActionSubjectExported, signalbox.ActionLogExported:
		return 2 // Read.
	case signalbox.ActionKeyRevoked, signalbox.ActionErasure, signalbox.ActionContentDestroyed:
		return 4 // Delete.
	case signalbox.ActionConfigReloaded, signalbox.ActionRunEnded, signalbox.ActionBrakeLifted, signalbox.ActionCostReconciled,
		signalbox.ActionAccountReopened, signalbox.ActionSigningKeyRotated, signalbox.ActionMasterKeyRotated:
		return 3 // Update.
	}
	return ocsfOther
}

// ocsfSeverity is informational where nobody has assessed a risk.
func ocsfSeverity(risk string) int {
	switch risk {
	case "low":
		return 2
	case "medium":
		return 3
	case "high":
		return 4
	}
	return 1
}

func ocsfStatus(r *signalbox.Record) int {
	switch {
	case r.Type == signalbox.RecordAdmin && r.Error == nil, r.Outcome == signalbox.OutcomeOK:
		return 1 // Success.
	case r.Type == signalbox.RecordIntent, r.Type == signalbox.RecordAttempt, r.Outcome == signalbox.OutcomeUnknown, r.Outcome == "":
		return 0 // Unknown.
	}
	return 2 // Failure.
}

func ocsfUnmapped(e signalbox.Entry, r *signalbox.Record) map[string]string {
	all := map[string]string{
		"record_type": string(e.Type), "action": r.What.Action, "outcome": string(r.Outcome), "run_id": r.Context.RunID, "trace_id": r.When.TraceID,
		"agent_role": r.Who.AgentRole, "parent_agent_id": r.Who.ParentAgentID, "subject_id": r.Who.SubjectID, "purpose": r.Context.Purpose,
		"policy_version": r.Context.PolicyVersion, "input_summary": r.What.InputSummary, "output_summary": r.What.OutputSummary,
		"content": string(r.Content),
	}
	if r.What.Cost != nil {
		all["cost_usd"] = r.What.Cost.String()
	}
	for name, value := range r.What.Detail {
		all["detail."+name] = value
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
