package mcp

import (
	"slices"

	"github.com/yosida95/uritemplate/v3"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// reservedNames are methods that act on a server. As the name of a tool each would be taken for the act: permissions name
// both alike, as "server.resources/read".
var reservedNames = []string{methodReadResource, methodGetPrompt, methodComplete, "sampling/createMessage", "elicitation/create", "roots/list"}

// reserved reports whether a tool can not have the name.
func reserved(name string) bool { return slices.Contains(reservedNames, name) }

// toolName is what the stations know the act by: the name of a tool, or the method of all else.
func (r request) toolName() string {
	if r.act() && r.method != methodCallTool {
		return r.method
	}
	return r.name
}

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

func textIn(data json.Value, member string) string {
	members, err := json.Object(data)
	if err != nil {
		return ""
	}
	text, _ := members.Get(member).Text()
	return text
}

// fits reports whether a URI is one that the template makes.
func fits(template, uri string) bool {
	t, err := uritemplate.New(template)
	return err == nil && t.Regexp().MatchString(uri)
}
