package upstream

import (
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// openAI is OpenAI's chat completions.
type openAI struct{}

type object = map[string]any

const created = 1760000000

func (openAI) toolName(tool []byte) string {
	var t struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal(tool, &t) != nil {
		return ""
	}
	return t.Function.Name
}

func (openAI) hasResult(message []byte) bool {
	var m struct {
		Role string `json:"role"`
	}
	return json.Unmarshal(message, &m) == nil && m.Role == "tool"
}

func (o openAI) unary(a ask) []byte {
	message := object{"role": "assistant", "content": strings.Join(a.words, ""), "refusal": nil, "annotations": []any{}}
	finish := "stop"
	if a.tool != "" {
		finish = "tool_calls"
		message["content"] = nil
		message["tool_calls"] = []any{object{
			"id": "call_upstream1", "type": "function", "function": object{"name": a.tool, "arguments": Arguments},
		}}
	}
	answer := object{
		"id": "chatcmpl-upstream", "object": "chat.completion", "created": created, "model": a.Model + "-2026-01-01",
		"choices":      []any{object{"index": 0, "message": message, "logprobs": nil, "finish_reason": finish}},
		"service_tier": "default", "system_fingerprint": "fp_upstream",
	}
	if !a.noUsage {
		answer["usage"] = o.usage(a)
	}
	return encode(answer)
}

func (openAI) usage(a ask) object {
	input, output := int64(Input), int64(len(a.words))
	if a.negative {
		output = -output
	}
	return object{
		"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
		"prompt_tokens_details":     object{"cached_tokens": CacheRead, "audio_tokens": 0},
		"completion_tokens_details": object{"reasoning_tokens": 0, "audio_tokens": 0},
	}
}

// events are the role, the content, the finish reason, the usage if it was asked for, and the end mark.
func (o openAI) events(a ask) []event {
	list := []event{o.chunk(a, object{"role": "assistant", "content": "", "refusal": nil}, nil, 0)}
	finish := "stop"
	if a.tool != "" {
		finish = "tool_calls"
		list = append(list, o.toolChunks(a)...)
	} else {
		for _, w := range a.words {
			list = append(list, o.chunk(a, object{"content": w}, nil, 1))
		}
	}
	list = append(list, o.chunk(a, object{}, finish, 0))
	if a.StreamOptions.IncludeUsage && !a.noUsage {
		last := o.envelope(a)
		last["choices"], last["usage"] = []any{}, o.usage(a)
		list = append(list, event{frame("", encode(last)), 0})
	}
	return append(list, event{frame("", []byte("[DONE]")), 0})
}

func (o openAI) toolChunks(a ask) []event {
	piece := func(call object, tokens int64) event {
		return o.chunk(a, object{"tool_calls": []any{call}}, nil, tokens)
	}
	half := len(Arguments) / 2
	return []event{
		piece(object{
			"index": 0, "id": "call_upstream1", "type": "function", "function": object{"name": a.tool, "arguments": ""},
		}, 1),
		piece(object{"index": 0, "function": object{"arguments": Arguments[:half]}}, 1),
		piece(object{"index": 0, "function": object{"arguments": Arguments[half:]}}, 1),
	}
}

func (openAI) envelope(a ask) object {
	e := object{
		"id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": created, "model": a.Model + "-2026-01-01",
		"service_tier": "default", "system_fingerprint": "fp_upstream",
	}
	if a.StreamOptions.IncludeUsage {
		e["usage"] = nil
	}
	return e
}

func (o openAI) chunk(a ask, delta object, finish any, tokens int64) event {
	c := o.envelope(a)
	c["choices"] = []any{object{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}
	return event{frame("", encode(c)), tokens}
}

func (openAI) failure(kind, message string) []byte {
	return encode(object{"error": object{"message": message, "type": kind, "param": nil, "code": nil}})
}

func (o openAI) failureEvent(kind, message string) []byte { return frame("", o.failure(kind, message)) }

// frame writes an event; name is "" for formats without names.
func frame(name string, data []byte) []byte {
	var b strings.Builder
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	b.WriteString("data: ")
	b.Write(data)
	b.WriteString("\n\n")
	return []byte(b.String())
}

// encode writes a document of our own making; it can not fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
