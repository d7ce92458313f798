package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration, and what to do about it. No problem quotes a secret or the
// value of an environment variable.
type Problem struct {
	File    string // As it was given to [Load] or [Parse].
	Line    int    // From 1; 0 if the problem has no place, such as a file that cannot be read.
	Column  int    // In characters, from 1; 0 if the problem has no place.
	Field   string // "keys[0].secret"; "" if it concerns the whole file.
	Message string
	Remedy  string
}

// Error gives "file:line:column: field: message; remedy" on one line.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Problems is everything that is wrong with a configuration, in the order of the file. It is never empty as an error.
type Problems []Problem

// Error gives one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted orders by place; problems at one place keep the order in which they were found.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}
