package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// hidden are characters that nobody sees, or that change how others are shown: two texts with and without them look
// alike. Among them are the control and format characters, the fillers of Hangul and the variation selectors.
var hidden = []*unicode.RangeTable{
	unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
}

// suspicious says what in a text could deceive its reader; nil where nothing does.
func suspicious(s string) error {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return fmt.Errorf("has the control character U+%04X", c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError:
			return errors.New("is not valid Unicode")
		case unicode.In(r, hidden...):
			return fmt.Errorf("has the invisible character U+%04X", r)
		}
		i += size
	}
	return nil
}

// deceptive says what in the name of a tool could deceive its reader: besides what is [suspicious], characters that look
// like others and letters of scripts that have the same shapes side by side.
func deceptive(name string) error {
	if err := suspicious(name); err != nil || ascii(name) {
		return err
	}
	if !norm.NFKC.IsNormalString(name) {
		return errors.New("has characters that stand for others")
	}
	seen := ""
	for _, r := range name {
		script := shape(r)
		if script != "" && seen != "" && script != seen {
			return fmt.Errorf("mixes letters of %s and %s", seen, script)
		}
		if script != "" {
			seen = script
		}
	}
	return nil
}

// shape names the script of a letter if it shares shapes with others, else "".
func shape(r rune) string {
	for _, name := range []string{"Latin", "Cyrillic", "Greek", "Armenian", "Cherokee", "Coptic", "Lisu"} {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	return ""
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// slashes are characters that are no slash in any of Unicode's forms, and that conversions to older character sets make
// one of ("best fit").
const slashes = "\u2044\u2215\u2216\u2571\u2572\u29f5\u29f8\u29f9"

// disguised reports whether a text has characters that become separators or dots when somebody normalises or converts it
// further than we do, such as a full-width slash.
func disguised(s string) bool {
	if ascii(s) {
		return false
	}
	return strings.ContainsAny(s, slashes) || separators(s) != separators(norm.NFKC.String(s))
}

// separators counts what divides paths and addresses.
func separators(s string) int {
	n := 0
	for i := range len(s) {
		switch s[i] {
		case '/', '\\', '.', ':', '%', '?', '#', '@', ';':
			n++
		}
	}
	return n
}
