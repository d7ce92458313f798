// Package faults breaks the provider in every way that providers break, under the real binary: each fault, unary and as a
// stream, asked for in both formats, at a provider of the same format and of the other one, with and without a fallback.
//
// The promise under test: whatever the provider does, the caller gets a whole answer or an error in the shape of his API,
// never a part that looks whole; the provider is asked once for each attempt; and the record says what happened and
// what it cost.
package faults

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// parallel is how many tests run side by side: most of them wait for a time-out.
const parallel = "24"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	os.Exit(harness.Main(m))
}

// want is what must come of a fault.
type want struct {
	code  signalbox.Code  // "": the call is served all the same.
	mid   bool            // In a stream the fault comes after the first part, when no fallback can help any more.
	basis signalbox.Basis // How the usage of the failed attempt is known.
	retry bool            // The provider says when to come back.
	told  bool            // In a stream the provider had reported its usage before the fault.
}

const refused = "refused"

var wants = map[string]want{
	refused:          {code: signalbox.CodeUpstream, basis: signalbox.BasisNone},
	"reset-early":    {code: signalbox.CodeUpstream, basis: signalbox.BasisEstimated},
	"fin-early":      {code: signalbox.CodeUpstream, basis: signalbox.BasisEstimated},
	"reset-mid":      {code: signalbox.CodeUpstream, mid: true, basis: signalbox.BasisEstimated},
	"fin-mid":        {code: signalbox.CodeUpstream, mid: true, basis: signalbox.BasisEstimated},
	"fin-clean":      {code: signalbox.CodeUpstream, mid: true, basis: signalbox.BasisEstimated},
	"fin-last":       {code: signalbox.CodeUpstream, mid: true, basis: signalbox.BasisEstimated, told: true},
	"rate-seconds":   {code: signalbox.CodeRateLimited, basis: signalbox.BasisNone, retry: true},
	"rate-date":      {code: signalbox.CodeRateLimited, basis: signalbox.BasisNone, retry: true},
	"overloaded":     {code: signalbox.CodeUnavailable, basis: signalbox.BasisNone},
	"html-500":       {code: signalbox.CodeUpstream, basis: signalbox.BasisNone},
	"unauthorized":   {code: signalbox.CodeUpstream, basis: signalbox.BasisNone},
	"redirect":       {code: signalbox.CodeUpstream, basis: signalbox.BasisNone},
	"malformed":      {code: signalbox.CodeUpstream, mid: true, basis: signalbox.BasisEstimated},
	"endless-line":   {code: signalbox.CodeUpstream, mid: true, basis: signalbox.BasisEstimated},
	"slow-bytes":     {code: signalbox.CodeTimeout, basis: signalbox.BasisEstimated},
	"stall":          {code: signalbox.CodeTimeout, mid: true, basis: signalbox.BasisEstimated},
	"no-headers":     {code: signalbox.CodeTimeout, basis: signalbox.BasisEstimated},
	"error-200":      {code: signalbox.CodeUpstream, basis: signalbox.BasisEstimated},
	"error-first":    {code: signalbox.CodeUnavailable, basis: signalbox.BasisEstimated},
	"error-event":    {code: signalbox.CodeUnavailable, mid: true, basis: signalbox.BasisEstimated},
	"usage-missing":  {basis: signalbox.BasisEstimated},
	"usage-negative": {basis: signalbox.BasisEstimated},
}

// The parts of a cell's name.
const (
	openAI    = "openai"
	anthropic = "anthropic"
)

// configuration has a model for each fault at each provider, once alone and once with a fallback in the other format.
func configuration(up, closed string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `limits: {max_concurrent_calls: 4096}
providers:
  openai: {kind: openai_compatible, base_url: %[1]s/v1, api_key: sk-operators-own-key-0001, timeouts: {connect: 5s, first_byte: 5s, idle: 3s, total: 20s}}
  anthropic: {kind: anthropic, base_url: %[1]s/v1, api_key: sk-ant-operators-own-key-01, timeouts: {connect: 5s, first_byte: 5s, idle: 3s, total: 20s}}
  openai-refused: {kind: openai_compatible, base_url: %[2]s/v1}
  anthropic-refused: {kind: anthropic, base_url: %[2]s/v1}
  openai-good: {kind: openai_compatible, base_url: %[1]s/v1}
  anthropic-good: {kind: anthropic, base_url: %[1]s/v1}
models:
  good-openai: {provider: openai-good, model: good, price: {input: 1, output: 2, cache_read: 0.5}}
  good-anthropic: {provider: anthropic-good, model: good, price: {input: 1, output: 2, cache_read: 0.5}}
  long-openai: {provider: openai-good, model: long, price: {input: 1, output: 2}}
  long-anthropic: {provider: anthropic-good, model: long, price: {input: 1, output: 2}}
  silent-openai: {provider: openai-good, model: fault-no-headers, price: {input: 1, output: 2}}
  silent-anthropic: {provider: anthropic-good, model: fault-no-headers, price: {input: 1, output: 2}}
`, up, closed)
	for fault := range wants {
		for backend, fallback := range map[string]string{openAI: "good-" + anthropic, anthropic: "good-" + openAI} {
			provider := backend
			if fault == refused {
				provider += "-refused"
			}
			fmt.Fprintf(&b, "  %s-%s: {provider: %s, model: fault-%s, price: {input: 1, output: 2}}\n", backend, fault, provider, fault)
			fmt.Fprintf(&b, "  %s-%s-fallback: {provider: %s, model: fault-%s, price: {input: 1, output: 2}, fallbacks: [%s]}\n",
				backend, fault, provider, fault, fallback)
		}
	}
	return b.String()
}

// bench is the instance and the provider that all cells share.
type bench struct {
	*harness.Instance
	up *upstream.Server
}

