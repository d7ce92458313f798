package mcp

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// methodOf is the method and the parameters, without _meta, by which a server is asked to do what a tool request says.
// Name is what the request is about, for the headers of modern servers.
func methodOf(t *signalbox.ToolRequest, upstream string) (method, name string, params object) {
	switch {
	case !reserved(t.Name):
		params.text("name", upstream)
		params.add("arguments", t.Arguments)
		return methodCallTool, upstream, params
	case t.Name == methodReadResource:
		name = textIn(t.Arguments, "uri")
	case t.Name == methodGetPrompt:
		name = textIn(t.Arguments, "name")
	}
	members, err := json.Object(t.Arguments)
	if err == nil {
		for _, m := range members.All() {
			params.add(m.Name, m.Value.Bytes())
		}
	}
	return t.Name, name, params
}
