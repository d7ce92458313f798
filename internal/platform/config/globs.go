package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
)

// Bounds of patterns in permissions and approval rules.
const (
	MaxGlobLength       = 512 // In bytes.
	MaxGlobAlternatives = 64  // What the braces of one pattern stand for.
)

// resourceGlob is a pattern over resources as they are after normalisation. What no such resource can match is an error,
// as it would be a permission that permits nothing.
var resourceGlob = rule{check: func(r *reader, text, shown string, where place) {
	if wrong := globFault(text); wrong != (fault{}) {
		r.problem(where, shown+" "+wrong.message, wrong.remedy)
	}
}}

// agentGlob is a pattern over ids of agents.
var agentGlob = resourceGlob

// toolGlob is a pattern over ids of tools. Its servers must be configured; which tools they have is known only when they
// run.
var toolGlob = rule{check: func(r *reader, text, shown string, where place) {
	wrong := globFault(text)
	if wrong == (fault{}) {
		wrong = toolFault(text)
	}
	if wrong != (fault{}) {
		r.problem(where, shown+" "+wrong.message, wrong.remedy)
		return
	}
	r.tools = append(r.tools, mention{name: text, shown: shown, where: where})
}}

// globFault says what is wrong with a pattern.
func globFault(text string) fault {
	if len(text) > MaxGlobLength {
		return fault{fmt.Sprintf("is longer than %d bytes", MaxGlobLength), "shorten it"}
	}
	all, ok := alternatives(text)
	switch {
	case strings.ContainsRune(text, '\\'):
		return fault{"has a backslash, which no path has after it was cleaned", "write / between folders, and [*] for a * that is meant"}
	case strings.ContainsFunc(text, invisible):
		return fault{"has an invisible or control character, with which calls are refused", "remove it"}
	case !doublestar.ValidatePattern(text):
		return fault{"is not a pattern", "close its brackets and braces; * stays within a segment, ** goes across"}
	case !ok:
		return fault{fmt.Sprintf("stands for more than %d patterns", MaxGlobAlternatives), "write several"}
	}
	for _, one := range all {
		for segment := range strings.SplitSeq(one, "/") {
			switch {
			case segment == ".." || (segment == "." && one != "."): // "." alone is a server's root.
				return fault{"has a segment " + segment + ", which no path has after it was cleaned", "write the path without it"}
			case strings.Contains(segment, "**") && segment != "**":
				return fault{"has ** beside other characters, where it means no more than *", "write /**/ as a segment of its own, or *"}
			}
		}
	}
	return fault{}
}

// invisible is true for what is refused in the names of tools and in resources.
func invisible(c rune) bool {
	return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || unicode.In(c, unicode.Zl, unicode.Zp)
}

// alternatives gives the patterns without braces that a pattern stands for. It is not ok where these are too many.
func alternatives(text string) (all []string, ok bool) {
	queue := []string{text}
	for len(queue) > 0 && len(queue)+len(all) <= MaxGlobAlternatives {
		next := queue[0]
		queue = queue[1:]
		before, choices, after := firstBraces(next)
		if choices == nil {
			all = append(all, next)
			continue
		}
		for _, c := range choices {
			queue = append(queue, before+c+after)
		}
	}
	return all, len(queue) == 0
}

// firstBraces gives what the first pair of braces chooses from, and what stands around it; no choices where there is none.
func firstBraces(text string) (before string, choices []string, after string) {
	depth, open, start := 0, 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '[':
			i = endOfClass(text, i)
		case c == '{':
			if depth++; depth == 1 {
				open, start = i, i+1
			}
		case c == ',' && depth == 1:
			choices, start = append(choices, text[start:i]), i+1
		case c == '}' && depth > 0:
			if depth--; depth == 0 {
				return text[:open], append(choices, text[start:i]), text[i+1:]
			}
		}
	}
	return "", nil, ""
}

// endOfClass gives where a class such as [a-z] ends.
func endOfClass(text string, i int) int {
	for i++; i < len(text) && text[i] != ']'; i++ {
	}
	return i
}

// toolFault says what is wrong with a pattern as one of ids of tools.
func toolFault(text string) fault {
	if strings.ContainsFunc(text, unicode.IsSpace) {
		return fault{"has white space, which no tool's id has", "write server.tool"}
	}
	all, _ := alternatives(text)
	for _, one := range all {
		server, tool, found := strings.Cut(one, ".")
		if wild := strings.ContainsAny(one, "*?["); !wild && (!found || server == "" || tool == "") {
			return fault{"is not the id of a tool", "write server.tool, such as files.read_text_file, or server.*"}
		}
	}
	return fault{}
}

// CheckTool says why a pattern matches the id of no tool, and what would; empty where it may match one.
func CheckTool(text string) (problem, remedy string) {
	f := toolFault(text)
	return f.message, f.remedy
}

// checkTools reports patterns that no tool of a configured server can match.
func (r *reader) checkTools(servers []string) {
	for _, m := range r.tools {
		all, _ := alternatives(m.name)
		for _, one := range all {
			if _, found := serverFor(one, servers); !found {
				r.noServer(m, one, servers)
				break
			}
		}
	}
}

// serverFor looks for a server whose tools a pattern without braces can match. Only what stands before the first wildcard
// counts, so that it errs to the side of finding one.
func serverFor(one string, servers []string) (string, bool) {
	fixed := one
	if i := strings.IndexAny(one, "*?["); i >= 0 {
		fixed = one[:i]
	}
	name, _, whole := strings.Cut(fixed, ".")
	i := slices.IndexFunc(servers, func(s string) bool { return s == name || (!whole && strings.HasPrefix(s, name)) })
	if i < 0 {
		return name, false
	}
	return servers[i], true
}

func (r *reader) noServer(m mention, one string, servers []string) {
	const most = 20
	if len(servers) == 0 {
		r.problem(m.where, m.shown+" is a tool of a server, and no MCP server is configured", "add the server under mcp_servers")
		return
	}
	shown := servers
	if len(shown) > most {
		shown = append(slices.Clone(shown[:most]), "…")
	}
	remedy := "configured are: " + strings.Join(shown, ", ")
	name, _ := serverFor(one, nil)
	if near := nearest(name, servers); near != "" {
		remedy = `did you mean "` + near + `"? ` + remedy
	}
	r.problem(m.where, m.shown+" names an MCP server that is not configured", remedy)
}
