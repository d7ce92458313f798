// Package serve answers calls of models over HTTP, whichever API was called.
//
// # Concepts
//
// An adapter ([API]) knows one wire format. This package does what all of them have in common: it lets the [Door] make a
// call of the request, has the adapter parse the body, hands the call to the stations, and writes the answer: one body,
// or the parts of a stream as they come.
//
// A request that the door or the adapter finds fault with is served all the same, with the fault in Call.Invalid: the
// stations refuse it, and the refusal is in the log. Only a request without a valid key never becomes a call.
//
// # Format
//
// Every answer carries X-Request-Id, X-Signalbox-Call and X-Signalbox-Trace; X-Signalbox-Run, -Model and -Simulated where
// they apply; X-Signalbox-Cost-Usd where the cost is known: a header, and in a stream a trailer. An error says
// `x-should-retry: false` unless the same request may succeed later, since the SDKs would otherwise repeat it. A call that
// waits for a person is refused with the approval's id in X-Signalbox-Approval and in the error; whoever makes the call
// asks there, and makes the same call again.
//
// # Streams
//
// Parts are flushed as they come. Silence is filled with comments every [KeepAlive], so that nobody between us and the
// caller takes the connection for dead. A stream that breaks after its first byte gets the error as its last event, and
// its connection is cut before the end of the HTTP message: not even a reader that knows nothing of events can take it
// for whole. A caller that reads nothing for [WriteTimeout] counts as gone. When the caller is gone, the answer is closed
// at once.
package serve

import (
	"context"
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Limits of streams.
const (
	KeepAlive    = 15 * time.Second // The longest silence in a stream.
	WriteTimeout = 30 * time.Second // How long one write may take; a caller that is slower is gone.
)

// Door makes calls of requests. Its methods are safe for concurrent use and are called once per request.
type Door interface {
	// Begin makes a call, with its body and caller. A fault of the request is in the call's Invalid. An error means that
	// there is no valid key; the call then has only its ids, and must not be served.
	Begin(w http.ResponseWriter, r *http.Request, kind signalbox.Kind, p signalbox.Protocol) (*signalbox.Call, error)
	// Authenticate gives the key of a request that is no call. Errors are meant for the caller.
	Authenticate(w http.ResponseWriter, r *http.Request) (signalbox.Key, error)
}

// API is one wire format as a server speaks it.
type API interface {
	Protocol() signalbox.Protocol
	// Parse reads the call's body and sets its Model and Stream. An error says why the request is not sane; the call is
	// then refused with it.
	Parse(c *signalbox.Call, h http.Header) *signalbox.Error
	// Error gives the body of an error answer; its status is the code's.
	Error(e *signalbox.Error, requestID string) (status int, body []byte)
	// ErrorEvent gives the event that ends a stream that broke.
	ErrorEvent(e *signalbox.Error, requestID string) []byte
}

// Server serves the calls of one API. All fields are required.
type Server struct {
	API     API
	Door    Door
	Handler call.Handler // The stations.
	Now     func() time.Time
}

// ServeHTTP serves one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := s.Door.Begin(w, r, signalbox.KindModel, s.API.Protocol())
	if err != nil {
		identify(w.Header(), c)
		WriteError(w, s.API, signalbox.AsError(err), c.RequestID)
		return
	}
	if c.Invalid == nil {
		c.Invalid = s.API.Parse(c, r.Header)
	}
	s.serve(r.Context(), w, call.NewTrack(c))
}

// serve hands the call to the stations and writes what comes back.
func (s *Server) serve(ctx context.Context, w http.ResponseWriter, t *call.Track) {
	identify(w.Header(), t.Call)
	answer, err := s.Handler.Serve(ctx, t)
	if err != nil {
		s.fail(w, t, err)
		return
	}
	defer answer.Close() //nolint:errcheck // The caller has its answer or is gone: there is no one to tell.
	if t.Call.Stream {
		s.stream(ctx, w, t, answer)
		return
	}
	s.unary(ctx, w, t, answer)
}

// unary writes an answer that is one part.
func (s *Server) unary(ctx context.Context, w http.ResponseWriter, t *call.Track, answer call.Answer) {
	part, err := answer.Next(ctx)
	if err == nil && !part.Terminal {
		err = signalbox.Errorf(signalbox.CodeInternal, "an answer that is no stream has more than one part")
	}
	if err != nil {
		s.fail(w, t, err)
		return
	}
	h := w.Header()
	setAll(h, answer.Head())
	describe(h, t)
	h.Set(HeaderCost, costOf(t))
	dropEmpty(h, HeaderCost)
	setDeadline(w, s.Now().Add(WriteTimeout))
	w.WriteHeader(http.StatusOK)
	w.Write(part.Data) // The outcome is durable; a caller that is gone can not be told.
}

// fail writes an error in place of an answer.
func (s *Server) fail(w http.ResponseWriter, t *call.Track, err error) {
	h := w.Header()
	describe(h, t)
	if len(t.Attempts) > 0 {
		h.Set(HeaderCost, costOf(t))
		dropEmpty(h, HeaderCost)
	}
	setDeadline(w, s.Now().Add(WriteTimeout))
	WriteError(w, s.API, signalbox.AsError(err), t.Call.RequestID)
}
