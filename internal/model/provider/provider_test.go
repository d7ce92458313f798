package provider_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	openaiUnary = `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11},"extra":1}`
	anthropicUnary = `{"id":"m1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"Hello."}],` +
		`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":2}}`
)

// The events of two whole streams. The last one is the end marker.
var (
	openaiEvents = []string{
		`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}` + "\n\n",
		`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"lo."},"finish_reason":null}]}` + "\n\n",
		`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n",
		`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}` + "\n\n",
		"data: [DONE]\n\n",
	}
	anthropicEvents = []string{
		"event: message_start\n" + `data: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}` + "\n\n",
		"event: content_block_start\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n",
		"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello."}}` + "\n\n",
		"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}` + "\n\n",
		"event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}` + "\n\n",
		"event: message_stop\n" + `data: {"type":"message_stop"}` + "\n\n",
	}
)

// format is what an upstream of a wire format says.
type format struct {
	protocol signalbox.Protocol
	unary    string
	events   []string
	path     string
	request  string
}

var formats = []format{
	{signalbox.ProtocolOpenAIChat, openaiUnary, openaiEvents, "/v1/chat/completions", `{"model":"x","messages":[{"role":"user","content":"Hi"}]}`},
	{signalbox.ProtocolAnthropic, anthropicUnary, anthropicEvents, "/v1/messages", `{"model":"x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`},
}

// backend makes a backend of an upstream.
func backend(t *testing.T, f format, base string, change func(*provider.Config)) *provider.Backend {
	t.Helper()
	c := provider.Config{
		ID: "up", Format: f.protocol, BaseURL: base + "/v1", APIKey: "k-upstream", Now: time.Now,
		Timeouts: provider.Timeouts{Connect: 5 * time.Second, FirstByte: 5 * time.Second, Idle: 5 * time.Second, Total: 20 * time.Second},
	}
	if change != nil {
		change(&c)
	}
	b, err := provider.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// track is a call in the format, unary or streamed, that asks for usage.
func track(f format, stream bool) *call.Track {
	body := f.request
	if stream {
		body = strings.TrimSuffix(body, "}") + `,"stream":true}`
	}
	return call.NewTrack(&signalbox.Call{
		ID: "call_1", RequestID: "req_1", Kind: signalbox.KindModel, Protocol: f.protocol, Stream: stream, Body: []byte(body),
		Span: signalbox.StartSpan("", "", ""), Model: &signalbox.ModelRequest{Model: "x", Choices: 1, UsageWanted: true, Messages: 1},
	})
}

func candidate(f format) signalbox.Candidate {
	return signalbox.Candidate{Name: "ours", Provider: "up", Format: f.protocol, Upstream: "m-1"}
}

// outcome is what came of an attempt.
type outcome struct {
	parts    []string
	terminal bool
	report   call.Report
	head     call.Head
	opened   error // Of Open.
	broke    error // Of Next.
}

// attempt opens a call and reads its answer to the end.
func attempt(ctx context.Context, t *testing.T, b call.Backend, tr *call.Track, c signalbox.Candidate) outcome {
	t.Helper()
	var o outcome
	up, err := b.Open(ctx, tr, c, tr.Call.Span.Child())
	if err != nil {
		o.opened = err
		return o
	}
	defer up.Close()
	o.head = up.Head()
	for {
		part, err := up.Next(ctx)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				o.broke = err
			}
			o.report = up.Report()
			return o
		}
		if o.terminal {
			t.Error("a part follows the terminal one")
		}
		o.parts = append(o.parts, string(part.Data))
		o.terminal = part.Terminal
	}
}

// each runs a test in both formats, unary and streamed.
func each(t *testing.T, test func(t *testing.T, f format, stream bool)) {
	t.Helper()
	for _, f := range formats {
		t.Run(string(f.protocol)+" unary", func(t *testing.T) { test(t, f, false) })
		t.Run(string(f.protocol)+" stream", func(t *testing.T) { test(t, f, true) })
	}
}

