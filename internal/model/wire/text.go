package wire

import (
	"strings"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// excerpt cuts s to signalbox.MaxExcerpt bytes without cutting a character. The copy lets go of the whole text.
func excerpt(s string) string {
	return strings.Clone(cut(s, signalbox.MaxExcerpt))
}

// cut shortens s to at most n bytes at a character's border.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// appendExcerpt adds text to an excerpt that may not be full yet.
func appendExcerpt(have, text string) string {
	room := signalbox.MaxExcerpt - len(have)
	if room <= 0 || text == "" {
		return have
	}
	return have + cut(text, room)
}
