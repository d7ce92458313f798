package alert

import (
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// PayloadType is the type of every notification about an alert.
const PayloadType = "cost_alert"

// Payload is what a channel is sent, as JSON. Amounts of money are decimal US dollars, other amounts counts, both as
// strings so that no reader rounds them.
type Payload struct {
	Type      string        `json:"type"`
	ID        string        `json:"id"` // The alert's.
	Rule      string        `json:"rule"`
	Level     string        `json:"level"`
	Action    string        `json:"action"`
	Per       string        `json:"per"`
	TenantID  string        `json:"tenant_id"`
	RunID     string        `json:"run_id,omitzero"`
	AgentID   string        `json:"agent_id,omitzero"`
	CallID    string        `json:"call_id,omitzero"`
	Account   string        `json:"account,omitzero"`
	Unit      string        `json:"unit"` // Of threshold and value; the fields with _usd are there where it is usd.
	Threshold string        `json:"threshold,omitzero"`
	Value     string        `json:"value,omitzero"`
	Limit     string        `json:"threshold_usd,omitzero"`
	Cost      string        `json:"value_usd,omitzero"`
	RaisedAt  time.Time     `json:"raised_at"`
	Text      string        `json:"text"`
	Brake     *PayloadBrake `json:"brake,omitzero"` // The brake the alert has set.
}

// PayloadBrake is the brake of an alert.
type PayloadBrake struct {
	Kind  string    `json:"kind"`
	RunID string    `json:"run_id,omitzero"` // Absent where it is on the whole tenant.
	Until time.Time `json:"until,omitzero"`  // Absent where it lasts as long as the run.
}

// notificationOf makes the message about an alert to one channel. Its id has no full stop, which parts the id from the
// time where it is signed; channels' ids may have them, and no colons.
func notificationOf(a signalbox.Alert, r Raised, channel string) signalbox.Notification {
	n := signalbox.Notification{
		ID: a.ID + ":" + strings.ReplaceAll(channel, ".", ":"), Alert: a.ID, Channel: channel,
		Created: a.Raised.UTC(), Next: a.Raised.UTC(),
	}
	if r.Payload != nil {
		n.Payload = r.Payload(channel)
	} else {
		n.Payload = payloadOf(a, r.Brake)
	}
	return n
}

func payloadOf(a signalbox.Alert, b *signalbox.Brake) []byte {
	p := Payload{
		Type: PayloadType, ID: a.ID, Rule: a.Rule, Level: string(a.Level), Action: string(a.Action), Per: string(a.Per),
		TenantID: a.Tenant, RunID: a.Run, AgentID: a.Agent, CallID: a.Call, Account: a.Account, Unit: string(unitOf(a)),
		RaisedAt: a.Raised.UTC(), Text: a.Text,
	}
	if p.Unit == string(signalbox.UnitUSD) {
		p.Limit, p.Cost = signalbox.Money(a.Threshold).String(), signalbox.Money(a.Value).String()
	} else {
		p.Threshold, p.Value = strconv.FormatInt(a.Threshold, 10), strconv.FormatInt(a.Value, 10)
	}
	if b != nil {
		p.Brake = &PayloadBrake{Kind: string(b.Kind), RunID: b.Run, Until: b.Until.UTC()}
	}
	text, err := json.Marshal(p)
	if err != nil { // Only text that is not UTF-8 could do that, and none gets here; the alert itself is told all the same.
		return []byte(`{"type":"` + PayloadType + `"}`)
	}
	return text
}

// unitOf gives the unit of an alert's amounts: its account's, except for an overrun, which is about one call's cost.
func unitOf(a signalbox.Alert) signalbox.Unit {
	account, err := signalbox.ParseAccount(a.Account)
	if err != nil || a.Rule == RuleOverrun {
		return signalbox.UnitUSD
	}
	return account.Unit
}
