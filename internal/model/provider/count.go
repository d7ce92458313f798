package provider

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// Limits of the question how many tokens a request has.
const (
	CountTimeout    = 2 * time.Second // A call waits for it.
	MaxCountAnswers = 4 << 10         // Bytes that are read of an answer.
)

// countMargin is added to what Anthropic counts, which it calls an estimate: a fiftieth and some.
func countMargin(n int64) int64 { return n/50 + 64 }

// CountInput asks the provider how many tokens the input of the call has, at most. Only Anthropic's API answers that, free
// of charge; the result is false for all others, where the request has something that is not counted, and where no
// answer comes within [CountTimeout].
func (b *Backend) CountInput(ctx context.Context, c *signalbox.Call, to signalbox.Candidate) (int64, bool) {
	if b.config.Format != signalbox.ProtocolAnthropic || to.Format != b.config.Format || c.Model == nil {
		return 0, false
	}
	pair, ok := wire.PairOf(c.Protocol, to.Format)
	if !ok {
		return 0, false
	}
	body, err := pair.Request(c.Body, wire.Target{Model: to.Upstream})
	if err != nil {
		return 0, false
	}
	if body, ok = wire.CountRequest(body); !ok {
		return 0, false
	}
	n, ok := b.count(ctx, c, to, body)
	return n + countMargin(n), ok
}

func (b *Backend) count(ctx context.Context, c *signalbox.Call, to signalbox.Candidate, body []byte) (int64, bool) {
	ctx, cancel := context.WithTimeout(ctx, CountTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.endpoint+"/count_tokens", bytes.NewReader(body))
	if err != nil {
		return 0, false
	}
	r.Header = b.header(c, to, c.Span)
	r.Header.Set("Accept", jsonType)
	response, err := b.transport.RoundTrip(r)
	if err != nil {
		return 0, false
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, MaxCountAnswers))
	if err != nil || response.StatusCode != http.StatusOK {
		return 0, false
	}
	return wire.CountAnswer(answer)
}
