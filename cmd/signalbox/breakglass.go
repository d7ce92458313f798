package main

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type breakGlassCmd struct {
	Grant  grantGiveCmd   `cmd:"" help:"Let an agent do for a while what its permissions do not cover."`
	End    grantEndCmd    `cmd:"" help:"End a grant before its time."`
	Review grantReviewCmd `cmd:"" help:"Say what was done under a grant; not by who gave it."`
	List   grantListCmd   `cmd:"" help:"List grants, newest first."`
}

var grantHeading = []string{"ID", "TENANT", "AGENT", "TOOL", "STATE", "UNTIL", "BY", "REVIEWED", "REASON"}

func grantLine(g api.Grant) []string {
	state := "over"
	switch {
	case g.Active:
		state = "active"
	case g.Ended != nil:
		state = "ended"
	}
	reviewed := "-"
	switch {
	case g.Reviewer != nil:
		reviewed = *g.Reviewer
	case g.Overdue:
		reviewed = "overdue"
	}
	return []string{g.ID, g.Tenant, g.AgentID, g.Tool, state, g.Until.Format(time.RFC3339), g.By, reviewed, plain(g.Reason)}
}

type grantGiveCmd struct {
	remote
	format
	Agent   string `required:"" help:"Who may."`
	Tool    string `required:"" help:"The tool, such as files.delete_file, or a pattern."`
	Reason  string `required:"" help:"Why; it is kept and told at once."`
	Minutes int64  `help:"How long; as configured unless given."`
	Tenant  string `help:"Whose agent; the key's own tenant unless given."`
}

// Run gives a grant.
func (k *grantGiveCmd) Run(c *console) error {
	return k.act(c, "/break-glass", api.GrantRequest{
		Tenant: k.Tenant, Agent: k.Agent, Tool: k.Tool, Reason: k.Reason, Minutes: k.Minutes,
	}, k.format)
}

func (r remote) act(c *console, path string, body any, f format) error {
	var g api.Grant
	if err := r.do(c.ctx, http.MethodPost, path, body, &g); err != nil {
		return err
	}
	return f.print(c, g, grantHeading, [][]string{grantLine(g)})
}

type grantEndCmd struct {
	remote
	format
	ID string `arg:"" help:"The grant's id."`
}

// Run ends a grant.
func (k *grantEndCmd) Run(c *console) error {
	return k.act(c, "/break-glass/"+url.PathEscape(k.ID)+"/end", nil, k.format)
}

type grantReviewCmd struct {
	remote
	format
	ID     string `arg:"" help:"The grant's id."`
	Review string `required:"" name:"text" help:"What you have found."`
}

// Run reviews a grant.
func (k *grantReviewCmd) Run(c *console) error {
	return k.act(c, "/break-glass/"+url.PathEscape(k.ID)+"/review", api.ReviewRequest{Review: k.Review}, k.format)
}

type grantListCmd struct {
	remote
	format
	Tenant string `help:"Only of this tenant."`
	Limit  int    `default:"50" help:"Grants to show, 1 to 500."`
}

// Run lists grants.
func (k *grantListCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	q.Set("limit", strconv.Itoa(k.Limit))
	var page api.Page[api.Grant]
	if err := k.get(c.ctx, "/break-glass", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, g := range page.Items {
		rows = append(rows, grantLine(g))
	}
	return k.print(c, page, grantHeading, rows)
}
