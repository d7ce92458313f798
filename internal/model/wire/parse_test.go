package wire_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

func parse(format signalbox.Protocol, body string) (*signalbox.ModelRequest, bool, error) {
	if format == anthropic {
		return wire.ParseAnthropicMessages([]byte(body))
	}
	return wire.ParseOpenAIChat([]byte(body))
}

func TestParse(t *testing.T) {
	long := strings.Repeat("한", signalbox.MaxExcerpt)
	tests := []struct {
		name   string
		format signalbox.Protocol
		body   string
		stream bool
		want   signalbox.ModelRequest
	}{
		{
			"openai minimal", openAI, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, Prompt: "hi"},
		},
		{
			"openai stream without usage", openAI,
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":5,"n":3}`, true,
			signalbox.ModelRequest{Model: "m", MaxOutput: 5, Choices: 3, Messages: 1, Prompt: "hi"},
		},
		{
			"openai stream with usage", openAI,
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":6}`,
			true,
			signalbox.ModelRequest{Model: "m", MaxOutput: 6, Choices: 1, UsageWanted: true, Messages: 1, Prompt: "hi"},
		},
		{
			"openai nulls", openAI,
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":null,"n":null,"max_tokens":null,"tools":null,"stream_options":null}`,
			false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, Prompt: "hi"},
		},
		{
			"openai last user message and tools", openAI,
			`{"model":"m","messages":[{"role":"user","content":"first"},{"role":"user","content":[{"type":"text","text":"sec"},{"type":"text","text":"ond"}]},` +
				`{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","tool_call_id":"x","content":"r"}],"tools":[{},{}]}`,
			false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 4, Tools: 2, Prompt: "second"},
		},
		{
			"openai inline image", openAI,
			`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}`,
			false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, Unseen: wire.MaxImageTokens},
		},
		{
			"openai image by address", openAI,
			`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}`,
			false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, External: true},
		},
		{
			"openai file", openAI,
			`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}`,
			false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, External: true},
		},
		{
			"openai unknown part", openAI, `{"model":"m","messages":[{"role":"user","content":[{"type":"new"}]}]}`, false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, External: true},
		},
		{
			"openai long prompt", openAI, `{"model":"m","messages":[{"role":"user","content":"` + long + `"}]}`, false,
			signalbox.ModelRequest{Model: "m", Choices: 1, UsageWanted: true, Messages: 1, Prompt: long[:2046]},
		},
		{
			"anthropic minimal", anthropic, `{"model":"m","max_tokens":7,"messages":[{"role":"user","content":"hi"}],"stream":true}`, true,
			signalbox.ModelRequest{Model: "m", MaxOutput: 7, Choices: 1, UsageWanted: true, Messages: 1, Prompt: "hi"},
		},
		{
			"anthropic tool result is not the prompt", anthropic,
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":"ask"},{"role":"assistant","content":"a"},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"r"}]}]}],"tools":[{"name":"x"}]}`,
			false,
			signalbox.ModelRequest{Model: "m", MaxOutput: 7, Choices: 1, UsageWanted: true, Messages: 3, Tools: 1, Prompt: "ask"},
		},
		{
			"anthropic image by address in a tool result", anthropic,
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image","source":{"type":"url","url":"x"}}]}]}]}`,
			false,
			signalbox.ModelRequest{Model: "m", MaxOutput: 7, Choices: 1, UsageWanted: true, Messages: 1, External: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, stream, err := parse(tt.format, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) || stream != tt.stream {
				t.Errorf("got %+v, stream %v\nwant %+v, stream %v", *got, stream, tt.want, tt.stream)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	tests := []struct {
		name         string
		format       signalbox.Protocol
		body         string
		field, words string
	}{
		{"not JSON", openAI, `{`, "body", "ends too early"},
		{"not an object", openAI, `[]`, "body", "an array where an object is expected"},
		{"duplicate", openAI, `{"model":"a","model":"b"}`, "body", `duplicate name "model"`},
		{"duplicate by case", openAI, `{"model":"a","Model":"b"}`, "body", `duplicate name "Model" (also written "model")`},
		{"known name by case", openAI, `{"Model":"b",` + messages + `}`, "body", `name "Model" must be written "model"`},
		{"known name by case in a message", anthropic, `{"model":"m","max_tokens":1,"messages":[{"Role":"user","content":"x"}]}`, "messages[0]", `must be written "role"`},
		{"trailing garbage", openAI, `{"model":"m",` + messages + `} x`, "body", "data after the end"},
		{"deep", openAI, strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200), "body", "nested deeper"},
		{"no model", openAI, `{` + messages + `}`, "model", "must name a model"},
		{"model of another type", openAI, `{"model":7,` + messages + `}`, "model", "a number where a string is expected"},
		{"no messages", openAI, `{"model":"m","messages":[]}`, "messages", "at least one message"},
		{"messages of another type", openAI, `{"model":"m","messages":"hi"}`, "messages", "a string where an array"},
		{"message of another type", openAI, `{"model":"m","messages":["hi"]}`, "messages[0]", "a string where an object"},
		{"no role", openAI, `{"model":"m","messages":[{"content":"hi"}]}`, "messages[0].role", "who speaks"},
		{"content of another type", openAI, `{"model":"m","messages":[{"role":"user","content":7}]}`, "messages[0].content", "string or an array"},
		{"negative max_tokens", openAI, `{"model":"m",` + messages + `,"max_tokens":-1}`, "max_tokens", "at least 1"},
		{"zero max_tokens", anthropic, `{"model":"m",` + messages + `,"max_tokens":0}`, "max_tokens", "at least 1"},
		{"fractional max_tokens", anthropic, `{"model":"m",` + messages + `,"max_tokens":1.5}`, "max_tokens", "whole number"},
		{"max_tokens as text", anthropic, `{"model":"m",` + messages + `,"max_tokens":"5"}`, "max_tokens", "whole number"},
		{"huge max_tokens", openAI, `{"model":"m",` + messages + `,"max_completion_tokens":1e30}`, "max_completion_tokens", "whole number"},
		{"no max_tokens", anthropic, `{"model":"m",` + messages + `}`, "max_tokens", "required"},
		{"two max_tokens", openAI, `{"model":"m",` + messages + `,"max_tokens":1,"max_completion_tokens":2}`, "max_tokens", "differ"},
		{"n too large", openAI, `{"model":"m",` + messages + `,"n":129}`, "n", "above 128"},
		{"n zero", openAI, `{"model":"m",` + messages + `,"n":0}`, "n", "at least 1"},
		{"stream of another type", openAI, `{"model":"m",` + messages + `,"stream":"yes"}`, "stream", "a string where a boolean"},
		{"include_usage by case", openAI, `{"model":"m",` + messages + `,"stream":true,"stream_options":{"Include_Usage":true}}`, "stream_options", `must be written "include_usage"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parse(tt.format, tt.body)
			var e *signalbox.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *signalbox.Error", err)
			}
			if e.Code != signalbox.CodeInvalid || e.Field != tt.field || !strings.Contains(e.Message, tt.words) || e.Remedy == "" {
				t.Errorf("got %s %q %q, remedy %q, want %q, %q", e.Code, e.Field, e.Message, e.Remedy, tt.field, tt.words)
			}
		})
	}
}
