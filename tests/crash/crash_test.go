// Package crash kills the real binary under load and looks at what it has kept: nothing that was acknowledged may be
// missing, nothing may be there twice, and every call has its one outcome.
package crash

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // Reads the projections' file.

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// defaultKills is the short form; SIGNALBOX_KILLS sets another number for the long one.
const defaultKills = 25

// clients is how many callers there are at once.
const clients = 8

const config = `providers:
  sim: {kind: simulated, simulated: {latency: {p50: 3ms, p95: 30ms}, tokens_per_second: 5000, failure_rate: 0.1}}
models:
  sim: {provider: sim, price: {input: 1, output: 2}, fallbacks: [other]}
  other: {provider: sim, price: {input: 3, output: 4}}
`

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// acked is a call whose whole answer a caller has received.
type acked struct {
	id   string
	cost string
}

// load is what the callers saw.
type load struct {
	mu     sync.Mutex
	acked  []acked
	broken atomic.Int64 // Answers that the kill cut.
}

func kills(t *testing.T) int {
	text := os.Getenv("SIGNALBOX_KILLS")
	if text == "" {
		return defaultKills
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_KILLS=%q is not a number of kills", text)
	}
	return n
}

func TestKillsUnderLoad(t *testing.T) {
	o := harness.Options{Config: config, Dir: t.TempDir()}
	var l load
	n := kills(t)
	for range n {
		i, err := harness.Launch(o)
		if err != nil {
			t.Fatal(err)
		}
		l.run(i)
		verifyOffline(t, i)
	}
	if l.broken.Load() == 0 || len(l.acked) < n {
		t.Fatalf("the kills hit nothing: %d calls were acknowledged, %d cut", len(l.acked), l.broken.Load())
	}
	i := harness.Start(t, o)
	calls := i.Complete(t)
	l.check(t, i)
	unknown := outcomes(t, i, signalbox.OutcomeUnknown)
	if unknown == 0 {
		t.Error("no kill came between an intent and its outcome: the test proves nothing")
	}
	t.Logf("%d kills, %d calls, %d acknowledged and all found, %d cut, %d outcomes unknown", n, calls, len(l.acked), l.broken.Load(), unknown)
	rebuiltEqualsLive(t, i)
}

// run sends calls until the process has been killed.
func (l *load) run(i *harness.Instance) {
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for {
				select {
				case <-i.Exited():
					return
				default:
					l.call(i, c)
				}
			}
		})
	}
	time.Sleep(time.Duration(50+rand.IntN(250)) * time.Millisecond)
	i.Kill()
	wg.Wait()
}

// call makes one call, in one of the four ways there are, and notes whether its whole answer came.
func (l *load) call(i *harness.Instance, client int) {
	stream := rand.IntN(2) == 0
	path, end := "/v1/chat/completions", "data: [DONE]"
	if client%2 == 1 {
		path, end = "/v1/messages", "event: message_stop"
	}
	body := fmt.Sprintf(`{"model":"sim","max_tokens":40,"stream":%t,"messages":[{"role":"user","content":"%d"}]}`, stream, rand.Int())
	a, err := i.TrySend(http.MethodPost, path, harness.Agent, body)
	if err != nil || a.Broken != nil {
		l.broken.Add(1)
		return
	}
	if a.Status != http.StatusOK || stream && !strings.Contains(a.Body, end) {
		return // A simulated failure; it was told, and its record is checked with all others.
	}
	cost := a.Header.Get("X-Signalbox-Cost-Usd")
	if stream {
		cost = a.Trailer.Get("X-Signalbox-Cost-Usd")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, acked{a.Header.Get("X-Signalbox-Call"), cost})
}

// check finds every acknowledged call in the log, with the outcome and cost that its caller was told.
func (l *load) check(t *testing.T, i *harness.Instance) {
	t.Helper()
	found := map[string]api.Record{}
	for _, r := range i.Log(t) {
		if r.CallID != nil && r.Type == signalbox.RecordOutcome {
			found[*r.CallID] = r
		}
	}
	for _, a := range l.acked {
		r, ok := found[a.id]
		switch {
		case !ok:
			t.Errorf("call %s was acknowledged and has no outcome", a.id)
		case r.Outcome == nil || *r.Outcome != signalbox.OutcomeOK:
			t.Errorf("call %s was acknowledged and is recorded as %v", a.id, r.Outcome)
		case r.What.Cost == nil || r.What.Cost.String() != a.cost:
			t.Errorf("call %s: the caller was told %s, the record says %v", a.id, a.cost, r.What.Cost)
		}
	}
}

func outcomes(t *testing.T, i *harness.Instance, o signalbox.Outcome) (n int) {
	t.Helper()
	for _, r := range i.Log(t) {
		if r.Outcome != nil && *r.Outcome == o {
			n++
		}
	}
	return n
}

func verifyOffline(t *testing.T, i *harness.Instance) {
	t.Helper()
	if r := harness.Run(t, i.Dir, nil, "audit", "verify", "--database", "sqlite:"+i.Database); r.Code != 0 {
		t.Fatalf("after a kill the log does not verify (%d): %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// rebuiltEqualsLive compares the projections that grew through all the kills with those made anew from the log.
func rebuiltEqualsLive(t *testing.T, i *harness.Instance) {
	t.Helper()
	if code := i.Stop(); code != 0 {
		t.Fatalf("the instance ended with %d: %s", code, i.Stderr())
	}
	rebuild := func() {
		if r := harness.Run(t, i.Dir, nil, "projections", "rebuild", "--database", "sqlite:"+i.Database); r.Code != 0 {
			t.Fatalf("rebuild ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
	}
	// The last records of a stop are projected at the next start; both sides must have seen them.
	j, err := harness.Launch(harness.Options{Config: config, Dir: i.Dir})
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, func() error {
		var h api.Health
		if err := j.TryGet("/health", nil, &h); err != nil {
			return err
		}
		if h.Projections.LagRecords != 0 {
			return fmt.Errorf("%d records behind", h.Projections.LagRecords)
		}
		return nil
	})
	j.Kill()
	live := dump(t, i.Database+".views")
	rebuild()
	for table, rows := range dump(t, i.Database+".views") {
		if !slices.Equal(live[table], rows) {
			t.Errorf("%s: %d rows live, %d rebuilt, and they differ: %s", table, len(live[table]), len(rows), firstDifference(live[table], rows))
		}
	}
}

func firstDifference(a, b []string) string {
	for n := range max(len(a), len(b)) {
		switch {
		case n >= len(a):
			return "only rebuilt: " + b[n]
		case n >= len(b):
			return "only live: " + a[n]
		case a[n] != b[n]:
			return "live " + a[n] + " rebuilt " + b[n]
		}
	}
	return "no difference"
}

// dump reads every table of an SQLite file as sorted lines.
func dump(t *testing.T, file string) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables := map[string][]string{}
	for _, name := range query(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
		tables[name] = query(t, db, "SELECT * FROM "+name)
	}
	if len(tables) < 3 {
		t.Fatalf("%s has only the tables %v", filepath.Base(file), tables)
	}
	return tables
}

func query(t *testing.T, db *sql.DB, text string) []string {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		var line strings.Builder
		for i, c := range cells {
			if i > 0 {
				line.WriteByte('|')
			}
			fmt.Fprintf(&line, "%v", *c.(*any))
		}
		lines = append(lines, line.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}
