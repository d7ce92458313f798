package json

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Canonical returns the one spelling of the document: RFC 8785 (members in the order of their UTF-16 names, no
// white space, shortest escapes, numbers as ECMAScript prints them).
//
// RFC 8785 reads numbers as binary64, so that 9007199254740993 and 9007199254740992 would come out alike and an
// approval of the one would cover the other. Numbers which binary64 does not hold are outside of RFC 8785; here they
// keep the digits they were written with. The document must pass [Check].
func Canonical(data []byte) ([]byte, error) {
	if err := Check(data, Limits{CaseVariants: true}); err != nil {
		return nil, err
	}
	v := Value(bytes.Clone(data))
	err := v.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(false),
		jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
	if err != nil {
		return nil, asSyntaxError(err)
	}
	return canonicalNumbers(v), nil
}

// Indent breaks a document into lines for people, a line for each member, and changes nothing within its strings and
// numbers. What is not JSON stays as it is.
func Indent(data []byte) []byte {
	doc := jsontext.Value(bytes.Clone(data))
	if err := doc.Indent(jsontext.WithIndent("  ")); err != nil {
		return data
	}
	return doc
}

// canonicalNumbers rewrites the numbers of a compact valid document.
func canonicalNumbers(doc []byte) []byte {
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); {
		end := i + 1
		switch c := doc[i]; {
		case c == '"':
			end = skipString(doc, i)
			out = append(out, doc[i:end]...)
		case c == '-' || '0' <= c && c <= '9':
			end = skipValue(doc, i)
			out = append(out, canonicalNumber(doc[i:end])...)
		default:
			out = append(out, c)
		}
		i = end
	}
	return out
}

// canonicalNumber returns the ECMAScript spelling of a number, or the number itself where that would change it.
func canonicalNumber(raw []byte) []byte {
	short := Value(bytes.Clone(raw))
	if err := short.Canonicalize(); err != nil {
		return raw
	}
	if decimal(string(short)) != decimal(string(raw)) {
		return raw
	}
	return short
}

// number is a decimal without leading and trailing zeros: ± 0.digits × 10^exponent. Zero has no digits.
type number struct {
	digits   string
	exponent int64
	negative bool
}

// decimal reads a valid JSON number.
func decimal(s string) number {
	n := number{negative: strings.HasPrefix(s, "-")}
	s = strings.TrimPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n.exponent = exponent(s[i+1:])
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n.exponent += int64(len(whole))
	digits := whole + fraction
	stripped := strings.TrimLeft(digits, "0")
	n.exponent -= int64(len(digits) - len(stripped))
	n.digits = strings.TrimRight(stripped, "0")
	if n.digits == "" {
		return number{}
	}
	return n
}

// farExponent stands for all exponents that do not fit 32 bits; a number with one is never equal to a binary64.
const farExponent = 1 << 40

func exponent(s string) int64 {
	e, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return farExponent
	}
	return e
}
