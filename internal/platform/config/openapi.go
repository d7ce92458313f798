package config

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of an OpenAPI document.
const (
	MaxOpenAPIBytes  = 8 << 20 // As JSON.
	MaxOpenAPIYAML   = 2 << 20 // As YAML, whose reader is slower.
	MaxOpenAPITokens = 400_000 // Of YAML.
)

// openAPIFile reads the document with the configuration, so that both change together. What it means is for
// [Options.CheckPolicy].
func openAPIFile(f *OpenAPIFile) value {
	return textInto(&f.Path, singleLine, rule{check: func(r *reader, text, shown string, where place) {
		data, ok := r.readNamed(text, shown, where, MaxOpenAPIBytes, "describe the API in it, or remove it here")
		if !ok {
			return
		}
		converted, p := documentJSON(data)
		if p != nil {
			at := ""
			if p.Line > 0 {
				at = fmt.Sprintf(", line %d, column %d", p.Line, p.Column)
			}
			r.problem(where, shown+at+": "+oneLine(p.Message), p.Remedy)
			return
		}
		f.Text = string(converted)
	}})
}

// documentJSON gives a document in YAML as JSON, and one in JSON as it is.
func documentJSON(data []byte) ([]byte, *Problem) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		if err := json.Check(data, json.Limits{CaseVariants: true}); err == nil || len(data) > MaxOpenAPIYAML {
			return data, problemOf(err)
		}
	}
	body, p := documentYAML(data)
	if p != nil {
		return nil, p
	}
	w := yamlWriter{}
	w.write(body)
	return w.out, w.problem
}

func problemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	return &Problem{Message: "is no strict JSON: " + err.Error(), Remedy: "correct it"}
}

func documentYAML(data []byte) (ast.Node, *Problem) {
	if len(data) > MaxOpenAPIYAML {
		return nil, &Problem{Message: fmt.Sprintf("is larger than %d bytes", MaxOpenAPIYAML), Remedy: "convert it to JSON, which may be larger, or split it"}
	}
	if p := checkText(data); p != nil {
		return nil, p
	}
	var tokens token.Tokens
	file, err := guarded(func() (*ast.File, error) {
		tokens = lexer.Tokenize(string(data))
		if len(tokens) > MaxOpenAPITokens || tooDeep(tokens) != nil {
			return &ast.File{}, nil
		}
		return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	})
	switch deep := tooDeep(tokens); {
	case err != nil:
		return nil, syntaxProblem(err, data)
	case len(tokens) > MaxOpenAPITokens:
		return nil, &Problem{Message: fmt.Sprintf("has more than %d YAML tokens", MaxOpenAPITokens), Remedy: "convert it to JSON, or split it"}
	case deep != nil:
		return nil, at(deep, fmt.Sprintf("lists and mappings are nested deeper than %d", MaxDepth), "flatten them")
	}
	return onlyDocument(file)
}

// yamlWriter writes YAML as JSON and stops at the first problem.
type yamlWriter struct {
	out     []byte
	problem *Problem
}

func (w *yamlWriter) fail(n ast.Node, message, remedy string) {
	if w.problem == nil {
		w.problem = at(startOf(n), message, remedy)
	}
}

func (w *yamlWriter) write(n ast.Node) {
	if w.problem != nil {
		return
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		w.mapping(n)
	case *ast.SequenceNode:
		w.out = append(w.out, '[')
		for i, item := range n.Values {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.write(item)
		}
		w.out = append(w.out, ']')
	case *ast.StringNode:
		w.out = json.AppendQuote(w.out, n.Value)
	case *ast.LiteralNode:
		w.out = json.AppendQuote(w.out, n.Value.Value)
	case *ast.BoolNode:
		w.out = strconv.AppendBool(w.out, n.Value)
	case *ast.NullNode:
		w.out = append(w.out, "null"...)
	case *ast.IntegerNode:
		w.out = append(w.out, fmt.Sprint(n.Value)...)
	case *ast.FloatNode:
		w.number(n)
	default:
		w.fail(n, "anchors, aliases, merge keys, tags and numbers that are none are not read", "write the value out")
	}
}

// number writes a number with a fraction as it stands there, where JSON writes it so.
func (w *yamlWriter) number(n *ast.FloatNode) {
	text := n.GetToken().Value
	if json.Check([]byte(text), json.Limits{}) != nil {
		text = strconv.FormatFloat(n.Value, 'g', -1, 64)
	}
	w.out = append(w.out, text...)
}

func (w *yamlWriter) mapping(n *ast.MappingNode) {
	seen := map[string]bool{}
	w.out = append(w.out, '{')
	for i, entry := range n.Values {
		name, ok := keyName(entry.Key)
		switch {
		case !ok:
			w.fail(entry.Key, "a key must be a plain word", "write the key as name: value")
			return
		case seen[name]:
			w.fail(entry.Key, fmt.Sprintf("the key %q is there twice", name), "keep one")
			return
		}
		if seen[name] = true; i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(json.AppendQuote(w.out, strings.ToValidUTF8(name, "?")), ':')
		w.write(entry.Value)
	}
	w.out = append(w.out, '}')
}
