// Package idempotency sends calls with idempotency keys to the real binary, on one process and on replicas, many at once and
// while processes are killed, and asks the tool server how often it has acted.
package idempotency

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The keys that [config] adds.
const (
	twin = "twin-key-of-acme-000001" // An agent's like [harness.Agent], but another key.
	ann  = "ann-key-of-acme-0000001" // An approver.
)

// config lets the agents write with the tool. A mark that begins with "ask" needs a person's consent.
const config = `listen: 127.0.0.1:0
database: "@DATABASE@"
audit: {key: "@ROOT@/audit.key", master_key: "@ROOT@/master.key"}
tenants: [{id: acme}]
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent, agent: writer, user: kim}
  - {id: twin, secret: twin-key-of-acme-000001, tenant: acme, role: agent, agent: writer}
  - {id: ann, secret: ann-key-of-acme-0000001, tenant: acme, role: approver, user: ann}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
agents:
  - {id: writer, permissions: {tools: [{name: "desk.work", operations: [write], resources: ["*"]}]}}
mcp_servers:
  desk:
    url: "@TOOLS@"
    timeouts: {total: 20s}
    price: {per_call: 0.002}
    tools: {work: {operation: write, resources: [{arg: mark, kind: name}]}}
cluster: {lease: 3s, longest_call: 30s}
approvals: {tiers: {medium: {approvers: 0}}}
policy:
  risk: [{when: 'call.kind == "tool" && arguments.mark.startsWith("ask")', level: high}]
idempotency: {keep: 1h}
`

// world is a fleet with a tool.
type world struct {
	*fleet.Fleet
	tools *biller.Tools
}

func launch(t *testing.T, database string, processes int) *world {
	t.Helper()
	w := &world{tools: biller.NewTools()}
	t.Cleanup(w.tools.Close)
	w.Fleet = fleet.Launch(t, strings.ReplaceAll(config, "@TOOLS@", w.tools.URL), database, processes)
	return w
}

// everywhere runs a test on one process with SQLite and on two with PostgreSQL.
func everywhere(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("one process on SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, launch(t, "sqlite:"+t.TempDir()+"/s.db", 1))
	})
	t.Run("two processes on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, launch(t, postgrestest.Database(t), 2))
	})
}

// ran checks how often the tool has acted.
func (w *world) ran(t *testing.T, mark string, want int) {
	t.Helper()
	if n := w.tools.Runs()[mark]; n != want {
		t.Errorf("%s ran %d times, want %d", mark, n, want)
	}
}

// request is one call of the tool.
type request struct {
	mark   string
	wait   int    // How long the tool takes, in milliseconds.
	key    string // In the header.
	meta   string // Members of _meta.
	joint  bool   // At /mcp.
	secret string // The API key; "" is harness.Agent's.
	fail   bool
}

// reply is what a call is answered with.
type reply struct {
	Result struct {
		Meta    map[string]json.Value `json:"_meta"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		IsError bool   `json:"isError"`
		Type    string `json:"resultType"`
		Task    string `json:"taskId"`
		Status  string `json:"status"`
		Message string `json:"statusMessage"`
	} `json:"result"`
	Error *struct {
		Message string `json:"message"`
		Data    struct {
			Code     string `json:"code"`
			ReplayOf string `json:"replay_of"`
			Approval struct {
				ID string `json:"id"`
			} `json:"approval"`
		} `json:"data"`
	} `json:"error"`

	call, replayOf, retryAfter string // Of the headers.
	body                       string
}

// code is that of the error, "" where there is none.
func (r *reply) code() string {
	if r.Error == nil {
		return ""
	}
	return r.Error.Data.Code
}

// send makes a call at a process, of the newest version of the protocol. An error is a connection that broke.
func send(i *harness.Instance, r request) (*reply, error) {
	path, name, secret := "/mcp/desk", "work", r.secret
	if r.joint {
		path, name = "/mcp", "desk__work"
	}
	if secret == "" {
		secret = harness.Agent
	}
	meta := `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}`
	if !strings.Contains(r.meta, "clientCapabilities") {
		meta += `,"io.modelcontextprotocol/clientCapabilities":{}`
	}
	if r.meta != "" {
		meta += "," + r.meta
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{"fail":%t,"mark":%q,"wait":%d},"_meta":{%s}}}`,
		name, r.fail, r.mark, r.wait, meta)
	headers := []string{"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", name}
	if r.key != "" {
		headers = append(headers, "Idempotency-Key", r.key)
	}
	a, err := i.TrySend(http.MethodPost, path, secret, body, headers...)
	if err != nil {
		return nil, err
	}
	if a.Broken != nil {
		return nil, a.Broken
	}
	out := &reply{}
	if err := json.Unmarshal([]byte(a.Body), out); err != nil {
		return nil, err
	}
	out.call, out.replayOf = a.Header.Get("X-Signalbox-Call"), a.Header.Get("X-Signalbox-Replay-Of")
	out.retryAfter, out.body = a.Header.Get("Retry-After"), a.Body
	return out, nil
}

// call makes a call that must be answered.
func call(t *testing.T, i *harness.Instance, r request) *reply {
	t.Helper()
	out, err := send(i, r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// good wants a result that is the replay of a call, "" of none.
func (r *reply) good(t *testing.T, replayOf string) {
	t.Helper()
	of := ""
	if r.Result.Meta["signalbox/replay-of"] != nil {
		if err := json.Unmarshal(r.Result.Meta["signalbox/replay-of"], &of); err != nil {
			t.Error(err)
		}
	}
	if r.Error != nil || len(r.Result.Content) != 1 || r.replayOf != replayOf || of != replayOf {
		t.Errorf("it is said to be a replay of %q and %q, want %q: %s", r.replayOf, of, replayOf, r.body)
	}
}

// refused wants an error of a code that says something.
func (r *reply) refused(t *testing.T, code, says string) {
	t.Helper()
	if r.code() != code || !strings.Contains(r.body, says) {
		t.Errorf("want %s with %q: %s", code, says, r.body)
	}
}
