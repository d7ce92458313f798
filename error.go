package signalbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code says what went wrong, in one of few words. Each protocol maps codes to its own shape in one place.
type Code string

// The codes, with the HTTP status that [Code.Status] gives.
const (
	CodeInvalid          Code = "invalid"           // 400
	CodeUnauthenticated  Code = "unauthenticated"   // 401
	CodeBudgetExhausted  Code = "budget_exhausted"  // 402
	CodeUnpriced         Code = "unpriced"          // 402
	CodeForbidden        Code = "forbidden"         // 403
	CodeNotFound         Code = "not_found"         // 404
	CodeApprovalRequired Code = "approval_required" // 409
	CodeConflict         Code = "conflict"          // 409
	CodeTooLarge         Code = "too_large"         // 413
	CodeUnsupported      Code = "unsupported"       // 415
	CodeBlocked          Code = "blocked"           // 422
	CodeFrozen           Code = "frozen"            // 423
	CodeRateLimited      Code = "rate_limited"      // 429, with Retry-After
	CodeCancelled        Code = "cancelled"         // 499, the caller went away; nobody reads it
	CodeInternal         Code = "internal"          // 500
	CodeNotImplemented   Code = "not_implemented"   // 501
	CodeUpstream         Code = "upstream"          // 502
	CodeUnavailable      Code = "unavailable"       // 503, with Retry-After
	CodeTimeout          Code = "timeout"           // 504
)

var statuses = map[Code]int{
	CodeInvalid: 400, CodeUnauthenticated: 401, CodeBudgetExhausted: 402, CodeUnpriced: 402, CodeForbidden: 403,
	CodeNotFound: 404, CodeApprovalRequired: 409, CodeConflict: 409, CodeTooLarge: 413, CodeUnsupported: 415,
	CodeBlocked: 422, CodeFrozen: 423, CodeRateLimited: 429, CodeCancelled: 499, CodeInternal: 500,
	CodeNotImplemented: 501, CodeUpstream: 502, CodeUnavailable: 503, CodeTimeout: 504,
}

// Status is the HTTP status of the code; 500 for a code that is not one of ours.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return 500
}

// Codes lists every code.
func Codes() []Code {
	all := make([]Code, 0, len(statuses))
	for c := range statuses {
		all = append(all, c)
	}
	return all
}

// Retryable reports whether the same request may succeed later without anybody changing anything.
func (c Code) Retryable() bool {
	switch c { //nolint:exhaustive // The rest is not retryable.
	case CodeRateLimited, CodeUpstream, CodeUnavailable, CodeTimeout:
		return true
	}
	return false
}

// Error is an error that may be shown to a caller.
type Error struct {
	Code       Code
	Message    string        // What is wrong, one sentence without secrets or personal data.
	Remedy     string        // What the reader can do about it.
	Field      string        // The field of the request or configuration, "" where none is to blame.
	RetryAfter time.Duration // When a retry makes sense; 0 is unknown.
	Approval   string        // With [CodeApprovalRequired]: the id of the approval to wait for.
	Cause      error         // For our own log; never shown.
}

// Error gives code, message and remedy.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		s = fmt.Sprintf("%s: %s: %s", e.Code, e.Field, e.Message)
	}
	if e.Cause != nil {
		s = strings.TrimSuffix(s, ".") + ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an [*Error] with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithRemedy sets the remedy and returns the error.
func (e *Error) WithRemedy(remedy string) *Error { e.Remedy = remedy; return e }

// WithField names the field to blame and returns the error.
func (e *Error) WithField(field string) *Error { e.Field = field; return e }

// WithCause keeps the cause for our own log and returns the error.
func (e *Error) WithCause(err error) *Error { e.Cause = err; return e }

// WithRetryAfter says when a retry makes sense and returns the error.
func (e *Error) WithRetryAfter(d time.Duration) *Error { e.RetryAfter = d; return e }

// ApprovalURL is where the approval can be seen and waited for, without scheme and host; "" where there is none.
func (e *Error) ApprovalURL() string {
	if e.Approval == "" {
		return ""
	}
	return "/api/v1/approvals/" + e.Approval
}

// CodeOf gives the code of an error: "" for nil, [CodeInternal] for an error that is not ours.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}

// AsError gives the [*Error] in err. An ended context becomes [CodeCancelled] or [CodeTimeout]; anything else is wrapped
// with [CodeInternal] and a message that shows nothing of it.
func AsError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Code: CodeCancelled, Message: "the caller went away before the answer was complete", Cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeTimeout, Message: "the call took longer than it may", Remedy: "Retry with less work.", Cause: err}
	}
	return &Error{
		Code: CodeInternal, Message: "Signalbox failed at its own work; the call was not served.",
		Remedy: "Retry; if it persists, give the request id to the operator, whose log has the cause.", Cause: err,
	}
}
