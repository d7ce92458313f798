package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	anthropicsdk "github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	openaisdk "github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// translator is an HTTP client that answers an SDK with the translation of what the other provider would say.
type translator struct {
	client, backend signalbox.Protocol
	reply           string // The backend's answer or stream.
	sent            string // The request as the backend would get it.
}

// RoundTrip parses, translates, and replies.
func (tr *translator) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	req, stream, err := parse(tr.client, string(body))
	if err != nil {
		return tr.refuse(err), nil
	}
	p, _ := wire.PairOf(tr.client, tr.backend)
	out, err := p.Request(body, target)
	if err != nil {
		return tr.refuse(err), nil
	}
	tr.sent = string(out)
	asked := wire.Asked{Choices: req.Choices, UsageWanted: req.UsageWanted, Created: time.Unix(1700000000, 0)}
	if stream {
		data, _, _, err := translate(p.Stream(asked), []byte(tr.reply))
		if err != nil {
			data = append(data, wire.EncodeErrorEvent(tr.client, signalbox.AsError(err), "req_1")...)
		}
		return respond(200, "text/event-stream", data), nil
	}
	a, err := p.Response([]byte(tr.reply), asked)
	if err != nil {
		return tr.refuse(err), nil
	}
	return respond(200, "application/json", a.Body), nil
}

func (tr *translator) refuse(err error) *http.Response {
	e := signalbox.AsError(err)
	return respond(e.Code.Status(), "application/json", wire.EncodeError(tr.client, e, "req_1"))
}

func respond(status int, kind string, data []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(data)),
	}
}

func openAIClient(tr *translator) openaisdk.Client {
	return openaisdk.NewClient(openaioption.WithHTTPClient(&http.Client{Transport: tr}), openaioption.WithAPIKey("sb_x"),
		openaioption.WithBaseURL("http://signalbox.test/v1"), openaioption.WithMaxRetries(0))
}

func anthropicClient(tr *translator) anthropicsdk.Client {
	return anthropicsdk.NewClient(anthropicoption.WithHTTPClient(&http.Client{Transport: tr}),
		anthropicoption.WithAPIKey("sb_x"), anthropicoption.WithBaseURL("http://signalbox.test"), anthropicoption.WithMaxRetries(0))
}

var chatParams = openaisdk.ChatCompletionNewParams{
	Model: "m",
	Messages: []openaisdk.ChatCompletionMessageParamUnion{
		openaisdk.SystemMessage("Be brief."), openaisdk.UserMessage("weather?"),
	},
	Tools: []openaisdk.ChatCompletionToolUnionParam{openaisdk.ChatCompletionFunctionTool(openaisdk.FunctionDefinitionParam{
		Name: "get", Parameters: openaisdk.FunctionParameters{"type": "object"},
	})},
	StreamOptions: openaisdk.ChatCompletionStreamOptionsParam{IncludeUsage: openaisdk.Bool(true)},
}

var messageParams = anthropicsdk.MessageNewParams{
	Model: "m", MaxTokens: 9, System: []anthropicsdk.TextBlockParam{{Text: "Be brief."}},
	Messages: []anthropicsdk.MessageParam{anthropicsdk.NewUserMessage(anthropicsdk.NewTextBlock("weather?"))},
}

const anthropicToolAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"Hello"},` +
	`{"type":"tool_use","id":"t1","name":"get","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":20,"output_tokens":7}}`

const openAIToolAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant",` +
	`"content":"Hello","tool_calls":[{"id":"t1","type":"function","function":{"name":"get","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],` +
	`"usage":{"prompt_tokens":30,"completion_tokens":7,"total_tokens":37,"prompt_tokens_details":{"cached_tokens":20}}}`

// toolStreams writes "Hello" and a call of f with {"a":"x"} as a stream of each backend.
func toolStreams() map[signalbox.Protocol]string {
	a := answer{text: []string{"Hel", "lo"}, tools: [][]string{{`{"a":`, `"x"}`}, {`{"a":`, `"y"}`}}}
	p, _ := wire.PairOf(anthropic, openAI)
	middle, _, _, _ := translate(p.Stream(wire.Asked{}), a.openAIStream())
	return map[signalbox.Protocol]string{openAI: string(a.openAIStream()), anthropic: string(middle)}
}

func TestOpenAISDKUnary(t *testing.T) {
	tr := &translator{client: openAI, backend: anthropic, reply: anthropicToolAnswer}
	client := openAIClient(tr)
	params := chatParams
	params.StreamOptions = openaisdk.ChatCompletionStreamOptionsParam{}
	c, err := client.Chat.Completions.New(context.Background(), params)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Choices[0].Message
	if m.Content != "Hello" || len(m.ToolCalls) != 1 || m.ToolCalls[0].Function.Arguments != `{"a":1}` ||
		c.Choices[0].FinishReason != "tool_calls" || c.Usage.PromptTokens != 30 || c.Usage.PromptTokensDetails.CachedTokens != 20 {
		t.Errorf("got %s", c.RawJSON())
	}
	if !strings.Contains(tr.sent, `"system":[{"type":"text","text":"Be brief."}]`) {
		t.Errorf("sent %s", tr.sent)
	}
}

