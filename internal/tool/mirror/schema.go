package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Prefix begins the names of all headers that repeat arguments.
const Prefix = "Mcp-Param-"

// keyword names the header of a property.
const keyword = "x-mcp-header"

// MaxHeaders bounds the annotations of one tool: a server's headers have limits too.
const MaxHeaders = 64

// Param is an argument that is repeated in a header.
type Param struct {
	Header string   // With the prefix.
	Path   []string // Of properties, from the arguments to the value.
}

// Read gives the parameters that a tool's input schema says are repeated. The error says what is wrong with an annotation.
func Read(schema json.Value) ([]Param, error) {
	if !bytes.Contains(schema, []byte(keyword)) {
		return nil, nil
	}
	root, err := json.Parse(schema, json.Limits{CaseVariants: true})
	if err != nil {
		return nil, err
	}
	r := reader{taken: map[string]bool{}}
	err = r.schema(root, nil, true)
	return r.params, err
}

// Where schemas stand within a schema. What else there is are texts and examples, in which the keyword is nothing but data.
var (
	single = []string{
		"items", "additionalItems", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
		"not", "if", "then", "else",
	}
	lists = []string{"prefixItems", "items", "allOf", "anyOf", "oneOf"}
	maps  = []string{"patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)

type reader struct {
	params []Param
	taken  map[string]bool
}

// schema reads a schema. Reached is false where a value of it has no fixed place among the arguments.
func (r *reader) schema(n json.Node, path []string, reached bool) error {
	if n.Kind() != '{' {
		return nil // True, false, or nonsense.
	}
	s, err := n.Object()
	if err != nil {
		return err
	}
	if header := s.Get(keyword); header.Exists() {
		if err := r.annotation(header, s.Get("type"), path, reached); err != nil {
			return err
		}
	}
	if err := r.children(s.Get("properties"), path, reached); err != nil {
		return err
	}
	for _, name := range maps {
		if err := r.children(s.Get(name), path, false); err != nil {
			return err
		}
	}
	return r.inner(s, path)
}

// inner reads the schemas whose values have no fixed place.
func (r *reader) inner(s json.Members, path []string) error {
	for _, name := range single {
		if err := r.schema(s.Get(name), path, false); err != nil {
			return err
		}
	}
	for _, name := range lists {
		if s.Get(name).Kind() != '[' {
			continue
		}
		list, err := s.Get(name).Array()
		if err != nil {
			return err
		}
		for _, one := range list {
			if err := r.schema(one, path, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) children(n json.Node, path []string, reached bool) error {
	if n.Kind() != '{' {
		return nil
	}
	all, err := n.Object()
	if err != nil {
		return err
	}
	for _, m := range all.All() {
		if err := r.schema(m.Value, append(slices.Clone(path), m.Name), reached); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) annotation(header, kind json.Node, path []string, reached bool) error {
	wrong := func(what string) error {
		return fmt.Errorf("%s of %q %s", keyword, strings.Join(path, "."), what)
	}
	name, err := header.Text()
	if err != nil || !token(name) {
		return wrong("is no name of a header")
	}
	if !reached || len(path) == 0 {
		return wrong("stands where no single argument is")
	}
	switch t, _ := kind.Text(); t {
	case "string", "integer", "boolean":
	default:
		return wrong("belongs to a value that is no string, integer or boolean")
	}
	fold := strings.ToLower(name)
	if r.taken[fold] {
		return wrong("names the header of another argument")
	}
	r.taken[fold] = true
	if len(r.params) == MaxHeaders {
		return errors.New("the tool has more than 64 arguments with " + keyword)
	}
	r.params = append(r.params, Param{Prefix + name, path})
	return nil
}

// token reports whether HTTP allows the text as a part of a header's name.
func token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}
