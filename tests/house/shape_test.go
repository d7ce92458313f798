package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	maxFile = 500 // Lines of a file, Go or TypeScript, tests included.
	maxFunc = 70  // Lines of a function from its first to its last; tests are scenarios and may be longer.
)

// longFiles and longFuncs are the exceptions, with the reason. An entry that is no longer needed fails too.
var (
	longFiles = map[string]string{}
	longFuncs = map[string]string{} // "path: name".
)

func TestFilesAreShort(t *testing.T) {
	seen := map[string]bool{}
	check := func(name string, lines int) {
		if lines <= maxFile {
			return
		}
		seen[name] = true
		if longFiles[name] == "" {
			t.Errorf("%s has %d lines, over %d: split it by meaning, or give a reason in longFiles", name, lines, maxFile)
		}
	}
	for _, s := range sources(t) {
		if !s.generated() {
			check(s.path, s.lines)
		}
	}
	walk(t, func(name string) {
		script := strings.HasSuffix(name, ".ts") || strings.HasSuffix(name, ".tsx")
		if !script {
			return
		}
		if text := read(t, name); !generatedScript(text) {
			check(name, bytes.Count(text, []byte("\n")))
		}
	})
	leftOver(t, "longFiles", longFiles, seen)
}

// generatedScript reports whether a TypeScript file says near its top that a tool wrote it.
func generatedScript(text []byte) bool {
	head := bytes.ToLower(text[:min(len(text), 400)])
	return bytes.Contains(head, []byte("generated")) && bytes.Contains(head, []byte("do not"))
}

func TestFunctionsAreShort(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if s.test() || s.generated() {
			continue
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.fset.Position(function.End()).Line - s.fset.Position(function.Pos()).Line + 1
			if lines <= maxFunc {
				continue
			}
			key := fmt.Sprintf("%s: %s", s.path, function.Name.Name)
			seen[key] = true
			if longFuncs[key] == "" {
				t.Errorf("%s has %d lines, over %d: it does more than one thing; split it, or give a reason in longFuncs", key, lines, maxFunc)
			}
		}
	}
	leftOver(t, "longFuncs", longFuncs, seen)
}

// leftOver fails for exceptions that nothing needs any more.
func leftOver(t *testing.T, table string, exceptions map[string]string, seen map[string]bool) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(exceptions)) {
		if !seen[key] {
			t.Errorf("%s lists %q, which is short enough now: remove the entry", table, key)
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		// An external test package (x_test) belongs to the package it tests.
		documented[s.dir()] = documented[s.dir()] || opensWellFor(s)
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			t.Errorf("the package in %q has no doc: begin one file with // Package … (or // Command …): concepts, format, invariants", dir)
		}
	}
}

// opensWellFor reports whether the file's package comment begins as go doc wants it.
func opensWellFor(s source) bool {
	doc := s.file.Doc.Text()
	if s.file.Name.Name == "main" {
		return strings.HasPrefix(doc, "Command ") || strings.HasPrefix(doc, "Package main ")
	}
	return strings.HasPrefix(doc, "Package "+s.file.Name.Name+" ")
}
