package wire

import (
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// openAIMessages translates the system prompt and the messages.
func openAIMessages(s scope) []byte {
	var list [][]byte
	if s.given("system") {
		list = append(list, new(object).text("role", "system").raw("content", plainText(s, "system")).bytes())
	}
	messages := s.objects("messages", anthropicMessage)
	for _, m := range messages {
		m.refuseOthers(anthropicMessage, openAIAPI)
		switch m.text("role") {
		case "user":
			list = append(list, userMessages(m)...)
		case "assistant":
			list = append(list, assistantMessage(m))
		default:
			m.refuse("role", openAIAPI)
		}
	}
	refusePrefill(s, messages)
	return array(list)
}

// refusePrefill refuses an answer that the caller has begun: OpenAI would answer to it, not go on with it.
func refusePrefill(s scope, messages []scope) {
	n := len(messages)
	if n == 0 || messages[n-1].text("role") != "assistant" {
		return
	}
	field := messages[n-1].path
	s.failWith(signalbox.Errorf(signalbox.CodeInvalid,
		"%s: an answer that is begun by the caller can not be carried over to the %s API.", field, openAIAPI).
		WithField(field).WithRemedy("End with a user message, or choose a model whose provider speaks the API you call."))
}

// plainText translates content that may only be text: one string stays one string.
func plainText(s scope, name string) []byte {
	n := s.m.Get(name)
	if n.Kind() == '"' {
		return n.Bytes()
	}
	var parts [][]byte
	for _, b := range s.objects(name, anthropicBlock) {
		if b.text("type") != "text" {
			b.refuse("type", openAIAPI)
			continue
		}
		parts = append(parts, textPart(b))
	}
	return onePart(parts)
}

// onePart writes parts of text; a single one as a plain string, which every server understands.
func onePart(parts [][]byte) []byte {
	if len(parts) == 1 {
		if m, err := json.Object(parts[0]); err == nil && m.Has("text") {
			return m.Get("text").Bytes()
		}
	}
	return array(parts)
}

// textPart translates a block of text. Where it may be cached matters to the price only.
func textPart(b scope) []byte {
	b.refuseOthers(anthropicTextCarried, openAIAPI)
	if b.m.Get("text").Kind() != '"' {
		b.failAt(b.at("text"), errNotText)
		return nil
	}
	return typed("text").node("text", b.m.Get("text")).bytes()
}

// userMessages translates what the user says, and the results of tools, which are messages of their own there.
func userMessages(m scope) [][]byte {
	if content := m.m.Get("content"); content.Kind() == '"' {
		return [][]byte{new(object).text("role", "user").raw("content", content.Bytes()).bytes()}
	}
	var messages, parts [][]byte
	for _, b := range m.objects("content", anthropicBlock) {
		switch b.text("type") {
		case "text":
			parts = append(parts, textPart(b))
		case "image":
			parts = append(parts, imagePart(b))
		case "tool_result":
			if len(parts) > 0 {
				b.fail("type", "Results of tools must stand before everything else in a message.")
			}
			messages = append(messages, toolMessage(b))
		default:
			b.refuse("type", openAIAPI)
		}
	}
	if len(parts)+len(messages) == 0 {
		m.fail("content", "content must have at least one block.")
	}
	if len(parts) > 0 {
		messages = append(messages, new(object).text("role", "user").raw("content", onePart(parts)).bytes())
	}
	return messages
}

// imagePart translates an image with its data or by address.
func imagePart(b scope) []byte {
	b.refuseOthers(anthropicImageCarried, openAIAPI)
	source := b.object("source", anthropicSource)
	url := ""
	switch source.text("type") {
	case "base64":
		source.refuseOthers(anthropicBase64Carried, openAIAPI)
		url = "data:" + needText(source, "media_type") + ";base64," + needText(source, "data")
	case "url":
		source.refuseOthers(anthropicAddressCarried, openAIAPI)
		url = needText(source, "url")
	default:
		source.refuse("type", openAIAPI)
	}
	return typed("image_url").raw("image_url", new(object).text("url", url).bytes()).bytes()
}

// toolMessage translates the result of a tool. That it is an error can only be said in words there.
func toolMessage(b scope) []byte {
	b.refuseOthers(anthropicResultCarried, openAIAPI)
	content := []byte(`""`)
	if b.given("content") {
		content = plainText(b, "content")
	}
	if b.boolean("is_error") {
		content = markError(content)
	}
	return new(object).text("role", "tool").text("tool_call_id", needText(b, "tool_use_id")).raw("content", content).bytes()
}

// errorMark begins the result of a tool that failed.
const errorMark = "Error: "

// markError puts the mark before content, which is a string or an array of text parts.
func markError(content []byte) []byte {
	n, err := json.Parse(content, json.Limits{})
	if err != nil {
		return content // A mistake has been kept already.
	}
	if text, err := n.Text(); err == nil {
		return json.Quote(errorMark + text)
	}
	parts := [][]byte{typed("text").text("text", errorMark).bytes()}
	nodes, _ := n.Array() // It is one.
	for _, p := range nodes {
		parts = append(parts, p.Bytes())
	}
	return array(parts)
}

// assistantMessage translates what the assistant said and which tools it called.
func assistantMessage(m scope) []byte {
	o := new(object).text("role", "assistant")
	if content := m.m.Get("content"); content.Kind() == '"' {
		return o.raw("content", content.Bytes()).bytes()
	}
	var parts, calls [][]byte
	for _, b := range m.objects("content", anthropicBlock) {
		switch b.text("type") {
		case "text":
			parts = append(parts, textPart(b))
		case "tool_use":
			calls = append(calls, functionCall(b))
		default:
			b.refuse("type", openAIAPI)
		}
	}
	if len(parts) > 0 {
		o.raw("content", onePart(parts))
	}
	if len(calls) > 0 {
		o.raw("tool_calls", array(calls))
	}
	if len(parts)+len(calls) == 0 {
		o.text("content", "")
	}
	return o.bytes()
}

// functionCall translates a use of a tool. The input becomes a string that holds the very bytes of it.
func functionCall(b scope) []byte {
	b.refuseOthers(anthropicUseCarried, openAIAPI)
	arguments := "{}"
	if input := b.m.Get("input"); input.Kind() == '{' {
		arguments = string(input.Bytes())
	} else {
		b.fail("input", "input must be an object.")
	}
	f := new(object).text("name", needText(b, "name")).text("arguments", strings.TrimSpace(arguments))
	return new(object).text("id", needText(b, "id")).text("type", "function").raw("function", f.bytes()).bytes()
}
