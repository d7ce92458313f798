// Package call holds the stations that every call passes, and their order.
//
//	record ─ intent and outcome of every call, refused ones too
//	 └ gate ─ limits, claims, sanity
//	   └ resolve ─ ordered candidates
//	     └ policy ─ guard ─ idempotency ─ approval
//	       └ attempt ─ for each candidate until one serves: record intent, send, settle
//
// A protocol adapter parses its wire format into a [signalbox.Call], hands it to the first [Handler] in a [Track], and
// writes the parts of the [Answer] in its format. Stations are middleware around that Handler; each adds its own typed
// result to the track and writes nobody else's.
//
// # Answers
//
// An answer is a stream of [Part]s; a unary answer is one part. The last part is terminal: it carries everything that
// makes the answer look complete to its reader. The record station holds it back until the outcome is durable. An answer
// that ends without a terminal part is broken, and its Next returns an error that says so.
//
// # Invariants
//
//   - Nothing leaves the process before its intent is durable.
//   - Every call ends in exactly one outcome.
//   - An error, a panic or a time-out in a station means no.
package call

import (
	"context"
	"net/http"

	"github.com/signalbox/signalbox"
)

// Handler serves one call. On success the caller owns the answer and must close it. An error is a refusal or a failure
// before the first part; it is a *signalbox.Error or is treated as internal. Handlers are safe for concurrent use with
// different tracks; a track belongs to one goroutine at a time.
type Handler interface {
	Serve(ctx context.Context, t *Track) (Answer, error)
}

// HandlerFunc is a function as [Handler].
type HandlerFunc func(ctx context.Context, t *Track) (Answer, error)

// Serve calls f.
func (f HandlerFunc) Serve(ctx context.Context, t *Track) (Answer, error) { return f(ctx, t) }

// Station is middleware around the next handler.
type Station func(next Handler) Handler

// Part is a piece of an answer in the caller's wire format.
type Part struct {
	Data     []byte // Whole events in a stream, the whole body otherwise.
	Terminal bool   // The last one; nothing may be sent to the caller before the outcome is durable.
}

// Head is what is known of an answer before its first part.
type Head struct {
	ContentType string
	Header      http.Header // Further headers for the caller, such as the provider's request id; may be nil.
}

// Answer is a stream of parts. Next returns io.EOF after the terminal part and any other error where the answer broke or
// ctx ended. Close releases everything, may be called at any time and more than once, and makes an answer that has not
// ended a cancelled one. An answer belongs to one goroutine.
type Answer interface {
	Head() Head
	Next(ctx context.Context) (Part, error)
	Close() error
}

// Report is what a backend knows about an attempt once its answer has ended or broken.
type Report struct {
	Usage *signalbox.Usage // Nil where the upstream reported none that is final, or none that can be true.
	// Early is what the upstream said before the end of an answer without a final usage: its input is final unless tools
	// of the provider run, its output only a lower bound. Nil where it said nothing that can be true.
	Early        *signalbox.Usage
	Hidden       bool   // Output is billed that no bytes show, such as thinking that is given in summary.
	OutputBytes  int64  // Bytes of generated content that passed, for an estimate where usage is missing.
	Finish       string // The upstream's finish or stop reason.
	ResponseID   string
	ResponseName string // The model's name as the upstream gave it.
	HTTPStatus   int
	Excerpt      string // The first signalbox.MaxExcerpt bytes of generated text, for the masked summary.
}

// Upstream is the answer of one attempt. Report may be called at any time and is complete after the end.
type Upstream interface {
	Answer
	Report() Report
}

// Backend sends one attempt to a candidate. It returns when the upstream has begun to answer well: an error status, or
// a stream that breaks before its first part, is an error of Open, so that another candidate can still serve. It sends
// at most once, and nothing after ctx has ended. Errors carry the code that the caller should see and, in
// [AttemptError], whether another candidate may be tried.
type Backend interface {
	Open(ctx context.Context, t *Track, c signalbox.Candidate, span signalbox.Span) (Upstream, error)
}

// AttemptError is the error of an attempt.
type AttemptError struct {
	Err        *signalbox.Error
	HTTPStatus int  // The upstream's status, 0 where it gave none.
	Next       bool // Another candidate may serve: the fault lies with this one.
	Sent       bool // Bytes of the call have left, so that the upstream may have acted and may bill.
	Undone     bool // The upstream said that it has not acted: it bills nothing.
}

// Error gives the error's text.
func (e *AttemptError) Error() string { return e.Err.Error() }

// Unwrap gives the *signalbox.Error.
func (e *AttemptError) Unwrap() error { return e.Err }

// Log is the one writer of the log. Append returns when the record and its effects are durable, with the record's index.
// An error of code unavailable means that they were not written and never will be: the queue was full, or the
// transaction failed and was rolled back. ctx bounds only the wait for a place in the queue; a record that has got one
// is waited for. It is safe for concurrent use and does not retry.
type Log interface {
	Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error)
}

// Masker hides personal data and secrets in text that is kept. It never fails: what it can not judge it hides.
type Masker interface {
	Mask(text string) string
}
