// Package toolfaults breaks MCP servers in every way that servers break, under the real binary: each fault of a server over
// HTTP, of both eras, answering in JSON and in events, and each fault of a child process.
//
// The promise under test: whatever a server does, the caller gets one clear error of the right code within the time-out, or
// the whole answer; the tool is called once; the record says what happened and what it cost; other servers answer
// meanwhile, and the server itself does as soon as it can again. And of child processes nothing ever stays behind.
package toolfaults

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// parallel is how many tests run side by side: many of them wait for a time-out.
const parallel = "16"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(role)
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	os.Exit(harness.Main(m))
}

const base = `agents:
  - {id: clerk, permissions: {tools: [{name: "*", operations: [write], resources: ["*"]}]}}
approvals: {tiers: {medium: {approvers: 0}}}
limits: {max_concurrent_calls: 4096}
mcp_servers:
`

// world is one instance with servers behind it.
type world struct {
	*harness.Instance
	steady string // A server that always works.
}

// reply is what a caller gets.
type reply struct {
	harness.Answer
	took  time.Duration
	text  string
	code  signalbox.Code // "" for a result.
	words string         // Of the error.
}

func (r reply) call() string { return r.Header.Get("X-Signalbox-Call") }

// busyLog is how a refusal begins that has nothing to do with the server: the machine is so busy that commits take long.
const busyLog = "The log could not be written"

// use calls a tool as any client would: a refusal because the log is busy it takes as such, and comes back.
func (w world) use(server, tool string) (r reply, err error) {
	for range 100 {
		if r, err = w.once(server, tool); err != nil || r.code != signalbox.CodeUnavailable || !strings.HasPrefix(r.words, busyLog) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return r, err
}

func (w world) once(server, tool string) (reply, error) {
	started := time.Now()
	a, err := w.TrySend(http.MethodPost, "/mcp/"+server, harness.Agent,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{}}}`,
		"Accept", "application/json, text/event-stream", "X-Signalbox-Agent", "clerk")
	if err != nil {
		return reply{}, err
	}
	r := reply{Answer: a, took: time.Since(started)}
	var m struct {
		Result struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
		Error struct {
			Message string `json:"message"`
			Data    struct {
				Code   signalbox.Code `json:"code"`
				Remedy string         `json:"remedy"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(last(a)), &m); err != nil {
		return r, fmt.Errorf("the answer (status %d) is no message: %w: %.300s", a.Status, err, a.Body)
	}
	r.code, r.words = m.Error.Data.Code, m.Error.Message
	for _, c := range m.Result.Content {
		r.text += c.Text
	}
	if r.code == "" && r.text == "" || r.code != "" && (r.words == "" || m.Error.Data.Remedy == "") {
		return r, fmt.Errorf("neither a result nor an error with its remedy: %s", a.Body)
	}
	return r, nil
}

// last gives the message that answers: the last one of a stream, which has log lines of the server before it.
func last(a harness.Answer) string {
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		return a.Body
	}
	_, data, _ := strings.Cut(a.Body[max(0, strings.LastIndex(a.Body, "data: ")):], "data: ")
	return data
}

// good calls the tool that works, once.
func (w world) good(t *testing.T, server string) {
	t.Helper()
	r, err := w.use(server, toolGood)
	if err != nil || r.text != goodText {
		t.Fatalf("%s: the good tool answers %q, %s %s, %v", server, r.text, r.code, r.words, err)
	}
}

// recovers calls the good tool until it works, which it does when the pauses are over.
func (w world) recovers(t *testing.T, server string) {
	t.Helper()
	harness.Eventually(t, func() error {
		r, err := w.use(server, toolGood)
		if err == nil && r.text != goodText {
			err = fmt.Errorf("%s: the good tool still answers %s: %s", server, r.code, r.words)
		}
		return err
	})
}

// Bounds of calls in these tests, and how much longer a busy machine may take to say so.
const (
	total    = time.Second
	patience = 2 * time.Minute
)

