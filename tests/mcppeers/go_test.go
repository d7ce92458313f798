package mcppeers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/tests/harness"
)

// gopher is a client of the SDK for Go.
type gopher struct {
	session *mcp.ClientSession

	mu       sync.Mutex
	heard    []notification
	asked    []notification
	progress []json.RawMessage
	giveUp   context.CancelFunc // At the next word of progress; may be nil.
}

// golang makes the visits of the SDK for Go.
func (w *world) golang(t *testing.T, visits []visit) map[string]outcomes {
	t.Helper()
	all := map[string]outcomes{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, v := range visits {
		to := w.target(t, v)
		wg.Go(func() {
			o := visitWithGo(t, to)
			mu.Lock()
			defer mu.Unlock()
			all[to.Name] = o
		})
	}
	wg.Wait()
	return all
}

func visitWithGo(t *testing.T, to target) outcomes {
	g := &gopher{}
	if err := g.connect(t.Context(), to); err != nil {
		t.Errorf("%s: %v", to.Name, err)
		return nil
	}
	defer g.session.Close()
	o := outcomes{}
	for _, s := range to.Steps {
		o[s.Name] = g.attempt(t.Context(), s)
	}
	return o
}

// headers adds headers to what is sent.
type headers map[string]string

// RoundTrip sends a request with the headers.
func (h headers) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (g *gopher) connect(ctx context.Context, to target) (err error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "signalbox-test-go", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			g.ask("elicitation/create", r.Params)
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Kim"}}, nil
		},
		CreateMessageHandler: func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			g.ask("sampling/createMessage", r.Params)
			return &mcp.CreateMessageResult{Model: "a-test-model", Role: "assistant", StopReason: "endTurn", Content: &mcp.TextContent{Text: "The line is clear."}}, nil
		},
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) {
			g.hear("notifications/resources/updated", r.Params)
		},
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) { g.hear("notifications/message", r.Params) },
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			g.progressed(r.Params)
		},
	})
	client.AddRoots(&mcp.Root{URI: "file:///depot", Name: "depot"})
	client.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
			if method == "roots/list" {
				g.ask(method, nil)
			}
			return next(ctx, method, r)
		}
	})
	options := &mcp.ClientSessionOptions{}
	if to.Era == legacy {
		options.ProtocolVersion = "2025-11-25"
	}
	var transport mcp.Transport = &mcp.StreamableClientTransport{Endpoint: to.URL, HTTPClient: &http.Client{Transport: headers(to.Headers)}}
	if to.URL == "" {
		cmd := exec.Command(to.Command, to.Args...)
		cmd.Env = os.Environ()
		for name, value := range to.Env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		transport = &mcp.CommandTransport{Command: cmd}
	}
	g.session, err = client.Connect(ctx, transport, options)
	return err
}

// note keeps what came, as JSON.
func note(method string, params any) notification {
	b, err := encode(params)
	if err != nil {
		b = []byte(fmt.Sprintf("%q", err))
	}
	return notification{method, b}
}

func (g *gopher) ask(method string, params any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, note(method, params))
}

func (g *gopher) hear(method string, params any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = append(g.heard, note(method, params))
}

func (g *gopher) progressed(p *mcp.ProgressNotificationParams) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.progress = append(g.progress, note("", map[string]any{"progress": p.Progress, "total": p.Total, "message": p.Message}).Params)
	if g.giveUp != nil && p.ProgressToken == "give up" { // The call before may still be told of.
		g.giveUp()
	}
}

// hears reports whether the notification that a step waits for has come.
func (g *gopher) hears(s step) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.heard, func(n notification) bool {
		return n.Method == s.Hears && strings.Contains(string(n.Params), `"`+s.About+`"`)
	})
}

// words is how often progress was told of.
func (g *gopher) words() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.progress)
}

func (g *gopher) attempt(ctx context.Context, s step) (o outcome) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.mu.Lock()
	g.heard, g.asked, g.progress, g.giveUp = nil, nil, nil, nil
	if s.Cancel {
		g.giveUp = cancel
	}
	g.mu.Unlock()
	result, err := g.perform(ctx, s)
	for deadline, n := time.Now().Add(harness.Patience), 1; err == nil && s.Hears != "" && !g.hears(s) && time.Now().Before(deadline); n++ {
		time.Sleep(50 * time.Millisecond)
		if s.Again && n%5 == 0 { // The server switches by turns.
			result, err = g.perform(ctx, s)
		}
	}
	if err != nil {
		o.Error = failureOf(err)
	} else {
		o.Result, err = encode(result)
		if err != nil {
			o.Error = failureOf(err)
		}
	}
	// This SDK may hand out word of progress after the answer that came behind it.
	for deadline := time.Now().Add(time.Second); s.Progress && g.words() < words && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	o.Progress, o.Heard, o.Asked = g.progress, g.heard, g.asked
	return o
}

