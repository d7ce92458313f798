package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// asker notes the queries of a pool, so that a test can have them explained, and counts those of batches.
type asker struct {
	queries []string
	args    [][]any
	batched int
}

func (a *asker) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	args := q.Args
	if len(args) > 0 {
		if _, ok := args[0].(pgx.QueryExecMode); ok {
			args = args[1:]
		}
	}
	a.queries, a.args = append(a.queries, q.SQL), append(a.args, args)
	return ctx
}

func (*asker) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (*asker) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (a *asker) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) { a.batched++ }

func (*asker) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// watched gives views of a database whose queries are noted.
func watched(t *testing.T, url string) (*Views, *asker) {
	t.Helper()
	a := &asker{}
	config := openViews(t, url).readers.Config()
	config.ConnConfig.Tracer = a
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return newViews(pool, pool), a
}

// planOf runs a query and gives the plan of the last one that it sent, with what was measured of it.
func planOf(t *testing.T, v *Views, a *asker, ask func() error) string {
	t.Helper()
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	last := len(a.queries) - 1
	lines, err := gather(t.Context(), v.readers, "explain a query", one[string],
		"EXPLAIN (ANALYZE) "+a.queries[last], a.args[last]...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// planDay is when the calls of these tests begin.
var planDay = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// planCall is a call of many: one in a thousand failed, one in seven is a tool's, and their values are spread.
func planCall(k int64) signalbox.CallView {
	outcome, cost := k+1, signalbox.Money(k%1000)
	v := signalbox.CallView{
		ID: fmt.Sprintf("call_%010d", k), Time: planDay.Add(time.Duration(k) * 3 * time.Second),
		Tenant: fmt.Sprintf("tenant%02d", min(k/2%97, 20)), Team: fmt.Sprintf("team%d", k%7), AgentID: fmt.Sprintf("agent%d", k%40),
		RunID: fmt.Sprintf("run_%08d", k/20), Kind: signalbox.KindModel, Protocol: signalbox.ProtocolOpenAIChat,
		ModelName: fmt.Sprintf("model%d", k/2%9), Provider: "p", Outcome: signalbox.OutcomeOK, Attempts: 1, Cost: &cost,
		Usage: &signalbox.Usage{Input: 10, Output: 5}, TraceID: fmt.Sprintf("%032x", k/10), IntentIndex: &k, OutcomeIndex: &outcome,
	}
	if k%1000 == 0 {
		v.Outcome = signalbox.OutcomeFailed
	}
	if k%7 == 0 {
		v.Kind, v.ModelName, v.ToolName = signalbox.KindTool, "", fmt.Sprintf("tool%d", k%300)
	}
	return v
}

// planChanges is a batch of 2,048 records: 1,024 calls, with all that follows from them.
func planChanges(from int64) signalbox.Changes {
	c := signalbox.Changes{From: from, To: from + 2048, AsOf: planDay}
	for k := from; k < c.To; k += 2 {
		v := planCall(k)
		one := signalbox.Totals{Calls: 1, InputTokens: 10, OutputTokens: 5, Cost: *v.Cost}
		hour := v.Time.Truncate(time.Hour)
		c.Calls = append(c.Calls, v)
		c.Rollups = append(c.Rollups, signalbox.Rollup{
			RollupKey: signalbox.RollupKey{Hour: hour, Tenant: v.Tenant, Model: v.ModelName, Provider: "p"}, Totals: one,
		})
		c.RunHours = append(c.RunHours, signalbox.RunHour{Hour: hour, Tenant: v.Tenant, Run: v.RunID, Totals: one})
		c.Runs = append(c.Runs, signalbox.RunView{ID: v.RunID, Tenant: v.Tenant, First: k, Started: v.Time, Last: v.Time, Totals: one})
		c.Facets = append(c.Facets, signalbox.Facet{Tenant: v.Tenant, Field: signalbox.FacetAgent, Value: v.AgentID})
	}
	return c
}

// planBatches of records are enough for the planner to have a choice.
const planBatches = 16

// TestListsReadWhatTheyShow has each list of the console explained: none reads a table as a whole, and none reads many
// more rows than it shows. It measures rows, not times.
func TestListsReadWhatTheyShow(t *testing.T) {
	v, a := watched(t, postgrestest.Database(t))
	for n := range int64(planBatches) {
		if err := v.Apply(t.Context(), planChanges(n*2048)); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{
		"INSERT INTO audit_records SELECT n, $1 + n * 3000000, 'intent', '', '', '', decode(repeat('00', 32), 'hex') FROM generate_series(0::bigint, 32767) n",
		"ANALYZE",
	} {
		args := []any{planDay.UnixMicro()}
		if _, err := v.pool.Exec(t.Context(), q, args[:strings.Count(q, "$")]...); err != nil {
			t.Fatal(err)
		}
	}
	// What a bitmap notes of an index is not read.
	index, rows := regexp.MustCompile(`.*Bitmap Index Scan.*`), regexp.MustCompile(`actual time=\S+ rows=(\d+)`)
	for name, ask := range planQueries(t.Context(), v) {
		t.Run(name, func(t *testing.T) {
			plan := planOf(t, v, a, ask)
			if strings.Contains(plan, "Seq Scan") {
				t.Errorf("a whole table is read:\n%s", plan)
			}
			for _, m := range rows.FindAllStringSubmatch(index.ReplaceAllString(plan, ""), -1) {
				if n, err := strconv.Atoi(m[1]); err != nil || n > 1500 {
					t.Errorf("%s rows are read:\n%s", m[1], plan)
				}
			}
		})
	}
}

// planQueries are what people ask.
func planQueries(ctx context.Context, v *Views) map[string]func() error {
	calls := func(f signalbox.CallFilter) func() error {
		return func() error { _, _, err := v.ListCalls(ctx, f); return err }
	}
	runs := func(f signalbox.RunFilter) func() error {
		return func() error { _, _, err := v.Runs(ctx, f); return err }
	}
	costs := func(q signalbox.RunCostQuery) func() error {
		return func() error { _, _, err := v.RunCosts(ctx, q); return err }
	}
	five, from, to := []string{"tenant05"}, planDay.Add(3*time.Hour), planDay.Add(4*time.Hour)
	return map[string]func() error{
		"calls":                    calls(signalbox.CallFilter{}),
		"calls, further":           calls(signalbox.CallFilter{Cursor: "20000"}),
		"calls of a tenant":        calls(signalbox.CallFilter{Tenants: five}),
		"calls of tenants":         calls(signalbox.CallFilter{Tenants: []string{"tenant05", "tenant20"}}),
		"calls of a team":          calls(signalbox.CallFilter{Team: "team3", Tenants: five}),
		"calls of an agent":        calls(signalbox.CallFilter{Agent: "agent4", Cursor: "30000"}),
		"calls of nobody":          calls(signalbox.CallFilter{Agent: "nobody"}),
		"calls of a model":         calls(signalbox.CallFilter{Model: "model3"}),
		"calls of a tool":          calls(signalbox.CallFilter{Tool: "tool7", Tenants: five}),
		"calls of a run":           calls(signalbox.CallFilter{Run: "run_00000100", Tenants: five}),
		"calls of a trace":         calls(signalbox.CallFilter{Trace: fmt.Sprintf("%032x", 7)}),
		"failed calls":             calls(signalbox.CallFilter{Outcome: signalbox.OutcomeFailed, Kind: signalbox.KindModel}),
		"running calls":            calls(signalbox.CallFilter{Outcome: signalbox.OutcomeRunning}),
		"calls by kind":            calls(signalbox.CallFilter{Kind: signalbox.KindTool, Outcome: signalbox.OutcomeOK}),
		"calls of an hour":         calls(signalbox.CallFilter{From: from, To: to}),
		"calls of a tenant's hour": calls(signalbox.CallFilter{From: from, To: to, Tenants: five}),
		"runs":                     runs(signalbox.RunFilter{}),
		"runs of a tenant":         runs(signalbox.RunFilter{Tenants: five, Cursor: "20000"}),
		"costs of runs":            costs(signalbox.RunCostQuery{From: from}),
		"costs of a tenant's runs": costs(signalbox.RunCostQuery{Tenants: five, To: to}),
		"how many run":             func() error { _, err := v.RunningCount(ctx, five); return err },
	}
}

// TestABatchIsAHandfulOfStatements counts what is sent for 2,048 records.
func TestABatchIsAHandfulOfStatements(t *testing.T) {
	v, a := watched(t, postgrestest.Database(t))
	c := planChanges(0)
	c.Latency = []signalbox.LatencyRollup{{LatencyKey: signalbox.LatencyKey{Hour: planDay, Tenant: "acme"}, Sketch: []byte{1}}}
	if err := v.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	next := signalbox.Changes{From: c.To, To: c.To + 1, AsOf: planDay, Updates: c.Calls}
	if err := v.Apply(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	const perApply = 3 // BEGIN, the cursor, COMMIT.
	if n := len(a.queries); a.batched != 8 || n != 2*perApply {
		t.Errorf("%d statements and %d in batches were sent, want %d and 8", n, a.batched, 2*perApply)
	}
}
