package guard

import (
	"slices"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// mask gives a text with everything replaced that was found in it, and the tags of what was found. A text that is itself
// a document is looked at as one first: what servers give as a structure they repeat as text, and both must come out
// alike.
func (w *walk) mask(text, name string) (masked string, tags []string) {
	if w.assigned(text, name) {
		return tagSecret, []string{tagSecret}
	}
	if len(text) < minFound {
		return text, nil
	}
	for round := 0; ; round++ {
		done, left := w.inner(&text, name, &tags)
		if done {
			return text, tags
		}
		spans := fresh(text, w.set.find(text, w.checks))
		for _, s := range spans {
			tags = append(tags, s.tag)
		}
		switch {
		case len(spans) > 0 && round < maxRounds:
			text = replace(text, spans)
		case len(spans) == 0 && left == nil:
			return text, tags
		case len(spans) == 0: // What is there can not be seen in the text.
			tags = append(tags, "["+string(left.Detector)+"]")
			fallthrough
		default: // It changes with every look.
			return hidden, tags
		}
	}
}

// hidden takes the place of a whole text.
const hidden = "[masked]"

// inner looks at a text that is an object or an array of JSON, and replaces in it what can be. Done says that nothing is
// left in it: otherwise it is no document, or has names and numbers that only a text can be rid of.
func (w *walk) inner(text *string, name string, tags *[]string) (done bool, left *Finding) {
	if w.depth == maxNested || !mayBeDocument(*text) {
		return false, nil
	}
	root, err := json.Parse([]byte(*text), json.Limits{CaseVariants: true})
	if err != nil {
		return false, nil
	}
	budget := len(*text) // Its bytes count already.
	sub := walk{set: w.set, left: &budget, checks: w.checks, depth: w.depth + 1}
	sub.out.root = root
	sub.value(root, name)
	doc, _ := sub.out.Doc() // It does not fail; if it did, nothing would be left of the text.
	*text, *tags = string(doc), append(*tags, sub.tags...)
	return sub.out.Fixed == nil, sub.out.Fixed
}

// mayBeDocument reports whether a text begins and ends like an object or an array.
func mayBeDocument(text string) bool {
	text = strings.Trim(text, " \t\r\n")
	if len(text) < 2 {
		return false
	}
	first, last := text[0], text[len(text)-1]
	return first == '{' && last == '}' || first == '[' && last == ']'
}

// fresh leaves out what is a tag already.
func fresh(text string, spans []span) []span {
	return slices.DeleteFunc(spans, func(s span) bool { return text[s.from:s.to] == s.tag })
}

// encodedIn gives the member of an object that holds encoded data: of an image, of sound, or of a resource; at the top, the
// state that a server wants to have back.
func encodedIn(members json.Members, top bool) (name string, has bool) {
	switch {
	case top && members.Has("requestState"):
		kind, _ := members.Get("resultType").Text()
		return "requestState", kind == "input_required"
	case members.Has("data"):
		kind, _ := members.Get("type").Text()
		return "data", (kind == "image" || kind == "audio") && isEncoded(members.Get("data"))
	case members.Has("blob"):
		return "blob", members.Has("uri") && isEncoded(members.Get("blob"))
	}
	return "", false
}

// isEncoded reports whether a text has nothing but characters of base64, of either alphabet. Anything else is looked at.
func isEncoded(n json.Node) bool {
	if n.Kind() != '"' {
		return false
	}
	raw := n.Bytes()[1 : len(n.Bytes())-1]
	for i, c := range raw {
		slash := c == '\\' && i+1 < len(raw) && raw[i+1] == '/' // Some encoders escape it.
		if !isBase64Char(c) && c != '-' && c != '_' && !slash {
			return false
		}
	}
	return true
}

// maxSegment bounds what a pointer shows of a name, in bytes.
const maxSegment = 64

// segments escapes names as a JSON pointer has them.
var segments = strings.NewReplacer("~", "~0", "/", "~1")

// pointer writes a JSON pointer. Names that have in them what is looked for are masked.
func pointer(path []string) string {
	var b strings.Builder
	for _, segment := range path {
		if len(segment) >= minFound {
			segment = New().Mask(segment)
		}
		if len(segment) > maxSegment {
			segment = strings.ToValidUTF8(segment[:maxSegment], "") + cutMark
		}
		b.WriteByte('/')
		b.WriteString(segments.Replace(segment))
	}
	return b.String()
}
