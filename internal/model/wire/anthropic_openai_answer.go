package wire

import (
	"fmt"

	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// stopOfFinish gives Anthropic's stop_reason for OpenAI's finish_reason. OpenAI does not tell a stop sequence from the
// natural end.
var stopOfFinish = map[string]string{
	"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use", "content_filter": "refusal",
}

func anthropicStopReason(finish string) (string, error) {
	if stop, ok := stopOfFinish[finish]; ok {
		return stop, nil
	}
	return "", malformed("finish_reason %q has no counterpart in Anthropic's format", clean(finish))
}

// Response translates a chat completion into a message.
func (anthropicToOpenAI) Response(body []byte, _ Asked) (Answer, error) {
	_, choices, answer, err := openAIReport(body)
	if err != nil {
		return Answer{}, err
	}
	if len(choices) != 1 {
		return Answer{}, malformed("it has %d choices where one was asked for", len(choices))
	}
	stop, err := anthropicStopReason(answer.Report.Finish)
	if err != nil {
		return Answer{}, err
	}
	content, err := messageContent(choices[0].message)
	if err != nil {
		return Answer{}, err
	}
	answer.Body = message(answer.Report, array(content), json.Quote(stop), anthropicUsageObject(answer.Report.Usage))
	return answer, nil
}

// message writes a message of Anthropic's.
func message(r call.Report, content, stop, usage []byte) []byte {
	return new(object).text("id", r.ResponseID).text("type", "message").text("role", "assistant").
		text("model", r.ResponseName).raw("content", content).raw("stop_reason", stop).null("stop_sequence").
		raw("usage", usage).bytes()
}

// messageContent translates text, refusal and tool calls into blocks.
func messageContent(m json.Members) ([][]byte, error) {
	var blocks [][]byte
	for _, name := range []string{"content", "refusal"} {
		if text := textOf(m.Get(name)); text != "" {
			blocks = append(blocks, typed("text").text("text", text).bytes())
		}
	}
	tools, err := openAITools(m)
	if err != nil {
		return nil, err
	}
	for _, t := range tools {
		input, err := argumentsObject(t.arguments)
		if err != nil {
			return nil, malformed("the arguments of a call of %q are not a JSON object", clean(t.name))
		}
		b := typed("tool_use").text("id", t.callID()).text("name", t.name).raw("input", input)
		blocks = append(blocks, b.bytes())
	}
	return blocks, nil
}

// callID is the call's id. Some servers leave it out, and the result of the tool must name it.
func (t openAIToolCall) callID() string {
	if t.id == "" {
		return fmt.Sprintf("call_%d", t.index)
	}
	return t.id
}

// Stream begins a stream.
func (anthropicToOpenAI) Stream(a Asked) Stream {
	a.Choices = 1
	return &messageStream{track: newOpenAITrack(a), open: noBlock, tool: noBlock}
}

// noBlock stands for the index of no content block and of no tool call.
const noBlock = -1

// messageStream translates chunks of a chat completion into the events of a message. One block is open at a time, as
// Anthropic's clients expect.
type messageStream struct {
	track   openAITrack
	started bool // message_start has been written.
	blocks  int  // Content blocks begun so far.
	open    int  // The index of the open block.
	tool    int  // The index of the tool call that the open block is; noBlock for text.
	toolID  string
	tools   int // One more than the highest index of a tool call so far.
	stop    string
	out     []byte // The events of the chunk at hand.
}

func (s *messageStream) Feed(e sse.Event) (call.Part, error) {
	if s.track.done || e.Data == nil {
		return call.Part{}, nil
	}
	if isDone(e) {
		return s.terminal()
	}
	c, err := s.track.read(e)
	if err != nil {
		return call.Part{}, err
	}
	s.out = nil
	for _, choice := range c.choices {
		if err := s.choice(choice); err != nil {
			return call.Part{}, err
		}
	}
	return call.Part{Data: s.out}, nil
}

// choice translates the delta of the one choice.
func (s *messageStream) choice(c openAIChoice) error {
	if c.index != 0 {
		return malformed("it has more than the one choice asked for")
	}
	s.start()
	for _, name := range []string{"content", "refusal"} {
		s.text(textOf(c.message.Get(name)))
	}
	tools, err := openAITools(c.message)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if err := s.call(t); err != nil {
			return err
		}
	}
	if c.finish == "" {
		return nil
	}
	s.close()
	s.stop, err = anthropicStopReason(c.finish)
	return err
}

