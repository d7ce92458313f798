package mcp

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
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
			s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true), Price: tt.server, ToolPrices: tt.own})
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

// The price of a server is one of its tools.
func TestPriceOfOtherActs(t *testing.T) {
	for name, tt := range map[string]struct {
		own  map[string]signalbox.Money
		want string
	}{
		"free":             {nil, "0"},
		"of the method":    {map[string]signalbox.Money{"resources/read": 7_000_000}, "0.007"},
		"of other methods": {map[string]signalbox.Money{"prompts/get": 7_000_000}, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			server := &signalbox.Price{Rates: signalbox.Rates{PerCall: 2_000_000}, Source: "config"}
			s := newServers(t, upstream.Config{ID: "files", URL: library(t, nil, []string{"book://one"}, nil), Price: server, ToolPrices: tt.own})
			url, _ := gateway(t, s, nil)
			res := postMCP(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://one"}}`)
			if got := res.Header.Get(headerCost); got != tt.want {
				t.Errorf("the read cost %q, want %q", got, tt.want)
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
