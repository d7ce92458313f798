package wire

import (
	"bytes"

	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// This file reads what backends that speak OpenAI's format answer, for whichever caller.

// doneMarker is the data of the event that ends a stream in OpenAI's format.
var doneMarker = []byte("[DONE]")

// parseAnswer parses a document of an upstream. The names in it may be data, so that they may differ by case only.
func parseAnswer(data []byte) (json.Members, error) {
	n, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return json.Members{}, malformed("%v", err)
	}
	m, err := n.Object()
	if err != nil {
		return json.Members{}, malformed("%v", err)
	}
	return m, nil
}

// openAIChoice is one choice of an answer or chunk.
type openAIChoice struct {
	index   int
	message json.Members // The member "message" of an answer, "delta" of a chunk.
	finish  string
}

// openAIChoices reads the member "choices".
func openAIChoices(m json.Members, content string) ([]openAIChoice, error) {
	if m.Get("choices").Null() {
		return nil, nil
	}
	nodes, err := m.Get("choices").Array()
	if err != nil {
		return nil, malformed("choices: %v", err)
	}
	list := make([]openAIChoice, 0, len(nodes))
	for _, n := range nodes {
		c, err := readOpenAIChoice(n, content)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func readOpenAIChoice(n json.Node, content string) (openAIChoice, error) {
	m, err := n.Object()
	if err != nil {
		return openAIChoice{}, malformed("choices: %v", err)
	}
	c := openAIChoice{finish: textOf(m.Get("finish_reason"))}
	if i := m.Get("index"); !i.Null() {
		v, err := i.Int()
		if err != nil || v < 0 || v >= MaxChoices {
			return openAIChoice{}, malformed("a choice has no valid index")
		}
		c.index = int(v)
	}
	if d := m.Get(content); !d.Null() {
		if c.message, err = d.Object(); err != nil {
			return openAIChoice{}, malformed("%s: %v", content, err)
		}
	}
	return c, nil
}

// openAITools reads the tool calls of a message or delta.
func openAITools(message json.Members) ([]openAIToolCall, error) {
	n := message.Get("tool_calls")
	if n.Null() {
		return nil, nil
	}
	nodes, err := n.Array()
	if err != nil {
		return nil, malformed("tool_calls: %v", err)
	}
	list := make([]openAIToolCall, 0, len(nodes))
	for i, n := range nodes {
		t, err := readOpenAITool(n, i)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// openAIToolCall is a tool call, or a piece of one in a stream.
type openAIToolCall struct {
	index               int
	id, name, arguments string
}

func readOpenAITool(n json.Node, position int) (openAIToolCall, error) {
	m, err := n.Object()
	if err != nil {
		return openAIToolCall{}, malformed("tool_calls: %v", err)
	}
	t := openAIToolCall{index: position, id: textOf(m.Get("id"))}
	if i := m.Get("index"); !i.Null() {
		v, err := i.Int()
		if err != nil || v < 0 || v > maxToolCalls {
			return openAIToolCall{}, malformed("a tool call has no valid index")
		}
		t.index = int(v)
	}
	if f := m.Get("function"); !f.Null() {
		fm, err := f.Object()
		if err != nil {
			return openAIToolCall{}, malformed("tool_calls: %v", err)
		}
		t.name, t.arguments = textOf(fm.Get("name")), textOf(fm.Get("arguments"))
	}
	return t, nil
}

// maxToolCalls bounds the tool calls of one answer.
const maxToolCalls = 1024

// openAITrack follows a stream in OpenAI's format.
type openAITrack struct {
	choices  int
	finished map[int]bool
	begun    bool // A choice has come.
	late     bool // A usage has come with the last finish reason or behind it.
	done     bool // The end marker has come.
	report   call.Report
	fault    string
}

func newOpenAITrack(a Asked) openAITrack {
	return openAITrack{choices: max(a.Choices, 1), finished: map[int]bool{}, fault: noUsage}
}

// chunk is one event's document.
type chunk struct {
	m       json.Members
	choices []openAIChoice
}

// read takes an event with data that is not the end marker.
func (t *openAITrack) read(e sse.Event) (chunk, error) {
	m, err := parseAnswer(e.Data)
	if err != nil {
		return chunk{}, err
	}
	if e.Name == "error" || !m.Get("error").Null() {
		return chunk{}, upstreamError(statusOfType(errorObject(m)), errorObject(m))
	}
	c := chunk{m: m}
	if c.choices, err = openAIChoices(m, "delta"); err != nil {
		return chunk{}, err
	}
	t.note(c)
	return c, nil
}

// note adds what the chunk says to the report.
func (t *openAITrack) note(c chunk) {
	if id := textOf(c.m.Get("id")); id != "" {
		t.report.ResponseID = id
	}
	if name := textOf(c.m.Get("model")); name != "" {
		t.report.ResponseName = name
	}
	if n := c.m.Get("usage"); !n.Null() {
		t.report.Usage, t.fault = openAIUsage(n)
	}
	for _, choice := range c.choices {
		t.begun = true
		noteOpenAIContent(&t.report, choice)
		if choice.finish != "" {
			t.finished[choice.index] = true
		}
	}
	t.late = t.late || t.allFinished() && !c.m.Get("usage").Null()
}

// finishedReport is the report. A usage that came while the answer was unfinished is an early one.
func (t *openAITrack) finishedReport() call.Report {
	r := t.report
	if !t.done && !t.late {
		r.Usage, r.Early = nil, r.Usage
	}
	return r
}

func (t *openAITrack) usageFault() string {
	if t.report.Usage != nil && t.finishedReport().Usage == nil {
		return earlyUsage
	}
	return t.fault
}

// allFinished reports whether each of the choices asked for has its finish reason.
func (t *openAITrack) allFinished() bool { return len(t.finished) >= t.choices }

// end takes the end marker.
func (t *openAITrack) end() error {
	if !t.begun {
		return truncated("any choice came")
	}
	t.done = true
	return nil
}

// isDone reports whether the event is the end marker.
func isDone(e sse.Event) bool { return bytes.Equal(bytes.TrimSpace(e.Data), doneMarker) }

// toolMarks is what a model writes around the name and the arguments of a call of a tool, in bytes. No answer shows it.
const toolMarks = 32

// noteOpenAIContent counts generated content. The excerpt is of the first choice.
func noteOpenAIContent(r *call.Report, c openAIChoice) {
	for _, name := range []string{"content", "refusal", "reasoning_content", "reasoning", "function_call"} {
		n := c.message.Get(name)
		text := textOf(n)
		if r.OutputBytes += int64(len(text)); text == "" && !n.Null() && n.Kind() != '"' {
			r.OutputBytes += int64(len(n.Bytes())) // Some give parts instead of a text.
		}
		if c.index == 0 && (name == "content" || name == "refusal") {
			r.Excerpt = appendExcerpt(r.Excerpt, text)
		}
	}
	if n := c.message.Get("tool_calls"); !n.Null() {
		tools, _ := openAITools(c.message) // A fault shows where the calls are used.
		for _, tool := range tools {
			r.OutputBytes += int64(len(tool.name) + len(tool.arguments))
			if tool.name != "" {
				r.OutputBytes += toolMarks
			}
		}
	}
	if c.finish != "" && (c.index == 0 || r.Finish == "") {
		r.Finish = c.finish
	}
}

// openAIReport reads a whole answer in OpenAI's format.
func openAIReport(body []byte) (json.Members, []openAIChoice, Answer, error) {
	m, err := parseAnswer(body)
	if err != nil {
		return m, nil, Answer{}, err
	}
	if !m.Get("error").Null() {
		return m, nil, Answer{}, upstreamError(statusOfType(errorObject(m)), errorObject(m))
	}
	choices, err := openAIChoices(m, "message")
	if err == nil && len(choices) == 0 {
		err = malformed("it has no choices")
	}
	if err != nil {
		return m, nil, Answer{}, err
	}
	a := Answer{Body: body}
	a.Report.ResponseID, a.Report.ResponseName = textOf(m.Get("id")), textOf(m.Get("model"))
	a.Report.Usage, a.UsageFault = openAIUsage(m.Get("usage"))
	for _, c := range choices {
		noteOpenAIContent(&a.Report, c)
	}
	return m, choices, a, nil
}
