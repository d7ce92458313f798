package guard

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a mail address (RFC 5321).
const (
	maxLocal  = 64
	maxDomain = 255
)

// findEmails looks around each "@".
func findEmails(spans []span, t string) []span {
	for i := 0; ; i++ {
		j := strings.IndexByte(t[i:], '@')
		if j < 0 {
			return spans
		}
		i += j
		from, to := localPart(t, i), domain(t, i+1)
		if from < i && to > 0 {
			spans = append(spans, span{from, to, tagEmail})
			i = to - 1
		}
	}
}

// localPart gives the start of the local part that ends at the "@". An ASCII one ends where another script begins: Korean
// glues words to addresses.
func localPart(t string, at int) int {
	low := max(0, at-maxLocal)
	i := at
	for i > low && isLocal(t[i-1]) {
		i--
	}
	if i < at {
		for i < at && t[i] == '.' { // Not the end of the sentence before.
			i++
		}
		return i
	}
	for i > low {
		r, n := utf8.DecodeLastRuneInString(t[low:i])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		i -= n
	}
	return i
}

func isLocal(c byte) bool {
	return isAlnum(c) || strings.IndexByte("._%+-", c) >= 0
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// domain gives the end of a domain with at least one dot and a last label of letters; 0 where there is none.
func domain(t string, from int) int {
	high := min(len(t), from+maxDomain)
	end, labels := 0, 0
	for i := from; ; {
		stop, letters := label(t[:high], i)
		if stop == i {
			return end
		}
		if labels++; labels > 1 && letters {
			end = stop
		}
		if stop >= high || t[stop] != '.' {
			return end
		}
		i = stop + 1
	}
}

// label gives the end of a domain's label and whether it could be the last one: two or more letters, or punycode.
func label(t string, from int) (end int, top bool) {
	i := from
	top = true
	for i < len(t) && (isAlnum(t[i]) || t[i] == '-') {
		top = top && !isDigit(t[i]) && t[i] != '-'
		i++
	}
	if i > from {
		return i, i-from >= 2 && (top || strings.HasPrefix(t[from:i], "xn--"))
	}
	for i < len(t) {
		r, n := utf8.DecodeRuneInString(t[i:])
		if r < utf8.RuneSelf || !unicode.IsLetter(r) {
			break
		}
		i += n
	}
	return i, i > from
}

// maxUserinfo bounds the user part of a URL.
const maxUserinfo = 512

// findURLUsers looks behind each "://" for what ends at an "@".
func findURLUsers(spans []span, t string) []span {
	for i := 0; ; {
		j := strings.Index(t[i:], "://")
		if j < 0 {
			return spans
		}
		i += j + len("://")
		authority := t[i:min(len(t), i+maxUserinfo)]
		if end := strings.IndexAny(authority, "/?# \t\r\n\"'<>"); end >= 0 {
			authority = authority[:end]
		}
		if at := strings.LastIndexByte(authority, '@'); at > 0 {
			spans = append(spans, span{i, i + at, tagSecret})
		}
	}
}
