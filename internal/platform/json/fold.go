package json

import (
	"unicode"
	"unicode/utf8"
)

// fold returns the representative of all spellings of name that are equal under simple Unicode case folding. The
// result is name itself, without a copy, when name is already its representative.
func fold(name []byte) []byte {
	for i, c := range name {
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return foldFrom(name, i)
		}
	}
	return name
}

// foldFrom folds name, whose first i bytes need no folding.
func foldFrom(name []byte, i int) []byte {
	b := make([]byte, i, len(name)+utf8.UTFMax)
	copy(b, name)
	for rest := name[i:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		b = utf8.AppendRune(b, foldRune(r))
		rest = rest[size:]
	}
	return b
}

// foldString is fold for strings.
func foldString(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return string(foldFrom([]byte(name), i))
		}
	}
	return name
}

// foldRune returns the smallest rune of r's folding orbit, in lower case if that is an ASCII letter. The Kelvin
// sign and the long s so come out as k and s.
func foldRune(r rune) rune {
	low := r
	for n := unicode.SimpleFold(r); n != r; n = unicode.SimpleFold(n) {
		low = min(low, n)
	}
	if 'A' <= low && low <= 'Z' {
		return low + ('a' - 'A')
	}
	return low
}
