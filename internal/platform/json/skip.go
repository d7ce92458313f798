package json

import "bytes"

// The functions of this file find the end of things in documents that have passed Check. They look at structure
// only and would run past the end of anything else, which is why nothing outside of this package can reach them with
// unchecked bytes.

// skipSpace returns the first offset from i on that is not white space.
func skipSpace(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\r' || doc[i] == '\t') {
		i++
	}
	return i
}

// skipComma returns the offset of what follows a value that ends at i: the next value or name, or the closing bracket.
func skipComma(doc []byte, i int) int {
	i = skipSpace(doc, i)
	if doc[i] == ',' {
		i = skipSpace(doc, i+1)
	}
	return i
}

// skipString returns the end of the string that starts at i.
func skipString(doc []byte, i int) int {
	i++
	for {
		i += bytes.IndexByte(doc[i:], '"') + 1
		if !escaped(doc, i-1) {
			return i
		}
	}
}

// escaped reports whether an odd number of backslashes stands before the quote at i.
func escaped(doc []byte, i int) bool {
	n := 0
	for doc[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// skipValue returns the end of the value that starts at i.
func skipValue(doc []byte, i int) int {
	switch doc[i] {
	case '"':
		return skipString(doc, i)
	case '{', '[':
		return skipNested(doc, i)
	}
	for i < len(doc) && !isEnd(doc[i]) {
		i++
	}
	return i
}

// skipNested returns the end of the object or array that starts at i.
func skipNested(doc []byte, i int) int {
	for depth := 0; ; {
		switch doc[i] {
		case '"':
			i = skipString(doc, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

// isEnd reports whether c ends a number or literal.
func isEnd(c byte) bool {
	switch c {
	case ',', ']', '}', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}
