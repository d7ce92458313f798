package wire

import (
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// object writes a JSON object member by member, so that the parts of a request that are carried over unchanged keep
// their bytes.
type object struct{ b []byte }

// raw adds a member whose value is JSON already; an empty value adds nothing.
func (o *object) raw(name string, value []byte) *object {
	if len(value) == 0 {
		return o
	}
	if len(o.b) > 0 {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, json.Quote(name)...)
	o.b = append(o.b, ':')
	o.b = append(o.b, value...)
	return o
}

// node adds a member whose value is taken from another document, unless it is absent or null.
func (o *object) node(name string, n json.Node) *object {
	if n.Null() {
		return o
	}
	return o.raw(name, n.Bytes())
}

func (o *object) text(name, value string) *object { return o.raw(name, json.Quote(value)) }

func (o *object) number(name string, value int64) *object {
	return o.raw(name, strconv.AppendInt(nil, value, 10))
}

func (o *object) null(name string) *object { return o.raw(name, []byte("null")) }

func (o *object) yes(name string) *object { return o.raw(name, []byte("true")) }

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
