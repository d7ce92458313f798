// Package conservation compares three books over many calls of every kind: what the provider has billed, what the log has
// recorded, and what the ledger has settled. Not one nano-dollar may be in one and not in the others.
package conservation

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The short form; SIGNALBOX_CONSERVATION sets another number of calls for the long one, a fifth of which go to replicas.
const (
	shortForm = 20_000
	clients   = 48
)

// toolPrice is what each call of the tool costs, as in the configuration.
const toolPrice = signalbox.Dollar / 500

var rates = map[string]signalbox.Rates{
	"one": {Input: 3 * signalbox.Dollar, Output: 15 * signalbox.Dollar},
	"two": {Input: signalbox.Dollar / 7, Output: signalbox.Dollar / 3}, // Most costs have to be rounded.
}

const config = fleet.Base + `tenants:
  - id: acme
    budgets: [{unit: usd, per: month, max: 1000000}, {unit: usd, per: run, max: 1000000}, {unit: tokens, per: month, max: 1000000000000}]
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1"}
models:
  one: {provider: bill, context_window: 100000, max_output: 1000, price: {input: 3, output: 15}, fallbacks: [two]}
  two: {provider: bill, context_window: 100000, max_output: 1000, price: {input: 0.142857142, output: 0.333333333}}
mcp_servers:
  tools: {url: "@TOOLS@", price: {per_call: 0.002}, tools: {work: {operation: read}}}
agents:
  - {id: worker, permissions: {tools: [{name: tools.work, operations: [read], resources: ["*"]}]}}
alerts: {defaults: false}
limits: {max_concurrent_calls: 10000}
`

func calls(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SIGNALBOX_CONSERVATION")
	if text == "" {
		return shortForm
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_CONSERVATION=%q is not a number of calls", text)
	}
	return n
}

func TestConservation(t *testing.T) {
	t.Run("one process on SQLite", func(t *testing.T) {
		conserve(t, "sqlite:"+t.TempDir()+"/s.db", 1, calls(t))
	})
	t.Run("three processes on PostgreSQL", func(t *testing.T) {
		conserve(t, postgrestest.Database(t), 3, max(calls(t)/5, 1))
	})
}

// bench is a fleet, and everything it can spend money on.
type bench struct {
	*fleet.Fleet
	models *biller.Provider
	tools  *biller.Tools
	statii [600]atomic.Int64 // Answers by status; 0 is those that broke.
}

func conserve(t *testing.T, database string, processes, n int) {
	b := &bench{models: biller.New(rates), tools: biller.NewTools()}
	t.Cleanup(b.models.Close)
	t.Cleanup(b.tools.Close)
	b.Fleet = fleet.Launch(t, strings.NewReplacer("@UPSTREAM@", b.models.URL, "@TOOLS@", b.tools.URL).Replace(config), database, processes)
	var all sync.WaitGroup
	var next atomic.Int64
	for range clients {
		all.Go(func() {
			for call := next.Add(1); call <= int64(n); call = next.Add(1) {
				b.call(t, call)
			}
		})
	}
	all.Wait()
	b.Settled(t)
	c := b.compare(t)
	b.SameAsLedger(t)
	b.total(t, c)
	t.Logf("%d calls: %s; %d answers of status 200, %d broke", n, c, b.statii[http.StatusOK].Load(), b.statii[0].Load())
}

// call makes one call of the mix; of twenty, one is a stream that its caller leaves, and one is a tool's.
func (b *bench) call(t *testing.T, n int64) {
	a := fleet.Ask{
		Request: fmt.Sprintf("mark-%d", n), MaxTokens: 20 + int(n%50), Stream: n%2 == 0, Anthropic: n%3 == 0,
		Agent: fmt.Sprintf("a%d", n%9), Prompt: fmt.Sprintf("in=%d out=%d", 5+n%17, 1+n%19),
	}
	if n%4 > 0 {
		a.Run = fmt.Sprintf("r%d", n%50)
	}
	switch n % 20 {
	case 0:
		b.tool(t, n)
		return
	case 1:
		a.Stream, a.Prompt = true, a.Prompt+" pace=2ms"
		b.abandon(t, a, n)
		return
	case 2, 3:
		a.Prompt += " silent"
	case 4:
		a.Stream, a.Prompt = true, a.Prompt+" one.cut"
	case 5:
		a.Prompt += " one.early"
	case 6, 7:
		a.Prompt += " one.status=500"
	case 8:
		a.Prompt += " status=500"
	case 9:
		a.Model = "two"
	}
	answer, err := a.Try(b.Next())
	b.seen(answer.Status, err == nil && answer.Broken == nil)
}

func (b *bench) seen(status int, whole bool) {
	if !whole {
		status = 0
	}
	b.statii[status].Add(1)
}

// abandon makes a call and leaves: before the answer, or in the middle of it.
func (b *bench) abandon(t *testing.T, a fleet.Ask, n int64) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	path, body := a.Body()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.Next().URL+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+harness.Agent)
	r.Header.Set("Content-Type", "application/json")
	for pairs := a.Header(); len(pairs) > 0; pairs = pairs[2:] {
		r.Header.Set(pairs[0], pairs[1])
	}
	if n%40 == 1 {
		time.AfterFunc(time.Duration(n%13)*time.Millisecond, cancel)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	io.CopyN(io.Discard, answer.Body, 1+n%700) // It is left now, whatever came.
}

// tool calls the tool as an MCP client does.
func (b *bench) tool(t *testing.T, n int64) {
	mark := fmt.Sprintf("mark-%d", n)
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{"mark":%q,"fail":%t}}}`, mark, n%100 == 0)
	answer, err := b.Next().TrySend(http.MethodPost, "/mcp/tools", harness.Agent, body,
		"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-06-18", "X-Request-Id", mark, "X-Signalbox-Agent", "worker")
	if err != nil || answer.Status != http.StatusOK || !strings.Contains(answer.Body, `"content"`) {
		t.Errorf("the tool answers %d, %v: %s", answer.Status, err, answer.Body)
	}
	b.seen(answer.Status, err == nil)
}
