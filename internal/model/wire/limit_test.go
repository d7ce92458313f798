package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

func TestLimitOfOutput(t *testing.T) {
	const messages = `"messages":[ {"role":"user","content":"\u0041"} ]`
	tests := []struct {
		name            string
		client, backend signalbox.Protocol
		limit           int64
		old             bool
		in, want        string
	}{
		{"openai: none is left alone", openAI, openAI, 0, false, `{"model":"m",%s,"x":1.50}`, `{"model":"m",%s,"x":1.50}`},
		{"openai: inserted", openAI, openAI, 50, false, `{"model":"m", %s }`, `{"model":"m", %s,"max_completion_tokens":50 }`},
		{"openai: inserted under its old name", openAI, openAI, 50, true, `{"model":"m",%s}`, `{"model":"m",%s,"max_tokens":50}`},
		{"openai: old name replaced", openAI, openAI, 50, false, `{ "max_tokens" : 99, "model":"m",%s}`, `{ "max_tokens" : 50, "model":"m",%s}`},
		{"openai: new name replaced", openAI, openAI, 50, true, `{"max_completion_tokens": 99,"model":"m",%s}`, `{"max_completion_tokens": 50,"model":"m",%s}`},
		{"openai: both names replaced", openAI, openAI, 50, true, `{"max_completion_tokens":99,"max_tokens":99,"model":"m",%s}`, `{"max_completion_tokens":50,"max_tokens":50,"model":"m",%s}`},
		{"openai: the same", openAI, openAI, 50, false, `{"max_tokens": 50,"model":"m",%s}`, `{"max_tokens": 50,"model":"m",%s}`},
		{"openai: larger than asked", openAI, openAI, 50, false, `{"max_tokens": 5,"model":"m",%s}`, `{"max_tokens": 50,"model":"m",%s}`},
		{"openai: null replaced", openAI, openAI, 50, false, `{"max_completion_tokens":null,"model":"m",%s}`, `{"max_completion_tokens":50,"model":"m",%s}`},
		{"openai: null of the other name stays", openAI, openAI, 50, false, `{"max_tokens":null,"model":"m",%s}`, `{"max_tokens":null,"model":"m",%s,"max_completion_tokens":50}`},
		{"openai: stream", openAI, openAI, 50, false, `{"model":"m",%s,"stream":true}`, `{"model":"m",%s,"stream":true,"max_completion_tokens":50,"stream_options":{"include_usage":true}}`},
		{"anthropic: replaced", anthropic, anthropic, 50, false, `{ "max_tokens" : 99 ,"model":"m",%s}`, `{ "max_tokens" : 50 ,"model":"m",%s}`},
		{"anthropic: none is left alone", anthropic, anthropic, 0, false, `{"max_tokens":99,"model":"m",%s}`, `{"max_tokens":99,"model":"m",%s}`},
		{"anthropic: thinking fits", anthropic, anthropic, 5000, false, `{"max_tokens":8000,"thinking":{"type":"enabled","budget_tokens":2000},"model":"m",%s}`, `{"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":2000},"model":"m",%s}`},
		{"anthropic: thinking is lowered in proportion", anthropic, anthropic, 5000, false, `{"max_tokens":10000,"thinking":{"type":"enabled","budget_tokens": 8000 },"model":"m",%s}`, `{"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens": 4000 },"model":"m",%s}`},
		{"anthropic: thinking across several steps stays above", anthropic, anthropic, 5000, false, `{"max_tokens":10000,"thinking":{"type":"enabled","budget_tokens":20000},"model":"m",%s}`, `{"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":10000},"model":"m",%s}`},
		{"anthropic: thinking as the caller wrote it", anthropic, anthropic, 100, false, `{"max_tokens":100,"thinking":{"type":"enabled","budget_tokens":20000},"model":"m",%s}`, `{"max_tokens":100,"thinking":{"type":"enabled","budget_tokens":20000},"model":"m",%s}`},
		{"anthropic: no room for thinking", anthropic, anthropic, 1100, false, `{"max_tokens":10000,"thinking":{"type":"enabled","budget_tokens":8000},"model":"m",%s}`, "budget_exhausted thinking.budget_tokens"},
		{"anthropic: adaptive thinking", anthropic, anthropic, 1100, false, `{"max_tokens":10000,"thinking":{"type":"adaptive"},"model":"m",%s}`, `{"max_tokens":1100,"thinking":{"type":"adaptive"},"model":"m",%s}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := strings.Replace(tt.in, "%s", messages, 1)
			out, err := pair(t, tt.client, tt.backend).Request([]byte(in), wire.Target{Model: "m", MaxOutput: 8192, Limit: tt.limit, OldMaxTokens: tt.old})
			got := string(out)
			var e *signalbox.Error
			if errors.As(err, &e) {
				got = fmt.Sprintf("%s %s", e.Code, e.Field)
			}
			if want := strings.Replace(tt.want, "%s", messages, 1); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestLimitIsAlwaysSent checks that whatever the caller wrote the request that leaves has exactly the limit.
func TestLimitIsAlwaysSent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		client, backend := rapid.SampledFrom(formats).Draw(rt, "client"), rapid.SampledFrom(formats).Draw(rt, "backend")
		asked, limit := rapid.Int64Range(1, 1<<40).Draw(rt, "asked"), rapid.Int64Range(1, 1<<40).Draw(rt, "limit")
		names := []string{fmt.Sprintf(`"max_tokens":%d`, asked)}
		if client == openAI {
			names = append(names, `"x":1`, `"max_tokens":null`, fmt.Sprintf(`"max_completion_tokens":%d`, asked),
				fmt.Sprintf(`"max_completion_tokens":%d,"max_tokens":%d`, asked, asked))
		}
		same := fmt.Sprintf(`"max_tokens":%d,"y":null`, asked)
		if client == backend {
			names = append(names, same)
		}
		if client != backend && client == openAI {
			names = append(names[:1], names[2:]...)
		}
		body := `{"model":"m","messages":[{"role":"user","content":"x"}],` + rapid.SampledFrom(names).Draw(rt, "member") + `}`
		out, err := pair(t, client, backend).Request([]byte(body), wire.Target{
			Model: "m", MaxOutput: 4096, Limit: limit, OldMaxTokens: rapid.Bool().Draw(rt, "old"),
		})
		if err != nil {
			rt.Fatal(err)
		}
		after, _, err := parse(backend, string(out))
		if err != nil || after.MaxOutput != limit {
			rt.Fatalf("%s became %s: %v", body, out, err)
		}
	})
}
