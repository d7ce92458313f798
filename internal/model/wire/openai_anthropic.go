package wire

import (
	"cmp"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// openAIToAnthropic serves callers of OpenAI's API from Anthropic's.
type openAIToAnthropic struct{}

const anthropicAPI = "Anthropic"

// openAICarried are the members of a request that are carried over, or have no effect on the answer, or are looked at
// because some of their values are harmless. Any other member that is given is refused.
var openAICarried = json.NewNames("model", "messages", "max_tokens", "max_completion_tokens", "n", "stream",
	"stream_options", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "stop", "user",
	"safety_identifier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
	"response_format", "modalities", "service_tier", "verbosity", "frequency_penalty", "presence_penalty",
	"logprobs", "top_logprobs", "logit_bias")

// Request translates a chat completion into a message.
func (openAIToAnthropic) Request(body []byte, t Target) ([]byte, error) {
	s := root(body, openAIRequest)
	s.refuseOthers(openAICarried, anthropicAPI)
	refuseOpenAIValues(s)
	maxTokens := cmp.Or(t.Limit, openAIMaxTokens(s), t.MaxOutput, DefaultMaxTokens)
	o := new(object).text("model", t.Model).number("max_tokens", maxTokens)
	system, messages := anthropicMessages(s)
	o.raw("system", system).raw("messages", messages)
	tools := anthropicTools(s)
	o.raw("tools", tools).raw("tool_choice", anthropicToolChoice(s, len(tools) > 0))
	o.raw("stop_sequences", anthropicStop(s)).raw("temperature", anthropicTemperature(s)).node("top_p", s.m.Get("top_p"))
	o.raw("metadata", anthropicMetadata(s))
	if s.boolean("stream") {
		o.yes("stream")
	}
	return o.bytes(), s.err()
}

// refuseOpenAIValues refuses the values that would change the answer, of members that also have harmless ones.
func refuseOpenAIValues(s scope) {
	if s.count("n") > 1 {
		s.refuse("n", anthropicAPI)
	}
	if s.boolean("store") {
		s.refuse("store", anthropicAPI)
	}
	if s.boolean("logprobs") {
		s.refuse("logprobs", anthropicAPI)
	}
	harmless := map[string][]string{
		"service_tier": {`"auto"`, `"default"`}, "verbosity": {`"medium"`}, "modalities": {`["text"]`},
		"response_format": {`{"type":"text"}`}, "frequency_penalty": {"0", "0.0"}, "presence_penalty": {"0", "0.0"},
		"top_logprobs": {"0"}, "logit_bias": {"{}"},
	}
	for _, member := range s.m.All() {
		values, looked := harmless[member.Name]
		if looked && !member.Value.Null() && !isOneOf(member.Value, values) {
			s.refuse(member.Name, anthropicAPI)
		}
	}
}

// isOneOf compares the value without its white space.
func isOneOf(n json.Node, values []string) bool {
	v := json.Value(append([]byte(nil), n.Bytes()...))
	if v.Compact() != nil {
		return false
	}
	for _, want := range values {
		if string(v) == want {
			return true
		}
	}
	return false
}

// anthropicTemperature carries the temperature over where the scales agree: Anthropic's ends at 1, OpenAI's at 2.
func anthropicTemperature(s scope) []byte {
	if !s.given("temperature") {
		return nil
	}
	raw := s.m.Get("temperature").Bytes()
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		s.fail("temperature", "temperature must be a number.")
	} else if f > 1 {
		s.failWith(signalbox.Errorf(signalbox.CodeInvalid, "temperature above 1 can not be carried over to the %s API.", anthropicAPI).
			WithField("temperature").WithRemedy("Use a temperature from 0 to 1, or a model whose provider speaks the API you call."))
	}
	return raw
}

// anthropicStop writes stop, which is a string or an array of strings.
func anthropicStop(s scope) []byte {
	n := s.m.Get("stop")
	switch n.Kind() {
	case 0, 'n':
		return nil
	case '"':
		return array([][]byte{n.Bytes()})
	}
	for i, e := range s.nodes("stop") {
		if e.Kind() != '"' {
			s.failAt(s.item("stop", i), errNotText)
		}
	}
	return n.Bytes()
}

// anthropicMetadata writes the end user, who is for abuse detection only.
func anthropicMetadata(s scope) []byte {
	for _, name := range []string{"safety_identifier", "user"} {
		if id := s.text(name); id != "" {
			return new(object).text("user_id", id).bytes()
		}
	}
	return nil
}

var (
	openAITool         = json.NewNames("type", "function")
	openAIFunction     = json.NewNames("name", "description", "parameters", "strict")
	openAIToolChoice   = json.NewNames("type", "function")
	openAINameOnly     = json.NewNames("name")
	emptySchema        = []byte(`{"type":"object","properties":{}}`)
	openAIWithFunction = "function"
)

// anthropicTools translates the function tools.
func anthropicTools(s scope) []byte {
	var list [][]byte
	for _, t := range s.objects("tools", openAITool) {
		if t.text("type") != openAIWithFunction {
			t.refuse("type", anthropicAPI)
		}
		t.refuseOthers(openAITool, anthropicAPI)
		f := t.object("function", openAIFunction)
		f.refuseOthers(openAIFunction, anthropicAPI)
		schema := emptySchema
		if f.given("parameters") {
			schema = f.m.Get("parameters").Bytes()
		}
		o := new(object).text("name", needText(f, "name")).node("description", f.m.Get("description")).raw("input_schema", schema)
		if f.boolean("strict") {
			o.yes("strict")
		}
		list = append(list, o.bytes())
	}
	if len(list) == 0 {
		return nil
	}
	return array(list)
}

// needText returns a string that must not be empty.
func needText(s scope, name string) string {
	v := s.text(name)
	if v == "" {
		s.fail(name, name+" must be a string that is not empty.")
	}
	return v
}

// anthropicToolChoice translates tool_choice together with parallel_tool_calls, which is a part of it there.
func anthropicToolChoice(s scope, tools bool) []byte {
	single := s.given("parallel_tool_calls") && !s.boolean("parallel_tool_calls")
	o := anthropicChoice(s)
	switch {
	case !tools:
		return nil
	case o == nil && !single:
		return nil
	case o == nil:
		o = typed("auto")
	}
	if single && textOf(s.m.Get("tool_choice")) != "none" {
		o.yes("disable_parallel_tool_use")
	}
	return o.bytes()
}

func anthropicChoice(s scope) *object {
	n := s.m.Get("tool_choice")
	switch n.Kind() {
	case 0, 'n':
		return nil
	case '"':
		kinds := map[string]string{"auto": "auto", "none": "none", "required": "any"}
		if kind, ok := kinds[s.text("tool_choice")]; ok {
			return typed(kind)
		}
		s.fail("tool_choice", "tool_choice must be auto, none, required or an object that names a function.")
		return nil
	}
	c := s.object("tool_choice", openAIToolChoice)
	if c.text("type") != openAIWithFunction {
		c.refuse("type", anthropicAPI)
		return nil
	}
	f := c.object("function", openAINameOnly)
	return typed("tool").text("name", needText(f, "name"))
}
