package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a configuration file. The YAML parser is recursive and takes time that grows with the square of the number
// of entries of one mapping; within these bounds it stays below a few seconds and a few megabytes of stack.
const (
	MaxFileBytes = 1 << 20 // 1 MiB.
	MaxTokens    = 60_000  // About 20,000 lines.
	MaxDepth     = 64      // How deep lists and mappings may lie in one another.
)

// parseYAML gives the body of the only document. The second result is why there is none.
func parseYAML(data []byte) (ast.Node, *Problem) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if p := checkBytes(data); p != nil {
		return nil, p
	}
	tokens, p := tokenize(data)
	if p != nil {
		return nil, p
	}
	file, err := guarded(func() (*ast.File, error) { return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) })
	if err != nil {
		return nil, syntaxProblem(err, data)
	}
	return onlyDocument(file)
}

// checkBytes refuses what no YAML file can hold.
func checkBytes(data []byte) *Problem {
	if len(data) > MaxFileBytes {
		return &Problem{Message: fmt.Sprintf("the file is larger than %d bytes", MaxFileBytes), Remedy: "make it smaller"}
	}
	return checkText(data)
}

// checkText finds the first byte that no YAML file can hold.
func checkText(data []byte) *Problem {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{Line: line, Column: column, Message: "not UTF-8", Remedy: "save the file as UTF-8"}
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f, r == '\ufeff':
			return &Problem{
				Line: line, Column: column, Message: fmt.Sprintf("control character %U", r),
				Remedy: `remove it; in a double-quoted value write \x or \u with its number`,
			}
		case r == '\n':
			line, column = line+1, 0
		}
		i, column = i+size, column+1
	}
	return nil
}

// tokenize also refuses what would make the recursive parser run away.
func tokenize(data []byte) (token.Tokens, *Problem) {
	var tokens token.Tokens
	_, err := guarded(func() (*ast.File, error) {
		tokens = lexer.Tokenize(string(data))
		return nil, nil
	})
	if err != nil {
		return nil, syntaxProblem(err, data)
	}
	if len(tokens) > MaxTokens {
		return nil, &Problem{
			Message: fmt.Sprintf("the file has more than %d YAML tokens", MaxTokens),
			Remedy:  "make it smaller; keys can also be created through the API",
		}
	}
	if deep := tooDeep(tokens); deep != nil {
		return nil, at(deep, fmt.Sprintf("lists and mappings are nested deeper than %d", MaxDepth), "flatten them")
	}
	return tokens, nil
}

// tooDeep gives the first token that lies too deep. Brackets nest until they are closed; "- - -", "? ? ?", anchors and
// tags nest as long as nothing else comes between; blocks nest by the columns that their lines begin in. (The library's own
// IndentLevel grows from one list to the next in a long file.)
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, run, line := 0, 0, 0
	var columns []int
	for _, t := range tokens {
		if t.Position.Line != line && brackets == 0 && t.Type != token.CommentType {
			line = t.Position.Line
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			run++
		default:
			run = 0
		}
		if brackets > MaxDepth || run > MaxDepth || len(columns) > MaxDepth+1 {
			return t
		}
	}
	return nil
}

// guarded turns a panic of the YAML library into an error: a configuration must not be able to stop a running process
// that reloads it.
func guarded(parse func() (*ast.File, error)) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser gave up: %v", r)
		}
	}()
	return parse()
}

// syntaxProblem takes message and place out of the library's error, without the excerpt of the source, which may show
// a secret.
func syntaxProblem(err error, data []byte) *Problem {
	var placed yaml.Error
	if !errors.As(err, &placed) || placed.GetToken() == nil {
		return &Problem{Message: err.Error(), Remedy: "correct the YAML"}
	}
	p := at(placed.GetToken(), strings.ReplaceAll(placed.GetMessage(), "\t", `\t`), "correct the YAML")
	lines := bytes.Split(data, []byte("\n"))
	if p.Line > 0 && p.Line <= len(lines) && bytes.Contains(lines[p.Line-1], []byte("${")) {
		p.Remedy = "put values with ${…} in quotes; inside { } and [ ] they need them"
	}
	return p
}

// onlyDocument refuses a file with no content or with several documents.
func onlyDocument(file *ast.File) (ast.Node, *Problem) {
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType:
		case body != nil:
			return nil, at(startOf(doc.Body), "a second YAML document", "keep one document in the file")
		default:
			body = doc.Body
		}
	}
	if body == nil {
		return nil, &Problem{
			Line: 1, Column: 1, Message: "the file is empty",
			Remedy: "add a section such as listen or providers, or start without --config for the quickstart",
		}
	}
	return body, nil
}

func at(t *token.Token, message, remedy string) *Problem {
	p := Problem{Message: message, Remedy: remedy}
	if t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, max(1, t.Position.Column)
	}
	return &p
}

// startOf gives the token at which a node begins to the eye: the first key of a block mapping, not its colon.
func startOf(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return startOf(m.Values[0].Key)
	}
	return n.GetToken()
}

// article names a node's type for a message: "a list".
func article(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.NullType:
		return "nothing"
	case ast.StringType, ast.LiteralType:
		return "text"
	}
	return "a " + strings.ToLower(n.Type().String())
}
