package guard

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// MaxText is the longest text that is looked at, in bytes; the rest is cut. It is also the longest result.
const MaxText = 16 << 10

// Tags that replace what was found.
const (
	tagEmail  = "[email]"
	tagPhone  = "[phone]"
	tagCard   = "[card]"
	tagRRN    = "[rrn]"
	tagSSN    = "[ssn]"
	tagIBAN   = "[iban]"
	tagSecret = "[secret]"
)

// cutMark stands where text was cut.
const cutMark = "…"

// maxRounds bounds how often a text is looked at again because something was replaced in it.
const maxRounds = 4

// Masker hides personal data and secrets. It has no state and is safe for concurrent use.
type Masker struct{}

// New gives the masker with all detectors of this package.
func New() *Masker { return &Masker{} }

// Mask gives the text with everything replaced that a detector found.
func (m *Masker) Mask(text string) string {
	excerpt := isExcerpt(text)
	text = strings.ToValidUTF8(text, "\uFFFD")
	if excerpt { // Its length may have changed just now.
		text = dropWord(text)
	}
	text = cut(text)
	for range maxRounds {
		spans := find(text)
		if len(spans) == 0 {
			return text
		}
		next := cut(replace(text, spans))
		if next == text {
			return text
		}
		text = next
	}
	return hidden // It changes with every look: hide it whole.
}

// cut shortens a text to MaxText. A text that was cut, here or at [signalbox.MaxExcerpt] by the one who took the
// excerpt, may end in the first half of something; its last word is therefore dropped.
func cut(text string) string {
	if len(text) > MaxText {
		end := MaxText - len(cutMark)
		for !utf8.RuneStart(text[end]) {
			end--
		}
		return dropWord(text[:end])
	}
	if isExcerpt(text) {
		return dropWord(text)
	}
	return text
}

// isExcerpt reports whether a text was probably cut at [signalbox.MaxExcerpt], before or in the middle of a character.
func isExcerpt(text string) bool {
	n := len(text)
	return n > signalbox.MaxExcerpt-utf8.UTFMax && n <= signalbox.MaxExcerpt && !strings.HasSuffix(text, cutMark)
}

// maxWord bounds the word that is dropped at a cut. Longer ones are keys and encoded data: whatever of them stays has the
// length that its detector wants.
const maxWord = 128

func dropWord(text string) string {
	from := max(0, len(text)-maxWord)
	if i := strings.LastIndexAny(text[from:], " \t\n\r"); i >= 0 {
		return text[:from+i+1] + cutMark
	}
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	return text[:from] + cutMark
}

// span is a piece of a text and what replaces it.
type span struct {
	from, to int
	tag      string
}

// find runs all detectors.
func find(text string) []span {
	checks := MaxPhoneChecks
	return everything.find(text, &checks)
}

// find runs the detectors of the set that the text has the bytes for. Spans are in order and do not overlap. Checks is how
// many candidates for phone numbers may still be checked.
func (d detectors) find(text string, checks *int) []span {
	if dull(text) {
		return nil
	}
	return d.search(text, checks)
}

func (d detectors) search(text string, checks *int) []span {
	folded := fold(text)
	t := folded.text
	has := look(t)
	var spans []span
	if has.at {
		spans = findEmails(spans, t)
	}
	if has.colon || has.equals {
		spans = findURLUsers(spans, t)
		spans = findAssignments(spans, t)
	}
	if has.joint {
		spans = findTokens(spans, t)
		spans = findPEM(spans, t)
	}
	spans = findBareTokens(spans, t, &has)
	if has.digits >= minDigits {
		spans = findNumbers(spans, t, checks)
		spans = findIBANs(spans, t)
	}
	return folded.original(merge(d.only(spans)))
}

// maxDull is shorter than anything that is found by letters alone: "bearer " and eight more.
const maxDull = 13

// dull reports whether a short text has none of the bytes that something can be found by. Documents are full of such texts.
func dull(text string) bool {
	if len(text) > maxDull {
		return false
	}
	digits := 0
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
			digits++
		case !isAlnum(c) && c != ' ' && c != '/' && c != ',':
			return false
		}
	}
	return digits < minDigits
}

// minDigits is the fewest digits of anything that is made of digits.
const minDigits = 7

// seen says which of the bytes that detectors need a text has.
type seen struct {
	counts                   [256]int32
	at, colon, equals, joint bool
	digits                   int
}

func look(t string) seen {
	var s seen
	for i := range len(t) {
		s.counts[t[i]]++
	}
	has := func(c byte) bool { return s.counts[c] > 0 }
	s.at, s.colon, s.equals = has('@'), has(':'), has('=')
	s.joint = has('-') || has('_') || has('.') || has('+')
	for c := '0'; c <= '9'; c++ {
		s.digits += int(s.counts[c])
	}
	return s
}

// merge joins spans that overlap; the longer one's tag stays. A mail address that begins inside of a secret is the rest of
// a URL's user part with its host, which is no address.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	out := spans[:0]
	for _, s := range spans {
		last := len(out) - 1
		if last < 0 || s.from >= out[last].to {
			out = append(out, s)
			continue
		}
		if s.tag == tagEmail && out[last].tag == tagSecret {
			continue
		}
		if s.to-s.from > out[last].to-out[last].from {
			out[last].tag = s.tag
		}
		out[last].to = max(out[last].to, s.to)
	}
	return out
}

func replace(text string, spans []span) string {
	var b strings.Builder
	b.Grow(len(text))
	done := 0
	for _, s := range spans {
		b.WriteString(text[done:s.from])
		b.WriteString(s.tag)
		done = s.to
	}
	b.WriteString(text[done:])
	return b.String()
}
