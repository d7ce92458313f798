package guard

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// folded is a text as the detectors see it, and the way back.
type folded struct {
	text string
	back []int32 // The original offset of each byte of text and of its end; nil where text is the original.
}

// fold makes the text that detectors look at. Most texts have nothing to fold and are taken as they are.
func fold(text string) folded {
	if !foldable(text) {
		return folded{text: text}
	}
	b := make([]byte, 0, len(text))
	back := make([]int32, 0, len(text)+1)
	for i := 0; i < len(text); {
		r, size := readRune(text[i:])
		n := len(b)
		if r = foldRune(r); r >= 0 {
			b = utf8.AppendRune(b, r)
		}
		for range len(b) - n {
			back = append(back, int32(i))
		}
		i += size
	}
	return folded{text: string(b), back: append(back, int32(len(text)))}
}

// original moves spans from the folded text to the original.
func (f folded) original(spans []span) []span {
	if f.back == nil {
		return spans
	}
	for i, s := range spans {
		spans[i].from, spans[i].to = int(f.back[s.from]), int(f.back[s.to])
	}
	return spans
}

// readRune reads the character at the start of a text: one that is written as \u0040 or %40 is what it stands for.
func readRune(text string) (rune, int) {
	switch text[0] {
	case '\\':
		if len(text) >= 6 && text[1] == 'u' {
			if n, err := strconv.ParseUint(text[2:6], 16, 16); err == nil && n >= ' ' && utf8.ValidRune(rune(n)) {
				return rune(n), 6
			}
		}
	case '%':
		if len(text) >= 3 {
			if n, err := strconv.ParseUint(text[1:3], 16, 7); err == nil && n >= ' ' && n != '\x7f' {
				return rune(n), 3
			}
		}
	}
	return utf8.DecodeRuneInString(text)
}

func foldable(text string) bool {
	for i := 0; i < len(text); {
		if c := text[i]; c == '\\' || c == '%' {
			if _, n := readRune(text[i:]); n > 1 {
				return true
			}
		}
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if foldRune(r) != r {
			return true
		}
		i += n
	}
	return false
}

// foldRune gives what a character counts as, -1 for one without width.
func foldRune(r rune) rune {
	switch {
	case r < 0xA0 || (r >= 0x3131 && r <= 0x318E) || (r >= 0x4E00 && r <= 0x9FFF) || (r >= 0xAC00 && r <= 0xD7A3):
		return r // ASCII, and the scripts that most texts here are written in.
	case r >= 0xFF01 && r <= 0xFF5E:
		return r - 0xFF01 + '!'
	case r == 0xAD || r == 0x34F || (r >= 0xFE00 && r <= 0xFE0F) || unicode.Is(unicode.Cf, r):
		return -1
	case r == 0x2212 || unicode.Is(unicode.Pd, r):
		return '-'
	case unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.Is(unicode.Nd, r):
		return digit(r)
	}
	return r
}

// digit gives the ASCII digit of a decimal digit: Unicode has them in rows of ten that begin at a zero, and
// each range of its table at the first of one or more rows.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}