// answer writes a whole answer.
func answer(w http.ResponseWriter, f format, stream bool) {
	w.Header().Set("X-Request-Id", "up-77")
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, f.unary)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	for _, e := range f.events {
		io.WriteString(w, e)
		w.(http.Flusher).Flush()
	}
}

func upstream(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestWholeAnswers(t *testing.T) {
	each(t, func(t *testing.T, f format, stream bool) {
		base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			answer(w, f, stream)
		})
		o := attempt(t.Context(), t, backend(t, f, base, nil), track(f, stream), candidate(f))
		if o.opened != nil || o.broke != nil || !o.terminal {
			t.Fatalf("opened %v, broke %v, terminal %v", o.opened, o.broke, o.terminal)
		}
		want := f.unary
		if stream {
			want = strings.Join(f.events, "")
		}
		if got := strings.Join(o.parts, ""); got != want {
			t.Errorf("bytes changed on the way:\n got %s\nwant %s", got, want)
		}
		r := o.report
		if r.Usage == nil || r.Usage.Input != 9 || r.Usage.Output != 2 || r.HTTPStatus != 200 || r.Excerpt != "Hello." ||
			r.ResponseName != "m-1" || r.ResponseID == "" || r.Finish == "" {
			t.Errorf("report %+v, usage %+v", r, r.Usage)
		}
		if got := o.head.Header.Get("X-Signalbox-Upstream-Request-Id"); got != "up-77" {
			t.Errorf("upstream request id = %q", got)
		}
	})
}

func TestAcrossFormats(t *testing.T) {
	for i, f := range formats {
		other := formats[1-i]
		for _, stream := range []bool{false, true} {
			base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != other.path {
					t.Errorf("path %s, want %s", r.URL.Path, other.path)
				}
				io.Copy(io.Discard, r.Body)
				answer(w, other, stream)
			})
			o := attempt(t.Context(), t, backend(t, other, base, nil), track(f, stream), candidate(other))
			if o.opened != nil || o.broke != nil || !o.terminal || o.report.Usage == nil || o.report.Usage.Input != 9 {
				t.Errorf("%s to %s, stream %v: %+v", f.protocol, other.protocol, stream, o)
			}
		}
	}
}

func TestRequest(t *testing.T) {
	each(t, func(t *testing.T, f format, stream bool) {
		var got *http.Request
		var body []byte
		base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			answer(w, f, stream)
		})
		tr := track(f, stream)
		tr.Call.Span = signalbox.StartSpan("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1", "user=9")
		tr.Call.Model.Headers = map[string]string{"anthropic-beta": "b1", "openai-beta": "b2", "anthropic-version": "2030-01-01", "authorization": "stolen"}
		span := tr.Call.Span.Child()
		b := backend(t, f, base, func(c *provider.Config) { c.Headers = map[string]string{"X-Extra": "yes"} })
		up, err := b.Open(t.Context(), tr, candidate(f), span)
		if err != nil {
			t.Fatal(err)
		}
		up.Close()
		if got.Method != "POST" || got.URL.Path != f.path || got.ContentLength != int64(len(body)) || !strings.Contains(string(body), `"m-1"`) {
			t.Errorf("%s %s with %d bytes: %s", got.Method, got.URL.Path, got.ContentLength, body)
		}
		want := map[string]string{
			"Content-Type": "application/json", "X-Request-Id": "req_1", "Traceparent": span.Traceparent(), "Tracestate": "vendor=1",
			"Baggage": "", "X-Extra": "yes", "Accept-Encoding": "", "User-Agent": "signalbox",
		}
		if f.protocol == signalbox.ProtocolAnthropic {
			want["X-Api-Key"], want["Authorization"] = "k-upstream", ""
			want["Anthropic-Beta"], want["Anthropic-Version"], want["Openai-Beta"] = "b1", "2030-01-01", ""
		} else {
			want["X-Api-Key"], want["Authorization"] = "", "Bearer k-upstream"
			want["Anthropic-Beta"], want["Anthropic-Version"], want["Openai-Beta"] = "", "", "b2"
		}
		for name, value := range want {
			if got.Header.Get(name) != value {
				t.Errorf("%s = %q, want %q", name, got.Header.Get(name), value)
			}
		}
		if parent := got.Header.Get("Traceparent"); !strings.Contains(parent, "0af7651916cd43dd8448eb211c80319c") {
			t.Errorf("traceparent %q left the caller's trace", parent)
		}
	})
}

