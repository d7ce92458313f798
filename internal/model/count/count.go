// Package count says how many input tokens a call has, where its bytes are too coarse a bound to fit a budget.
//
// # Who counts
//
//   - A provider that can ([Provider]): Anthropic's API is asked, a simulated model counts as it will report.
//   - The tokenizers o200k_base and cl100k_base, for the models of OpenAI's that are known to use them ([Encoding]).
//   - Nobody else. For models with other tokenizers, and wherever a request has something whose tokens nobody here
//     knows, the answer is that it can not be said: the bytes remain the bound.
//
// # Never too low
//
// A count stands in for a bound, so that what the provider bills must not be above it. It is made of the texts, as tokens;
// of what OpenAI publishes as the overhead of messages, rounded up; of the JSON of tools, calls of tools and response
// formats as text, which is longer than what models see of them; and of a margin ([Margin]). Content that is no text
// (images, files, audio) and members that are not known are not counted at all.
//
// # Limits
//
// Encodings are loaded when they are first needed, once (some 30 ms and 7 MiB each). Requests above [MaxBytes] are not
// counted: they take too long (about 75 µs per kB of English, up to 500 µs per kB of the worst). Not more than half of
// the processors count at the same time; others wait as long as their context lasts.
package count

import (
	"context"
	"runtime"
	"sync"

	"github.com/tiktoken-go/tokenizer"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// MaxBytes is the largest request that is counted.
const MaxBytes = 512 << 10

// Provider counts for the candidates of one provider. It is false where it can not; it must not be too low otherwise.
// It is safe for concurrent use.
type Provider interface {
	CountInput(ctx context.Context, c *signalbox.Call, k signalbox.Candidate) (tokens int64, ok bool)
}

// openAI is the name by which candidates of OpenAI's own API are known.
const openAI = "openai"

// Counter counts. It is safe for concurrent use.
type Counter struct {
	providers map[string]Provider
	places    chan struct{}
	loaded    map[Encoding]func() (tokenizer.Codec, error)
}

// New makes a counter. Providers, by their ids, are asked first; those that can not count need not be among them.
func New(providers map[string]Provider) *Counter {
	c := &Counter{
		providers: providers, places: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
		loaded: map[Encoding]func() (tokenizer.Codec, error){},
	}
	for _, e := range []Encoding{O200k, Cl100k} {
		c.loaded[e] = sync.OnceValues(func() (tokenizer.Codec, error) { return tokenizer.Get(tokenizer.Encoding(e)) })
	}
	return c
}

// CountInput gives the most input tokens that the candidate will be billed for, false where that can not be said.
func (c *Counter) CountInput(ctx context.Context, asked *signalbox.Call, k signalbox.Candidate) (int64, bool) {
	if asked.Kind != signalbox.KindModel || asked.Model == nil || asked.Invalid != nil || len(asked.Body) > MaxBytes {
		return 0, false
	}
	if p, ok := c.providers[k.Provider]; ok {
		if n, ok := p.CountInput(ctx, asked, k); ok {
			return n, true
		}
	}
	encoding, ok := EncodingOf(k.Upstream)
	if !ok || k.Simulated || k.ProviderName != openAI || asked.Model.External || asked.Model.Unseen > 0 {
		return 0, false
	}
	return c.local(ctx, asked, k, encoding)
}

// local counts with a tokenizer.
func (c *Counter) local(ctx context.Context, asked *signalbox.Call, k signalbox.Candidate, e Encoding) (int64, bool) {
	pair, ok := wire.PairOf(asked.Protocol, k.Format)
	if !ok || k.Format != signalbox.ProtocolOpenAIChat {
		return 0, false
	}
	body, err := pair.Request(asked.Body, wire.Target{Model: k.Upstream})
	if err != nil {
		return 0, false
	}
	texts, overhead, ok := read(body)
	if !ok {
		return 0, false
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-ctx.Done():
		return 0, false
	}
	codec, err := c.loaded[e]()
	if err != nil {
		return 0, false
	}
	total := overhead
	for _, text := range texts {
		n, err := codec.Count(text)
		if err != nil || ctx.Err() != nil {
			return 0, false
		}
		total += int64(n)
	}
	return total + Margin(total), true
}
