package pin

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// alike maps letters of other scripts, in lower case, to the Latin one that they look like.
var alike = map[rune]rune{
	'а': 'a', 'в': 'b', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'ё': 'e', 'һ': 'h', 'і': 'i', 'ї': 'i', 'ј': 'j', 'к': 'k', 'ӏ': 'l', 'м': 'm',
	'н': 'h', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'г': 'r', 'ѕ': 's', 'т': 't', 'у': 'y', 'ѵ': 'v', 'ԝ': 'w', 'х': 'x',
	'α': 'a', 'β': 'b', 'ε': 'e', 'η': 'n', 'ι': 'i', 'κ': 'k', 'μ': 'u', 'ν': 'v', 'ο': 'o', 'ρ': 'p', 'σ': 'o', 'τ': 't', 'υ': 'u',
	'χ': 'x', 'ω': 'w', 'γ': 'y', 'ϲ': 'c', 'ϳ': 'j',
	'ա': 'w', 'հ': 'h', 'ո': 'n', 'ս': 'u', 'օ': 'o', 'զ': 'q', 'ց': 'g', 'յ': 'j',
	'ı': 'i', 'ȷ': 'j', 'ɑ': 'a', 'ɡ': 'g', 'ɩ': 'i', 'ʀ': 'r', 'ⅼ': 'l', 'ꞵ': 'b', 'ᴄ': 'c', 'ᴏ': 'o', 'ᴠ': 'v', 'ᴡ': 'w', 'ᴢ': 'z',
}

// plain writes a text as a reader takes it in: without what he does not see and without accents, in lower case and Latin
// letters where others look like them, with single spaces.
func plain(text string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFKD.String(text) {
		if r == '\n' || unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if unseen(r) || unicode.Is(unicode.Mn, r) {
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		r = unicode.ToLower(r)
		if latin, found := alike[r]; found {
			r = latin
		}
		b.WriteRune(r)
	}
	return norm.NFC.String(b.String())
}

// digits are those that look like letters, and letters that look like each other.
var digits = strings.NewReplacer("0", "o", "1", "l", "i", "l", "|", "l")

// Skeleton is equal for names that a reader takes for one another.
func Skeleton(name string) string { return digits.Replace(plain(name)) }

// eastern are scripts that are written together, and with Latin letters.
var eastern = []*unicode.RangeTable{unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo}

// mixed reports whether a name has letters of scripts that no language writes together.
func mixed(name string) bool {
	latin, east, others := false, false, map[string]bool{}
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) || unicode.In(r, unicode.Common, unicode.Inherited):
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.In(r, eastern...):
			east = true
		default:
			others[script(r)] = true
		}
	}
	n := len(others)
	return n > 1 || n == 1 && (latin || east)
}

func script(r rune) string {
	found := ""
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			found = name
		}
	}
	return found
}
