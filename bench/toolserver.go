package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// toolPath is where the upstream is an MCP server.
const toolPath = "/mcp"

// The tools of the upstream: one that may be called, and one whose calls wait for a person.
const (
	toolRead  = "read"
	toolWrite = "write"
)

// toolResult is half a kilobyte.
var toolResult = `{"resultType":"complete","content":[{"type":"text","text":"` + strings.Repeat("The train has passed the home signal. ", 13) + `"}]}`

const (
	toolDiscover = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":60000,"cacheScope":"public"}`
	toolListed   = `{"resultType":"complete","tools":[{"name":"` + toolRead + `","inputSchema":{"type":"object"}},{"name":"` + toolWrite +
		`","inputSchema":{"type":"object"}}],"ttlMs":60000,"cacheScope":"public"}`
)

// answerTool speaks as much of the protocol of 2026-07-28 as a server must.
func answerTool(w http.ResponseWriter, request []byte) {
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
	}
	if err := json.Unmarshal(request, &m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	result := toolResult
	switch m.Method {
	case "server/discover":
		result = toolDiscover
	case "tools/list":
		result = toolListed
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// toolLoad is a call of a tool in a request of half a kilobyte, as modern clients send it.
func toolLoad(path, tool string) load {
	const version = "2026-07-28"
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version + `","io.modelcontextprotocol/clientCapabilities":{}}`
	return load{
		path: path,
		head: http.Header{
			"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
			"Mcp-Protocol-Version": {version}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {tool},
		},
		body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{%s,"name":"%s","arguments":{"note":"%s"}}}`,
			meta, tool, strings.Repeat("Which trains are on the block section? ", 8)),
		rate:  toolRate,
		whole: func(answer []byte) bool { return strings.Contains(string(answer), "home signal") },
	}
}
