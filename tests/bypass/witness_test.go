package bypass

import (
	"bytes"
	"context"
	"encoding/json" // As lax software reads: the last of two members counts, in whatever case. That is the point.
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
	"github.com/signalbox/signalbox/tests/taskserver"
	"github.com/signalbox/signalbox/tests/upstream"
)

// witness remembers what arrived at the servers of tools and at the provider of models.
type witness struct {
	models *upstream.Server

	mu    sync.Mutex
	tools []string
	asked int // Requests to models that were told already.
	links map[string]string
}

// servers are the tools that each server lists. "hidden" is on no list, and would be served all the same.
var servers = map[string][]string{
	"files":   {"read", "many", "deep", "fetch", "note", "write", "move", "delete", "vault", "peek", "secret", "réad"},
	"files-b": {"read", "secret"},
	"a":       {"b_c", "b", "b-c", "b.c"},
	"a-b":     {"c"},
	"trusted": {"look", "wipe", "plain"},
	"burrow":  {"dig"}, // Of another tenant. It has resources and prompts too.
	"jobs":    nil,     // Makes tasks of calls.
	"asker":   nil,     // Asks its caller in the middle of a call, as older versions do.
	"asker-b": nil,     // The same once more.
}

func newWitness(t *testing.T) *witness {
	w := &witness{models: upstream.New(), links: map[string]string{}}
	t.Cleanup(w.models.Close)
	return w
}

// server starts a server of tools, with a front that remembers what arrives.
func (w *witness) server(t *testing.T, id string) string {
	var inner http.Handler
	switch id {
	case "jobs":
		inner = taskserver.Start(t)
	case "asker", "asker-b":
		s := upstreamtest.NewAsker().Server
		inner = sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil)
	default:
		s := listing(id)
		inner = sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{Stateless: true})
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.arrived(id, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		inner.ServeHTTP(out, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// listing is a server of the SDK's with the tools of an id.
func listing(id string) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: id, Version: "1"}, &sdk.ServerOptions{
		CompletionHandler: func(context.Context, *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
			return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{"done"}}}, nil
		},
	})
	yes := true
	for _, name := range servers[id] {
		tool := &sdk.Tool{Name: name, InputSchema: map[string]any{"type": "object"}, Annotations: &sdk.ToolAnnotations{}}
		tool.Annotations.ReadOnlyHint = name == "look" || name == "peek"
		if name == "wipe" {
			tool.Annotations.DestructiveHint = &yes
		}
		s.AddTool(tool, nil)
	}
	if id == "burrow" {
		s.AddResource(&sdk.Resource{URI: "file:///burrow/map", Name: "map"}, func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
			return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: r.Params.URI, Text: "done"}}}, nil
		})
		s.AddPrompt(&sdk.Prompt{Name: "guide"}, func(context.Context, *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			return &sdk.GetPromptResult{Description: "done", Messages: []*sdk.PromptMessage{}}, nil
		})
	}
	s.AddReceivingMiddleware(executeAll)
	return s
}

// executeAll runs whatever tool is named, listed or not.
func executeAll(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, r sdk.Request) (sdk.Result, error) {
		if method != "tools/call" {
			return next(ctx, method, r)
		}
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "done"}}}, nil
	}
}

// arrived notes the calls in a body.
func (w *witness) arrived(server string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range readLax(body) {
		if what, is := c.act(); is {
			w.tools = append(w.tools, server+"."+what)
		}
	}
}

// acts are the methods, besides tools/call, by which something is done, or learned that not everybody may know.
var acts = []string{"resources/read", "resources/subscribe", "prompts/get", "completion/complete", "tasks/get", "tasks/update", "tasks/cancel", "tasks/result", "tasks/list"}

// act gives what a message asks for, if it does something: a tool with its arguments, or a method.
func (c laxCall) act() (what string, is bool) {
	method := strings.TrimSpace(c.Method)
	switch {
	case strings.EqualFold(method, "tools/call"):
		return strings.TrimSpace(c.Params.Name + " " + string(c.Params.Arguments)), true
	case slices.Contains(acts, method):
		return method, true
	}
	return "", false
}

// laxCall is what lax software sees of a message, or of a request to a model.
type laxCall struct {
	Method string `json:"method"`
	Model  string `json:"model"`
	Params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"params"`
}

// readLax reads all messages that there are in a body: in a batch, behind each other, after a mark of byte order.
func readLax(body []byte) (calls []laxCall) {
	in := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	for {
		var raw json.RawMessage
		if in.Decode(&raw) != nil {
			return calls
		}
		var batch []json.RawMessage
		if json.Unmarshal(raw, &batch) != nil {
			batch = []json.RawMessage{raw}
		}
		for _, one := range batch {
			var c laxCall
			_ = json.Unmarshal(one, &c) // What has the wrong type is left out.
			calls = append(calls, c)
		}
	}
}

// take gives what has run since it was asked last.
func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ran := w.tools
	w.tools = nil
	all := w.models.Requests("")
	for _, r := range all[w.asked:] {
		ran = append(ran, "model "+r.Model)
	}
	w.asked = len(all)
	return ran
}

// hook is a channel that notices are sent to: it keeps the links of approvals.
func (w *witness) hook(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var notice struct{ ID, Link string }
		if body, err := io.ReadAll(r.Body); err == nil && json.Unmarshal(body, &notice) == nil && notice.Link != "" {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.links[notice.ID+strings.TrimPrefix(r.URL.Path, "/")] = notice.Link
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// link gives the path of the page of an approval that a channel was sent; "" where nothing has come yet.
func (w *witness) link(approval, channel string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	link := w.links[approval+channel]
	if at := strings.Index(link, "/decide/"); at >= 0 {
		return link[at:]
	}
	return ""
}

// surplus gives what ran beyond what may.
func surplus(ran, may []string) (more []string) {
	left := slices.Clone(may)
	for _, r := range ran {
		if i := slices.Index(left, r); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		more = append(more, r)
	}
	return more
}
