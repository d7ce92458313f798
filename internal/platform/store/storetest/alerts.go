package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// alert is an alert with every field set.
func alert(n int) signalbox.Alert {
	return signalbox.Alert{
		ID: fmt.Sprintf("alert_%03d", n), Rule: "ladder", Level: signalbox.AlertWarning, Action: signalbox.ActionHalt,
		Per: signalbox.AlertPerRun, Tenant: "acme", Run: "run_1", Agent: "writer", Call: "call_1", Account: account,
		Threshold: 5, Value: 1 << 60, Raised: start.Add(time.Duration(n) * time.Second), Text: "The run \"한글\" costs much.",
	}
}

func brake(n int) *signalbox.Brake {
	return &signalbox.Brake{
		ID: alert(n).ID, Kind: signalbox.BrakeHalt, Tenant: "acme", Run: "run_1", Reason: "too dear",
		Since: start.Add(time.Duration(n) * time.Second),
	}
}

func notification(n int, channel string) signalbox.Notification {
	return signalbox.Notification{
		ID: alert(n).ID + " " + channel, Alert: alert(n).ID, Channel: channel, Payload: []byte{0, 0xff, '{'}, Created: start,
		Next: start.Add(time.Duration(n) * time.Second),
	}
}

func notifications(t *testing.T, s Store, alert int) []signalbox.Notification {
	t.Helper()
	return must[[]signalbox.Notification](t)(s.Ledger.Notifications(t.Context(), fmt.Sprintf("alert_%03d", alert)))
}

