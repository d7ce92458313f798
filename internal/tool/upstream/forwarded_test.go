package upstream

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/openapi"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// dropping is a server that reads a call to its end and closes the connection without an answer, if the connection was used
// before: that is when net/http repeats requests.
type dropping struct {
	mu    sync.Mutex
	calls []http.Header // One for each call that came.
	meta  []string      // Of each, what stands in _meta for the key.
	drop  bool
}

func (d *dropping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // What is missing will be missed.
	if r.Header.Get("Mcp-Method") == rpc.MethodDiscover {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls, d.meta = append(d.calls, r.Header), append(d.meta, metaKey(body))
	if d.drop {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if m, err := rpc.Decode(body); err == nil {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, m.ID)
		return
	}
	fmt.Fprint(w, `{}`)
}

// metaKey gives the key in _meta of a message.
func metaKey(body []byte) string {
	message, _ := json.Object(body)
	params, _ := message.Get("params").Object()
	meta, _ := params.Get("_meta").Object()
	text, _ := meta.Get(rpc.MetaIdempotency).Text()
	return text
}

// made gives the calls that came since the last time.
func (d *dropping) made() (calls []http.Header, meta []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls, meta, d.calls, d.meta = d.calls, d.meta, nil, nil
	return calls, meta
}

const droppingAPI = `{"openapi":"3.1.0","paths":{"/things":{
	"get":{"operationId":"list"},"post":{"operationId":"add"},"delete":{"operationId":"clear"},
	"patch":{"operationId":"change","requestBody":{"content":{"application/json":{"schema":{"type":"object"}}}}}}}}`

// keyedUse calls a tool with what stands for an idempotency key.
func keyedUse(ctx context.Context, s *Servers, tool, arguments, forward string) error {
	t := call.NewTrack(&signalbox.Call{
		ID: "call_1", Kind: signalbox.KindTool, Protocol: signalbox.ProtocolMCP, IdempotencyKey: "own",
		Body: []byte(`{"params":{"_meta":{"signalbox/idempotency-key":"own","mine":1}}}`),
		Tool: &signalbox.ToolRequest{Server: "a", Name: tool, Arguments: []byte(arguments)},
	})
	t.Idempotency.Forward = forward
	answer, err := s.Open(ctx, t, signalbox.Candidate{Provider: "a", Upstream: tool}, signalbox.StartSpan("", "", ""))
	if err != nil {
		return err
	}
	_, err = call.ReadAll(ctx, answer)
	return err
}

// Whatever headers a request has, and whatever its method: when the connection breaks it is not sent a second time.
func TestNothingIsSentTwiceBecauseOfItsHeaders(t *testing.T) {
	configured := map[string]string{"Idempotency-Key": "operators", "x-idempotency-key": "operators"}
	api, err := openapi.Read([]byte(droppingAPI), openapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		config  Config
		tool    string
		headers map[string]string
	}{
		{name: "an MCP server", tool: "work", headers: configured},
		{name: "an API, POST without a body", config: Config{API: api}, tool: "add", headers: configured},
		{name: "an API, POST with a key", config: Config{API: api, IdempotencyHeader: true}, tool: "add"},
		{name: "an API, PATCH with a key", config: Config{API: api, IdempotencyHeader: true}, tool: "change"},
		{name: "an API, GET", config: Config{API: api}, tool: "list", headers: configured},
		{name: "an API, DELETE", config: Config{API: api}, tool: "clear", headers: configured},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &dropping{}
			srv := httptest.NewServer(d)
			t.Cleanup(srv.Close)
			c.config.ID, c.config.URL, c.config.Headers = "a", srv.URL, maps.Clone(c.headers)
			s := newServers(t, c.config)
			for range 2 { // The second one uses a connection that was used before.
				if err := keyedUse(t.Context(), s, c.tool, `{}`, "forward"); err != nil {
					t.Fatal(err)
				}
			}
			d.made()
			d.drop = true
			if err := keyedUse(t.Context(), s, c.tool, `{}`, "forward"); signalbox.CodeOf(err) != signalbox.CodeUpstream {
				t.Errorf("got %v", err)
			}
			calls, _ := d.made()
			if len(calls) != 1 {
				t.Fatalf("the call came %d times", len(calls))
			}
			for name, want := range c.headers {
				if got := calls[0].Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestWhatServersAreGivenForAKey(t *testing.T) {
	api, err := openapi.Read([]byte(droppingAPI), openapi.Options{Headers: []string{"Idempotency-Key"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, tool, forward string
		config              Config
		header, meta        string
	}{
		{name: "an MCP server", tool: "work", forward: "digest", meta: "digest"},
		{name: "an MCP server, without a key", tool: "work"},
		{name: "POST", tool: "add", forward: "digest", config: Config{API: api, IdempotencyHeader: true}, header: "digest"},
		{name: "PATCH", tool: "change", forward: "digest", config: Config{API: api, IdempotencyHeader: true}, header: "digest"},
		{name: "GET", tool: "list", forward: "digest", config: Config{API: api, IdempotencyHeader: true}},
		{name: "DELETE", tool: "clear", forward: "digest", config: Config{API: api, IdempotencyHeader: true}},
		{name: "POST without a key", tool: "add", config: Config{API: api, IdempotencyHeader: true}},
		{name: "POST of an API that is given none", tool: "add", forward: "digest", config: Config{API: api}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &dropping{}
			srv := httptest.NewServer(d)
			t.Cleanup(srv.Close)
			c.config.ID, c.config.URL = "a", srv.URL
			if err := keyedUse(t.Context(), newServers(t, c.config), c.tool, `{}`, c.forward); err != nil {
				t.Fatal(err)
			}
			calls, meta := d.made()
			if len(calls) != 1 || calls[0].Get("Idempotency-Key") != c.header || meta[0] != c.meta {
				t.Errorf("got the header %q and %q in _meta", calls[0].Get("Idempotency-Key"), meta)
			}
		})
	}
}

// Who answers a question makes another request to the server: it is to see another key, the same for the same answer.
func TestForwarded(t *testing.T) {
	none, first := &Terms{}, &Terms{Responses: json.Value(`{"q":1}`)}
	second, state := &Terms{Responses: json.Value(`{"q":2}`)}, &Terms{State: json.Value(`{"q":1}`)}
	if got := forwarded("k", none); got != "k" {
		t.Errorf("without answers: %q", got)
	}
	if got := forwarded("", first); got != "" {
		t.Errorf("without a key: %q", got)
	}
	seen := map[string]bool{"k": true}
	for _, terms := range []*Terms{first, second, state} {
		got := forwarded("k", terms)
		if seen[got] || got != forwarded("k", terms) || got == forwarded("K", terms) || !signalbox.ValidIdempotencyKey(got) {
			t.Errorf("%+v: %q", terms, got)
		}
		seen[got] = true
	}
	if strings.Contains(forwarded("secret", first), "secret") {
		t.Error("the key is in it")
	}
}
