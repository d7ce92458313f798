package wire

import (
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// This file reads what backends that speak Anthropic's format answer, for whichever caller.

// anthropicTrack follows a stream in Anthropic's format.
type anthropicTrack struct {
	begun   bool // message_start has come.
	stopped bool // message_delta with a stop reason has come.
	settled bool // A usage has come with the stop reason or behind it.
	done    bool // message_stop has come.
	counts  anthropicCounts
	report  call.Report
}

// read takes an event with data and returns its type and document.
func (t *anthropicTrack) read(e sse.Event) (kind string, m json.Members, err error) {
	if m, err = parseAnswer(e.Data); err != nil {
		return "", m, err
	}
	kind = textOf(m.Get("type"))
	if kind == "" {
		kind = e.Name
	}
	if kind == "error" || kind == "" && !m.Get("error").Null() {
		return "", m, upstreamError(statusOfType(errorObject(m)), errorObject(m))
	}
	return kind, m, t.note(kind, m)
}

// note adds what the event says to the report and checks the order of the events that matter.
func (t *anthropicTrack) note(kind string, m json.Members) error {
	switch kind {
	case "message_start":
		return t.start(m)
	case "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
		if !t.begun {
			return malformed("%s comes before message_start", kind)
		}
	}
	switch kind {
	case "content_block_start":
		noteAnthropicBlock(&t.report, memberObject(m, "content_block"))
	case "content_block_delta":
		noteAnthropicDelta(&t.report, memberObject(m, "delta"))
	case "message_delta":
		t.counts.add(m.Get("usage"))
		t.counts.final = t.counts.final || !m.Get("usage").Null()
		if reason := textOf(memberObject(m, "delta").Get("stop_reason")); reason != "" {
			t.stopped, t.report.Finish = true, reason
		}
		t.settled = t.settled || t.stopped && !m.Get("usage").Null()
	case "message_stop":
		if !t.stopped {
			return truncated("a stop_reason came")
		}
		t.done = true
	}
	return nil
}

// start takes message_start.
func (t *anthropicTrack) start(m json.Members) error {
	if t.begun {
		return malformed("message_start comes twice")
	}
	t.begun = true
	message := memberObject(m, "message")
	t.report.ResponseID, t.report.ResponseName = textOf(message.Get("id")), textOf(message.Get("model"))
	t.counts.add(message.Get("usage"))
	return nil
}

// finishedReport is the report with the usage as known so far. While the answer is unfinished it is an early one: that of
// message_start has all the input, and of the output just the beginning.
func (t *anthropicTrack) finishedReport() call.Report {
	r := t.report
	if t.done || t.settled {
		r.Usage, _ = t.counts.usage()
	}
	if r.Usage == nil {
		r.Early, _ = t.counts.sofar()
	}
	return r
}

func (t *anthropicTrack) usageFault() string {
	_, fault := t.counts.usage()
	return fault
}

// memberObject enters a member; what is no object has no members.
func memberObject(m json.Members, name string) json.Members {
	inner, err := m.Get(name).Object()
	if err != nil {
		return json.Members{}
	}
	return inner
}

// noteAnthropicBlock counts the content of a block, or of the start of one. Thinking is given in summary at most, and
// billed in full.
func noteAnthropicBlock(r *call.Report, b json.Members) {
	text := textOf(b.Get("text"))
	switch textOf(b.Get("type")) {
	case "thinking", "redacted_thinking":
		r.Hidden = true
	case "tool_use":
		r.OutputBytes += toolMarks
	}
	r.Excerpt = appendExcerpt(r.Excerpt, text)
	r.OutputBytes += int64(len(text) + len(textOf(b.Get("thinking"))) + len(textOf(b.Get("name"))))
	if input := b.Get("input"); input.Exists() && string(input.Bytes()) != "{}" {
		r.OutputBytes += int64(len(input.Bytes()))
	}
}

// noteAnthropicDelta counts the content of a delta.
func noteAnthropicDelta(r *call.Report, d json.Members) {
	text := textOf(d.Get("text"))
	r.Excerpt = appendExcerpt(r.Excerpt, text)
	r.OutputBytes += int64(len(text) + len(textOf(d.Get("thinking"))) + len(textOf(d.Get("partial_json"))))
}

// anthropicReport reads a whole answer in Anthropic's format.
func anthropicReport(body []byte) (json.Members, []json.Members, Answer, error) {
	m, err := parseAnswer(body)
	if err != nil {
		return m, nil, Answer{}, err
	}
	if textOf(m.Get("type")) == "error" || !m.Get("error").Null() {
		return m, nil, Answer{}, upstreamError(statusOfType(errorObject(m)), errorObject(m))
	}
	blocks, err := anthropicBlocks(m)
	if err != nil {
		return m, nil, Answer{}, err
	}
	a := Answer{Body: body, Report: call.Report{
		ResponseID: textOf(m.Get("id")), ResponseName: textOf(m.Get("model")), Finish: textOf(m.Get("stop_reason")),
	}}
	if a.Report.Finish == "" {
		return m, nil, Answer{}, malformed("it has no stop_reason")
	}
	counts := anthropicCounts{final: true}
	counts.add(m.Get("usage"))
	a.Report.Usage, a.UsageFault = counts.usage()
	for _, b := range blocks {
		noteAnthropicBlock(&a.Report, b)
	}
	return m, blocks, a, nil
}

// anthropicBlocks reads the content of an answer.
func anthropicBlocks(m json.Members) ([]json.Members, error) {
	nodes, err := m.Get("content").Array()
	if err != nil {
		return nil, malformed("content: %v", err)
	}
	list := make([]json.Members, 0, len(nodes))
	for _, n := range nodes {
		b, err := n.Object()
		if err != nil {
			return nil, malformed("content: %v", err)
		}
		list = append(list, b)
	}
	return list, nil
}
