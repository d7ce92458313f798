package upstream

import (
	"errors"
	"fmt"
)

// errExpired says that the upstream has forgotten the session in which a request was sent, and has not looked at the request.
var errExpired = errors.New("the server has ended the session")

// errGivenUp says that a child was ended by us, because a call that has no answer yet could still ask something.
var errGivenUp = errors.New("a call that might still ask was given up")

// loss is why a request got no answer, in words that a caller may read: ours, without anything that an upstream has written.
type loss struct {
	text string
	err  error // For the log; may be nil.
}

func said(err error, format string, args ...any) error {
	return &loss{fmt.Sprintf(format, args...), err}
}

func (l *loss) Error() string {
	if l.err == nil {
		return l.text
	}
	return l.text + ": " + l.err.Error()
}

func (l *loss) Unwrap() error { return l.err }

// reasonOf gives what a caller may know of the reason, to be put behind a sentence without its stop.
func reasonOf(err error) string {
	var l *loss
	if !errors.As(err, &l) {
		return ""
	}
	return ": " + l.text
}