func checkNotifications(t *testing.T, got []signalbox.Notification, want ...signalbox.Notification) {
	t.Helper()
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func checkBrakes(t *testing.T, s Store, want ...signalbox.Brake) {
	t.Helper()
	got := must[[]signalbox.Brake](t)(s.Ledger.Brakes(t.Context()))
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

var alertTests = map[string]func(*testing.T, Store){
	"an alert is kept with its brake and notifications": func(t *testing.T, s Store) {
		commit(t, s, signalbox.PutAlert{
			Alert: alert(1), Brake: brake(1),
			Notifications: []signalbox.Notification{notification(1, "ops"), notification(1, "dev")},
		})
		s = s.Reopen()
		got, next, err := s.Ledger.Alerts(t.Context(), signalbox.AlertFilter{})
		if ok(t, err); next != "" || !reflect.DeepEqual(got, []signalbox.Alert{alert(1)}) {
			t.Fatalf("got %+v, next %q", got, next)
		}
		checkBrakes(t, s, *brake(1))
		checkNotifications(t, notifications(t, s, 1), notification(1, "dev"), notification(1, "ops"))
		checkNotifications(t, notifications(t, s, 2))
	},
	"the same alert again changes nothing": func(t *testing.T, s Store) {
		commit(t, s, signalbox.PutAlert{Alert: alert(1), Notifications: []signalbox.Notification{notification(1, "ops")}})
		again := alert(1)
		again.Text = "again"
		commit(t, s, signalbox.PutAlert{
			Alert: again, Brake: brake(1), Notifications: []signalbox.Notification{notification(1, "dev")},
		})
		commit(t, s, signalbox.PutAlert{Alert: alert(2)}, signalbox.PutAlert{Alert: alert(2), Brake: brake(2)})
		got, _, err := s.Ledger.Alerts(t.Context(), signalbox.AlertFilter{})
		if ok(t, err); !reflect.DeepEqual(got, []signalbox.Alert{alert(2), alert(1)}) {
			t.Fatalf("got %+v", got)
		}
		checkBrakes(t, s)
		checkNotifications(t, notifications(t, s, 1), notification(1, "ops"))
	},
	"lists by filter, newest first, in pages": testAlerts,
	"bad pages are refused": func(t *testing.T, s Store) {
		for _, f := range []signalbox.AlertFilter{{Cursor: "x"}, {Cursor: "-1"}, {Limit: -1}, {Limit: signalbox.MaxPage + 1}} {
			_, _, err := s.Ledger.Alerts(t.Context(), f)
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
	"brakes are lifted once, and end": func(t *testing.T, s Store) {
		past, recent, future := brake(2), brake(3), brake(4)
		past.Until = time.Now().Add(-25 * time.Hour).UTC().Truncate(time.Second)
		recent.Until = time.Now().Add(-23 * time.Hour).UTC().Truncate(time.Second)
		future.Until, future.Kind, future.Run = time.Now().Add(time.Hour).UTC().Truncate(time.Second), signalbox.BrakeThrottle, ""
		for i, b := range []*signalbox.Brake{brake(1), past, recent, future} {
			commit(t, s, signalbox.PutAlert{Alert: alert(i + 1), Brake: b})
		}
		checkBrakes(t, s, *brake(1), *recent, *future)
		commit(t, s, signalbox.LiftBrake{ID: brake(1).ID, At: start, By: "u1"}, signalbox.LiftBrake{ID: "none", At: start, By: "u1"})
		commit(t, s, signalbox.LiftBrake{ID: brake(1).ID, At: start.Add(time.Hour), By: "u2"})
		s = s.Reopen()
		checkBrakes(t, s, *recent, *future)
	},
	"deliveries make progress until they are over": testDeliveries,
}

func testAlerts(t *testing.T, s Store) {
	all := make([]signalbox.Alert, 6)
	for i := range all {
		all[i] = alert(i)
	}
	all[1].Tenant, all[1].Run = "globex", ""
	all[2].Level = signalbox.AlertCritical
	all[4].Run, all[4].Account, all[4].Agent, all[4].Call = "", "", "", ""
	for _, a := range all {
		commit(t, s, signalbox.PutAlert{Alert: a})
	}
	for name, c := range map[string]struct {
		filter signalbox.AlertFilter
		want   []int
	}{
		"all":       {signalbox.AlertFilter{}, []int{5, 4, 3, 2, 1, 0}},
		"no tenant": {signalbox.AlertFilter{Tenants: []string{}}, nil},
		"tenants":   {signalbox.AlertFilter{Tenants: []string{"globex", "none"}}, []int{1}},
		"a run":     {signalbox.AlertFilter{Run: "run_1"}, []int{5, 3, 2, 0}},
		"a level":   {signalbox.AlertFilter{Level: signalbox.AlertCritical, Tenants: []string{"acme"}}, []int{2}},
		"neither":   {signalbox.AlertFilter{Level: signalbox.AlertInfo}, nil},
	} {
		for _, size := range []int{0, 1, 4} {
			c.filter.Limit, c.filter.Cursor = size, ""
			var want []string
			for _, i := range c.want {
				want = append(want, all[i].ID)
			}
			if got := alertPages(t, s, c.filter); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s by %d: got %v, want %v", name, size, got, want)
			}
		}
	}
}

func alertPages(t *testing.T, s Store, f signalbox.AlertFilter) (ids []string) {
	t.Helper()
	for {
		page, next, err := s.Ledger.Alerts(t.Context(), f)
		ok(t, err)
		for _, a := range page {
			ids = append(ids, a.ID)
		}
		if f.Cursor = next; next == "" {
			return ids
		}
	}
}

func testDeliveries(t *testing.T, s Store) {
	one, two, three := notification(1, "ops"), notification(2, "ops"), notification(3, "ops")
	commit(t, s,
		signalbox.PutAlert{Alert: alert(3), Notifications: []signalbox.Notification{three}},
		signalbox.PutAlert{Alert: alert(1), Notifications: []signalbox.Notification{one}},
		signalbox.PutAlert{Alert: alert(2), Notifications: []signalbox.Notification{two}})
	due := func(seconds, limit int, want ...signalbox.Notification) {
		t.Helper()
		at := start.Add(time.Duration(seconds) * time.Second)
		checkNotifications(t, must[[]signalbox.Notification](t)(s.Ledger.DueNotifications(t.Context(), at, limit)), want...)
	}
	due(0, 10)
	due(2, 10, one, two)
	due(9, 2, one, two)
	one.Tries, one.Next, one.LastNote = 1, start.Add(5*time.Second), "connection refused"
	ok(t, s.Ledger.PutNotification(t.Context(), one))
	due(9, 10, two, three, one)
	one.Tries, one.Next, one.Done, one.LastNote = 2, time.Time{}, start.Add(6*time.Second), "200"
	two.Tries, two.Next, two.Failed, two.LastNote = 9, time.Time{}, true, "given up"
	ok(t, s.Ledger.PutNotification(t.Context(), one))
	ok(t, s.Ledger.PutNotification(t.Context(), two))
	late := one
	late.Tries, late.Next, late.Done = 2, start, time.Time{}
	ok(t, s.Ledger.PutNotification(t.Context(), late))
	s = s.Reopen()
	due(9, 10, three)
	checkNotifications(t, notifications(t, s, 1), one)
	checkNotifications(t, notifications(t, s, 2), two)
}
