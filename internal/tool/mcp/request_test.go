package mcp

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestBadMessages(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, log := gateway(t, s, nil)
	callWith := func(params string) string {
		return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":` + params + `}`
	}
	const good = `{"name":"echo","arguments":{}}`
	cases := []struct {
		name, server, body string
		status             int
		code               string
		id                 string
		recorded           bool
		headers            []string
	}{
		{"no key", "files", callWith(good), 401, "unauthenticated", "null", false, []string{"Authorization", "x"}},
		{"web page", "files", callWith(good), 403, "forbidden", "null", false, []string{"Origin", "https://evil.example"}},
		{"no JSON", "files", `hello`, 400, "invalid", "null", true, nil},
		{"trailing data", "files", callWith(good) + `{}`, 400, "invalid", "null", true, nil},
		{"batch", "files", `[` + callWith(good) + `]`, 400, "invalid", "null", true, nil},
		{"too large", "files", callWith(`"` + strings.Repeat("x", 5000) + `"`), 413, "too_large", "null", true, nil},
		{"too deep", "files", callWith(strings.Repeat("[", 200) + strings.Repeat("]", 200)), 400, "invalid", "null", true, nil},
		{"duplicate argument", "files", callWith(`{"name":"echo","arguments":{"path":"a","path":"b"}}`), 400, "invalid", "null", true, nil},
		{"duplicate by case", "files", callWith(`{"name":"echo","arguments":{"path":"a","Path":"b"}}`), 400, "invalid", "null", true, nil},
		{"name spelt otherwise", "files", callWith(`{"Name":"echo"}`), 400, "invalid", "7", true, nil},
		{"method spelt otherwise", "files", `{"jsonrpc":"2.0","id":7,"Method":"tools/call"}`, 400, "invalid", "null", true, nil},
		{"no params", "files", `{"jsonrpc":"2.0","id":7,"method":"tools/call"}`, 400, "invalid", "7", true, nil},
		{"no name", "files", callWith(`{"arguments":{}}`), 400, "invalid", "7", true, nil},
		{"name of a number", "files", callWith(`{"name":1}`), 400, "invalid", "7", true, nil},
		{"arguments of an array", "files", callWith(`{"name":"echo","arguments":[]}`), 400, "invalid", "7", true, nil},
		{"meta of a string", "files", callWith(`{"name":"echo","_meta":"x"}`), 400, "invalid", "7", true, nil},

		{"no id", "files", `{"jsonrpc":"2.0","method":"tools/call","params":` + good + `}`, 400, "invalid", "null", true, nil},
		{"another version", "files", `{"jsonrpc":"1.0","id":"a","method":"tools/call"}`, 400, "invalid", `"a"`, true, nil},
		{"unknown server", "nobody", callWith(good), 404, "not_found", "7", true, nil},
		{"list of an unknown server", "nobody", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, 404, "not_found", "1", false, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := len(log.all())
			status, body := send(t, url+c.server, c.body, c.headers...)
			var got struct {
				ID    json.Value `json:"id"`
				Error struct {
					Message string `json:"message"`
					Data    struct {
						Code string `json:"code"`
					} `json:"data"`
				} `json:"error"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if status != c.status || got.Error.Data.Code != c.code || string(got.ID) != c.id {
				t.Errorf("got %d %s", status, body)
			}
			if c.server == "nobody" && strings.Contains(string(body), "files") {
				t.Errorf("the error tells which servers there are: %s", body)
			}
			records := log.all()[before:]
			if (len(records) == 1) != c.recorded || len(records) > 1 {
				t.Fatalf("got %d records, want one: %v", len(records), c.recorded)
			}
			if c.recorded && records[0].Outcome != signalbox.OutcomeDenied {
				t.Errorf("got outcome %q", records[0].Outcome)
			}
		})
	}
}

// JSON-RPC tells apart what is no JSON, what is no request, and requests with parameters that are not valid.
func TestCodesOfBadMessages(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, _ := gateway(t, s, nil)
	for body, want := range map[string]string{
		`hello`: "-32700", ``: "-32700", `{"jsonrpc":"2.0"`: "-32700", `{"a":1,"a":2}`: "-32700",
		`[]`: "-32600", `"x"`: "-32600", `{"jsonrpc":"1.0","id":1,"method":"ping"}`: "-32600", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`: "-32600",
		`{"jsonrpc":"2.0","id":1,"method":7}`: "-32600", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`: "-32600",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":7}`: "-32602", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}`: "-32602",
	} {
		status, answer := send(t, url+"files", body)
		if status != http.StatusBadRequest || !strings.Contains(string(answer), `"code":`+want+`,`) {
			t.Errorf("%s: got %d %s, want %s", body, status, answer, want)
		}
	}
}
