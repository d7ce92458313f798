package rpc

import (
	"slices"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Object writes a JSON object of names and raw values, in order.
type Object struct{ b []byte }

// Add adds a member; its value is JSON.
func (o *Object) Add(name string, value []byte) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, json.Quote(name)...), ':'), value...)
}

// Empty reports whether nothing was added.
func (o *Object) Empty() bool { return len(o.b) == 0 }

// Text adds a text.
func (o *Object) Text(name, value string) { o.Add(name, json.Quote(value)) }

// Bytes gives the object as it is by now.
func (o *Object) Bytes() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}

// TextIn gives the text that an object has as a member, "" where it has none.
func TextIn(data json.Value, member string) string {
	members, err := json.Object(data)
	if err != nil {
		return ""
	}
	text, _ := members.Get(member).Text()
	return text
}

// Members gives those of an object that a server has written: names are its tool's, and may differ by case only.
func Members(raw json.Value) (json.Members, error) {
	root, err := json.Parse(raw, json.Limits{CaseVariants: true})
	if err != nil {
		return json.Members{}, err
	}
	return root.Object()
}

// Renamed gives a JSON object with another text as the value of a member.
func Renamed(raw json.Value, member, text string) json.Value {
	return Replaced(raw, member, json.Quote(text))
}

// Replaced gives a JSON object with another value of a member. What is no object stays as it is: both what callers and what
// servers wrote was read as one before.
func Replaced(raw json.Value, member string, value json.Value) json.Value {
	members, err := Members(raw)
	if err != nil {
		return raw
	}
	var o Object
	for _, m := range members.All() {
		if m.Name == member {
			o.Add(member, value)
			continue
		}
		o.Add(m.Name, m.Value.Bytes())
	}
	return o.Bytes()
}

// Without gives an object without some of its members.
func Without(members json.Members, names ...string) json.Value {
	var o Object
	for _, m := range members.All() {
		if !slices.Contains(names, m.Name) {
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	return o.Bytes()
}

// Texts writes a list of texts.
func Texts(list []string) json.Value {
	b := []byte{'['}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, json.Quote(s)...)
	}
	return append(b, ']')
}

// Array writes a list of values.
func Array(list []json.Value) json.Value {
	b := []byte{'['}
	for i, value := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, value...)
	}
	return append(b, ']')
}

// Clip shortens what came from outside for an error message.
func Clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= 200 {
		return s
	}
	return strings.ToValidUTF8(s[:200], "") + "…"
}
