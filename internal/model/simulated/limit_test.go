package simulated_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/simulated"
)

// TestLimitIsObeyed asks for texts and calls of tools under all limits: what is reported is never above them.
func TestLimitIsObeyed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit, choices := rapid.Int64Range(1, 60).Draw(rt, "limit"), rapid.IntRange(1, 3).Draw(rt, "choices")
		prompt := rapid.SampledFrom([]string{"hi", "신호기는 왜 있나요?", "simulate: text=한국어로 길게", "simulate: tool=find", "simulate: tokens=50"}).Draw(rt, "prompt")
		name := rapid.SampledFrom([]string{"max_tokens", "max_completion_tokens"}).Draw(rt, "name")
		more := fmt.Sprintf(`,"n":%d,%q:%d,"tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object","properties":{"q":{"type":"string"}},"required":["q"]}}}]`,
			choices, name, limit)
		c := simulated.Config{MinOutput: 20, MaxOutput: 60, ToolCallRate: rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(rt, "rate")}
		out := complete(t, c, request(prompt, more))
		if most := limit * int64(choices); out.Usage.Completion > most || out.Usage.Completion < 1 {
			rt.Fatalf("%d tokens where %d are the most: %+v", out.Usage.Completion, most, out.Choices)
		}
	})
}

// TestTrackLimitIsSent has the limit of an attempt go through the backend in both formats.
func TestTrackLimitIsSent(t *testing.T) {
	b := backend(t, simulated.Config{MinOutput: 100, MaxOutput: 200})
	for _, format := range []signalbox.Protocol{signalbox.ProtocolOpenAIChat, signalbox.ProtocolAnthropic} {
		for _, limit := range []int64{0, 7} {
			t.Run(fmt.Sprintf("%s %d", format, limit), func(t *testing.T) {
				tr := track(format, `{"model":"sim","max_tokens":90,"messages":[{"role":"user","content":"`+strings.Repeat("why ", 40)+`"}]}`, false)
				tr.Attempts = []signalbox.Attempt{{N: 1, MaxOutput: limit}}
				_, report, err := read(t.Context(), b, tr)
				want := limit
				if want == 0 {
					want = 90
				}
				if err != nil || report.Usage == nil || report.Usage.Output != want {
					t.Errorf("got %+v, %v; want %d tokens", report.Usage, err, want)
				}
			})
		}
	}
}
