package storetest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// Store is everything that a store does, as the packages that use it see it together.
type Store struct {
	Log    Log
	Views  Views
	Ledger Ledger
	// Reopen closes the store and opens what it has kept.
	Reopen func() Store
	// Raw runs SQL behind the store's back, while it is open.
	Raw func(query string) error
}

// Log is the part of a store that must not lose anything.
type Log interface {
	Commit(ctx context.Context, b signalbox.Batch) error
	Size(ctx context.Context) (int64, error)
	Entry(ctx context.Context, index int64) (signalbox.Entry, error)
	Page(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error)
	Newest(ctx context.Context, before int64, limit int) ([]signalbox.Entry, error)
	Entries(ctx context.Context, from int64) iter.Seq2[signalbox.Entry, error]
	Leaves(ctx context.Context, from, to int64) ([][32]byte, error)
	Tiles(ctx context.Context, level int, from, to int64) ([]signalbox.Tile, error)
	PutCheckpoint(ctx context.Context, note []byte) error
	LatestCheckpoint(ctx context.Context) ([]byte, error)
	Checkpoints(ctx context.Context, limit int) ([][]byte, error)
	Keys(ctx context.Context) ([]signalbox.Key, error)
	KeyByHash(ctx context.Context, hash [32]byte) (signalbox.Key, error)
	Sweep(ctx context.Context) error
	Headers(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error)
	DestroyedUntil(ctx context.Context, tenant string) (int64, error)
}

// Views is the part of a store that can be rebuilt.
type Views interface {
	Page(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error)
	Progress(ctx context.Context) (signalbox.Progress, error)
	State(ctx context.Context, calls []string, latency []signalbox.LatencyKey) (signalbox.ViewState, error)
	Apply(ctx context.Context, c signalbox.Changes) error
	Reset(ctx context.Context) error
	Running(ctx context.Context) ([]signalbox.CallView, error)
	RunningCount(ctx context.Context, tenants []string) (int64, error)
	DeleteCalls(ctx context.Context, before time.Time, limit int) (int, error)
	ListCalls(ctx context.Context, f signalbox.CallFilter) ([]signalbox.CallView, string, error)
	CallByID(ctx context.Context, id string) (signalbox.CallView, error)
	TraceCalls(ctx context.Context, trace string, tenants []string) ([]signalbox.CallView, error)
	Runs(ctx context.Context, f signalbox.RunFilter) ([]signalbox.RunView, string, error)
	RunByID(ctx context.Context, tenant, id string) (signalbox.RunView, error)
	Costs(ctx context.Context, q signalbox.CostQuery) ([]signalbox.CostRow, error)
	RunCosts(ctx context.Context, q signalbox.RunCostQuery) ([]signalbox.RunCost, string, error)
	Rollups(ctx context.Context, q signalbox.CostQuery) ([]signalbox.Rollup, error)
	Latencies(ctx context.Context, q signalbox.CostQuery) ([]signalbox.LatencyRollup, error)
	Facets(ctx context.Context, tenants []string) (signalbox.Facets, error)
	SealedBlocks(ctx context.Context, keys []string, from int64, limit int) ([]int64, error)
}

// Ledger is the part of a store that keeps accounts, and the runs, alerts, brakes and notifications beside them. None of
// it may be lost. The log's Commit writes it, but for draws and the progress of notifications.
type Ledger interface {
	Draw(ctx context.Context, replica string, draws []signalbox.Draw) ([]signalbox.Share, error)
	Accounts(ctx context.Context, f signalbox.AccountFilter) ([]signalbox.AccountView, string, error)
	FindAccounts(ctx context.Context, names []string) ([]signalbox.AccountView, error)
	ForgetAccounts(ctx context.Context, before time.Time, limit int) (int, error)
	Run(ctx context.Context, tenant, id string) (signalbox.Run, error)
	OpenRuns(ctx context.Context) ([]signalbox.Run, error)
	Alerts(ctx context.Context, f signalbox.AlertFilter) ([]signalbox.Alert, string, error)
	Brakes(ctx context.Context) ([]signalbox.Brake, error)
	FindBrakes(ctx context.Context, ids []string) ([]signalbox.Brake, error)
	DueNotifications(ctx context.Context, now time.Time, limit int) ([]signalbox.Notification, error)
	PutNotification(ctx context.Context, n signalbox.Notification) error
	Notifications(ctx context.Context, alert string) ([]signalbox.Notification, error)
}

// Run tests a store. Each call of open gives an empty one, closed by the test's cleanup.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runGroups(t, open, []group{
		{"log", logTests},
		{"destroy", destroyTests},
		{"keys", keyTests},
		{"views", viewTests},
		{"erasure", erasureTests},
		{"calls", callTests},
		{"totals", totalTests},
		{"runs", runTests},
	})
}

// RunLedger tests the ledger of a store, which Run does not touch.
func RunLedger(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runGroups(t, open, []group{
		{"draws", drawTests},
		{"accounts", accountTests},
		{"opened runs", openedTests},
		{"alerts", alertTests},
		{"find", findTests},
	})
}

type group struct {
	name  string
	tests map[string]func(*testing.T, Store)
}

func runGroups(t *testing.T, open func(t *testing.T) Store, groups []group) {
	t.Helper()
	for _, g := range groups {
		for name, test := range g.tests {
			t.Run(g.name+"/"+name, func(t *testing.T) { test(t, open(t)) })
		}
	}
}

// ok ends the test at an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must gives a value or ends the test at an error.
func must[T any](t *testing.T) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

// refuses checks the code of an error.
func refuses(t *testing.T, err error, want signalbox.Code) {
	t.Helper()
	if got := signalbox.CodeOf(err); got != want {
		t.Fatalf("error %v has code %q, want %q", err, got, want)
	}
	if e := signalbox.AsError(err); want != signalbox.CodeInternal && e.Remedy == "" {
		t.Fatalf("error %v has no remedy", err)
	}
}
