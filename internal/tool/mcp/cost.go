package mcp

import "net/http"

// headerCost says what a call has cost, as plain decimal.
const headerCost = "X-Signalbox-Cost-Usd"

// costWriter puts the cost of a call into the head of its answer. The SDK runs the call in another goroutine and writes
// the head when it has ended, so that the header belongs to the writing side.
type costWriter struct {
	http.ResponseWriter
	exchange *exchange
	begun    bool
}

// WriteHeader begins the answer.
func (w *costWriter) WriteHeader(status int) {
	if cost := w.exchange.cost.Load(); cost != nil && !w.begun {
		w.Header().Set(headerCost, cost.String())
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer if nobody has, and goes on with it.
func (w *costWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Flush sends what is written.
func (w *costWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	http.NewResponseController(w.ResponseWriter).Flush() //nolint:errcheck // A writer that can not has nothing to send.
}

// Unwrap gives the writer below, for deadlines.
func (w *costWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