func TestOpenAISDKStream(t *testing.T) {
	for backend, stream := range toolStreams() {
		t.Run(string(backend), func(t *testing.T) {
			client := openAIClient(&translator{client: openAI, backend: backend, reply: stream})
			s := client.Chat.Completions.NewStreaming(context.Background(), chatParams)
			acc := openaisdk.ChatCompletionAccumulator{}
			for s.Next() {
				if !acc.AddChunk(s.Current()) {
					t.Fatalf("the accumulator refuses %s", s.Current().RawJSON())
				}
			}
			if s.Err() != nil {
				t.Fatal(s.Err())
			}
			m := acc.Choices[0].Message
			if m.Content != "Hello" || len(m.ToolCalls) != 2 || m.ToolCalls[1].Function.Arguments != `{"a":"y"}` ||
				acc.Choices[0].FinishReason != "tool_calls" || acc.Usage.PromptTokens != 11 || acc.Usage.CompletionTokens != 7 {
				t.Errorf("got %+v", acc)
			}
		})
	}
}

func TestAnthropicSDKUnary(t *testing.T) {
	client := anthropicClient(&translator{client: anthropic, backend: openAI, reply: openAIToolAnswer})
	m, err := client.Messages.New(context.Background(), messageParams)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Content) != 2 || m.Content[0].Text != "Hello" || string(m.Content[1].Input) != `{"a":1}` ||
		m.StopReason != "tool_use" || m.Usage.InputTokens != 10 || m.Usage.CacheReadInputTokens != 20 || m.Usage.OutputTokens != 7 {
		t.Errorf("got %s", m.RawJSON())
	}
}

func TestAnthropicSDKStream(t *testing.T) {
	for backend, stream := range toolStreams() {
		t.Run(string(backend), func(t *testing.T) {
			client := anthropicClient(&translator{client: anthropic, backend: backend, reply: stream})
			s := client.Messages.NewStreaming(context.Background(), messageParams)
			m := anthropicsdk.Message{}
			for s.Next() {
				if err := m.Accumulate(s.Current()); err != nil {
					t.Fatal(err)
				}
			}
			if s.Err() != nil {
				t.Fatal(s.Err())
			}
			if len(m.Content) != 3 || m.Content[0].Text != "Hello" || string(m.Content[2].Input) != `{"a":"y"}` ||
				m.StopReason != "tool_use" || m.Usage.OutputTokens != 7 {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// TestSDKsSeeErrors checks that errors become the SDKs' own exceptions, before and inside of a stream.
func TestSDKsSeeErrors(t *testing.T) {
	ctx := context.Background()
	openAIParams := chatParams
	openAIParams.N = openaisdk.Int(2)
	refused := openAIClient(&translator{client: openAI, backend: anthropic})
	_, err := refused.Chat.Completions.New(ctx, openAIParams)
	var e *openaisdk.Error
	if !errors.As(err, &e) || e.StatusCode != http.StatusBadRequest || e.Param != "n" || !strings.Contains(e.Message, "n can not be carried over") {
		t.Errorf("openai: got %v", err)
	}
	temperature := messageParams
	temperature.TopK = anthropicsdk.Int(5)
	refusedToo := anthropicClient(&translator{client: anthropic, backend: openAI})
	_, err = refusedToo.Messages.New(ctx, temperature)
	if err == nil || !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), "top_k can not be carried over") {
		t.Errorf("anthropic: got %v", err)
	}
	for backend, stream := range toolStreams() {
		cut := strings.Join(strings.SplitAfter(stream, "\n\n")[:3], "")
		broken := openAIClient(&translator{client: openAI, backend: backend, reply: cut})
		s := broken.Chat.Completions.NewStreaming(ctx, chatParams)
		for s.Next() { // Only the end matters.
		}
		if s.Err() == nil || !strings.Contains(s.Err().Error(), "incomplete") {
			t.Errorf("openai from %s: a cut stream ends with %v", backend, s.Err())
		}
		brokenToo := anthropicClient(&translator{client: anthropic, backend: backend, reply: cut})
		m := brokenToo.Messages.NewStreaming(ctx, messageParams)
		for m.Next() { // Only the end matters.
		}
		if m.Err() == nil || !strings.Contains(m.Err().Error(), "incomplete") {
			t.Errorf("anthropic from %s: a cut stream ends with %v", backend, m.Err())
		}
	}
}
