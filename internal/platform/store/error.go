package store

import (
	"context"
	"errors"

	"github.com/signalbox/signalbox"
)

func full(s Stats) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnavailable,
		"The queue of the log is full (%d of %d records wait to be written).", s.Depth, s.Capacity).
		WithRemedy("Retry after the given time; if it persists, the disk of the database is too slow for this load.").
		WithRetryAfter(RetryAfter)
}

func closing() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "Signalbox is stopping and takes no further records.").
		WithRemedy("Retry after the given time, at an instance that is running.").
		WithRetryAfter(RetryAfter)
}

func slowCommit() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnavailable,
		"The log could not be written: a commit has been under way for more than %s.", SlowCommit).
		WithRemedy("Retry after the given time; the operator checks the disk of the database, or the way to its server.").
		WithRetryAfter(RetryAfter)
}

// notWritten is what the callers of a failed batch see; nil where it did not fail.
func notWritten(err error) *signalbox.Error {
	if err == nil {
		return nil
	}
	e := signalbox.Errorf(signalbox.CodeUnavailable, "The log could not be written.").
		WithRemedy("Retry after the given time; the operator's log has the cause.").
		WithRetryAfter(RetryAfter).WithCause(err)
	var known *signalbox.Error
	if errors.As(err, &known) {
		e.Message, e.Remedy = "The log could not be written: "+known.Message, known.Remedy
	}
	return e
}

// abandoned is the error of a caller who left before his record was written; it will not be.
func abandoned(err error) *signalbox.Error {
	code := signalbox.CodeCancelled
	if errors.Is(err, context.DeadlineExceeded) {
		code = signalbox.CodeTimeout
	}
	return signalbox.Errorf(code, "The call ended before its record could be written; it was not written.").
		WithRemedy("Give the call more time, or retry when the log is under less load.").WithCause(err)
}
