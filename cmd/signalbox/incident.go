package main

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type incidentCmd struct {
	Open  incidentOpenCmd  `cmd:"" help:"Report harm that a call or run has done."`
	Close incidentCloseCmd `cmd:"" help:"Say how an incident was resolved."`
	List  incidentListCmd  `cmd:"" help:"List incidents, newest first."`
}

var incidentHeading = []string{"ID", "OPENED", "TENANT", "SEVERITY", "STATE", "CALL", "RUN", "TOOL", "BY", "TEXT"}

func incidentLine(i api.Incident) []string {
	state := "open"
	if i.Closed != nil {
		state = "closed"
	}
	return []string{
		i.ID, i.Opened.Format(time.RFC3339), i.Tenant, string(i.Severity), state, text(i.CallID), text(i.RunID), text(i.ToolName),
		i.OpenedBy, plain(i.Text),
	}
}

type incidentOpenCmd struct {
	remote
	format
	Call     string `help:"The call it is about." xor:"about" required:""`
	OfRun    string `name:"run" help:"Or the run." xor:"about" required:""`
	Tenant   string `help:"Whose run it is, where two tenants use one id."`
	Severity string `enum:"low,medium,high" default:"medium" help:"How bad it is: ${enum}."`
	Text     string `required:"" help:"What happened; it stays in the log and must not name people."`
}

// Run opens an incident.
func (k *incidentOpenCmd) Run(c *console) error {
	var i api.Incident
	err := k.do(c.ctx, http.MethodPost, "/incidents", api.NewIncident{
		CallID: k.Call, RunID: k.OfRun, Tenant: k.Tenant, Severity: signalbox.Risk(k.Severity), Text: k.Text,
	}, &i)
	if err != nil {
		return err
	}
	return k.print(c, i, incidentHeading, [][]string{incidentLine(i)})
}

type incidentCloseCmd struct {
	remote
	format
	ID         string `arg:"" help:"The incident's id."`
	Resolution string `required:"" help:"How it was resolved."`
}

// Run closes an incident.
func (k *incidentCloseCmd) Run(c *console) error {
	var i api.Incident
	path := "/incidents/" + url.PathEscape(k.ID) + "/close"
	if err := k.do(c.ctx, http.MethodPost, path, api.CloseIncident{Resolution: k.Resolution}, &i); err != nil {
		return err
	}
	return k.print(c, i, incidentHeading, [][]string{incidentLine(i)})
}

type incidentListCmd struct {
	remote
	format
	State  string `enum:",open,closed" default:"" help:"Only of this state: ${enum}."`
	Tenant string `help:"Only of this tenant."`
	Limit  int    `default:"50" help:"Incidents to show, 1 to 500."`
}

// Run lists incidents.
func (k *incidentListCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	q.Set("limit", strconv.Itoa(k.Limit))
	if k.State != "" {
		q.Set("state", k.State)
	}
	var page api.Page[api.Incident]
	if err := k.get(c.ctx, "/incidents", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, i := range page.Items {
		rows = append(rows, incidentLine(i))
	}
	return k.print(c, page, incidentHeading, rows)
}
