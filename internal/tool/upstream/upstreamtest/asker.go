package upstreamtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Asker is a server of the older versions whose tools ask their callers while they work.
type Asker struct {
	*sdk.Server
	Runs      atomic.Int64 // How often a tool was run.
	Cancelled atomic.Int64 // How often a run was cancelled.
}

// question is a form with a name.
func question(message string) *sdk.ElicitParams {
	return &sdk.ElicitParams{Message: message, RequestedSchema: map[string]any{
		"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}},
	}}
}

// NewAsker makes one.
func NewAsker() *Asker {
	a := &Asker{Server: sdk.NewServer(&sdk.Implementation{Name: "asker", Version: "1"}, &sdk.ServerOptions{
		SupportedProtocolVersions: []string{rpc.LegacyVersion},
	})}
	a.add("elicit", func(ctx context.Context, r *sdk.CallToolRequest) (string, error) {
		return said(r.Session.Elicit(ctx, question("Who are you?")))
	})
	a.add("twice", func(ctx context.Context, r *sdk.CallToolRequest) (string, error) {
		first, err := said(r.Session.Elicit(ctx, question("First?")))
		if err != nil {
			return first, err
		}
		second, err := said(r.Session.Elicit(ctx, question("Second?")))
		return first + ", " + second, err
	})
	a.add("brief", func(ctx context.Context, r *sdk.CallToolRequest) (string, error) { // It withdraws its question.
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := r.Session.Elicit(ctx, question("Quick?"))
		return fmt.Sprint("went on: ", err != nil), nil
	})
	a.add("visit", func(ctx context.Context, r *sdk.CallToolRequest) (string, error) {
		text, err := said(r.Session.Elicit(ctx, &sdk.ElicitParams{Mode: "url", Message: "Sign in.", URL: "https://example.com/in", ElicitationID: "e-1"}))
		if err == nil {
			err = r.Session.NotifyElicitationComplete(ctx, &sdk.ElicitationCompleteParams{ElicitationID: "e-1"})
		}
		return text, err
	})
	a.add("sample", func(ctx context.Context, r *sdk.CallToolRequest) (string, error) {
		res, err := r.Session.CreateMessage(ctx, &sdk.CreateMessageParams{MaxTokens: 9, Messages: []*sdk.SamplingMessage{{Role: "user", Content: &sdk.TextContent{Text: "2+2?"}}}}) //nolint:staticcheck // Deprecated, and used by servers all the same.
		if err != nil {
			return "nobody: " + err.Error(), nil
		}
		return res.Content.(*sdk.TextContent).Text + " by " + res.Model, nil
	})
	a.add("roots", func(ctx context.Context, r *sdk.CallToolRequest) (string, error) {
		res, err := r.Session.ListRoots(ctx, nil) //nolint:staticcheck // Deprecated, and used by servers all the same.
		if err != nil {
			return "nobody: " + err.Error(), nil
		}
		return res.Roots[0].URI, nil
	})
	a.add("stubborn", func(_ context.Context, r *sdk.CallToolRequest) (string, error) { // It asks when its caller has gone.
		time.Sleep(300 * time.Millisecond)
		return said(r.Session.Elicit(context.Background(), question("Still there?")))
	})
	visited := false
	a.AddTool(&sdk.Tool{Name: "first", InputSchema: map[string]any{"type": "object"}}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		a.Runs.Add(1)
		if visited {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "signed in"}}}, nil
		}
		visited = true
		return nil, sdk.URLElicitationRequiredError([]*sdk.ElicitParams{{Mode: "url", Message: "Sign in.", URL: "https://example.com/in", ElicitationID: "e-2"}})
	})
	return a
}

func (a *Asker) add(name string, run func(context.Context, *sdk.CallToolRequest) (string, error)) {
	a.AddTool(&sdk.Tool{Name: name, InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		a.Runs.Add(1)
		text, err := run(ctx, r)
		if err != nil && errors.Is(ctx.Err(), context.Canceled) {
			a.Cancelled.Add(1)
		}
		if err != nil {
			text = "nobody: " + err.Error()
		}
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}}, nil
	})
}

func said(r *sdk.ElicitResult, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case r.Action != "accept":
		return r.Action, nil
	}
	return fmt.Sprintf("hello %v", r.Content["name"]), nil
}

// ServeSessions serves a server with sessions.
func ServeSessions(t *testing.T, s *sdk.Server) string {
	t.Helper()
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s },
		&sdk.StreamableHTTPOptions{PropagateRequestCancellation: true}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}
