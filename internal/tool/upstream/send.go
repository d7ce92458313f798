package upstream

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// methodOf is the method and the parameters, without _meta, by which a server is asked to do what a tool request says.
// Name is what the request is about, for the headers of modern servers.
func methodOf(t *signalbox.ToolRequest, upstream string) (method, name string, params rpc.Object) {
	switch {
	case !rpc.Reserved(t.Name):
		params.Text("name", upstream)
		params.Add("arguments", t.Arguments)
		return rpc.MethodCallTool, upstream, params
	case t.Name == rpc.MethodReadResource:
		name = rpc.TextIn(t.Arguments, "uri")
	case t.Name == rpc.MethodGetPrompt:
		name = rpc.TextIn(t.Arguments, "name")
	}
	members, err := json.Object(t.Arguments)
	if err == nil {
		for _, m := range members.All() {
			params.Add(m.Name, m.Value.Bytes())
		}
	}
	return t.Name, name, params
}
