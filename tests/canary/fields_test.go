package canary

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// field is a place that a caller can write in.
type field struct {
	name    string
	content bool // What is there is content, or names a person: it is kept sealed at the most.
	named   bool // What is there names something, and may be personal data: only secrets are kept out.
	send    func(b *bench, t *testing.T, text string) harness.Answer
}

// mark is what the field is marked with.
func (f field) mark() string {
	if f.name == "X-Signalbox-User" {
		return user
	}
	return mark
}

func quote(s string) string { return string(json.Quote(s)) }

const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"
	good         = `{"model":"sim","max_tokens":9,"messages":[{"role":"user","content":"Hello."}]}`
)

// body is a field of the body of a model call; @ stands for the text as a JSON string, with a sentence around it, and $ for
// the text alone.
func body(name, path, template string) field {
	return field{name: path + " " + name, content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		filled := strings.NewReplacer("@", quote("Please remember "+text+" for me."), "$", quote(text)).Replace(template)
		return b.Send(t, http.MethodPost, path, harness.Agent, filled)
	}}
}

func named(f field) field {
	f.content, f.named = false, true
	return f
}

// header is a header of a call.
func header(name string) field {
	return field{name: name, named: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		return b.Send(t, http.MethodPost, chatPath, harness.Agent, good, name, text)
	}}
}

func content(f field) field {
	f.content, f.named = true, false
	return f
}

// person is a header that names a person, by whatever name.
func person(name string) field {
	f := header(name)
	f.content = true
	return f
}

func modelFields() []field {
	return []field{
		body("prompt", chatPath, `{"model":"gpt","max_tokens":9,"messages":[{"role":"user","content":@}]}`),
		body("prompt, streamed", chatPath, `{"model":"gpt","max_tokens":9,"stream":true,"messages":[{"role":"user","content":@}]}`),
		body("prompt to the other format", chatPath, `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":@}]}`),
		body("prompt that fails", chatPath, `{"model":"broken","max_tokens":9,"messages":[{"role":"user","content":@}]}`),
		body("system", chatPath, `{"model":"gpt","max_tokens":9,"messages":[{"role":"system","content":@},{"role":"user","content":"Hello."}]}`),
		body("parts", chatPath, `{"model":"gpt","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":@}]}]}`),
		body("tool", chatPath, `{"model":"gpt","max_tokens":9,"tools":[{"type":"function","function":{"name":"f","description":@,"parameters":{"type":"object"}}}],"messages":[{"role":"user","content":"Hello."}]}`),
		body("tool arguments", chatPath, `{"model":"gpt","max_tokens":9,"messages":[{"role":"user","content":"Hello."},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":@}}]},{"role":"tool","tool_call_id":"c1","content":@}]}`),
		body("user", chatPath, `{"model":"gpt","max_tokens":9,"user":$,"messages":[{"role":"user","content":"Hello."}]}`),
		body("metadata", chatPath, `{"model":"gpt","max_tokens":9,"metadata":{"note":$},"messages":[{"role":"user","content":"Hello."}]}`),
		body("role", chatPath, `{"model":"gpt","max_tokens":9,"messages":[{"role":$,"content":"Hello."}]}`),
		body("stop", chatPath, `{"model":"gpt","max_tokens":9,"stop":[$],"messages":[{"role":"user","content":"Hello."}]}`),
		body("unknown member", chatPath, `{"model":"gpt","max_tokens":9,$:1,"messages":[{"role":"user","content":"Hello."}]}`),
		body("member twice", chatPath, `{"model":"gpt","max_tokens":9,$:1,$:2,"messages":[]}`),
		body("number", chatPath, `{"model":"gpt","max_tokens":$,"messages":[{"role":"user","content":"Hello."}]}`),
		body("no JSON", chatPath, `{"model":"gpt",$`),
		named(body("model", chatPath, `{"model":$,"max_tokens":9,"messages":[{"role":"user","content":"Hello."}]}`)),

		body("prompt", messagesPath, `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":@}]}`),
		body("prompt, streamed", messagesPath, `{"model":"claude","max_tokens":9,"stream":true,"messages":[{"role":"user","content":@}]}`),
		body("prompt to the other format", messagesPath, `{"model":"gpt","max_tokens":9,"messages":[{"role":"user","content":@}]}`),
		body("system", messagesPath, `{"model":"claude","max_tokens":9,"system":@,"messages":[{"role":"user","content":"Hello."}]}`),
		body("tool", messagesPath, `{"model":"claude","max_tokens":9,"tools":[{"name":"f","description":@,"input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hello."}]}`),
		body("tool result", messagesPath, `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"Hello."},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"a":@}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":@}]}]}`),
		body("user", messagesPath, `{"model":"claude","max_tokens":9,"metadata":{"user_id":$},"messages":[{"role":"user","content":"Hello."}]}`),
		body("unknown member", messagesPath, `{"model":"claude","max_tokens":9,$:1,"messages":[{"role":"user","content":"Hello."}]}`),
		body("no JSON", messagesPath, `[$,`),
		named(body("model", messagesPath, `{"model":$,"max_tokens":9,"messages":[{"role":"user","content":"Hello."}]}`)),
	}
}

