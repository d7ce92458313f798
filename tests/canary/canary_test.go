package canary

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

const providerKey = "sk-" + "operators-own-key-0001"

const config = `providers:
  openai: {kind: openai_compatible, base_url: "@UPSTREAM@/v1", api_key: ` + providerKey + `}
  anthropic: {kind: anthropic, base_url: "@UPSTREAM@/v1", api_key: ` + providerKey + `}
  sim: {kind: simulated, simulated: {latency: {p50: 0ms, p95: 0ms}, tokens_per_second: 100000}}
models:
  gpt: {provider: openai, model: up-gpt, price: {input: 1, output: 2}}
  claude: {provider: anthropic, model: up-claude, price: {input: 1, output: 2}}
  broken: {provider: openai, model: fault-overloaded, price: {input: 1, output: 2}}
  sim: {provider: sim, price: {input: 1, output: 2}}
mcp_servers:
  books: {url: "@TOOLS@", price: {per_call: 0.001}, tools: {work: {operation: read}}}
  shelf: {url: "@TOOLS@", price: {per_call: 0.001}, tools: {work: {operation: write, resources: [{arg: mark, kind: name}]}}}
agents:
  - id: worker
    permissions: {tools: [{name: books.work, operations: [read], resources: ["*"]}, {name: shelf.work, operations: [write], resources: ["*"]}]}
channels:
  ops: {kind: webhook, url: "@CHANNEL@/hook", secret: hook-secret-of-the-operator}
policy: {risk: [{when: 'call.step_kind == "weighty"', level: medium}]}
approvals: {channels: [ops]}
break_glass: {channels: [ops]}
oidc:
  - {id: corp, issuer: "@IDENTITY@", client_id: signalbox, client_secret: client-secret-of-the-operator, tenant: acme, default_role: approver}
`

// bench is an instance with all that it speaks to.
type bench struct {
	*harness.Instance
	collector *collector
	channel   *collector // What the webhook was sent.
	approver  string     // The key of one who decides, besides the admin.
	calls     []string   // Some of those that were made.
	waited    int        // Calls of models that were made to wait.
}

func start(t *testing.T, more string) *bench {
	t.Helper()
	up, tools, c, channel, identity := upstream.New(), biller.NewTools(), newCollector(t), newCollector(t), newIdentity(t)
	t.Cleanup(up.Close)
	t.Cleanup(tools.Close)
	b := &bench{collector: c, channel: channel, Instance: harness.Start(t, harness.Options{
		Config: strings.NewReplacer("@UPSTREAM@", up.URL, "@TOOLS@", tools.URL, "@CHANNEL@", channel.URL, "@IDENTITY@", identity).Replace(config) + more,
		Env:    []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_METRIC_EXPORT_INTERVAL=100"},
	})}
	b.approver = b.made(t, "/keys", harness.Admin, `{"tenant":"acme","role":"approver"}`, "secret")
	return b
}

