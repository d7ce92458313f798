package json

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Editor collects changes to one checked document and applies them in one pass. Spans that no change names are
// copied byte for byte: white space, order of members, spelling of numbers and escapes all survive.
//
// The first mistake (a value that is not JSON, a member that is not there, changes that overlap, a node of another
// document) is kept and returned by [Editor.Bytes]. An Editor is not safe for concurrent use.
type Editor struct {
	doc     []byte
	splices []splice
	objects map[int]*objectEdit // By the offset of the object.
	err     error
}

// splice replaces a span by new bytes.
type splice struct {
	Span
	with []byte
}

// objectEdit collects the structural changes of one object, because where commas go depends on all of them together.
type objectEdit struct {
	members  Members
	deleted  map[int]bool
	inserted [][]byte // `"name":value`.
	names    []string
}

// NewEditor returns an Editor of the document that n is part of.
func NewEditor(n Node) *Editor {
	return &Editor{doc: n.doc, objects: map[int]*objectEdit{}}
}

// Replace puts value in the place of n.
func (e *Editor) Replace(n Node, value []byte) {
	if !e.accepts(n) || !e.valid(value) {
		return
	}
	e.splices = append(e.splices, splice{n.Span, value})
}

// Insert adds a member at the end of the object. A member of that name, also in another spelling, is a mistake.
func (e *Editor) Insert(m Members, name string, value []byte) {
	if !e.accepts(m.object) || !e.valid(value) {
		return
	}
	o := e.object(m)
	for i, member := range m.list {
		if !o.deleted[i] && foldString(member.Name) == foldString(name) {
			e.fail(fmt.Errorf("insert: the object already has the member %q", member.Name))
			return
		}
	}
	if slices.ContainsFunc(o.names, func(s string) bool { return foldString(s) == foldString(name) }) {
		e.fail(fmt.Errorf("insert: the member %q is inserted twice", name))
		return
	}
	o.names = append(o.names, name)
	o.inserted = append(o.inserted, slices.Concat(Quote(name), []byte(":"), value))
}

// Delete removes the member with its comma.
func (e *Editor) Delete(m Members, name string) {
	i := m.index(name)
	if i < 0 {
		e.fail(fmt.Errorf("delete: the object has no member %q", name))
		return
	}
	if e.accepts(m.object) {
		e.object(m).deleted[i] = true
	}
}

// Set replaces the member's value, or inserts the member if there is none.
func (e *Editor) Set(m Members, name string, value []byte) {
	if n := m.Get(name); n.Exists() {
		e.Replace(n, value)
		return
	}
	e.Insert(m, name, value)
}

// Bytes returns the changed document, or the first mistake. Without changes it returns the document itself.
func (e *Editor) Bytes() ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	all := slices.Clone(e.splices)
	for _, o := range e.objects {
		all = append(all, o.splices()...)
	}
	if len(all) == 0 {
		return e.doc, nil
	}
	// An insertion at the very place where a deletion ends comes after it.
	slices.SortStableFunc(all, func(a, b splice) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return apply(e.doc, all)
}

// apply copies doc with the sorted splices.
func apply(doc []byte, all []splice) ([]byte, error) {
	var out bytes.Buffer
	at := 0
	for _, s := range all {
		if s.Start < at {
			return nil, fmt.Errorf("edits overlap at offset %d", s.Start)
		}
		out.Write(doc[at:s.Start])
		out.Write(s.with)
		at = s.End
	}
	out.Write(doc[at:])
	return out.Bytes(), nil
}

// accepts reports whether n is of this document and no mistake was made before.
func (e *Editor) accepts(n Node) bool {
	if !n.Exists() || len(e.doc) == 0 || &n.doc[0] != &e.doc[0] {
		e.fail(errors.New("edit: the node is not part of the document"))
	}
	return e.err == nil
}

// valid reports whether value is one JSON value.
func (e *Editor) valid(value []byte) bool {
	if !Value(value).IsValid() {
		e.fail(errors.New("edit: the new value is not valid JSON"))
	}
	return e.err == nil
}

func (e *Editor) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// object returns the collected changes of an object.
func (e *Editor) object(m Members) *objectEdit {
	o := e.objects[m.object.Start]
	if o == nil {
		o = &objectEdit{members: m, deleted: map[int]bool{}}
		e.objects[m.object.Start] = o
	}
	return o
}

// splices turns the changes of the object into changes of bytes.
func (o *objectEdit) splices() []splice {
	var all []splice
	for i := 0; i < len(o.members.list); i++ {
		if !o.deleted[i] {
			continue
		}
		first := i
		for o.deleted[i+1] {
			i++
		}
		all = append(all, splice{Span: o.gap(first, i)})
	}
	if len(o.inserted) > 0 {
		all = append(all, o.insertion())
	}
	return all
}

// gap is the span that goes away with the members first to last: with the comma before them, or after them if they
// are the first ones.
func (o *objectEdit) gap(first, last int) Span {
	list := o.members.list
	switch {
	case first > 0:
		return Span{list[first-1].Value.End, list[last].Value.End}
	case last+1 < len(list):
		return Span{list[0].NameSpan.Start, list[last+1].NameSpan.Start}
	}
	return Span{list[0].NameSpan.Start, list[last].Value.End}
}

// insertion puts the new members behind the last one.
func (o *objectEdit) insertion() splice {
	at := o.members.object.Start + 1
	if n := len(o.members.list); n > 0 {
		at = o.members.list[n-1].Value.End
	}
	text := bytes.Join(o.inserted, []byte(","))
	if len(o.deleted) < len(o.members.list) {
		text = append([]byte(","), text...)
	}
	return splice{Span{at, at}, text}
}
