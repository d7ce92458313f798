package mcp

import (
	"net/http"

	"github.com/signalbox/signalbox"
)

// Headers of an answer.
const (
	headerCall     = "X-Signalbox-Call"
	headerCost     = "X-Signalbox-Cost-Usd" // As plain decimal.
	headerApproval = "X-Signalbox-Approval" // The approval that the call waits for.
	headerRetry    = "X-Should-Retry"
)

// headline is what the head of an answer says of its call.
type headline struct {
	call     string
	cost     *signalbox.Money
	approval string
}

// headWriter puts what is known of a call into the head of its answer. The SDK runs the call in another goroutine and
// writes the head when it has ended, so that the headers belong to the writing side. An answer that has begun before, with
// progress, has the head of its first call and no cost.
type headWriter struct {
	http.ResponseWriter
	exchange *exchange
	begun    bool
}

// WriteHeader begins the answer.
func (w *headWriter) WriteHeader(status int) {
	if said := w.exchange.said.Load(); said != nil && !w.begun {
		said.write(w.Header())
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (l *headline) write(h http.Header) {
	h.Set(headerCall, l.call)
	if l.cost != nil {
		h.Set(headerCost, l.cost.String())
	}
	if l.approval != "" {
		h.Set(headerApproval, l.approval)
		h.Set(headerRetry, "false")
	}
}

// Write begins the answer if nobody has, and goes on with it.
func (w *headWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Flush sends what is written.
func (w *headWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	http.NewResponseController(w.ResponseWriter).Flush() //nolint:errcheck // A writer that can not has nothing to send.
}

// Unwrap gives the writer below, for deadlines.
func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
