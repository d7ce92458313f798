package mcp

import (
	"bytes"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// FuzzParseRequest holds what is accepted against a second look: it is one object, and the arguments are in it byte for
// byte.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}}`,
		`{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","_meta":{"traceparent":"00-x"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`[{"jsonrpc":"2.0"}]`, `{"jsonrpc":"2.0","id":1,"result":{}}`, `{}`, ``, `{"jsonrpc":"2.0","id":1,"method":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseRequest(body)
		if err != nil {
			if err.Message == "" || err.Remedy == "" || err.Field == "" {
				t.Errorf("got %+v", err)
			}
			return
		}
		if json.Check(body, json.Limits{}) != nil {
			t.Error("a body with two readings was accepted")
		}
		if r.method != rpc.MethodCallTool {
			return
		}
		if r.name == "" || r.id == nil {
			t.Errorf("got %+v", r)
		}
		if string(r.arguments) != "{}" && !bytes.Contains(body, r.arguments) {
			t.Errorf("arguments %s are not those of the body", r.arguments)
		}
	})
}

func TestNobodyCallsAToolByTheNameOfAMethod(t *testing.T) {
	for _, name := range []string{"resources/read", "prompts/get", "completion/complete", "sampling/createMessage", "elicitation/create", "roots/list"} {
		_, err := parseRequest([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `"}}`))
		if err == nil || err.Field != "params.name" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
