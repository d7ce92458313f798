package mcp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// replace puts a set of those servers in force, all of which go on that it had but those named. What was before ends.
func (c *changing) replace(t *testing.T, changed string, list ...upstream.Config) {
	t.Helper()
	before := c.Load()
	servers, err := upstream.New(upstream.Options{
		Servers: list, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Before: before, Unchanged: func(id string) bool { return id != changed },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	if c.Store(servers); before != nil {
		before.Close()
	}
}

// listens opens a stream of notifications of the newest version.
func listens(t *testing.T, url string) *rpc.Events {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + askMeta + `}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Authorization": {testKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		rpc.HeaderVersion: {"2026-07-28"}, rpc.HeaderMethod: {rpc.MethodListen},
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	events := rpc.NewEvents(res.Body)
	heardFrom(t, events, `"toolsListChanged":true`)
	return events
}

// hasEnded reads a stream to its end, which must come by itself.
func hasEnded(t *testing.T, events *rpc.Events) {
	t.Helper()
	heardFrom(t, events, `"result":{"resultType":"complete"`)
	if rest, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v after the end", rest, err)
	}
}

// Streams of notifications go on while their servers do, and end when others come in the place of these.
func TestStreamsOutliveSetsOfTheSameServers(t *testing.T) {
	books := talker()
	one := upstream.Config{ID: "books", URL: serveTalker(t, books, true)}
	two := upstream.Config{ID: "other", URL: upstreamtest.OverHTTP(t, true)}
	var now changing
	now.replace(t, "", one, two)
	h := NewHandler(&now, testDoor{}, chain(now.Load(), &memoryLog{}, nil), "test", slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	mux.Handle(Pattern, h)
	mux.Handle(JointPattern, h)
	url := upstreamtest.Serve(t, mux) + "/mcp"
	joint, single, other := listens(t, url), listens(t, url+"/books"), listens(t, url+"/other")
	for range 2 {
		now.replace(t, "", one, two)
	}
	added := 0
	changes := func(streams ...*rpc.Events) {
		t.Helper()
		over := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ; ; added++ { // Until the stream to the server is there.
				books.AddTool(&sdk.Tool{Name: fmt.Sprint("t", added), InputSchema: map[string]any{"type": "object"}}, nil)
				select {
				case <-over:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		}()
		for _, events := range streams {
			heardFrom(t, events, rpc.MethodListChanged)
		}
		close(over)
		<-done
	}
	changes(joint, single)
	now.replace(t, "other", one, two)
	for _, events := range []*rpc.Events{joint, other} {
		hasEnded(t, events)
	}
	changes(single)
	now.replace(t, "", two)
	hasEnded(t, single)
}
