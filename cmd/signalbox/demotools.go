package main

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// demoToolsCmd is an MCP server on standard input and output, with the tool that the sample conversation uses. What it
// finds is made up, and says so.
type demoToolsCmd struct{}

type searchInput struct {
	Query string `json:"query" jsonschema:"what to look for"`
}

// Run serves until the input ends.
func (demoToolsCmd) Run(c *console) error {
	s := mcp.NewServer(&mcp.Implementation{Name: "signalbox-demo-tools", Version: version}, nil)
	mcp.AddTool(s, &mcp.Tool{
		Name: "web_search", Description: "Searches a made-up web. Its results are simulated.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, search)
	return s.Run(c.ctx, &mcp.StdioTransport{})
}

func search(_ context.Context, _ *mcp.CallToolRequest, in searchInput) (*mcp.CallToolResult, any, error) {
	h := fnv.New32a()
	h.Write([]byte(in.Query))
	text := fmt.Sprintf("[simulated] %d results for %q; the first says that %d %% of teams do it.", 3+h.Sum32()%40, in.Query, 20+h.Sum32()%60)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}
