package json

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

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
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return &SyntaxError{Reason: "the document starts with a byte order mark"}
	}
	c, ok := checkers.Get().(*checker)
	if !ok {
		c = &checker{dec: jsontext.NewDecoder(new(bytes.Buffer))}
	}
	defer c.release()
	c.data, c.limits, c.source = data, l, *bytes.NewBuffer(data)
	c.dec.Reset(&c.source, jsontext.AllowDuplicateNames(true))
	return c.document()
}

// checkers keeps checkers with their buffers, because every request and every event of a stream needs one.
var checkers sync.Pool

// checker walks one document. The decoder looks at syntax and UTF-8; names and depth are compared here, because the
// decoder knows only exact duplicates.
type checker struct {
	data   []byte
	limits Limits
	source bytes.Buffer // Of data; the decoder reads in place what a bytes.Buffer holds.
	dec    *jsontext.Decoder
	stack  []frame
	names  []nameEntry // Of all objects that are open, the innermost last.
}

// frame is an object or array that is being read.
type frame struct {
	object bool
	atName bool // The next token of the object is a name.
	index  int  // Elements begun so far in an array.
	first  int  // Where the names of the object start.
	wide   map[string]string
}

// nameEntry is a name and its folded spelling.
type nameEntry struct{ key, name []byte }

// release gives the checker back without the document.
func (c *checker) release() {
	clear(c.stack[:cap(c.stack)])
	clear(c.names[:cap(c.names)])
	c.data, c.source, c.stack, c.names = nil, bytes.Buffer{}, c.stack[:0], c.names[:0]
	c.dec.Reset(&c.source)
	checkers.Put(c)
}

// document reads the one value and the end.
func (c *checker) document() error {
	if err := c.value(); err != nil {
		return err
	}
	if _, err := c.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &SyntaxError{Offset: c.dec.InputOffset(), Reason: "data after the end of the document"}
	}
	return nil
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
	end := int(c.dec.InputOffset())
	start := end - len(raw)
	name := unquoted(c.data[start:end]) // What the decoder returns is valid until its next step only.
	if first, ok := c.add(name); !ok {
		return c.errorAt(int64(start), duplicate(string(name), first))
	}
	c.stack[len(c.stack)-1].atName = false
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
		c.pop()
		return nil
	}
	if len(c.stack) >= c.limits.depth() {
		return c.errorAt(c.dec.InputOffset()-1, fmt.Sprintf("nested deeper than %d levels", c.limits.depth()))
	}
	c.stack = append(c.stack, frame{object: kind == '{', atName: kind == '{', first: len(c.names)})
	return nil
}

// pop leaves an object or array and forgets its names.
func (c *checker) pop() {
	top := len(c.stack) - 1
	c.names = c.names[:c.stack[top].first]
	c.stack = c.stack[:top]
	c.valueDone()
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
	var syn *SyntaxError
	if err = asSyntaxError(err); errors.As(err, &syn) {
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
	for i, f := range c.stack[:max(len(c.stack)-1, 0)] {
		b.WriteByte('/')
		if f.object {
			b.WriteString(escape(string(c.names[c.stack[i+1].first-1].name)))
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
func unquote(raw []byte) string { return string(unquoted(raw)) }

// unquoted is unquote that returns a part of raw where it can.
func unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	b, _ := jsontext.AppendUnquote(nil, raw) // The decoder has accepted it.
	return b
}

// smallObject is the number of names up to which a linear search beats a map.
const smallObject = 16

// add keeps a name of the innermost object. It returns false and the earlier spelling if an equal name is there
// already.
func (c *checker) add(name []byte) (first string, ok bool) {
	key := name
	if !c.limits.CaseVariants {
		key = fold(name)
	}
	top := &c.stack[len(c.stack)-1]
	own := c.names[top.first:]
	c.names = append(c.names, nameEntry{key, name})
	if top.wide != nil || len(own) >= smallObject {
		return top.addWide(own, key, name)
	}
	for _, e := range own {
		if bytes.Equal(e.key, key) {
			return string(e.name), false
		}
	}
	return "", true
}

// addWide is add for an object with many names.
func (f *frame) addWide(own []nameEntry, key, name []byte) (first string, ok bool) {
	if f.wide == nil {
		f.wide = make(map[string]string, 2*len(own))
		for _, e := range own {
			f.wide[string(e.key)] = string(e.name)
		}
	}
	if first, found := f.wide[string(key)]; found {
		return first, false
	}
	f.wide[string(key)] = string(name)
	return "", true
}
