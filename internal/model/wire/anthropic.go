package wire

import (
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// The names that are interpreted in Anthropic's requests.
var (
	anthropicRequest = json.NewNames("model", "messages", "max_tokens", "stream", "system", "tools", "tool_choice",
		"container", "mcp_servers", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "thinking", "output_config",
		"service_tier", "speed", "inference_geo", "context_management")
	anthropicMessage = json.NewNames("role", "content")
	anthropicBlock   = json.NewNames("type", "text", "source", "id", "name", "input", "tool_use_id", "content", "is_error",
		"thinking", "signature", "data", "citations", "cache_control")
	anthropicSource   = json.NewNames("type", "media_type", "data", "url", "file_id", "content")
	anthropicThinking = json.NewNames("type", "budget_tokens", "display")
	anthropicTool     = json.NewNames("type", "name", "description", "input_schema", "strict")
)

// ParseAnthropicMessages reads the body of a messages request: what Signalbox needs to know of it, and whether a stream
// was asked for. An error is a *signalbox.Error with code invalid that names the field.
func ParseAnthropicMessages(body []byte) (req *signalbox.ModelRequest, stream bool, err error) {
	s := root(body, anthropicRequest)
	r := &signalbox.ModelRequest{
		Model: s.text("model"), MaxOutput: s.count("max_tokens"), Choices: 1, UsageWanted: true,
	}
	stream = s.boolean("stream")
	tools := s.objects("tools", anthropicTool)
	r.Tools = len(tools)
	billedByAnthropic(s, r, tools)
	messages := s.objects("messages", anthropicMessage)
	r.Messages = len(messages)
	for _, m := range messages {
		readAnthropicMessage(m, r)
	}
	needModelAndMessages(s, r)
	if r.MaxOutput == 0 {
		s.fail("max_tokens", "max_tokens is required: a whole number of at least 1.")
	}
	return r, stream, s.err()
}

// serverTool reports whether the provider runs the tool itself, so that its results are content we do not see.
func serverTool(t scope) bool {
	kind := t.text("type")
	return kind != "" && kind != "custom"
}

// readAnthropicMessage takes from a message what the summary and the bound need.
func readAnthropicMessage(m scope, r *signalbox.ModelRequest) {
	role := m.text("role")
	if role == "" {
		m.fail("role", "role must say who speaks.")
	}
	var text strings.Builder
	switch content := m.m.Get("content"); content.Kind() {
	case '"':
		text.WriteString(m.text("content"))
	case '[':
		for _, b := range m.objects("content", anthropicBlock) {
			readAnthropicBlock(b, r, &text)
		}
	default:
		m.fail("content", "content must be a string or an array of blocks.")
	}
	if role == "user" && text.Len() > 0 {
		r.Prompt = excerpt(text.String())
	}
}

// readAnthropicBlock adds the block's text and notes content that lies elsewhere.
func readAnthropicBlock(b scope, r *signalbox.ModelRequest, text *strings.Builder) {
	switch b.text("type") {
	case "text":
		text.WriteString(b.text("text"))
	case "image":
		if b.object("source", anthropicSource).text("type") == "base64" {
			r.Unseen += MaxImageTokens
		} else {
			r.External = true
		}
	case "document": // One that is no text is pages and pictures, whatever its bytes are.
		r.External = r.External || b.object("source", anthropicSource).text("type") != "text"
	case "tool_result":
		readToolResult(b, r)
	case "tool_use", "thinking", "redacted_thinking", "search_result":
	default:
		r.External = true // What is not known may stand for anything.
	}
}

// readToolResult looks for content that lies elsewhere in the result of a tool. Its text is not the user's.
func readToolResult(b scope, r *signalbox.ModelRequest) {
	if b.m.Get("content").Kind() != '[' {
		return
	}
	var ignored strings.Builder
	for _, inner := range b.objects("content", anthropicBlock) {
		readAnthropicBlock(inner, r, &ignored)
	}
}
