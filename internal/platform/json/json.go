package json

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Value is one raw JSON value, kept as it was written.
type Value = jsontext.Value

// Unmarshal decodes exactly one JSON value into v, which must be a non-nil pointer.
//
// Duplicate names, invalid UTF-8, a byte order mark and trailing data are refused; names match only in their exact
// spelling. The target is set to its zero value first, so that nothing of an earlier value shows through. Errors are
// of type *[SyntaxError], also when the value has the wrong type for its target.
func Unmarshal(data []byte, v any) error {
	clear0(v)
	return asSyntaxError(json.Unmarshal(data, v))
}

// UnmarshalKnown is Unmarshal that also refuses members which the target does not name.
func UnmarshalKnown(data []byte, v any) error {
	clear0(v)
	return asSyntaxError(json.Unmarshal(data, v, json.RejectUnknownMembers(true)))
}

// Marshal encodes v without white space. The same value always gives the same bytes: maps are written in the order
// of their keys.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true))
}

// MarshalIndent is Marshal with one member or element per line and two spaces per level.
func MarshalIndent(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
}

// Quote returns s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func Quote(s string) []byte {
	return AppendQuote(nil, s)
}

// AppendQuote writes s as a JSON string to dst. Invalid UTF-8 becomes U+FFFD.
func AppendQuote(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // The error only reports the replacement.
	return dst
}

// clear0 sets the value that v points to to zero. The decoder reports what is not a pointer.
func clear0(v any) {
	p := reflect.ValueOf(v)
	if p.Kind() == reflect.Pointer && !p.IsNil() {
		p.Elem().SetZero()
	}
}
