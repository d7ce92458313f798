package simulated

import (
	"bytes"
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// maxDepth bounds how deep arguments are made up; what lies below is left out where the schema allows it.
const maxDepth = 6

// arguments makes up an object that fits the plain types of the tool's schema.
func (s *session) arguments(t tool) []byte {
	if kind := s.kind(t.schema); kind != "object" {
		return []byte("{}")
	}
	return s.object(t.schema, 0)
}

// value makes up a value for a schema.
func (s *session) value(n json.Node, name string, depth int) []byte {
	if fixed := given(n); fixed != nil {
		return fixed
	}
	for _, of := range []string{"anyOf", "oneOf", "allOf"} {
		if choices, err := member(n, of).Array(); err == nil && len(choices) > 0 {
			return s.value(choices[0], name, depth+1)
		}
	}
	switch s.kind(n) {
	case "object":
		return s.object(n, depth)
	case "array":
		return s.array(n, name, depth)
	case "integer", "number":
		return s.number(n)
	case "boolean":
		return strconv.AppendBool(nil, s.random.IntN(2) == 1)
	case "null":
		return []byte("null")
	}
	return json.Quote(s.word(n, name))
}

// given gives the value that the schema names itself, if it does.
func given(n json.Node) []byte {
	for _, name := range []string{"const", "default"} {
		if v := member(n, name); v.Exists() {
			return v.Bytes()
		}
	}
	for _, name := range []string{"enum", "examples"} {
		if list, err := member(n, name).Array(); err == nil && len(list) > 0 {
			return list[0].Bytes()
		}
	}
	return nil
}

// kind gives the schema's type; of several the first that is not null.
func (s *session) kind(n json.Node) string {
	kinds, err := member(n, "type").Array()
	if err != nil {
		kinds = []json.Node{member(n, "type")}
	}
	for _, k := range kinds {
		if t := text(k); t != "" && t != "null" {
			return t
		}
	}
	if member(n, "properties").Exists() {
		return "object"
	}
	return text(member(n, "type"))
}

// object fills the required properties.
func (s *session) object(n json.Node, depth int) []byte {
	required, err := member(n, "required").Array()
	properties := member(n, "properties")
	if err != nil || depth > maxDepth {
		return []byte("{}")
	}
	var b bytes.Buffer
	b.WriteByte('{')
	seen := map[string]bool{}
	for _, r := range required {
		name := text(r)
		if seen[name] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[name] = true
		b.Write(json.Quote(name))
		b.WriteByte(':')
		b.Write(s.value(member(properties, name), name, depth+1))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// array has as many items as the schema demands, and one where it demands none.
func (s *session) array(n json.Node, name string, depth int) []byte {
	count, err := member(n, "minItems").Int()
	if err != nil {
		count = 1
	}
	if depth > maxDepth {
		count = 0
	}
	b := []byte{'['}
	for i := range min(count, 16) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s.value(member(n, "items"), name, depth+1)...)
	}
	return append(b, ']')
}

// number stays within the schema's bounds where they are whole numbers.
func (s *session) number(n json.Node) []byte {
	least, err := member(n, "minimum").Int()
	if err != nil {
		least = 1
	}
	most, err := member(n, "maximum").Int()
	if err != nil {
		most = least + 9
	}
	v := least
	if width := uint64(most) - uint64(least); most > least && width < 1<<32 {
		v += s.random.Int64N(int64(width) + 1)
	}
	return strconv.AppendInt(nil, v, 10)
}

// word makes up a string: by its format, else the prompt where it looks like a question, else its name.
func (s *session) word(n json.Node, name string) string {
	switch text(member(n, "format")) {
	case "date":
		return "2026-01-15"
	case "date-time":
		return "2026-01-15T09:00:00Z"
	case "email":
		return "someone@example.com"
	case "uri", "url":
		return "https://example.com/"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	}
	v := name
	switch name {
	case "query", "q", "question", "text", "prompt", "input", "topic":
		v = quotable(s.question.prompt)
	}
	if most, err := member(n, "maxLength").Int(); err == nil && most >= 0 && int64(len(v)) > most {
		v = clip(v, int(max(most, 1)))
	}
	for least, err := member(n, "minLength").Int(); err == nil && int64(len(v)) < min(least, 1024); {
		v += "x"
	}
	return v
}
