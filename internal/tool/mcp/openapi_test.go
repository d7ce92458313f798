package mcp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/openapi"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

const petsAPI = `{"openapi":"3.1.0","paths":{
	"/pets/{petId}":{
		"parameters":[{"name":"petId","in":"path","required":true,"schema":{"type":"string"}}],
		"get":{"operationId":"getPet","parameters":[{"name":"X-Reason","in":"header","schema":{"type":"string"}},{"name":"deep","in":"query","schema":{"type":"boolean"}}],
			"responses":{"200":{"content":{"application/json":{"schema":{"type":"object","properties":{"name":{"type":"string"}}}}}}}},
		"put":{"operationId":"putPet","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object"}}}}},
		"post":{"operationId":"touchPet"},
		"delete":{"operationId":"deletePet"}}}}`

// seen is a request as an API got it.
type seen struct {
	line, body string
	header     http.Header
	encoding   []string
}

// testAPI is an HTTP API that remembers what it is asked.
type testAPI struct {
	mu   sync.Mutex
	all  []seen
	then http.HandlerFunc
}

func (a *testAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.all = append(a.all, seen{r.Method + " " + r.RequestURI, string(data), r.Header.Clone(), r.TransferEncoding})
	a.mu.Unlock()
	a.then(w, r)
}

func (a *testAPI) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

// anAPI serves an API, and makes servers with it as the server "pets".
func anAPI(t *testing.T, then http.HandlerFunc, change ...func(*upstream.Config)) (*testAPI, *upstream.Servers) {
	t.Helper()
	a := &testAPI{then: then}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	api, err := openapi.Read([]byte(petsAPI), openapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := upstream.Config{ID: "pets", URL: srv.URL + "/v1?key=k", API: api, Headers: map[string]string{"X-Api-Key": "operators"}}
	for _, f := range change {
		f(&s)
	}
	return a, newServers(t, s)
}

func rex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"name":"Rex","age":1.50}`)
}

func callBody(tool, arguments string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `,"_meta":{"com.example/own":"mine"}}}`
}

func TestAnAPIIsServedLikeAServer(t *testing.T) {
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			api, s := anAPI(t, rex)
			url, _ := gateway(t, s, nil)
			session := connect(t, url+"pets", version)
			list, err := session.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range list.Tools {
				names = append(names, fmt.Sprintf("%s %v", tool.Name, tool.Annotations.ReadOnlyHint))
			}
			if got, want := strings.Join(names, ", "), "getPet true, putPet false, touchPet false, deletePet false"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "getPet", Arguments: map[string]any{"petId": "7"}})
			if err != nil || res.IsError || res.Content[0].(*sdk.TextContent).Text != `{"name":"Rex","age":1.50}` {
				t.Errorf("got %+v (%v)", res, err)
			}
			if structured, ok := res.StructuredContent.(map[string]any); !ok || structured["name"] != "Rex" {
				t.Errorf("got structured %v", res.StructuredContent)
			}
			if n := len(api.requests()); n != 1 {
				t.Errorf("the API was asked %d times", n)
			}
		})
	}
}

// What leaves is what follows from the arguments, the configuration and the trace, and nothing of the caller's.
func TestRequestOfACall(t *testing.T) {
	for _, c := range []struct{ name, tool, arguments, line, body string }{
		{"read", "getPet", `{"petId":"a/b c","deep":true,"X-Reason":"why"}`, "GET /v1/pets/a%2Fb%20c?key=k&deep=true", ""},
		{"body", "putPet", `{"petId":"7","body":{"z":1.50, "a":9007199254740993}}`, "PUT /v1/pets/7?key=k", `{"z":1.50, "a":9007199254740993}`},
		{"no body", "touchPet", `{"petId":"7"}`, "POST /v1/pets/7?key=k", ""},
		{"deletion", "deletePet", `{"petId":"7"}`, "DELETE /v1/pets/7?key=k", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, s := anAPI(t, rex)
			url, log := gateway(t, s, nil)
			const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			if status, body := send(t, url+"pets", callBody(c.tool, c.arguments), "Traceparent", parent, "Cookie", "c=1", "X-Api-Key", "callers", "X-Signalbox-Run", "run_1"); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
			all := api.requests()
			if len(all) != 1 || all[0].line != c.line || all[0].body != c.body || len(all[0].encoding) > 0 {
				t.Fatalf("got %+v, want %s with %s", all, c.line, c.body)
			}
			h := all[0].header
			if trace := h.Get("Traceparent"); !strings.HasPrefix(trace, "00-0af7651916cd43dd8448eb211c80319c-") || trace == parent {
				t.Errorf("got the trace %q", trace)
			}
			if h.Get("X-Api-Key") != "operators" || h.Get("User-Agent") != "signalbox/test" {
				t.Errorf("got %v", h)
			}
			for name := range h {
				if !slices.Contains([]string{"Accept", "Accept-Encoding", "Content-Type", "Content-Length", "Traceparent", "User-Agent", "X-Api-Key", "X-Reason"}, name) {
					t.Errorf("the API was sent %s: %s", name, h.Get(name))
				}
			}
			if records := log.all(); records[len(records)-1].Outcome != signalbox.OutcomeOK {
				t.Errorf("recorded %+v", records[len(records)-1].What)
			}
		})
	}
}

func TestAnswersOfAnAPI(t *testing.T) {
	for _, c := range []struct {
		name string
		then http.HandlerFunc
		want string // In the answer.
	}{
		{"error of the API", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such pet", 404) }, `"isError":true`},
		{"failure of the API", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) }, `The API answered 500 Internal Server Error.`},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusTemporaryRedirect)
		}, `Redirects are not followed. Location: http://127.0.0.1:1/x`},
		{"too large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, openapi.MaxAnswer+1)) }, `"code":"upstream"`},
		{"large error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			w.Write([]byte(strings.Repeat("x", openapi.MaxAnswer+1)))
		}, `[The rest is cut off.]`},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"name":`)
		}, `"code":"upstream"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, s := anAPI(t, c.then)
			url, _ := gateway(t, s, nil)
			_, body := send(t, url+"pets", callBody("getPet", `{"petId":"7"}`))
			if !strings.Contains(string(body), c.want) {
				t.Errorf("got %.300s, want %s", body, c.want)
			}
			if n := len(api.requests()); n != 1 {
				t.Errorf("the API was asked %d times", n)
			}
		})
	}
}

