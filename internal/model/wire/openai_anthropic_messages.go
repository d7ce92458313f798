package wire

import (
	"errors"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var errNotText = errors.New("it must be a string")

// The members of messages and parts that are carried over. Breakpoints of the prompt cache change the price only.
var (
	openAISystemCarried    = json.NewNames("role", "content")
	openAIAssistantCarried = json.NewNames("role", "content", "refusal", "tool_calls")
	openAIToolCarried      = json.NewNames("role", "content", "tool_call_id")
	openAITextCarried      = json.NewNames("type", "text", "prompt_cache_breakpoint")
	openAIImageCarried     = json.NewNames("type", "image_url", "prompt_cache_breakpoint")
	openAIRefusalCarried   = json.NewNames("type", "refusal")
	openAICallCarried      = json.NewNames("id", "type", "function", "index")
	openAICallFunction     = json.NewNames("name", "arguments")
)

// turn is a message of Anthropic's under construction.
type turn struct {
	role   string
	blocks [][]byte
	plain  []byte // The content as one JSON string, where it was one.
	tool   bool   // It holds results of tools so far, and what the user says next belongs to it.
}

// conversation collects the turns.
type conversation struct {
	system [][]byte
	turns  []turn
}

// anthropicMessages translates the messages into the system prompt and the turns.
func anthropicMessages(s scope) (system, messages []byte) {
	var c conversation
	for _, m := range s.objects("messages", openAIMessage) {
		c.add(m)
	}
	if len(c.turns) == 0 {
		s.fail("messages", "messages must have at least one message that is not system or developer.")
	}
	list := make([][]byte, 0, len(c.turns))
	for _, t := range c.turns {
		list = append(list, t.bytes())
	}
	if len(c.system) > 0 {
		system = array(c.system)
	}
	return system, array(list)
}

// bytes writes the turn.
func (t turn) bytes() []byte {
	content := t.plain
	if content == nil {
		content = array(t.blocks)
	}
	return new(object).text("role", t.role).raw("content", content).bytes()
}

// add translates one message.
func (c *conversation) add(m scope) {
	switch role := m.text("role"); role {
	case "system", "developer":
		c.addSystem(m)
	case "user":
		m.refuseOthers(openAISystemCarried, anthropicAPI)
		c.addUser(m)
	case "assistant":
		m.refuseOthers(openAIAssistantCarried, anthropicAPI)
		c.turns = append(c.turns, turn{role: role, blocks: assistantBlocks(m)})
	case "tool":
		m.refuseOthers(openAIToolCarried, anthropicAPI)
		c.addToolResult(m)
	default:
		m.refuse("role", anthropicAPI)
	}
}

// addSystem adds to the system prompt. It stands before everything at Anthropic; one in the middle of the conversation
// would say something else there.
func (c *conversation) addSystem(m scope) {
	m.refuseOthers(openAISystemCarried, anthropicAPI)
	if len(c.turns) > 0 {
		m.failWith(signalbox.Errorf(signalbox.CodeInvalid,
			"%s: a system or developer message behind others can not be carried over to the %s API.", m.at("role"), anthropicAPI).
			WithField(m.at("role")).WithRemedy("Put it before all other messages."))
	}
	c.system = append(c.system, contentBlocks(m)...)
}

// addUser adds what the user says, to the results of tools where they come right before.
func (c *conversation) addUser(m scope) {
	if n := len(c.turns); n > 0 && c.turns[n-1].tool {
		c.turns[n-1].blocks = append(c.turns[n-1].blocks, contentBlocks(m)...)
		c.turns[n-1].tool = false
		return
	}
	t := turn{role: "user"}
	if content := m.m.Get("content"); content.Kind() == '"' {
		t.plain = content.Bytes()
	} else {
		t.blocks = contentBlocks(m)
	}
	c.turns = append(c.turns, t)
}

// addToolResult adds the result of a tool. All results of one turn stand in one message.
func (c *conversation) addToolResult(m scope) {
	o := typed("tool_result").text("tool_use_id", needText(m, "tool_call_id"))
	if content := m.m.Get("content"); content.Kind() == '"' {
		o.raw("content", content.Bytes())
	} else {
		o.raw("content", array(contentBlocks(m)))
	}
	if n := len(c.turns); n > 0 && c.turns[n-1].tool {
		c.turns[n-1].blocks = append(c.turns[n-1].blocks, o.bytes())
		return
	}
	c.turns = append(c.turns, turn{role: "user", blocks: [][]byte{o.bytes()}, tool: true})
}

// assistantBlocks translates what the assistant said and which tools it called.
func assistantBlocks(m scope) [][]byte {
	var blocks [][]byte
	if m.given("content") {
		blocks = contentBlocks(m)
	}
	if text := m.text("refusal"); text != "" {
		blocks = append(blocks, typed("text").text("text", text).bytes())
	}
	for _, t := range m.objects("tool_calls", openAICallCarried) {
		blocks = append(blocks, toolUse(t))
	}
	if len(blocks) == 0 {
		m.fail("content", "An assistant message needs content or tool_calls.")
	}
	return blocks
}

// toolUse translates a call of a function.
func toolUse(t scope) []byte {
	t.refuseOthers(openAICallCarried, anthropicAPI)
	if kind := t.text("type"); kind != openAIWithFunction && kind != "" {
		t.refuse("type", anthropicAPI)
	}
	f := t.object("function", openAICallFunction)
	return typed("tool_use").text("id", needText(t, "id")).text("name", needText(f, "name")).
		raw("input", toolInput(f)).bytes()
}

// toolInput reads the arguments, which are a JSON document inside of a string.
func toolInput(f scope) []byte {
	input, err := argumentsObject(f.text("arguments"))
	f.failAt(f.at("arguments"), err)
	return input
}

// argumentsObject checks that arguments are one JSON object; none at all is an empty one.
func argumentsObject(arguments string) ([]byte, error) {
	if strings.TrimSpace(arguments) == "" {
		return []byte("{}"), nil
	}
	n, err := json.Parse([]byte(arguments), json.Limits{CaseVariants: true})
	if err == nil {
		_, err = n.Object()
	}
	if err != nil {
		return []byte("{}"), err
	}
	return n.Bytes(), nil
}

// contentBlocks translates content, be it a string or parts. Empty texts say nothing and Anthropic refuses them.
func contentBlocks(m scope) [][]byte {
	content := m.m.Get("content")
	if content.Kind() == '"' {
		if m.text("content") == "" {
			return nil
		}
		return [][]byte{typed("text").raw("text", content.Bytes()).bytes()}
	}
	var blocks [][]byte
	for _, p := range m.objects("content", openAIPart) {
		if b := contentBlock(p); b != nil {
			blocks = append(blocks, b)
		}
	}
	if content.Kind() != '[' {
		m.fail("content", "content must be a string or an array of parts.")
	}
	return blocks
}

// contentBlock translates one part.
func contentBlock(p scope) []byte {
	switch p.text("type") {
	case "text":
		p.refuseOthers(openAITextCarried, anthropicAPI)
		if p.text("text") == "" {
			return nil
		}
		return typed("text").node("text", p.m.Get("text")).bytes()
	case "refusal":
		p.refuseOthers(openAIRefusalCarried, anthropicAPI)
		return typed("text").text("text", needText(p, "refusal")).bytes()
	case "image_url":
		p.refuseOthers(openAIImageCarried, anthropicAPI)
		return imageBlock(p.object("image_url", openAIImage))
	}
	p.refuse("type", anthropicAPI)
	return nil
}

// imageBlock translates an image by data URL or by address.
func imageBlock(p scope) []byte {
	p.refuseOthers(openAIImage, anthropicAPI)
	if detail := p.text("detail"); detail != "" && detail != "auto" {
		p.refuse("detail", anthropicAPI)
	}
	url := needText(p, "url")
	if !strings.HasPrefix(url, "data:") {
		return typed("image").raw("source", typed("url").text("url", url).bytes()).bytes()
	}
	kind, data, ok := strings.Cut(strings.TrimPrefix(url, "data:"), ";base64,")
	if !ok || kind == "" {
		p.fail("url", "A data URL must have the form data:<media type>;base64,<data>.")
	}
	source := typed("base64").text("media_type", kind).text("data", data)
	return typed("image").raw("source", source.bytes()).bytes()
}
