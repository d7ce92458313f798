package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type runCmd struct {
	Start  runStartCmd `cmd:"" help:"Open a run with the budget of a plan; its id is printed."`
	Show   runShowCmd  `cmd:"" help:"Show a run with its accounts."`
	List   runListCmd  `cmd:"" help:"List runs, newest first."`
	End    runEndCmd   `cmd:"" help:"End a run: it takes no more calls."`
	Watch  notBuilt    `cmd:"" help:"Not built in this version."`
	Cancel notBuilt    `cmd:"" help:"Not built in this version; end a run with run end, and halt one with an alert."`
}

// maxPlan bounds the file of a plan, as the server bounds its body.
const maxPlan = api.MaxBody

type runStartCmd struct {
	remote
	format
	Plan string `required:"" type:"existingfile" placeholder:"FILE" help:"The plan, as POST /api/v1/runs takes it (JSON)."`
}

// Run opens a run.
func (k *runStartCmd) Run(c *console) error {
	plan, err := readFile(k.Plan, maxPlan)
	if err != nil {
		return err
	}
	var run api.RunDetail
	if err := k.do(c.ctx, http.MethodPost, "/runs", json.Value(plan), &run); err != nil {
		return err
	}
	return k.print(c, run, []string{"ID", "STATE", "TOTAL", "PLANNED", "RESERVE"}, [][]string{
		{run.ID, text(run.State), run.Plan.Total, run.Plan.Planned, run.Plan.Kept},
	})
}

// readFile reads a whole file, and refuses one that is too large to be sent.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	if int64(len(data)) > most {
		return nil, &usageError{path + " is larger than " + strconv.FormatInt(most, 10) + " bytes"}
	}
	return data, nil
}

type runShowCmd struct {
	remote
	format
	ID     string `arg:"" help:"The run's id."`
	Tenant string `help:"Whose run it is, where two tenants use one id."`
}

// Run shows a run.
func (k *runShowCmd) Run(c *console) error {
	var run api.RunDetail
	if err := k.get(c.ctx, "/runs/"+url.PathEscape(k.ID), tenantQuery(k.Tenant), &run); err != nil {
		return err
	}
	if k.Output == outputJSON {
		return k.print(c, run, nil, nil)
	}
	if err := k.print(c, nil, runHeading, [][]string{runLine(run.Run)}); err != nil {
		return err
	}
	if _, err := io.WriteString(c.out, "\n"); err != nil {
		return err
	}
	return k.print(c, nil, accountHeading, accountLines(run.Accounts))
}

func tenantQuery(tenant string) url.Values {
	q := url.Values{}
	if tenant != "" {
		q.Set("tenant", tenant)
	}
	return q
}

var runHeading = []string{"ID", "TENANT", "STATE", "STARTED", "CALLS", "RUNNING", "COST"}

func runLine(r api.Run) []string {
	return []string{
		r.ID, r.Tenant, text(r.State), r.Started.Format(time.RFC3339), strconv.FormatInt(r.Calls, 10),
		strconv.FormatInt(r.Running, 10), r.Cost,
	}
}

type runListCmd struct {
	remote
	format
	Tenant string `help:"Only of this tenant."`
	Limit  int    `default:"50" help:"Runs to show, 1 to 500."`
}

// Run lists runs.
func (k *runListCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	q.Set("limit", strconv.Itoa(k.Limit))
	var page api.Page[api.Run]
	if err := k.get(c.ctx, "/runs", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range page.Items {
		rows = append(rows, runLine(r))
	}
	return k.print(c, page, runHeading, rows)
}

type runEndCmd struct {
	remote
	format
	ID     string `arg:"" help:"The run's id."`
	Tenant string `help:"Whose run it is, where two tenants use one id."`
}

// Run ends a run.
func (k *runEndCmd) Run(c *console) error {
	var run api.RunDetail
	path := "/runs/" + url.PathEscape(k.ID) + "/end?" + tenantQuery(k.Tenant).Encode()
	if err := k.do(c.ctx, http.MethodPost, path, nil, &run); err != nil {
		return err
	}
	return k.print(c, run, runHeading, [][]string{runLine(run.Run)})
}
