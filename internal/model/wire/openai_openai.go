package wire

import (
	"bytes"
	"strconv"

	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// openAIToOpenAI passes OpenAI's format on. Requests are edited by span only, answers not at all, except that usage
// which only Signalbox asked for is taken out of streams.
type openAIToOpenAI struct{}

// Request puts the target's model and its limit of output in and, for streams, asks for usage.
func (openAIToOpenAI) Request(body []byte, t Target) ([]byte, error) {
	s := root(body, openAIRequest)
	stream := s.boolean("stream")
	model := s.text("model")
	if err := s.err(); err != nil {
		return nil, err
	}
	e := json.NewEditor(s.m.Node())
	if model != t.Model {
		e.Set(s.m, "model", json.Quote(t.Model))
	}
	if t.Limit > 0 {
		limitOpenAI(e, s, t)
	}
	if stream {
		forceUsage(e, s)
	}
	return edited(e, s)
}

// limitOpenAI sets the limit of output tokens in the member that the caller used, else in the one the target knows.
func limitOpenAI(e *json.Editor, s scope, t Target) {
	found := false
	for _, name := range []string{newMaxTokens, oldMaxTokens} {
		if limit := s.count(name); limit > 0 {
			found = true
			setLimit(e, s, name, t.Limit)
		}
	}
	if !found {
		setLimit(e, s, limitName(t), t.Limit)
	}
}

// setLimit sets a member to a number, unless it has that value already.
func setLimit(e *json.Editor, s scope, name string, limit int64) {
	if s.err() == nil && s.count(name) != limit {
		e.Set(s.m, name, strconv.AppendInt(nil, limit, 10))
	}
}

// forceUsage sets stream_options.include_usage, whatever stands there now.
func forceUsage(e *json.Editor, s scope) {
	if !s.given("stream_options") {
		e.Set(s.m, "stream_options", []byte(`{"include_usage":true}`))
		return
	}
	options := s.object("stream_options", openAIStreamOptions)
	if s.err() == nil && !options.boolean("include_usage") {
		e.Set(options.m, "include_usage", []byte("true"))
	}
}

// edited returns the edited request, or the first mistake in it.
func edited(e *json.Editor, s scope) ([]byte, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	out, err := e.Bytes()
	if err != nil {
		s.failJSON(err)
	}
	return out, s.err()
}

// Response passes the body on.
func (openAIToOpenAI) Response(body []byte, _ Asked) (Answer, error) {
	_, _, a, err := openAIReport(body)
	return a, err
}

// Stream begins a stream.
func (openAIToOpenAI) Stream(a Asked) Stream {
	return &openAIPass{track: newOpenAITrack(a), wanted: a.UsageWanted}
}

// openAIPass passes a stream on and holds back its end: everything from the chunk that finishes the last choice.
type openAIPass struct {
	track  openAITrack
	wanted bool
	held   []byte
}

func (s *openAIPass) Feed(e sse.Event) (call.Part, error) {
	switch {
	case s.track.done:
		return call.Part{}, nil
	case e.Data == nil:
		return s.emit(e.Raw)
	case isDone(e):
		if err := s.track.end(); err != nil {
			return call.Part{}, err
		}
		return call.Part{Data: append(s.held, e.Raw...), Terminal: true}, nil
	}
	c, err := s.track.read(e)
	if err != nil {
		return call.Part{}, err
	}
	data, err := s.strip(e, c)
	if err != nil {
		return call.Part{}, err
	}
	return s.emit(data)
}

// emit passes bytes on, or holds them once the end has begun.
func (s *openAIPass) emit(data []byte) (call.Part, error) {
	if !s.track.allFinished() {
		return call.Part{Data: data}, nil
	}
	if len(s.held)+len(data) > sse.MaxEventBytes {
		return call.Part{}, malformed("too much follows the last finish_reason")
	}
	s.held = append(s.held, data...)
	return call.Part{}, nil
}

// strip takes usage out if the caller did not ask for it: the chunk that carries nothing else, and the member in others.
func (s *openAIPass) strip(e sse.Event, c chunk) ([]byte, error) {
	usage := c.m.Get("usage")
	if s.wanted || !usage.Exists() {
		return e.Raw, nil
	}
	if !usage.Null() && len(c.choices) == 0 {
		return nil, nil
	}
	edit := json.NewEditor(c.m.Node())
	edit.Delete(c.m, "usage")
	data, err := edit.Bytes()
	if err != nil {
		return nil, malformed("%v", err)
	}
	return withData(e, data), nil
}

// withData is the event's raw bytes with other data. Comments and the style of line ends stay.
func withData(e sse.Event, data []byte) []byte {
	i := bytes.Index(e.Raw, e.Data)
	if i < 0 || bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		return sse.Append(nil, e.Name, data)
	}
	out := make([]byte, 0, len(e.Raw))
	out = append(out, e.Raw[:i]...)
	out = append(out, data...)
	return append(out, e.Raw[i+len(e.Data):]...)
}

func (s *openAIPass) End() error {
	if s.track.done {
		return nil
	}
	return truncated("[DONE]")
}

func (s *openAIPass) Report() call.Report { return s.track.finishedReport() }

func (s *openAIPass) UsageFault() string { return s.track.usageFault() }