func start(t *testing.T) bench {
	t.Helper()
	up := upstream.New()
	t.Cleanup(up.Close)
	closed, release, err := upstream.RefusedURL()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return bench{harness.Start(t, harness.Options{Config: configuration(up.URL, closed)}), up}
}

// cell is one combination.
type cell struct {
	fault    string
	client   string // The caller's format.
	backend  string // The provider's format.
	stream   bool
	fallback bool
}

func (c cell) name() string {
	parts := []string{c.fault, c.client + "-to-" + c.backend, "unary"}
	if c.stream {
		parts[2] = "stream"
	}
	if c.fallback {
		parts = append(parts, "fallback")
	}
	return strings.Join(parts, "/")
}

func (c cell) model() string {
	if c.fallback {
		return c.backend + "-" + c.fault + "-fallback"
	}
	return c.backend + "-" + c.fault
}

func cells() []cell {
	var all []cell
	for fault := range wants {
		for _, client := range []string{openAI, anthropic} {
			for _, backend := range []string{openAI, anthropic} {
				for n := range 4 {
					all = append(all, cell{fault, client, backend, n&1 > 0, n&2 > 0})
				}
			}
		}
	}
	return all
}

func TestEveryFaultIsCovered(t *testing.T) {
	for _, name := range upstream.Faults() {
		if _, ok := wants[name]; !ok {
			t.Errorf("the provider can break by %q, and no test says what must come of it", name)
		}
	}
	if got := len(wants) - 1; got != len(upstream.Faults()) {
		t.Errorf("%d faults are expected beside a refused connection, the provider has %d", got, len(upstream.Faults()))
	}
}

func TestFaults(t *testing.T) {
	b := start(t)
	t.Run("cells", func(t *testing.T) {
		for _, c := range cells() {
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				b.check(t, c)
			})
		}
	})
	if calls := b.Complete(t); calls != len(cells()) {
		t.Errorf("the log has %d calls, want %d", calls, len(cells()))
	}
	if strings.Contains(b.Stderr(), upstream.Secret) {
		t.Error("the log of the process has the credential that the provider quoted")
	}
}

// check makes one call and looks at it from all sides: the caller's, the provider's and the record's.
func (b bench) check(t *testing.T, c cell) {
	id := "req-" + strings.ReplaceAll(c.name(), "/", ".")
	a := b.Send(t, http.MethodPost, path(c.client), harness.Agent, request(c.client, c.model(), c.stream), "X-Request-Id", id)
	if got := a.Header.Get("X-Request-Id"); got != id {
		t.Errorf("X-Request-Id is %q, want %q", got, id)
	}
	w := wants[c.fault]
	failsAfterward := w.mid && c.stream
	served := w.code == "" || c.fallback && !failsAfterward
	switch {
	case served:
		checkWhole(t, c.client, c.stream, a)
	case failsAfterward:
		checkBrokenStream(t, c.client, a, w.code)
	default:
		checkError(t, c.client, a, w)
	}
	if strings.Contains(a.Body, upstream.Secret) {
		t.Error("the caller sees the provider's credential")
	}
	b.checkRecord(t, c, a, served)
	b.checkProvider(t, c, id)
}

// path is the endpoint of a format.
func path(client string) string {
	if client == anthropic {
		return "/v1/messages"
	}
	return "/v1/chat/completions"
}

func request(client, model string, stream bool) string {
	body := map[string]any{
		"model": model, "stream": stream, "messages": []any{map[string]any{"role": "user", "content": "Explain the signal box."}},
	}
	if client == anthropic {
		body["max_tokens"] = 100
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// checkProvider: each attempt was sent once, and never again behind our back.
func (b bench) checkProvider(t *testing.T, c cell, id string) {
	t.Helper()
	faulty := 0
	for _, r := range b.up.Requests(id) {
		if r.Model != "good" {
			faulty++
		}
		if got := r.Header.Get("Traceparent"); got == "" {
			t.Error("the provider got no traceparent")
		}
	}
	want := 1
	if c.fault == refused {
		want = 0
	}
	if faulty != want {
		t.Errorf("the provider got the failing request %d times, want %d", faulty, want)
	}
	if slices.Contains(unending, c.fault) {
		harness.Eventually(t, func() error {
			if !b.up.Requests(id)[0].Left {
				return errors.New("the provider still answers a request that was given up")
			}
			return nil
		})
	}
}

// unending are the faults that go on until we cut them off.
var unending = []string{"slow-bytes", "stall", "no-headers", "endless-line"}

// retryable are the errors that a client may repeat by itself.
var retryable = []signalbox.Code{
	signalbox.CodeRateLimited, signalbox.CodeUpstream, signalbox.CodeUnavailable, signalbox.CodeTimeout,
}

// checkError: an ordinary error answer in the caller's format.
func checkError(t *testing.T, client string, a harness.Answer, w want) {
	t.Helper()
	if a.Status != w.code.Status() || a.Broken != nil {
		t.Errorf("status %d (broken: %v), want %d: %s", a.Status, a.Broken, w.code.Status(), a.Body)
	}
	if kind := a.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("the error has the content type %q", kind)
	}
	if got := errorCode(t, client, []byte(a.Body)); got != w.code {
		t.Errorf("code %q, want %q: %s", got, w.code, a.Body)
	}
	if no := a.Header.Get("X-Should-Retry") == "false"; no == slices.Contains(retryable, w.code) {
		t.Errorf("x-should-retry is %q for %s", a.Header.Get("X-Should-Retry"), w.code)
	}
	after, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if w.retry && (err != nil || after < 1 || after > upstream.RetrySeconds+1) {
		t.Errorf("Retry-After is %q, want at most %d seconds", a.Header.Get("Retry-After"), upstream.RetrySeconds+1)
	}
}
