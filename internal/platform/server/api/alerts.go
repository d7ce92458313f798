package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Alerts reads what was raised and what holds. Brakes gives those that are not lifted, oldest first, and FindBrakes those
// named that there are; LiftBrake ends one, and changes nothing where it is lifted. Errors are of code not_found, invalid
// (a bad cursor) or unavailable. Safe for concurrent use.
type Alerts interface {
	Alerts(ctx context.Context, f signalbox.AlertFilter) (items []signalbox.Alert, next string, err error)
	Notifications(ctx context.Context, alert string) ([]signalbox.Notification, error)
	Brakes(ctx context.Context) ([]signalbox.Brake, error)
	FindBrakes(ctx context.Context, ids []string) ([]signalbox.Brake, error)
	LiftBrake(ctx context.Context, by signalbox.Caller, b signalbox.Brake) (signalbox.Brake, error)
}

// Alert is a row of the list of alerts. Threshold and value are decimal strings in the unit.
type Alert struct {
	ID         string                `json:"id"`
	Rule       string                `json:"rule" doc:"The rule's id, or \"budget\" (warn_at) or \"overrun\"."`
	Level      signalbox.AlertLevel  `json:"level" enum:"info,warning,critical"`
	Action     signalbox.AlertAction `json:"action" enum:"log,notify,throttle,halt"`
	Per        *signalbox.AlertScope `json:"per" doc:"Request, run, day, week or month; for a budget its window."`
	Tenant     string                `json:"tenant"`
	Run        *string               `json:"run_id"`
	Agent      *string               `json:"agent_id"`
	Call       *string               `json:"call_id"`
	Account    *string               `json:"account"`
	Unit       signalbox.Unit        `json:"unit" enum:"usd,tokens,input_tokens,output_tokens,requests,steps,concurrent"`
	Threshold  string                `json:"threshold"`
	Value      string                `json:"value"`
	Raised     time.Time             `json:"raised"`
	Text       string                `json:"text"`
	Brake      *Brake                `json:"brake"`
	Deliveries []Delivery            `json:"deliveries"`
}

// Delivery is a message to a channel.
type Delivery struct {
	Channel string     `json:"channel"`
	State   string     `json:"state" enum:"waiting,delivered,failed"`
	Tries   int        `json:"tries"`
	Created time.Time  `json:"created"`
	Next    *time.Time `json:"next" doc:"When it is tried next."`
	Done    *time.Time `json:"done"`
	Note    *string    `json:"last_note" doc:"What came of the last try."`
}

// Brake slows or stops a run or a tenant.
type Brake struct {
	ID       string              `json:"id" doc:"That of the alert that set it."`
	Kind     signalbox.BrakeKind `json:"kind" enum:"throttle,halt"`
	Tenant   string              `json:"tenant"`
	Run      *string             `json:"run_id" doc:"Null: the whole tenant."`
	Reason   string              `json:"reason"`
	Since    time.Time           `json:"since"`
	Until    *time.Time          `json:"until" doc:"Null: as long as the run lives."`
	Lifted   *time.Time          `json:"lifted"`
	LiftedBy *string             `json:"lifted_by"`
	Holds    bool                `json:"holds"`
}

// AlertQuery are the filters of the list of alerts.
type AlertQuery struct {
	Paging
	Tenant string `query:"tenant" maxLength:"128"`
	Run    string `query:"run" maxLength:"128"`
	Level  string `query:"level" enum:"info,warning,critical"`
}

// BrakeQuery are the filters of the list of brakes.
type BrakeQuery struct {
	Tenant string `query:"tenant" maxLength:"128"`
}

func (s *server) registerAlerts(api huma.API) {
	huma.Register(api, operation("list-alerts", http.MethodGet, "/alerts", "Alerts, newest first"), s.listAlerts)
	huma.Register(api, operation("list-brakes", http.MethodGet, "/brakes", "Brakes that hold, newest first"), s.listBrakes)
	huma.Register(api, operation("lift-brake", http.MethodPost, "/brakes/{id}/lift", "Lift a brake",
		signalbox.RoleOperator, signalbox.RoleAdmin), s.liftBrake)
}