func TestRequestOptions(t *testing.T) {
	var got http.Header
	f := formats[1]
	base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		answer(w, f, false)
	})
	b := backend(t, f, base, func(c *provider.Config) { c.APIKey, c.Baggage = "", true })
	tr := track(formats[0], false) // Another format: none of its headers go on.
	tr.Call.Model.Headers = map[string]string{"openai-beta": "b2", "anthropic-beta": "b1"}
	tr.Call.Span.Baggage = "user=9"
	if o := attempt(t.Context(), t, b, tr, candidate(f)); o.opened != nil {
		t.Fatal(o.opened)
	}
	for name, want := range map[string]string{
		"Baggage": "user=9", "X-Api-Key": "", "Anthropic-Version": "2023-06-01", "Openai-Beta": "", "Anthropic-Beta": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestErrorStatuses(t *testing.T) {
	tests := []struct {
		status int
		code   signalbox.Code
		next   bool
	}{
		{400, signalbox.CodeInvalid, false},
		{401, signalbox.CodeUpstream, true},
		{402, signalbox.CodeUpstream, true},
		{403, signalbox.CodeUpstream, true},
		{404, signalbox.CodeNotFound, true},
		{408, signalbox.CodeUpstream, true},
		{413, signalbox.CodeTooLarge, false},
		{422, signalbox.CodeInvalid, false},
		{429, signalbox.CodeRateLimited, true},
		{500, signalbox.CodeUpstream, true},
		{502, signalbox.CodeUpstream, true},
		{503, signalbox.CodeUnavailable, true},
		{529, signalbox.CodeUnavailable, true},
		{302, signalbox.CodeUpstream, true},
		{204, signalbox.CodeUpstream, true},
	}
	for _, test := range tests {
		f := formats[test.status%2]
		base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(test.status)
			if test.status != 204 {
				io.WriteString(w, `{"error":{"message":"Because of sk-abcdefghijklmnop.","type":"some_error"}}`)
			}
		})
		o := attempt(t.Context(), t, backend(t, f, base, nil), track(f, test.status%3 == 0), candidate(f))
		ae := asAttempt(t, o.opened)
		if ae.Err.Code != test.code || ae.Next != test.next || ae.HTTPStatus != test.status || !ae.Sent {
			t.Errorf("status %d: %+v, %v", test.status, ae, ae.Err)
		}
		if strings.Contains(ae.Error(), "sk-abc") {
			t.Errorf("status %d shows a secret: %v", test.status, ae)
		}
		wait := time.Duration(0)
		if test.status == 429 || test.status == 503 || test.status == 529 {
			wait = 7 * time.Second
		}
		if ae.Err.RetryAfter != wait {
			t.Errorf("status %d: retry after %s, want %s", test.status, ae.Err.RetryAfter, wait)
		}
	}
}

func asAttempt(t *testing.T, err error) *call.AttemptError {
	t.Helper()
	var ae *call.AttemptError
	if !errors.As(err, &ae) {
		t.Fatalf("got %v, want an AttemptError", err)
	}
	return ae
}

