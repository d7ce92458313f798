package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// The headers of an answer.
const (
	HeaderRequestID   = "X-Request-Id"
	HeaderCall        = "X-Signalbox-Call"
	HeaderTrace       = "X-Signalbox-Trace"
	HeaderRun         = "X-Signalbox-Run"
	HeaderModel       = "X-Signalbox-Model"
	HeaderCost        = "X-Signalbox-Cost-Usd"
	HeaderSimulated   = "X-Signalbox-Simulated"
	HeaderShouldRetry = "X-Should-Retry"
	HeaderRetryAfter  = "Retry-After"
	HeaderApproval    = "X-Signalbox-Approval"

	// HeaderAnthropicID is where Anthropic's SDKs look for the request id.
	HeaderAnthropicID = "Request-Id"
)

// setRequestID names the request, also in the header that the format's SDKs read.
func setRequestID(h http.Header, p signalbox.Protocol, id string) {
	h.Set(HeaderRequestID, id)
	if p == signalbox.ProtocolAnthropic {
		h.Set(HeaderAnthropicID, id)
	}
}

// identify names the request and the call. A request without a valid key has no call: its id would be found nowhere.
func identify(h http.Header, c *signalbox.Call) {
	setRequestID(h, c.Protocol, c.RequestID)
	if c.Caller.Tenant == "" {
		return
	}
	h.Set(HeaderCall, c.ID)
	h.Set(HeaderTrace, c.Span.TraceID)
}

// describe says what served the call, as far as that is known.
func describe(h http.Header, t *call.Track) {
	if t.Gate.Run != "" && signalbox.ValidID(t.Gate.Run) {
		h.Set(HeaderRun, t.Gate.Run)
	}
	if n := len(t.Attempts); n > 0 {
		h.Set(HeaderModel, t.Attempts[n-1].Name)
		if t.Attempts[n-1].Simulated {
			h.Set(HeaderSimulated, "true")
		}
	}
	SetBudget(h, t)
}

// costOf gives the call's cost as plain decimal, "" where it is not known.
func costOf(t *call.Track) string {
	if cost, _ := t.Cost(); cost != nil {
		return cost.String()
	}
	return ""
}

// dropEmpty removes a header without a value.
func dropEmpty(h http.Header, name string) {
	if h.Get(name) == "" {
		h.Del(name)
	}
}

// setAll copies what the answer brings along. Our own headers are set after it and win.
func setAll(h http.Header, head call.Head) {
	for name, values := range head.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Content-Type", head.ContentType)
	h.Set("Cache-Control", "no-store")
}

// WriteError answers with an error in the shape of the API, with the headers that keep SDKs from needless retries.
func WriteError(w http.ResponseWriter, api API, e *signalbox.Error, requestID string) {
	status, body := api.Error(e, requestID)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	setRequestID(h, api.Protocol(), requestID)
	if !e.Code.Retryable() {
		h.Set(HeaderShouldRetry, "false")
	}
	if e.Approval != "" {
		h.Set(HeaderApproval, e.Approval)
	}
	if after := retryAfter(e); after != "" {
		h.Set(HeaderRetryAfter, after)
	}
	w.WriteHeader(status)
	w.Write(body) // A caller that is gone can not be told.
}

// retryAfter gives whole seconds, rounded up and at least one, for the codes that promise the header and wherever the
// error names a time.
func retryAfter(e *signalbox.Error) string {
	after := e.RetryAfter
	if after <= 0 && (e.Code == signalbox.CodeRateLimited || e.Code == signalbox.CodeUnavailable) {
		after = time.Second
	}
	if after <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}

// setDeadline bounds the next write. A writer without deadlines has no socket that could block.
func setDeadline(w http.ResponseWriter, at time.Time) {
	http.NewResponseController(w).SetWriteDeadline(at) //nolint:errcheck // See above.
}