// token is what progress of a step is told under.
func (s step) token() string {
	if s.Cancel {
		return "give up"
	}
	return s.Name
}

func failureOf(err error) *failure {
	f := &failure{Message: err.Error()}
	var e *jsonrpc.Error
	if errors.As(err, &e) {
		f.Code, f.Data = e.Code, e.Data
	}
	return f
}

// decoded gives parameters in the type that the SDK has for them.
func decoded[T any](params map[string]any) (*T, error) {
	b, err := encode(params)
	if err != nil {
		return nil, err
	}
	p := new(T)
	return p, json.Unmarshal(b, p)
}

// call decodes parameters and makes a request with them.
func call[P, R any](ctx context.Context, params map[string]any, f func(context.Context, *P) (R, error)) (any, error) {
	p, err := decoded[P](params)
	if err != nil {
		return nil, err
	}
	return f(ctx, p)
}

// perform makes the request of a step.
func (g *gopher) perform(ctx context.Context, s step) (any, error) {
	switch s.Method {
	case "tools/call":
		return call(ctx, s.Params, func(ctx context.Context, p *mcp.CallToolParams) (*mcp.CallToolResult, error) {
			if s.Progress || s.Cancel {
				p.SetProgressToken(s.token())
			}
			return g.session.CallTool(ctx, p)
		})
	case "resources/read":
		return call(ctx, s.Params, g.session.ReadResource)
	case "prompts/get":
		return call(ctx, s.Params, g.session.GetPrompt)
	case "completion/complete":
		return call(ctx, s.Params, g.session.Complete)
	case "logging/setLevel":
		return call(ctx, s.Params, func(ctx context.Context, p *mcp.SetLoggingLevelParams) (struct{}, error) {
			return struct{}{}, g.session.SetLoggingLevel(ctx, p)
		})
	case "resources/subscribe":
		return call(ctx, s.Params, func(ctx context.Context, p *mcp.SubscribeParams) (struct{}, error) {
			return struct{}{}, g.session.Subscribe(ctx, p)
		})
	}
	return g.list(ctx, s.Method)
}

// list reads all pages of a list. A list of all servers names those that were too slow, as they are on a busy machine; then
// it is asked for again.
func (g *gopher) list(ctx context.Context, method string) (any, error) {
	for tries := 1; ; tries++ {
		all, pages, missing := []any{}, 0, false
		for cursor := ""; pages == 0 || cursor != ""; pages++ {
			p, err := g.page(ctx, method, cursor)
			if err != nil {
				return nil, err
			}
			all, cursor, missing = append(all, p.entries...), p.next, missing || p.meta["signalbox/missing"] != nil
		}
		if !missing || tries == 10 {
			return map[string]any{members[method]: all, "pages": pages}, nil
		}
	}
}

// page is one page of a list.
type page struct {
	entries []any
	next    string
	meta    mcp.Meta
}

func (g *gopher) page(ctx context.Context, method, cursor string) (page, error) {
	switch method {
	case "tools/list":
		r, err := g.session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
		if err != nil {
			return page{}, err
		}
		return page{anys(r.Tools), r.NextCursor, r.Meta}, nil
	case "resources/list":
		r, err := g.session.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor})
		if err != nil {
			return page{}, err
		}
		return page{anys(r.Resources), r.NextCursor, r.Meta}, nil
	case "resources/templates/list":
		r, err := g.session.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor})
		if err != nil {
			return page{}, err
		}
		return page{anys(r.ResourceTemplates), r.NextCursor, r.Meta}, nil
	case "prompts/list":
		r, err := g.session.ListPrompts(ctx, &mcp.ListPromptsParams{Cursor: cursor})
		if err != nil {
			return page{}, err
		}
		return page{anys(r.Prompts), r.NextCursor, r.Meta}, nil
	}
	return page{}, fmt.Errorf("no way to perform %s", method)
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}
