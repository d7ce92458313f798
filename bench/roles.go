package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const benchKey = "sb_benchmark_key_00001"

// configText is a configuration without its first part, which says what governs a call.
const configText = `listen: 127.0.0.1:0
database: "sqlite:@DIR@/signalbox.db"
providers:
  mock: {kind: openai_compatible, base_url: "@URL@/v1"}
models:
  mock: {provider: mock, price: {input: 0.15, output: 0.60, cache_read: 0.075}}
`

// setting is what of limits, budgets and alerts a configuration has on. The rest is on in all of them: keys, prices,
// masking, the durable record, the tree, projections.
type setting int

// The settings.
const (
	budgets setting = iota // Limits, budgets of money, the default alerts.
	limits                 // Limits of requests and concurrency, as binaries have them that know no budgets.
	neither
)

// String is the name in files and tables.
func (s setting) String() string { return [...]string{"budgets", "limits", "neither"}[s] }

// text is the part of the configuration that the settings differ in. A call under budgets pays from six accounts: requests
// of tenant and key, money per day of tenant and agent, money of its run, and its place among the calls in flight.
func (s setting) text() string {
	const key = "\nkeys:\n  - {id: bench, secret: " + benchKey + ", tenant: bench, team: bench, agent: bench, role: agent"
	const tenantLimits = "limits: [{unit: requests, per: minute, max: 100000000}, {unit: concurrent, max: 100000}]"
	const keyLimits = ", limits: [{unit: requests, per: minute, max: 100000000}]"
	switch s {
	case budgets:
		return "tenants:\n  - id: bench\n    " + tenantLimits +
			"\n    budgets: [{unit: usd, per: day, max: 1000000}, {unit: usd, per: run, max: 1000}]" +
			"\nagents:\n  - {id: bench, budgets: [{unit: usd, per: day, max: 1000000}]}" + key + keyLimits + "}\n"
	case limits:
		return "tenants:\n  - id: bench\n    " + tenantLimits + key + keyLimits + "}\n"
	case neither:
	}
	return "tenants:\n  - {id: bench}\nalerts: {defaults: false}" + key + "}\n"
}

// writeConfig writes a configuration into a folder of its own, in which its database will be.
func writeConfig(dir, upstream string, s setting) (string, error) {
	dir = filepath.Join(dir, s.String())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "signalbox.yml")
	text := strings.NewReplacer("@DIR@", dir, "@URL@", upstream).Replace(s.text() + configText)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// body is a request of half a kilobyte.
func body(k kind) []byte {
	return fmt.Appendf(nil, `{"model":"mock","max_tokens":200,"user":"%s","stream":%t,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"%s"}]}`,
		k, k != unary, strings.Repeat("How does a signal box keep trains apart? ", 9))
}

var answer = []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1764000000,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"` +
	strings.Repeat("It holds each train until its route is clear. ", 7) +
	`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":90,"completion_tokens":70,"total_tokens":160}}`)

// stream is a whole answer in [chunks] events of content.
func streamEvents() [][]byte {
	const frame = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"mock","choices":[{"index":0,"delta":%s,"finish_reason":%s}],"usage":null}` + "\n\n"
	events := [][]byte{fmt.Appendf(nil, frame, `{"role":"assistant","content":""}`, "null")}
	for range chunks {
		events = append(events, fmt.Appendf(nil, frame, `{"content":" clear"}`, "null"))
	}
	return append(events, fmt.Appendf(nil, frame, "{}", `"stop"`),
		[]byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"mock","choices":[],"usage":{"prompt_tokens":90,"completion_tokens":40,"total_tokens":130}}`+"\n\n"),
		[]byte("data: [DONE]\n\n"))
}

// serveUpstream answers at once, as a provider does whose model takes no time; slow streams pause before every event.
func serveUpstream(ctx context.Context) error { return serve(ctx, upstream()) }

func upstream() http.Handler {
	events := streamEvents()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.URL.Path == toolPath {
			answerTool(w, request)
			return
		}
		if !strings.Contains(string(request), `"stream":true`) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(answer)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		slowly := strings.Contains(string(request), `"user":"slow stream"`)
		for _, e := range events {
			if slowly {
				time.Sleep(eventPause)
			}
			w.Write(e)
			if http.NewResponseController(w).Flush() != nil {
				return // The client has gone.
			}
		}
	})
}

// serveProxy is the bare hop that Signalbox is compared with.
func serveProxy(ctx context.Context, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = 1024, 1024
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: transport, FlushInterval: -1,
	}
	return serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Otherwise net/http closes the request's body when the answer begins, and now and then the transport is just about
		// to look whether that body has ended: it then cuts the answer (golang/go#40747).
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		proxy.ServeHTTP(w, r)
	}))
}

func serve(ctx context.Context, h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("bench serves http://%s\n", l.Addr())
	server := &http.Server{Handler: h} //nolint:gosec // Its only client is the benchmark.
	go func() {
		<-ctx.Done()
		server.Close() //nolint:errcheck // It ends either way.
	}()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
