package wire_test

import (
	"bytes"
	"testing"

	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// BenchmarkParseAndRequest is what a unary request costs in this package.
func BenchmarkParseAndRequest(b *testing.B) {
	body := []byte(`{"model":"m","messages":[{"role":"system","content":"` + string(bytes.Repeat([]byte("You are helpful. "), 12)) +
		`"},{"role":"user","content":"` + string(bytes.Repeat([]byte("What is it? "), 12)) + `"}],"max_tokens":100,"temperature":0.5}`)
	for _, client := range formats {
		for _, backend := range formats {
			p := pair(b, client, backend)
			b.Run(string(client)+"/"+string(backend), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := parse(client, string(body)); err != nil && client == openAI {
						b.Fatal(err)
					}
					_, _ = p.Request(body, target) // A system message is refused by one pair; that costs as much.
				}
			})
		}
	}
}

// BenchmarkChunk is what one chunk of a stream costs.
func BenchmarkChunk(b *testing.B) {
	for name, stream := range map[string]string{
		"openai": `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}],"usage":null}` + "\n\n",
	} {
		for _, client := range formats {
			b.Run(name+"/"+string(client), func(b *testing.B) {
				b.ReportAllocs()
				e, err := sse.NewReader(bytes.NewReader([]byte(stream))).Next()
				if err != nil {
					b.Fatal(err)
				}
				s := pair(b, client, openAI).Stream(wire.Asked{})
				for b.Loop() {
					if _, err := s.Feed(e); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
