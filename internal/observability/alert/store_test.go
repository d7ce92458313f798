package alert_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// The store is what the courier asks for.
var _ alert.Outbox = (*sqlite.DB)(nil)

const dollar = signalbox.Dollar

// storeLog writes each record in a transaction of its own.
type storeLog struct {
	mu   sync.Mutex
	db   *sqlite.DB
	next int64
}

func (l *storeLog) Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := signalbox.Entry{
		Index: l.next, Time: r.Time.Truncate(time.Microsecond), Type: r.Type, Tenant: r.Who.TenantID, Content: []byte("{}"), Effects: effects,
	}
	if err := l.db.Commit(ctx, signalbox.Batch{Entries: []signalbox.Entry{e}}); err != nil {
		return 0, err
	}
	l.next++
	return e.Index, nil
}

// replica is an engine over the log, for which the run has cost 11 dollars.
func replica(log call.Log) *alert.Engine {
	return alert.New(alert.Options{
		Rules: func(string) []signalbox.AlertRule {
			return []signalbox.AlertRule{{ID: "halt", Level: signalbox.AlertCritical, Per: signalbox.AlertPerRun, Threshold: 10 * dollar, Action: signalbox.ActionHalt}}
		},
		Channels: func() []string { return []string{"ops"} },
		Balance: func(account string) (call.Balance, bool) {
			a, err := signalbox.ParseAccount(account)
			return call.Balance{Account: a, Cap: signalbox.NoCap, Settled: int64(11 * dollar)}, err == nil
		},
		Log: log, Now: time.Now,
	})
}

func ended(id string) signalbox.Record {
	cost := dollar
	run := signalbox.Account{Kind: signalbox.OwnerRun, Tenant: "acme", Name: "r", Unit: signalbox.UnitUSD, Per: signalbox.WindowRun}
	return signalbox.Record{
		Type: signalbox.RecordOutcome, Call: id, Who: signalbox.Who{TenantID: "acme"}, What: signalbox.What{Cost: &cost},
		Context: signalbox.Context{RunID: "r"}, Ledger: []signalbox.LedgerEntry{{Account: run.String(), Settled: int64(dollar)}},
	}
}

func closed(t *testing.T, e *alert.Engine) {
	t.Helper()
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestReplicasOverOneStore lets two replicas pass the same threshold and a third learn of it, and delivers what came of
// it.
func TestReplicasOverOneStore(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signalbox.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log := &storeLog{db: db}
	a, b, c := replica(log), replica(log), replica(log)
	defer closed(t, c)
	tr := call.NewTrack(&signalbox.Call{ID: "call_3"})
	tr.Gate = call.GateResult{Caller: signalbox.Caller{Tenant: "acme"}, Run: "r"}
	ctx, leave, err := c.Enter(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	a.Ended(ended("call_1"))
	b.Ended(ended("call_2"))
	closed(t, a)
	closed(t, b)

	alerts, _, err := db.Alerts(t.Context(), signalbox.AlertFilter{})
	if err != nil || len(alerts) != 1 {
		t.Fatalf("%d alerts (%v), want one", len(alerts), err)
	}
	brakes, err := db.Brakes(t.Context())
	if err != nil || len(brakes) != 1 || brakes[0].ID != alerts[0].ID {
		t.Fatalf("brakes %+v (%v), want one", brakes, err)
	}
	c.Remember(alerts)
	c.Sync(brakes)
	if code := signalbox.CodeOf(context.Cause(ctx)); code != signalbox.CodeFrozen {
		t.Errorf("the call of another replica: %v", context.Cause(ctx))
	}
	c.Ended(ended("call_3"))
	if n := c.Stats().Raised; n != 0 {
		t.Errorf("%d alerts are raised that were remembered", n)
	}
	receive(t, db, alerts[0].ID+":ops")
}

// receive delivers what is due to a receiver that fails once, and checks what it is sent.
func receive(t *testing.T, db *sqlite.DB, id string) {
	t.Helper()
	const secret = "a secret for tests"
	taken := make(chan error, 10)
	tries := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if got := r.Header.Get(alert.HeaderID); got != id {
			t.Errorf("received %q, want %q", got, id)
		}
		taken <- alert.Verify(secret, r.Header, body, time.Now())
	}))
	defer s.Close()
	hook, err := alert.NewWebhook(alert.WebhookOptions{URL: s.URL, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer hook.CloseIdleConnections()
	c := alert.NewCourier(alert.CourierOptions{
		Outbox: db, Channels: func() map[string]alert.Channel { return map[string]alert.Channel{"ops": hook} },
		Rand: func(int64) int64 { return 0 }, Poll: 20 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	if err := <-taken; err != nil {
		t.Error(err)
	}
	kept := func() signalbox.Notification {
		list, err := db.Notifications(t.Context(), strings.TrimSuffix(id, ":ops"))
		if err != nil || len(list) != 1 {
			t.Fatalf("the store has %d notifications (%v)", len(list), err)
		}
		return list[0]
	}
	for kept().Done.IsZero() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	if n := kept(); n.Failed || n.Tries != 2 || !n.Next.IsZero() {
		t.Errorf("the store has %+v", n)
	}
}
