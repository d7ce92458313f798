package guard

import (
	"strings"
	"unicode/utf8"
)

// strong are names whose value is a secret whatever it looks like. Names are compared without case, "_", "-", "." and
// space, by their end: "db_password" and "X-Api-Key" are covered.
var strong = []string{
	"password", "passwd", "passphrase", "pwd", "passcode", "secret", "secretkey", "apikey", "accesskey", "accesskeyid",
	"privatekey", "clientsecret", "signingkey", "encryptionkey", "accountkey", "credential", "credentials",
	"비밀번호", "패스워드", "암호", "비번", "인증번호",
}

// weak are names that often have harmless values: what is assigned must look like a secret.
var weak = []string{"token", "auth", "authorization", "key", "cookie", "setcookie", "session", "sessionid", "signature", "sig", "토큰"}

// Bounds of assignments, in bytes.
const (
	maxName      = 48
	maxValue     = 1024
	minStrong    = 2  // A shorter value says nothing.
	minWeak      = 12 // And a digit.
	maxQuoteGlue = 6  // Spaces, quotes and backslashes between name, sign and value.
)

// findAssignments looks at each ":" and "=".
func findAssignments(spans []span, t string) []span {
	for i := 0; i < len(t); i++ {
		if t[i] != ':' && t[i] != '=' {
			continue
		}
		kind, _ := nameBefore(t, i)
		if kind == nil {
			continue
		}
		from, to := valueAfter(t, i+1)
		if good := kind(t[from:to]); good {
			spans = append(spans, span{from, to, tagSecret})
			i = to - 1
		}
	}
	return spans
}

func strongValue(s string) bool { return utf8.RuneCountInString(s) >= minStrong }

func weakValue(s string) bool {
	return len(s) >= minWeak && hasDigit(s) && strings.Trim(s, "0123456789.,:-T ") != ""
}

// nameBefore gives what a value must be like for the name before a sign, nil for a name that is no secret's, and whether
// the name is one of the strong ones.
func nameBefore(t string, sign int) (kind func(string) bool, isStrong bool) {
	end := sign
	for low := max(0, sign-maxQuoteGlue); end > low && strings.IndexByte(" \t\"'`\\", t[end-1]) >= 0; {
		end--
	}
	from := end
	for low := max(0, end-maxName); from > low && isName(t[from-1]); {
		from--
	}
	var buf [maxName]byte
	name := appendPlain(buf[:0], t[from:end])
	switch {
	case len(name) == 0:
		return nil, false
	case strongNames.endOf(name):
		return strongValue, true
	case weakNames.endOf(name):
		return weakValue, false
	}
	return nil, false
}

// appendPlain gives a name in small ASCII letters without what joins its words.
func appendPlain(b []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_', c == '-', c == '.', c == ' ':
		case c >= 'A' && c <= 'Z':
			b = append(b, c-'A'+'a')
		default:
			b = append(b, c)
		}
	}
	return b
}

// names is a list of names by their last byte.
type names [256][]string

func newNames(list []string) *names {
	var n names
	for _, s := range list {
		c := s[len(s)-1]
		n[c] = append(n[c], s)
	}
	return &n
}

var strongNames, weakNames = newNames(strong), newNames(weak)

// endOf reports whether one of the names is the end of this one, which is not empty.
func (n *names) endOf(name []byte) bool {
	for _, s := range n[name[len(name)-1]] {
		if len(name) >= len(s) && string(name[len(name)-len(s):]) == s {
			return true
		}
	}
	return false
}

// isName covers the letters of all scripts: bytes of multi-byte characters count.
func isName(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' || c >= utf8.RuneSelf }

// valueAfter gives the value behind a sign: what is between quotes, or the next word. Words that name a scheme
// ("Basic", "Bearer") belong to the value.
func valueAfter(t string, i int) (from, to int) {
	high := min(len(t), i+maxQuoteGlue)
	quote := byte(0)
	for i < high && strings.IndexByte(" \t\"'`\\=>", t[i]) >= 0 {
		if c := t[i]; c == '"' || c == '\'' || c == '`' {
			quote = c
		}
		i++
	}
	from, high = i, min(len(t), i+maxValue)
	if quote != 0 {
		for i < high && t[i] != quote && t[i] != '\n' {
			i++
		}
		for i > from && t[i-1] == '\\' { // The quote was escaped.
			i--
		}
		return from, i
	}
	for _, scheme := range []string{"Bearer ", "bearer ", "Basic ", "basic ", "token "} {
		if strings.HasPrefix(t[i:high], scheme) {
			i += len(scheme)
			break
		}
	}
	for i < high && strings.IndexByte(" \t\r\n\"'`,;&<>(){}", t[i]) < 0 {
		i++
	}
	return from, i
}
