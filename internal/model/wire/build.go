package wire

import (
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// object writes a JSON object member by member, so that the parts of a request that are carried over unchanged keep
// their bytes.
type object struct{ b []byte }

// name begins a member. Names are ours and need no escapes.
func (o *object) name(name string) {
	if len(o.b) > 0 {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

// raw adds a member whose value is JSON already; an empty value adds nothing.
func (o *object) raw(name string, value []byte) *object {
	if len(value) > 0 {
		o.name(name)
		o.b = append(o.b, value...)
	}
	return o
}

// node adds a member whose value is taken from another document, unless it is absent or null.
func (o *object) node(name string, n json.Node) *object {
	if n.Null() {
		return o
	}
	return o.raw(name, n.Bytes())
}

func (o *object) text(name, value string) *object {
	o.name(name)
	o.b = json.AppendQuote(o.b, value)
	return o
}

func (o *object) number(name string, value int64) *object {
	o.name(name)
	o.b = strconv.AppendInt(o.b, value, 10)
	return o
}

func (o *object) null(name string) *object { return o.literal(name, "null") }

func (o *object) yes(name string) *object { return o.literal(name, "true") }

func (o *object) literal(name, value string) *object {
	o.name(name)
	o.b = append(o.b, value...)
	return o
}

// bytes returns the object.
func (o *object) bytes() []byte {
	b := make([]byte, 0, len(o.b)+2)
	b = append(b, '{')
	b = append(b, o.b...)
	return append(b, '}')
}

// typed begins an object with its type.
func typed(kind string) *object { return new(object).text("type", kind) }

// array writes the values as a JSON array.
func array(values [][]byte) []byte {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}
