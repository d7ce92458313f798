package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// scripted answers every method but the handshake with a body of the test's.
func scripted(t *testing.T, contentType string, status int, body string, seen func([]byte)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		if r.Header.Get("Mcp-Method") == rpc.MethodDiscover {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`)
			return
		}
		if seen != nil {
			seen(data)
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestBytesPassThroughAsTheyAre(t *testing.T) {
	const arguments = `{"n":12345678901234567890,"x":1.10,"deep":{"unknown":[null,true]},"text":"<한국어>"}`
	const result = `{"content":[{"type":"hologram","volume":12345678901234567890}],"newMember":{"a":1.50},"structuredContent":[1]}`
	answers := map[string]string{
		"application/json":  `{"jsonrpc":"2.0","id":2,"result":` + result + `}`,
		"text/event-stream": ": hello\n\nid: 1\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\ndata: \"result\":" + result + "}\n\n",
	}
	for contentType, answer := range answers {
		t.Run(contentType, func(t *testing.T) {
			var sent []byte
			s := newServers(t, Config{ID: "a", URL: scripted(t, contentType, 200, answer, func(b []byte) { sent = b })})
			got, err := use(t.Context(), s, "a", "x", arguments)
			if err != nil || got != result {
				t.Errorf("got %s, %v", got, err)
			}
			if !strings.Contains(string(sent), `"arguments":`+arguments) {
				t.Errorf("sent %s", sent)
			}
		})
	}
}

func TestFaultyAnswers(t *testing.T) {
	const js, sse = "application/json", "text/event-stream"
	rpc := func(rest string) string { return `{"jsonrpc":"2.0","id":2,` + rest + `}` }
	cases := []struct {
		name, contentType string
		status            int
		body              string
		code              signalbox.Code
	}{
		{"HTML of a proxy", "text/html", 502, "<h1>Bad gateway</h1>", "upstream"},
		{"HTML with status 200", "text/html", 200, "<h1>Hello</h1>", "upstream"},
		{"accepted and nothing more", js, 202, "", "upstream"},
		{"empty", js, 200, "", "upstream"},
		{"cut off", js, 200, rpc(`"result":{}`)[:30], "upstream"},
		{"two results", js, 200, rpc(`"result":{"isError":true,"isError":false}`), "upstream"},
		{"another id", js, 200, `{"jsonrpc":"2.0","id":9,"result":{}}`, "upstream"},
		{"result of a string", js, 200, rpc(`"result":"x"`), "upstream"},
		{"content of a string", js, 200, rpc(`"result":{"content":"x"}`), "upstream"},
		{"neither result nor error", js, 200, rpc(`"x":1`), "upstream"},
		{"stream without the answer", sse, 200, "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", "upstream"},
		{"stream cut off in the answer", sse, 200, "data: " + rpc(`"result":{}`), "upstream"},
		{"stream of garbage", sse, 200, "data: hello\n\n", "upstream"},
		{"redirect", "", 307, "", "upstream"},
		{"invalid arguments", js, 200, rpc(`"error":{"code":-32602,"message":"path is missing"}`), "invalid"},
		{"invalid arguments, status 400", js, 400, rpc(`"error":{"code":-32602,"message":"path is missing"}`), "invalid"},
		{"internal error", js, 200, rpc(`"error":{"code":-32603,"message":"oops"}`), "upstream"},
		{"error without a code", js, 200, rpc(`"error":{"message":"oops"}`), "upstream"},
		{"wants input", js, 200, rpc(`"result":{"resultType":"input_required"}`), "not_implemented"},
		{"started a task", js, 200, rpc(`"result":{"resultType":"task","taskId":"1"}`), "not_implemented"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			s := newServers(t, Config{ID: "a", URL: scripted(t, c.contentType, c.status, c.body, func([]byte) { calls++ })})
			_, err := use(t.Context(), s, "a", "x", `{}`)
			upstreamtest.WantCode(t, err, c.code)
			var ae *call.AttemptError
			if !errors.As(err, &ae) || !ae.Sent || ae.Next {
				t.Errorf("got %+v", err)
			}
			if calls != 1 {
				t.Errorf("sent %d times", calls)
			}
		})
	}
}

func TestAServerOverHTTPMayAskBackInItsStream(t *testing.T) {
	var mu sync.Mutex
	var replies []string
	stream := "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n" +
		"data: {\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"sampling/createMessage\"}\n\n" +
		"data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n"
	url := scripted(t, "text/event-stream", 200, stream, func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		replies = append(replies, string(b))
	})
	s := newServers(t, Config{ID: "a", URL: url})
	if _, err := use(t.Context(), s, "a", "x", `{}`); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(replies) != 3 || replies[1] != `{"jsonrpc":"2.0","id":"p","result":{}}` || !strings.Contains(replies[2], "-32601") {
		t.Errorf("got %q", replies)
	}
}

// TestWhatIsPaid breaks calls in all ways and looks at what the attempt says of them.
func TestWhatIsPaid(t *testing.T) {
	rpc := func(rest string) string { return `{"jsonrpc":"2.0","id":2,` + rest + `}` }
	const js = "application/json"
	tests := []struct {
		name, contentType string
		status            int
		body              string
		paid              bool
	}{
		{"served", js, 200, rpc(`"result":{"content":[]}`), true},
		{"the tool failed", js, 200, rpc(`"result":{"isError":true,"content":[]}`), true},
		{"the server failed", js, 200, rpc(`"error":{"code":-32603,"message":"oops"}`), true},
		{"no such method", js, 200, rpc(`"error":{"code":-32601,"message":"no"}`), false},
		{"invalid arguments", js, 200, rpc(`"error":{"code":-32602,"message":"no"}`), false},
		{"cut off", js, 200, `{"jsonrpc":"2.0"`, true},
		{"an error status", "", 500, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServers(t, Config{ID: "a", URL: scripted(t, tt.contentType, tt.status, tt.body, nil)})
			_, err := use(t.Context(), s, "a", "x", `{}`)
			var ae *call.AttemptError
			paid := err == nil || errors.As(err, &ae) && ae.Sent && !ae.Undone && ae.HTTPStatus < 300
			if paid != tt.paid {
				t.Errorf("paid: %v, want %v (%+v)", paid, tt.paid, err)
			}
		})
	}
	refused := newServers(t, Config{ID: "a", URL: "http://127.0.0.1:1"})
	_, err := use(t.Context(), refused, "a", "x", `{}`)
	var ae *call.AttemptError
	if !errors.As(err, &ae) || ae.Sent {
		t.Errorf("a refused connection: %+v", err)
	}
}
