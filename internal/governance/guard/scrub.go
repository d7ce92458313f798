package guard

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of a document that is scrubbed.
const (
	MaxScrubbed = 4 << 20 // Bytes of texts and names that are looked at. Encoded pieces do not count.
	MaxChecks   = 2048    // Candidates for phone numbers that are checked; further ones are hidden unchecked.
	MaxFindings = 64      // That are listed; counted are all.
	maxNested   = 4       // Documents within texts of documents.
	minFound    = 6       // No shorter text has anything in it: "a@b.co", "pwd=ab".
	minInteger  = 13      // Digits of a number that could be a card's or a person's.
)

// ErrTooMuch says that a document has more text than anybody looks at.
var ErrTooMuch = fmt.Errorf("it has more than %d bytes of text", MaxScrubbed)

// Scrubber finds what is personal or secret in JSON documents and replaces it there. It has no state and is safe for
// concurrent use.
type Scrubber struct{ set detectors }

// NewScrubber makes a scrubber with these detectors; an empty list is all.
func NewScrubber(list []signalbox.GuardDetector) *Scrubber { return &Scrubber{newDetectors(list)} }

// Finding is one thing that was found.
type Finding struct {
	Detector signalbox.GuardDetector
	Pointer  string // Where, as a JSON pointer (RFC 6901), itself masked.
	Fixed    bool   // It is a name or a number, or in one: nothing can take its place there.
}

// Scrubbed is what was found in a document.
type Scrubbed struct {
	Findings []Finding // The first ones, in the order of the document.
	Counts   map[signalbox.GuardDetector]int64
	Fixed    *Finding // The first that nothing can replace; nil: everything can be.
	Unseen   int64    // Texts that nobody has looked into, because they are encoded.

	root  json.Node
	edits []edit
}

// edit replaces one text.
type edit struct {
	node    json.Node
	value   []byte
	pointer string
}

// Doc gives the document with everything replaced that can be; without edits it is the original itself. All bytes outside
// of the texts that are edited are as they were.
func (s Scrubbed) Doc() ([]byte, error) { return s.apply(s.edits) }

// Single calls f with the document as it would be with one edit alone, for each edit, until f reports false; it gives
// the place of that edit, "" where there is none.
func (s Scrubbed) Single(f func(doc []byte) bool) string {
	for _, e := range s.edits {
		if doc, err := s.apply([]edit{e}); err != nil || !f(doc) {
			return e.pointer
		}
	}
	return ""
}

func (s Scrubbed) apply(edits []edit) ([]byte, error) {
	editor := json.NewEditor(s.root)
	for _, e := range edits {
		editor.Replace(e.node, e.value)
	}
	return editor.Bytes()
}

// Scrub looks at all texts, names and numbers of a document. In what a server answers it passes over what is encoded (the
// data of images and sound, the blobs of resources) and the requestState, which is the server's own; they are counted. The
// error says that the document can not be looked at, or not whole ([ErrTooMuch]).
func (s *Scrubber) Scrub(doc []byte, answer bool) (Scrubbed, error) {
	root, err := json.Parse(doc, json.Limits{CaseVariants: true})
	if err != nil {
		return Scrubbed{}, err
	}
	left, checks := MaxScrubbed, MaxChecks
	w := walk{set: s.set, answer: answer, left: &left, checks: &checks}
	w.out.root = root
	w.value(root, "")
	if left < 0 {
		return Scrubbed{}, ErrTooMuch
	}
	return w.out, nil
}

// Text looks at a plain text, such as the message of an error, and gives it masked. The error is [ErrTooMuch].
func (s *Scrubber) Text(text string) (string, Scrubbed, error) {
	left, checks := MaxScrubbed-len(text), MaxChecks
	if left < 0 {
		return "", Scrubbed{}, ErrTooMuch
	}
	w := walk{set: s.set, left: &left, checks: &checks}
	masked, tags := w.mask(text, "")
	for _, tag := range tags {
		w.found(tag, false)
	}
	return masked, w.out, nil
}