func TestNotAnAnswer(t *testing.T) {
	tests := []struct {
		name, kind, encoding, body string
		code                       signalbox.Code
		next                       bool
	}{
		{"a page", "text/html", "", "<html>Welcome</html>", signalbox.CodeUpstream, true},
		{"no type", "", "", "", signalbox.CodeUpstream, true},
		{"a bad type", ";;", "", "{}", signalbox.CodeUpstream, true},
		{"compressed", "application/json", "gzip", "\x1f\x8b", signalbox.CodeUpstream, true},
		{"an error in disguise", "application/json", "", `{"error":{"type":"overloaded_error","message":"Busy."}}`, signalbox.CodeUnavailable, true},
		{"a caller's error in disguise", "application/json", "", `{"error":{"type":"invalid_request_error","message":"No."}}`, signalbox.CodeInvalid, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, f format, stream bool) {
				base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = []string{test.kind}
					if test.encoding != "" {
						w.Header().Set("Content-Encoding", test.encoding)
					}
					io.WriteString(w, test.body)
				})
				ae := asAttempt(t, attempt(t.Context(), t, backend(t, f, base, nil), track(f, stream), candidate(f)).opened)
				if ae.Err.Code != test.code || ae.Next != test.next {
					t.Errorf("got %+v: %v", ae, ae.Err)
				}
			})
		})
	}
}

func TestStreamWhereNoneWasAskedFor(t *testing.T) {
	f := formats[0]
	base := upstream(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, f, true) })
	ae := asAttempt(t, attempt(t.Context(), t, backend(t, f, base, nil), track(f, false), candidate(f)).opened)
	if ae.Err.Code != signalbox.CodeUpstream || !strings.Contains(ae.Err.Message, "text/event-stream") {
		t.Error(ae)
	}
}

func TestRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	l.Close()
	each(t, func(t *testing.T, f format, stream bool) {
		ae := asAttempt(t, attempt(t.Context(), t, backend(t, f, base, nil), track(f, stream), candidate(f)).opened)
		if ae.Err.Code != signalbox.CodeUpstream || !ae.Next || ae.Sent || !strings.Contains(ae.Err.Message, "refused") {
			t.Errorf("got %+v: %v", ae, ae.Err)
		}
	})
}

func TestTLSFailure(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	f := formats[0]
	ae := asAttempt(t, attempt(t.Context(), t, backend(t, f, server.URL, nil), track(f, false), candidate(f)).opened)
	if ae.Err.Code != signalbox.CodeUpstream || ae.Sent || !strings.Contains(ae.Err.Message, "TLS") {
		t.Errorf("got %+v: %v", ae, ae.Err)
	}
}

func TestNew(t *testing.T) {
	for name, c := range map[string]provider.Config{
		"no format":    {ID: "x", BaseURL: "http://h"},
		"MCP":          {ID: "x", Format: signalbox.ProtocolMCP, BaseURL: "http://h"},
		"no address":   {ID: "x", Format: signalbox.ProtocolOpenAIChat},
		"no scheme":    {ID: "x", Format: signalbox.ProtocolOpenAIChat, BaseURL: "api.example.com/v1"},
		"other scheme": {ID: "x", Format: signalbox.ProtocolOpenAIChat, BaseURL: "ftp://h"},
		"no URL":       {ID: "x", Format: signalbox.ProtocolOpenAIChat, BaseURL: "http://[::1"},
	} {
		if _, err := provider.New(c); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCandidateOfAnotherFormat(t *testing.T) {
	f := formats[0]
	b := backend(t, f, "http://127.0.0.1:1", nil)
	for _, format := range []signalbox.Protocol{signalbox.ProtocolAnthropic, signalbox.ProtocolMCP} {
		c := candidate(f)
		c.Format = format
		ae := asAttempt(t, attempt(t.Context(), t, b, track(f, false), c).opened)
		if ae.Err.Code != signalbox.CodeNotImplemented || !ae.Next || ae.Sent {
			t.Errorf("got %+v: %v", ae, ae.Err)
		}
	}
}

func TestRequestThatCanNotBeCarriedOver(t *testing.T) {
	tr := track(formats[0], false)
	tr.Call.Body = []byte(`{"model":"x","n":2,"messages":[{"role":"user","content":"Hi"}]}`)
	ae := asAttempt(t, attempt(t.Context(), t, backend(t, formats[1], "http://127.0.0.1:1", nil), tr, candidate(formats[1])).opened)
	if ae.Err.Code != signalbox.CodeInvalid || ae.Err.Field != "n" || !ae.Next || ae.Sent {
		t.Errorf("got %+v: %v", ae, ae.Err)
	}
}
