// Package approvals lets people decide about calls of the real binary: in every way there is to decide, with every
// decision there is, on one process and on replicas, while processes are killed, and against callers who present what was
// decided about something else.
//
// # What is counted
//
// What was executed is counted by the tool server and the model provider, never by what Signalbox says: each call has a
// mark of its own in its arguments or its prompt, and a mark that was seen twice was executed twice.
package approvals

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// atOnce is how many tests run at once, since they wait more than they work.
const atOnce = "5"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil { // A flag of the command line wins: it is read later.
		panic(err)
	}
	os.Exit(harness.Main(m))
}

// Long is the variable that asks for what takes minutes.
const Long = "SIGNALBOX_TEST_LONG"

// The keys that [config] adds.
const (
	ann     = "ann-key-of-acme-0000001" // An approver.
	bob     = "bob-key-of-acme-0000001" // Another.
	twin    = "twin-key-of-acme-000001" // An agent's like [harness.Agent], but another key.
	foreign = "foreign-key-of-other-01" // An agent's of the tenant other, with the same permissions.
)

// secret is what messages to the receiver are signed with.
const secret = "receiver-secret-of-acme"

// config lets the agents write with the tool and use models. A mark that begins with "high" makes a high risk, as does the
// model two; the model one makes a medium one.
const config = `listen: 127.0.0.1:0
database: "@DATABASE@"
audit: {key: "@ROOT@/audit.key", master_key: "@ROOT@/master.key"}
tenants: [{id: acme}, {id: other}]
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent, agent: writer}
  - {id: twin, secret: twin-key-of-acme-000001, tenant: acme, role: agent, agent: writer}
  - {id: foreign, secret: foreign-key-of-other-01, tenant: other, role: agent, agent: writer}
  - {id: ann, secret: ann-key-of-acme-0000001, tenant: acme, role: approver, user: ann}
  - {id: bob, secret: bob-key-of-acme-0000001, tenant: acme, role: approver, user: bob}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
agents:
  - {id: writer, permissions: {tools: [{name: "desk.work", operations: [write], resources: ["*"]}]}}
  - {id: other, permissions: {tools: [{name: "desk.work", operations: [write], resources: ["*"]}]}}
providers:
  openai: {kind: openai_compatible, base_url: "@UPSTREAM@/v1", api_key: sk-operators-own-key-0001, timeouts: {first_byte: 4s, idle: 4s, total: 5s}}
models:
  one: {provider: openai, model: good, price: {input: 1, output: 2, cache_read: 0.5}}
  two: {provider: openai, model: good, price: {input: 1, output: 2, cache_read: 0.5}}
mcp_servers:
  desk:
    url: "@TOOLS@"
    timeouts: {total: 5s}
    tools: {work: {operation: write, resources: [{arg: mark, kind: name}]}}
channels:
  ops: {kind: webhook, url: "@RECEIVER@", secret: receiver-secret-of-acme, timeout: 2s}
cluster: {lease: 3s, longest_call: 5s}
policy:
  risk:
    - {when: 'call.kind == "tool" && arguments.mark.startsWith("high")', level: high}
    - {when: 'call.kind == "model" && model == "two"', level: high}
    - {when: 'call.kind == "model" && model == "one"', level: medium}
`

// world is a fleet with a tool, a provider, and a receiver of what people are told.
type world struct {
	*fleet.Fleet
	tools    *biller.Tools
	provider *upstream.Server
	receiver *receiver
}

// launch starts processes with more configuration.
func launch(t *testing.T, database string, processes int, more string) *world {
	t.Helper()
	w := &world{tools: biller.NewTools(), provider: upstream.New(), receiver: newReceiver(t)}
	t.Cleanup(w.tools.Close)
	t.Cleanup(w.provider.Close)
	text := strings.NewReplacer("@UPSTREAM@", w.provider.URL, "@TOOLS@", w.tools.URL, "@RECEIVER@", w.receiver.http.URL).Replace(config + more)
	w.Fleet = fleet.Launch(t, text, database, processes)
	return w
}

// sqlite is a new database for one process.
func sqlite(t *testing.T) string { return "sqlite:" + t.TempDir() + "/s.db" }

// everywhere runs a test on one process with SQLite and on three with PostgreSQL.
func everywhere(t *testing.T, more string, test func(t *testing.T, w *world)) {
	t.Parallel()
	t.Run("one process on SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, launch(t, sqlite(t), 1, more))
	})
	t.Run("three processes on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, launch(t, postgrestest.Database(t), 3, more))
	})
}

// other gives a process that is not the one of the slot, where there is another.
func (w *world) other(slot int) *harness.Instance { return w.At((slot + 1) % w.Size()) }

// approval gives an approval as who decides sees it.
func (w *world) approval(t testing.TB, id string) api.Approval {
	t.Helper()
	return read[api.Approval](t, w.Send(t, http.MethodGet, "/api/v1/approvals/"+url.PathEscape(id), ann, ""), http.StatusOK)
}

// vote decides over the control API and gives the answer as it is.
func (w *world) vote(t testing.TB, i *harness.Instance, key, id string, v signalbox.Verdict) harness.Answer {
	t.Helper()
	return i.Send(t, http.MethodPost, votePath(id, v), key, `{"reason":"looked at it"}`)
}

func votePath(id string, v signalbox.Verdict) string {
	return "/api/v1/approvals/" + url.PathEscape(id) + "/" + string(v)
}

// mustVote is vote for verdicts that must count.
func (w *world) mustVote(t testing.TB, key, id string, v signalbox.Verdict) api.Approval {
	t.Helper()
	return read[api.Approval](t, w.vote(t, w.Next(), key, id, v), http.StatusOK)
}

// reaches waits until an approval is in a state.
func (w *world) reaches(t testing.TB, id string, state signalbox.ApprovalState) api.Approval {
	t.Helper()
	var a api.Approval
	harness.Eventually(t, func() error {
		if a = w.approval(t, id); a.State != state {
			return fmt.Errorf("%s is %s, not %s", id, a.State, state)
		}
		return nil
	})
	return a
}

// read decodes an answer that must have the status.
func read[T any](t testing.TB, a harness.Answer, status int) (v T) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	return v
}
