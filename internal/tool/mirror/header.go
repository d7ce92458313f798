package mirror

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Marks around a value that is written in base64.
const (
	opening = "=?base64?"
	closing = "?="
)

// Encode writes a text as the protocol wants it in a header.
func Encode(text string) string {
	plain := !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' })
	marked := strings.HasPrefix(text, opening) && strings.HasSuffix(text, closing)
	if plain && !marked && strings.TrimSpace(text) == text {
		return text
	}
	return opening + base64.StdEncoding.EncodeToString([]byte(text)) + closing
}

// Decode reads a header. It reports whether the value is one that [Encode] or another writer could have made.
func Decode(value string) (string, bool) {
	encoded, ok := strings.CutPrefix(value, opening)
	if !ok {
		return value, !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c > '~' })
	}
	if encoded, ok = strings.CutSuffix(encoded, closing); !ok {
		return value, true
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	return string(data), err == nil
}

// Headers gives the headers of a call with these arguments, which are an object.
func Headers(params []Param, arguments json.Value) http.Header {
	h := http.Header{}
	for _, p := range params {
		if value, ok := p.value(arguments); ok {
			h.Set(p.Header, Encode(value))
		}
	}
	return h
}

// Check compares the headers of a call with its arguments. The error says which header is wrong, by name, and nothing of the
// values.
func Check(params []Param, arguments json.Value, h http.Header) error {
	for _, p := range params {
		given := h[textproto.CanonicalMIMEHeaderKey(p.Header)]
		want, ok := p.value(arguments)
		switch {
		case len(given) == 0 && !ok:
			continue
		case len(given) == 0:
			return fmt.Errorf("the header %s is missing", p.Header)
		case !ok || len(given) > 1:
			return fmt.Errorf("the header %s repeats no argument", p.Header)
		}
		if got, ok := Decode(given[0]); !ok || got != want && !sameInteger(got, want, p, arguments) {
			return fmt.Errorf("the header %s says something else than the argument", p.Header)
		}
	}
	return nil
}

// Others gives the headers that look like those of arguments and are none that is known.
func Others(params []Param, h http.Header) http.Header {
	others := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, Prefix) {
			others[name] = values
		}
	}
	for _, p := range params {
		others.Del(p.Header)
	}
	return others
}

// value gives the argument as text. There is none where it is absent, null, or nothing that can stand in a header.
func (p Param) value(arguments json.Value) (string, bool) {
	n, ok := p.find(arguments)
	if !ok {
		return "", false
	}
	switch n.Kind() {
	case '"':
		text, err := n.Text()
		return text, err == nil
	case 't', 'f':
		return string(n.Bytes()), true
	case '0':
		i, ok := integer(string(n.Bytes()))
		if !ok {
			return "", false
		}
		return i.String(), true
	}
	return "", false
}

func (p Param) find(arguments json.Value) (json.Node, bool) {
	n, err := json.Parse(arguments, json.Limits{})
	if err != nil {
		return n, false
	}
	for _, name := range p.Path {
		if n.Kind() != '{' {
			return n, false
		}
		members, err := n.Object()
		if err != nil {
			return n, false
		}
		n = members.Get(name)
	}
	return n, n.Exists()
}

// maxInteger bounds integers in headers: scripts hold none beyond it.
var maxInteger = big.NewInt(1<<53 - 1)

// maxDigits bounds numbers that are looked at: none with more is in bounds, and exponents may make large numbers of few bytes.
const maxDigits = 32

// integer reads a number that is a whole one, however it is written.
func integer(text string) (*big.Int, bool) {
	if len(text) > maxDigits || hugeExponent(text) {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || !r.IsInt() || r.Num().CmpAbs(maxInteger) > 0 {
		return nil, false
	}
	return r.Num(), true
}

// hugeExponent reports whether a number has an exponent of more than two digits.
func hugeExponent(text string) bool {
	_, exponent, found := strings.Cut(strings.ToLower(text), "e")
	return found && len(strings.TrimLeft(exponent, "+-0")) > 2
}

// sameInteger reports whether the argument is a number, and the header says the same one in another way, such as 42.0 for 42.
func sameInteger(got, want string, p Param, arguments json.Value) bool {
	n, _ := p.find(arguments)
	if n.Kind() != '0' || strings.ContainsAny(got, "/_xXbBoO") { // Which are numbers to math/big, and none to JSON.
		return false
	}
	i, ok := integer(got)
	return ok && i.String() == want
}