// breaks calls the broken tool, and holds the answer and its record against what must come of it. Meanwhile the steady
// server must answer.
func (w world) breaks(t *testing.T, server string, want fault) {
	t.Helper()
	done := make(chan reply)
	go func() {
		r, err := w.use(server, toolBroken)
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	w.good(t, w.steady)
	r := <-done
	if r.code != want.code || want.code == "" && r.text != goodText {
		t.Errorf("got code %q (%s), text %q; want code %q", r.code, r.words, r.text, want.code)
	}
	if r.took > total+patience {
		t.Errorf("the answer took %s", r.took)
	}
	if want.code != "" && !strings.Contains(r.words, strconv.Quote(server)) {
		t.Errorf("the error does not name the server: %s", r.words)
	}
	if strings.Contains(r.Body, secret) {
		t.Errorf("the caller sees what the server wrote: %s", r.Body)
	}
	if want.retry && !strings.Contains(r.Body, `"retry_after_ms":7000`) {
		t.Errorf("the answer does not say when to come back: %s", r.Body)
	}
	w.recorded(t, r, want)
}

// recorded checks the record of a call.
func (w world) recorded(t *testing.T, r reply, want fault) {
	t.Helper()
	d := w.Call(t, r.call())
	outcome := signalbox.OutcomeFailed
	if want.code == "" {
		outcome = signalbox.OutcomeOK
	}
	if d.Outcome != outcome || want.code != "" && (d.Error == nil || d.Error.Code != want.code) {
		t.Errorf("the record has outcome %s, error %+v; want %s, %q", d.Outcome, d.Error, outcome, want.code)
	}
	if d.CostEstimate == nil || *d.CostEstimate != want.cost {
		t.Errorf("the call cost %v, want %s", show(d.CostEstimate), want.cost)
	}
	if d.Attempts != 1 {
		t.Errorf("%d attempts, want 1", d.Attempts)
	}
}

func show(s *string) string {
	if s == nil {
		return "nothing"
	}
	return *s
}

// cell is one combination of HTTP.
type cell struct{ era, manner, fault string }

func (c cell) path() string { return "/" + c.era + "/" + c.manner + "/" + c.fault }
func (c cell) id() string   { return strings.ReplaceAll(c.path()[1:], "/", "-") }

func cells() (all []cell) {
	for name, f := range httpFaults {
		for _, era := range []string{modern, legacy} {
			for _, manner := range []string{inJSON, inEvents} {
				if f.only == "" || f.only == manner {
					all = append(all, cell{era, manner, name})
				}
			}
		}
	}
	return all
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var b strings.Builder
	b.WriteString(harness.Simulated + base + "  steady: {url: \"" + s.URL + "/modern/json/none\"}\n")
	for _, c := range cells() {
		fmt.Fprintf(&b, "  %s: {url: %q, price: {per_call: %s}, timeouts: {connect: %s, total: %s}}\n",
			c.id(), s.URL+c.path(), price, patience, httpFaults[c.fault].limit())
	}
	w := world{harness.Start(t, harness.Options{Config: b.String()}), "steady"}
	w.good(t, w.steady)
	t.Run("cells", func(t *testing.T) {
		for _, c := range cells() {
			t.Run(c.id(), func(t *testing.T) {
				t.Parallel()
				want := httpFaults[c.fault]
				works := w.good
				if want.code == signalbox.CodeTimeout { // Then good calls have little time as well.
					works = w.recovers
				}
				works(t, c.id())
				w.breaks(t, c.id(), want)
				works(t, c.id())
				times := 1
				if want.again && c.era == legacy {
					times = 2
				}
				if n := s.callsOf(c.path()); n != times {
					t.Errorf("the tool was called %d times, want %d", n, times)
				}
			})
		}
	})
	if calls := w.Complete(t); calls < 1+4*len(cells()) {
		t.Errorf("the log has %d calls, want at least %d", calls, 1+4*len(cells()))
	}
	if strings.Contains(w.Stderr(), secret) {
		t.Error("the log of the process has what the servers wrote")
	}
}

// Servers with which there is never a session. Nothing is sent, so nothing is paid.
func TestNoSession(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	refused, release, err := upstream.RefusedURL()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Takes connections, and says nothing.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	plain := strings.TrimPrefix(s.URL, "http://")
	cases := map[string]struct {
		url  string
		code signalbox.Code
	}{
		"refused": {refused, signalbox.CodeUpstream}, "silent": {"http://" + silent.Addr().String(), signalbox.CodeTimeout},
		"no-such-name": {"http://no-such-host.invalid/mcp", signalbox.CodeUpstream}, "no-tls": {"https://" + plain + "/modern/json/none", signalbox.CodeUpstream},
		"silent-tls": {"https://" + silent.Addr().String(), signalbox.CodeTimeout}, "no-mcp": {s.URL + "/nothing", signalbox.CodeUpstream},
	}
	text := harness.Simulated + base + "  steady: {url: \"" + s.URL + "/modern/json/none\"}\n"
	for id, c := range cases {
		text += fmt.Sprintf("  %s: {url: %q, price: {per_call: %s}, timeouts: {connect: %s}}\n", id, c.url, price, fault{code: c.code}.limit())
	}
	w := world{harness.Start(t, harness.Options{Config: text}), "steady"}
	for id, c := range cases {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			for n := range 3 {
				r, err := w.use(id, toolBroken)
				if err != nil {
					t.Fatal(err)
				}
				if r.code != c.code {
					t.Errorf("call %s: got %q (%s), want %q", strconv.Itoa(n), r.code, r.words, c.code)
				}
				if d := w.Call(t, r.call()); d.Outcome != signalbox.OutcomeFailed || d.CostEstimate != nil && *d.CostEstimate != free || d.Attempts != 0 {
					t.Errorf("the record has outcome %s, cost %s, %d attempts", d.Outcome, show(d.CostEstimate), d.Attempts)
				}
			}
			w.good(t, w.steady)
			if a := w.Send(t, http.MethodGet, "/readyz", "", ""); a.Status != http.StatusOK {
				t.Errorf("/readyz answers %d", a.Status)
			}
		})
	}
}