func headerFields() []field {
	list := []field{
		person("X-Signalbox-User"), person("X-Signalbox-Subject"),
		content(header("Traceparent")), content(header("Tracestate")), content(header("Baggage")), content(header("User-Agent")),
		content(header("Content-Type")), content(header("Content-Encoding")), content(header("Anthropic-Beta")), content(header("Accept")),
		content(header("Origin")), content(header("Referer")), content(header("X-Forwarded-For")),
	}
	for _, name := range []string{
		"X-Signalbox-Run", "X-Signalbox-Agent", "X-Signalbox-Parent-Agent", "X-Signalbox-Step", "X-Signalbox-Step-Kind", "X-Request-Id",
	} {
		list = append(list, header(name))
	}
	purpose := header("X-Signalbox-Purpose")
	purpose.named = false
	return append(list, purpose,
		field{name: "Authorization", content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
			return b.Send(t, http.MethodPost, chatPath, text, good)
		}},
		field{name: "x-api-key", content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
			return b.Send(t, http.MethodPost, messagesPath, "", good, "X-Api-Key", text)
		}},
		field{name: "cookie", content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
			return b.Send(t, http.MethodGet, "/api/v1/calls", "", "", "Cookie", "signalbox_session="+url.QueryEscape(text))
		}},
	)
}

// rpc is a field of a message to an MCP server.
func rpc(name, path, template string) field {
	return field{name: "MCP " + name, content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		filled := strings.NewReplacer("@", quote("Please remember "+text+" for me."), "$", quote(text)).Replace(template)
		return b.Send(t, http.MethodPost, strings.ReplaceAll(path, "$", url.PathEscape(text)), harness.Agent, filled,
			"Accept", "application/json, text/event-stream", "X-Signalbox-Agent", "worker")
	}}
}

