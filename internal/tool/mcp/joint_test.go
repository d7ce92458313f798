package mcp

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// library is a server with tools, resources and prompts of the names given.
func library(t *testing.T, tools, resources, prompts []string) string {
	t.Helper()
	s := sdk.NewServer(&sdk.Implementation{Name: "library", Version: "1"}, &sdk.ServerOptions{
		CompletionHandler: func(_ context.Context, r *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
			return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{r.Params.Ref.Name + r.Params.Ref.URI}}}, nil
		},
	})
	for _, name := range tools {
		s.AddTool(&sdk.Tool{Name: name, InputSchema: map[string]any{"type": "object"}},
			func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
				return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: name}}}, nil
			})
	}
	read := func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: r.Params.URI, Text: "text of " + r.Params.URI}}}, nil
	}
	for _, uri := range resources {
		if strings.Contains(uri, "{") {
			s.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: uri, Name: uri}, read)
			continue
		}
		s.AddResource(&sdk.Resource{URI: uri, Name: uri}, read)
	}
	for _, name := range prompts {
		s.AddPrompt(&sdk.Prompt{Name: name}, func(context.Context, *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			return &sdk.GetPromptResult{Description: "prompt " + name, Messages: []*sdk.PromptMessage{}}, nil
		})
	}
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{Stateless: true}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// jointGateway serves all servers under one path.
func jointGateway(t *testing.T, s *upstream.Servers, options ...HandlerOption) (string, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	mux := http.NewServeMux()
	h := NewHandler(s, testDoor{}, chain(s, log, nil), "test", slog.New(slog.DiscardHandler), options...)
	mux.Handle(Pattern, h)
	mux.Handle(JointPattern, h)
	return upstreamtest.Serve(t, mux) + "/mcp", log
}

func TestAllServersBehindOnePath(t *testing.T) {
	s := newServers(t,
		upstream.Config{ID: "books", URL: library(t, []string{"find", "lend.out", "Drop", "drop"}, []string{"book://one", "book://shelf/{n}"}, []string{"review"})},
		upstream.Config{ID: "films", URL: library(t, []string{"find"}, []string{"film://one", "book://two"}, []string{"review"})},
		upstream.Config{ID: "dead", URL: "http://127.0.0.1:1"},
	)
	url, log := jointGateway(t, s)
	for _, version := range []string{"2026-07-28", "2025-06-18"} {
		t.Run(version, func(t *testing.T) {
			session := connect(t, url, version)
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range tools.Tools {
				names = append(names, tool.Name)
			}
			lend := "books__lend_out_" + fmt.Sprintf("%x", sha256.Sum256([]byte("books.lend.out")))[:8]
			if got, want := strings.Join(names, " "), "books__find "+lend+" films__find"; got != want {
				t.Errorf("got tools %q, want %q", got, want)
			}
			if got := fmt.Sprint(tools.Meta[MetaRefused]); got != "[books.Drop books.drop]" && got != "[books.drop books.Drop]" {
				t.Errorf("names that imitate each other: got %v", got)
			}
			if got := fmt.Sprint(tools.Meta[MetaMissing]); got != "map[dead:upstream]" {
				t.Errorf("missing: got %v", got)
			}
			if tools.CacheScope != "private" || tools.TTLMs != 0 {
				t.Errorf("got %q for %d ms", tools.CacheScope, tools.TTLMs)
			}
			before := len(log.all())
			for _, name := range []string{"films__find", lend} {
				res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: name})
				if want := strings.TrimPrefix(strings.Replace(name, lend, "lend.out", 1), "films__"); err != nil || text(res) != want {
					t.Errorf("%s: got %q, %v, want %q", name, text(res), err, want)
				}
			}
			for _, name := range []string{"books__drop", "books__Drop", "find", "books.find", "books__Find", "nobody__find", "BOOKS__find", "books__"} {
				if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: name}); err == nil {
					t.Errorf("%q was served", name)
				}
			}
			var ids []string
			for _, r := range log.all()[before:] {
				if r.Outcome == signalbox.OutcomeOK {
					ids = append(ids, r.What.ToolName)
				}
			}
			if got := strings.Join(ids, " "); got != "films.find books.lend.out" {
				t.Errorf("recorded %q", got)
			}
			if n := len(log.all()) - before; n != 2*2+8 {
				t.Errorf("got %d records, want two of each call served and one of each refused", n)
			}
		})
	}
}

