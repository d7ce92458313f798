package json

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how many objects and arrays may contain one another in an accepted document. Requests of the model
// APIs stay below 20, JSON schemas of tools below 40.
const MaxDepth = 128

// Limits are the bounds of a check. The zero value is the strict one.
type Limits struct {
	// MaxDepth replaces the constant of the same name if it is above zero.
	MaxDepth int
	// CaseVariants permits names in one object that differ only by case. It is for documents whose names are data,
	// such as answers with arguments that a model chose; exact duplicates stay refused.
	CaseVariants bool
}

func (l Limits) depth() int {
	if l.MaxDepth > 0 {
		return l.MaxDepth
	}
	return MaxDepth
}

// Check reads data once and returns nil if it is exactly one JSON value with exactly one reading. Otherwise it
// returns a *[SyntaxError] for the first fault.
func Check(data []byte, l Limits) error {
	c := checker{data: data, limits: l}
	c.dec = jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return &SyntaxError{Reason: "the document starts with a byte order mark"}
	}
	if err := c.value(); err != nil {
		return err
	}
	if _, err := c.dec.ReadToken(); err != io.EOF {
		return &SyntaxError{Offset: c.dec.InputOffset(), Reason: "data after the end of the document"}
	}
	return nil
}

// checker walks one document. The decoder looks at syntax and UTF-8; names and depth are compared here, because the
// decoder knows only exact duplicates.
type checker struct {
	data   []byte
	limits Limits
	dec    *jsontext.Decoder
	stack  []frame
}

// frame is an object or array that is being read.
type frame struct {
	object bool
	atName bool   // The next token of the object is a name.
	last   string // The name last read.
	index  int    // Elements begun so far in an array.
	names  nameSet
}

// value reads one complete value, whatever it contains.
func (c *checker) value() error {
	for {
		c.step()
		if c.wantsName() {
			if err := c.name(); err != nil {
				return err
			}
			continue
		}
		if err := c.token(); err != nil {
			return err
		}
		if len(c.stack) == 0 {
			return nil
		}
	}
}

// step counts the element of an array that is about to be read.
func (c *checker) step() {
	if n := len(c.stack); n > 0 && !c.stack[n-1].object {
		c.stack[n-1].index++
	}
}

func (c *checker) wantsName() bool {
	n := len(c.stack)
	return n > 0 && c.stack[n-1].atName && c.dec.PeekKind() == '"'
}

// name reads the name of a member and compares it with those before it.
func (c *checker) name() error {
	raw, err := c.dec.ReadValue()
	if err != nil {
		return c.fail(err)
	}
	top := &c.stack[len(c.stack)-1]
	name := unquote(raw)
	if first, ok := top.names.add(name, c.limits.CaseVariants); !ok {
		return c.errorAt(c.dec.InputOffset()-int64(len(raw)), duplicate(name, first))
	}
	top.last, top.atName = name, false
	return nil
}

// token reads a value or the end of an object or array.
func (c *checker) token() error {
	kind := c.dec.PeekKind()
	if kind != '{' && kind != '[' && kind != '}' && kind != ']' {
		return c.scalar()
	}
	if _, err := c.dec.ReadToken(); err != nil {
		return c.fail(err)
	}
	if kind == '}' || kind == ']' {
		c.stack = c.stack[:len(c.stack)-1]
		c.valueDone()
		return nil
	}
	if len(c.stack) >= c.limits.depth() {
		return c.errorAt(c.dec.InputOffset()-1, fmt.Sprintf("nested deeper than %d levels", c.limits.depth()))
	}
	c.stack = append(c.stack, frame{object: kind == '{', atName: kind == '{'})
	return nil
}

// scalar reads a string, number or literal.
func (c *checker) scalar() error {
	if err := c.dec.SkipValue(); err != nil {
		return c.fail(err)
	}
	c.valueDone()
	return nil
}

// valueDone makes the enclosing object expect a name again.
func (c *checker) valueDone() {
	if n := len(c.stack); n > 0 {
		c.stack[n-1].atName = c.stack[n-1].object
	}
}

// fail reports a fault of syntax.
func (c *checker) fail(err error) error {
	err = asSyntaxError(err)
	if syn, ok := err.(*SyntaxError); ok {
		return syn
	}
	return &SyntaxError{Offset: c.dec.InputOffset(), Pointer: c.pointer(), Reason: reason(err)}
}

func (c *checker) errorAt(offset int64, text string) error {
	return &SyntaxError{Offset: offset, Pointer: c.pointer(), Reason: text}
}

// pointer names the object or array that is being read.
func (c *checker) pointer() string {
	var b strings.Builder
	for _, f := range c.stack[:max(len(c.stack)-1, 0)] {
		b.WriteByte('/')
		if f.object {
			b.WriteString(escape(f.last))
		} else {
			b.WriteString(strconv.Itoa(f.index - 1))
		}
	}
	return b.String()
}

// escape writes a name for use in a JSON pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// duplicate is the text for a name that was seen before, perhaps spelt otherwise.
func duplicate(name, first string) string {
	if name == first {
		return fmt.Sprintf("duplicate name %q", name)
	}
	return fmt.Sprintf("duplicate name %q (also written %q)", name, first)
}

// unquote returns the string that a valid JSON string stands for.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	b, _ := jsontext.AppendUnquote(nil, raw) // The decoder has accepted it.
	return string(b)
}

// smallObject is the number of names up to which a linear search beats a map.
const smallObject = 12

// nameSet holds the names of one object, by their folded spelling.
type nameSet struct {
	list []nameEntry
	more map[string]string
}

type nameEntry struct{ key, name string }

// add inserts name. It returns false and the earlier spelling if an equal name is there already.
func (s *nameSet) add(name string, exact bool) (first string, ok bool) {
	key := name
	if !exact {
		key = fold(name)
	}
	if s.more != nil {
		if first, found := s.more[key]; found {
			return first, false
		}
		s.more[key] = name
		return "", true
	}
	for _, e := range s.list {
		if e.key == key {
			return e.name, false
		}
	}
	s.list = append(s.list, nameEntry{key, name})
	if len(s.list) > smallObject {
		s.spill()
	}
	return "", true
}

// spill moves a list that grew long into a map.
func (s *nameSet) spill() {
	s.more = make(map[string]string, 2*len(s.list))
	for _, e := range s.list {
		s.more[e.key] = e.name
	}
	s.list = nil
}
