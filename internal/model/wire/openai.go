package wire

import (
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxChoices is the largest n that is accepted, OpenAI's own limit.
const MaxChoices = 128

// The names that are interpreted in OpenAI's requests. What is not among them passes unread.
var (
	openAIRequest = json.NewNames("model", "messages", "max_tokens", "max_completion_tokens", "n", "stream",
		"stream_options", "tools", "tool_choice", "functions", "web_search_options", "temperature", "top_p", "stop", "user",
		"parallel_tool_calls", "response_format", "modalities", "audio", "store", "service_tier", "reasoning_effort",
		"prompt_cache_key", "metadata", "seed", "logprobs", "logit_bias", "prediction", "search_parameters", "plugins", "models",
		"previous_response_id", "conversation", "extra_body", "container")
	openAIStreamOptions = json.NewNames("include_usage", "include_obfuscation")
	openAIMessage       = json.NewNames("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio",
		"function_call")
	openAIPart  = json.NewNames("type", "text", "image_url", "input_audio", "file", "refusal")
	openAIImage = json.NewNames("url", "detail")
)

// ParseOpenAIChat reads the body of a chat/completions request: what Signalbox needs to know of it, and whether a
// stream was asked for. An error is a *signalbox.Error with code invalid that names the field.
func ParseOpenAIChat(body []byte) (req *signalbox.ModelRequest, stream bool, err error) {
	s := root(body, openAIRequest)
	r := &signalbox.ModelRequest{
		Model:     s.text("model"),
		MaxOutput: openAIMaxTokens(s),
		Choices:   max(int(s.count("n")), 1),
		Tools:     len(s.nodes("tools")) + len(s.nodes("functions")),
	}
	billedByOpenAI(s, r)
	stream = s.boolean("stream")
	r.UsageWanted = !stream || s.object("stream_options", openAIStreamOptions).boolean("include_usage")
	if r.Choices > MaxChoices {
		s.fail("n", "n must not be above 128.")
	}
	messages := s.objects("messages", openAIMessage)
	r.Messages = len(messages)
	for _, m := range messages {
		readOpenAIMessage(m, r)
	}
	needModelAndMessages(s, r)
	return r, stream, s.err()
}

// needModelAndMessages refuses requests without the two fields that both formats demand.
func needModelAndMessages(s scope, r *signalbox.ModelRequest) {
	if r.Model == "" {
		s.fail("model", "model must name a model or a route.")
	}
	if r.Messages == 0 {
		s.fail("messages", "messages must have at least one message.")
	}
}

// The names of the limit of output tokens.
const (
	oldMaxTokens = "max_tokens"
	newMaxTokens = "max_completion_tokens"
)

// limitName is the name that the target knows.
func limitName(t Target) string {
	if t.OldMaxTokens {
		return oldMaxTokens
	}
	return newMaxTokens
}

// openAIMaxTokens reads the limit of output tokens, which has an old and a new name.
func openAIMaxTokens(s scope) int64 {
	older, newer := s.count(oldMaxTokens), s.count(newMaxTokens)
	if older > 0 && newer > 0 && older != newer {
		s.fail(oldMaxTokens, "max_tokens and max_completion_tokens differ; which one holds is not clear.")
	}
	return max(older, newer)
}

// readOpenAIMessage takes from a message what the summary and the bound need.
func readOpenAIMessage(m scope, r *signalbox.ModelRequest) {
	role := m.text("role")
	if role == "" {
		m.fail("role", "role must say who speaks.")
	}
	if m.given("audio") {
		m.otherRate(r, "audio", "Leave out what was said aloud, or put its text in.")
	}
	var text strings.Builder
	switch content := m.m.Get("content"); content.Kind() {
	case '"':
		text.WriteString(m.text("content"))
	case '[':
		for _, p := range m.objects("content", openAIPart) {
			readOpenAIPart(p, r, &text)
		}
	case 0, 'n':
	default:
		m.fail("content", "content must be a string or an array of parts.")
	}
	if role == "user" && text.Len() > 0 {
		r.Prompt = excerpt(text.String())
	}
}

// readOpenAIPart adds the part's text and notes content that lies elsewhere.
func readOpenAIPart(p scope, r *signalbox.ModelRequest, text *strings.Builder) {
	switch p.text("type") {
	case "text":
		text.WriteString(p.text("text"))
	case "refusal":
	case "input_audio":
		p.otherRate(r, "type", "Send the text of what is said.")
	case "image_url":
		if url := p.object("image_url", openAIImage).text("url"); strings.HasPrefix(url, "data:") {
			r.Unseen += MaxImageTokens
		} else {
			r.External = true
		}
	default:
		// What is not known may stand for anything, and a file is pages and pictures, whatever its bytes are.
		r.External = true
	}
}
