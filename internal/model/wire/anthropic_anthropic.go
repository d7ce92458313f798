package wire

import (
	"math/bits"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// anthropicToAnthropic passes Anthropic's format on. Requests are edited by span only, answers not at all.
type anthropicToAnthropic struct{}

// Request puts the target's model and its limit of output in.
func (anthropicToAnthropic) Request(body []byte, t Target) ([]byte, error) {
	s := root(body, anthropicRequest)
	model := s.text("model")
	if err := s.err(); err != nil {
		return nil, err
	}
	e := json.NewEditor(s.m.Node())
	if model != t.Model {
		e.Set(s.m, "model", json.Quote(t.Model))
	}
	if t.Limit > 0 {
		limitThinking(e, s, t.Limit)
		setLimit(e, s, "max_tokens", t.Limit)
	}
	return edited(e, s)
}

// MinThinking is the smallest budget for thinking that Anthropic takes, in tokens.
const MinThinking = 1024

// limitThinking lowers the budget for thinking together with the limit of output, so that the answer keeps its share:
// Anthropic takes no budget that reaches the limit, and a call that asked for thinking is refused rather than answered
// without.
func limitThinking(e *json.Editor, s scope, limit int64) {
	thinking := s.object("thinking", anthropicThinking)
	budget, asked := thinking.count("budget_tokens"), s.count("max_tokens")
	if s.err() != nil || budget == 0 || budget < limit || limit >= asked {
		return
	}
	high, low := bits.Mul64(uint64(budget), uint64(limit))
	lower, _ := bits.Div64(high, low, uint64(asked)) // Less than budget, since limit is less than asked.
	if lower < MinThinking {
		s.failWith(signalbox.Errorf(signalbox.CodeBudgetExhausted,
			"The budget leaves %d tokens of output, too few for the thinking that was asked for (at least %d).", limit, MinThinking).
			WithField(thinking.at("budget_tokens")).WithRemedy("Ask for no thinking, or have the budget or its min_output raised."))
		return
	}
	e.Set(thinking.m, "budget_tokens", strconv.AppendUint(nil, lower, 10))
}

// Response passes the body on.
func (anthropicToAnthropic) Response(body []byte, _ Asked) (Answer, error) {
	_, _, a, err := anthropicReport(body)
	return a, err
}

// Stream begins a stream.
func (anthropicToAnthropic) Stream(Asked) Stream { return &anthropicPass{} }

// anthropicPass passes a stream on and holds back its end: everything from the message_delta with the stop reason.
type anthropicPass struct {
	track anthropicTrack
	held  []byte
}

func (s *anthropicPass) Feed(e sse.Event) (call.Part, error) {
	switch {
	case s.track.done:
		return call.Part{}, nil
	case e.Data == nil:
		return s.emit(e.Raw)
	}
	if _, _, err := s.track.read(e); err != nil {
		return call.Part{}, err
	}
	if s.track.done {
		return call.Part{Data: append(s.held, e.Raw...), Terminal: true}, nil
	}
	return s.emit(e.Raw)
}

// emit passes bytes on, or holds them once the end has begun.
func (s *anthropicPass) emit(data []byte) (call.Part, error) {
	if !s.track.stopped {
		return call.Part{Data: data}, nil
	}
	if len(s.held)+len(data) > sse.MaxEventBytes {
		return call.Part{}, malformed("too much follows the stop_reason")
	}
	s.held = append(s.held, data...)
	return call.Part{}, nil
}

func (s *anthropicPass) End() error {
	if s.track.done {
		return nil
	}
	return truncated("message_stop")
}

func (s *anthropicPass) Report() call.Report { return s.track.finishedReport() }

func (s *anthropicPass) UsageFault() string { return s.track.usageFault() }
