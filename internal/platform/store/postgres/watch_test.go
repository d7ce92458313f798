package postgres_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// heard collects what a watch tells.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) tell(topic, payload string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, topic+":"+payload)
}

// take waits until something was told, and forgets everything that was told before.
func (h *heard) take(t *testing.T, what string) {
	t.Helper()
	eventually(t, "told of "+what, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !slices.Contains(h.list, what) {
			return false
		}
		h.list = nil
		return true
	})
}

func TestWatch(t *testing.T) {
	url := postgrestest.Database(t)
	db, other := replica(t, url, postgres.Options{}), replica(t, url, postgres.Options{})
	var h heard
	runs(t, func(ctx context.Context) { db.Watch(ctx, h.tell) })
	for _, topic := range []string{"keys", "brakes", "runs", "accounts", "notifications", "approvals", "grants", "sessions", "ledger"} {
		eventually(t, "told of "+topic+" at the beginning", func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return slices.Contains(h.list, topic+":")
		})
	}
	h.take(t, "ledger:")
	w := newWriter(t, other)
	for topic, effect := range map[string]signalbox.Effect{
		"approvals:": signalbox.PutApproval{Approval: signalbox.Approval{ID: "appr_1"}},
		"grants:":    signalbox.PutGrant{Grant: signalbox.Grant{ID: "grant_1"}},
		"sessions:":  signalbox.PutSession{Session: signalbox.Session{ID: "session_1", Opened: time.Now(), Expires: time.Now()}},
		"keys:":      signalbox.RevokeKey{ID: "key_1", At: time.Now()},
		"accounts:":  signalbox.OpenAccount{Account: "tenant acme - - usd day 2026-11-21T15:00:00Z"},
		"brakes:":    signalbox.LiftBrake{ID: "alert_1", At: time.Now(), By: "somebody"},
		"runs:": signalbox.PutRun{Run: signalbox.Run{
			ID: "run_1", Tenant: "acme", Key: "support", State: signalbox.RunRunning, Opened: time.Now(),
		}},
	} {
		appendCall(t, w, "call "+topic, signalbox.RecordAdmin, effect)
		h.take(t, topic)
	}
	appendCall(t, w, "call ended", signalbox.RecordAdmin, signalbox.EndSession{ID: "session_1", At: time.Now()})
	h.take(t, "sessions:")
	if err := admin(t, url, "SELECT pg_notify('signalbox_ledger', 'run acme run_1 - usd run -')"); err != nil {
		t.Fatal(err)
	}
	h.take(t, "ledger:run acme run_1 - usd run -")
}

// What happens while nobody listens is told when the connection is made anew.
func TestWatchAfterReconnect(t *testing.T) {
	url := postgrestest.Database(t)
	direct := replica(t, url, postgres.Options{})
	p, through := newProxy(t, url)
	db := opened(t, through, postgres.Options{})
	defer db.Close()
	var h heard
	stop := runs(t, func(ctx context.Context) { db.Watch(ctx, h.tell) })
	h.take(t, "ledger:")
	p.shut()
	appendCall(t, newWriter(t, direct), "call", signalbox.RecordAdmin, signalbox.RevokeKey{ID: "key_1", At: time.Now()})
	p.open()
	h.take(t, "ledger:")
	stop()
}
