package telemetry

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/signalbox/signalbox"
)

// The methods of the Model Context Protocol that are calls. All but the first are named in records as if they were a tool of
// their server; no tool has such a name.
const (
	methodCall   = "tools/call"
	methodPrompt = "prompts/get"
	methodRead   = "resources/read"
)

var otherMethods = []string{methodRead, methodPrompt, "completion/complete", "elicitation/create", "sampling/createMessage", "roots/list"}

// act is a call of kind tool in the words of the conventions for MCP.
type act struct {
	method string
	tool   string // "server.tool"; "" where the method is no tools/call.
}

func actOf(r signalbox.Record) act { return actNamed(r.What.ToolName) }

// actNamed is the act that records call so.
func actNamed(tool string) act {
	if _, name, _ := strings.Cut(tool, "."); slices.Contains(otherMethods, name) {
		return act{method: name}
	}
	return act{method: methodCall, tool: tool}
}

// ToolSpan names the span of a call of kind tool, by what its record calls the tool.
func ToolSpan(tool string) string { return actNamed(tool).span(tool) }

// span names a span about the act; the tool is called so on that side of us.
func (a act) span(tool string) string {
	if a.tool == "" {
		return a.method
	}
	return strings.TrimSpace(a.method + " " + tool)
}

// attributes are those of spans and metrics alike. Only calls of tools are an operation of the conventions for GenAI.
func (a act) attributes() list {
	l := list{semconv.McpMethodNameKey.String(a.method)}
	if a.method == methodCall {
		l.text(semconv.GenAIOperationNameKey, operationTool)
		l.text(semconv.GenAIToolNameKey, a.tool)
	}
	return l
}

// target says what the act was about, which can be about a person.
func (a act) target(r signalbox.Record) (key attribute.Key, value string) {
	switch a.method {
	case methodRead:
		return semconv.McpResourceURIKey, r.What.ResourceID
	case methodPrompt:
		return semconv.GenAIPromptNameKey, r.What.ResourceID
	}
	return "", ""
}

// toolFailed is what the conventions call the error of a tool that was called and reports a failure of its own. A record has
// it as the reason why an attempt has finished.
const toolFailed = "tool_error"

// failedTool gives [toolFailed] where the last attempt has ended so, else "".
func failedTool(r signalbox.Record) string {
	if n := len(r.Attempts); r.What.Kind == signalbox.KindTool && n > 0 && r.Attempts[n-1].Finish == toolFailed {
		return toolFailed
	}
	return ""
}
