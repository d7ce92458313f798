package mcp

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

func TestPriceOfATool(t *testing.T) {
	server := &signalbox.Price{Rates: signalbox.Rates{PerCall: 2_000_000}, Source: "config"}
	own := map[string]signalbox.Money{"echo": 5_000_000, "meta": 0}
	tests := []struct {
		name   string
		server *signalbox.Price
		own    map[string]signalbox.Money
		tool   string
		want   string
	}{
		{"of the server", server, nil, "echo", "0.002"},
		{"of the tool", server, own, "echo", "0.005"},
		{"of the tool, free", server, own, "meta", "0"},
		{"of the server for others", server, own, "env", "0.002"},
		{"of the tool alone", nil, own, "echo", "0.005"},
		{"of neither it is free", nil, own, "env", "0"},
		{"of a call whose tool failed", server, nil, "fail", "0.002"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServers(t, Server{ID: "files", URL: overHTTP(t, true), Price: tt.server, ToolPrices: tt.own})
			url, log := gateway(t, s, nil)
			body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tt.tool + `","arguments":{}}}`
			res := postMCP(t, url+"files", body)
			if got := res.Header.Get(headerCost); got != tt.want {
				t.Errorf("the header says %q, want %q", got, tt.want)
			}
			records := log.all()
			got := ""
			if cost := records[len(records)-1].What.Cost; cost != nil {
				got = cost.String()
			}
			if got != tt.want {
				t.Errorf("recorded %q, want %q", got, tt.want)
			}
		})
	}
}

func postMCP(t *testing.T, url, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", testKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
	return res
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
			s := newServers(t, Server{ID: "a", URL: scripted(t, tt.contentType, tt.status, tt.body, nil)})
			_, err := use(t.Context(), s, "a", "x", `{}`)
			var ae *call.AttemptError
			paid := err == nil || errors.As(err, &ae) && ae.Sent && !ae.Undone && ae.HTTPStatus < 300
			if paid != tt.paid {
				t.Errorf("paid: %v, want %v (%+v)", paid, tt.paid, err)
			}
		})
	}
	refused := newServers(t, Server{ID: "a", URL: "http://127.0.0.1:1"})
	_, err := use(t.Context(), refused, "a", "x", `{}`)
	var ae *call.AttemptError
	if !errors.As(err, &ae) || ae.Sent {
		t.Errorf("a refused connection: %+v", err)
	}
}

func TestNegativePriceOfATool(t *testing.T) {
	_, err := New(Options{Servers: []Server{{ID: "a", URL: "http://h", ToolPrices: map[string]signalbox.Money{"x": -1}}}})
	if e := signalbox.AsError(err); err == nil || e.Code != signalbox.CodeInvalid || e.Field != "mcp_servers.a.tools.x.price" {
		t.Errorf("got %v", err)
	}
}
