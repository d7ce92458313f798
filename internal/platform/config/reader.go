package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader walks one document against the tables and collects every problem.
type reader struct {
	file     string
	env      Env
	options  Options
	problems Problems
	names    map[category]map[string]place
	mentions []mention
	tools    []mention // Patterns over ids of tools.
	placed   map[string]place
	secrets  []secretAt
	cheaper  map[string]downgrade // By model.
	retained []retained
}

// place is where something stands, in the file and in the structure.
type place struct {
	line, column int
	field        string
	hidden       bool // What is declared here came out of a variable: never suggest it.
}

func (r *reader) place(n ast.Node, field string) place {
	p := at(startOf(n), "", "")
	return place{line: p.Line, column: p.Column, field: field}
}

func (r *reader) problem(where place, message, remedy string) {
	r.problems = append(r.problems, Problem{
		File: r.file, Line: where.line, Column: where.column, Field: where.field, Message: message, Remedy: remedy,
	})
}

// scalar is one value with its variables put in.
type scalar struct {
	text     string
	source   string // As it stands in the file; quote this in messages, never text.
	quoted   bool   // Written as text: in quotes or as a block.
	expanded bool   // Holds variables: text may come from the environment.
	kind     ast.NodeType
}

// plain reports whether the value may be read as a number or truth value: it was not written in quotes, or a variable
// made the quotes necessary.
func (s scalar) plain() bool { return !s.quoted || s.expanded }

// shown quotes the value for a message.
func (s scalar) shown() string {
	const longest = 60
	text := s.source
	if len([]rune(text)) > longest {
		text = string([]rune(text)[:longest]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// scalar reads a single value. want completes "must be …".
func (r *reader) scalar(n ast.Node, field, want string) (scalar, bool) {
	s, ok := scalarOf(n)
	if !ok {
		r.wrongType(n, field, want)
		return scalar{}, false
	}
	text, faults := expand(s.source, r.env)
	s.text, s.expanded = text, strings.Contains(s.source, "${")
	for _, f := range faults {
		r.problem(r.place(n, field), f.message, f.remedy)
	}
	return s, len(faults) == 0
}

func scalarOf(n ast.Node) (scalar, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		quoted := n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
		return scalar{source: n.Value, quoted: quoted, kind: n.Type()}, true
	case *ast.LiteralNode:
		return scalar{source: n.Value.Value, quoted: true, kind: n.Type()}, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return scalar{source: n.GetToken().Value, kind: n.Type()}, true
	}
	return scalar{}, false
}

// wrongType says what was found instead.
func (r *reader) wrongType(n ast.Node, field, want string) {
	where := r.place(n, field)
	switch n.Type() {
	case ast.NullType:
		r.problem(where, "has no value", "give "+want+", or remove the key")
	case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType:
		r.problem(where, "anchors, aliases, merge keys and tags of YAML are not supported", "write the value out")
	default:
		r.problem(where, "must be "+want+", not "+article(n), "correct the value")
	}
}

// category is what a name names.
type category string

const (
	aTenant   category = "tenant"
	aKey      category = "key"
	aProvider category = "provider"
	aModel    category = "model"
	aRoute    category = "route"
	anAgent   category = "agent"
	aChannel  category = "channel"
	anAlert   category = "alert rule"
	anIssuer  category = "identity provider"
)

// declare notes a name; names are unique within their category.
func (r *reader) declare(c category, name, shown string, where place) {
	if first, found := r.names[c][name]; found {
		r.problem(where, fmt.Sprintf("%s %s is already declared on line %d", c, shown, first.line), "rename or remove one")
		return
	}
	if r.names[c] == nil {
		r.names[c] = map[string]place{}
	}
	where.hidden = shown != strconv.Quote(name)
	r.names[c][name] = where
}

// mention is a name that must be declared somewhere in the file, before or after.
type mention struct {
	name  string
	shown string
	of    []category
	where place
}

// resolve reports every mention of something that is not declared.
func (r *reader) resolve() {
	for _, m := range r.mentions {
		var known []string
		found := false
		for _, c := range m.of {
			_, declared := r.names[c][m.name]
			found = found || declared
			for name, where := range r.names[c] {
				if !where.hidden {
					known = append(known, name)
				}
			}
		}
		if found {
			continue
		}
		words := make([]string, len(m.of))
		for i, c := range m.of {
			words[i] = string(c)
		}
		kind := strings.Join(words, " or ")
		r.problem(m.where, fmt.Sprintf("no %s is called %s", kind, m.shown),
			remedyFor(m.name, known, "declare it under "+string(m.of[0])+"s, or correct the name"))
	}
}
