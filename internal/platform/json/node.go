package json

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Span is a half-open range of byte offsets in a document.
type Span struct{ Start, End int }

// Node is one value inside of a document that has passed [Check]. The zero Node stands for an absent value.
type Node struct {
	doc []byte
	// Span is where the value lies in the document, without white space around it.
	Span
}

// Parse checks data and returns its value. The Node refers to data, which must not change afterwards.
func Parse(data []byte, l Limits) (Node, error) {
	if err := Check(data, l); err != nil {
		return Node{}, err
	}
	start := skipSpace(data, 0)
	return Node{doc: data, Span: Span{start, skipValue(data, start)}}, nil
}

// Object parses data, which must be an object, and returns its members.
func Object(data []byte) (Members, error) {
	n, err := Parse(data, Limits{})
	if err != nil {
		return Members{}, err
	}
	return n.Object()
}

// Array parses data, which must be an array, and returns its elements.
func Array(data []byte) ([]Node, error) {
	n, err := Parse(data, Limits{})
	if err != nil {
		return nil, err
	}
	return n.Array()
}

// Exists reports whether the Node stands for a value, be it null.
func (n Node) Exists() bool { return n.doc != nil }

// Kind returns the first byte of the value: one of n t f " 0 { [, or 0 for an absent value.
func (n Node) Kind() jsontext.Kind {
	if !n.Exists() {
		return 0
	}
	return n.Bytes().Kind()
}

// Null reports whether the value is absent or null. The model APIs treat both alike.
func (n Node) Null() bool { return !n.Exists() || n.Kind() == 'n' }

// Bytes returns the value as it was written; the caller must not change it.
func (n Node) Bytes() Value { return Value(n.doc[n.Start:n.End:n.End]) }

// Document returns the whole document that the Node is part of.
func (n Node) Document() []byte { return n.doc }

// Text returns the string that the value stands for, or an error if it is not a string.
func (n Node) Text() (string, error) {
	if n.Kind() != '"' {
		return "", n.want("a string")
	}
	return unquote(n.Bytes()), nil
}

// plainNumber is a number in the form in which all write it: no exponent, no zeros at the end, no negative zero.
var plainNumber = regexp.MustCompile(`^(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])$`)

// Scalar returns how a string, a number or a boolean stands in an address: a string's text, a number as it was written.
// Anything else is an error, and so is a number in an unusual form, such as 7.0 or 7e0 for 7: as text it is another one.
func (n Node) Scalar() (string, error) {
	switch n.Kind() {
	case '"':
		return n.Text()
	case 't', 'f':
		return string(n.Bytes()), nil
	case '0':
		if plainNumber.Match(n.Bytes()) {
			return string(n.Bytes()), nil
		}
		return "", n.want("a number in its plain form")
	}
	return "", n.want("a string, a number or a boolean")
}

// Bool returns the boolean that the value stands for, or an error.
func (n Node) Bool() (bool, error) {
	switch n.Kind() {
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	return false, n.want("a boolean")
}

// Int returns the integer that the value stands for. Fractions, exponents and numbers outside of 64 bits are errors.
func (n Node) Int() (int64, error) {
	if n.Kind() != '0' {
		return 0, n.want("an integer")
	}
	i, err := strconv.ParseInt(string(n.Bytes()), 10, 64)
	if err != nil {
		return 0, n.want("an integer")
	}
	return i, nil
}

// Object returns the members of the value, or an error if it is not an object.
func (n Node) Object() (Members, error) {
	if n.Kind() != '{' {
		return Members{}, n.want("an object")
	}
	return members(n), nil
}

// Array returns the elements of the value, or an error if it is not an array.
func (n Node) Array() ([]Node, error) {
	if n.Kind() != '[' {
		return nil, n.want("an array")
	}
	var list []Node
	for i := skipSpace(n.doc, n.Start+1); n.doc[i] != ']'; {
		end := skipValue(n.doc, i)
		list = append(list, Node{doc: n.doc, Span: Span{i, end}})
		i = skipComma(n.doc, end)
	}
	return list, nil
}

// want is the error for a value of another kind.
func (n Node) want(kind string) error {
	return &SyntaxError{Offset: int64(n.Start), Reason: fmt.Sprintf("%s where %s is expected", describe(n), kind)}
}

func describe(n Node) string {
	if !n.Exists() {
		return "nothing"
	}
	return kindName(n.Kind())
}
