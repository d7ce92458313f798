package config

import (
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// Names of alerts that no rule of the file has.
const defaultRulePrefix = "default-"

var (
	alertSources = []string{"budget", "overrun"} // An account that warns or was overrun; see [signalbox.Alert].
	alertScopes  = []signalbox.AlertScope{
		signalbox.AlertPerRequest, signalbox.AlertPerRun, signalbox.AlertPerDay, signalbox.AlertPerWeek, signalbox.AlertPerMonth,
	}
)

// DefaultAlertRules is the ladder that holds where nothing else is configured: what one run costs, and what a tenant
// costs in a day, week and month.
func DefaultAlertRules() []signalbox.AlertRule {
	rules := []signalbox.AlertRule{
		{ID: "run-log", Level: signalbox.AlertInfo, Threshold: signalbox.Dollar / 2, Per: signalbox.AlertPerRun, Action: signalbox.ActionLog},
		{ID: "run-notify", Level: signalbox.AlertWarning, Threshold: 2 * signalbox.Dollar, Per: signalbox.AlertPerRun, Action: signalbox.ActionNotify, Cooldown: 5 * time.Minute},
		{ID: "run-throttle", Level: signalbox.AlertCritical, Threshold: 5 * signalbox.Dollar, Per: signalbox.AlertPerRun, Action: signalbox.ActionThrottle, Cooldown: time.Minute},
		{ID: "run-halt", Level: signalbox.AlertCritical, Threshold: 10 * signalbox.Dollar, Per: signalbox.AlertPerRun, Action: signalbox.ActionHalt},
	}
	for _, total := range []struct {
		per               signalbox.AlertScope
		warning, critical signalbox.Money
	}{
		{signalbox.AlertPerDay, 100, 300}, {signalbox.AlertPerWeek, 500, 1500}, {signalbox.AlertPerMonth, 2000, 5000},
	} {
		rules = append(rules,
			signalbox.AlertRule{ID: string(total.per) + "-warning", Level: signalbox.AlertWarning, Threshold: total.warning * signalbox.Dollar, Per: total.per, Action: signalbox.ActionNotify},
			signalbox.AlertRule{ID: string(total.per) + "-critical", Level: signalbox.AlertCritical, Threshold: total.critical * signalbox.Dollar, Per: total.per, Action: signalbox.ActionNotify})
	}
	for i := range rules {
		rules[i].ID = defaultRulePrefix + rules[i].ID
	}
	return rules
}

// complete adds the default rules where they hold: for each tenant, in the scopes in which no rule of the file is for
// it. Where only some tenants have rules of a scope, each other tenant gets its own copy of the default ones.
func (a *Alerts) complete(tenants []Tenant) {
	if !a.Defaults {
		return
	}
	own := a.Rules
	covered := func(per signalbox.AlertScope, tenant string) bool {
		return slices.ContainsFunc(own, func(r signalbox.AlertRule) bool {
			return r.Per == per && (r.Tenant == "" || r.Tenant == tenant)
		})
	}
	for _, rule := range DefaultAlertRules() {
		if !slices.ContainsFunc(own, func(r signalbox.AlertRule) bool { return r.Per == rule.Per }) {
			a.Rules = append(a.Rules, rule)
			continue
		}
		for _, t := range tenants {
			if !covered(rule.Per, t.ID) {
				single := rule
				single.ID, single.Tenant = rule.ID+"@"+t.ID, t.ID
				a.Rules = append(a.Rules, single)
			}
		}
	}
}
