package mcp

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// The attempts of this file to have a tool run that nobody decided about are from the field: each has worked on some
// gateway. What counts is what the upstream did, and under which name and with which arguments it was decided.

// acts notes what was decided and what was done.
type acts struct {
	mu      sync.Mutex
	decided []string
	done    []string
}

func (a *acts) decide(t *call.Track) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.decided = append(a.decided, t.Call.Tool.ID()+string(t.Call.Tool.Arguments))
}

func (a *acts) do(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, what)
}

func (a *acts) take() (decided, done string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	decided, done = strings.Join(a.decided, " "), strings.Join(a.done, " ")
	a.decided, a.done = nil, nil
	return decided, done
}

// witness serves tools over HTTP that note their calls.
func witness(t *testing.T, a *acts, server string, tools ...string) upstream.Config {
	t.Helper()
	s := sdk.NewServer(&sdk.Implementation{Name: server, Version: "1"}, nil)
	for _, name := range tools {
		s.AddTool(&sdk.Tool{Name: name, InputSchema: map[string]any{"type": "object"}},
			func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
				a.do(server + "." + r.Params.Name + string(r.Params.Arguments))
				return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "done"}}}, nil
			})
	}
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s },
		&sdk.StreamableHTTPOptions{Stateless: true}))
	t.Cleanup(srv.Close)
	return upstream.Config{ID: server, URL: srv.URL}
}

// onlyGreet permits the tools of that name and notes what it permitted.
func onlyGreet(a *acts) call.Station {
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			if t.Call.Tool.Name != "greet" {
				t.Policy.Status = signalbox.StatusDenied
				return nil, signalbox.Errorf(signalbox.CodeForbidden, "Only greet.").WithRemedy("Greet.")
			}
			a.decide(t)
			return next.Serve(ctx, t)
		})
	}
}

// knock sends a request as it is given: method, path, headers and body.
func knock(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Authorization": {testKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func TestNothingRunsThatWasNotDecided(t *testing.T) {
	a := &acts{}
	s := newServers(t, witness(t, a, "files", "greet", "secretTool", "b_c"), witness(t, a, "files-b", "greet", "c", "secretTool"))
	log := &memoryLog{}
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, chain(s, log, onlyGreet(a)), "test", slog.New(slog.DiscardHandler)))
	url := upstreamtest.Serve(t, mux)
	for _, c := range bypasses() {
		t.Run(c.name, func(t *testing.T) {
			before := len(log.all())
			status, body := knock(t, cmp.Or(c.method, http.MethodPost), url+cmp.Or(c.path, "/mcp/files"), c.body, c.headers...)
			decided, done := a.take()
			if decided != done {
				t.Errorf("decided %q, and %q was done", decided, done)
			}
			if done != c.done || status != c.status {
				t.Errorf("got status %d and %q done, want %d and %q: %s", status, done, c.status, c.done, body)
			}
			outcomes := 0
			for _, r := range log.all()[before:] {
				if r.Outcome != "" {
					outcomes++
				}
			}
			if (outcomes == 1) == c.unrecorded || outcomes > 1 {
				t.Errorf("%d outcomes are recorded", outcomes)
			}
		})
	}
}

// bypass is one attempt.
type bypass struct {
	name, body string
	status     int
	done       string // What may be done: "server.tool" and its arguments.
	method     string // "" is POST.
	path       string // "" is that of the server files.
	headers    []string
	unrecorded bool // It is no call: nothing asks for a tool in a way that anybody would obey.
}

func bypasses() []bypass {
	return slices.Concat(bypassesOfMembers(), bypassesOfMessages(), bypassesOfNames(), bypassesOfHeaders(), bypassesOfPaths())
}

func calling(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
}

const (
	greet  = `{"name":"greet","arguments":{}}`
	secret = `{"name":"secretTool","arguments":{}}`
	greets = `files.greet{}`
)

