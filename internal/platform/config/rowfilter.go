package config

import (
	"fmt"
	"slices"
	"strings"
)

// MaxRowFilter bounds a row filter, in bytes.
const MaxRowFilter = 1024

// rowPlaceholders are what a row filter may ask for of the call.
var rowPlaceholders = []string{"current_tenant", "current_user", "current_agent"}

// rowFilter is a condition of SQL that is put into the WHERE of a query, in parentheses. It is read as a sequence of
// tokens and not as SQL: quotes and parentheses must be closed where they were opened, so that it can not end the
// parentheses around it, and there is no way to begin another statement or a comment. Whether it is a condition, and
// whether its columns exist, the database says.
var rowFilter = rule{check: func(r *reader, text, _ string, where place) {
	if wrong := rowFilterFault(text); wrong != (fault{}) {
		r.problem(where, wrong.message, wrong.remedy)
	}
}}

func rowFilterFault(text string) fault {
	const plain = "write one condition of SQL, such as tenant_id = :current_tenant"
	switch {
	case len(text) > MaxRowFilter:
		return fault{fmt.Sprintf("is longer than %d bytes", MaxRowFilter), "shorten it, or make a view"}
	case strings.TrimSpace(text) == "":
		return fault{"is empty", plain}
	case strings.ContainsFunc(text, invisible):
		return fault{"has a control or invisible character", "keep it to one line of text"}
	case strings.ContainsRune(text, '\\'):
		return fault{"has a backslash", plain}
	}
	depth := 0
	for i := 0; i < len(text); {
		next, opened, wrong := filterToken(text, i)
		if depth += opened; depth < 0 {
			return fault{"closes a parenthesis that it did not open", "balance them"}
		}
		if wrong != (fault{}) {
			return wrong
		}
		i = next
	}
	if depth > 0 {
		return fault{"does not close a parenthesis", "balance them"}
	}
	return fault{}
}

// filterToken reads one token: where the next one begins, and whether it opens or closes a parenthesis.
func filterToken(text string, i int) (next, opened int, wrong fault) {
	rest := text[i:]
	switch {
	case rest[0] == '\'' || rest[0] == '"':
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return 0, 0, fault{"does not close a quote", "close it; a quote within quotes is doubled"}
		}
		return i + end + 2, 0, fault{}
	case rest[0] == ';':
		return 0, 0, fault{"has a semicolon", "write a single condition"}
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "/*"):
		return 0, 0, fault{"has a comment", "put it into a comment of YAML"}
	case rest[0] == '$':
		return 0, 0, fault{"has a $ outside of quotes", "use quotes for text, and placeholders such as :current_tenant"}
	case strings.HasPrefix(rest, "::"):
		return i + 2, 0, fault{}
	case rest[0] == ':':
		return placeholder(text, i)
	case rest[0] == '(':
		return i + 1, 1, fault{}
	case rest[0] == ')':
		return i + 1, -1, fault{}
	}
	return i + 1, 0, fault{}
}

func placeholder(text string, i int) (next, opened int, wrong fault) {
	end := i + 1
	for end < len(text) && (text[end] == '_' || text[end] >= '0' && text[end] <= '9' || text[end]|0x20 >= 'a' && text[end]|0x20 <= 'z') {
		end++
	}
	if !slices.Contains(rowPlaceholders, text[i+1:end]) {
		return 0, 0, fault{"has a placeholder that is not known", "use one of: :" + strings.Join(rowPlaceholders, ", :")}
	}
	return end, 0, fault{}
}
