package server

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// remembered is how many of the newest alerts are read at the start, so that none of them is raised a second time.
const remembered = signalbox.MaxPage

// alerting is what a configuration says of alerts.
type alerting struct {
	rules    map[string][]signalbox.AlertRule // By tenant.
	channels map[string]alert.Channel
	zones    map[string]*time.Location
}

func newAlerting(c *config.Config) (*alerting, error) {
	a := &alerting{
		rules: map[string][]signalbox.AlertRule{}, channels: map[string]alert.Channel{}, zones: map[string]*time.Location{},
	}
	for _, t := range c.Tenants {
		if zone, err := time.LoadLocation(t.Timezone); err == nil { // The configuration was checked.
			a.zones[t.ID] = zone
		}
		for _, r := range c.Alerts.Rules {
			if r.Tenant == "" || r.Tenant == t.ID {
				a.rules[t.ID] = append(a.rules[t.ID], r)
			}
		}
	}
	for id, channel := range c.Channels {
		webhook, err := alert.NewWebhook(alert.WebhookOptions{
			URL: channel.URL.Reveal(), Secret: channel.Secret.Reveal(), Headers: reveal(channel.Headers), Timeout: channel.Timeout,
		})
		if err != nil {
			return nil, err
		}
		a.channels[id] = webhook
	}
	return a, nil
}

// watched gives the windows whose totals a tenant's alerts need.
func (a *alerting) watched(tenant string) []signalbox.Window {
	windows := map[signalbox.AlertScope]signalbox.Window{
		signalbox.AlertPerRun: signalbox.WindowRun, signalbox.AlertPerDay: signalbox.WindowDay,
		signalbox.AlertPerWeek: signalbox.WindowWeek, signalbox.AlertPerMonth: signalbox.WindowMonth,
	}
	needed := map[signalbox.Window]bool{}
	for _, r := range a.rules[tenant] {
		if w, ok := windows[r.Per]; ok {
			needed[w] = true
		}
	}
	return slices.Sorted(maps.Keys(needed))
}

// close gives up the connections to the channels.
func (a *alerting) close() {
	for _, c := range a.channels {
		if idle, ok := c.(interface{ CloseIdleConnections() }); ok {
			idle.CloseIdleConnections()
		}
	}
}

// startAlerts starts what raises alerts, enforces brakes and delivers notifications.
func (s *Server) startAlerts(ctx context.Context) error {
	current := func() *alerting { return s.runtimes.current().alerts }
	var totals alert.Totals
	if s.cluster != nil {
		totals = s.cluster.db
	}
	s.alerts = alert.New(alert.Options{
		Rules:    func(tenant string) []signalbox.AlertRule { return current().rules[tenant] },
		Channels: func() []string { return slices.Sorted(maps.Keys(current().channels)) },
		Zone:     func(tenant string) *time.Location { return current().zones[tenant] },
		Balance:  s.ledger.Balance, Totals: totals, Log: s.data.writer, Now: s.data.now, Replica: s.data.replica, Logger: s.options.Logger,
	})
	s.onStop("alerts", s.alerts.Close)
	s.courier = alert.NewCourier(alert.CourierOptions{
		Outbox: s.data.db, Channels: func() map[string]alert.Channel { return current().channels }, Now: s.data.now,
		Logger: s.options.Logger,
	})
	return s.syncBrakes(ctx)
}

// syncBrakes learns of the alerts that were raised before or elsewhere, and of the brakes that were set or lifted.
func (s *Server) syncBrakes(ctx context.Context) error {
	recent, _, err := s.data.db.Alerts(ctx, signalbox.AlertFilter{Limit: remembered})
	if err != nil {
		return err
	}
	s.alerts.Remember(recent)
	brakes, err := s.data.db.Brakes(ctx)
	if err != nil {
		return err
	}
	s.alerts.Sync(brakes)
	return nil
}