// collector keeps all that is exported to it, as it came.
type collector struct {
	*httptest.Server
	mu  sync.Mutex
	all bytes.Buffer
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = unzipped
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, err := io.Copy(&c.all, body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.String()
}

func fields() []field {
	return slices.Concat(modelFields(), headerFields(), toolFields(), controlFields(), waitingFields(), decisionFields(), loginFields())
}

// fill sends a text in a field and looks at the answer: one that refuses repeats nothing.
func (b *bench) fill(t *testing.T, f field, text string, searched map[string]string) {
	t.Helper()
	a := f.send(b, t, text)
	if a.Status >= 400 {
		finds(t, "the answer", a.Body, searched)
	}
	finds(t, "the head of the answer", fmt.Sprint(a.Header), searched)
	if id := a.Header.Get("X-Signalbox-Call"); id != "" && len(b.calls) < 1000 {
		b.calls = append(b.calls, id)
	}
}

// told is everything that the running instance tells those who may read.
func (b *bench) told(t *testing.T) map[string]string {
	t.Helper()
	told := map[string]string{}
	for _, path := range []string{
		"/api/v1/calls?limit=500", "/api/v1/keys?limit=500", "/api/v1/facets", "/api/v1/health", "/metrics", "/api/v1/costs", "/api/v1/prices",
		"/api/v1/runs?limit=500", "/api/v1/costs?by=agent", "/api/v1/costs?by=run", "/api/v1/costs?by=model", "/api/v1/costs?by=tool",
		"/api/v1/accounts?limit=500", "/api/v1/alerts?limit=500", "/api/v1/overview", "/v1/models",
	} {
		a := b.Send(t, http.MethodGet, path, harness.Admin, "")
		if a.Status != http.StatusOK {
			t.Errorf("%s answers %d: %s", path, a.Status, a.Body)
		}
		told[path] = a.Body
	}
	for _, path := range decisionLists { // Who runs the service sees that calls wait, and not what they would do.
		a := b.Send(t, http.MethodGet, path, harness.Operator, "")
		if a.Status != http.StatusOK {
			t.Errorf("%s answers %d: %s", path, a.Status, a.Body)
		}
		told[path] = a.Body
	}
	for _, id := range b.calls {
		b.Call(t, id)
		told["call "+id] = b.Send(t, http.MethodGet, "/api/v1/calls/"+id, harness.Admin, "").Body
	}
	var log strings.Builder
	for _, r := range b.Log(t) {
		fmt.Fprintf(&log, "%+v %+v\n", r, deref(r.Error))
	}
	told["the records"] = log.String()
	return told
}

func deref(f *api.CallFailure) any {
	if f == nil {
		return nil
	}
	return *f
}

// left is what a stopped instance has left: its log, what it has exported, and every file.
func (b *bench) left(t *testing.T) map[string]string {
	t.Helper()
	harness.Eventually(t, func() error {
		if !strings.Contains(b.channel.text(), `"link":`) {
			return fmt.Errorf("the channel was sent nothing about calls that wait")
		}
		return nil
	})
	if code := b.Stop(); code != 0 {
		t.Fatalf("code %d", code)
	}
	left := map[string]string{
		"the log of the process": b.Stderr(), "what was exported": b.collector.text(), "what the channel was sent": b.channel.text(),
	}
	err := filepath.WalkDir(b.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == b.Config {
			return err
		}
		content, err := os.ReadFile(path)
		left["the file "+filepath.Base(path)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) < 6 || len(left["what was exported"]) < 1000 || len(left["the file signalbox.db"]) < 10_000 {
		t.Errorf("there is too little to search in: %d places", len(left))
	}
	return left
}

// No secret is told, kept or repeated, wherever a caller writes it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := start(t, "telemetry: {capture_content: true}\n")
	all := searched()
	for _, f := range fields() {
		t.Run(f.name, func(t *testing.T) {
			for _, c := range canaries {
				if c.secret || !f.named {
					b.fill(t, f, c.text, all)
				}
			}
		})
	}
	told := b.told(t)
	if !strings.Contains(told["the records"], "Please remember [") || !strings.Contains(told["the records"], "[secret]") {
		t.Error("the records have no masked summaries: there is nothing to search in")
	}
	b.reach(t)
	for place, text := range told {
		finds(t, place, text, all)
	}
	for place, text := range b.left(t) {
		finds(t, place, text, all)
	}
}

// What a call is about and whom is in no log, span, metric and file: the records that say so are sealed. Only the lists
// of calls have the user beside each, to be found by it, until the user is erased.
func TestContent(t *testing.T) {
	t.Parallel()
	b := start(t, "")
	sent := 0
	for _, f := range fields() {
		if f.content {
			t.Run(f.name, func(t *testing.T) {
				f.send(b, t, f.mark())
				sent++
			})
		}
	}
	b.Complete(t)
	if log := b.told(t)["the records"]; !strings.Contains(log, mark) || !strings.Contains(log, string(signalbox.ActionToolCall)) {
		t.Errorf("who may read the records does not find the mark in them, after %d calls", sent)
	}
	metrics := b.Send(t, http.MethodGet, "/metrics", harness.Admin, "").Body
	marks := map[string]string{"the mark": mark, "the user": user}
	finds(t, "/metrics", metrics, marks)
	for place, text := range b.left(t) {
		if strings.HasPrefix(place, "the file signalbox.db.views") {
			finds(t, place, text, map[string]string{"the mark": mark})
			continue
		}
		finds(t, place, text, marks)
	}
}
