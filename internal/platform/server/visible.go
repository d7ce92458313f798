package server

import (
	"fmt"
	"strings"
	"unicode"
)

// visible writes out characters that can not be seen, that change the direction of what is behind them, or that look like
// Latin letters in Latin words: what is read must be what is sent.
func visible(text string) string {
	var b strings.Builder
	latin := strings.ContainsFunc(text, isLatin)
	for len(text) > 0 {
		word := text[:wordEnd(text)]
		text = text[len(word):]
		twins := latin && deceives(word)
		for _, r := range word {
			switch {
			case r == '\n' || r == '\t' || shown(r) && (!twins || !isForeign(r)):
				b.WriteRune(r)
			case shown(r): // Both are shown: the letter, and which one it is.
				b.WriteRune(r)
				b.WriteString(codePoint(r))
			default:
				b.WriteString(codePoint(r))
			}
		}
	}
	return b.String()
}

// wordEnd gives where the word ends that a text begins with; what is no word counts as one up to the next.
func wordEnd(text string) int {
	within := false
	for at, r := range text {
		is := unicode.In(r, unicode.L, unicode.M, unicode.N) || r == '_'
		if at > 0 && is != within {
			return at
		}
		within = is
	}
	return len(text)
}

// twins are letters of other alphabets that are drawn as Latin ones.
const twins = "аеорсухіјѕһԁԛԝӏвкмнтАВЕЅІЈКМНОРСТУХԌԚԜӀαινορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"

// deceives reports whether a word, within a text that has Latin letters, mixes them with others or is all of letters drawn
// as Latin ones. A word wholly in another alphabet is that.
func deceives(word string) bool {
	if !strings.ContainsFunc(word, isForeign) {
		return false
	}
	return strings.ContainsFunc(word, isLatin) || strings.Trim(word, twins) == ""
}

func isLatin(r rune) bool { return unicode.Is(unicode.Latin, r) }

func isForeign(r rune) bool {
	return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
}

// shown reports whether a character is seen as itself.
func shown(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) && (r == ' ' || !unicode.IsSpace(r))
}

// codePoint writes a character as its number.
func codePoint(r rune) string { return fmt.Sprintf("⟨U+%04X⟩", r) }
