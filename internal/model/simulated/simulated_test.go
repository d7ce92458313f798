package simulated_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/provider"
	"github.com/signalbox/signalbox/internal/model/simulated"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is a moment that does not move.
func at() time.Time { return time.Unix(1_800_000_000, 0) }

// ask sends a request to the model and gives status and body. Nothing is waited for; slept is told of every wait.
func ask(t *testing.T, c simulated.Config, body string, slept func(time.Duration)) (int, string, error) {
	t.Helper()
	c.Now = at
	c.Sleep = func(ctx context.Context, d time.Duration) error {
		if slept != nil {
			slept(d)
		}
		return ctx.Err()
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://simulated.invalid/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := simulated.NewTransport(c).RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return response.StatusCode, string(got), err
}

func request(prompt, more string) string {
	return `{"model":"sim-1","messages":[{"role":"user","content":` + string(json.Quote(prompt)) + `}]` + more + `}`
}

// completion is what is looked at of an answer.
type completion struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Message struct {
			Content   *string    `json:"content"`
			ToolCalls []toolCall `json:"tool_calls"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		Total      int64 `json:"total_tokens"`
	} `json:"usage"`
}

type toolCall struct {
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

func complete(t *testing.T, c simulated.Config, body string) completion {
	t.Helper()
	status, got, err := ask(t, c, body, nil)
	if err != nil || status != 200 {
		t.Fatalf("status %d, %v: %s", status, err, got)
	}
	var out completion
	if err := json.Unmarshal([]byte(got), &out); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	return out
}

func TestText(t *testing.T) {
	out := complete(t, simulated.Config{MinOutput: 20, MaxOutput: 60}, request("Why do trains need signals?", ""))
	said := *out.Choices[0].Message.Content
	if !strings.HasPrefix(said, "[simulated] On the question “Why do trains need signals?”: ") || out.Choices[0].FinishReason != "stop" {
		t.Errorf("said %q, finished by %s", said, out.Choices[0].FinishReason)
	}
	if out.Model != "sim-1" || out.Created != at().Unix() || out.Object != "chat.completion" || !strings.HasPrefix(out.ID, "chatcmpl-sim-") {
		t.Errorf("%+v", out)
	}
	// Input: 27 bytes are 7 tokens, and 4 for the message.
	if want := int64(len(said)+3) / 4; out.Usage.Prompt != 11 || out.Usage.Completion != want || out.Usage.Total != 11+want {
		t.Errorf("usage %+v, want 11 and %d", out.Usage, want)
	}
}

func TestKorean(t *testing.T) {
	out := complete(t, simulated.Config{}, request("신호기는 왜 필요합니까?", ""))
	if said := *out.Choices[0].Message.Content; !strings.HasPrefix(said, "[simulated] 질문 “신호기는 왜 필요합니까?”: ") {
		t.Errorf("said %q", said)
	}
}

func TestSameQuestionSameAnswer(t *testing.T) {
	c := simulated.Config{Seed: 3, LatencyP50: time.Second, LatencyP95: 3 * time.Second, MinOutput: 10, MaxOutput: 200}
	waits := func(c simulated.Config, body string) (string, []time.Duration) {
		var list []time.Duration
		_, got, err := ask(t, c, body, func(d time.Duration) { list = append(list, d) })
		if err != nil {
			t.Fatal(err)
		}
		return got, list
	}
	first, firstWaits := waits(c, request("Q", ""))
	again, againWaits := waits(c, request("Q", ""))
	if first != again || !slices.Equal(firstWaits, againWaits) {
		t.Error("the same question got two answers")
	}
	if other, _ := waits(c, request("Q!", "")); other == first {
		t.Error("another question got the same answer")
	}
	c.Seed = 4
	if other, _ := waits(c, request("Q", "")); other == first {
		t.Error("another seed gave the same answer")
	}
}

func TestLength(t *testing.T) {
	c := simulated.Config{MinOutput: 30, MaxOutput: 90}
	for i := range 50 {
		n := complete(t, c, request(fmt.Sprint("question ", i), "")).Usage.Completion
		if n < 30 || n > 90+40 { // A sentence may go beyond.
			t.Errorf("%d tokens", n)
		}
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		out := complete(t, c, request("question", `,"`+name+`":5`))
		if out.Usage.Completion != 5 || out.Choices[0].FinishReason != "length" {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if out := complete(t, c, request("simulate: tokens=500", "")); out.Usage.Completion < 500 {
		t.Errorf("%d tokens, want 500", out.Usage.Completion)
	}
}

func TestChoices(t *testing.T) {
	out := complete(t, simulated.Config{}, request("Q", `,"n":3`))
	if len(out.Choices) != 3 || *out.Choices[0].Message.Content == *out.Choices[1].Message.Content {
		t.Errorf("%+v", out.Choices)
	}
}

const searchTool = `{"type":"function","function":{"name":"search","parameters":{"type":"object","required":["query","limit","mode","tags","where","deep","ratio","when"],
	"properties":{"query":{"type":"string","maxLength":12},"limit":{"type":"integer","minimum":5,"maximum":7},"mode":{"enum":["fast","slow"]},
	"tags":{"type":"array","minItems":2,"items":{"type":"string","minLength":30}},"where":{"type":"object","properties":{"path":{"type":["null","string"]}},"required":["path"]},
	"deep":{"type":"boolean"},"ratio":{"anyOf":[{"type":"number"},{"type":"null"}]},"when":{"type":"string","format":"date"},"extra":{"type":"string"}}}}}`

func TestToolCall(t *testing.T) {
	c := simulated.Config{ToolCallRate: 1}
	out := complete(t, c, request("What is the speed of light?", `,"tools":[`+searchTool+`]`))
	calls := out.Choices[0].Message.ToolCalls
	if len(calls) != 1 || calls[0].Function.Name != "search" || out.Choices[0].FinishReason != "tool_calls" || out.Choices[0].Message.Content != nil {
		t.Fatalf("%+v", out.Choices)
	}
	var args struct {
		Query string   `json:"query"`
		Limit int      `json:"limit"`
		Mode  string   `json:"mode"`
		Tags  []string `json:"tags"`
		Where struct {
			Path string `json:"path"`
		} `json:"where"`
		Deep  *bool    `json:"deep"`
		Ratio *float64 `json:"ratio"`
		When  string   `json:"when"`
	}
	if err := json.UnmarshalKnown([]byte(calls[0].Function.Arguments), &args); err != nil {
		t.Fatalf("%v: %s", err, calls[0].Function.Arguments)
	}
	if args.Query != "What is the " || args.Limit < 5 || args.Limit > 7 || args.Mode != "fast" || len(args.Tags) != 2 || len(args.Tags[0]) != 30 ||
		args.Where.Path != "path" || args.Deep == nil || args.Ratio == nil || args.When != "2026-01-15" {
		t.Errorf("arguments %s", calls[0].Function.Arguments)
	}
}

func TestWhenToolsAreCalled(t *testing.T) {
	tools := `,"tools":[` + searchTool + `,{"type":"function","function":{"name":"stop"}}]`
	after := `{"model":"m","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"search","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":"42 degrees"}]` + tools
	tests := []struct {
		name, body, tool, args, text string
		rate                         float64
	}{
		{name: "never by rate", body: request("Q", tools), rate: 0},
		{name: "forbidden", body: request("Q", tools+`,"tool_choice":"none"`), rate: 1},
		{name: "required", body: request("simulate: tool=nothing", tools+`,"tool_choice":"required"`), rate: 0},
		{name: "one by name", body: request("Q", tools+`,"tool_choice":{"type":"function","function":{"name":"stop"}}`), tool: "stop", args: "{}"},
		{name: "by script", body: request("Do it.\nsimulate: tool=stop", tools), tool: "stop", args: "{}"},
		{name: "by script with arguments", body: request(`simulate: tool=search {"query": "a b"}`, tools), tool: "search", args: `{"query": "a b"}`},
		{name: "by script with bad arguments", body: request(`simulate: tool=stop {"query": `, tools), tool: "stop", args: "{}"},
		{name: "after a result there is a text", body: after + "}", rate: 1, text: "The tool says: 42 degrees"},
		{name: "after a result, required", body: after + `,"tool_choice":"required"}`, rate: 1, text: "42 degrees"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := complete(t, simulated.Config{ToolCallRate: test.rate}, test.body)
			m := out.Choices[0].Message
			if test.tool == "" {
				if len(m.ToolCalls) != 0 || !strings.Contains(*m.Content, test.text) {
					t.Errorf("%+v", m)
				}
				return
			}
			if len(m.ToolCalls) != 1 || m.ToolCalls[0].Function.Name != test.tool || m.ToolCalls[0].Function.Arguments != test.args {
				t.Errorf("%+v", m)
			}
		})
	}
	out := complete(t, simulated.Config{}, request("Q", tools+`,"tool_choice":"required"`))
	if len(out.Choices[0].Message.ToolCalls) != 1 {
		t.Error("a required tool was not called")
	}
}

func TestFailures(t *testing.T) {
	tests := map[simulated.Failure]struct {
		status int
		body   string
		err    bool
	}{
		simulated.RateLimited: {status: 429, body: "rate_limit_error"},
		simulated.Overloaded:  {status: 503, body: "overloaded_error"},
		simulated.Broken:      {status: 500, body: "server_error"},
		simulated.Reset:       {err: true},
		simulated.Truncated:   {status: 200, err: true},
	}
	for f, want := range tests {
		for _, c := range []simulated.Config{{}, {FailureRate: 1, Failures: []simulated.Failure{f}}} {
			prompt := "simulate: fail=" + string(f)
			if c.FailureRate > 0 {
				prompt = "Q"
			}
			for _, stream := range []string{"", `,"stream":true`} {
				status, body, err := ask(t, c, request(prompt, stream), nil)
				if status != want.status || (err != nil) != want.err || !strings.Contains(body, want.body) || strings.Contains(body, "[DONE]") {
					t.Errorf("%s: status %d, %v: %s", f, status, err, body)
				}
			}
		}
	}
}

func TestFailureRate(t *testing.T) {
	c := simulated.Config{FailureRate: 0.3, Failures: []simulated.Failure{simulated.Overloaded, simulated.RateLimited}}
	count := map[int]int{}
	for i := range 1000 {
		status, _, _ := ask(t, c, request(fmt.Sprint("question ", i), ""), nil)
		count[status]++
	}
	for status, want := range map[int]int{503: 150, 429: 150, 200: 700} {
		if math.Abs(float64(count[status]-want)) > 50 {
			t.Errorf("%d answers of status %d, want about %d", count[status], status, want)
		}
	}
}

func TestLatency(t *testing.T) {
	c := simulated.Config{LatencyP50: 100 * time.Millisecond, LatencyP95: 400 * time.Millisecond}
	var all []time.Duration
	for i := range 1000 {
		first := true
		if _, _, err := ask(t, c, request(fmt.Sprint("question ", i), ""), func(d time.Duration) {
			if first {
				all = append(all, d)
			}
			first = false
		}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	if p50 := all[500]; p50 < 85*time.Millisecond || p50 > 115*time.Millisecond {
		t.Errorf("half of the calls took less than %s", p50)
	}
	if p95 := all[950]; p95 < 330*time.Millisecond || p95 > 480*time.Millisecond {
		t.Errorf("95 %% of the calls took less than %s", p95)
	}
	if most := all[999]; most > 4*time.Second {
		t.Errorf("one call took %s", most)
	}
}

func TestStreamPace(t *testing.T) {
	var waits []time.Duration
	c := simulated.Config{LatencyP50: time.Second, TokensPerSecond: 50}
	_, body, err := ask(t, c, request("simulate: text=one two three", `,"stream":true,"stream_options":{"include_usage":true}`),
		func(d time.Duration) { waits = append(waits, d) })
	if err != nil {
		t.Fatal(err)
	}
	events := strings.Count(body, "data: ")
	if len(waits) != events || waits[0] != time.Second || waits[1] != 20*time.Millisecond {
		t.Errorf("%d waits for %d events: %v", len(waits), events, waits)
	}
	if !strings.Contains(body, `"usage":{"prompt_tokens":`) || !strings.Contains(body, `"usage":null`) || !strings.HasSuffix(body, "data: [DONE]\n\n") {
		t.Errorf("stream %s", body)
	}
}

func TestBadRequests(t *testing.T) {
	for _, body := range []string{"", "{", "[]", `{"model":"m"}`, `{"messages":["text"]}`} {
		if status, got, err := ask(t, simulated.Config{}, body, nil); status != 400 || err != nil || !strings.Contains(got, "invalid_request_error") {
			t.Errorf("%q: status %d, %v: %s", body, status, err, got)
		}
	}
}

func TestParseScript(t *testing.T) {
	tests := []struct {
		prompt string
		want   simulated.Script
	}{
		{"Tell me about fail=reset.", simulated.Script{}},
		{"simulate: fail=overloaded times=1 model=sim-large", simulated.Script{Fail: simulated.Overloaded, Times: 1, Model: "sim-large"}},
		{"Hello.\n  simulate: delay=250ms tokens=40\nBye.", simulated.Script{Delay: 250 * time.Millisecond, Tokens: 40}},
		{"simulate: tool=search {\"q\": 1}", simulated.Script{Tool: "search", Args: `{"q": 1}`}},
		{"simulate: text=The rest, with fail=reset in it.", simulated.Script{Text: "The rest, with fail=reset in it."}},
		{"simulate: fail=reset\nsimulate: fail=hang", simulated.Script{Fail: simulated.Hang}},
		{"simulate: fail=nonsense times=x tokens=y delay=z what", simulated.Script{}},
		{"simulate:", simulated.Script{}},
	}
	for _, test := range tests {
		if got := simulated.ParseScript(test.prompt); got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.prompt, got, test.want)
		}
	}
}

func backend(t *testing.T, c simulated.Config) *simulated.Backend {
	t.Helper()
	c.Now = time.Now
	b, err := simulated.New("sim", c, provider.Timeouts{FirstByte: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func track(protocol signalbox.Protocol, body string, stream bool) *call.Track {
	return call.NewTrack(&signalbox.Call{
		Kind: signalbox.KindModel, Protocol: protocol, Stream: stream, Body: []byte(body), Span: signalbox.StartSpan("", "", ""),
		Model: &signalbox.ModelRequest{Model: "sim-1", Choices: 1, UsageWanted: true},
	})
}

var candidate = signalbox.Candidate{Name: "sim", Provider: "sim", Format: signalbox.ProtocolOpenAIChat, Upstream: "sim-1", Simulated: true}

// read opens a call and reads its answer.
func read(ctx context.Context, b *simulated.Backend, tr *call.Track) (string, call.Report, error) {
	up, err := b.Open(ctx, tr, candidate, tr.Call.Span)
	if err != nil {
		return "", call.Report{}, err
	}
	defer up.Close()
	var all strings.Builder
	for {
		part, err := up.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all.String(), up.Report(), nil
		}
		if err != nil {
			return all.String(), up.Report(), err
		}
		all.Write(part.Data)
	}
}

func TestBackendInBothFormats(t *testing.T) {
	const anthropic = `{"model":"sim-1","max_tokens":100,"messages":[{"role":"user","content":"Why?"}],"tools":[{"name":"look","input_schema":{"type":"object"}}]}`
	for _, stream := range []bool{false, true} {
		body := anthropic
		if stream {
			body = strings.TrimSuffix(body, "}") + `,"stream":true}`
		}
		for rate, want := range map[float64]string{0: `[sim`, 1: `"tool_use"`} {
			got, report, err := read(t.Context(), backend(t, simulated.Config{ToolCallRate: rate}), track(signalbox.ProtocolAnthropic, body, stream))
			if err != nil || !strings.Contains(got, want) || report.Usage == nil || report.Usage.Output == 0 {
				t.Errorf("stream %v, tools %v: %v %+v %s", stream, rate, err, report, got)
			}
		}
	}
}

// A failure can be limited to the first attempts, so that a fallback serves.
func TestAttemptsDiffer(t *testing.T) {
	b := backend(t, simulated.Config{})
	tr := track(signalbox.ProtocolOpenAIChat, request("simulate: fail=overloaded times=1", ""), false)
	tr.Attempts = make([]signalbox.Attempt, 1)
	if _, _, err := read(t.Context(), b, tr); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
		t.Errorf("first attempt: %v", err)
	}
	tr.Attempts = make([]signalbox.Attempt, 2)
	if _, _, err := read(t.Context(), b, tr); err != nil {
		t.Errorf("second attempt: %v", err)
	}
}

func TestTimeIsReal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, simulated.Config{LatencyP50: 2 * time.Second, TokensPerSecond: 10})
		start := time.Now()
		got, _, err := read(t.Context(), b, track(signalbox.ProtocolOpenAIChat, request("simulate: text=1234", `,"stream":true`), true))
		if err != nil {
			t.Fatal(err)
		}
		// The text is 16 bytes with its label, in pieces of four; besides there is the role, the finish, usage and the end.
		if took := time.Since(start); took != 2*time.Second+7*100*time.Millisecond {
			t.Errorf("took %s for %s", took, got)
		}
	})
}

func TestHangEndsWithItsLimitOrItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, simulated.Config{})
		tr := track(signalbox.ProtocolOpenAIChat, request("simulate: fail=hang", ""), false)
		start := time.Now()
		if _, _, err := read(t.Context(), b, tr); signalbox.CodeOf(err) != signalbox.CodeTimeout {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		middle := time.Now()
		if _, _, err := read(ctx, b, tr); err == nil {
			t.Error("it answered")
		}
		t.Logf("limits: %s, %s", middle.Sub(start), time.Since(middle))
		if time.Since(middle) != time.Second {
			t.Errorf("took %s after its caller had gone", time.Since(middle)-time.Second)
		}
	})
}

func TestCallerGoesAwayInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, simulated.Config{TokensPerSecond: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		got, report, err := read(ctx, b, track(signalbox.ProtocolOpenAIChat, request("Q", `,"stream":true`), true))
		if err == nil || strings.Contains(got, "[DONE]") || report.Usage != nil {
			t.Errorf("%v %+v %s", err, report, got)
		}
	})
}

func TestNewNamesItsProvider(t *testing.T) {
	if got := simulated.Failures(); len(got) != 6 {
		t.Errorf("%d failures", len(got))
	}
}

// A slow model is not one that can not be reached: the time to connect ends when the model has the request.
func TestSlowModelIsConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, simulated.Config{})
		tr := track(signalbox.ProtocolOpenAIChat, request("simulate: delay=20s tokens=3", ""), false)
		if _, _, err := read(t.Context(), b, tr); err != nil {
			t.Errorf("got %v, want an answer after 20 s", err)
		}
	})
}
