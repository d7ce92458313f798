package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/text/unicode/norm"
)

// MaxGlob bounds the text of a glob, in bytes.
const MaxGlob = 1024

// glob is a pattern that was checked.
type glob struct {
	text  string // As written.
	match string // As matched.
	start string // What every match of a pattern begins with; "" is not known.
	kind  globKind
}

type globKind int

const (
	globPattern globKind = iota
	globLiteral
	globAny
)

// meta are the characters that make a text a pattern.
const meta = `*?[{\`

// flatten makes one segment of an id of a tool or name of a model: no wildcard stops at a slash in it. The character it
// puts there can not be in what it is applied to, see [suspicious].
func flatten(s string) string { return strings.ReplaceAll(s, "/", "\x01") }

func newGlob(text string) (glob, error) {
	switch {
	case text == "":
		return glob{}, errors.New("an empty pattern matches nothing")
	case len(text) > MaxGlob:
		return glob{}, fmt.Errorf("a pattern is longer than %d bytes", MaxGlob)
	case !doublestar.ValidatePattern(text):
		return glob{}, fmt.Errorf("%q is not a pattern", text)
	}
	if err := suspicious(text); err != nil {
		return glob{}, fmt.Errorf("the pattern %q %w", text, err)
	}
	g := glob{text: text, match: norm.NFC.String(text)}
	switch {
	case text == "*":
		g.kind = globAny
	case !strings.ContainsAny(text, meta):
		g.kind = globLiteral
	default:
		g.start, _, _ = strings.Cut(g.match[:strings.IndexAny(g.match, meta)], "/")
	}
	return g, nil
}

// newNameGlob is a glob over ids of tools or names of models.
func newNameGlob(text string) (glob, error) {
	g, err := newGlob(text)
	g.match = flatten(g.match)
	return g, err
}

// CheckToolGlob says what is wrong with a glob over ids of tools, as a sentence without its end; nil where nothing is.
func CheckToolGlob(text string) error {
	_, err := newNameGlob(text)
	return err
}

// matches reports whether the glob matches a name, which must be flattened for a glob over names.
func (g glob) matches(name string) bool {
	switch g.kind {
	case globAny:
		return true
	case globLiteral:
		return g.match == name
	case globPattern:
	}
	return name != "" && strings.HasPrefix(name, g.start) && doublestar.MatchUnvalidated(g.match, name)
}

// newGlobs reads a list of globs.
func newGlobs(list []string, read func(string) (glob, error)) ([]glob, error) {
	globs := make([]glob, len(list))
	for i, text := range list {
		g, err := read(text)
		if err != nil {
			return nil, err
		}
		globs[i] = g
	}
	return globs, nil
}

func anyMatches(globs []glob, name string) bool {
	for i := range globs {
		if globs[i].matches(name) {
			return true
		}
	}
	return false
}
