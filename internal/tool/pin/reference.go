package pin

import (
	"strconv"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// references are the members of a schema that name another schema.
var references = json.NewNames("$ref", "$dynamicRef", "$recursiveRef")

// leadsOut gives where a member of a definition refers to, if that is not a part of the schema.
func leadsOut(m json.Member) (to string, remote bool) {
	to, err := m.Value.Text()
	return to, err == nil && references.Has(m.Name) && !strings.HasPrefix(to, "#")
}

// RemoteRef finds the first reference of a server's entry that leads out of its schema: where it stands, and where it leads, as
// people can read them. Where is "" for none. Data in a schema, such as an example, count too: there is software that follows
// whatever is called so. An entry that can not be read has one: nobody could say that it has none.
func RemoteRef(entry json.Value) (where, to string) {
	root, err := json.Parse(entry, json.Limits{CaseVariants: true})
	if err != nil {
		return "/", "what can not be read"
	}
	all, err := root.Object()
	if err != nil {
		return "/", "what can not be read"
	}
	for _, member := range members {
		if where, to = remoteIn(all.Get(member), "/"+member); where != "" {
			return Visible(where), quoted(to)
		}
	}
	return "", ""
}

func remoteIn(n json.Node, where string) (at, to string) {
	if list, err := n.Array(); err == nil {
		for i, item := range list {
			if at, to = remoteIn(item, where+"/"+strconv.Itoa(i)); at != "" {
				return at, to
			}
		}
		return "", ""
	}
	object, err := n.Object()
	if err != nil {
		return "", ""
	}
	for _, m := range object.All() {
		inner := where + "/" + escape(m.Name)
		if to, remote := leadsOut(m); remote {
			return inner, to
		}
		if at, to = remoteIn(m.Value, inner); at != "" {
			return at, to
		}
	}
	return "", ""
}
