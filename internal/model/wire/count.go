package wire

import (
	"slices"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// anthropicCounted are the members of a request that Anthropic's token counting takes.
var anthropicCounted = []string{"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"}

// anthropicUncounted are the members that add no tokens.
var anthropicUncounted = []string{
	"max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "speed",
	"inference_geo", "cache_control",
}

// CountRequest turns a request in Anthropic's format into one that has its input tokens counted. It is false for a
// request with members of which nobody here knows whether they add any.
func CountRequest(body []byte) ([]byte, bool) {
	m, err := json.Object(body)
	if err != nil {
		return nil, false
	}
	o := new(object)
	for _, member := range m.All() {
		switch {
		case slices.Contains(anthropicCounted, member.Name):
			o.node(member.Name, member.Value)
		case !slices.Contains(anthropicUncounted, member.Name) && !member.Value.Null():
			return nil, false
		}
	}
	return o.bytes(), true
}

// CountAnswer reads the number out of the answer to it.
func CountAnswer(body []byte) (int64, bool) {
	m, err := parseAnswer(body)
	if err != nil {
		return 0, false
	}
	n, err := m.Get("input_tokens").Int()
	return n, err == nil && n > 0
}
