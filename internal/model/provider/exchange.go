package provider

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer, with the clocks that bound them. It is an [io.Reader] of the answer's body.
// But for the clocks and sent, it belongs to one goroutine.
type exchange struct {
	backend *Backend
	caller  context.Context // The one that Open was given.
	ctx     context.Context // The request's; its cause says why the exchange was cut.
	cancel  context.CancelCauseFunc
	total   *time.Timer

	mu    sync.Mutex
	phase *time.Timer // The limit that runs beside the total one.

	sent    atomic.Bool // Bytes of the request may have left.
	body    io.ReadCloser
	winding bool  // Reading winds the running limit.
	read    int64 // Bytes of the body so far.
	most    int64 // More of them is an error.
}

func newExchange(ctx context.Context, b *Backend) *exchange {
	x := &exchange{backend: b, caller: ctx, most: MaxAnswerBytes}
	x.ctx, x.cancel = context.WithCancelCause(ctx)
	x.ctx = httptrace.WithClientTrace(x.ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { x.limit(b.timeouts.FirstByte, errFirstByte) },
		WroteHeaders: func() { x.sent.Store(true) },
	})
	x.total = time.AfterFunc(b.timeouts.Total, func() { x.cancel(errTotal) })
	x.limit(b.timeouts.Connect, errConnect)
	return x
}

// limit replaces the running limit: unless another one follows within d, the exchange is cut because of cause.
func (x *exchange) limit(d time.Duration, cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.phase != nil {
		x.phase.Stop()
	}
	x.phase = time.AfterFunc(d, func() { x.cancel(cause) })
}

// begun ends the wait for the answer: from now on it is silence that is bounded.
func (x *exchange) begun() {
	x.winding = true
	x.limit(x.backend.timeouts.Idle, errIdle)
}

// send sends the request and waits for the head of the answer.
func (x *exchange) send(r *http.Request) (*http.Response, error) {
	response, err := x.backend.transport.RoundTrip(r)
	if err != nil {
		return nil, x.failed(err)
	}
	x.body = response.Body
	return response, nil
}

// Read reads the body of the answer.
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	x.read += int64(n)
	if x.read > x.most {
		return 0, errTooMuch
	}
	if n > 0 && x.winding {
		x.mu.Lock()
		x.phase.Reset(x.backend.timeouts.Idle)
		x.mu.Unlock()
	}
	return n, err
}

// follow lets ctx cut the exchange, where it is not the one that does so anyway. The result ends that.
func (x *exchange) follow(ctx context.Context) (stop func() bool) {
	if ctx == x.caller { // The very same one.
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { x.cancel(context.Cause(ctx)) })
}

// drainTime is how long the end of an answer may take to come after its last event. A connection whose answer was not
// read to its end can not be used again.
const drainTime = 100 * time.Millisecond

// drain reads what follows the last event, which is nothing but the end of the HTTP message.
func (x *exchange) drain() {
	x.winding = false
	x.limit(drainTime, errClosed)
	var rest [512]byte
	for range 4 {
		if _, err := x.Read(rest[:]); err != nil {
			return
		}
	}
}

// close cuts the exchange and releases everything. It may be called more than once.
func (x *exchange) close() {
	x.cancel(errClosed)
	x.total.Stop()
	x.mu.Lock()
	x.phase.Stop()
	x.mu.Unlock()
	if x.body != nil {
		x.body.Close() // Nothing more is expected of it.
	}
}