func toolFields() []field {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`
	return []field{
		rpc("arguments", "/mcp/books", call+`{"name":"work","arguments":{"mark":@}}}`),
		rpc("arguments of a call that fails", "/mcp/books", call+`{"name":"work","arguments":{"mark":@,"fail":true}}}`),
		rpc("name of an argument", "/mcp/books", call+`{"name":"work","arguments":{$:1}}}`),
		rpc("arguments that do not fit", "/mcp/books", call+`{"name":"work","arguments":$}}`),
		rpc("trace", "/mcp/books", call+`{"name":"work","arguments":{"mark":"m"},"_meta":{"traceparent":$,"tracestate":$,"baggage":$}}}`),
		rpc("metadata", "/mcp/books", call+`{"name":"work","arguments":{"mark":"m"},"_meta":{$:$}}}`),
		rpc("method", "/mcp/books", `{"jsonrpc":"2.0","id":1,"method":$,"params":{}}`),
		rpc("member", "/mcp/books", `{"jsonrpc":"2.0","id":1,"method":"tools/call",$:1}`),
		rpc("no JSON", "/mcp/books", `{"jsonrpc":$`),
		named(rpc("tool", "/mcp/books", call+`{"name":$,"arguments":{}}}`)),
		named(rpc("server", "/mcp/$", call+`{"name":"work","arguments":{}}}`)),
		named(rpc("server that is only asked", "/mcp/$", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)),
	}
}

// control is a field of a request to the control API; $ in the path is the text, escaped, and in the body as JSON.
func control(method, path, template string, header ...string) field {
	return field{name: method + " " + path + " " + template, named: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		escaped := url.QueryEscape(text)
		if !strings.Contains(path, "?") {
			escaped = url.PathEscape(text)
		}
		return b.Send(t, method, "/api/v1"+strings.ReplaceAll(path, "$", escaped), harness.Admin,
			strings.ReplaceAll(template, "$", quote(text)), header...)
	}}
}

func controlFields() []field {
	list := []field{
		control(http.MethodPost, "/keys", `{"tenant":$,"role":"agent"}`),
		control(http.MethodPost, "/keys", `{"tenant":"acme","team":$,"role":"agent"}`),
		control(http.MethodPost, "/keys", `{"tenant":"acme","agent":$,"role":"agent"}`),
		control(http.MethodPost, "/keys", `{"tenant":"acme","user":$,"role":"agent"}`),
		control(http.MethodPost, "/keys", `{"tenant":"acme","role":$}`),
		control(http.MethodPost, "/keys", `{"tenant":"acme","role":"agent",$:1}`),
		control(http.MethodDelete, "/keys/$", ""),
		control(http.MethodPost, "/runs", `{"budget":{"total_max_cost_usd":$}}`),
		control(http.MethodPost, "/runs", `{"budget":{"total_max_cost_usd":"1"},"agents":[{"agent_id":$,"max_cost_usd":"0.1"}]}`),
		control(http.MethodPost, "/runs", `{"budget":{"total_max_cost_usd":"1"},$:1}`),
		control(http.MethodPost, "/runs/$/end", ""),
		control(http.MethodPost, "/brakes/$/lift", ""),
		control(http.MethodPost, "/accounts/reopen", `{"account":$}`),
		control(http.MethodPost, "/costs/reconcile", `{"items":[{"call_id":$,"cost_usd":"1"}]}`),
		control(http.MethodPost, "/costs/reconcile", `{"items":[{"call_id":"call_1","cost_usd":$}]}`),
		control(http.MethodPost, "/session", `{"key":$}`, "X-Signalbox-Console", "1"),
		control(http.MethodPost, "/session", `{"key":1,$:2}`, "X-Signalbox-Console", "1"),
		control(http.MethodPost, "/keys", `{$`),
		control(http.MethodGet, "/calls?$=1", ""),
		control(http.MethodGet, "/nothing/$", ""),
		control(http.MethodGet, "/calls", "", "X-Request-Id", "@"),
	}
	for _, path := range []string{
		"/calls/$", "/runs/$", "/traces/$", "/calls?cursor=$", "/calls?tenant=$", "/calls?from=$", "/calls?outcome=$", "/calls?limit=$",
		"/runs?tenant=$", "/costs?by=$", "/costs?from=$", "/accounts?kind=$", "/accounts?run=$", "/alerts?run=$", "/audit?cursor=$", "/keys?cursor=$",
	} {
		list = append(list, control(http.MethodGet, path, ""))
	}
	for _, path := range []string{"/v1/models/$", "/v1/$", "/audit/$", "/$"} {
		list = append(list, field{name: "GET " + path, named: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
			return b.Send(t, http.MethodGet, strings.ReplaceAll(path, "$", url.PathEscape(text)), harness.Admin, "")
		}})
	}
	return list
}