// The hash that approvals are bound to changes with what a tool sends, as the list does.
func TestSchemaOfAnOperation(t *testing.T) {
	hash := func(document string) [32]byte {
		_, s := anAPI(t, rex, func(s *upstream.Config) {
			api, err := openapi.Read([]byte(document), openapi.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.API = api
		})
		track := &call.Track{Call: &signalbox.Call{Tool: &signalbox.ToolRequest{Server: "pets", Name: "getPet", Arguments: []byte(`{}`)}}}
		_, candidates, err := s.Resolve(context.Background(), track)
		if err != nil {
			t.Fatal(err)
		}
		return candidates[0].Schema
	}
	before := hash(petsAPI)
	for _, c := range []struct{ name, from, to string }{
		{"path", `/pets/{petId}`, `/cats/{petId}`},
		{"method", `"get":{`, `"options":{`},
		{"place of an argument", `"name":"X-Reason","in":"header"`, `"name":"X-Reason","in":"query"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if changed := strings.Replace(petsAPI, c.from, c.to, 1); changed == petsAPI || hash(changed) == before {
				t.Error("the hash is the same")
			}
		})
	}
	if hash(petsAPI) != before {
		t.Error("the hash of the same document differs")
	}
}

// oneToken is a credential that counts how often it is asked for and refused.
type oneToken struct {
	mu             sync.Mutex
	asked, refused int
	caller         string
}

func (o *oneToken) Authorization(_ context.Context, c *signalbox.Call) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	if c != nil {
		o.caller = c.ID
	}
	return "Bearer token", nil
}

func (o *oneToken) Refused(string, *signalbox.Call) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused++
	return true
}

func (*oneToken) Close() {}

// An API is shown the token that is configured for it. A call that it refuses is not made again.
func TestCredentialOfAnAPI(t *testing.T) {
	for status, refused := range map[int]int{http.StatusOK: 0, http.StatusUnauthorized: 1, http.StatusForbidden: 0} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			token := &oneToken{}
			api, s := anAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, func(s *upstream.Config) { s.Authorizer = token })
			url, _ := gateway(t, s, nil)
			send(t, url+"pets", callBody("touchPet", `{"petId":"7"}`))
			all := api.requests()
			if len(all) != 1 || all[0].header.Get("Authorization") != "Bearer token" {
				t.Errorf("the API was asked %+v", all)
			}
			if token.asked != 1 || token.refused != refused || token.caller == "" {
				t.Errorf("got %+v", token)
			}
		})
	}
}
