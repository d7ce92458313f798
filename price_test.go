package signalbox_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func money(m signalbox.Money) *signalbox.Money { return &m }

func TestCost(t *testing.T) {
	full := signalbox.Rates{
		Input: 3 * signalbox.Dollar, Output: 15 * signalbox.Dollar, CacheRead: money(signalbox.Dollar * 3 / 10),
		CacheWrite: money(signalbox.Dollar * 15 / 4), CacheWrite1h: money(6 * signalbox.Dollar),
	}
	plain := signalbox.Rates{Input: signalbox.Dollar, Output: 2 * signalbox.Dollar}
	tests := []struct {
		name  string
		rates signalbox.Rates
		usage signalbox.Usage
		want  signalbox.Money
	}{
		{"nothing", full, signalbox.Usage{}, 0},
		{"nothing, but a fee per call", signalbox.Rates{PerCall: 5}, signalbox.Usage{}, 5},
		{"input and output", full, signalbox.Usage{Input: 1000, Output: 100}, 4_500_000},
		// 100 plain at 3, 500 read at 0.3, 300 written at 3.75, 100 written for an hour at 6.
		{"every cache rate", full, signalbox.Usage{Input: 1000, CacheRead: 500, CacheWrite: 400, CacheWrite1h: 100}, 2_175_000},
		{"reasoning is part of output", full, signalbox.Usage{Output: 100, Reasoning: 90}, 1_500_000},
		{"without cache rates the input rate holds", plain, signalbox.Usage{Input: 10, CacheRead: 4, CacheWrite: 4, CacheWrite1h: 2}, 10_000},
		{
			"hour-long writes without a rate cost what others do",
			signalbox.Rates{Input: 1_000_000, CacheWrite: money(2_000_000)},
			signalbox.Usage{Input: 2, CacheWrite: 2, CacheWrite1h: 1},
			4,
		},
		{"a free cache is not an unknown one", signalbox.Rates{Input: 1_000_000, CacheRead: money(0)}, signalbox.Usage{Input: 3, CacheRead: 3}, 0},
		{"less than a nano-dollar is one", signalbox.Rates{Input: 1}, signalbox.Usage{Input: 1}, 1},
		{"a million parts are one", signalbox.Rates{Input: 1}, signalbox.Usage{Input: 1_000_000}, 1},
		{"a million parts and one are two", signalbox.Rates{Input: 1}, signalbox.Usage{Input: 1_000_001}, 2},
		// 0.4 + 0.4 nano-dollars: rounding each part would give two.
		{"rounded once", signalbox.Rates{Input: 400_000, Output: 400_000}, signalbox.Usage{Input: 1, Output: 1}, 1},
		{"too large for money", signalbox.Rates{Input: signalbox.MaxMoney}, signalbox.Usage{Input: signalbox.MaxTokens}, signalbox.MaxMoney},
		{"the fee saturates too", signalbox.Rates{Input: signalbox.MaxMoney, PerCall: 1}, signalbox.Usage{Input: 1_000_000}, signalbox.MaxMoney},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.rates.Cost(test.usage); got != test.want {
				t.Errorf("cost = %d, want %d", int64(got), int64(test.want))
			}
		})
	}
}

func drawUsage(t *rapid.T) signalbox.Usage {
	tokens := func(label string, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, label) }
	u := signalbox.Usage{Input: tokens("input", signalbox.MaxTokens), Output: tokens("output", signalbox.MaxTokens)}
	u.CacheRead = tokens("read", u.Input)
	u.CacheWrite = tokens("write", u.Input-u.CacheRead)
	u.CacheWrite1h = tokens("hour", u.CacheWrite)
	u.Reasoning = tokens("reasoning", u.Output)
	return u
}

func drawRates(t *rapid.T) signalbox.Rates {
	rate := func(label string) signalbox.Money {
		return signalbox.Money(rapid.Int64Range(0, int64(signalbox.MaxMoney)).Draw(t, label))
	}
	maybe := func(label string) *signalbox.Money {
		if rapid.Bool().Draw(t, "no "+label) {
			return nil
		}
		return money(rate(label))
	}
	return signalbox.Rates{
		Input: rate("input rate"), Output: rate("output rate"), CacheRead: maybe("read rate"),
		CacheWrite: maybe("write rate"), CacheWrite1h: maybe("hour rate"), PerCall: rate("fee"),
	}
}

// exactCost is the cost as a fraction, from the definition of the rates.
func exactCost(r signalbox.Rates, u signalbox.Usage) *big.Rat {
	read, write := r.Input, r.Input
	if r.CacheRead != nil {
		read = *r.CacheRead
	}
	if r.CacheWrite != nil {
		write = *r.CacheWrite
	}
	hour := write
	if r.CacheWrite1h != nil {
		hour = *r.CacheWrite1h
	}
	sum := new(big.Rat)
	for _, part := range []struct {
		tokens int64
		rate   signalbox.Money
	}{
		{u.Input - u.CacheRead - u.CacheWrite, r.Input},
		{u.CacheRead, read},
		{u.CacheWrite - u.CacheWrite1h, write},
		{u.CacheWrite1h, hour},
		{u.Output, r.Output},
	} {
		sum.Add(sum, new(big.Rat).Mul(big.NewRat(part.tokens, 1_000_000), new(big.Rat).SetInt64(int64(part.rate))))
	}
	return sum.Add(sum, new(big.Rat).SetInt64(int64(r.PerCall)))
}

func TestCostAgainstFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, u := drawRates(t), drawUsage(t)
		got, exact := r.Cost(u), exactCost(r, u)
		if most := new(big.Rat).SetInt64(int64(signalbox.MaxMoney)); exact.Cmp(most) >= 0 {
			if got != signalbox.MaxMoney {
				t.Fatalf("cost = %d, want the largest amount", got)
			}
			return
		}
		over := new(big.Rat).Sub(new(big.Rat).SetInt64(int64(got)), exact)
		if over.Sign() < 0 || over.Cmp(big.NewRat(1, 1)) >= 0 {
			t.Fatalf("cost = %d is not %s rounded up", got, exact.FloatString(9))
		}
	})
}

// Usages that can not be true are priced too, where others are subtracted: the sum is the definition's in any case.
func TestCostOfAnyUsage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any64 := func(label string) int64 { return rapid.Int64().Draw(t, label) }
		u := signalbox.Usage{Input: any64("input"), Output: any64("output")}
		r := signalbox.Rates{Input: signalbox.Money(any64("input rate")), Output: signalbox.Money(any64("output rate"))}
		got, exact := r.Cost(u), exactCost(r, u)
		most := new(big.Rat).SetInt64(int64(signalbox.MaxMoney))
		switch least := new(big.Rat).Neg(most); {
		case exact.Cmp(most) >= 0 && got == signalbox.MaxMoney, exact.Cmp(least) <= 0 && got == -signalbox.MaxMoney:
			return
		}
		over := new(big.Rat).Sub(new(big.Rat).SetInt64(int64(got)), exact)
		if over.Sign() < 0 || over.Cmp(big.NewRat(1, 1)) >= 0 {
			t.Fatalf("cost = %d is not %s rounded up", got, exact.FloatString(9))
		}
	})
}

func TestCostAllocatesNothing(t *testing.T) {
	r := signalbox.Rates{Input: 150_000_000, Output: 600_000_000, CacheRead: money(75_000_000)}
	if n := testing.AllocsPerRun(100, func() { r.Cost(signalbox.Usage{Input: 1234, Output: 567, CacheRead: 100}) }); n != 0 {
		t.Errorf("a cost takes %v allocations", n)
	}
}

func TestRatesFor(t *testing.T) {
	p := signalbox.Price{
		Rates: signalbox.Rates{Input: 1},
		Tiers: []signalbox.Tier{{Above: 100, Rates: signalbox.Rates{Input: 2}}, {Above: 200, Rates: signalbox.Rates{Input: 3}}},
	}
	for input, want := range map[int64]signalbox.Money{0: 1, 100: 1, 101: 2, 200: 2, 201: 3, signalbox.MaxTokens: 3} {
		if got := p.RatesFor(input).Input; got != want {
			t.Errorf("rate at %d tokens = %d, want %d", input, got, want)
		}
	}
}

func TestUsageValid(t *testing.T) {
	tests := []struct {
		name  string
		usage signalbox.Usage
		want  bool
	}{
		{"nothing", signalbox.Usage{}, true},
		{"everything", signalbox.Usage{Input: 10, Output: 5, CacheRead: 4, CacheWrite: 6, CacheWrite1h: 6, Reasoning: 5}, true},
		{"the most", signalbox.Usage{Input: signalbox.MaxTokens}, true},
		{"more than the most", signalbox.Usage{Input: signalbox.MaxTokens + 1}, false},
		{"negative input", signalbox.Usage{Input: -1}, false},
		{"negative output", signalbox.Usage{Output: -1}, false},
		{"negative cache read", signalbox.Usage{CacheRead: -1}, false},
		{"negative cache write", signalbox.Usage{CacheWrite: -1}, false},
		{"negative hour-long write", signalbox.Usage{CacheWrite1h: -1}, false},
		{"negative reasoning", signalbox.Usage{Reasoning: -1}, false},
		{"more cache than input", signalbox.Usage{Input: 9, CacheRead: 5, CacheWrite: 5}, false},
		{"more hour-long writes than writes", signalbox.Usage{Input: 9, CacheWrite: 1, CacheWrite1h: 2}, false},
		{"more reasoning than output", signalbox.Usage{Output: 1, Reasoning: 2}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.usage.Valid(); got != test.want {
				t.Errorf("Valid = %v, want %v", got, test.want)
			}
		})
	}
}

func TestUsagePlus(t *testing.T) {
	a := signalbox.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, CacheWrite1h: 5, Reasoning: 6}
	want := signalbox.Usage{Input: 2, Output: 4, CacheRead: 6, CacheWrite: 8, CacheWrite1h: 10, Reasoning: 12}
	if got := a.Plus(a); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
