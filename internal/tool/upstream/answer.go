package upstream

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// response reads the response to a request out of a JSON body or a stream of events.
func (w *httpWire) response(ctx context.Context, res *http.Response, id int64) (rpc.Message, error) {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	body := io.LimitReader(res.Body, rpc.MaxMessage+1)
	switch {
	case media == "text/event-stream" && failedStatus(res.StatusCode) == 0:
		return w.fromStream(ctx, rpc.NewEvents(res.Body), id)
	case media != "application/json" || res.StatusCode == http.StatusAccepted:
		return rpc.Message{}, w.statusError(res)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return rpc.Message{}, brokeOff(err)
	}
	if len(data) > rpc.MaxMessage {
		return rpc.Message{}, said(nil, "its answer is larger than %d bytes", rpc.MaxMessage)
	}
	m, err := rpc.Decode(data)
	if failedStatus(res.StatusCode) != 0 {
		return w.failed(res, m, err, id)
	}
	switch {
	case err != nil:
		err = said(err, "its answer is no message")
	case m.Method != "" || m.Err == nil && !sameID(m.ID, id):
		err = said(nil, "its answer belongs to another request")
	}
	return m, err
}

// brokeOff is the error for a body that could not be read to its end.
func brokeOff(err error) error { return said(err, "its answer broke off") }

// failed reads an answer with an error status. A message in it is the answer where the status says nothing of its own.
func (w *httpWire) failed(res *http.Response, m rpc.Message, err error, id int64) (rpc.Message, error) {
	forSession := m.Err != nil && !sameID(m.ID, id) // It is about the request as a whole, not about what it asks.
	switch {
	case err != nil, m.Err == nil, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusServiceUnavailable:
		return rpc.Message{}, w.statusError(res)
	case forSession && res.StatusCode == http.StatusNotFound:
		return rpc.Message{}, w.statusError(res)
	case forSession && res.StatusCode == http.StatusBadRequest && w.inSession():
		w.lose(said(nil, "it no longer accepts the session")) // Some say so by 400. What they did with this request is not known.
	}
	return m, nil
}

func (w *httpWire) inSession() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.session != ""
}

// statusError is the error of an answer that carries no message. A session that the server has forgotten is lost.
func (w *httpWire) statusError(res *http.Response) error {
	switch {
	case res.StatusCode == http.StatusNotFound && w.inSession():
		w.lose(errExpired)
		return errExpired
	case failedStatus(res.StatusCode) == 0:
		return said(fmt.Errorf("content type %q", res.Header.Get("Content-Type")), "its answer is neither JSON nor a stream of events")
	}
	return said(nil, "it answered with status %d", res.StatusCode)
}

// retryAfter reads when the upstream wants to be asked again: seconds, or a date, which is compared with the upstream's own
// clock. What can not be read is 0.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), maxRetryAfter)
	}
	date, errDate := http.ParseTime(text)
	now, errNow := http.ParseTime(h.Get("Date"))
	if errDate != nil || errNow != nil {
		return 0
	}
	return min(max(0, date.Sub(now)), maxRetryAfter)
}

// fromStream reads events until the response to the request.
func (w *httpWire) fromStream(ctx context.Context, events *rpc.Events, id int64) (rpc.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for range MaxUnasked {
		data, err := events.Next()
		if err != nil {
			return rpc.Message{}, brokeOff(err)
		}
		m, err := rpc.Decode(data)
		switch {
		case err != nil:
			return rpc.Message{}, said(err, "an event of its answer is no message")
		case m.Method != "" && m.ID != nil:
			if m.Method == rpc.MethodPing || askingOf(ctx) == nil {
				w.answer(ctx, m)
				continue
			}
			group.Go(func() { w.answer(ctx, m) }) // People take their time, and the stream goes on.
		case m.Method == rpc.MethodLogged && callerOf(ctx) != nil:
			callerOf(ctx).Logged(m.Params)
		case m.Method == rpc.MethodElicited && callerOf(ctx) != nil:
			callerOf(ctx).Elicited(m.Params)
		case m.Method == rpc.MethodCancelled:
			askingOf(ctx).withdraw(m.Params)
		case m.Method != "":
			w.onNotice(m)
		case sameID(m.ID, id):
			return m, nil
		default:
			return rpc.Message{}, said(nil, "its answer belongs to another request")
		}
	}
	return rpc.Message{}, said(nil, "there are more than %d messages before its answer", MaxUnasked)
}

// answer answers a request that came along with a stream. What becomes of it is the server's problem: if it waits for
// the answer in vain, the call times out.
func (w *httpWire) answer(ctx context.Context, m rpc.Message) {
	if res, err := w.post(ctx, answerOf(ctx, m), "", ""); err == nil {
		res.Body.Close()
	}
}

// failedStatus gives the status where it is none of success, else 0.
func failedStatus(status int) int {
	if status >= 200 && status < 300 {
		return 0
	}
	return status
}

// sameID compares an id from the wire with ours.
func sameID(got json.Value, id int64) bool { return string(got) == fmt.Sprint(id) }
