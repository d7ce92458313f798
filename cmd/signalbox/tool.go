package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type toolCmd struct {
	List   toolListCmd   `cmd:"" help:"List the tools of MCP servers and in which form they may be used, newest change first."`
	Show   toolShowCmd   `cmd:"" help:"Show a tool: what is pinned, what has changed, what looks suspicious."`
	Accept toolAcceptCmd `cmd:"" help:"Let the new form of a tool be used, in place of the one before."`
	Reject toolRejectCmd `cmd:"" help:"Keep the new form of a tool from being used."`
}

type toolListCmd struct {
	remote
	format
	Server  string `help:"Only of this server."`
	State   string `enum:",pinned,held,rejected" default:"" help:"Only of this state: ${enum}."`
	Flagged bool   `help:"Only those that look suspicious."`
	Limit   int    `default:"50" help:"Tools to show, 1 to 500."`
}

// Run lists tools.
func (k *toolListCmd) Run(c *console) error {
	q := url.Values{"limit": {strconv.Itoa(k.Limit)}}
	for name, value := range map[string]string{"server": k.Server, "state": k.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if k.Flagged {
		q.Set("flagged", "true")
	}
	var page api.Page[api.Pin]
	if err := k.get(c.ctx, "/pins", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, p := range page.Items {
		rows = append(rows, []string{
			plain(p.ID), string(p.State), p.Since.Format(time.RFC3339), short(p.Form), dash(strings.Join(p.Changed, ",")), dash(kinds(p.Flags)),
		})
	}
	return k.print(c, page, []string{"TOOL", "STATE", "SINCE", "FORM", "CHANGED", "FLAGS"}, rows)
}

// short is how much of a form's hash is shown; it is enough for a review.
func short(form string) string { return form[:min(len(form), 12)] }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// kinds names what is suspicious, each kind once.
func kinds(flags []api.PinFlag) string {
	var list []string
	seen := map[string]bool{}
	for _, f := range flags {
		if kind := string(f.Kind); !seen[kind] {
			seen[kind] = true
			list = append(list, kind)
		}
	}
	return strings.Join(list, ",")
}

type toolShowCmd struct {
	remote
	format
	ID string `arg:"" help:"The tool, such as files.read_text_file."`
}

// Run shows a tool.
func (k *toolShowCmd) Run(c *console) error {
	var p api.PinDetail
	if err := k.get(c.ctx, pinPath(k.ID), nil, &p); err != nil {
		return err
	}
	return k.print(c, p, []string{"FIELD", "VALUE"}, pinFields(p))
}

func pinPath(id string) string { return "/pins/" + url.PathEscape(id) }

// pinFields shows a tool. What its server says is written so that nothing in it can pass for anything else on a terminal.
func pinFields(p api.PinDetail) [][]string {
	rows := [][]string{
		{"tool", plain(p.ID)},
		{"state", string(p.State)},
		{"since", p.Since.Format(time.RFC3339)},
		{"first seen", p.First.Format(time.RFC3339)},
		{"form", short(p.Form)},
	}
	if p.Fault != nil {
		rows = append(rows, []string{"fault", plain(*p.Fault)})
	}
	for _, f := range p.Flags {
		rows = append(rows, []string{"flag", plain(string(f.Kind) + " at " + f.Where + ": " + f.Text)})
	}
	if p.Reviewed != nil {
		rows = append(rows, []string{"reviewed", plain(p.Reviewed.Format(time.RFC3339) + " by " + text(p.Reviewer) + ": " + text(p.Reason))})
	}
	for _, line := range p.Diff {
		rows = append(rows, []string{"diff", plain(line)})
	}
	if p.New == nil && p.Pinned != nil {
		rows = append(rows, []string{"definition", plain(text(p.Pinned.Definition))})
	}
	return rows
}

// toolReview is a verdict about a tool.
type toolReview struct {
	remote
	format
	ID     string `arg:"" help:"The tool, such as files.read_text_file."`
	Reason string `required:"" help:"Why; it is kept in the log."`
	Form   string `help:"The form that was looked at, as \"tool show\" names it; the one that waits now unless given." placeholder:"HASH"`
}

func (k *toolReview) review(c *console, verdict string) error {
	var p api.PinDetail
	if k.Form == "" {
		if err := k.get(c.ctx, pinPath(k.ID), nil, &p); err != nil {
			return err
		}
		k.Form = p.Form
	}
	err := k.do(c.ctx, http.MethodPost, pinPath(k.ID)+"/"+verdict, api.ReviewPin{Form: k.Form, Reason: k.Reason}, &p)
	if err != nil {
		return err
	}
	return k.print(c, p, []string{"FIELD", "VALUE"}, pinFields(p))
}

type toolAcceptCmd struct{ toolReview }

// Run accepts a form.
func (k *toolAcceptCmd) Run(c *console) error { return k.review(c, "accept") }

type toolRejectCmd struct{ toolReview }

// Run rejects a form.
func (k *toolRejectCmd) Run(c *console) error { return k.review(c, "reject") }
