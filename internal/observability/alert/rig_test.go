package alert

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryLog is a log that fails as fail says, and takes nothing until gate is closed.
type memoryLog struct {
	gate chan struct{} // Nil: nothing is held back.
	mu   sync.Mutex
	recs []signalbox.Record
	puts []signalbox.PutAlert
	fail func() error
}

func (l *memoryLog) Append(_ context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(); err != nil {
			return 0, err
		}
	}
	l.recs = append(l.recs, r)
	for _, e := range effects {
		l.puts = append(l.puts, e.(signalbox.PutAlert))
	}
	return int64(len(l.recs)), nil
}

func (l *memoryLog) alerts() []signalbox.PutAlert {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.puts)
}

// ledgerOf is where accounts stand.
type ledgerOf struct {
	mu sync.Mutex
	m  map[string]call.Balance
}

func (l *ledgerOf) set(account string, b call.Balance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m[account] = b
}

func (l *ledgerOf) settle(account string, amount signalbox.Money) {
	l.set(account, call.Balance{Cap: signalbox.NoCap, Settled: int64(amount)})
}

func (l *ledgerOf) get(account string) (call.Balance, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.m[account]
	return b, ok
}

// rig is an engine with everything around it.
type rig struct {
	*Engine
	log    *memoryLog
	ledger *ledgerOf
}

func newRig(t testing.TB, rules ...signalbox.AlertRule) *rig {
	t.Helper()
	return newRigOver(nil, rules...)
}

// newRigOver makes one of several replicas, which have settled totals together.
func newRigOver(totals Totals, rules ...signalbox.AlertRule) *rig {
	r := &rig{log: &memoryLog{}, ledger: &ledgerOf{m: map[string]call.Balance{}}}
	r.Engine = New(Options{
		Rules: func(string) []signalbox.AlertRule { return rules }, Channels: func() []string { return []string{"ops", "a.b"} },
		Balance: r.ledger.get, Totals: totals, Log: r.log, Now: time.Now,
	})
	return r
}

func (r *rig) stop(t testing.TB) {
	t.Helper()
	if err := r.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// outcome is the record of a call that has settled its cost in its run's account and in others.
func outcome(id, run string, cost signalbox.Money, accounts ...string) signalbox.Record {
	rec := signalbox.Record{
		Type: signalbox.RecordOutcome, Call: id, Who: signalbox.Who{TenantID: "acme", AgentID: "researcher"},
		What: signalbox.What{Cost: &cost}, Context: signalbox.Context{RunID: run},
	}
	if run != "" {
		accounts = append(accounts, runAccount("acme", run))
	}
	for _, a := range accounts {
		rec.Ledger = append(rec.Ledger, signalbox.LedgerEntry{Account: a, Held: -int64(cost), Settled: int64(cost)})
	}
	return rec
}

func track(id, run string) *call.Track {
	t := call.NewTrack(&signalbox.Call{ID: id})
	t.Gate = call.GateResult{Caller: signalbox.Caller{Tenant: "acme", Agent: "researcher"}, Run: run}
	t.Attempts = []signalbox.Attempt{{N: 1}}
	return t
}

// frozenFor checks that a context has ended by a halt.
func frozenFor(ctx context.Context, t *testing.T, parts ...string) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the call goes on")
	}
	e, ok := context.Cause(ctx).(*signalbox.Error) //nolint:errorlint // The gate takes the cause as it is.
	if !ok || e.Code != signalbox.CodeFrozen {
		t.Fatalf("the cause is %v", context.Cause(ctx))
	}
	for _, part := range parts {
		if !strings.Contains(e.Message+" "+e.Remedy, part) {
			t.Errorf("%q, %q does not say %q", e.Message, e.Remedy, part)
		}
	}
}
