package simulated_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/simulated"
)

// TestCountIsWhatIsReported compares the count with the usage of the answer.
func TestCountIsWhatIsReported(t *testing.T) {
	b := backend(t, simulated.Config{MinOutput: 1, MaxOutput: 2})
	rapid.Check(t, func(rt *rapid.T) {
		format := rapid.SampledFrom([]signalbox.Protocol{signalbox.ProtocolOpenAIChat, signalbox.ProtocolAnthropic}).Draw(rt, "format")
		text := rapid.StringMatching(`[a-z 한국]{1,40}`).Draw(rt, "text")
		body := `{"model":"sim","max_tokens":90,"messages":[` + strings.Repeat(`{"role":"user","content":"`+text+`"},`, 3) + `{"role":"user","content":"x"}]`
		if rapid.Bool().Draw(rt, "tools") && format == signalbox.ProtocolAnthropic {
			body += `,"tools":[{"name":"find","input_schema":{"type":"object"}}]`
		}
		tr := track(format, body+"}", false)
		n, ok := b.CountInput(t.Context(), tr.Call, candidate)
		_, report, err := read(t.Context(), b, tr)
		if err != nil || !ok || report.Usage.Input != n {
			rt.Fatalf("counted %d, %v; reported %+v, %v", n, ok, report.Usage, err)
		}
	})
	for name, c := range map[string]*signalbox.Call{
		"another protocol": {Protocol: signalbox.ProtocolMCP, Body: []byte(`{}`)},
		"no JSON":          {Protocol: signalbox.ProtocolOpenAIChat, Body: []byte(`{`)},
		"no messages":      {Protocol: signalbox.ProtocolOpenAIChat, Body: []byte(`{"model":"m"}`)},
	} {
		if n, ok := b.CountInput(t.Context(), c, candidate); ok {
			t.Errorf("%s: counted %d", name, n)
		}
	}
}