// start writes message_start before anything else. The usage is not known yet; message_delta has it.
func (s *messageStream) start() {
	if s.started {
		return
	}
	s.started = true
	m := message(s.track.report, []byte("[]"), []byte("null"), anthropicUsageObject(nil))
	s.event("message_start", new(object).raw("message", m))
}

func (s *messageStream) text(text string) {
	if text == "" {
		return
	}
	if s.open == noBlock || s.tool != noBlock {
		s.begin(typed("text").text("text", ""))
	}
	s.delta(typed("text_delta").text("text", text))
}

// call translates a piece of a tool call as it comes.
func (s *messageStream) call(t openAIToolCall) error {
	another := t.name != "" && t.id != "" && t.id != s.toolID // Some servers give every call the index 0.
	switch {
	case s.open != noBlock && s.tool == t.index && !another:
	case t.index < s.tools && !another:
		return malformed("the pieces of its tool calls are interleaved, which has no counterpart in Anthropic's format")
	case t.name == "":
		return malformed("a tool call begins without a name")
	default:
		s.begin(typed("tool_use").text("id", t.callID()).text("name", t.name).raw("input", []byte("{}")))
		s.tool, s.toolID, s.tools = t.index, t.id, max(s.tools, t.index+1)
	}
	if t.arguments != "" {
		s.delta(typed("input_json_delta").text("partial_json", t.arguments))
	}
	return nil
}

// begin closes the open block and begins the next one.
func (s *messageStream) begin(block *object) {
	s.close()
	s.open, s.tool = s.blocks, noBlock
	s.blocks++
	s.event("content_block_start", new(object).number("index", int64(s.open)).raw("content_block", block.bytes()))
}

func (s *messageStream) delta(d *object) {
	s.event("content_block_delta", new(object).number("index", int64(s.open)).raw("delta", d.bytes()))
}

func (s *messageStream) close() {
	if s.open != noBlock {
		s.event("content_block_stop", new(object).number("index", int64(s.open)))
		s.open, s.tool = noBlock, noBlock
	}
}

// event writes an event whose data begins with its type.
func (s *messageStream) event(name string, rest *object) {
	data := append([]byte(nil), rest.b...)
	o := typed(name)
	if len(data) > 0 {
		o.b = append(append(o.b, ','), data...)
	}
	s.out = sse.Append(s.out, name, o.bytes())
}

// terminal writes message_delta with the stop reason and the usage, and message_stop.
func (s *messageStream) terminal() (call.Part, error) {
	if err := s.track.end(); err != nil {
		return call.Part{}, err
	}
	if s.stop == "" {
		s.track.done = false
		return call.Part{}, truncated("a finish_reason came")
	}
	s.out = nil
	s.close()
	delta := new(object).text("stop_reason", s.stop).null("stop_sequence")
	s.event("message_delta", new(object).raw("delta", delta.bytes()).raw("usage", anthropicUsageObject(s.track.report.Usage)))
	s.event("message_stop", new(object))
	return call.Part{Data: s.out, Terminal: true}, nil
}

func (s *messageStream) End() error {
	if s.track.done {
		return nil
	}
	return truncated("[DONE]")
}

func (s *messageStream) Report() call.Report { return s.track.finishedReport() }

func (s *messageStream) UsageFault() string { return s.track.usageFault() }
