package wire

import (
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// finishOfStop gives OpenAI's finish_reason for Anthropic's stop_reason. What is not here has no counterpart; to call it
// "stop" would hide that the answer is unfinished.
var finishOfStop = map[string]string{
	"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length",
	"model_context_window_exceeded": "length", "refusal": "content_filter",
}

func openAIFinish(stop string) (string, error) {
	if finish, ok := finishOfStop[stop]; ok {
		return finish, nil
	}
	return "", malformed("stop_reason %q has no counterpart in OpenAI's format", clean(stop))
}

// Response translates a message into a chat completion.
func (openAIToAnthropic) Response(body []byte, a Asked) (Answer, error) {
	_, blocks, answer, err := anthropicReport(body)
	if err != nil {
		return Answer{}, err
	}
	finish, err := openAIFinish(answer.Report.Finish)
	if err != nil {
		return Answer{}, err
	}
	message, err := completionMessage(blocks)
	if err != nil {
		return Answer{}, err
	}
	choice := new(object).number("index", 0).raw("message", message).null("logprobs").text("finish_reason", finish)
	answer.Body = completion("chat.completion", answer.Report, a).raw("choices", array([][]byte{choice.bytes()})).
		raw("usage", openAIUsageObject(answer.Report.Usage)).bytes()
	return answer, nil
}

// completion begins a completion or chunk.
func completion(kind string, r call.Report, a Asked) *object {
	return new(object).text("id", r.ResponseID).text("object", kind).number("created", max(a.Created.Unix(), 0)).
		text("model", r.ResponseName)
}

// completionMessage translates the blocks. Thinking stays behind, as OpenAI's own does.
func completionMessage(blocks []json.Members) ([]byte, error) {
	text, said := "", false
	var calls [][]byte
	for _, b := range blocks {
		switch kind := textOf(b.Get("type")); kind {
		case "text":
			text, said = text+textOf(b.Get("text")), true
		case "tool_use":
			calls = append(calls, completionCall(b).bytes())
		case "thinking", "redacted_thinking":
		default:
			return nil, malformed("a content block of type %q has no counterpart in OpenAI's format", clean(kind))
		}
	}
	o := new(object).text("role", "assistant")
	if said || len(calls) == 0 {
		o.text("content", text)
	} else {
		o.null("content")
	}
	o.null("refusal")
	if len(calls) > 0 {
		o.raw("tool_calls", array(calls))
	}
	return o.bytes(), nil
}

// completionCall translates a tool_use block.
func completionCall(b json.Members) *object {
	arguments := "{}"
	if input := b.Get("input"); !input.Null() {
		arguments = string(input.Bytes())
	}
	f := new(object).text("name", textOf(b.Get("name"))).text("arguments", arguments)
	return new(object).text("id", textOf(b.Get("id"))).text("type", "function").raw("function", f.bytes())
}

// Stream begins a stream.
func (openAIToAnthropic) Stream(a Asked) Stream {
	return &chunkStream{asked: a, tools: map[int64]*chunkTool{}}
}

// chunkStream translates the events of a message into chunks of a chat completion. Pings are not passed on: OpenAI's
// format knows none, and a comment is more than some clients bear.
type chunkStream struct {
	asked  Asked
	track  anthropicTrack
	tools  map[int64]*chunkTool // By the index of the content block.
	finish string
}

// chunkTool is a tool call that is being streamed.
type chunkTool struct {
	position int
	input    string // The input that came with the start of the block.
	streamed bool   // Some of the arguments have been passed on.
}

func (s *chunkStream) Feed(e sse.Event) (call.Part, error) {
	if s.track.done || e.Data == nil {
		return call.Part{}, nil
	}
	kind, m, err := s.track.read(e)
	if err != nil {
		return call.Part{}, err
	}
	switch kind {
	case "message_start":
		return s.delta(new(object).text("role", "assistant").text("content", "").null("refusal"))
	case "content_block_start":
		return s.block(blockIndex(m), memberObject(m, "content_block"))
	case "content_block_delta":
		return s.piece(blockIndex(m), memberObject(m, "delta"))
	case "content_block_stop":
		return s.close(blockIndex(m))
	case "message_delta":
		if s.track.stopped {
			s.finish, err = openAIFinish(s.track.report.Finish)
		}
		return call.Part{}, err
	case "message_stop":
		return s.terminal()
	}
	return call.Part{}, nil
}

// blockIndex is the index of the content block that an event is about, -1 where it has none.
func blockIndex(m json.Members) int64 {
	i, err := m.Get("index").Int()
	if err != nil {
		return -1
	}
	return i
}

// block translates the start of a content block.
func (s *chunkStream) block(index int64, b json.Members) (call.Part, error) {
	switch kind := textOf(b.Get("type")); kind {
	case "text":
		return s.text(textOf(b.Get("text")))
	case "tool_use":
		return s.tool(index, b)
	case "thinking", "redacted_thinking":
		return call.Part{}, nil
	default:
		return call.Part{}, malformed("a content block of type %q has no counterpart in OpenAI's format", clean(kind))
	}
}

// tool begins a tool call. Its arguments follow in pieces; an input that is here already waits for the end of the block,
// because it is empty where pieces follow.
func (s *chunkStream) tool(index int64, b json.Members) (call.Part, error) {
	if s.tools[index] != nil || len(s.tools) >= maxToolCalls {
		return call.Part{}, malformed("content block %d begins twice", index)
	}
	t := &chunkTool{position: len(s.tools), input: "{}"}
	if input := b.Get("input"); !input.Null() {
		t.input = string(input.Bytes())
	}
	s.tools[index] = t
	f := new(object).text("name", textOf(b.Get("name"))).text("arguments", "")
	c := new(object).number("index", int64(t.position)).text("id", textOf(b.Get("id"))).text("type", "function")
	return s.call(c.raw("function", f.bytes()))
}

// piece translates a delta.
func (s *chunkStream) piece(index int64, d json.Members) (call.Part, error) {
	switch textOf(d.Get("type")) {
	case "text_delta":
		return s.text(textOf(d.Get("text")))
	case "input_json_delta":
		t, text := s.tools[index], textOf(d.Get("partial_json"))
		if t == nil {
			return call.Part{}, malformed("input for content block %d, which is no tool call", index)
		}
		return s.arguments(t, text)
	}
	return call.Part{}, nil // Thinking, signatures and citations.
}

// close ends a content block. A call without arguments still needs a JSON document.
func (s *chunkStream) close(index int64) (call.Part, error) {
	if t := s.tools[index]; t != nil && !t.streamed {
		return s.arguments(t, t.input)
	}
	return call.Part{}, nil
}

func (s *chunkStream) arguments(t *chunkTool, text string) (call.Part, error) {
	if text == "" {
		return call.Part{}, nil
	}
	t.streamed = true
	f := new(object).text("arguments", text)
	return s.call(new(object).number("index", int64(t.position)).raw("function", f.bytes()))
}

func (s *chunkStream) call(c *object) (call.Part, error) {
	return s.delta(new(object).raw("tool_calls", array([][]byte{c.bytes()})))
}

func (s *chunkStream) text(text string) (call.Part, error) {
	if text == "" {
		return call.Part{}, nil
	}
	return s.delta(new(object).text("content", text))
}

// delta writes a chunk with one delta.
func (s *chunkStream) delta(d *object) (call.Part, error) {
	return call.Part{Data: s.chunk(d.bytes(), []byte("null"))}, nil
}

func (s *chunkStream) chunk(delta, finish []byte) []byte {
	choice := new(object).number("index", 0).raw("delta", delta).null("logprobs").raw("finish_reason", finish)
	o := completion("chat.completion.chunk", s.track.report, s.asked).raw("choices", array([][]byte{choice.bytes()}))
	if s.asked.UsageWanted {
		o.null("usage")
	}
	return sse.Append(nil, "", o.bytes())
}

// terminal writes the end: the finish reason, the usage if it was asked for, and the end marker.
func (s *chunkStream) terminal() (call.Part, error) {
	data := s.chunk([]byte("{}"), json.Quote(s.finish))
	if usage := s.Report().Usage; usage != nil && s.asked.UsageWanted {
		o := completion("chat.completion.chunk", s.track.report, s.asked).raw("choices", []byte("[]"))
		data = sse.Append(data, "", o.raw("usage", openAIUsageObject(usage)).bytes())
	}
	return call.Part{Data: sse.Append(data, "", doneMarker), Terminal: true}, nil
}

func (s *chunkStream) End() error {
	if s.track.done {
		return nil
	}
	return truncated("message_stop")
}

func (s *chunkStream) Report() call.Report { return s.track.finishedReport() }

func (s *chunkStream) UsageFault() string { return s.track.usageFault() }
