// Package sdk uses the official SDKs as clients of the real binary: those of OpenAI and Anthropic for Go and for Node,
// and that of MCP for Go. Programs written with them must work unchanged, so each test does the same thing at the provider
// itself, through Signalbox at a provider of the same format, and through Signalbox at one of the other format, and
// expects the same of all three.
package sdk

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// configuration has the same models at a provider of each format.
func configuration(up string) string {
	text := fmt.Sprintf(`providers:
  openai: {kind: openai_compatible, base_url: %[1]s/v1, api_key: sk-operators-own-key-0001}
  anthropic: {kind: anthropic, base_url: %[1]s/v1, api_key: sk-ant-operators-own-key-01}
  sim: {kind: simulated, simulated: {latency: {p50: 0ms, p95: 0ms}, tokens_per_second: 100000}}
models:
  sim: {provider: sim, price: {input: 1, output: 2}}
`, up)
	for _, backend := range []string{"openai", "anthropic"} {
		text += fmt.Sprintf("  %s-good: {provider: %s, model: good, price: {input: 1, output: 2, cache_read: 0.5}}\n", backend, backend)
		for _, fault := range []string{"rate-seconds", "html-500", "error-event", "reset-mid"} {
			text += fmt.Sprintf("  %s-%s: {provider: %s, model: fault-%s, price: {input: 1, output: 2}}\n", backend, fault, backend, fault)
		}
	}
	return text
}

// target is where a client points.
type target struct {
	name   string
	url    string // Without /v1.
	key    string
	prefix string // Of the models' names.
}

// model is the name of a model at the target.
func (t target) model(name string) string {
	if t.prefix == "" && name != "good" {
		return "fault-" + name
	}
	return t.prefix + name
}

// bench is an instance, its provider, and the three targets of a client that speaks the format named first.
type bench struct {
	*harness.Instance
	up *upstream.Server
}

func start(t *testing.T) bench {
	t.Helper()
	up := upstream.New()
	t.Cleanup(up.Close)
	return bench{harness.Start(t, harness.Options{Config: configuration(up.URL)}), up}
}

// targets of a client of the format own.
func (b bench) targets(own, other string) []target {
	return []target{
		{"at the provider", b.up.URL, "sk-any", ""},
		{"through Signalbox", b.URL, harness.Agent, own + "-"},
		{"across formats", b.URL, harness.Agent, other + "-"},
	}
}

// counter counts the requests that an SDK really makes, its own retries included.
type counter struct{ n atomic.Int64 }

// RoundTrip counts and sends.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// refusals are requests that no retry can help.
var refusals = []struct {
	name, key, model string
	status           int
	code             string
}{
	{"unknown model", harness.Agent, "nobody-knows-it", 404, "not_found"},
	{"unknown key", "sb_this-key-is-unknown", "openai-good", 401, "unauthenticated"},
}
