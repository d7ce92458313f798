package count

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tiktoken-go/tokenizer"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Encoding is a tokenizer of OpenAI's.
type Encoding string

// The encodings.
const (
	O200k  = Encoding(tokenizer.O200kBase)
	Cl100k = Encoding(tokenizer.Cl100kBase)
)

// families are the models that are known to use an encoding: a name or its beginning before a "-". Longer names come
// before shorter ones. Models that came later are not in it unless OpenAI has said what they use.
var families = []struct {
	name     string
	encoding Encoding
}{
	{"chatgpt-4o", O200k},
	{"gpt-3.5-turbo", Cl100k},
	{"gpt-4.1", O200k},
	{"gpt-4.5", O200k},
	{"gpt-4o", O200k},
	{"gpt-4", Cl100k},
	{"gpt-5", O200k},
	{"o1", O200k},
	{"o3", O200k},
	{"o4-mini", O200k},
}

// EncodingOf gives the encoding of a model by its name at OpenAI; false where it is not known.
func EncodingOf(model string) (Encoding, bool) {
	name := strings.ToLower(model)
	for _, f := range families {
		if name == f.name || strings.HasPrefix(name, f.name+"-") {
			return f.encoding, true
		}
	}
	return "", false
}

// Overheads in tokens. OpenAI publishes 3 per message, 1 per name and 3 for the answer that begins; for tools up to 12 per
// function, 3 per property and 3 per value of an enumeration. Properties and values have a comma between them in JSON.
const (
	perRequest = 3
	perMessage = 4
	perSchema  = 16
	perComma   = 3
)

// schema counts what a model sees of tools or of the format of answers beside their JSON.
func schema(n json.Node) int64 {
	return perSchema + (perComma+1)*int64(bytes.Count(n.Bytes(), []byte(",")))
}

// Margin is added to a count of n tokens: two in a hundred and 64, for what providers put around a request and do not
// publish.
func Margin(n int64) int64 { return n/50 + 64 }

// silent are the members of a request that add no input.
var silent = []string{
	"model", "max_tokens", "max_completion_tokens", "n", "stream", "stream_options", "parallel_tool_calls", "temperature",
	"top_p", "stop", "user", "safety_identifier", "store", "metadata", "seed", "logprobs", "top_logprobs", "logit_bias",
	"presence_penalty", "frequency_penalty", "service_tier", "reasoning_effort", "verbosity", "prompt_cache_key",
	"prompt_cache_retention", "prompt_cache_options",
}

// spoken are the members of a message that add input as text, be they JSON or not.
var spoken = []string{"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "function_call"}

// read takes the texts out of a request in OpenAI's format, and counts what is around them. It is false where the
// request has something whose tokens are not known.
func read(body []byte) (texts []string, overhead int64, ok bool) {
	m, err := json.Object(body)
	if err != nil {
		return nil, 0, false
	}
	overhead = perRequest
	for _, member := range m.All() {
		switch {
		case member.Value.Null() || slices.Contains(silent, member.Name):
		case member.Name == "messages":
			list, more, ok := readMessages(member.Value)
			if !ok {
				return nil, 0, false
			}
			texts, overhead = append(texts, list...), overhead+more
		case member.Name == "tools" || member.Name == "functions":
			list, err := member.Value.Array()
			if err != nil {
				return nil, 0, false
			}
			overhead += schema(member.Value) + perSchema*int64(len(list))
			texts = append(texts, string(member.Value.Bytes()))
		case member.Name == "tool_choice" || member.Name == "function_call" || member.Name == "response_format":
			overhead += schema(member.Value)
			texts = append(texts, string(member.Value.Bytes()))
		default:
			return nil, 0, false
		}
	}
	return texts, overhead, true
}

func readMessages(n json.Node) (texts []string, overhead int64, ok bool) {
	list, err := n.Array()
	if err != nil {
		return nil, 0, false
	}
	for _, n := range list {
		m, err := n.Object()
		if err != nil {
			return nil, 0, false
		}
		overhead += perMessage
		for _, member := range m.All() {
			switch {
			case member.Value.Null():
			case !slices.Contains(spoken, member.Name):
				return nil, 0, false
			default:
				said, ok := textsOf(member.Name, member.Value)
				if !ok {
					return nil, 0, false
				}
				overhead += int64(len(said)) // Where one text begins and another ends.
				texts = append(texts, said...)
			}
		}
	}
	return texts, overhead, true
}

// textsOf gives the texts of a member of a message. Content in parts must be text; other members count as the JSON that
// they are.
func textsOf(name string, n json.Node) ([]string, bool) {
	if text, err := n.Text(); err == nil {
		return []string{text}, true
	}
	if name != "content" {
		return []string{string(n.Bytes())}, true
	}
	parts, err := n.Array()
	if err != nil {
		return nil, false
	}
	var texts []string
	for _, p := range parts {
		m, err := p.Object()
		if err != nil {
			return nil, false
		}
		kind, _ := m.Get("type").Text()
		text, err := m.Get(kind).Text()
		if err != nil || kind != "text" && kind != "refusal" {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}
