package wire

import (
	"cmp"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// anthropicToOpenAI serves callers of Anthropic's API from OpenAI's.
type anthropicToOpenAI struct{}

const openAIAPI = "OpenAI"

// maxStops is the most stop sequences that OpenAI takes.
const maxStops = 4

// anthropicCarried are the members of a request that are carried over, or have no effect on the answer, or are looked
// at because some of their values are harmless. Any other member that is given is refused.
var anthropicCarried = json.NewNames("model", "messages", "max_tokens", "stream", "system", "tools", "tool_choice",
	"temperature", "top_p", "stop_sequences", "metadata", "service_tier", "cache_control", "thinking", "output_config")

var (
	anthropicMetadataNames  = json.NewNames("user_id")
	anthropicToolCarried    = json.NewNames("type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming")
	anthropicChoiceNames    = json.NewNames("type", "name", "disable_parallel_tool_use")
	anthropicTextCarried    = json.NewNames("type", "text", "cache_control")
	anthropicImageCarried   = json.NewNames("type", "source", "cache_control")
	anthropicUseCarried     = json.NewNames("type", "id", "name", "input", "cache_control")
	anthropicResultCarried  = json.NewNames("type", "tool_use_id", "content", "is_error", "cache_control")
	anthropicBase64Carried  = json.NewNames("type", "media_type", "data")
	anthropicAddressCarried = json.NewNames("type", "url")
)

// Request translates a message into a chat completion.
func (anthropicToOpenAI) Request(body []byte, t Target) ([]byte, error) {
	s := root(body, anthropicRequest)
	s.refuseOthers(anthropicCarried, openAIAPI)
	refuseAnthropicValues(s)
	limit := cmp.Or(t.Limit, s.count("max_tokens"))
	o := new(object).text("model", t.Model).raw("messages", openAIMessages(s)).number(limitName(t), limit)
	o.raw("tools", functionTools(s))
	functionChoice(o, s)
	o.raw("stop", openAIStop(s)).node("temperature", s.m.Get("temperature")).node("top_p", s.m.Get("top_p"))
	o.raw("user", quoted(s.object("metadata", anthropicMetadataNames).text("user_id")))
	if s.text("service_tier") == "standard_only" {
		o.text("service_tier", "default")
	}
	if s.boolean("stream") {
		o.yes("stream").raw("stream_options", []byte(`{"include_usage":true}`))
	}
	return o.bytes(), s.err()
}

// refuseAnthropicValues refuses the values that would change the answer, of members that also have harmless ones.
func refuseAnthropicValues(s scope) {
	harmless := map[string][]string{
		"thinking": {`{"type":"disabled"}`}, "output_config": {`{}`}, "service_tier": {`"auto"`, `"standard_only"`},
	}
	for _, member := range s.m.All() {
		values, looked := harmless[member.Name]
		if looked && !member.Value.Null() && !isOneOf(member.Value, values) {
			s.refuse(member.Name, openAIAPI)
		}
	}
	s.object("metadata", anthropicMetadataNames).refuseOthers(anthropicMetadataNames, openAIAPI)
}

// openAIStop writes the stop sequences.
func openAIStop(s scope) []byte {
	list := s.nodes("stop_sequences")
	for i, n := range list {
		if n.Kind() != '"' {
			s.failAt(s.item("stop_sequences", i), errNotText)
		}
	}
	switch {
	case len(list) == 0:
		return nil
	case len(list) > maxStops:
		s.refusePath(s.item("stop_sequences", maxStops), openAIAPI)
	}
	return s.m.Get("stop_sequences").Bytes()
}

// functionTools translates the tools that the caller runs.
func functionTools(s scope) []byte {
	var list [][]byte
	for _, t := range s.objects("tools", anthropicTool) {
		if serverTool(t) {
			t.refuse("type", openAIAPI)
			continue
		}
		t.refuseOthers(anthropicToolCarried, openAIAPI)
		f := new(object).text("name", needText(t, "name")).node("description", t.m.Get("description")).
			node("parameters", t.m.Get("input_schema"))
		if t.boolean("strict") {
			f.yes("strict")
		}
		list = append(list, typed("function").raw("function", f.bytes()).bytes())
	}
	if len(list) == 0 {
		return nil
	}
	return array(list)
}

// functionChoice translates tool_choice, of which parallel_tool_calls is a part there.
func functionChoice(o *object, s scope) {
	if !s.given("tool_choice") || len(s.nodes("tools")) == 0 {
		return
	}
	c := s.object("tool_choice", anthropicChoiceNames)
	c.refuseOthers(anthropicChoiceNames, openAIAPI)
	switch c.text("type") {
	case "auto":
		o.text("tool_choice", "auto")
	case "any":
		o.text("tool_choice", "required")
	case "none":
		o.text("tool_choice", "none")
	case "tool":
		f := new(object).text("name", needText(c, "name"))
		o.raw("tool_choice", typed("function").raw("function", f.bytes()).bytes())
	default:
		c.refuse("type", openAIAPI)
	}
	if c.boolean("disable_parallel_tool_use") {
		o.raw("parallel_tool_calls", []byte("false"))
	}
}
