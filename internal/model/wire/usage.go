package wire

import (
	"fmt"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// The faults of an answer whose usage is not known at all: it has none, or only readings from before its end.
const (
	noUsage    = "the upstream reported no usage"
	earlyUsage = "the final usage is missing"
)

// tally reads token counts and keeps the first reason not to believe them.
type tally struct{ fault string }

// count returns the member's count, 0 where it is not given.
func (t *tally) count(m json.Members, name string) int64 {
	n := m.Get(name)
	if n.Null() {
		return 0
	}
	v, err := n.Int()
	if err != nil || v < 0 || v > signalbox.MaxTokens {
		t.doubt("usage.%s is not a count of tokens", name)
		return 0
	}
	return v
}

// need is count for a member without which there is no usage.
func (t *tally) need(m json.Members, name string) int64 {
	if m.Get(name).Null() {
		t.doubt("usage.%s is missing", name)
	}
	return t.count(m, name)
}

// details enters a member that may be missing.
func (t *tally) details(m json.Members, name string) json.Members {
	n := m.Get(name)
	if n.Null() {
		return json.Members{}
	}
	inner, err := n.Object()
	if err != nil {
		t.doubt("usage.%s is not an object", name)
	}
	return inner
}

func (t *tally) doubt(format string, args ...any) {
	if t.fault == "" {
		t.fault = fmt.Sprintf(format, args...)
	}
}

// believe returns the usage if nothing speaks against it. Every call has some input, so that none is a report which
// somebody on the way has filled with zeros.
func (t *tally) believe(u signalbox.Usage) (*signalbox.Usage, string) {
	switch {
	case t.fault != "":
	case u.Input == 0:
		t.doubt("usage says that there was no input")
	case !u.Valid():
		t.doubt("usage contradicts itself: a part is larger than its whole")
	default:
		return &u, ""
	}
	return nil, t.fault
}

// openAIUsage reads the usage object of a chat completion. Input counts include what came from the cache.
//
// Some providers count reasoning beside completion_tokens; total_tokens shows it. A total that fits neither reading
// is a contradiction: what it covers is not known.
func openAIUsage(n json.Node) (*signalbox.Usage, string) {
	if n.Null() {
		return nil, noUsage
	}
	m, err := n.Object()
	if err != nil {
		return nil, "usage is not an object"
	}
	var t tally
	u := signalbox.Usage{Input: t.need(m, "prompt_tokens"), Output: t.need(m, "completion_tokens")}
	prompt := t.details(m, "prompt_tokens_details")
	u.CacheRead, u.CacheWrite = t.count(prompt, "cached_tokens"), t.count(prompt, "cache_write_tokens")
	u.Reasoning = t.count(t.details(m, "completion_tokens_details"), "reasoning_tokens")
	if total := t.count(m, "total_tokens"); !m.Get("total_tokens").Null() {
		switch total {
		case u.Input + u.Output:
		case u.Input + u.Output + u.Reasoning:
			u.Output += u.Reasoning
		default:
			t.doubt("usage contradicts itself: total_tokens is not the sum of its parts")
		}
	}
	return t.believe(u)
}

// anthropicCounts are the counters of Anthropic's usage. They are cumulative: in a stream message_start has the first
// reading and message_delta later ones, perhaps of some counters only.
type anthropicCounts struct {
	seen                      bool
	final                     bool // A reading at the end of the answer was among them.
	input, output             int64
	cacheRead, cacheWrite     int64
	cacheWrite5m, cacheWrite1 int64
	thinking                  int64
	tally
}

// add takes a reading. A counter never goes back, so that the larger value is the later one; proxies are known to
// send zeros first or last.
func (c *anthropicCounts) add(n json.Node) {
	if n.Null() {
		return
	}
	m, err := n.Object()
	if err != nil {
		c.doubt("usage is not an object")
		return
	}
	c.seen = true
	split := c.details(m, "cache_creation")
	c.input = max(c.input, c.count(m, "input_tokens"))
	c.output = max(c.output, c.count(m, "output_tokens"))
	c.cacheRead = max(c.cacheRead, c.count(m, "cache_read_input_tokens"))
	c.cacheWrite = max(c.cacheWrite, c.count(m, "cache_creation_input_tokens"))
	c.cacheWrite5m = max(c.cacheWrite5m, c.count(split, "ephemeral_5m_input_tokens"))
	c.cacheWrite1 = max(c.cacheWrite1, c.count(split, "ephemeral_1h_input_tokens"))
	c.thinking = max(c.thinking, c.count(c.details(m, "output_tokens_details"), "thinking_tokens"))
}

// usage is the usage at the end.
func (c *anthropicCounts) usage() (*signalbox.Usage, string) {
	if c.seen && !c.final && c.fault == "" {
		return nil, earlyUsage
	}
	return c.sofar()
}

// sofar turns the counters as they stand into a usage whose input includes the cache.
func (c *anthropicCounts) sofar() (*signalbox.Usage, string) {
	if !c.seen && c.fault == "" {
		return nil, noUsage
	}
	t := c.tally
	split := c.cacheWrite5m + c.cacheWrite1
	write := c.cacheWrite
	if write == 0 {
		write = split
	}
	if split > write {
		t.doubt("usage contradicts itself: cache_creation is more than cache_creation_input_tokens")
	}
	return t.believe(signalbox.Usage{
		Input: c.input + c.cacheRead + write, Output: c.output, CacheRead: c.cacheRead, CacheWrite: write,
		CacheWrite1h: c.cacheWrite1, Reasoning: c.thinking,
	})
}

// openAIUsageObject writes a usage for callers of OpenAI's API; nil writes nothing.
func openAIUsageObject(u *signalbox.Usage) []byte {
	if u == nil {
		return nil
	}
	prompt := new(object).number("cached_tokens", u.CacheRead).number("cache_write_tokens", u.CacheWrite)
	completion := new(object).number("reasoning_tokens", u.Reasoning)
	return new(object).number("prompt_tokens", u.Input).number("completion_tokens", u.Output).
		number("total_tokens", u.Input+u.Output).
		raw("prompt_tokens_details", prompt.bytes()).raw("completion_tokens_details", completion.bytes()).bytes()
}

// anthropicUsageObject writes a usage for callers of Anthropic's API, whose shape demands the object. Where the usage
// is not known the counts are zero, as they are at the start of every stream.
func anthropicUsageObject(u *signalbox.Usage) []byte {
	if u == nil {
		u = &signalbox.Usage{}
	}
	return new(object).number("input_tokens", u.Input-u.CacheRead-u.CacheWrite).
		number("cache_creation_input_tokens", u.CacheWrite).number("cache_read_input_tokens", u.CacheRead).
		number("output_tokens", u.Output).bytes()
}
