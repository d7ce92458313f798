package signalbox

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// PathTemplate is the path of a request to an HTTP API, with arguments in braces: "/pets/{pet}/photos/{photo}". It begins
// with a slash and has no query.
type PathTemplate string

// Arguments gives the names of the arguments, in order; one that stands twice is there twice.
func (t PathTemplate) Arguments() []string {
	var names []string
	t.walk(func(string) {}, func(name string) { names = append(names, name) })
	return names
}

// Fill puts values in the place of arguments, each percent-encoded so that it stays within its segment: all bytes but
// letters, digits and "-._~" are. What comes out is both what is sent and what policies decide about.
//
// A value that servers are known to read as structure all the same is refused: an empty one, steps such as "..", empty
// steps between slashes, backslashes, control characters, and what is percent-encoded already. The error of the function
// and its own are of code invalid and name the argument.
func (t PathTemplate) Fill(value func(argument string) (string, error)) (string, error) {
	var b strings.Builder
	var failure error
	t.walk(func(literal string) { b.WriteString(literal) }, func(name string) {
		if failure != nil {
			return
		}
		text, err := value(name)
		if err == nil {
			err = checkSegment(name, text)
		}
		if failure = err; failure == nil {
			escapeSegment(&b, text)
		}
	})
	return b.String(), failure
}

// walk gives the parts in order. A brace that is never closed is a part of the text.
func (t PathTemplate) walk(literal, argument func(string)) {
	rest := string(t)
	for {
		before, after, open := strings.Cut(rest, "{")
		name, next, closed := strings.Cut(after, "}")
		if !open || !closed {
			literal(rest)
			return
		}
		literal(before)
		argument(name)
		rest = next
	}
}

// encoded is what a server that decodes twice would decode once more.
var encoded = regexp.MustCompile("%[0-9a-fA-F]{2}")

func checkSegment(argument, text string) error {
	wrong := ""
	switch {
	case text == "":
		wrong = "is empty, so that the request would go to another path"
	case !utf8.ValidString(text):
		wrong = "is not valid Unicode"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		wrong = "has a control character"
	case strings.Contains(text, `\`):
		wrong = "has a backslash, which some servers read as a slash"
	case encoded.MatchString(text):
		wrong = "is percent-encoded already, so that it could be decoded twice"
	case hasSteps(text):
		wrong = `has a step such as "..", or an empty one, between its slashes`
	default:
		return nil
	}
	return Errorf(CodeInvalid, "The argument %q, which stands in the path of the request, %s.", argument, wrong).
		WithField("arguments." + argument).WithRemedy("Give the plain name or number of one thing.")
}

// hasSteps reports whether a server that takes encoded slashes for slashes would find steps: what is empty, or nothing but
// dots and blanks, perhaps before a ";".
func hasSteps(text string) bool {
	for step := range strings.SplitSeq(text, "/") {
		before, _, _ := strings.Cut(step, ";")
		if strings.Trim(before, ". ") == "" {
			return true
		}
	}
	return false
}

func escapeSegment(b *strings.Builder, text string) {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
}
