package price_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/price"
)

func table(t *testing.T) *price.Table {
	t.Helper()
	tab, err := price.Default()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func day(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The costs below are worked out by hand from the vendors' rates: tokens × dollars per million, in nano-dollars.
func TestKnownCosts(t *testing.T) {
	tests := []struct {
		name, vendor, model string
		usage               signalbox.Usage
		want                signalbox.Money
	}{
		// 1,000 × 1 + 500 × 5 = 3,500 millionths of a dollar.
		{"haiku plain", price.Anthropic, "claude-haiku-4-5", signalbox.Usage{Input: 1000, Output: 500}, 3_500_000},
		// 100 × 1 + 600 × 0.10 + 200 × 1.25 + 100 × 2 + 10 × 5 = 660 millionths.
		{
			"haiku with every cache", price.Anthropic, "claude-haiku-4-5-20251001",
			signalbox.Usage{Input: 1000, CacheRead: 600, CacheWrite: 300, CacheWrite1h: 100, Output: 10},
			660_000,
		},
		// 200,000 × 3 + 1 × 15: the edge of the base rates.
		{"sonnet at its tier", price.Anthropic, "claude-sonnet-4-5", signalbox.Usage{Input: 200_000, Output: 1}, 600_015_000},
		// 200,001 × 6 + 1 × 22.5: the whole call at the long rates.
		{"sonnet over its tier", price.Anthropic, "claude-sonnet-4-5", signalbox.Usage{Input: 200_001, Output: 1}, 1_200_028_500},
		// 3 × 0.15 + 1 × 0.6 = 1.05 millionths.
		{"mini, fractions of a millionth", price.OpenAI, "gpt-4o-mini-2024-07-18", signalbox.Usage{Input: 3, Output: 1}, 1_050},
		// 1 × 0.0375 = 37.5 billionths, rounded up once.
		{"half a nano-dollar", price.Groq, "openai/gpt-oss-20b", signalbox.Usage{Input: 1, CacheRead: 1}, 38},
		// 271,999 × 4 + 0 and 272,000 × 8.
		{"gpt below its tier", price.OpenAI, "gpt-5.6-sol", signalbox.Usage{Input: 271_999}, 1_087_996_000},
		{"gpt in its tier", price.OpenAI, "gpt-5.6", signalbox.Usage{Input: 272_000}, 2_176_000_000},
		{"a snapshot with its own price", price.OpenAI, "gpt-4o-2024-05-13", signalbox.Usage{Input: 1000, Output: 1000}, 20_000_000},
		{"a snapshot at its model's price", price.OpenAI, "gpt-4o-2024-11-20", signalbox.Usage{Input: 1000, Output: 1000}, 12_500_000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, ok := table(t).Find(test.vendor, test.model)
			if !ok {
				t.Fatalf("no price of %s/%s", test.vendor, test.model)
			}
			p := m.Prices.At(day(t, "2026-11-22"))
			if p == nil {
				t.Fatal("no price holds on that day")
			}
			if got := p.RatesFor(test.usage.Input).Cost(test.usage); got != test.want {
				t.Errorf("cost = %s, want %s", got, test.want)
			}
		})
	}
}

func TestPriceChangesWithTheDay(t *testing.T) {
	m, _ := table(t).Find(price.Google, "gemini-3.8-flash")
	for at, want := range map[string]signalbox.Money{
		"2026-11-22": 750_000_000, "2026-12-31": 750_000_000, "2027-01-01": 1_500_000_000, "2030-06-01": 1_500_000_000,
	} {
		if got := m.Prices.At(day(t, at)); got == nil || got.Input != want {
			t.Errorf("input rate on %s = %v, want %s", at, got, want)
		}
	}
	if got := m.Prices.At(day(t, "2020-01-01")); got != nil {
		t.Errorf("price in 2020 = %v, want none", got)
	}
}

func TestFind(t *testing.T) {
	tests := []struct {
		vendor, model, want string
	}{
		{price.Anthropic, "claude-opus-4-5-20251101", "claude-opus-4-5"},
		{price.Anthropic, "claude-opus-4-5", "claude-opus-4-5"},
		{price.OpenAI, "gpt-5-2025-08-07", "gpt-5"},
		{price.OpenAI, "gpt-5-chat-latest", "gpt-5-chat"},
		{price.ZAI, "GLM-5.3", "glm-5.3"},
		{price.Anthropic, "gpt-5", ""},
		{price.OpenAI, "gpt-5-imaginary", ""},
		{price.OpenAI, "", ""},
		{"local", "gpt-5", ""},
		{price.OpenAI, "gpt-5.6-sol-2026-07-01", "gpt-5.6-sol"},
	}
	for _, test := range tests {
		m, ok := table(t).Find(test.vendor, test.model)
		if ok != (test.want != "") || m.ID != test.want {
			t.Errorf("Find(%q, %q) = %q, %v; want %q", test.vendor, test.model, m.ID, ok, test.want)
		}
	}
}

func TestVendors(t *testing.T) {
	if got := table(t).Vendors("claude-haiku-4-5"); !slices.Equal(got, []string{price.Anthropic}) {
		t.Errorf("vendors of haiku = %v", got)
	}
	if got := table(t).Vendors("nobody"); got != nil {
		t.Errorf("vendors of an unknown model = %v", got)
	}
	for host, want := range map[string]string{
		"api.openai.com": price.OpenAI, "API.X.AI.": price.XAI, "eu.api.mistral.ai": price.Mistral,
		"127.0.0.1": "", "api.openai.com.evil.example": "", "notapi.x.ai": "",
	} {
		if got := price.VendorAt(host); got != want {
			t.Errorf("VendorAt(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestTableIsSane(t *testing.T) {
	models := table(t).Models()
	if len(models) < 30 {
		t.Fatalf("%d models, want at least 30", len(models))
	}
	seen := map[string]bool{}
	for _, m := range models {
		t.Run(m.Vendor+"/"+m.ID, func(t *testing.T) {
			if seen[m.Vendor+"/"+m.ID] {
				t.Error("listed twice")
			}
			seen[m.Vendor+"/"+m.ID] = true
			if m.ContextWindow < 8192 || m.MaxOutput < 0 || m.MaxOutput > m.ContextWindow {
				t.Errorf("window %d, output %d", m.ContextWindow, m.MaxOutput)
			}
			last := ""
			for _, p := range m.Prices {
				checkPrice(t, p)
				if p.Effective <= last {
					t.Errorf("price of %s follows that of %s", p.Effective, last)
				}
				last = p.Effective
			}
		})
	}
}

var sourceName = regexp.MustCompile(`^[a-z-]+ \d+\.\d+\.\d+$`)

func checkPrice(t *testing.T, p signalbox.Price) {
	t.Helper()
	if !sourceName.MatchString(p.Source) {
		t.Errorf("source %q is not a name and a version", p.Source)
	}
	if _, err := time.Parse(time.DateOnly, p.Effective); err != nil {
		t.Error(err)
	}
	checkRates(t, p.Rates)
	above, base := int64(0), p.Rates
	for _, tier := range p.Tiers {
		if tier.Above <= above {
			t.Errorf("tier above %d follows %d", tier.Above, above)
		}
		checkRates(t, tier.Rates)
		if tier.Rates.Input < base.Input || tier.Rates.Output < base.Output {
			t.Errorf("tier above %d is cheaper than the one below", tier.Above)
		}
		if (tier.Rates.CacheRead == nil) != (base.CacheRead == nil) || (tier.Rates.CacheWrite == nil) != (base.CacheWrite == nil) {
			t.Errorf("tier above %d lacks a rate or has one too many", tier.Above)
		}
		above, base = tier.Above, tier.Rates
	}
}

func checkRates(t *testing.T, r signalbox.Rates) {
	t.Helper()
	const dear = 200 * signalbox.Dollar // No model of the table comes near; a slipped decimal point does.
	for name, rate := range map[string]signalbox.Money{"input": r.Input, "output": r.Output} {
		if rate <= 0 || rate > dear {
			t.Errorf("%s rate %s", name, rate)
		}
	}
	if r.Output < r.Input {
		t.Errorf("output rate %s below input rate %s", r.Output, r.Input)
	}
	if r.CacheRead != nil && (*r.CacheRead <= 0 || *r.CacheRead > r.Input) {
		t.Errorf("cache read %s at input %s", *r.CacheRead, r.Input)
	}
	if r.CacheWrite != nil && *r.CacheWrite < r.Input {
		t.Errorf("cache write %s below input %s", *r.CacheWrite, r.Input)
	}
	if r.CacheWrite1h != nil && (r.CacheWrite == nil || *r.CacheWrite1h < *r.CacheWrite) {
		t.Error("an hour-long cache write costs less than a short one")
	}
}
