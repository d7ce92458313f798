package call

import (
	"context"
	"errors"
	"io"
	"testing"
)

// script is an answer of parts, then an error.
type script struct {
	parts  []Part
	end    error
	close  error
	closed int
}

func (s *script) Head() Head { return Head{} }

func (s *script) Next(context.Context) (Part, error) {
	if len(s.parts) == 0 {
		return Part{}, s.end
	}
	part := s.parts[0]
	s.parts = s.parts[1:]
	return part, nil
}

func (s *script) Close() error { s.closed++; return s.close }

func TestReadAll(t *testing.T) {
	broken := errors.New("broken")
	part := func(data string, terminal bool) Part { return Part{Data: []byte(data), Terminal: terminal} }
	for name, tt := range map[string]struct {
		answer script
		want   string
		err    error
	}{
		"one part":                {script{parts: []Part{part("a", true)}, end: io.EOF}, "a", nil},
		"several":                 {script{parts: []Part{part("a", false), part("b", false), part("c", true)}, end: io.EOF}, "abc", nil},
		"no part":                 {script{end: io.EOF}, "", io.ErrUnexpectedEOF},
		"no terminal part":        {script{parts: []Part{part("a", false)}, end: io.EOF}, "", io.ErrUnexpectedEOF},
		"broken":                  {script{parts: []Part{part("a", false)}, end: broken}, "", broken},
		"broken behind its end":   {script{parts: []Part{part("a", true)}, end: broken}, "", broken},
		"broken when it is ended": {script{parts: []Part{part("a", true)}, end: io.EOF, close: broken}, "", broken},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadAll(t.Context(), &tt.answer)
			if string(got) != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || tt.answer.closed != 1 {
				t.Errorf("got %q, %v, closed %d times", got, err, tt.answer.closed)
			}
		})
	}
}
