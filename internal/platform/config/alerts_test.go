package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func TestDefaultLadder(t *testing.T) {
	var got []string
	for _, r := range DefaultAlertRules() {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", r.ID, r.Per, r.Threshold, r.Level, r.Action, r.Cooldown))
	}
	equal(t, "ladder", got, []string{
		"default-run-log run 0.5 info log 0s",
		"default-run-notify run 2 warning notify 5m0s",
		"default-run-throttle run 5 critical throttle 1m0s",
		"default-run-halt run 10 critical halt 0s",
		"default-day-warning day 100 warning notify 0s",
		"default-day-critical day 300 critical notify 0s",
		"default-week-warning week 500 warning notify 0s",
		"default-week-critical week 1500 critical notify 0s",
		"default-month-warning month 2000 warning notify 0s",
		"default-month-critical month 5000 critical notify 0s",
	})
}

// Which default rules hold beside the rules of a file.
func TestDefaultRulesGiveWay(t *testing.T) {
	rule := func(id, per, rest string) string {
		return "{id: " + id + ", level: info, threshold_usd: 1, action: log, per: " + per + rest + "}"
	}
	const run, day, week, month = "default-run-", "default-day-", "default-week-", "default-month-"
	cases := []struct {
		name, text string
		want       []string // Beginnings of ids, each once or more.
	}{
		{"nothing said", "listen: :1", []string{run, day, week, month}},
		{"no rules", "alerts: {rules: []}", []string{run, day, week, month}},
		{"none wanted", "alerts: {defaults: false}", nil},
		{"only one's own", "alerts: {defaults: false, rules: [" + rule("x", "run", "") + "]}", []string{"x"}},
		{"another scope", "alerts: {rules: [" + rule("x", "request", "") + "]}", []string{"x", run, day, week, month}},
		{"the same scope", "alerts: {rules: [" + rule("x", "run", "") + "]}", []string{"x", day, week, month}},
		{
			"the same scope of one tenant", "tenants: [{id: a}, {id: b}, {id: c}]\nalerts: {rules: [" + rule("x", "day", ", tenant: b") + "]}",
			[]string{"x", run, day + "warning@a", day + "warning@c", day + "critical@a", day + "critical@c", week, month},
		},
		{
			"of each tenant", "alerts: {rules: [" + rule("x", "day", ", tenant: b") + ", " + rule("y", "day", ", tenant: a") + "]}\ntenants: [{id: a}, {id: b}]",
			[]string{"x", "y", run, week, month},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			ids := map[string]bool{}
			for _, r := range mustParse(t, tc.text).Alerts.Rules {
				if ids[r.ID] {
					t.Errorf("two rules are called %s", r.ID)
				}
				ids[r.ID] = true
				if _, tenant, found := strings.Cut(r.ID, "@"); found && r.Tenant != tenant {
					t.Errorf("%s is for %q", r.ID, r.Tenant)
				}
				i := slices.IndexFunc(tc.want, func(w string) bool { return strings.HasPrefix(r.ID, w) })
				if i < 0 {
					t.Errorf("%s holds too", r.ID)
				} else if !slices.Contains(got, tc.want[i]) {
					got = append(got, tc.want[i])
				}
			}
			equal(t, "rules", got, tc.want)
		})
	}
}

func TestAlertsAndChannels(t *testing.T) {
	c, err := parseFile(t, filepath.Join("testdata", "alerts.good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "a rule", c.Alerts.Rules[1], signalbox.AlertRule{
		ID: "run", Level: signalbox.AlertWarning, Threshold: signalbox.Dollar, Per: signalbox.AlertPerRun,
		Action: signalbox.ActionThrottle, Cooldown: 5 * time.Minute, Tenant: "a",
	})
	equal(t, "channels of a rule", c.Alerts.Rules[3].Channels, []string{"ops", "desk"})
	ops, desk := c.Channels["ops"], c.Channels["desk"]
	equal(t, "kind", ops.Kind, ChannelWebhook)
	equal(t, "url", ops.URL.Reveal(), "https://hooks.example.com/services/"+environment["APP_KEY"]+"?token="+environment["APP_KEY"])
	equal(t, "url as printed", ops.URL.String(), "https://hooks.example.com/[secret]")
	equal(t, "the last slash stays", desk.URL.Reveal(), "http://127.0.0.1:9999/")
	equal(t, "secret", desk.Secret.Reveal(), environment["APP_KEY"])
	equal(t, "timeout", ops.Timeout, 5*time.Second)
	equal(t, "default timeout", desk.Timeout, DefaultChannelTimeout)
	equal(t, "header", ops.Headers["X-Team"].Reveal(), "ops")
}

func TestEndpointsHideWhatMayBeACredential(t *testing.T) {
	cases := []struct {
		of   Endpoint
		want string
	}{
		{NewEndpoint(""), ""},
		{NewEndpoint("http://h:1/p"), "http://h:1/p"},
		{NewEndpoint("http://h?k=v"), "http://h?[secret]"},
		{NewEndpoint("http://u@h/p"), "http://u@h/p"},
		{NewEndpoint("http://u:p@h/p?k"), "http://u:[secret]@h/p?[secret]"},
		{NewEndpoint("http://u:p@q@h"), "http://u:[secret]@h"},
		{NewPrivateEndpoint(""), ""},
		{NewPrivateEndpoint("http://h"), "http://h"},
		{NewPrivateEndpoint("http://h/p/q?k=v"), "http://h/[secret]"},
		{NewPrivateEndpoint("http://h?k=v"), "http://h/[secret]"},
	}
	for _, tc := range cases {
		if got := tc.of.String(); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.of.Reveal(), got, tc.want)
		}
	}
}
