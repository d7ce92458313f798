package simulated

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// CountInput gives the input tokens that the model will report for the call, exactly; false where the call can not be sent
// to it.
func (b *Backend) CountInput(_ context.Context, c *signalbox.Call, to signalbox.Candidate) (int64, bool) {
	pair, ok := wire.PairOf(c.Protocol, signalbox.ProtocolOpenAIChat)
	if !ok {
		return 0, false
	}
	body, err := pair.Request(c.Body, wire.Target{Model: to.Upstream})
	if err != nil {
		return 0, false
	}
	q, err := readQuestion(body)
	return q.input, err == nil
}
