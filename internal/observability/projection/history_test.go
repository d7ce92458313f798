package projection_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite/sqlitetest"
)

var start = time.Date(2026, 11, 22, 9, 58, 0, 0, time.UTC)

func now() time.Time { return start }

// history draws a log as calls write it: each call is refused, runs, or has ended; some calls are tried more than once,
// and an outcome may be there twice, as after a late settlement.
func history(t *rapid.T) []signalbox.Record {
	n := rapid.IntRange(1, 30).Draw(t, "calls")
	pending := make([][]signalbox.Record, n)
	for i := range pending {
		pending[i] = oneCall(t, i)
	}
	var log []signalbox.Record
	at := start
	for len(pending) > 0 {
		i := rapid.IntRange(0, len(pending)-1).Draw(t, "next")
		at = at.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "gap")) * time.Second)
		r := pending[i][0]
		r.Time = at
		log = append(log, r)
		if pending[i] = pending[i][1:]; len(pending[i]) == 0 {
			pending = append(pending[:i], pending[i+1:]...)
		}
	}
	return log
}

func oneCall(t *rapid.T, i int) []signalbox.Record {
	base := call(t, i)
	kind := rapid.SampledFrom([]string{"refused", "running", "ended", "retried", "twice", "admin", "opened", "reconciled"}).Draw(t, "kind")
	if kind == "admin" {
		return []signalbox.Record{{
			Type: signalbox.RecordAdmin, Who: base.Who, What: signalbox.What{Action: signalbox.ActionStarted},
		}}
	}
	if kind == "opened" {
		return []signalbox.Record{{
			Type: signalbox.RecordAdmin, Who: base.Who, When: base.When, Context: base.Context,
			What: signalbox.What{Action: signalbox.ActionRunOpened, ResourceID: base.Context.RunID},
		}}
	}
	if kind == "refused" {
		return []signalbox.Record{outcome(t, base, 0, signalbox.OutcomeDenied)}
	}
	records := []signalbox.Record{step(base, signalbox.RecordIntent, 1)}
	attempts := 1
	if kind == "retried" {
		records, attempts = append(records, step(base, signalbox.RecordAttempt, 2)), 2
	}
	if kind == "running" {
		return records
	}
	records = append(records, outcome(t, base, attempts, rapid.SampledFrom([]signalbox.Outcome{
		signalbox.OutcomeOK, signalbox.OutcomeFailed, signalbox.OutcomeCancelled, signalbox.OutcomeUnknown,
		signalbox.OutcomeBlocked,
	}).Draw(t, "outcome")))
	if kind == "twice" {
		records = append(records, outcome(t, base, attempts, signalbox.OutcomeUnknown))
	}
	if kind == "reconciled" {
		records = reconcile(t, records)
	}
	return records
}

// reconcile corrects the cost of the call once or twice, as the server does.
func reconcile(t *rapid.T, records []signalbox.Record) []signalbox.Record {
	last := records[len(records)-1]
	was, known := last.What.Cost, signalbox.Money(0)
	for _, a := range last.Attempts {
		if a.Cost != nil {
			known = known.Plus(*a.Cost)
		}
	}
	for range rapid.IntRange(1, 2).Draw(t, "corrections") {
		cost := signalbox.Money(rapid.Int64Range(0, 1_000_000).Draw(t, "bill"))
		delta := cost - known
		r := signalbox.Record{
			Type: signalbox.RecordAdmin, Who: last.Who, When: last.When, Context: last.Context,
			What: signalbox.What{
				Action: signalbox.ActionCostReconciled, Kind: last.What.Kind, ToolName: last.What.ToolName, ResourceID: last.Call,
				Cost: &delta, CostBasis: signalbox.BasisReported, Detail: map[string]string{"cost_usd": cost.String()},
			},
		}
		if was != nil {
			r.What.Detail["was_usd"] = was.String()
		}
		records, was, known = append(records, r), &cost, cost
	}
	return records
}

