package price_test

import (
	"testing"

	"github.com/signalbox/signalbox/internal/model/price"
)

// TestLimitsAreKnown holds the table to the limits that bounds are made of: every model has a context window, and those of
// the three vendors that say so have a limit of output that fits into it.
func TestLimitsAreKnown(t *testing.T) {
	table, err := price.Default()
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]bool{price.Anthropic: true, price.OpenAI: true, price.Google: true}
	for _, m := range table.Models() {
		if m.ContextWindow <= 0 || m.MaxOutput < 0 || m.MaxOutput >= m.ContextWindow || says[m.Vendor] && m.MaxOutput == 0 {
			t.Errorf("%s/%s: window %d, output %d", m.Vendor, m.ID, m.ContextWindow, m.MaxOutput)
		}
	}
}

func TestChatModelsTakeLessOutput(t *testing.T) {
	table, err := price.Default()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		"gpt-5-chat-latest": 16_384, "gpt-5.1-chat-latest": 16_384, "gpt-5.2-chat": 16_384, "gpt-5.5-chat": 16_384,
		"gpt-5": 128_000, "gpt-5-codex": 128_000, "gpt-5.5": 128_000,
	} {
		if m, ok := table.Find(price.OpenAI, name); !ok || m.MaxOutput != want {
			t.Errorf("%s: found %v, output %d, want %d", name, ok, m.MaxOutput, want)
		}
	}
}
