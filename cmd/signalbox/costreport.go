package main

import (
	"encoding/csv"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// costReportCmd adds up what calls have cost, exactly: sums are those of the log, to the nano-dollar.
type costReportCmd struct {
	remote
	By     string `enum:"tenant,team,agent,run,model,tool" default:"model" help:"What to split by: ${enum}."`
	From   string `placeholder:"TIME" help:"Beginning, RFC 3339 or a date in UTC; 30 days ago unless given. Cut to whole hours."`
	To     string `placeholder:"TIME" help:"End, not included; now unless given."`
	Tenant string `help:"Only of this tenant."`
	Output string `short:"o" enum:"table,json,csv" default:"table" help:"${enum}."`
}

// reportDays is how far a report goes back where nobody says.
const reportDays = 30

// costReport is the report as JSON.
type costReport struct {
	By    string          `json:"by"`
	From  time.Time       `json:"from"`
	To    time.Time       `json:"to"`
	AsOf  time.Time       `json:"as_of"`
	Items []api.CostTotal `json:"items"`
	Total api.CostFigures `json:"total"`
}

// Run reads all pages of the totals, and prints them with their sum.
func (k *costReportCmd) Run(c *console) error {
	q, err := k.query(time.Now())
	if err != nil {
		return err
	}
	report := costReport{By: k.By, Items: []api.CostTotal{}}
	for more := true; more; {
		var page api.Costs
		if err := k.get(c.ctx, "/costs", q, &page); err != nil {
			return err
		}
		report.From, report.To, report.AsOf = page.From, page.To, page.AsOf
		report.Items = append(report.Items, page.Totals...)
		if more = page.Next != nil; more {
			q.Set("cursor", *page.Next)
		}
	}
	if k.By == "run" { // Pages come in another order.
		slices.SortStableFunc(report.Items, dearest)
	}
	if report.Total, err = totalOf(report.Items); err != nil {
		return err
	}
	return k.show(c, report)
}

func (k *costReportCmd) query(now time.Time) (url.Values, error) {
	from, err := instant(k.From, "--from", now.AddDate(0, 0, -reportDays))
	if err != nil {
		return nil, err
	}
	to, err := instant(k.To, "--to", now)
	if err != nil {
		return nil, err
	}
	if !from.Before(to) {
		return nil, &usageError{"--from is not before --to"}
	}
	q := tenantQuery(k.Tenant)
	q.Set("by", k.By)
	q.Set("bucket", "day")
	q.Set("from", from.Format(time.RFC3339))
	q.Set("to", to.Format(time.RFC3339))
	return q, nil
}

// instant reads a time or a date.
func instant(s, flag string, otherwise time.Time) (time.Time, error) {
	if s == "" {
		return otherwise.UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &usageError{flag + ": " + strconv.Quote(s) + " is neither a date (2026-11-22) nor a time (2026-11-22T09:00:00Z)"}
}

func dearest(a, b api.CostTotal) int {
	x, _ := signalbox.ParseMoney(a.Cost)
	y, _ := signalbox.ParseMoney(b.Cost)
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	}
	return 0
}

// totalOf adds up. The server's sums are exact, and so is this one.
func totalOf(list []api.CostTotal) (api.CostFigures, error) {
	var sum api.CostFigures
	var cost signalbox.Money
	for _, t := range list {
		m, err := signalbox.ParseMoney(t.Cost)
		if err != nil {
			return sum, err
		}
		cost = cost.Plus(m)
		sum.Calls += t.Calls
		sum.Failures += t.Failures
		sum.InputTokens += t.InputTokens
		sum.OutputTokens += t.OutputTokens
		sum.Unpriced += t.Unpriced
	}
	sum.Cost = cost.String()
	return sum, nil
}

func (k *costReportCmd) show(c *console, r costReport) error {
	rows := make([][]string, 0, len(r.Items)+1)
	for _, t := range r.Items {
		rows = append(rows, figureLine(k.By, t))
	}
	switch k.Output {
	case "csv":
		w := csv.NewWriter(c.out)
		heading := []string{k.By, "calls", "failures", "input_tokens", "output_tokens", "cost_usd", "unpriced"}
		if k.By == "run" {
			heading = append([]string{"tenant"}, heading...)
		}
		return w.WriteAll(append([][]string{heading}, rows...))
	case outputJSON:
		asJSON := format{Output: outputJSON}
		return asJSON.print(c, r, nil, nil)
	}
	for _, row := range rows {
		for i := range row {
			if row[i] == "" {
				row[i] = "-"
			}
		}
	}
	heading := []string{"KEY", "CALLS", "FAILURES", "INPUT", "OUTPUT", "COST", "UNPRICED"}
	total := figureLine("", api.CostTotal{Key: "TOTAL", CostFigures: r.Total})
	if k.By == "run" {
		heading, total = append([]string{"TENANT"}, heading...), append([]string{""}, total...)
	}
	var table format
	return table.print(c, r, heading, append(rows, total))
}

func figureLine(by string, t api.CostTotal) []string {
	var line []string
	if by == "run" {
		line = append(line, *t.Tenant)
	}
	return append(line, t.Key, strconv.FormatInt(t.Calls, 10), strconv.FormatInt(t.Failures, 10),
		strconv.FormatInt(t.InputTokens, 10), strconv.FormatInt(t.OutputTokens, 10), t.Cost, strconv.FormatInt(t.Unpriced, 10))
}
