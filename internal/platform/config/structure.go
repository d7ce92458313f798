package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// value reads one node of the document into the place it was made for, and describes itself for editors. The tables are
// made of values, so that parser and schema cannot differ.
type value interface {
	read(r *reader, n ast.Node, field string)
	schema() *schemaNode
}

// field is one key of an object.
type field struct {
	name     string
	doc      string // One sentence for editors.
	value    value  // nil for a key that later versions know.
	required bool
}

// key is an optional key, need a required one, later one that is designed but not built.
func key(name, doc string, v value) field { return field{name: name, doc: doc, value: v} }

func need(name, doc string, v value) field {
	return field{name: name, doc: doc, value: v, required: true}
}
func later(name string) field { return field{name: name} }

// object is a mapping with known keys.
type object struct {
	fields []field
	check  func(seen) // What concerns several keys; may be nil.
}

// seen is what an object held, for checks that concern several keys.
type seen struct {
	r     *reader
	self  place
	keys  map[string]place
	field string
}

func (s seen) has(name string) bool { return s.keys[name] != place{} }

// problem puts a problem at a key of the object, or at the object if the key is not there.
func (s seen) problem(name, message, remedy string) {
	where, found := s.keys[name]
	if !found {
		where = s.self
		where.field = join(s.field, name)
	}
	s.r.problem(where, message, remedy)
}

// refuse reports keys that have no meaning here.
func (s seen) refuse(why string, names ...string) {
	for _, name := range names {
		if s.has(name) {
			s.problem(name, why, "remove it")
		}
	}
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

func (o object) read(r *reader, n ast.Node, fieldName string) {
	entries, ok := r.entries(n, fieldName, "a mapping")
	if !ok {
		return
	}
	s := seen{r: r, self: r.place(n, fieldName), keys: map[string]place{}, field: fieldName}
	for _, e := range entries {
		path := join(fieldName, e.name)
		f, known := o.find(e.name)
		switch {
		case !known:
			r.problem(r.place(e.key, path), "unknown key", o.suggest(e.name))
		case f.value == nil:
			r.problem(r.place(e.key, path), fmt.Sprintf("`%s` is not built in this version", e.name), "remove it")
		default:
			s.keys[e.name] = r.place(e.value, path)
			r.placed[path] = s.keys[e.name]
			f.value.read(r, e.value, path)
		}
	}
	o.requireAll(s)
	if o.check != nil {
		o.check(s)
	}
}

func (o object) requireAll(s seen) {
	for _, f := range o.fields {
		if f.required && !s.has(f.name) {
			s.problem(f.name, "is missing", "add it: "+f.doc)
		}
	}
}

func (o object) find(name string) (field, bool) {
	i := slices.IndexFunc(o.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return o.fields[i], true
}

func (o object) suggest(name string) string {
	var known []string
	for _, f := range o.fields {
		if f.value != nil {
			known = append(known, f.name)
		}
	}
	return remedyFor(name, known, "remove it; known here: "+strings.Join(known, ", "))
}

// entry is one key of a mapping with its value.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// entries gives a mapping's entries, each name once. A mapping without a value ("tenants:" with everything under it
// commented out) is an empty one.
func (r *reader) entries(n ast.Node, fieldName, want string) ([]entry, bool) {
	if n.Type() == ast.NullType {
		return nil, true
	}
	m, ok := n.(*ast.MappingNode)
	if !ok {
		r.wrongType(n, fieldName, want)
		return nil, false
	}
	var out []entry
	first := map[string]place{}
	for _, v := range m.Values {
		name, ok := keyName(v.Key)
		where := r.place(v.Key, join(fieldName, name))
		earlier, twice := first[name]
		switch {
		case !ok:
			r.problem(r.place(v.Key, fieldName), "a key must be a plain word", "write the key as name: value")
		case twice:
			r.problem(where, fmt.Sprintf("duplicate key, first set on line %d", earlier.line), "keep one")
		default:
			first[name] = where
			out = append(out, entry{name, v.Key, v.Value})
		}
	}
	return out, true
}

// keyName gives the text of a key. Complex keys, anchors, tags and merge keys are none.
func keyName(k ast.MapKeyNode) (string, bool) {
	switch k.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return k.GetToken().Value, true
	}
	return "", false
}

// list is a sequence; every element is read by the value that elem makes for it.
type list[T any] struct {
	into  *[]T
	elem  func(*T) value
	least int
}

func listOf[T any](into *[]T, elem func(*T) value) list[T] { return list[T]{into: into, elem: elem} }

// atLeastOne refuses an empty list.
func (l list[T]) atLeastOne() list[T] {
	l.least = 1
	return l
}

func (l list[T]) read(r *reader, n ast.Node, fieldName string) {
	var nodes []ast.Node
	if n.Type() != ast.NullType {
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			r.wrongType(n, fieldName, "a list")
			return
		}
		nodes = seq.Values
	}
	if len(nodes) < l.least {
		r.problem(r.place(n, fieldName), "the list is empty", "name at least one")
	}
	items := make([]T, len(nodes))
	for i, e := range nodes {
		path := fmt.Sprintf("%s[%d]", fieldName, i)
		r.placed[path] = r.place(e, path)
		l.elem(&items[i]).read(r, e, path)
	}
	*l.into = items
}

// dict is a mapping with names that the user chooses.
type dict[T any] struct {
	into *map[string]T
	name rule // What the names must look like, and what they declare.
	elem func(name string, v *T) value
}

func dictOf[T any](into *map[string]T, name rule, elem func(string, *T) value) dict[T] {
	return dict[T]{into, name, elem}
}

func (d dict[T]) read(r *reader, n ast.Node, fieldName string) {
	entries, ok := r.entries(n, fieldName, "a mapping from names")
	if !ok {
		return
	}
	out := make(map[string]T, len(entries))
	for _, e := range entries {
		path := join(fieldName, e.name)
		d.name.check(r, e.name, strconv.Quote(e.name), r.place(e.key, path))
		var v T
		d.elem(e.name, &v).read(r, e.value, path)
		out[e.name] = v
	}
	*d.into = out
}
