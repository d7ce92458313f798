package budget_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// perMillion makes a rate of dollars per million tokens.
func perMillion(dollars int64) signalbox.Money { return signalbox.Money(dollars) * signalbox.Dollar }

// haiku costs $1 in and $5 out, by the million.
func haiku() signalbox.Candidate {
	return signalbox.Candidate{
		Name: "claude-haiku", Format: signalbox.ProtocolAnthropic, ContextWindow: 200_000, MaxOutput: 64_000,
		Price: &signalbox.Price{Rates: signalbox.Rates{
			Input: perMillion(1), Output: perMillion(5), CacheRead: ptr(perMillion(1) / 10),
			CacheWrite: ptr(perMillion(5) / 4), CacheWrite1h: ptr(perMillion(2)),
		}},
	}
}

func modelCall(body string, r signalbox.ModelRequest) *signalbox.Call {
	if r.Choices == 0 {
		r.Choices = 1
	}
	return &signalbox.Call{Kind: signalbox.KindModel, Body: []byte(body), Model: &r}
}

func policy(t testing.TB) *budget.Policy { return newPolicy(t, budget.Options{}) }

const byBytes = -1

func TestInputBound(t *testing.T) {
	body := strings.Repeat("x", 1000)
	tests := []struct {
		name  string
		r     signalbox.ModelRequest
		k     func(*signalbox.Candidate)
		exact int64
		want  int64
	}{
		{"a token for each byte, and what the model wraps around", signalbox.ModelRequest{Messages: 3}, nil, byBytes, 1000 + 512 + 3*8},
		{"declarations of tools", signalbox.ModelRequest{Messages: 1, Tools: 2}, nil, byBytes, 1000 + 512 + 8 + 1024 + 2*32},
		{"what the bytes do not show", signalbox.ModelRequest{Unseen: 5000}, nil, byBytes, 6000 + 512},
		{"no more than the window", signalbox.ModelRequest{}, func(k *signalbox.Candidate) { k.ContextWindow = 1200 }, byBytes, 1200},
		{"a window that is not known", signalbox.ModelRequest{}, func(k *signalbox.Candidate) { k.ContextWindow = 0 }, byBytes, 1512},
		{"content elsewhere is the window", signalbox.ModelRequest{External: true}, nil, byBytes, 200_000},
		{"content elsewhere, whatever was counted here", signalbox.ModelRequest{External: true}, nil, 300, 200_000},
		{"content elsewhere and a window that is not known", signalbox.ModelRequest{External: true}, func(k *signalbox.Candidate) { k.ContextWindow = 0 }, byBytes, 1_050_000},
		{"exact tokens", signalbox.ModelRequest{}, nil, 300, 300},
		{"none", signalbox.ModelRequest{}, nil, 0, 0},
		{"a count above the bytes is not believed", signalbox.ModelRequest{}, nil, 90_000, 1512},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := haiku()
			if tt.k != nil {
				tt.k(&k)
			}
			if got := policy(t).Bound(modelCall(body, tt.r), k, 0, tt.exact).Usage.Input; got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestMaxOutputAndItsBound(t *testing.T) {
	tests := []struct {
		name          string
		asked         int64
		choices       int
		window, model int64
		sent          int64 // What Bound is asked for.
		exact         int64
		body          int
		want, output  int64
	}{
		{name: "the caller's", asked: 300, window: 200_000, model: 64_000, exact: byBytes, want: 300, output: 300},
		{name: "once for each choice", asked: 300, choices: 4, window: 200_000, model: 64_000, exact: byBytes, want: 300, output: 1200},
		{name: "the model gives no more", asked: 100_000, window: 200_000, model: 64_000, exact: byBytes, want: 64_000, output: 64_000},
		{name: "the caller's where the model's is not known", asked: 100_000, exact: byBytes, want: 100_000, output: 100_000},
		{name: "the model's where the caller gave none", window: 200_000, model: 64_000, exact: byBytes, want: 64_000, output: 64_000},
		{name: "the default where nobody said any", exact: byBytes, want: 4096, output: 4096},
		{name: "what the window leaves", window: 200_000, model: 64_000, body: 149_488, exact: byBytes, want: 64_000, output: 64_000},
		{name: "what a small window leaves", window: 8192, model: 8192, body: 1000, exact: byBytes, want: 8192 - 1512, output: 8192 - 1512},
		{name: "half a window, whatever bytes leave", window: 8192, model: 8192, body: 7000, exact: byBytes, want: 4096, output: 4096},
		{name: "what exact tokens leave", window: 8192, model: 8192, body: 7000, exact: 6000, want: 2192, output: 2192},
		{name: "never less than one token", window: 8192, model: 8192, body: 9000, exact: 8192, want: 1, output: 1},
		{name: "a smaller one", asked: 300, window: 200_000, model: 64_000, sent: 200, exact: byBytes, want: 200, output: 200},
		{name: "no larger one than the caller's", asked: 300, window: 200_000, model: 64_000, sent: 400, exact: byBytes, want: 300, output: 300},
		{name: "no larger one than the model's", window: 200_000, model: 64_000, sent: 90_000, exact: byBytes, want: 64_000, output: 64_000},
		{name: "a larger one than the default", sent: 9000, exact: byBytes, want: 9000, output: 9000},
		{name: "absurd numbers saturate", asked: math.MaxInt64, choices: 128, exact: byBytes, want: math.MaxInt64, output: math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := haiku()
			k.ContextWindow, k.MaxOutput = tt.window, tt.model
			c := modelCall(strings.Repeat("x", tt.body), signalbox.ModelRequest{MaxOutput: tt.asked, Choices: tt.choices})
			b := policy(t).Bound(c, k, tt.sent, tt.exact)
			if b.MaxOutput != tt.want || b.Usage.Output != tt.output {
				t.Errorf("got max_tokens %d and output %d, want %d and %d", b.MaxOutput, b.Usage.Output, tt.want, tt.output)
			}
		})
	}
}

func TestTheConfiguredDefaultIsSent(t *testing.T) {
	p := newPolicy(t, budget.Options{DefaultMaxOutput: 77})
	if b := p.Bound(modelCall("", signalbox.ModelRequest{}), signalbox.Candidate{}, 0, byBytes); b.MaxOutput != 77 {
		t.Errorf("got %d", b.MaxOutput)
	}
}

func TestWritesToACacheCountWhereTheyCanHappen(t *testing.T) {
	const input, output = 1000, 100
	plain := signalbox.Money(input*1_000 + output*5_000) // Nano-dollars for a token of $1 and of $5 by the million.
	fiveMinutes, hour := plain+input*250, plain+input*1_000
	tests := []struct {
		name   string
		format signalbox.Protocol
		body   string
		want   signalbox.Money
	}{
		{"not asked for", signalbox.ProtocolAnthropic, `{"messages":[]}`, plain},
		{"asked for", signalbox.ProtocolAnthropic, `{"cache_control":{"type":"ephemeral"}}`, fiveMinutes},
		{"for an hour", signalbox.ProtocolAnthropic, `{"cache_control":{"type":"ephemeral","ttl":"1h"}}`, hour},
		{"an hour without a cache", signalbox.ProtocolAnthropic, `{"messages":["1h"]}`, plain},
		{"in escapes", signalbox.ProtocolAnthropic, `{"cache\u005Fcontro\u006c":{"ttl":"1\u0068"}}`, hour},
		{"escapes of other characters", signalbox.ProtocolAnthropic, `{"cache_\u00zzcontrol":"\u00`, fiveMinutes},
		{"elsewhere they happen by themselves", signalbox.ProtocolOpenAIChat, `{}`, hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := haiku()
			k.Format = tt.format
			c := modelCall(tt.body, signalbox.ModelRequest{MaxOutput: output})
			c.Body = append(c.Body, strings.Repeat(" ", input)...)
			if got := policy(t).Bound(c, k, 0, input).Cost; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTheDearestTierWithinReachCounts(t *testing.T) {
	k := haiku()
	k.Price.Tiers = []signalbox.Tier{
		{Above: 1000, Rates: signalbox.Rates{Input: perMillion(9), Output: perMillion(5)}},
		{Above: 2000, Rates: signalbox.Rates{Input: perMillion(3), Output: perMillion(5), PerCall: 7}},
	}
	for input, want := range map[int64]signalbox.Money{1000: 1000 * 1000, 1001: 1001 * 9000, 3000: 3000 * 9000} {
		c := modelCall(strings.Repeat("x", 3000), signalbox.ModelRequest{MaxOutput: 1})
		if got := policy(t).Bound(c, k, 0, input).Cost; got != want+5000 {
			t.Errorf("%d tokens: got %s, want %s", input, got, want+5000)
		}
	}
}

func TestWhatIsNoModelCostsItsPricePerCall(t *testing.T) {
	for _, kind := range []signalbox.Kind{signalbox.KindTool, signalbox.KindAgent, signalbox.KindQuery, signalbox.KindEgress} {
		t.Run(string(kind), func(t *testing.T) {
			c := &signalbox.Call{Kind: kind, Body: []byte(`{"cache_control":1}`)}
			priced := signalbox.Candidate{Price: &signalbox.Price{Rates: signalbox.Rates{Input: 5, PerCall: 2_000_000}}}
			if b := policy(t).Bound(c, priced, 100, byBytes); b != (budget.Bound{Cost: 2_000_000}) {
				t.Errorf("got %+v", b)
			}
			if b := policy(t).Bound(c, signalbox.Candidate{}, 0, byBytes); b != (budget.Bound{}) {
				t.Errorf("without a price: got %+v", b)
			}
		})
	}
}

func TestAModelWithoutAPriceIsUnpriced(t *testing.T) {
	b := policy(t).Bound(modelCall("hi", signalbox.ModelRequest{MaxOutput: 9}), signalbox.Candidate{}, 0, byBytes)
	if !b.Unpriced || b.Cost != 0 || b.Usage.Output != 9 || b.Usage.Input == 0 {
		t.Errorf("got %+v", b)
	}
	if b := policy(t).Bound(modelCall("hi", signalbox.ModelRequest{}), haiku(), 0, byBytes); b.Unpriced {
		t.Error("a model with a price is unpriced")
	}
}

func TestAModelCallWithoutItsRequestHasABoundToo(t *testing.T) {
	b := policy(t).Bound(&signalbox.Call{Kind: signalbox.KindModel}, haiku(), 0, byBytes)
	if b.Usage.Input != 512 || b.Usage.Output != 64_000 || b.Cost == 0 {
		t.Errorf("got %+v", b)
	}
}

func drawRates(t *rapid.T, label string) signalbox.Rates {
	rate := rapid.Custom(func(t *rapid.T) signalbox.Money { return signalbox.Money(rapid.Int64Range(0, 1<<50).Draw(t, "rate")) })
	optional := rapid.Ptr(rate, true)
	return signalbox.Rates{
		Input: rate.Draw(t, label+" input"), Output: rate.Draw(t, label+" output"), CacheRead: optional.Draw(t, label+" read"),
		CacheWrite: optional.Draw(t, label+" write"), CacheWrite1h: optional.Draw(t, label+" write 1h"),
		PerCall: rate.Draw(t, label+" per call"),
	}
}

// drawCandidate draws a model with a price of up to three tiers.
func drawCandidate(t *rapid.T) signalbox.Candidate {
	k := signalbox.Candidate{
		Format:        rapid.SampledFrom([]signalbox.Protocol{signalbox.ProtocolAnthropic, signalbox.ProtocolOpenAIChat}).Draw(t, "format"),
		ContextWindow: rapid.SampledFrom([]int64{0, 4096, 200_000}).Draw(t, "window"),
		MaxOutput:     rapid.SampledFrom([]int64{0, 100, 64_000}).Draw(t, "max output"),
		Price:         &signalbox.Price{Rates: drawRates(t, "base")},
	}
	above := int64(0)
	for range rapid.IntRange(0, 2).Draw(t, "tiers") {
		above += rapid.Int64Range(1, 3000).Draw(t, "above")
		k.Price.Tiers = append(k.Price.Tiers, signalbox.Tier{Above: above, Rates: drawRates(t, "tier")})
	}
	return k
}

func drawCall(t *rapid.T) *signalbox.Call {
	bodies := []string{`{}`, `{"cache_control":{}}`, `{"cache_control":{"ttl":"1h"}}`}
	return modelCall(rapid.SampledFrom(bodies).Draw(t, "body")+strings.Repeat(" ", rapid.IntRange(0, 5000).Draw(t, "bytes")),
		signalbox.ModelRequest{
			MaxOutput: rapid.Int64Range(0, 10_000).Draw(t, "asked"), Choices: rapid.IntRange(1, 128).Draw(t, "choices"),
			Messages: rapid.IntRange(0, 50).Draw(t, "messages"), Tools: rapid.IntRange(0, 5).Draw(t, "tools"),
			Unseen: rapid.Int64Range(0, 5000).Draw(t, "unseen"), External: rapid.Bool().Draw(t, "external"),
		})
}

func TestNoUsageWithinTheBoundCostsMore(t *testing.T) {
	p := policy(t)
	rapid.Check(t, func(t *rapid.T) {
		k, c := drawCandidate(t), drawCall(t)
		b := p.Bound(c, k, rapid.Int64Range(0, 9000).Draw(t, "sent"), rapid.Int64Range(-1, 6000).Draw(t, "exact"))
		u := signalbox.Usage{
			Input:  rapid.Int64Range(0, b.Usage.Input).Draw(t, "input"),
			Output: rapid.Int64Range(0, b.Usage.Output).Draw(t, "output"),
		}
		u.Reasoning = rapid.Int64Range(0, u.Output).Draw(t, "reasoning")
		u.CacheRead = rapid.Int64Range(0, u.Input).Draw(t, "read")
		asked, hour := strings.Contains(string(c.Body), "cache_control"), strings.Contains(string(c.Body), "1h")
		if k.Format != signalbox.ProtocolAnthropic || asked {
			u.CacheWrite = rapid.Int64Range(0, u.Input-u.CacheRead).Draw(t, "write")
		}
		if k.Format != signalbox.ProtocolAnthropic || hour {
			u.CacheWrite1h = rapid.Int64Range(0, u.CacheWrite).Draw(t, "write 1h")
		}
		if !u.Valid() {
			t.Fatalf("the test draws what can not be: %+v", u)
		}
		if cost := k.Price.RatesFor(u.Input).Cost(u); cost > b.Cost {
			t.Fatalf("%+v costs %s, the bound of %+v is %s", u, cost, b.Usage, b.Cost)
		}
	})
}

func TestMoreOutputNeverTakesLess(t *testing.T) {
	p := policy(t)
	rapid.Check(t, func(t *rapid.T) {
		k, c := drawCandidate(t), drawCall(t)
		n := rapid.Int64Range(1, 9000).Draw(t, "sent")
		less, more := p.Bound(c, k, n, byBytes), p.Bound(c, k, n+1, byBytes)
		for _, unit := range signalbox.Units() {
			if budget.AmountOf(unit, less.Usage, less.Cost) > budget.AmountOf(unit, more.Usage, more.Cost) {
				t.Fatalf("%d takes more %s than %d", n, unit, n+1)
			}
		}
		if less.MaxOutput < 1 || less.MaxOutput > n || c.Model.MaxOutput > 0 && less.MaxOutput > c.Model.MaxOutput {
			t.Fatalf("asked for %d, it sends %d", n, less.MaxOutput)
		}
	})
}

func BenchmarkBound(b *testing.B) {
	p, k := policy(b), haiku()
	c := modelCall(strings.Repeat(`{"role":"user","content":"hello"},`, 300), signalbox.ModelRequest{MaxOutput: 1000, Messages: 300})
	b.ReportAllocs()
	for b.Loop() {
		p.Bound(c, k, 0, byBytes)
	}
}
