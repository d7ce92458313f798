package provider

import (
	"context"
	"errors"
	"io"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// streaming is an answer that arrives event by event.
type streaming struct {
	exchange *exchange
	head     call.Head
	events   *sse.Reader
	stream   wire.Stream
	status   int
	spoken   bool       // An event with data has come.
	first    *call.Part // Read by Open and not given yet.
	next     *result    // Read together with the part given last, and not given yet.
	final    error      // What Next gives from the end on.
}

// result is what reading has come to.
type result struct {
	part call.Part
	err  error
}

// Head gives the content type.
func (s *streaming) Head() call.Head { return s.head }

// Next gives the next part that is not empty: all events that have arrived together, so that they are written together.
func (s *streaming) Next(ctx context.Context) (call.Part, error) {
	if s.final != nil {
		return call.Part{}, s.final
	}
	if s.first != nil {
		part := *s.first
		s.first = nil
		return s.given(part), nil
	}
	part, err := s.readOn(ctx)
	if err != nil {
		s.final = err
		return call.Part{}, err
	}
	return s.given(part), nil
}

// readOn gives what was read ahead, or waits for events.
func (s *streaming) readOn(ctx context.Context) (call.Part, error) {
	if ahead := s.next; ahead != nil {
		s.next = nil
		return ahead.part, ahead.err
	}
	stop := s.exchange.follow(ctx)
	part, err := s.read()
	stop()
	if err == nil && !part.Terminal {
		part.Data = s.gather(part.Data)
	}
	return part, err
}

// gather adds the events that have arrived already. The terminal part and a fault stay apart: what came before them is not
// held back with them.
func (s *streaming) gather(data []byte) []byte {
	for s.next == nil && s.events.Ready() {
		part, err := s.feed()
		if err != nil || part.Terminal {
			s.next = &result{part, err}
			break
		}
		data = append(data, part.Data...)
	}
	return data
}

// given notes that nothing follows a terminal part.
func (s *streaming) given(part call.Part) call.Part {
	if part.Terminal {
		s.final = io.EOF
	}
	return part
}

// before gives the bytes that Open has read so far.
func (s *streaming) before() []byte {
	if s.first == nil {
		return nil
	}
	return s.first.Data
}

// read reads events until one gives a part. Errors are *signalbox.Error.
func (s *streaming) read() (call.Part, error) {
	for {
		part, err := s.feed()
		if err != nil || part.Terminal || len(part.Data) > 0 {
			return part, err
		}
	}
}

// feed reads one event and gives its part, which may be empty.
func (s *streaming) feed() (call.Part, error) {
	event, err := s.events.Next()
	if err != nil {
		return call.Part{}, s.ended(err)
	}
	s.spoken = s.spoken || len(event.Data) > 0
	part, err := s.stream.Feed(event)
	if err != nil {
		return call.Part{}, signalbox.AsError(err)
	}
	return part, nil
}

// ended says what the end of the bytes means. A stream that has not given its terminal part is broken, however it ended.
func (s *streaming) ended(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || s.exchange.ctx.Err() != nil {
		return s.exchange.broken(err)
	}
	if err := s.stream.End(); err != nil {
		return signalbox.AsError(err)
	}
	return s.exchange.broken(io.ErrUnexpectedEOF)
}

// Report is what the stream has told so far.
func (s *streaming) Report() call.Report {
	r := s.stream.Report()
	r.HTTPStatus = s.status
	r.Hidden = r.Hidden || s.exchange.backend.hidden
	return r
}

// Close cuts the exchange, or lets its connection be used again if the answer is complete.
func (s *streaming) Close() error {
	if errors.Is(s.final, io.EOF) {
		s.exchange.drain()
	}
	s.exchange.close()
	if s.final == nil {
		s.final = errCallerGone()
	}
	return nil
}
