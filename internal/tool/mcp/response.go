package mcp

import (
	"bytes"
	"errors"
	"net/http"
	"sync"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// response is the answer to one request: a JSON message, or a stream of events where something had to be said before. It is
// safe for concurrent use.
type response struct {
	w  http.ResponseWriter
	id json.Value

	mu    sync.Mutex
	said  *headline // What the head says of the call; nil until that is known.
	begun bool      // As a stream.
	done  bool
}

var errAnswered = errors.New("the request is answered")

// tell sends a message before the answer, which makes the answer a stream.
func (a *response) tell(message []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return errAnswered
	}
	a.begin()
	return a.event(message)
}

// comment shows in the stream that it is there, and says nothing.
func (a *response) comment() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return errAnswered
	}
	a.begin()
	if _, err := a.w.Write([]byte(": still here\n\n")); err != nil {
		return err
	}
	return http.NewResponseController(a.w).Flush()
}

// begin begins the stream if nobody has. Its head has what is known by then.
func (a *response) begin() {
	if a.begun {
		return
	}
	a.begun = true
	h := a.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // Progress is of no use when it comes with the answer.
	a.head(http.StatusOK)
}

func (a *response) head(status int) {
	h := a.w.Header()
	h.Set("Cache-Control", "no-cache, no-transform")
	if a.said != nil {
		a.said.write(h)
	}
	a.w.WriteHeader(status)
}

// event writes one event. Lines of the message become lines of the event's data.
func (a *response) event(message []byte) error {
	var b bytes.Buffer
	b.WriteString("event: message\n")
	for line := range bytes.Lines(message) {
		b.WriteString("data: ")
		b.Write(bytes.ReplaceAll(bytes.TrimRight(line, "\r\n"), []byte("\r"), []byte(" "))) // Between tokens, all are blanks.
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	if _, err := a.w.Write(b.Bytes()); err != nil {
		return err
	}
	return http.NewResponseController(a.w).Flush()
}

// headline sets what the head of the answer is to say, if it has not gone out.
func (a *response) headline(said *headline) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said = said
}

// saying gives what the head of the answer is to say; nil where that is not known.
func (a *response) saying() *headline {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said
}

// result answers with a result, which goes out as it is.
func (a *response) result(data json.Value) {
	var o rpc.Object
	o.Text("jsonrpc", "2.0")
	o.Add("id", a.id)
	o.Add("result", data)
	a.finish(http.StatusOK, o.Bytes())
}

// failure answers with an error of the request. Modern callers are told by the status too where the protocol says so.
func (a *response) failure(c *signalbox.Call, err error, modern bool) {
	failed := rpcFailure(c, err)
	status := http.StatusOK
	if modern {
		switch failed.Code {
		case rpc.CodeMethodNotFound:
			status = http.StatusNotFound
		case rpc.CodeInvalidParams, rpc.CodeHeaderMismatch, rpc.CodeMissingCapability, rpc.CodeUnsupportedVersion:
			status = http.StatusBadRequest
		}
	}
	if code := signalbox.CodeOf(err); code == signalbox.CodeUnavailable { // Those between may try another process.
		status = code.Status()
	}
	a.finish(status, failed.Response(a.id))
}

// refusal answers a message that is served to nobody, by the status as well.
func (a *response) refusal(c *signalbox.Call, err error) {
	e := signalbox.AsError(err)
	if e.Code == signalbox.CodeUnauthenticated && a.w.Header().Get("WWW-Authenticate") == "" { // The door may have said more.
		a.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if e.RetryAfter > 0 {
		a.w.Header().Set(headerRetryAfter, seconds(e.RetryAfter))
	}
	a.finish(e.Code.Status(), rpcFailure(c, err).Response(a.id))
}

// accepted answers a message that wants no answer.
func (a *response) accepted() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.done = true
		a.w.WriteHeader(http.StatusAccepted)
	}
}

// finish ends the answer, once.
func (a *response) finish(status int, message []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return
	}
	a.done = true
	if a.begun {
		_ = a.event(message) // Who does not hear it has gone.
		return
	}
	a.w.Header().Set("Content-Type", "application/json")
	a.head(status)
	a.w.Write(message)
}