func call(t *rapid.T, i int) signalbox.Record {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	received := start.Add(time.Duration(i) * 20 * time.Second)
	r := signalbox.Record{
		Call: fmt.Sprintf("call_%026d", i),
		Who: signalbox.Who{
			TenantID: pick("tenant", "acme", "globex"), Team: pick("team", "", "cs"), KeyID: "key_1",
			AgentID: pick("agent", "", "planner", "writer"), UserID: pick("user", "", "u1"),
		},
		When: signalbox.When{Timestamp: received, TraceID: pick("trace", "t1", "t2", "t3"), SpanID: fmt.Sprintf("s%d", i)},
		Context: signalbox.Context{
			RequestID: fmt.Sprintf("req_%d", i), RunID: pick("run", "", "r1", "r2"), Protocol: signalbox.ProtocolOpenAIChat,
			Stream: rapid.Bool().Draw(t, "stream"),
		},
	}
	r.What = signalbox.What{Action: signalbox.ActionModelCall, Kind: signalbox.KindModel}
	if rapid.Bool().Draw(t, "tool") {
		r.What = signalbox.What{Action: signalbox.ActionToolCall, Kind: signalbox.KindTool, ToolName: "files.read"}
	}
	return r
}

func step(r signalbox.Record, typ signalbox.RecordType, n int) signalbox.Record {
	r.Type = typ
	r.Context.Provider = fmt.Sprintf("p%d", n)
	if r.What.Kind == signalbox.KindModel {
		r.Context.ModelName = fmt.Sprintf("m%d", n)
	}
	return r
}

func outcome(t *rapid.T, base signalbox.Record, attempts int, o signalbox.Outcome) signalbox.Record {
	r := base
	if attempts > 0 {
		r = step(base, "", attempts)
	}
	r.Type, r.Outcome = signalbox.RecordOutcome, o
	r.When.DurationMS = rapid.Int64Range(0, 100_000).Draw(t, "ms")
	cost, priced := signalbox.Money(0), true
	for n := 1; n <= attempts; n++ {
		a := attempt(t, &r, n)
		r.Attempts = append(r.Attempts, a)
		if a.Cost == nil {
			priced = false
			continue
		}
		cost = cost.Plus(*a.Cost)
	}
	if r.What.CostBasis = signalbox.BasisReported; !priced {
		r.What.CostBasis = signalbox.BasisUnpriced
	} else {
		r.What.Cost = &cost
	}
	if attempts > 0 {
		r.What.Tokens = &signalbox.Usage{Input: 10, Output: 3}
	}
	if o != signalbox.OutcomeOK {
		r.Error = &signalbox.Failure{Code: signalbox.CodeUpstream, Message: "broken"}
	}
	return r
}

func attempt(t *rapid.T, r *signalbox.Record, n int) signalbox.Attempt {
	a := signalbox.Attempt{N: n, Name: fmt.Sprintf("m%d", n), Provider: fmt.Sprintf("p%d", n), Upstream: "up", Basis: signalbox.BasisUnpriced}
	if r.What.Kind == signalbox.KindTool {
		a.Name = r.What.ToolName
	}
	if rapid.Bool().Draw(t, "used") {
		a.Usage = &signalbox.Usage{Input: 10, Output: 3, CacheRead: 1}
		c := signalbox.Money(rapid.Int64Range(0, 1_000_000).Draw(t, "cost"))
		a.Cost, a.Basis = &c, signalbox.BasisReported
	}
	return a
}

// log is a real store that records are appended to, one transaction per append.
type log struct {
	*sqlite.DB
	next  int64
	batch []signalbox.Entry // Not yet committed.
}

func open(t testing.TB) *log {
	t.Helper()
	l := openAt(t, filepath.Join(t.TempDir(), "s.db"))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func openAt(t failer, file string) *log {
	t.Helper()
	sqlitetest.Prepare(t, file)
	db, err := sqlite.Open(context.Background(), file, sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return &log{DB: db}
}

type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func (l *log) append(t failer, records ...signalbox.Record) {
	t.Helper()
	b := signalbox.Batch{Entries: entriesOf(t, l.next, records)}
	if err := l.Commit(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	l.next += int64(len(records))
}

func entriesOf(t failer, from int64, records []signalbox.Record) []signalbox.Entry {
	t.Helper()
	var entries []signalbox.Entry
	for i, r := range records {
		content, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, signalbox.Entry{
			Index: from + int64(i), Time: r.Time, Type: r.Type, Tenant: r.Who.TenantID, Call: r.Call, Content: content,
			Leaf: sha256.Sum256(content),
		})
	}
	return entries
}

func decode(e signalbox.Entry) (signalbox.Record, error) {
	var r signalbox.Record
	err := json.Unmarshal(e.Content, &r)
	r.Type, r.Call, r.Time = e.Type, e.Call, e.Time
	return r, err
}