func TestResourcesAndPromptsAreCalls(t *testing.T) {
	s := newServers(t,
		upstream.Config{ID: "books", URL: library(t, nil, []string{"book://one", "both://x", "book://shelf/{n}"}, []string{"review"})},
		upstream.Config{ID: "films", URL: library(t, nil, []string{"film://one", "both://x"}, []string{"review"})},
	)
	url, log := jointGateway(t, s)
	for _, version := range []string{"2026-07-28", "2025-06-18"} {
		for path, prompt := range map[string]string{"": "books__review", "/books": "review"} {
			t.Run(version+path, func(t *testing.T) { checkResources(t, connect(t, url+path, version), log, path == "", prompt) })
		}
	}
}

func checkResources(t *testing.T, session *sdk.ClientSession, log *memoryLog, joint bool, prompt string) {
	t.Helper()
	before := len(log.all())
	for _, uri := range []string{"book://one", "book://shelf/7"} {
		read, err := session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil || len(read.Contents) != 1 || read.Contents[0].Text != "text of "+uri {
			t.Errorf("got %+v, %v", read, err)
		}
	}
	got, err := session.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: prompt})
	if err != nil || got.Description != "prompt review" {
		t.Errorf("got %+v, %v", got, err)
	}
	done, err := session.Complete(t.Context(), &sdk.CompleteParams{
		Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: prompt}, Argument: sdk.CompleteParamsArgument{Name: "n", Value: "x"},
	})
	if err != nil || fmt.Sprint(done.Completion.Values) != "[review]" {
		t.Errorf("got %+v, %v", done, err)
	}
	var ids []string
	for _, r := range log.all()[before:] {
		if r.Outcome == signalbox.OutcomeOK {
			ids = append(ids, r.What.ToolName)
		}
	}
	if got := strings.Join(ids, " "); got != "books.resources/read books.resources/read books.prompts/get books.completion/complete" {
		t.Errorf("recorded %q", got)
	}
	_, err = session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "both://x"})
	if joint != (err != nil) || (joint && !strings.Contains(err.Error(), "books, films")) {
		t.Errorf("a resource of two servers: got %v", err)
	}
	if _, err := session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "film://none"}); err == nil {
		t.Error("a resource that nobody has was read")
	}
}

// permitsBooks permits what is of books and does not say "secret".
func permitsBooks(_ signalbox.Caller, server, _ string, arguments []byte) (bool, string) {
	return server == "books" && !strings.Contains(string(arguments), "secret"), "a rule"
}

func TestListsOfResourcesShowWhatMayBeRead(t *testing.T) {
	s := newServers(t,
		upstream.Config{ID: "books", URL: library(t, nil, []string{"book://one", "book://secret", "both://x"}, []string{"review", "secret"})},
		upstream.Config{ID: "films", URL: library(t, nil, []string{"film://one", "both://x"}, []string{"review"})},
	)
	all := func(signalbox.Caller, string, string, *signalbox.Annotations) (bool, string) { return true, "" }
	url, _ := jointGateway(t, s, FilterLists(narrowed, all, permitsBooks, nil))
	session := connectAs(t, url, "2026-07-28", "reader")
	resources, err := session.ListResources(t.Context(), nil)
	if err != nil || len(resources.Resources) != 2 || resources.CacheScope != "private" {
		t.Errorf("got %+v, %v", resources, err)
	}
	prompts, err := session.ListPrompts(t.Context(), nil)
	if err != nil || len(prompts.Prompts) != 1 || prompts.Prompts[0].Name != "books__review" {
		t.Errorf("got %+v, %v", prompts, err)
	}
	// It is ambiguous only among servers that the caller may read it from.
	if _, err := session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "both://x"}); err != nil {
		t.Error(err)
	}
	films, err := connectAs(t, url+"/films", "2026-07-28", "reader").ListResources(t.Context(), nil)
	if err != nil || len(films.Resources) != 0 || !strings.Contains(fmt.Sprint(films.Meta[MetaPolicy]), "no resource of the MCP server") {
		t.Errorf("got %+v, %v", films, err)
	}
}

