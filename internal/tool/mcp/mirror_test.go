package mcp

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// shop is a modern server whose tool has headers for its arguments, and notes those that it gets.
type shop struct {
	mu   sync.Mutex
	seen []string // Of calls: region, level, and a header that nobody knows.
}

func (s *shop) last(t *testing.T) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		t.Fatal("nothing came through")
	}
	return s.seen[len(s.seen)-1]
}

func newShop(t *testing.T) (*shop, *sdk.Server, string) {
	t.Helper()
	server := sdk.NewServer(&sdk.Implementation{Name: "shop", Version: "1"}, nil)
	sells(server, "Region")
	server.AddTool(&sdk.Tool{Name: "odd", InputSchema: json.Value(`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}`)},
		func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{}, nil
		})
	inner := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true})
	s := &shop{}
	url := upstreamtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // What is missing will be missed.
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if r.Header.Get("Mcp-Method") == "tools/call" {
			s.mu.Lock()
			s.seen = append(s.seen, strings.Join([]string{r.Header.Get("Mcp-Param-Region"), r.Header.Get("Mcp-Param-Level"), r.Header.Get("Mcp-Param-Other") + r.Header.Get("Mcp-Param-Fixed")}, "|"))
			s.mu.Unlock()
		}
		inner.ServeHTTP(w, r)
	}))
	return s, server, url
}

func sells(server *sdk.Server, header string) {
	server.AddTool(&sdk.Tool{Name: "buy", InputSchema: json.Value(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"` + header + `"},
		"to":{"type":"object","properties":{"level":{"type":"integer","x-mcp-header":"Level"}}}}}`)},
		func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "bought"}}}, nil
		})
}

func TestArgumentsAreRepeatedInHeaders(t *testing.T) {
	shop, server, address := newShop(t)
	url, _ := jointGateway(t, newServers(t, upstream.Config{ID: "shop", URL: address, Headers: map[string]string{"Mcp-Param-Fixed": "ours"}}))
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		for path, name := range map[string]string{"/shop": "buy", "": "shop__buy"} {
			t.Run(version+path, func(t *testing.T) {
				session := connect(t, url+path, version)
				list, err := session.ListTools(t.Context(), nil)
				if err != nil || len(list.Tools) != 1 {
					t.Fatalf("got %v, %v", list, err)
				}
				res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: map[string]any{"region": "Zürich ", "to": map[string]any{"level": -7}}})
				if err != nil || text(res) != "bought" || shop.last(t) != "=?base64?WsO8cmljaCA=?=|-7|ours" {
					t.Errorf("got %q, %v with %q", text(res), err, shop.last(t))
				}
			})
		}
	}
	const arguments = `{"region":"eu"}`
	t.Run("as a modern caller says", func(t *testing.T) {
		_, answer := modernCall(t, url+"/shop", "buy", arguments, "", "Mcp-Param-Region", "=?base64?ZXU=?=", "Mcp-Param-Other", "x", "Mcp-Param-Fixed", "theirs")
		if !strings.Contains(answer, "bought") || shop.last(t) != "eu||xours" {
			t.Errorf("got %s with %q", answer, shop.last(t))
		}
	})
	for name, headers := range map[string][]string{
		"none": nil, "another value": {"Mcp-Param-Region", "us"}, "what is no base64": {"Mcp-Param-Region", "=?base64?%?="},
		"one for what is not there": {"Mcp-Param-Region", "eu", "Mcp-Param-Level", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := modernCall(t, url+"/shop", "buy", arguments, "", headers...)
			if status != http.StatusBadRequest || !strings.Contains(answer, `"code":-32020`) {
				t.Errorf("got %d %s", status, answer)
			}
		})
	}
	t.Run("a tool of which nobody can tell", func(t *testing.T) {
		_, list := send(t, url+"/shop", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
		if !strings.Contains(string(list), `"`+MetaRefused+`":["shop.odd"]`) || strings.Contains(string(list), `"name":"odd"`) {
			t.Errorf("the list is %s", list)
		}
		if _, answer := modernCall(t, url+"/shop", "odd", "{}", ""); !strings.Contains(answer, `"code":"not_found"`) {
			t.Errorf("got %s", answer)
		}
	})
	t.Run("a tool that has changed since", func(t *testing.T) {
		server.RemoveTools("buy")
		sells(server, "Other")
		calls := len(shop.seen)
		for n, want := range []string{`"code":"upstream"`, "bought"} { // By its refusal the list is read anew.
			_, answer := send(t, url+"/shop", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"buy","arguments":`+arguments+`}}`)
			if !strings.Contains(string(answer), want) || len(shop.seen) != calls+n+1 {
				t.Errorf("call %d: got %s", n, answer)
			}
		}
	})
}