func (s *server) listAlerts(ctx context.Context, q *AlertQuery) (*Body[Page[Alert]], error) {
	c := callerOf(ctx)
	list, next, err := s.Alerts.Alerts(ctx, signalbox.AlertFilter{
		Tenants: c.narrow(q.Tenant), Run: q.Run, Level: signalbox.AlertLevel(q.Level), Cursor: q.Cursor, Limit: q.Limit,
	})
	if err != nil {
		return nil, fail(c, err)
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	brakes, err := s.Alerts.FindBrakes(ctx, ids)
	if err != nil {
		return nil, fail(c, err)
	}
	page := Page[Alert]{Items: []Alert{}, Next: cursor(next), AsOf: s.Now().UTC()}
	for i := range list {
		row := alertRow(&list[i])
		if j := slices.IndexFunc(brakes, func(b signalbox.Brake) bool { return b.ID == row.ID }); j >= 0 {
			row.Brake = s.brakeRow(brakes[j])
		}
		if row.Deliveries, err = s.deliveries(ctx, row.ID); err != nil {
			return nil, fail(c, err)
		}
		page.Items = append(page.Items, row)
	}
	return &Body[Page[Alert]]{page}, nil
}

func alertRow(a *signalbox.Alert) Alert {
	unit := signalbox.UnitUSD
	if account, err := signalbox.ParseAccount(a.Account); err == nil {
		unit = account.Unit
	}
	return Alert{
		ID: a.ID, Rule: a.Rule, Level: a.Level, Action: a.Action, Per: OrNull(a.Per), Tenant: a.Tenant, Run: OrNull(a.Run),
		Agent: OrNull(a.Agent), Call: OrNull(a.Call), Account: OrNull(a.Account), Unit: unit, Threshold: amount(unit, a.Threshold),
		Value: amount(unit, a.Value), Raised: a.Raised, Text: a.Text, Deliveries: []Delivery{},
	}
}

func (s *server) deliveries(ctx context.Context, alert string) ([]Delivery, error) {
	list, err := s.Alerts.Notifications(ctx, alert)
	rows := []Delivery{}
	for _, n := range list {
		row := Delivery{
			Channel: n.Channel, State: "waiting", Tries: n.Tries, Created: n.Created, Next: timeOrNull(n.Next),
			Done: timeOrNull(n.Done), Note: OrNull(n.LastNote),
		}
		switch {
		case n.Failed:
			row.State = "failed"
		case !n.Done.IsZero():
			row.State = "delivered"
		}
		rows = append(rows, row)
	}
	return rows, err
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *server) brakeRow(b signalbox.Brake) *Brake {
	return &Brake{
		ID: b.ID, Kind: b.Kind, Tenant: b.Tenant, Run: OrNull(b.Run), Reason: b.Reason, Since: b.Since, Until: timeOrNull(b.Until),
		Lifted: timeOrNull(b.Lifted), LiftedBy: OrNull(b.By), Holds: b.Holds(s.Now()),
	}
}

func (s *server) listBrakes(ctx context.Context, q *BrakeQuery) (*Body[Page[Brake]], error) {
	c := callerOf(ctx)
	list, err := s.Alerts.Brakes(ctx)
	if err != nil {
		return nil, fail(c, err)
	}
	tenants := c.narrow(q.Tenant)
	page := Page[Brake]{Items: []Brake{}, AsOf: s.Now().UTC()}
	for _, b := range slices.Backward(list) {
		if (tenants == nil || slices.Contains(tenants, b.Tenant)) && b.Holds(s.Now()) {
			page.Items = append(page.Items, *s.brakeRow(b))
		}
	}
	return &Body[Page[Brake]]{page}, nil
}

func (s *server) liftBrake(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"128"`
},
) (*Body[Brake], error) {
	c := callerOf(ctx)
	found, err := s.Alerts.FindBrakes(ctx, []string{in.ID})
	if err == nil && (len(found) == 0 || !c.maySee(found[0].Tenant)) {
		err = signalbox.Errorf(signalbox.CodeNotFound, "There is no such brake.").WithField("id").
			WithRemedy("Look for it in the list of brakes.")
	}
	if err != nil {
		return nil, fail(c, err)
	}
	lifted, err := s.Alerts.LiftBrake(ctx, c.caller(), found[0])
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Brake]{*s.brakeRow(lifted)}, nil
}
