package openapi

import "github.com/signalbox/signalbox/internal/platform/json"

// object writes a JSON object of names and raw values, in order.
type object struct{ b []byte }

func (o *object) add(name string, value []byte) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, json.Quote(name)...), ':'), value...)
}

func (o *object) text(name, value string) { o.add(name, json.Quote(value)) }

func (o *object) flag(name string, value bool) {
	if value {
		o.add(name, []byte("true"))
	} else {
		o.add(name, []byte("false"))
	}
}

func (o *object) bytes() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}

// list writes a JSON array of raw values.
func list(values [][]byte) []byte {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// quoted writes texts as a JSON array.
func quoted(texts []string) []byte {
	values := make([][]byte, len(texts))
	for i, text := range texts {
		values[i] = json.Quote(text)
	}
	return list(values)
}
