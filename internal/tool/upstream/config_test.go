package upstream

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/openapi"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestConfigurationIsChecked(t *testing.T) {
	long := strings.Repeat("x", 55)
	cases := []struct {
		name, field string
		list        []Config
	}{
		{"no id", "mcp_servers.", []Config{{URL: "http://127.0.0.1"}}},
		{"bad id", "mcp_servers.My_Files", []Config{{ID: "My_Files", URL: "http://127.0.0.1"}}},
		{"neither", "mcp_servers.a", []Config{{ID: "a"}}},
		{"both", "mcp_servers.a", []Config{{ID: "a", URL: "http://127.0.0.1", Command: []string{"x"}}}},
		{"empty command", "mcp_servers.a.command", []Config{{ID: "a", Command: []string{""}}}},
		{"bad url", "mcp_servers.a.url", []Config{{ID: "a", URL: "127.0.0.1:80"}}},
		{"other scheme", "mcp_servers.a.url", []Config{{ID: "a", URL: "file:///etc/passwd"}}},
		{"a card besides", "mcp_servers.a", []Config{{ID: "a", URL: "http://127.0.0.1", Card: "http://127.0.0.1/card"}}},
		{"bad card", "mcp_servers.a.card", []Config{{ID: "a", Card: "127.0.0.1/card"}}},
		{"tokens for a card", "mcp_servers.a.credential", []Config{{ID: "a", Card: "http://127.0.0.1/card", Authorizer: &keys{}}}},
		{"an API by its card", "mcp_servers.a.url", []Config{{ID: "a", Card: "http://127.0.0.1/card", API: &openapi.API{}}}},
		{"twice", "mcp_servers.a", []Config{{ID: "a", URL: "http://127.0.0.1"}, {ID: "a", URL: "http://127.0.0.1"}}},
		{
			"joint names that begin alike", "mcp_servers." + long + "b",
			[]Config{{ID: long[1:] + "a", URL: "http://127.0.0.1"}, {ID: long[1:] + "b", URL: "http://127.0.0.1"}, {ID: long + "a", URL: "http://127.0.0.1"}, {ID: long + "b", URL: "http://127.0.0.1"}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(Options{Servers: c.list, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
			if e := upstreamtest.WantCode(t, err, signalbox.CodeInvalid); e.Field != c.field {
				t.Errorf("got field %q, want %q", e.Field, c.field)
			}
		})
	}
}

func TestNegativePriceOfATool(t *testing.T) {
	_, err := New(Options{Servers: []Config{{ID: "a", URL: "http://h", ToolPrices: map[string]signalbox.Money{"x": -1}}}})
	if e := signalbox.AsError(err); err == nil || e.Code != signalbox.CodeInvalid || e.Field != "mcp_servers.a.tools.x.price" {
		t.Errorf("got %v", err)
	}
}

// What a server asks of its callers is no call of its tools.
func TestPriceOfQuestions(t *testing.T) {
	c := Config{Price: &signalbox.Price{Rates: signalbox.Rates{PerCall: 2}}, ToolPrices: map[string]signalbox.Money{"roots/list": 5}}
	for name, want := range map[string]signalbox.Money{"ask": 2, "elicitation/create": 0, "sampling/createMessage": 0, "roots/list": 5} {
		var got signalbox.Money
		if p := c.priceOf(name); p != nil {
			got = p.PerCall
		}
		if got != want {
			t.Errorf("%s costs %s, want %s", name, got, want)
		}
	}
}
