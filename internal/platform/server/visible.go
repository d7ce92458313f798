package server

import (
	"fmt"
	"unicode"
)

// shown reports whether a character is seen as itself.
func shown(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) && (r == ' ' || !unicode.IsSpace(r))
}

// codePoint writes a character as its number.
func codePoint(r rune) string { return fmt.Sprintf("⟨U+%04X⟩", r) }
