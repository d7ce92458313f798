package config

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/signalbox/signalbox"
)

// Bounds of alerts and channels.
const (
	MaxCooldown       = 30 * 24 * time.Hour
	MinSigningKey     = 24 // Bytes of a signing key in the form whsec_…, as the Standard Webhooks have it.
	MaxSigningKey     = 64
	MaxChannelTimeout = time.Minute
)

func alertsTable(a *Alerts) value {
	return object{fields: []field{
		key("defaults", "Whether the default rules hold where no rule of yours has the same scope (per).", boolean(&a.Defaults)),
		key("rules", "Rules of yours.", listOf(&a.Rules, alertRuleTable)),
	}}
}

func alertRuleTable(a *signalbox.AlertRule) value {
	return object{fields: []field{
		need("id", "Name of the rule, as alerts show it.", textInto(&a.ID, idText, ownAlert, declares(anAlert))),
		need("level", "How much it matters.", oneOf(&a.Level, signalbox.AlertInfo, signalbox.AlertWarning, signalbox.AlertCritical)),
		need("threshold_usd", "The cost above which the alert is raised, in US dollars.", threshold{&a.Threshold}),
		need("per", "Whose cost it looks at: one request's, one run's, or the tenant's in a day, week or month.", oneOf(&a.Per, alertScopes...)),
		need("action", "What it does besides being recorded.", oneOf(&a.Action,
			signalbox.ActionLog, signalbox.ActionNotify, signalbox.ActionThrottle, signalbox.ActionHalt)),
		key("cooldown_minutes", "How long a second alert of the rule about the same thing is held back; 0 raises it once.", minutes(&a.Cooldown)),
		key("tenant", "The tenant it is for; without it, each tenant by itself.", textInto(&a.Tenant, refers(aTenant))),
		key("channels", "Channels to tell; without any, all of them.", listOf(&a.Channels, func(s *string) value { return textInto(s, refers(aChannel)) })),
	}, check: func(s seen) {
		if a.Action == signalbox.ActionLog && len(a.Channels) > 0 {
			s.problem("channels", "the action log tells no channel", "use notify, or remove it")
		}
		for i, c := range a.Channels {
			if slices.Contains(a.Channels[:i], c) {
				s.problem("channels", "names a channel twice", "keep one")
				return
			}
		}
	}}
}

// ownAlert keeps ids free that alerts of other origins have.
var ownAlert = rule{check: func(r *reader, text, shown string, where place) {
	if slices.Contains(alertSources, text) || strings.HasPrefix(text, defaultRulePrefix) {
		r.problem(where, shown+" is reserved for alerts that Signalbox raises by itself", "use another name")
	}
}}

// threshold is an amount of money above 0.
type threshold struct{ into *signalbox.Money }

func (v threshold) read(r *reader, n ast.Node, field string) {
	var w written
	amount{&w}.read(r, n, field)
	if !w.given {
		return
	}
	m, wrong := w.in(signalbox.UnitUSD)
	switch {
	case strings.HasPrefix(wrong.message, "is negative"), wrong == (fault{}) && m == 0:
		wrong = fault{"is not above 0", "give the cost from which you want to know, such as 0.50"}
	}
	w.report(r, wrong)
	*v.into = signalbox.Money(m)
}

func (v threshold) schema() *schemaNode { return amount{}.schema() }

// minutes is a whole number of minutes.
func minutes(into *time.Duration) value {
	const most = int64(MaxCooldown / time.Minute)
	parse := func(s string) (time.Duration, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.Duration(n) * time.Minute, within(n, 0, most, err)
	}
	want := "a whole number of minutes from 0 to " + strconv.FormatInt(most, 10)
	return parsed[time.Duration]{into, want, true, parse, func() *schemaNode { return integerSchema(0, most) }}
}

func channelTable(_ string, c *Channel) value {
	c.Timeout = DefaultChannelTimeout
	return object{fields: []field{
		need("kind", "How it is spoken to: webhook.", oneOf(&c.Kind, ChannelWebhook).hinting(channelHint)),
		need("url", "Where messages are posted.", endpoint{into: &c.URL, query: true, private: true}),
		need("secret", "What messages are signed with: at least 16 characters, or whsec_ and 24 to 64 bytes in base64.", secret{into: &c.Secret, least: MinSecret}),
		key("headers", "Headers to send besides.", headersTable(&c.Headers, "Content-Type", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature")),
		key("timeout", "Bound of one try.", duration(&c.Timeout, 100*time.Millisecond, MaxChannelTimeout)),
	}, check: func(s seen) {
		if !goodSigningKey(c.Secret.Reveal()) {
			s.problem("secret", "begins with whsec_ and is not followed by 24 to 64 bytes in base64", "copy it whole, or use another text")
		}
	}}
}

func channelHint(text string) (fault, bool) {
	known := text == "slack" || text == "pagerduty"
	return fault{"is not built in this version", "use webhook, and something in between that speaks to it"}, known
}

// signingPrefix marks a signing key in the form of the Standard Webhooks.
const signingPrefix = "whsec_"

// goodSigningKey accepts every text that is not meant to be of that form.
func goodSigningKey(text string) bool {
	coded, found := strings.CutPrefix(text, signingPrefix)
	if !found {
		return true
	}
	key, err := base64.StdEncoding.DecodeString(coded)
	return err == nil && len(key) >= MinSigningKey && len(key) <= MaxSigningKey
}
