package serve_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/openai"
	"github.com/signalbox/signalbox/internal/model/serve"
)

// BenchmarkStreamChunk is the cost of one chunk from the stations to the caller's socket, the caller's reading included.
func BenchmarkStreamChunk(b *testing.B) {
	chunk := "data: " + strings.Repeat("x", 200) + "\n\n"
	p := &counted{left: b.N, chunk: []byte(chunk)}
	h := call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { return p, nil })
	server := httptest.NewServer(&serve.Server{API: openai.API{}, Door: door{}, Handler: h, Now: time.Now})
	defer server.Close()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, strings.NewReader(streamed))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "key")
	b.ReportAllocs()
	b.ResetTimer()
	response, err := server.Client().Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(b.N*len(chunk)) {
		b.Fatal(n, err)
	}
}

// counted is a stream of equal chunks.
type counted struct {
	left  int
	chunk []byte
}

func (c *counted) Head() call.Head { return call.Head{ContentType: "text/event-stream"} }

func (c *counted) Next(context.Context) (call.Part, error) {
	c.left--
	return call.Part{Data: c.chunk, Terminal: c.left == 0}, nil
}

func (c *counted) Close() error { return nil }
