package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Incidents keeps what people have reported about calls and runs. Errors are of code not_found, invalid (a bad cursor),
// conflict (closed already) or unavailable. Safe for concurrent use.
type Incidents interface {
	// List gives incidents, newest first. Nil tenants are all; nil open is open ones and closed ones.
	List(ctx context.Context, tenants []string, open *bool, limit int, cursor string) (items []signalbox.Incident, next string, err error)
	Get(ctx context.Context, id string) (signalbox.Incident, error) // Of any tenant.
	// Open keeps an incident, of which the tenant, what it is about, the severity and the text are given, and the tool and
	// agent of its call; it adds the rest. OpenedBy is [Actor] of by.
	Open(ctx context.Context, by signalbox.Caller, i signalbox.Incident) (signalbox.Incident, error)
	Close(ctx context.Context, by signalbox.Caller, id, resolution string) (signalbox.Incident, error)
}

// NewIncident is an incident to be opened: about a call, or about a run.
type NewIncident struct {
	CallID   string         `json:"call_id,omitempty" maxLength:"128"`
	RunID    string         `json:"run_id,omitempty" maxLength:"128"`
	Tenant   string         `json:"tenant,omitempty" maxLength:"128" doc:"Whose run it is; needed where two tenants use one id."`
	Severity signalbox.Risk `json:"severity" enum:"low,medium,high"`
	Text     string         `json:"text" minLength:"1" maxLength:"2000" doc:"What happened. It stays in the log: it must not name people."`
}

// CloseIncident says how an incident was resolved.
type CloseIncident struct {
	Resolution string `json:"resolution" minLength:"1" maxLength:"2000"`
}

// Incident is harm that a call or run has done.
type Incident struct {
	ID         string         `json:"id"`
	Tenant     string         `json:"tenant"`
	CallID     *string        `json:"call_id"`
	RunID      *string        `json:"run_id"`
	ToolName   *string        `json:"tool_name"`
	AgentID    *string        `json:"agent_id"`
	Write      bool           `json:"write" doc:"The call was a write or a deletion."`
	Severity   signalbox.Risk `json:"severity" enum:"low,medium,high"`
	Text       string         `json:"text"`
	Opened     time.Time      `json:"opened"`
	OpenedBy   string         `json:"opened_by"`
	Closed     *time.Time     `json:"closed"`
	ClosedBy   *string        `json:"closed_by"`
	Resolution *string        `json:"resolution"`
}

// IncidentQuery are the filters of the list of incidents.
type IncidentQuery struct {
	Paging
	Tenant string `query:"tenant" maxLength:"128"`
	State  string `query:"state" enum:"open,closed"`
}

func (s *server) registerIncidents(api huma.API) {
	people := []signalbox.Role{signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleOperator, signalbox.RoleAdmin}
	readers := append([]signalbox.Role{signalbox.RoleAuditor}, people...)
	huma.Register(api, operation("list-incidents", http.MethodGet, "/incidents", "Incidents, newest first", readers...), s.listIncidents)
	open := operation("open-incident", http.MethodPost, "/incidents", "Report harm that a call or run has done", people...)
	open.DefaultStatus = http.StatusCreated
	huma.Register(api, open, s.openIncident)
	huma.Register(api, operation("close-incident", http.MethodPost, "/incidents/{id}/close", "Say how an incident was resolved", people...), s.closeIncident)
}

func incidentRow(i *signalbox.Incident) Incident {
	return Incident{
		ID: i.ID, Tenant: i.Tenant, CallID: OrNull(i.Call), RunID: OrNull(i.Run), ToolName: OrNull(i.Tool), AgentID: OrNull(i.Agent),
		Write: i.Write, Severity: i.Severity, Text: i.Text, Opened: i.Opened, OpenedBy: i.OpenedBy,
		Closed: timeOrNull(i.Closed), ClosedBy: OrNull(i.ClosedBy), Resolution: OrNull(i.Resolution),
	}
}

func (s *server) listIncidents(ctx context.Context, q *IncidentQuery) (*Body[Page[Incident]], error) {
	c := callerOf(ctx)
	page := Page[Incident]{Items: []Incident{}, AsOf: s.Now().UTC()}
	tenants := c.narrow(q.Tenant)
	if tenants != nil && len(tenants) == 0 {
		return &Body[Page[Incident]]{page}, nil
	}
	var open *bool
	if q.State != "" {
		only := q.State == "open"
		open = &only
	}
	list, next, err := s.Incidents.List(ctx, tenants, open, q.Limit, q.Cursor)
	if err != nil {
		return nil, fail(c, err)
	}
	page.Next = cursor(next)
	for i := range list {
		page.Items = append(page.Items, incidentRow(&list[i]))
	}
	return &Body[Page[Incident]]{page}, nil
}

func (s *server) openIncident(ctx context.Context, in *Body[NewIncident]) (*Body[Incident], error) {
	c := callerOf(ctx)
	i, err := s.about(ctx, c, &in.Body)
	if err == nil {
		i.Text, err = readReason("text", in.Body.Text, true)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	i.Severity = in.Body.Severity
	if i, err = s.Incidents.Open(ctx, c.caller(), i); err != nil {
		return nil, fail(c, err)
	}
	return &Body[Incident]{incidentRow(&i)}, nil
}

// about finds what an incident is about, among what the caller may see.
func (s *server) about(ctx context.Context, c ctxWithCaller, r *NewIncident) (i signalbox.Incident, err error) {
	switch {
	case (r.CallID == "") == (r.RunID == ""):
		return i, signalbox.Errorf(signalbox.CodeInvalid, "An incident is about a call or about a run.").WithField("call_id").
			WithRemedy("Give one of call_id and run_id.")
	case r.RunID != "":
		i.Run = r.RunID
		i.Tenant, err = s.tenantOf(ctx, c, &OneRun{ID: r.RunID, Tenant: r.Tenant})
		return i, err
	}
	v, err := s.Views.CallByID(ctx, r.CallID)
	if err == nil && !c.maySee(v.Tenant) || signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return i, signalbox.Errorf(signalbox.CodeNotFound, "There is no such call.").WithField("call_id").
			WithRemedy("Look for it in the list of calls.")
	}
	return signalbox.Incident{Tenant: v.Tenant, Call: v.ID, Run: v.RunID, Tool: v.ToolName, Agent: v.AgentID}, err
}

func (s *server) closeIncident(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"128"`
	Body CloseIncident
},
) (*Body[Incident], error) {
	c := callerOf(ctx)
	i, err := s.Incidents.Get(ctx, in.ID)
	resolution := ""
	switch {
	case err == nil && !c.maySee(i.Tenant), signalbox.CodeOf(err) == signalbox.CodeNotFound:
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such incident.").WithField("id").
			WithRemedy("Look for it in the list of incidents.")
	case err != nil:
	case !i.Closed.IsZero():
		err = signalbox.Errorf(signalbox.CodeConflict, "The incident was closed by %s at %s.", i.ClosedBy, i.Closed.UTC().Format(time.RFC3339)).
			WithField("id").WithRemedy("Open another one for what has come since.")
	default:
		resolution, err = readReason("resolution", in.Body.Resolution, true)
	}
	if err == nil {
		i, err = s.Incidents.Close(ctx, c.caller(), in.ID, resolution)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Incident]{incidentRow(&i)}, nil
}
