package sdk

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/signalbox/signalbox/tests/upstream"
)

func anthropicClient(t target, options ...option.RequestOption) anthropic.Client {
	return anthropic.NewClient(append([]option.RequestOption{option.WithBaseURL(t.url), option.WithAPIKey(t.key)}, options...)...)
}

func message(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: model, MaxTokens: 100, System: []anthropic.TextBlockParam{{Text: "Be brief."}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Explain the signal box."))},
	}
}

func TestAnthropic(t *testing.T) {
	b := start(t)
	for _, at := range b.targets("anthropic", "openai") {
		t.Run(at.name, func(t *testing.T) {
			client := anthropicClient(at)
			t.Run("unary", func(t *testing.T) { anthropicUnary(t, client, at) })
			t.Run("stream", func(t *testing.T) { anthropicStream(t, client, at) })
			t.Run("tools", func(t *testing.T) { anthropicTools(t, client, at) })
			t.Run("tools in a stream", func(t *testing.T) { anthropicToolStream(t, client, at) })
			t.Run("provider fails", func(t *testing.T) { anthropicRetries(t, at) })
			t.Run("stream breaks", func(t *testing.T) { anthropicBroken(t, client, at) })
		})
	}
	b.Complete(t)
}

func anthropicUnary(t *testing.T, client anthropic.Client, at target) {
	answer, err := client.Messages.New(t.Context(), message(at.model("good")))
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Content) != 1 || answer.Content[0].Text != upstream.Text || answer.StopReason != "end_turn" {
		t.Errorf("got %s", answer.RawJSON())
	}
	checkAnthropicUsage(t, answer.Usage, upstream.Output())
}

func checkAnthropicUsage(t *testing.T, u anthropic.Usage, output int64) {
	t.Helper()
	if u.InputTokens != upstream.Input-upstream.CacheRead || u.CacheReadInputTokens != upstream.CacheRead || u.OutputTokens != output {
		t.Errorf("usage: %d in, %d from the cache, %d out", u.InputTokens, u.CacheReadInputTokens, u.OutputTokens)
	}
}

// accumulate reads a stream as programs do.
func accumulate(t *testing.T, client anthropic.Client, params anthropic.MessageNewParams) (anthropic.Message, []string, error) {
	t.Helper()
	stream := client.Messages.NewStreaming(t.Context(), params)
	var all anthropic.Message
	var kinds []string
	for stream.Next() {
		event := stream.Current()
		if event.Type != "ping" && event.Type != "content_block_delta" {
			kinds = append(kinds, event.Type)
		}
		if err := all.Accumulate(event); err != nil {
			t.Fatal(err)
		}
	}
	return all, kinds, stream.Err()
}

const sequence = "message_start content_block_start content_block_stop message_delta message_stop"

func anthropicStream(t *testing.T, client anthropic.Client, at target) {
	all, kinds, err := accumulate(t, client, message(at.model("good")))
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Content) != 1 || all.Content[0].Text != upstream.Text || all.StopReason != "end_turn" {
		t.Errorf("got %+v, stop %s", all.Content, all.StopReason)
	}
	if got := strings.Join(kinds, " "); got != sequence {
		t.Errorf("the events are %s", got)
	}
	if all.Usage.OutputTokens != upstream.Output() {
		t.Errorf("%d output tokens, want %d", all.Usage.OutputTokens, upstream.Output())
	}
}

func forecast() []anthropic.ToolUnionParam {
	return []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name: "get_weather", Description: anthropic.String("Weather of a city."),
		InputSchema: anthropic.ToolInputSchemaParam{
			Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"},
		},
	}}}
}

// anthropicTools: the model calls a tool, gets its result, and answers.
func anthropicTools(t *testing.T, client anthropic.Client, at target) {
	params := message(at.model("good"))
	params.Tools = forecast()
	answer, err := client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Content) != 1 || answer.StopReason != "tool_use" || answer.Content[0].Name != "get_weather" {
		t.Fatalf("got %s", answer.RawJSON())
	}
	call := answer.Content[0]
	if got := string(call.Input); got != upstream.Arguments {
		t.Errorf("the arguments are %s", got)
	}
	params.Messages = append(params.Messages, answer.ToParam(),
		anthropic.NewUserMessage(anthropic.NewToolResultBlock(call.ID, "Sunny.", false)))
	answer, err = client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Content[0].Text != upstream.Text {
		t.Errorf("after the tool: %s", answer.RawJSON())
	}
}

func anthropicToolStream(t *testing.T, client anthropic.Client, at target) {
	params := message(at.model("good"))
	params.Tools = forecast()
	all, kinds, err := accumulate(t, client, params)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Content) != 1 || all.Content[0].Name != "get_weather" || string(all.Content[0].Input) != upstream.Arguments {
		t.Errorf("got %+v", all.Content)
	}
	if all.StopReason != "tool_use" || strings.Join(kinds, " ") != sequence {
		t.Errorf("stop %s, events %v", all.StopReason, kinds)
	}
}

func anthropicRetries(t *testing.T, at target) {
	count := &counter{}
	client := anthropicClient(at, option.WithHTTPClient(&http.Client{Transport: count}), option.WithMaxRetries(1))
	_, err := client.Messages.New(t.Context(), message(at.model("html-500")))
	var e *anthropic.Error
	if !errors.As(err, &e) || e.StatusCode < 500 {
		t.Errorf("got %v", err)
	}
	if got := count.n.Load(); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func anthropicBroken(t *testing.T, client anthropic.Client, at target) {
	for _, fault := range []string{"error-event", "reset-mid"} {
		all, kinds, err := accumulate(t, client, message(at.model(fault)))
		if err == nil || all.StopReason != "" || slices.Contains(kinds, "message_stop") {
			t.Errorf("%s: error %v, stop %q, events %v", fault, err, all.StopReason, kinds)
		}
	}
}

func TestAnthropicRefusals(t *testing.T) {
	b := start(t)
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			count := &counter{}
			client := anthropicClient(target{url: b.URL, key: c.key}, option.WithHTTPClient(&http.Client{Transport: count}))
			_, err := client.Messages.New(t.Context(), message(c.model))
			var e *anthropic.Error
			if !errors.As(err, &e) || e.StatusCode != c.status || !strings.Contains(e.RawJSON(), `"code":"`+c.code+`"`) || e.RequestID == "" {
				t.Errorf("got %v, want %d with code %s and a request id", err, c.status, c.code)
			}
			if got := count.n.Load(); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
}

func TestAnthropicModels(t *testing.T) {
	b := start(t)
	client := anthropicClient(b.targets("anthropic", "")[1])
	page, err := client.Models.List(t.Context(), anthropic.ModelListParams{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range page.Data {
		names = append(names, m.ID)
	}
	if !slices.Contains(names, "openai-good") || !slices.Contains(names, "anthropic-good") {
		t.Errorf("the models are %v", names)
	}
}
