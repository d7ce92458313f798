package config

import (
	"math"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// schemaNode is the part of JSON Schema (2020-12) that describes a configuration.
type schemaNode struct {
	Dialect     string                 `json:"$schema,omitzero"`
	Title       string                 `json:"title,omitzero"`
	Description string                 `json:"description,omitzero"`
	Type        any                    `json:"type,omitzero"` // A name, or several.
	AnyOf       []*schemaNode          `json:"anyOf,omitempty"`
	Properties  map[string]*schemaNode `json:"properties,omitempty"`
	Required    []string               `json:"required,omitempty"`
	Additional  any                    `json:"additionalProperties,omitzero"` // false or a *schemaNode.
	Names       *schemaNode            `json:"propertyNames,omitzero"`
	Items       *schemaNode            `json:"items,omitzero"`
	MinItems    int                    `json:"minItems,omitzero"`
	Enum        []string               `json:"enum,omitempty"`
	Pattern     string                 `json:"pattern,omitzero"`
	MinLength   int                    `json:"minLength,omitzero"`
	MaxLength   int                    `json:"maxLength,omitzero"`
	Minimum     *float64               `json:"minimum,omitzero"`
	Maximum     *float64               `json:"maximum,omitzero"`
}

// Schema gives the schema for editors. It accepts every file that [Parse] accepts; Parse also checks what a schema
// cannot say: references, variables, contradictions.
func Schema() ([]byte, error) {
	s := configTable(&Config{}).schema()
	s.Dialect, s.Title, s.Type = "https://json-schema.org/draft/2020-12/schema", "Signalbox configuration", "object"
	return json.MarshalIndent(s)
}

// variablePattern matches texts in which a variable, or an escaped dollar, will be replaced.
const variablePattern = `\$[${]`

// orVariable lets a text with a variable stand for a value of any type.
func orVariable(s *schemaNode) *schemaNode {
	return &schemaNode{AnyOf: []*schemaNode{s, {Type: "string", Pattern: variablePattern}}}
}

func (o object) schema() *schemaNode {
	s := &schemaNode{Type: []string{"object", "null"}, Additional: false, Properties: map[string]*schemaNode{}}
	for _, f := range o.fields {
		if f.value == nil {
			continue
		}
		property := f.value.schema()
		property.Description = f.doc
		s.Properties[f.name] = property
		if f.required {
			s.Required = append(s.Required, f.name)
		}
	}
	if s.Required != nil {
		s.Type = "object"
	}
	return s
}

func (l list[T]) schema() *schemaNode {
	s := &schemaNode{Type: []string{"array", "null"}, Items: l.elem(new(T)).schema(), MinItems: l.least}
	if l.least > 0 {
		s.Type = "array"
	}
	return s
}

func (d dict[T]) schema() *schemaNode {
	return &schemaNode{
		Type: []string{"object", "null"}, Additional: d.elem("", new(T)).schema(),
		Names: &schemaNode{Pattern: d.name.pattern, MaxLength: MaxNameLength},
	}
}

func (t text[S]) schema() *schemaNode {
	s := &schemaNode{Type: "string", MinLength: 1, Enum: t.choices}
	for _, r := range t.rules {
		if s.Pattern == "" {
			s.Pattern = r.pattern
		}
	}
	if s.Pattern == "" && s.Enum == nil {
		return s
	}
	return orVariable(s)
}

func (p parsed[T]) schema() *schemaNode { return orVariable(p.shape()) }

func (v secret) schema() *schemaNode {
	s := &schemaNode{Type: "string", MinLength: v.least}
	if v.least == 0 {
		return s
	}
	return orVariable(s)
}

func (v endpoint) schema() *schemaNode {
	return orVariable(&schemaNode{Type: "string", Pattern: `^https?://`})
}

func (v database) schema() *schemaNode {
	return orVariable(&schemaNode{Type: "string", Pattern: `^sqlite:[^/]|^sqlite:/[^/]|^postgres(ql)?://.`})
}

func integerSchema(least, most int64) *schemaNode {
	s := &schemaNode{Type: "integer", Minimum: float(least)}
	if most != math.MaxInt64 {
		s.Maximum = float(most)
	}
	return s
}

// float is for bounds in the schema, all of which a float holds exactly.
func float(n int64) *float64 { return floatOf(float64(n)) }

func floatOf(f float64) *float64 { return &f }

func rateSchema() *schemaNode {
	return &schemaNode{Type: "number", Minimum: float(0), Maximum: float(1)}
}

func moneySchema() *schemaNode {
	return &schemaNode{Type: []string{"number", "string"}, Minimum: float(0), Pattern: `^[0-9]+(\.[0-9]{1,9}0*)?$`}
}

// durationSchema knows one number, 0: all others need a unit.
func durationSchema() *schemaNode {
	return &schemaNode{Type: []string{"string", "integer"}, Minimum: float(0), Maximum: float(0), Pattern: `^([0-9]+d|0|([0-9]*\.?[0-9]*(ns|us|µs|ms|s|m|h))+)$`}
}

func sizeSchema() *schemaNode {
	return &schemaNode{Type: []string{"integer", "string"}, Minimum: float(0), Pattern: sizes.String()}
}
