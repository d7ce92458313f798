package openapi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// schemas turns schemas of the document into JSON Schema 2020-12, for one tool and one direction. What they refer to goes
// under $defs, once.
type schemas struct {
	*document
	warn func(format string, args ...any)

	// answer is true for schemas of answers. They are hints for readers: servers leave members out and send null, whatever
	// their documents say, and clients refuse answers that do not fit. So nothing is required or bounded, and all may be null.
	answer bool

	names map[string]string          // Of definitions, by pointer.
	order []string                   // Pointers of definitions.
	loops map[string]map[string]bool // Which definitions one leads to without a step into the value, by pointer.
}

func (d *document) schemas(answer bool, warn func(string, ...any)) *schemas {
	return &schemas{
		document: d, answer: answer, warn: warn, names: map[string]string{}, loops: map[string]map[string]bool{},
	}
}

// exclusives are pairs of bounds: in 3.0 the one says whether the other is within.
var exclusives = map[string]string{
	"maximum": "exclusiveMaximum", "minimum": "exclusiveMinimum", "exclusiveMaximum": "maximum", "exclusiveMinimum": "minimum",
}

// spot is where in the document a schema stands.
type spot struct {
	at    string
	owner string // The pointer of the definition it is a part of, as long as no step into the value lies between; else "".
}

func (s spot) under(names ...string) spot  { return spot{under(s.at, names...), s.owner} }
func (s spot) inside(names ...string) spot { return spot{at: under(s.at, names...)} }

