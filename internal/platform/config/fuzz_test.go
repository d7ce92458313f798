package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/signalbox/signalbox"
)

// Parse never panics; it gives a configuration or problems, never both; every problem is complete and inside the file;
// and none shows what a variable contains.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.good.yml", "testdata/*.bad.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add(Quickstart)
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), mark) {
			return // The mark must come only out of the environment.
		}
		c, err := Parse("f.yml", data, testEnv, testOptions)
		if err == nil {
			checkWhole(t, c)
			return
		}
		var problems Problems
		if c != nil || !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("got %v and %v", c, err)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, p := range problems {
			if p.Message == "" || p.Remedy == "" || p.File != "f.yml" || p.Line > lines || (p.Line > 0) != (p.Column > 0) {
				t.Errorf("of %d lines: %#v", lines, p)
			}
			if strings.Contains(p.Error(), mark) {
				t.Errorf("shows a secret: %v", p)
			}
			if strings.Contains(p.Message, "gave up") {
				t.Errorf("the YAML library panicked: %v", p)
			}
		}
	})
}

// checkWhole holds what a Config promises.
func checkWhole(t *testing.T, c *Config) {
	if len(c.Tenants) == 0 || c.Listen == "" || (c.Database.Path == "") == c.Database.URL.IsZero() || c.Limits.MaxBodyBytes == 0 {
		t.Errorf("incomplete: %+v", c)
	}
	for name, m := range c.Models {
		if _, found := c.Providers[m.Provider]; !found || m.Model == "" {
			t.Errorf("model %q: %+v", name, m)
		}
	}
	for _, r := range c.Routes {
		for _, use := range r.Use {
			if _, found := c.Models[use]; !found {
				t.Errorf("route %q uses %q", r.Name, use)
			}
		}
	}
	for _, a := range c.Alerts.Rules {
		if a.ID == "" || a.Level == "" || a.Per == "" || a.Action == "" || a.Threshold <= 0 || a.Threshold > MaxBudget || a.Cooldown < 0 {
			t.Errorf("alert rule %+v", a)
		}
	}
	for name, channel := range c.Channels {
		if channel.Kind != ChannelWebhook || channel.URL.IsZero() || len(channel.Secret.Reveal()) < MinSecret || channel.Timeout <= 0 {
			t.Errorf("channel %q: %+v", name, channel)
		}
	}
	checkBudgets(t, c)
	checkPermissions(t, c)
	for _, k := range c.Keys {
		if len(k.Secret.Reveal()) < MinSecret || !k.Role.Valid() {
			t.Errorf("key %+v", k)
		}
	}
	if first, second := c.Fingerprint(), c.Fingerprint(); first != second {
		t.Errorf("two fingerprints: %s and %s", first, second)
	}
}

// checkBudgets holds what every budget promises.
func checkBudgets(t *testing.T, c *Config) {
	var lists [][]signalbox.Budget
	for _, o := range c.Tenants {
		lists = append(lists, o.Budgets)
	}
	for _, o := range c.Teams {
		lists = append(lists, o.Budgets)
	}
	for _, o := range c.Keys {
		lists = append(lists, o.Budgets)
	}
	for _, o := range c.Agents {
		lists = append(lists, o.Budgets)
	}
	for _, list := range lists {
		accounts := map[string]bool{}
		for _, b := range list {
			account := string(b.Unit) + " " + string(b.Per)
			switch {
			case !slices.Contains(budgetUnits, b.Unit), !slices.Contains(budgetWindows, b.Per), accounts[account]:
				t.Errorf("account of %+v", b)
			case b.Max < 0, b.Max > int64(MaxBudget), b.WarnAt < 0, b.WarnAt > 1000:
				t.Errorf("amounts of %+v", b)
			case (b.OnCap == signalbox.OnCapShrink) != (b.MinOutput > 0):
				t.Errorf("shrinking of %+v", b)
			}
			accounts[account] = true
		}
	}
}

// checkPermissions holds what every permission and every tier promises.
func checkPermissions(t *testing.T, c *Config) {
	for _, a := range c.Agents {
		if a.Permissions == nil {
			continue
		}
		if a.Permissions.Source == "" || a.Permissions.MaxTokens < 0 {
			t.Errorf("permissions %+v", a.Permissions)
		}
		for _, p := range a.Permissions.Tools {
			if p.Name == "" || len(p.Operations) == 0 || len(p.Resources) == 0 || p.MaxPerMinute < 0 || p.Source == "" {
				t.Errorf("permission %+v", p)
			}
			for _, pattern := range append(p.Resources, p.Name) {
				if _, err := doublestar.Match(pattern, "docs/a"); err != nil || pattern == "" {
					t.Errorf("pattern %q: %v", pattern, err)
				}
			}
		}
	}
	for _, risk := range signalbox.Risks() {
		q, found := c.Approvals.Tiers[risk]
		if !found || (q.Approvers > 0) != q.Role.Valid() || q.Approvers > MaxApprovers || (risk == signalbox.RiskHigh && q.Approvers < 1) {
			t.Errorf("tier %s: %+v", risk, q)
		}
	}
	for _, o := range c.OIDC {
		noPeople := (o.Tenant == "" && o.TenantClaim == "") || (len(o.Roles) == 0 && o.DefaultRole == "")
		if o.Issuer.IsZero() || o.TokensFor() == "" || noPeople && !o.machines() {
			t.Errorf("identity provider %+v", o)
		}
		for id, client := range o.Clients {
			if client.Agent == "" || id == "" || (!client.People && client.Tenant == "" && o.Tenant == "") || (client.People && len(client.Budgets) > 0) {
				t.Errorf("client %q: %+v", id, client)
			}
		}
	}
}