// bypassesOfMembers have a second reading because of how members are spelt.
func bypassesOfMembers() []bypass {
	refused := func(name, body string) bypass { return bypass{name: name, body: body, status: 400} }
	return []bypass{
		{name: "greet", body: calling(greet), status: 200, done: greets},
		{name: "the secret tool", body: calling(secret), status: 200},
		{name: "a tool that is not there", body: calling(`{"name":"other"}`), status: 200},
		refused("name and Name", calling(`{"name":"greet","Name":"secretTool"}`)),
		refused("Name and name", calling(`{"Name":"greet","name":"secretTool"}`)),
		refused("name twice", calling(`{"name":"greet","name":"secretTool"}`)),
		refused("name twice, once escaped", calling(`{"name":"greet","n\u0061me":"secretTool"}`)),
		refused("NAME alone", calling(`{"NAME":"secretTool"}`)),
		refused("params twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+greet+`,"params":`+secret+`}`),
		refused("params and Params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+greet+`,"Params":`+secret+`}`),
		refused("method twice", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":`+secret+`}`),
		refused("method and METHOD", `{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call","params":`+secret+`}`),
		refused("method with a long s", `{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":`+secret+`}`),
		refused("arguments twice", calling(`{"name":"greet","arguments":{"a":1},"arguments":{"a":2}}`)),
		refused("arguments and Arguments", calling(`{"name":"greet","arguments":{"a":1},"Arguments":{"a":2}}`)),
		refused("an argument twice", calling(`{"name":"greet","arguments":{"path":"ok","path":"/etc/passwd"}}`)),
		refused("an argument twice by case", calling(`{"name":"greet","arguments":{"path":"ok","Path":"/etc/passwd"}}`)),
		refused("an inner argument twice", calling(`{"name":"greet","arguments":{"a":[{"b":1,"b":2}]}}`)),
		refused("Arguments alone", calling(`{"name":"greet","Arguments":{"a":1}}`)),
		refused("inputs that nobody asked for, spelt otherwise", calling(`{"name":"greet","RequestState":"x"}`)),
		refused("arguments as text", calling(`{"name":"greet","arguments":"{\"a\":1}"}`)),
		refused("params as a list", calling(`["greet",{}]`)),
		refused("id twice", `{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":`+greet+`}`),
		refused("id and ID", `{"jsonrpc":"2.0","id":1,"ID":2,"method":"tools/call","params":`+greet+`}`),
		{name: "an escaped name", body: calling(`{"n\u0061me":"gr\u0065et","arguments":{}}`), status: 200, done: greets},
		{name: "an escaped secret", body: calling(`{"name":"secret\u0054ool"}`), status: 200},
		{name: "unknown members", body: calling(`{"tool":"secretTool","name":"greet","arguments":{},"params":` + secret + `}`), status: 200, done: greets},
	}
}

// bypassesOfMessages are messages that some take for another, or for several.
func bypassesOfMessages() []bypass {
	refused := func(name, body string) bypass { return bypass{name: name, body: body, status: 400} }
	message := func(id, method, params string) string {
		return `{"jsonrpc":"2.0",` + id + `"method":"` + method + `","params":` + params + `}`
	}
	return []bypass{
		refused("a batch of one", `[`+calling(secret)+`]`),
		refused("a batch that begins well", `[`+calling(greet)+`,`+calling(secret)+`]`),
		refused("an empty batch", `[]`),
		refused("a notification", message("", "tools/call", secret)),
		refused("a notification of what is permitted", message("", "tools/call", greet)),
		refused("id null", message(`"id":null,`, "tools/call", greet)),
		refused("id of an object", message(`"id":{},`, "tools/call", greet)),
		refused("id of a fraction", message(`"id":1.5,`, "tools/call", greet)),
		refused("id beyond 53 bits", message(`"id":9007199254740993,`, "tools/call", greet)),
		refused("id as a power", message(`"id":1e400,`, "tools/call", greet)),
		refused("trailing message", calling(greet)+calling(secret)),
		refused("trailing line", calling(greet)+"\n"+calling(secret)),
		refused("trailing zero", calling(greet)+"\x00"),
		refused("a mark of byte order", "\ufeff"+calling(greet)),
		refused("a comment", `/* */`+calling(greet)),
		refused("UTF-8 that is none", calling(`{"name":"greet","arguments":{"a":"`+"\xff"+`"}}`)),
		refused("half a surrogate", calling(`{"name":"greet","arguments":{"a":"\ud800"}}`)),
		refused("UTF-16", "\x00{\x00}"),
		refused("nothing", ""),
		refused("version 1.0", `{"jsonrpc":"1.0","id":1,"method":"tools/call","params":`+greet+`}`),
		refused("no version", `{"id":1,"method":"tools/call","params":`+greet+`}`),
		refused("method of a list", `{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":`+secret+`}`),
		refused("method null", `{"jsonrpc":"2.0","id":1,"method":null,"params":`+secret+`}`),
		refused("method with a blank", message(`"id":1,`, "tools/call ", secret)),
		refused("method with a zero width space", message(`"id":1,`, `tools/call\u200b`, secret)),
		refused("method in capitals", message(`"id":1,`, "TOOLS/CALL", secret)),
		{name: "method half in capitals", body: message(`"id":1,`, "tools/Call", secret), status: 200, unrecorded: true},
		{name: "method with two strokes", body: message(`"id":1,`, "tools//call", secret), status: 200, unrecorded: true},
		{name: "method of the list", body: message(`"id":1,`, "tools/list", secret), status: 200, unrecorded: true},
		{name: "an answer with params", body: `{"jsonrpc":"2.0","id":1,"result":{},"params":` + secret + `}`, status: 202, unrecorded: true},
		{name: "call and answer at once", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{},"params":` + greet + `}`, status: 200, done: greets},
	}
}

// bypassesOfNames look like what is permitted, or like what exists.
func bypassesOfNames() []bypass {
	var list []bypass
	for name, json := range map[string]string{
		"capitals": `GREET`, "a capital": `Greet`, "blank after": `greet `, "blank before": ` greet`, "tab": `greet\t`,
		"zero": `greet\u0000`, "zero and more": `greet\u0000secretTool`, "zero width space": `gr\u200beet`, "joiner": `greet\u200d`,
		"turned around": `\u202egreet`, "soft hyphen": `gre\u00adet`, "variation": `greet\ufe0f`, "Greek": `gr\u03b5et`,
		"full width": `\uff47reet`, "combining": `gree\u0301t`, "tag": `greet\udb40\udc41`, "with the server": `files.greet`,
		"joint": `files__greet`, "path": `./greet`, "up": `x/../greet`, "query": `greet?x`, "line": `greet\r\nMcp-Name: secretTool`,
		"secret in small letters": `secrettool`, "secret with a zero width space": `secret\u200bTool`, "secret with a K": `secretToo\u212a`,
		"prefix of the other server": `b.c`, "prefix with a stroke": `b/c`, "b_c": `b_c`, "the other server's": `c`, "all": `*`, "glob": `gre?t`,
	} {
		list = append(list, bypass{name: "name with " + name, body: calling(`{"name":"` + json + `"}`), status: 200})
	}
	return append(list,
		bypass{name: "name of 129 bytes", body: calling(`{"name":"` + strings.Repeat("x", 129) + `"}`), status: 400},
		bypass{name: "no name", body: calling(`{"name":""}`), status: 400},
		bypass{name: "name of a list", body: calling(`{"name":["greet"]}`), status: 400},
		bypass{name: "name null", body: calling(`{"name":null}`), status: 400},
	)
}

// bypassesOfHeaders contradict the body, or try to have it read otherwise.
func bypassesOfHeaders() []bypass {
	modern := func(params string) string { return calling(strings.TrimSuffix(params, "}") + "," + modernMeta + "}") }
	says := func(version, method, name string) []string {
		return []string{"Mcp-Protocol-Version", version, "Mcp-Method", method, "Mcp-Name", name}
	}
	served := func(name string, headers ...string) bypass {
		return bypass{name: name, body: calling(greet), headers: headers, status: 200, done: greets}
	}
	secretly := func(name string, status int, headers ...string) bypass {
		return bypass{name: name, body: calling(secret), headers: headers, status: status}
	}
	return []bypass{
		served("content type in capitals", "Content-Type", "Application/JSON"),
		served("content type with a charset", "Content-Type", "application/json; charset=utf-8"),
		secretly("secret with a content type in capitals", 200, "Content-Type", "Application/json"),
		secretly("secret as text", 415, "Content-Type", "text/plain"),
		secretly("secret as a form", 415, "Content-Type", "application/x-www-form-urlencoded"),
		secretly("secret without a content type", 415, "Content-Type", ""),
		secretly("secret as JSON of a kind", 415, "Content-Type", "application/vnd.api+json"),
		secretly("secret with two content types", 415, "Content-Type", "application/json, text/plain"),
		secretly("secret that accepts nothing", 400, "Accept", "text/html"),
		served("greet that says GET", "X-Http-Method-Override", "GET"),
		secretly("secret that says GET", 200, "X-Http-Method-Override", "GET", "X-Method-Override", "GET", "X-Http-Method", "GET"),
		secretly("secret that says ping", 200, says("2025-06-18", "ping", "greet")...),
		secretly("secret that says greet", 200, says("2025-06-18", "tools/call", "greet")...),
		served("greet that says secret, in an old version", says("2025-06-18", "tools/call", "secretTool")...),
		{name: "modern greet", body: modern(greet), headers: says("2026-07-28", "tools/call", "greet"), status: 200, done: greets},
		{name: "modern greet that says secret", body: modern(greet), headers: says("2026-07-28", "tools/call", "secretTool"), status: 400},
		{name: "modern secret that says greet", body: modern(secret), headers: says("2026-07-28", "tools/call", "greet"), status: 400},
		{name: "modern secret that says list", body: modern(secret), headers: says("2026-07-28", "tools/list", "greet"), status: 400},
		{name: "modern secret that says nothing", body: modern(secret), headers: says("2026-07-28", "", ""), status: 400},
		{name: "modern secret in an old header", body: modern(secret), headers: says("2025-06-18", "", ""), status: 400},
		{name: "a version that is none", body: calling(secret), headers: says("2024-01-01", "", ""), status: 400},
		secretly("another's session", 404, "Mcp-Session-Id", "of-another-tenant"),
		secretly("an event to go on from", 400, "Last-Event-Id", "1_0"),
		secretly("a path to rewrite to", 200, "X-Original-Url", "/mcp/files-b", "X-Rewrite-Url", "/mcp/files-b"),
		{name: "GET", method: http.MethodGet, body: calling(secret), status: 405, unrecorded: true},
		{name: "GET that says POST", method: http.MethodGet, body: calling(secret), headers: []string{"X-Http-Method-Override", "POST"}, status: 405, unrecorded: true},
		{name: "PUT", method: http.MethodPut, body: calling(secret), status: 405, unrecorded: true},
		{name: "DELETE", method: http.MethodDelete, body: calling(secret), status: 405, unrecorded: true},
		{name: "a method in small letters", method: "post", body: calling(secret), status: 405, unrecorded: true},
		{name: "no key", body: calling(greet), headers: []string{"Authorization", ""}, status: 401, unrecorded: true},
	}
}

// bypassesOfPaths reach for another server than the one that they seem to name.
func bypassesOfPaths() []bypass {
	at := func(path string, status int, done string) bypass {
		return bypass{name: path, path: path, body: calling(greet), status: status, done: done}
	}
	no := func(path string, status int) bypass {
		return bypass{name: path, path: path, body: calling(secret), status: status, unrecorded: true}
	}
	return []bypass{
		at("/mcp/files-b", 200, "files-b.greet{}"),
		at("/mcp/%66iles", 200, greets),
		at("/mcp/FILES", 404, ""), at("/mcp/files%20", 404, ""), at("/mcp/files%00", 404, ""), at("/mcp/files.", 404, ""),
		at("/mcp/files%2f..%2ffiles-b", 404, ""), at("/mcp/files;x", 404, ""), at("/mcp/files%e2%80%8b", 404, ""), at("/mcp/files.greet", 404, ""),
		no("/mcp/files/", 404), no("/mcp/", 404), no("/mcp/files/greet", 404), no("/MCP/files", 404),
	}
}
