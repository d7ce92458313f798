package sdk

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/signalbox/signalbox/tests/upstream"
)

func openAIClient(t target, options ...option.RequestOption) openai.Client {
	return openai.NewClient(append([]option.RequestOption{option.WithBaseURL(t.url + "/v1/"), option.WithAPIKey(t.key)}, options...)...)
}

func chat(model string, messages ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: messages}
}

func question() openai.ChatCompletionMessageParamUnion {
	return openai.UserMessage("Explain the signal box.")
}

func TestOpenAI(t *testing.T) {
	b := start(t)
	for _, at := range b.targets("openai", "anthropic") {
		t.Run(at.name, func(t *testing.T) {
			client := openAIClient(at)
			t.Run("unary", func(t *testing.T) { openAIUnary(t, client, at) })
			t.Run("stream with usage", func(t *testing.T) { openAIStream(t, client, at, true) })
			t.Run("stream without usage", func(t *testing.T) { openAIStream(t, client, at, false) })
			t.Run("tools", func(t *testing.T) { openAITools(t, client, at) })
			t.Run("tools in a stream", func(t *testing.T) { openAIToolStream(t, client, at) })
			t.Run("provider fails", func(t *testing.T) { openAIRetries(t, at) })
			t.Run("stream breaks", func(t *testing.T) { openAIBroken(t, client, at) })
		})
	}
	b.Complete(t)
}

func openAIUnary(t *testing.T, client openai.Client, at target) {
	answer, err := client.Chat.Completions.New(t.Context(), chat(at.model("good"), question()))
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Choices[0]; got.Message.Content != upstream.Text || got.FinishReason != "stop" {
		t.Errorf("got %q, finish %q", got.Message.Content, got.FinishReason)
	}
	checkOpenAIUsage(t, answer.Usage, upstream.Output())
}

func checkOpenAIUsage(t *testing.T, u openai.CompletionUsage, output int64) {
	t.Helper()
	if u.PromptTokens != upstream.Input || u.CompletionTokens != output || u.TotalTokens != upstream.Input+output ||
		u.PromptTokensDetails.CachedTokens != upstream.CacheRead {
		t.Errorf("usage %s", u.RawJSON())
	}
}

func openAIStream(t *testing.T, client openai.Client, at target, usage bool) {
	params := chat(at.model("good"), question())
	if usage {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
	}
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	var all openai.ChatCompletionAccumulator
	usages := 0
	for stream.Next() {
		chunk := stream.Current()
		if !all.AddChunk(chunk) {
			t.Fatalf("the SDK can not add the chunk %s", chunk.RawJSON())
		}
		if chunk.Usage.TotalTokens > 0 {
			usages++
			checkOpenAIUsage(t, chunk.Usage, upstream.Output())
		}
		if !usage && chunk.JSON.Usage.Valid() {
			t.Errorf("usage that nobody asked for: %s", chunk.RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if got := all.Choices[0]; got.Message.Content != upstream.Text || got.FinishReason != "stop" {
		t.Errorf("got %q, finish %q", got.Message.Content, got.FinishReason)
	}
	if usage != (usages == 1) {
		t.Errorf("usage came %d times", usages)
	}
}

func weather() openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name: "get_weather", Description: openai.String("Weather of a city."),
		Parameters: openai.FunctionParameters{
			"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
		},
	})
}

// openAITools: the model calls a tool, gets its result, and answers.
func openAITools(t *testing.T, client openai.Client, at target) {
	params := chat(at.model("good"), question())
	params.Tools = []openai.ChatCompletionToolUnionParam{weather()}
	answer, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	message := answer.Choices[0].Message
	if len(message.ToolCalls) != 1 || answer.Choices[0].FinishReason != "tool_calls" {
		t.Fatalf("got %s", answer.RawJSON())
	}
	call := message.ToolCalls[0]
	if call.Function.Name != "get_weather" || call.Function.Arguments != upstream.Arguments {
		t.Errorf("the call is %s", call.RawJSON())
	}
	params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage("Sunny.", call.ID))
	answer, err = client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Choices[0].Message.Content; got != upstream.Text {
		t.Errorf("after the tool: %q", got)
	}
}

func openAIToolStream(t *testing.T, client openai.Client, at target) {
	params := chat(at.model("good"), question())
	params.Tools = []openai.ChatCompletionToolUnionParam{weather()}
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		all.AddChunk(stream.Current())
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	calls := all.Choices[0].Message.ToolCalls
	if len(calls) != 1 || calls[0].Function.Name != "get_weather" || calls[0].Function.Arguments != upstream.Arguments {
		t.Errorf("the calls are %+v", calls)
	}
	if got := all.Choices[0].FinishReason; got != "tool_calls" {
		t.Errorf("finish %q", got)
	}
}

// openAIRetries: what a provider suffers from for a while is retried by the SDK, as it would be at the provider.
func openAIRetries(t *testing.T, at target) {
	count := &counter{}
	client := openAIClient(at, option.WithHTTPClient(&http.Client{Transport: count}), option.WithMaxRetries(1))
	_, err := client.Chat.Completions.New(t.Context(), chat(at.model("html-500"), question()))
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode < 500 {
		t.Errorf("got %v", err)
	}
	if got := count.n.Load(); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

// openAIBroken: a program that only looks at the SDK's error learns that the answer is not whole.
func openAIBroken(t *testing.T, client openai.Client, at target) {
	for _, fault := range []string{"error-event", "reset-mid"} {
		stream := client.Chat.Completions.NewStreaming(t.Context(), chat(at.model(fault), question()))
		finished := false
		for stream.Next() {
			for _, c := range stream.Current().Choices {
				finished = finished || c.FinishReason != ""
			}
		}
		if stream.Err() == nil || finished {
			t.Errorf("%s: error %v, finished %v", fault, stream.Err(), finished)
		}
	}
}

func TestOpenAIRefusals(t *testing.T) {
	b := start(t)
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			count := &counter{}
			client := openAIClient(target{url: b.URL, key: c.key}, option.WithHTTPClient(&http.Client{Transport: count}))
			_, err := client.Chat.Completions.New(t.Context(), chat(c.model, question()))
			var e *openai.Error
			if !errors.As(err, &e) || e.StatusCode != c.status || e.Code != c.code || e.Message == "" {
				t.Errorf("got %v, want %d with code %s", err, c.status, c.code)
			}
			if got := count.n.Load(); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
}

func TestOpenAIModels(t *testing.T) {
	b := start(t)
	client := openAIClient(b.targets("openai", "")[1])
	page, err := client.Models.List(t.Context())
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
	m, err := client.Models.Get(t.Context(), "openai-good")
	if err != nil || m.ID != "openai-good" || m.OwnedBy != "openai" {
		t.Errorf("got %+v, %v", m, err)
	}
}
