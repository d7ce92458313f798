package upstream

import (
	"bytes"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// anthropic is Anthropic's messages.
type anthropic struct{}

func (anthropic) toolName(tool []byte) string {
	var t struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(tool, &t) != nil {
		return ""
	}
	return t.Name
}

func (anthropic) hasResult(message []byte) bool {
	return bytes.Contains(message, []byte(`"tool_result"`))
}

func (o anthropic) unary(a ask) []byte {
	answer := o.message(a)
	answer["content"] = []any{object{"type": "text", "text": strings.Join(a.words, "")}}
	answer["stop_reason"] = "end_turn"
	if a.tool != "" {
		answer["content"] = []any{object{
			"type": "tool_use", "id": "toolu_upstream1", "name": a.tool, "input": json.Value(Arguments),
		}}
		answer["stop_reason"] = "tool_use"
	}
	if !a.noUsage {
		answer["usage"] = o.usage(a, int64(len(a.words)))
	}
	return encode(answer)
}

func (anthropic) message(a ask) object {
	return object{
		"id": "msg_upstream", "type": "message", "role": "assistant", "model": a.Model + "-20260101", "content": []any{},
		"stop_reason": nil, "stop_sequence": nil,
	}
}

func (anthropic) usage(a ask, output int64) object {
	if a.negative {
		output = -output
	}
	return object{
		"input_tokens": Input - CacheRead, "cache_read_input_tokens": CacheRead, "cache_creation_input_tokens": 0,
		"output_tokens": output, "service_tier": "standard",
	}
}

// events are the start, one block with its pieces, what it came to, and the stop.
func (o anthropic) events(a ask) []event {
	start := o.message(a)
	if !a.noUsage {
		start["usage"] = o.usage(a, 1)
	}
	list := []event{o.event("message_start", object{"message": start}, 0)}
	list = append(list, o.block(a)...)
	reason := "end_turn"
	if a.tool != "" {
		reason = "tool_use"
	}
	delta := object{"delta": object{"stop_reason": reason, "stop_sequence": nil}}
	if !a.noUsage {
		delta["usage"] = o.usage(a, int64(len(a.words)))
	}
	return append(list, o.event("message_delta", delta, 0), o.event("message_stop", object{}, 0))
}

func (o anthropic) block(a ask) []event {
	block, kind, name := object{"type": "text", "text": ""}, "text_delta", "text"
	pieces := a.words
	if a.tool != "" {
		block = object{"type": "tool_use", "id": "toolu_upstream1", "name": a.tool, "input": object{}}
		kind, name = "input_json_delta", "partial_json"
		pieces = []string{"", Arguments[:len(Arguments)/2], Arguments[len(Arguments)/2:]}
	}
	list := []event{
		o.event("content_block_start", object{"index": 0, "content_block": block}, 0),
		o.event("ping", object{}, 0),
	}
	for _, p := range pieces {
		list = append(list, o.event("content_block_delta", object{"index": 0, "delta": object{"type": kind, name: p}}, 1))
	}
	return append(list, o.event("content_block_stop", object{"index": 0}, 0))
}

func (anthropic) event(name string, data object, tokens int64) event {
	data["type"] = name
	return event{frame(name, encode(data)), tokens}
}

func (anthropic) failure(kind, message string) []byte {
	return encode(object{
		"type": "error", "error": object{"type": kind, "message": message}, "request_id": "req_upstream",
	})
}

func (o anthropic) failureEvent(kind, message string) []byte {
	return frame("error", o.failure(kind, message))
}