// walk is the way through one document.
type walk struct {
	set    detectors
	answer bool // Of a server.
	left   *int // Bytes that may still be looked at; below zero there are too many.
	checks *int
	depth  int // In documents within texts.
	path   []string
	tags   []string // Of what was found and can be replaced.
	out    Scrubbed
}

// value looks at a value. Name is the member that it belongs to: what is assigned to some names is a secret.
func (w *walk) value(n json.Node, name string) {
	if *w.left < 0 {
		return
	}
	switch n.Kind() {
	case '{':
		w.object(n)
	case '[':
		w.array(n, name)
	case '"':
		w.text(n, name)
	case '0':
		w.number(string(n.Bytes()), name)
	}
}

func (w *walk) object(n json.Node) {
	members, _ := n.Object()
	encoded, has := "", false
	if w.answer {
		encoded, has = encodedIn(members, len(w.path) == 0)
	}
	for _, m := range members.All() {
		w.name(m.Name)
		w.path = append(w.path, m.Name)
		if has && m.Name == encoded {
			w.out.Unseen++
		} else {
			w.value(m.Value, m.Name)
		}
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *walk) array(n json.Node, name string) {
	list, _ := n.Array()
	for i, element := range list {
		w.path = append(w.path, strconv.Itoa(i))
		w.value(element, name)
		w.path = w.path[:len(w.path)-1]
	}
}

// name looks at the name of a member.
func (w *walk) name(name string) {
	if *w.left -= len(name); len(name) < minFound {
		return
	}
	for _, s := range fresh(name, w.set.find(name, w.checks)) {
		w.found(s.tag, true)
	}
}

// number looks at a number as it was written.
func (w *walk) number(digits, name string) {
	if w.assigned(digits, name) {
		w.found(tagSecret, true)
		return
	}
	if len(digits) < minInteger || strings.Trim(digits, "0123456789") != "" {
		return
	}
	for _, s := range w.set.find(digits, w.checks) {
		w.found(s.tag, true)
	}
}

// text looks at a text and notes what is to take its place.
func (w *walk) text(n json.Node, name string) {
	text, _ := n.Text()
	if *w.left -= len(text); *w.left < 0 {
		return
	}
	masked, tags := w.mask(text, name)
	for _, tag := range tags {
		w.found(tag, false)
	}
	if masked != text {
		w.out.edits = append(w.out.edits, edit{n, json.Quote(masked), pointer(w.path)})
	}
}

// found notes a finding.
func (w *walk) found(tag string, fixed bool) {
	if !fixed {
		w.tags = append(w.tags, tag)
	}
	f := Finding{Detector: detectorOf(tag), Fixed: fixed}
	if w.out.Counts == nil {
		w.out.Counts = map[signalbox.GuardDetector]int64{}
	}
	w.out.Counts[f.Detector]++
	if len(w.out.Findings) < MaxFindings || fixed && w.out.Fixed == nil {
		f.Pointer = pointer(w.path)
	}
	if len(w.out.Findings) < MaxFindings {
		w.out.Findings = append(w.out.Findings, f)
	}
	if fixed && w.out.Fixed == nil {
		w.out.Fixed = &f
	}
}

// assigned reports whether a value is a secret because of the name that it is given to.
func (w *walk) assigned(value, name string) bool {
	if !w.set.has(tagSecret) || name == "" || value == tagSecret {
		return false
	}
	var buf [maxName]byte
	if len(name) > maxName {
		name = name[len(name)-maxName:]
	}
	plain := appendPlain(buf[:0], name)
	switch {
	case len(plain) == 0:
		return false
	case strongNames.endOf(plain):
		return strongValue(value)
	case weakNames.endOf(plain):
		return weakValue(value)
	}
	return false
}
