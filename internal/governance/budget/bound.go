package budget

import (
	"bytes"
	"math"
	"strconv"

	"github.com/signalbox/signalbox"
)

// What models wrap around the texts of a request, in tokens and at the most: the chat template, a system prompt of the
// provider's own, and the instructions for the use of tools (about 350 to 800 tokens at the vendors that say so).
const (
	RequestOverhead = 512  // Per request.
	MessageOverhead = 8    // Per message: its role and the marks around it.
	ToolsOverhead   = 1024 // Per request with tools.
	ToolOverhead    = 32   // Per tool: its declaration around name, description and schema.
)

// UnknownWindow is taken for the context window of a model that nobody has said it of, where content is not in the
// request: the largest of models in use, 2^20 tokens and some.
const UnknownWindow = 1_050_000

// Bound is the most that an attempt can consume and cost.
type Bound struct {
	Usage     signalbox.Usage // Input and Output.
	Cost      signalbox.Money // 0 where it is unpriced.
	Unpriced  bool            // Nobody knows what the model costs.
	MaxOutput int64           // The max_tokens that must be sent; 0 for what is no model.
}

// Bound says what the call can come to at the candidate, at most. maxOutput is the max_tokens to send, 0 for the
// caller's or the default one; what the caller and the model allow is never exceeded. inputTokens are the exact tokens
// of the input, negative where only its bytes are known. Tools and the like cost their price per call; without a price
// they are free.
func (p *Policy) Bound(c *signalbox.Call, k signalbox.Candidate, maxOutput, inputTokens int64) Bound {
	e := p.estimate(c, k, inputTokens)
	if maxOutput > 0 {
		return e.at(min(maxOutput, e.most))
	}
	return e.at(e.wanted)
}

// estimate is a bound of which only max_tokens is open.
type estimate struct {
	model   bool
	price   *signalbox.Price
	rates   []signalbox.Rates // The dearest that apply to the input, for each tier within reach.
	input   int64
	choices int64
	wanted  int64 // The max_tokens that is sent if it fits.
	most    int64 // What caller and model allow.
}

func (p *Policy) estimate(c *signalbox.Call, k signalbox.Candidate, inputTokens int64) estimate {
	e := estimate{model: c.Kind == signalbox.KindModel, price: k.Price}
	if e.model {
		var r signalbox.ModelRequest
		if c.Model != nil {
			r = *c.Model
		}
		e.input = inputBound(len(c.Body), r, k, inputTokens)
		e.choices = max(int64(r.Choices), 1)
		e.wanted, e.most = p.output(r, k, e.input, inputTokens >= 0)
	}
	if k.Price != nil {
		e.rates = reachable(*k.Price, e.input, writesOf(c, k))
	}
	return e
}

// at gives the bound with that max_tokens.
func (e estimate) at(maxOutput int64) Bound {
	b := Bound{Unpriced: e.model && e.price == nil}
	if e.model {
		b.MaxOutput = maxOutput
		b.Usage = signalbox.Usage{Input: e.input, Output: times(maxOutput, e.choices)}
	}
	for _, r := range e.rates {
		b.Cost = max(b.Cost, r.Cost(b.Usage))
	}
	return b
}

// inputBound is the most tokens that the input can have.
func inputBound(body int, r signalbox.ModelRequest, k signalbox.Candidate, exact int64) int64 {
	window := k.ContextWindow
	if r.External {
		if window > 0 {
			return window
		}
		return UnknownWindow
	}
	tokens := plus(plus(int64(body), r.Unseen), RequestOverhead)
	tokens = plus(tokens, times(MessageOverhead, int64(r.Messages)))
	if r.Tools > 0 {
		tokens = plus(tokens, plus(ToolsOverhead, times(ToolOverhead, int64(r.Tools))))
	}
	if exact >= 0 {
		tokens = min(tokens, exact)
	}
	if window > 0 {
		tokens = min(tokens, window)
	}
	return tokens
}

// output gives the max_tokens that is wanted, and the largest that is allowed. Where the caller gave none, it is the
// model's own or the default one, but not more than the context window has room for beside the input. A bound by bytes
// can be several times the input, so that half of the window is left to the output even where it leaves less.
func (p *Policy) output(r signalbox.ModelRequest, k signalbox.Candidate, input int64, exact bool) (wanted, most int64) {
	most = math.MaxInt64
	if k.MaxOutput > 0 {
		most = k.MaxOutput
	}
	if r.MaxOutput > 0 {
		most = min(most, r.MaxOutput)
		return most, most
	}
	wanted = p.maxOutput
	if k.MaxOutput > 0 {
		wanted = k.MaxOutput
	}
	if k.ContextWindow == 0 {
		return wanted, most
	}
	left := k.ContextWindow - input
	if !exact {
		left = max(left, k.ContextWindow/2)
	}
	return min(wanted, max(left, 1)), most
}

// writes says which writes to a cache can happen.
type writes struct{ some, hour bool }

// writesOf finds out what the call asks of caches. In Anthropic's format writes happen where cache_control asks for
// them; elsewhere they happen by themselves, and cost more where the price says so.
func writesOf(c *signalbox.Call, k signalbox.Candidate) writes {
	if k.Price == nil || c.Kind != signalbox.KindModel {
		return writes{}
	}
	if k.Format != signalbox.ProtocolAnthropic {
		return writes{some: true, hour: true}
	}
	body := plain(c.Body)
	if !bytes.Contains(body, []byte("cache_control")) {
		return writes{}
	}
	return writes{some: true, hour: bytes.Contains(body, []byte(`"1h"`))}
}

// plain writes escapes of ASCII characters out, so that a name can not hide in them. It looks at bytes and not at JSON:
// what it finds too much makes a bound larger.
func plain(body []byte) []byte {
	escape := []byte(`\u00`)
	if !bytes.Contains(body, escape) {
		return body
	}
	out := make([]byte, 0, len(body))
	for i := bytes.Index(body, escape); i >= 0 && i+6 <= len(body); i = bytes.Index(body, escape) {
		out = append(out, body[:i]...)
		if char, err := strconv.ParseUint(string(body[i+4:i+6]), 16, 8); err == nil {
			out = append(out, byte(char))
		}
		body = body[i+6:]
	}
	return append(out, body...)
}

// reachable gives for each tier that a call with up to that much input can be in its rates, with the dearest that the
// input can be billed at as the one of the input.
func reachable(p signalbox.Price, input int64, w writes) []signalbox.Rates {
	list := []signalbox.Rates{dearest(p.Rates, w)}
	for _, t := range p.Tiers {
		if input > t.Above {
			list = append(list, dearest(t.Rates, w))
		}
	}
	return list
}

func dearest(r signalbox.Rates, w writes) signalbox.Rates {
	top := r.Input
	if r.CacheRead != nil {
		top = max(top, *r.CacheRead)
	}
	if w.some && r.CacheWrite != nil {
		top = max(top, *r.CacheWrite)
	}
	if w.hour && r.CacheWrite1h != nil {
		top = max(top, *r.CacheWrite1h)
	}
	return signalbox.Rates{Input: top, Output: r.Output, PerCall: r.PerCall}
}

// plus adds counts that are not negative, and saturates.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// times multiplies counts that are not negative, and saturates.
func times(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}
