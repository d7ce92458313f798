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
