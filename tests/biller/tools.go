package biller

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Tools is an MCP server, made with the official SDK, whose tool "work" bills each of its calls. It is safe for
// concurrent use.
type Tools struct {
	URL string

	http *httptest.Server
	mu   sync.Mutex
	runs map[string]int
}

// Work are the arguments of the tool.
type Work struct {
	Mark string `json:"mark"`           // By which the books know the call.
	Fail bool   `json:"fail"`           // The tool is to fail; it has worked all the same.
	Wait int    `json:"wait,omitempty"` // How long it takes to answer after it has worked, in milliseconds.
}

// NewTools starts a tool server.
func NewTools() *Tools {
	s := &Tools{runs: map[string]int{}}
	server := mcp.NewServer(&mcp.Implementation{Name: "tools", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "work", Description: "Works."},
		func(ctx context.Context, _ *mcp.CallToolRequest, in Work) (*mcp.CallToolResult, any, error) {
			s.mu.Lock()
			s.runs[in.Mark]++
			s.mu.Unlock()
			select {
			case <-time.After(time.Duration(in.Wait) * time.Millisecond):
			case <-ctx.Done():
			}
			if in.Fail {
				return nil, nil, errors.New("asked for")
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
		})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	s.http = httptest.NewServer(handler)
	s.URL = s.http.URL
	return s
}

// Runs gives how often the tool was called, by mark.
func (s *Tools) Runs() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int, len(s.runs))
	for mark, n := range s.runs {
		all[mark] = n
	}
	return all
}

// Close ends every connection and the server.
func (s *Tools) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}
