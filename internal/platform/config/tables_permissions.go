package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/text/unicode/norm"

	"github.com/signalbox/signalbox"
)

// MaxRows bounds the rows that a permission may allow one query.
const MaxRows = 1_000_000_000

// source says for people where an object stands: "agents[0].permissions (signalbox.yml:12)".
func (s seen) source() string {
	return fmt.Sprintf("%s (%s:%d)", s.field, filepath.Base(s.r.file), s.self.line)
}

// given is a value of which an empty place in the file ("models:" and nothing after it) is the same as none.
type given struct{ value }

func (v given) read(r *reader, n ast.Node, field string) {
	if n.Type() != ast.NullType {
		v.value.read(r, n, field)
	}
}

func (v given) schema() *schemaNode {
	s := v.value.schema()
	if name, ok := s.Type.(string); ok {
		s.Type = []string{name, "null"}
	}
	return s
}

// permissionsTable makes the permissions only when the key is there.
func permissionsTable(into **signalbox.Permissions) value {
	p := &signalbox.Permissions{}
	return given{object{fields: []field{
		key("tools", "Tools it may call, and what it may do with them.", listOf(&p.Tools, toolPermissionTable)),
		key("data", "What queries of databases may touch; checked here, and enforced by no part of this version.", given{dataTable(&p.Data)}),
		key("network", "Which hosts requests to the web may reach; checked here, and enforced by no part of this version.", given{networkTable(&p.Network)}),
		key("max_tokens", "Tokens of input and output together in one run; 0 is no cap.", integer(&p.MaxTokens, 0, MaxBudgetCount)),
		key("requires_approval", "Whether all that it does besides calling models waits for a person.", boolean(&p.RequiresApproval)),
		key("models", "Models and routes it may use, out of its tenant's; * and ** are wildcards. Without it, all of them.", given{listOf(&p.Models, func(s *string) value {
			return textInto(s, modelGlob)
		})}),
	}, check: func(s seen) {
		once(s, "models", p.Models, "pattern")
		p.Source = s.source()
		*into = p
	}}}
}

func toolPermissionTable(p *signalbox.ToolPermission) value {
	return object{fields: []field{
		need("name", "The tool, such as files.read_text_file, or a pattern such as files.*.", textInto(&p.Name, toolGlob)),
		need("operations", "What it may do with it: read, write, delete.", listOf(&p.Operations, func(o *signalbox.Operation) value {
			return oneOf(o, signalbox.Operations()...)
		}).atLeastOne()),
		need("resources", "Patterns of what it may do that with, such as docs/**; \"*\" is everything.", oneOrMore{&p.Resources, func(s *string) value {
			return textInto(s, resourceGlob)
		}}),
		key("rate_limit", "How often the agent may call tools under this permission.", given{object{fields: []field{
			need("max_per_minute", "Calls in a minute.", integer(&p.MaxPerMinute, 1, MaxLimit)),
		}}}),
	}, check: func(s seen) {
		for i := range p.Resources { // Resources are compared in this form.
			p.Resources[i] = norm.NFC.String(p.Resources[i])
		}
		p.Name = norm.NFC.String(p.Name)
		once(s, "operations", p.Operations, "operation")
		once(s, "resources", p.Resources, "resource")
		p.Source = s.source()
	}}
}

var (
	tableText  = pattern(identifier+`(\.`+identifier+`){0,2}`, "a name such as documents or public.documents, with * and ? as wildcards")
	columnText = pattern(identifier+`(\.`+identifier+`){0,3}`, "a name such as title or documents.title, with * and ? as wildcards")
)

// identifier is a name of SQL that needs no quotes, with wildcards.
const identifier = `[\p{L}_*?][\p{L}\p{N}_$*?]*`

func dataTable(d *signalbox.DataPermission) value {
	return object{fields: []field{
		key("tables", "Tables it may query; * and ? are wildcards.", listOf(&d.Tables, func(s *string) value { return textInto(s, tableText) })),
		key("columns", "Columns it may see; * and ? are wildcards.", listOf(&d.Columns, func(s *string) value { return textInto(s, columnText) })),
		key("row_filter", "A condition of SQL that every row must meet, such as tenant_id = :current_tenant.", textInto(&d.RowFilter, rowFilter)),
		key("max_rows", "Rows that one query may give.", integer(&d.MaxRows, 1, MaxRows)),
	}, check: func(s seen) {
		once(s, "tables", d.Tables, "table")
		once(s, "columns", d.Columns, "column")
		d.Source = s.source()
	}}
}

func networkTable(p *signalbox.NetworkPermission) value {
	hosts := func(into *[]string) value {
		return listOf(into, func(s *string) value { return textInto(s, hostGlob) })
	}
	var most int64
	return object{fields: []field{
		key("allow", "Hosts it may reach; * is a wildcard that goes across dots.", hosts(&p.Allow)),
		key("block", "Hosts it may not reach, whatever is allowed.", hosts(&p.Block)),
		key("max_per_minute", "Requests in a minute; 0 lets none pass.", integer(&most, 0, MaxLimit)),
	}, check: func(s seen) {
		for _, list := range [][]string{p.Allow, p.Block} {
			for i := range list {
				list[i] = strings.ToLower(list[i])
			}
		}
		once(s, "allow", p.Allow, "host")
		once(s, "block", p.Block, "host")
		if s.has("max_per_minute") {
			p.MaxPerMinute = &most
		}
		p.Source = s.source()
	}}
}

var hostText = pattern(`\*|[A-Za-z0-9*?-]+(\.[A-Za-z0-9*?-]+)*`, "a host's name such as api.example.com or *.example.com; in other scripts its form with xn--")

// hostGlob is a pattern over the names of hosts, and nothing else of a URL.
var hostGlob = rule{pattern: hostText.pattern, check: func(r *reader, text, shown string, where place) {
	const alone = "write the host's name alone, such as api.example.com or *.example.com"
	switch {
	case strings.Contains(text, "://"):
		r.problem(where, shown+" has a scheme", alone)
	case strings.Contains(text, "/"):
		r.problem(where, shown+" has a path", alone)
	case strings.Contains(text, "@"):
		r.problem(where, shown+" has a user", alone)
	case strings.Contains(text, ":"):
		r.problem(where, shown+" has a port, or is an address of IPv6", alone)
	case strings.Contains(text, "**"):
		r.problem(where, shown+" has **", "write *, which goes across dots here")
	default:
		hostText.check(r, text, shown, where)
	}
}}

// oneOrMore is a list of texts; a single one may stand without brackets.
type oneOrMore struct {
	into *[]string
	elem func(*string) value
}

func (v oneOrMore) list() value { return listOf(v.into, v.elem).atLeastOne() }

func (v oneOrMore) read(r *reader, n ast.Node, field string) {
	if _, single := scalarOf(n); !single {
		v.list().read(r, n, field)
		return
	}
	items := make([]string, 1)
	v.elem(&items[0]).read(r, n, field)
	*v.into = items
}

func (v oneOrMore) schema() *schemaNode {
	return &schemaNode{AnyOf: []*schemaNode{v.list().schema(), v.elem(new(string)).schema()}}
}

// once reports what a list holds twice. Entries that could not be read are empty and do not count.
func once[T comparable](s seen, name string, list []T, what string) {
	var none T
	found := map[T]bool{}
	for _, item := range list {
		if found[item] && item != none {
			s.problem(name, "names "+articleFor(what)+" "+what+" twice", "keep one")
			return
		}
		found[item] = true
	}
}

func articleFor(word string) string {
	if strings.ContainsRune("aeio", rune(word[0])) {
		return "an"
	}
	return "a"
}
