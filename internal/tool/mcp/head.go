package mcp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
)

// Headers of an answer.
const (
	headerCall     = "X-Signalbox-Call"
	headerCost     = "X-Signalbox-Cost-Usd" // As plain decimal.
	headerApproval = "X-Signalbox-Approval" // The approval that the call waits for.
	headerRetry    = "X-Should-Retry"

	headerRetryAfter = "Retry-After"
)

// headline is what the head of an answer says of its call.
type headline struct {
	call     string
	cost     *signalbox.Money
	approval string
	replayOf string
	retry    time.Duration // When to come back; 0 is not said.
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
	if l.replayOf != "" {
		h.Set(headerReplayOf, l.replayOf)
	}
	if l.retry > 0 {
		h.Set(headerRetryAfter, seconds(l.retry))
	}
}

// seconds writes a time in whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
