package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type alertCmd struct {
	List   alertListCmd   `cmd:"" help:"List alerts, newest first."`
	Brakes alertBrakesCmd `cmd:"" help:"List the brakes that hold: what is throttled or halted."`
	Lift   alertLiftCmd   `cmd:"" help:"Lift a brake."`
}

type alertListCmd struct {
	remote
	format
	Tenant string `help:"Only of this tenant."`
	OfRun  string `name:"run" help:"Only about this run."`
	Level  string `enum:",info,warning,critical" default:"" help:"Only of this level: ${enum}."`
	Limit  int    `default:"50" help:"Alerts to show, 1 to 500."`
}

// Run lists alerts.
func (k *alertListCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	q.Set("limit", strconv.Itoa(k.Limit))
	for name, value := range map[string]string{"run": k.OfRun, "level": k.Level} {
		if value != "" {
			q.Set(name, value)
		}
	}
	var page api.Page[api.Alert]
	if err := k.get(c.ctx, "/alerts", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, a := range page.Items {
		rows = append(rows, []string{
			a.ID, a.Raised.Format(time.RFC3339), string(a.Level), string(a.Action), a.Tenant, text(a.Run), a.Threshold, a.Value,
			deliveries(a.Deliveries), a.Text,
		})
	}
	return k.print(c, page, []string{
		"ID", "RAISED", "LEVEL", "ACTION", "TENANT", "RUN", "THRESHOLD", "VALUE", "DELIVERIES", "TEXT",
	}, rows)
}

func deliveries(list []api.Delivery) string {
	if len(list) == 0 {
		return "-"
	}
	texts := make([]string, len(list))
	for i, d := range list {
		texts[i] = d.Channel + " " + d.State
	}
	return strings.Join(texts, ", ")
}

var brakeHeading = []string{"ID", "KIND", "TENANT", "RUN", "SINCE", "UNTIL", "STATE", "REASON"}

func brakeLine(b api.Brake) []string {
	until, state := "-", "over"
	if b.Until != nil {
		until = b.Until.Format(time.RFC3339)
	}
	if b.Lifted != nil {
		state = "lifted"
	} else if b.Holds {
		state = "holds"
	}
	return []string{b.ID, string(b.Kind), b.Tenant, text(b.Run), b.Since.Format(time.RFC3339), until, state, b.Reason}
}

type alertBrakesCmd struct {
	remote
	format
	Tenant string `help:"Only of this tenant."`
}

// Run lists brakes.
func (k *alertBrakesCmd) Run(c *console) error {
	var page api.Page[api.Brake]
	if err := k.get(c.ctx, "/brakes", tenantQuery(k.Tenant), &page); err != nil {
		return err
	}
	var rows [][]string
	for _, b := range page.Items {
		rows = append(rows, brakeLine(b))
	}
	return k.print(c, page, brakeHeading, rows)
}

type alertLiftCmd struct {
	remote
	format
	ID string `arg:"" help:"The brake's id, as alert brakes shows it."`
}

// Run lifts a brake.
func (k *alertLiftCmd) Run(c *console) error {
	var b api.Brake
	if err := k.do(c.ctx, http.MethodPost, "/brakes/"+url.PathEscape(k.ID)+"/lift", nil, &b); err != nil {
		return err
	}
	return k.print(c, b, brakeHeading, [][]string{brakeLine(b)})
}
