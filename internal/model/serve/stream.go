package serve

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// comment is what fills silence; readers of events skip it.
const comment = ": keep-alive\n\n"

// stream writes the parts of an answer as they come.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, t *call.Track, answer call.Answer) {
	part, err := answer.Next(ctx)
	if err != nil { // Nothing is written yet: the caller gets an ordinary error.
		s.fail(w, t, err)
		return
	}
	h := w.Header()
	setAll(h, answer.Head())
	describe(h, t)
	h.Set("Trailer", HeaderCost)
	h.Set("X-Accel-Buffering", "no")
	out := newStreamWriter(w, s.Now)
	defer out.stop()
	w.WriteHeader(http.StatusOK)
	s.copyParts(ctx, out, t, answer, part)
}

// copyParts writes part and all that follow, until the end, a fault or a caller who is gone.
func (s *Server) copyParts(ctx context.Context, out *streamWriter, t *call.Track, answer call.Answer, part call.Part) {
	for {
		if part.Terminal {
			out.finish(part.Data, costOf(t))
			return
		}
		if !out.write(part.Data) {
			return
		}
		var err error
		if part, err = answer.Next(ctx); err != nil {
			out.abort(ctx, s.API.ErrorEvent(signalbox.AsError(err), t.Call.RequestID))
		}
	}
}

// streamWriter writes events and fills silence. The handler's goroutine and the timer that fills silence share the
// response writer; mu keeps one of them out.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time

	mu    sync.Mutex
	idle  *time.Timer
	ended bool // Nothing more is written.
}

func newStreamWriter(w http.ResponseWriter, now func() time.Time) *streamWriter {
	out := &streamWriter{w: w, control: http.NewResponseController(w), now: now}
	out.mu.Lock()
	defer out.mu.Unlock()
	out.idle = time.AfterFunc(KeepAlive, out.fill)
	return out
}

// fill writes a comment and waits again. There is no silence to fill while the handler writes. A failure is left to the
// next write of the handler, whose context ends anyway when the connection does.
func (o *streamWriter) fill() {
	if !o.mu.TryLock() {
		return
	}
	defer o.mu.Unlock()
	o.send([]byte(comment))
}

// write sends data and reports whether the caller is still there.
func (o *streamWriter) write(data []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.send(data)
}

// send writes and flushes; the lock is held.
func (o *streamWriter) send(data []byte) bool {
	if o.ended {
		return false
	}
	o.control.SetWriteDeadline(o.now().Add(WriteTimeout)) //nolint:errcheck // A writer without deadlines can not block.
	if _, err := o.w.Write(data); err != nil {
		o.ended = true
		return false
	}
	if err := o.control.Flush(); err != nil {
		o.ended = true
		return false
	}
	o.idle.Reset(KeepAlive)
	return true
}

// finish sends the last part and the trailers.
func (o *streamWriter) finish(data []byte, cost string) {
	if o.write(data) && cost != "" {
		o.w.Header().Set(HeaderCost, cost)
	}
	o.stop()
}

// abort sends the error event to a caller that is still there and cuts the connection before the end of the message, by
// the panic that net/http has for it.
func (o *streamWriter) abort(ctx context.Context, event []byte) {
	if ctx.Err() == nil {
		o.write(event)
	}
	o.stop()
	panic(http.ErrAbortHandler)
}

// stop ends the filling of silence. After it nothing touches the response writer but the handler.
func (o *streamWriter) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.idle.Stop()
}