// Keywords, by what stands there.
var (
	hereLists   = []string{"allOf", "anyOf", "oneOf"}
	hereOne     = []string{"not", "if", "then", "else"}
	innerOne    = []string{"items", "additionalProperties", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
	innerMaps   = []string{"properties", "patternProperties"}
	plain       = []string{"title", "description", "default", "examples", "deprecated", "format", "contentEncoding", "contentMediaType", "minContains", "maxContains", "dependentRequired"}
	bounds      = []string{"const", "multipleOf", "maximum", "minimum", "maxLength", "minLength", "maxItems", "minItems", "uniqueItems", "maxProperties", "minProperties"}
	unbuildable = []string{"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "id"}
)

// convert gives the schema at a spot.
func (s *schemas) convert(n *node, where spot) ([]byte, error) {
	switch {
	case n.isTrue() || string(n.raw) == "false":
		return n.raw, nil
	case !n.isObject():
		return nil, unbuilt(where.at, "has a schema that is no object")
	}
	for _, name := range unbuildable {
		if n.get(name).text() != "" {
			return nil, unbuilt(where.at, "has a schema with %s", name)
		}
	}
	if dialect := n.get("$schema").text(); dialect != "" && !strings.Contains(dialect, "2020-12") && !strings.Contains(dialect, "oas/3.1") {
		return nil, unbuilt(where.at, "has a schema of the dialect %q", clip(dialect))
	}
	var o object
	if ref := n.get("$ref"); ref.exists() {
		name, err := s.define(ref.text(), where)
		if err != nil {
			return nil, err
		}
		o.text("$ref", "#/$defs/"+name)
		if s.old { // There, what stands beside a reference means nothing.
			return s.counted(o.bytes(), where)
		}
	}
	if err := s.keywords(&o, n, where); err != nil {
		return nil, err
	}
	return s.counted(s.nullable(o.bytes(), n), where)
}

// counted bounds the size.
func (s *schemas) counted(b []byte, where spot) ([]byte, error) {
	most := MaxSchemaBytes
	if s.answer {
		most = maxOutput
	}
	if len(b) > most {
		return nil, unbuilt(where.at, "has schemas of more than %d bytes with all that they refer to", most)
	}
	return b, nil
}

func (s *schemas) keywords(o *object, n *node, where spot) error {
	for _, step := range []func(*object, *node, spot) error{s.simple, s.types, s.limits, s.required, s.here, s.inner, s.tuple} {
		if err := step(o, n, where); err != nil {
			return err
		}
	}
	return nil
}

// simple copies what needs no change.
func (s *schemas) simple(o *object, n *node, _ spot) error {
	for _, name := range plain {
		if s.answer && name == "dependentRequired" {
			continue
		}
		if v := n.get(name); v.exists() {
			o.add(name, v.raw)
		}
	}
	if v := n.get("example"); v.exists() && !n.get("examples").exists() {
		o.add("examples", list([][]byte{v.raw}))
	}
	return nil
}

// types writes what kind of value it is.
func (s *schemas) types(o *object, n *node, where spot) error {
	kinds := n.get("type").texts()
	if kind := n.get("type").text(); kind != "" {
		kinds = []string{kind}
	}
	known := []string{"string", "number", "integer", "boolean", "object", "array", "null"}
	for _, kind := range kinds {
		if !slices.Contains(known, kind) {
			return unbuilt(where.at, "has the type %q", clip(kind))
		}
	}
	if s.null(n) && len(kinds) > 0 && !slices.Contains(kinds, "null") {
		kinds = append(kinds, "null")
	}
	switch len(kinds) {
	case 0:
	case 1:
		o.text("type", kinds[0])
	default:
		o.add("type", quoted(kinds))
	}
	if enum := n.get("enum"); enum.isList() && !s.answer {
		o.add("enum", s.enum(n, enum))
	}
	return nil
}

// enum writes the choices; a value that may be null has it among them.
func (s *schemas) enum(n, enum *node) []byte {
	var values [][]byte
	for _, item := range enum.items {
		values = append(values, item.raw)
	}
	if s.null(n) && !slices.ContainsFunc(enum.items, func(i *node) bool { return string(i.raw) == "null" }) {
		values = append(values, []byte("null"))
	}
	return list(values)
}

// null reports whether a value may be null besides. In answers each may.
func (s *schemas) null(n *node) bool { return s.answer || s.old && n.get("nullable").isTrue() }

// nullable lets null pass where a schema of 3.0 says so without a type.
func (s *schemas) nullable(b []byte, n *node) []byte {
	if !s.null(n) || n.get("type").exists() || s.answer {
		return b
	}
	var o object
	o.add("anyOf", list([][]byte{b, []byte(`{"type":"null"}`)}))
	return o.bytes()
}

// limits writes bounds of a value. Answers have none.
func (s *schemas) limits(o *object, n *node, where spot) error {
	if s.answer {
		return nil
	}
	for _, name := range bounds {
		v := n.get(name)
		if !v.exists() || s.old && n.get(exclusives[name]).isTrue() {
			continue
		}
		o.add(name, v.raw)
	}
	for _, name := range []string{"exclusiveMaximum", "exclusiveMinimum"} {
		v := n.get(name)
		if s.old && v.isTrue() {
			v = n.get(exclusives[name])
		}
		if v.exists() && string(v.raw) != "false" {
			o.add(name, v.raw)
		}
	}
	if p := n.get("pattern"); p.exists() {
		if _, err := regexp.Compile(p.text()); err != nil {
			s.warn("the pattern at %s is not checked, as it is none that is built", place(under(where.at, "pattern")))
			return nil
		}
		o.add("pattern", p.raw)
	}
	return nil
}

// required writes which members must be there: not those that only answers have.
func (s *schemas) required(o *object, n *node, where spot) error {
	if s.answer || !n.get("required").isList() {
		return nil
	}
	var names []string
	for _, name := range n.get("required").texts() {
		hidden, err := s.oneWay(n.get("properties").get(name), under(where.at, "properties", name))
		if err != nil {
			return err
		}
		if !hidden && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		o.add("required", quoted(names))
	}
	return nil
}

// oneWay reports whether a member is for the other direction alone.
func (s *schemas) oneWay(n *node, at string) (bool, error) {
	mark := "readOnly"
	if s.answer {
		mark = "writeOnly"
	}
	target, _, err := s.follow(n, at)
	return err == nil && (n.get(mark).isTrue() || target.get(mark).isTrue()), err
}

// here writes schemas that are about the same value.
func (s *schemas) here(o *object, n *node, where spot) error {
	for _, name := range hereLists {
		if !n.get(name).isList() || s.answer && name == "oneOf" && n.get("anyOf").isList() {
			continue
		}
		var all [][]byte
		for i, item := range n.get(name).items {
			one, err := s.convert(item, where.under(name, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		if s.answer && name == "oneOf" {
			name = "anyOf" // Without their bounds several may fit.
		}
		if len(all) > 0 {
			o.add(name, list(all))
		}
	}
	for _, name := range hereOne {
		if err := s.child(o, n, name, where.under(name)); err != nil {
			return err
		}
	}
	return s.children(o, n, "dependentSchemas", where.under("dependentSchemas"))
}

// inner writes schemas that are about what lies within the value.
func (s *schemas) inner(o *object, n *node, where spot) error {
	for _, name := range innerOne {
		if err := s.child(o, n, name, where.inside(name)); err != nil {
			return err
		}
	}
	for _, name := range innerMaps {
		if err := s.children(o, n, name, where.inside(name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *schemas) tuple(o *object, n *node, where spot) error {
	var all [][]byte
	for i, item := range n.get("prefixItems").items {
		one, err := s.convert(item, where.inside("prefixItems", fmt.Sprint(i)))
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	if len(all) > 0 {
		o.add("prefixItems", list(all))
	}
	return nil
}

// child writes one schema.
func (s *schemas) child(o *object, n *node, name string, where spot) error {
	v := n.get(name)
	if !v.exists() || s.answer && (slices.Contains(hereOne, name) || !v.isObject() || name != "items" && name != "additionalProperties") {
		return nil // What an answer must not be is not for its reader.
	}
	one, err := s.convert(v, where)
	if err == nil {
		o.add(name, one)
	}
	return err
}

// children writes a map of schemas. Members for the other direction alone are left out.
func (s *schemas) children(o *object, n *node, keyword string, where spot) error {
	v := n.get(keyword)
	if !v.isObject() || s.answer && keyword != "properties" {
		return nil
	}
	var all object
	for _, name := range v.names {
		hidden, err := s.oneWay(v.get(name), under(where.at, name))
		switch {
		case err != nil:
			return err
		case hidden && keyword == "properties":
			continue
		}
		if keyword == "patternProperties" {
			if _, err := regexp.Compile(name); err != nil {
				return unbuilt(under(where.at, name), "has a pattern for names that is not built")
			}
		}
		one, err := s.convert(v.get(name), where.under(name))
		if err != nil {
			return err
		}
		all.add(name, one)
	}
	o.add(keyword, all.bytes())
	return nil
}

// define gives the name of the definition that a reference leads to, and sees to it that it is written.
func (s *schemas) define(ref string, where spot) (string, error) {
	_, pointer, err := s.resolve(ref, where.at)
	if err != nil {
		return "", err
	}
	if where.owner != "" {
		if s.loops[where.owner] == nil {
			s.loops[where.owner] = map[string]bool{}
		}
		s.loops[where.owner][pointer] = true
	}
	if name, known := s.names[pointer]; known {
		return name, nil
	}
	name := strings.Trim(unsafeInNames.ReplaceAllString(pointer[strings.LastIndexByte(pointer, '/')+1:], "_"), "_")
	if name == "" {
		name = "schema"
	}
	for n, base := 2, name; slices.ContainsFunc(s.order, func(p string) bool { return s.names[p] == name }); n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	s.names[pointer] = name
	s.order = append(s.order, pointer)
	return name, nil
}

// definitions writes all that was referred to, and what that refers to; nil where nothing was.
func (s *schemas) definitions() ([]byte, error) {
	var all object
	for i := 0; i < len(s.order); i++ {
		pointer := s.order[i]
		n, _, err := s.resolve("#"+pointer, pointer)
		if err != nil {
			return nil, err
		}
		one, err := s.convert(n, spot{at: pointer, owner: pointer})
		if err != nil {
			return nil, err
		}
		all.add(s.names[pointer], one)
		if _, err := s.counted(all.b, spot{at: pointer}); err != nil {
			return nil, err
		}
	}
	if len(s.order) == 0 {
		return nil, nil
	}
	return all.bytes(), s.endless()
}

// endless refuses definitions that lead to themselves without a step into the value: to check one would never end.
func (s *schemas) endless() error {
	state := map[string]int{} // 1: on the way, 2: done.
	var visit func(pointer string) error
	visit = func(pointer string) error {
		switch state[pointer] {
		case 1:
			return unbuilt(pointer, "has a schema that is defined by itself")
		case 2:
			return nil
		}
		state[pointer] = 1
		for next := range s.loops[pointer] {
			if err := visit(next); err != nil {
				return err
			}
		}
		state[pointer] = 2
		return nil
	}
	for _, pointer := range s.order {
		if err := visit(pointer); err != nil {
			return err
		}
	}
	return nil
}

var unsafeInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// with adds definitions to a schema that is an object.
func with(schema, definitions []byte) []byte {
	if definitions == nil {
		return schema
	}
	root, err := json.Parse(schema, json.Limits{CaseVariants: true})
	if err != nil || root.Kind() != '{' {
		return schema
	}
	var o object
	members, _ := root.Object()
	for _, m := range members.All() {
		o.add(m.Name, m.Value.Bytes())
	}
	o.add("$defs", definitions)
	return o.bytes()
}