func TestASlowServerDelaysNoOther(t *testing.T) {
	var asked atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // Else the end of the connection is not noticed.
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	s := newServers(t,
		upstream.Config{ID: "books", URL: library(t, []string{"find"}, []string{"book://one"}, nil)}, upstream.Config{ID: "slow", URL: slow.URL})
	all := func(signalbox.Caller, string, string, *signalbox.Annotations) (bool, string) { return true, "" }
	concerns := func(caller signalbox.Caller, server string) bool {
		return caller.Agent != "reader" || server == "books"
	}
	url, _ := jointGateway(t, s, FilterLists(narrowed, all, nil, nil), AskFew(concerns))
	const list, read = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://one"}}`
	cases := []struct {
		name, agent, message, want string
		most                       time.Duration
	}{
		{"of whom it is not", "reader", list, `"books__find"`, JointListWait},
		{"who finds it broken", "writer", list, `"signalbox/missing":{"slow":"upstream"}`, JointListWait},
		{"who comes first", "writer", list, `"signalbox/missing":{"slow":"timeout"}`, 2 * JointListWait},
		{"who comes later", "writer", list, `"signalbox/missing":{"slow":"timeout"}`, JointListWait},
		{"who looks for a resource first", "writer", read, `text of book://one`, 2 * JointListWait},
		{"and later", "writer", read, `text of book://one`, JointListWait},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			_, body := send(t, url, c.message, "X-Signalbox-Run", c.agent)
			if took := time.Since(start); took >= c.most {
				t.Errorf("it took %s", took)
			}
			if !strings.Contains(string(body), c.want) || c.message == list && !strings.Contains(string(body), `"books__find"`) {
				t.Errorf("got %s", body)
			}
			if c.agent == "reader" && strings.Contains(string(body), MetaMissing) {
				t.Errorf("got %s", body)
			}
		})
	}
}

// A server that can not be asked is still an owner of what it has listed; one that has never listed anything is none.
func TestAResourceKeepsItsOwners(t *testing.T) {
	var broken atomic.Bool
	films := upstreamtest.Forward(library(t, nil, []string{"film://one", "both://x", "film://shelf/{n}"}, nil))
	front := upstreamtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		films.ServeHTTP(w, r)
	}))
	s := newServers(t,
		upstream.Config{ID: "books", URL: library(t, nil, []string{"book://one", "both://x", "film://shelf/7"}, nil)},
		upstream.Config{ID: "films", URL: front, ListTTL: time.Nanosecond}, upstream.Config{ID: "dead", URL: "http://127.0.0.1:1"})
	url, log := jointGateway(t, s)
	for _, now := range []bool{false, true} {
		broken.Store(now)
		ok := map[bool]string{false: `"text":"text of film://one"`, true: `"code":"u`}[now] // Upstream, or unavailable in a pause.
		for uri, want := range map[string]string{
			"book://one": `"text":"text of book://one"`, "film://one": ok, "both://x": "books, films", "film://shelf/7": "books, films", "none://x": `"code":"u`,
		} {
			_, body := send(t, url, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"`+uri+`"}}`)
			if !strings.Contains(string(body), want) {
				t.Errorf("broken %t: %s: got %s, want %s", now, uri, body, want)
			}
			records := log.all()
			if got := records[len(records)-1].What.ToolName; uri == "film://one" && got != "films.resources/read" {
				t.Errorf("broken %t: %s was recorded as %s", now, uri, got)
			}
		}
	}
}

func TestAMissingServerIsNamedToWhomItIsFor(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "dead", URL: "http://127.0.0.1:1"}, upstream.Config{ID: "secret", URL: "http://127.0.0.1:1"})
	all := func(signalbox.Caller, string, string, *signalbox.Annotations) (bool, string) { return true, "" }
	own := func(_ signalbox.Caller, server string) bool { return server == "dead" }
	url, _ := jointGateway(t, s, FilterLists(narrowed, all, nil, own))
	_, body := send(t, url, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if !strings.Contains(string(body), `"signalbox/missing":{"dead":"upstream"}`) {
		t.Errorf("got %s", body)
	}
}
