package mcp

import (
	"slices"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// object writes a JSON object of names and raw values, in order.
type object struct{ b []byte }

// add adds a member; its value is JSON.
func (o *object) add(name string, value []byte) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, json.Quote(name)...), ':'), value...)
}

// empty reports whether nothing was added.
func (o *object) empty() bool { return len(o.b) == 0 }

// text adds a text.
func (o *object) text(name, value string) { o.add(name, json.Quote(value)) }

// bytes gives the object as it is by now.
func (o *object) bytes() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}

func textIn(data json.Value, member string) string {
	members, err := json.Object(data)
	if err != nil {
		return ""
	}
	text, _ := members.Get(member).Text()
	return text
}

// renamed gives a JSON object with another text as the value of a member.
func renamed(raw json.Value, member, text string) json.Value {
	return replaced(raw, member, json.Quote(text))
}

// replaced gives a JSON object with another value of a member. What is no object stays as it is: both what callers and what
// servers wrote was read as one before.
func replaced(raw json.Value, member string, value json.Value) json.Value {
	root, err := json.Parse(raw, json.Limits{CaseVariants: true})
	if err != nil {
		return raw
	}
	members, err := root.Object()
	if err != nil {
		return raw
	}
	var o object
	for _, m := range members.All() {
		if m.Name == member {
			o.add(member, value)
			continue
		}
		o.add(m.Name, m.Value.Bytes())
	}
	return o.bytes()
}

// without gives an object without some of its members.
func without(members json.Members, names ...string) json.Value {
	var o object
	for _, m := range members.All() {
		if !slices.Contains(names, m.Name) {
			o.add(m.Name, m.Value.Bytes())
		}
	}
	return o.bytes()
}

// texts writes a list of texts.
func texts(list []string) json.Value {
	b := []byte{'['}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, json.Quote(s)...)
	}
	return append(b, ']')
}

// clip shortens what came from outside for an error message.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= 200 {
		return s
	}
	return strings.ToValidUTF8(s[:200], "") + "…"
}
