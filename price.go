package signalbox

import "math/bits"

// Usage is what one attempt consumed, in tokens as billed. Input includes the tokens read from and written to the
// provider's cache, and Output includes reasoning, whatever the provider's own field means.
type Usage struct {
	Input        int64 `json:"input"`
	Output       int64 `json:"output"`
	CacheRead    int64 `json:"cache_read,omitzero"`
	CacheWrite   int64 `json:"cache_write,omitzero"`    // All cache writes, the hour-long ones too.
	CacheWrite1h int64 `json:"cache_write_1h,omitzero"` // The hour-long part of CacheWrite.
	Reasoning    int64 `json:"reasoning,omitzero"`
}

// Valid reports whether the counts can be true: none negative, and no part larger than its whole.
func (u Usage) Valid() bool {
	for _, n := range []int64{u.Input, u.Output, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.Reasoning} {
		if n < 0 || n > MaxTokens {
			return false
		}
	}
	return u.CacheRead+u.CacheWrite <= u.Input && u.CacheWrite1h <= u.CacheWrite && u.Reasoning <= u.Output
}

// MaxTokens is the largest token count of one attempt that is believed; beyond it a report is treated as missing.
const MaxTokens = 1 << 40

// Rates are prices in nano-dollars per million tokens, and nano-dollars per call. A nil CacheRead or CacheWrite means
// that the provider bills those tokens at the input rate.
type Rates struct {
	Input        Money  `json:"input"`
	Output       Money  `json:"output"`
	CacheRead    *Money `json:"cache_read,omitzero"`
	CacheWrite   *Money `json:"cache_write,omitzero"`
	CacheWrite1h *Money `json:"cache_write_1h,omitzero"`
	PerCall      Money  `json:"per_call,omitzero"`
}

// Tier replaces a price's base rates for a call whose whole input is larger than Above tokens.
type Tier struct {
	Above int64 `json:"above"`
	Rates Rates `json:"rates"`
}

// Price is what a model or tool costs, and where that is known from.
type Price struct {
	Rates
	Tiers     []Tier `json:"tiers,omitzero"`     // Ascending by Above.
	Source    string `json:"source"`             // "config", or the name of the table's source.
	Effective string `json:"effective,omitzero"` // The day (YYYY-MM-DD) from which the rates hold.
}

// RatesFor gives the rates that apply to a call with that many input tokens.
func (p Price) RatesFor(input int64) Rates {
	rates := p.Rates
	for _, t := range p.Tiers {
		if input > t.Above {
			rates = t.Rates
		}
	}
	return rates
}

// Cost prices the usage exactly and rounds up once, to the next nano-dollar. It saturates at [MaxMoney].
func (r Rates) Cost(u Usage) Money {
	var total products
	total.add(u.Input-u.CacheRead-u.CacheWrite, r.Input)
	total.add(u.CacheRead, orElse(r.CacheRead, r.Input))
	write := orElse(r.CacheWrite, r.Input)
	total.add(u.CacheWrite-u.CacheWrite1h, write)
	total.add(u.CacheWrite1h, orElse(r.CacheWrite1h, write))
	total.add(u.Output, r.Output)
	return total.perMillion().Plus(r.PerCall)
}

// products is a sum of a few products, exact: an integer of 192 bits in two's complement. A cost is computed several
// times in each call, which is why this is no big.Int.
type products struct{ low, middle, high uint64 }

func (p *products) add(tokens int64, rate Money) {
	if tokens == 0 || rate == 0 {
		return
	}
	middle, low := bits.Mul64(magnitude(tokens), magnitude(int64(rate)))
	q := products{low: low, middle: middle}
	if (tokens < 0) != (rate < 0) {
		q = q.negative()
	}
	p.plus(q)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func (p *products) plus(q products) {
	var carry uint64
	p.low, carry = bits.Add64(p.low, q.low, 0)
	p.middle, carry = bits.Add64(p.middle, q.middle, carry)
	p.high, _ = bits.Add64(p.high, q.high, carry)
}

func (p products) negative() products {
	n := products{^p.low, ^p.middle, ^p.high}
	n.plus(products{low: 1})
	return n
}

// perMillion is a millionth of the sum, rounded up, between [MaxMoney] and its negative.
func (p products) perMillion() Money {
	const million = 1_000_000
	below := p.high>>63 == 1 // Zero.
	if below {
		p = p.negative()
	}
	if p.high > 0 || p.middle >= million {
		return saturated(below)
	}
	n, rest := bits.Div64(p.middle, p.low, million)
	if rest > 0 && !below {
		n++
	}
	switch {
	case n > uint64(MaxMoney) || n == 0 && rest > 0 && !below: // The latter wrapped.
		return saturated(below)
	case below:
		return -Money(n)
	}
	return Money(n)
}

func saturated(below bool) Money {
	if below {
		return -MaxMoney
	}
	return MaxMoney
}

func orElse(rate *Money, fallback Money) Money {
	if rate == nil {
		return fallback
	}
	return *rate
}

// Plus adds two usages.
func (u Usage) Plus(o Usage) Usage {
	return Usage{
		Input: u.Input + o.Input, Output: u.Output + o.Output, CacheRead: u.CacheRead + o.CacheRead,
		CacheWrite: u.CacheWrite + o.CacheWrite, CacheWrite1h: u.CacheWrite1h + o.CacheWrite1h,
		Reasoning: u.Reasoning + o.Reasoning,
	}
}
